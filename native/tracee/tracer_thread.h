// The one thread that may call ptrace, and the wait statuses it has collected.
//
// waitpid(-1) returns stops in the kernel's order, not in the order we want
// them: each is queued for its Tracee. Stops of processes that no Tracee owns
// are the debuggee's children (ChildProcesses), or copies whose first stop
// comes before their parent's report of them.
#pragma once

#include <cstdint>
#include <optional>

#include "tracee/tracee.h"

namespace chronofork {

class TracerThread {
 public:
  static bool IsCurrent();
  static void Register(Tracee* tracee);
  static void Unregister(Tracee* tracee);
  // The next wait status of `tracee`; nullopt when `wakeable` and woken.
  static std::optional<int> NextStatus(Tracee* tracee, bool wakeable);
  // Handles what has come up meanwhile, without waiting: children's stops.
  static void Poll();
  static uint64_t StopCount();
  // Statuses that came before anybody knew the process.
  static std::optional<int> TakeEarly(pid_t pid);
};

}  // namespace chronofork
