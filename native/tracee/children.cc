// The debuggee's own children: traced only because they inherit the seccomp
// filter, and let run through every stop. They see their original CPUs and a
// readable time stamp counter.
//
// Easy to get wrong: a child's first stop may come before its parent's report
// of it, and its grandchildren are ours as well.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <x86intrin.h>

#include <unordered_set>

#include "base/log.h"
#include "tracee/tracee.h"
#include "tracee/tracer_thread.h"

namespace chronofork {
namespace {

Log log("children");

std::unordered_set<pid_t>& children() {
  static std::unordered_set<pid_t> set;
  return set;
}

// rdtsc (0f 31) and rdtscp (0f 01 f9) fault in the debuggee's children too,
// since PR_SET_TSC is inherited; they get the counter's real value.
bool EmulateTsc(pid_t pid) {
  siginfo_t info;
  GeneralRegisters r;
  if (::ptrace(PTRACE_GETSIGINFO, pid, nullptr, &info) != 0 || info.si_code <= 0) return false;
  if (::ptrace(PTRACE_GETREGS, pid, nullptr, &r) != 0) return false;
  unsigned char code[3];
  if (TraceeMemory(pid).ReadSome(TraceeAddress(r.rip), std::as_writable_bytes(std::span(code))) < 2) return false;
  bool rdtsc = code[0] == 0x0f && code[1] == 0x31;
  bool rdtscp = code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xf9;
  if (!rdtsc && !rdtscp) return false;
  unsigned processor = 0;
  uint64_t value = __rdtscp(&processor);
  r.rax = value & 0xffffffff;
  r.rdx = value >> 32;
  if (rdtscp) r.rcx = processor;
  r.rip += rdtsc ? 2 : 3;
  return ::ptrace(PTRACE_SETREGS, pid, nullptr, &r) == 0;
}

void GoOn(pid_t pid, int status) {
  int signal = WSTOPSIG(status);
  int event = status >> 16;
  long deliver = 0;
  if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
    unsigned long grandchild = 0;
    ::ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &grandchild);
    ChildProcesses::Adopt(static_cast<pid_t>(grandchild), {});
  } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
    ::ptrace(PTRACE_LISTEN, pid, nullptr, nullptr);  // job control: stays stopped until SIGCONT
    return;
  } else if (event == 0 && !(signal == SIGSEGV && EmulateTsc(pid))) {
    deliver = signal;
  }
  ::ptrace(PTRACE_CONT, pid, nullptr, deliver);
}

}  // namespace

bool ChildProcesses::HandleStop(pid_t pid, int status) {
  if (!children().contains(pid)) return false;
  if (WIFSTOPPED(status))
    GoOn(pid, status);
  else
    children().erase(pid);
  return true;
}

void ChildProcesses::Adopt(pid_t pid, const std::vector<int>& cpus) {
  CF_LOG(log, kInfo, "adopting %d", pid);
  children().insert(pid);
  if (!cpus.empty()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int cpu : cpus) CPU_SET(cpu, &set);
    ::sched_setaffinity(pid, sizeof set, &set);
  }
  while (std::optional<int> status = TracerThread::TakeEarly(pid)) HandleStop(pid, *status);
}

size_t ChildProcesses::Count() { return children().size(); }

void ChildProcesses::KillAll() {
  for (pid_t pid : children()) ::kill(pid, SIGKILL);
  for (pid_t pid : children()) {
    int status;
    while (::waitpid(pid, &status, __WALL | __WNOTHREAD) > 0 && WIFSTOPPED(status)) {
    }
  }
  children().clear();
}

}  // namespace chronofork
