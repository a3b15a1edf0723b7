// Steps on from where a process was interrupted to a place at which a replay
// can count cheaply: one that takes a jump. Elsewhere each passing costs a
// trap, 20 to 100 µs, and a loop passes a million times in a few milliseconds.
#pragma once

#include <vector>

#include "base/result.h"
#include "tracee/tracee.h"

namespace chronofork {

struct SteppedOn {
  bool fast = false;               // the process stands at such a place
  std::vector<siginfo_t> arrived;  // signals that came meanwhile, in order; they are not delivered
  std::optional<Stop> instead;     // something else happened: the process stands there
};

// At most some dozens of steps, 10 to 20 µs each; where no such place is near
// the process is left at one of them. Never executes a system call, and nothing
// whose result is not a function of the process's state.
Result<SteppedOn> StepToFastPlace(Tracee& process);

}  // namespace chronofork
