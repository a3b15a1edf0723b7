// The entry into a signal handler, made the same each time.
//
// The kernel puts the number and error code of the thread's last trap into the
// frame on the stack, also for signals that have nothing to do with a trap. The
// last trap is often one of ours, so the frame would differ from run to run.
#pragma once

#include <signal.h>

#include <optional>

#include "base/result.h"
#include "tracee/tracee.h"

namespace chronofork {

// What the frame says of a trap: all 0 where none was the signal's reason.
struct FrameTrap {
  uint64_t error_code = 0;
  uint64_t number = 0;
  uint64_t fault_address = 0;
};

// From a stop where a signal can be given: delivers it, with the process
// stopped at the first instruction of its handler. `trap` is written into the
// frame, or, without it, the frame's own is left there. nullopt: done; else the
// stop that came instead.
Result<std::optional<Stop>> EnterHandler(Tracee& process, const siginfo_t& info, const std::optional<FrameTrap>& trap);

// At a handler's first instruction: what its frame says.
Result<FrameTrap> ReadFrameTrap(Tracee& process);

}  // namespace chronofork
