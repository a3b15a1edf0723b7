// Why a tracee stands still: the wait status of ptrace in our words.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "base/tracee_address.h"

namespace chronofork {

struct Stop {
  enum class Kind {
    kSyscallEntry,  // seccomp: the call has not been made yet
    kSyscallExit,   // the call asked to be seen to its end is done
    kSignal,        // `siginfo` is about to be delivered (also SIGTRAP of steps, int3, watchpoints)
    kInterrupted,   // our own PTRACE_INTERRUPT, or a group stop
    kNewProcess,    // fork, vfork or clone has made `new_pid`
    kExec,          // execve has succeeded; the address space is new
    kGone,          // the process has ended: `status` as of wait(2)
  };

  Kind kind = Kind::kGone;
  pid_t pid = 0;
  siginfo_t siginfo{};
  int group_stop_signal = 0;  // kInterrupted by SIGSTOP and its like
  bool job_stopped = false;   // kInterrupted, by whatever, while the process is stopped by job control
  pid_t new_pid = 0;
  bool shares_memory = false;  // kNewProcess: the two have one memory
  int status = 0;
  bool foreign_call = false;  // kSyscallEntry: by the 32-bit entry into the kernel
};

// By an instruction itself. A timer's signal has a positive code, too: the number counts.
inline bool IsFault(const siginfo_t& info) {
  switch (info.si_signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS: return info.si_code > 0;
    default: return false;
  }
}

const char* StopKindName(Stop::Kind kind);

}  // namespace chronofork
