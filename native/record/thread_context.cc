// What the log says of a thread's beginnings.
#include "record/thread_context.h"

#include <sys/syscall.h>

namespace chronofork {

ThreadEndings EndingsOf(const EventLog& log, size_t events, pid_t tid) {
  ThreadEndings endings;
  if (auto at_start = log.endings_at_start.find(tid); at_start != log.endings_at_start.end())
    endings = at_start->second;
  for (size_t i = 0; i < events; ++i) {
    if (log.IsRecord(i)) continue;  // none of these calls is made without a stop
    const Event& event = log.at(i);
    if (event.kind != EventKind::kSyscall) continue;
    if (event.thread_made == tid) endings = {0, event.cleared_word, -1};
    if (event.thread != tid) continue;
    if (event.number == SYS_set_tid_address) endings.clear_child_tid = event.arguments[0];
    const bool goes_on = event.restarted && event.result == SYS_restart_syscall;
    if (goes_on && event.number != SYS_restart_syscall) endings.restarting = event.number;
    if (event.number == SYS_set_robust_list && event.result == 0) endings.robust_list = event.arguments[0];
  }
  return endings;
}

}  // namespace chronofork
