// The one thread that may call ptrace, and the wait statuses it has collected.
//
// waitpid(-1) returns stops in the kernel's order, not in the order we want
// them: each is queued for its Tracee. Stops of processes that no Tracee owns
// are the debuggee's children (ChildProcesses), or copies whose first stop
// comes before their parent's report of them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tracee/tracee.h"

namespace chronofork {

class TracerThread {
 public:
  static bool IsCurrent();
  static void Register(pid_t tid);
  static void Unregister(pid_t tid);
  // The next wait status of that thread; nullopt when `wakeable` and woken.
  static std::optional<int> NextStatus(pid_t tid, bool wakeable);
  // Which of them has a status to take; nullopt when `wakeable` and woken, or
  // none has and `block` is false.
  static std::optional<pid_t> WaitForAny(std::span<const pid_t> tids, bool wakeable, bool block);
  // Handles what has come up meanwhile, without waiting: children's stops.
  static void Poll();
  static uint64_t StopCount();
  // Kills a copy that nobody needs any more, without waiting for its end: giving back half a gigabyte of page tables
  // takes as long as making them, and happens on whichever CPU is free. It is reaped with the next stops.
  static void LetDie(pid_t pid);
  static bool AnyDying();
  // Waits for the end of all of them; false: there were none.
  static bool AwaitDying();
  // Statuses that came before anybody knew the process.
  static std::optional<int> TakeEarly(pid_t pid);
};

}  // namespace chronofork
