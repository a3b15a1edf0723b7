// Job control: a process that is stopped, by SIGSTOP or from its terminal, until SIGCONT.
#include <errno.h>
#include <sys/ptrace.h>

#include "base/assert.h"
#include "tracee/tracee.h"
#include "tracee/tracer_thread.h"

namespace chronofork {

Result<Stop> Tracee::EnterJobStop(int signal) {
  CHRONOFORK_ASSERT(TracerThread::IsCurrent() && !thread_.at_syscall_entry);
  CF_TRY(SettleDebugRegisters());
  CF_TRY(FlushRegisters());
  // Asked for first: where the kernel does not stop it, the thread must not go on.
  CF_TRY(RequestInterrupt());
  if (::ptrace(PTRACE_CONT, tid_, nullptr, static_cast<long>(signal)) != 0)
    return SystemError("resumeFailed", "The debuggee cannot be resumed", errno, pid_);
  thread_.idle_step = thread_.stepping = thread_.skip_exit = false;
  thread_.running = true;
  return *Wait();
}

Result<void> Tracee::StayInJobStop() {
  if (::ptrace(PTRACE_LISTEN, tid_, nullptr, nullptr) != 0)
    return SystemError("resumeFailed", "The debuggee cannot be left stopped", errno, pid_);
  thread_.running = true;
  return {};
}

}  // namespace chronofork
