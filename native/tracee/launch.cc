// Starting the debuggee so that nothing of its run is missed.
//
// == 1. fork; the child waits on a pipe until it is seized;
// == 2. it becomes what the program shall find (session, stdio, directory, CPU),
//       installs the seccomp filter and calls execve;
// == 3. at the end of execve: core pages, no vdso, rdtsc traps.
//
// Easy to get wrong: between fork and exec only async-signal-safe calls (Node
// has many threads); Node ignores SIGPIPE, the program must not; the debuggee
// gets a session of its own, so that ^C at the adapter's terminal does not hit it.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "base/scoped_fd.h"
#include "tracee/attachment.h"
#include "tracee/call_filter.h"
#include "tracee/core_page.h"
#include "tracee/tracee.h"
#include "tracee/tracer_thread.h"

namespace chronofork {

namespace {

Log log("launch");

// What the child reports through the pipe when it cannot become the program.
enum class Step : int { kStdio, kTerminal, kDirectory, kSeccomp, kExec };
struct ChildFailure {
  Step step;
  int error_number;
};

[[noreturn]] void Fail(int pipe, Step step) {
  ChildFailure failure{step, errno};
  ssize_t ignored = ::write(pipe, &failure, sizeof failure);
  static_cast<void>(ignored);
  ::_exit(127);
}

// Runs in the child. `go` becomes readable once we are traced; failures go to `report`.
[[noreturn]] void BecomeProgram(const LaunchSpec& spec, char* const* argv, char* const* envp, int go, int go_write,
                                int report) {
  ::close(go_write);  // or the read below would wait for ourselves
  char byte;
  while (::read(go, &byte, 1) < 0 && errno == EINTR) {
  }
  ::setsid();
  // Descriptors may overlap (stdio[1] == 0): first out of the way, then in place.
  int moved[3];
  for (int i = 0; i < 3; ++i)
    if ((moved[i] = ::fcntl(spec.stdio[static_cast<size_t>(i)], F_DUPFD, 10)) < 0) Fail(report, Step::kStdio);
  for (int i = 0; i < 3; ++i)
    if (::dup2(moved[i], i) < 0) Fail(report, Step::kStdio);
  if (spec.controlling_terminal && ::ioctl(0, TIOCSCTTY, 0) != 0) Fail(report, Step::kTerminal);
  if (!spec.working_directory.empty() && ::chdir(spec.working_directory.c_str()) != 0) Fail(report, Step::kDirectory);
  if (spec.disable_aslr) ::personality(ADDR_NO_RANDOMIZE);
  if (spec.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(spec.cpu, &set);
    ::sched_setaffinity(0, sizeof set, &set);
  }
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (report != 3) {
    ::dup2(report, 3);
    report = 3;
  }
  ::fcntl(report, F_SETFD, FD_CLOEXEC);
  ::syscall(SYS_close_range, 4, ~0u, 0);
  auto filter = CallFilter();
  sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    Fail(report, Step::kSeccomp);
  ::execve(spec.program.c_str(), argv, envp);
  Fail(report, Step::kExec);
}

Error LaunchError(const LaunchSpec& spec, const ChildFailure& failure) {
  int e = failure.error_number;
  switch (failure.step) {
    case Step::kStdio: return SystemError("stdioFailed", "The program's input and output cannot be connected", e);
    case Step::kTerminal: return SystemError("terminalFailed", "The program cannot be given its terminal", e);
    case Step::kDirectory: {
      Error error =
          SystemError("cwdMissing", "The working directory " + spec.working_directory + " cannot be entered", e);
      error.remedy = "Correct \"cwd\" in launch.json.";
      return error;
    }
    case Step::kSeccomp: {
      Error error = SystemError("seccompForbidden", "The kernel refuses the seccomp filter that recording needs", e);
      error.remedy = "In a container, allow the seccomp system call (the default Docker profile does).";
      return error;
    }
    case Step::kExec: break;
  }
  Error error = SystemError(e == ENOENT ? "programMissing" : "notExecutable",
                            "The program " + spec.program + " cannot be executed", e);
  error.remedy = e == ENOENT    ? "Build the program, or correct \"program\" in launch.json."
                 : e == EACCES  ? "Make it executable (chmod +x), and check the permissions of its folder."
                 : e == ENOEXEC ? "Give the path of an x86-64 Linux executable."
                                : "";
  return error;
}

Error PtraceForbidden(int error_number) {
  Error error = SystemError("ptraceForbidden", "The kernel does not allow tracing the program", error_number);
  error.remedy =
      "In a container start it with --cap-add=SYS_PTRACE; if kernel.yama.ptrace_scope is 3, set it to 1 and reboot.";
  return error;
}

}  // namespace

Result<std::unique_ptr<Tracee>> Tracee::Launch(const LaunchSpec& spec) {
  CHRONOFORK_ASSERT(TracerThread::IsCurrent());
  std::vector<char*> argv{const_cast<char*>(spec.program.c_str())};
  for (const std::string& a : spec.arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> envp;
  for (const std::string& e : spec.environment) envp.push_back(const_cast<char*>(e.c_str()));
  envp.push_back(nullptr);

  // == 1.
  int go[2], report[2];
  if (::pipe2(go, O_CLOEXEC) != 0) return SystemError("pipeFailed", "A pipe cannot be made", errno);
  ScopedFd go_read(go[0]), go_write(go[1]);
  if (::pipe2(report, O_CLOEXEC) != 0) return SystemError("pipeFailed", "A pipe cannot be made", errno);
  ScopedFd report_read(report[0]), report_write(report[1]);
  pid_t pid = ::fork();
  if (pid < 0) {
    Error error = SystemError("forkRefused", "The program cannot be started", errno);
    error.remedy = "Raise the limit of processes (ulimit -u), or free some memory.";
    return error;
  }
  if (pid == 0) BecomeProgram(spec, argv.data(), envp.data(), go_read.get(), go_write.get(), report_write.get());
  report_write.Reset();
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, kTraceOptions) != 0) {
    int error_number = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, __WALL);
    return PtraceForbidden(error_number);
  }
  std::unique_ptr<Tracee> tracee(new Tracee(pid));
  go_write.Reset();

  // == 2. execve itself passes the filter with a stop; so do its failure's write and exit.
  for (bool executed = false; !executed;) {
    Stop stop = *tracee->Wait();
    if (stop.kind == Stop::Kind::kGone) {
      ChildFailure failure;
      if (::read(report_read.get(), &failure, sizeof failure) == sizeof failure) return LaunchError(spec, failure);
      return Error{"startFailed", "The program ended before its first instruction.", "", 0, pid};
    }
    executed = stop.kind == Stop::Kind::kExec;
    int signal = stop.kind == Stop::Kind::kSignal ? stop.siginfo.si_signo : 0;
    if (!executed) CF_TRY(tracee->Resume(ResumeMode::kContinue, signal));
  }

  // == 3.
  CF_TRY(tracee->EnterNewProgram());
  CF_LOG(log, kInfo, "launched %s as %d", spec.program.c_str(), pid);
  return tracee;
}

// Changes the entry for the vdso in the auxiliary vector on the stack to
// AT_IGNORE: the C library then makes real system calls for clocks.
static Result<void> HideVdso(Tracee& tracee) {
  const TraceeMemory& memory = tracee.memory();
  TraceeAddress at(tracee.registers().rsp);
  CF_TRY_ASSIGN(uint64_t argc, memory.ReadValue<uint64_t>(at));
  at = at + 8 * (argc + 2);
  for (uint64_t entry = 1; entry != 0; at = at + 8) {
    CF_TRY_ASSIGN(entry, memory.ReadValue<uint64_t>(at));
  }
  for (;; at = at + 16) {
    CF_TRY_ASSIGN(uint64_t type, memory.ReadValue<uint64_t>(at));
    if (type == AT_NULL) return {};
    if (type == AT_SYSINFO_EHDR) return memory.WriteValue<uint64_t>(at, AT_IGNORE);
  }
}

Result<void> Tracee::EnterNewProgram() {
  CF_TRY(SeeExecThrough());
  if (registers().cs != 0x33)  // user mode, 64 bits
    return Error{"notX64",
                 "The program was replaced by " + ReadProcLink(pid_, "exe") + ", which is not a 64-bit x86 program.",
                 "Build it for 64-bit x86.", 0, pid_};
  return PrepareAfterExec();
}

Result<void> Tracee::EnterAsItIs() {
  CF_TRY(SeeExecThrough());
  CF_TRY(MapCorePage(TraceeAddress(registers().rip)));
  // What its parent has is ours.
  CF_TRY(Syscall(SYS_prctl, {PR_SET_TSC, PR_TSC_ENABLE}));
  return {};
}

Result<void> Tracee::SeeExecThrough() {
  CF_TRY(Resume(ResumeMode::kToSyscallExit));
  if (Wait()->kind == Stop::Kind::kGone)
    return Error{"startFailed", "The program ended before its first instruction.", "", 0, pid_};
  thread_.debug = debug_wanted_ = {};
  for (const auto& [tid, thread] : others_) TracerThread::Unregister(tid);
  others_.clear();
  own_pages_.clear();
  memory_.AddressSpaceChanged();
  return {};
}

Result<void> Tracee::PrepareAfterExec() {
  if (attachment_) return attachment_->PrepareAfterExec();
  CF_TRY(HideVdso(*this));
  CF_TRY(MapCorePage(TraceeAddress(registers().rip)));
  CF_TRY(Syscall(SYS_prctl, {PR_SET_TSC, PR_TSC_SIGSEGV}));
  return {};
}

// The first call is made from code whose bytes are lent for it.
Result<void> Tracee::MapCorePage(TraceeAddress lent) {
  CF_TRY_ASSIGN(uint32_t original, memory_.ReadValue<uint32_t>(lent));
  CF_TRY(memory_.WriteValue(lent, kSyscallTrap));
  Result<int64_t> called = SyscallAt(lent, SYS_mmap,
                                     {kCorePage.value, kCorePageBytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, ~uint64_t{0}, 0},
                                     nullptr);
  CF_TRY(memory_.WriteValue(lent, original));
  CF_TRY_ASSIGN(const int64_t mapped, std::move(called));
  if (static_cast<uint64_t>(mapped) != kCorePage.value)
    return SystemError("corePageRefused", "The two pages that Chronofork needs in the program cannot be mapped",
                       static_cast<int>(-mapped), pid_);
  CF_TRY(memory_.WriteValue(kPopFlags, kPopFlagsTrap));
  return memory_.WriteValue(kCorePage, kSyscallTrap);
}

Result<void> TryPtrace() {
  pid_t pid = ::fork();
  if (pid < 0) return SystemError("forkRefused", "A process cannot be started", errno);
  if (pid == 0) {
    for (;;) ::pause();
  }
  Result<void> result;
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_EXITKILL) != 0) result = PtraceForbidden(errno);
  ::kill(pid, SIGKILL);
  int status;
  while (::waitpid(pid, &status, __WALL) > 0 && WIFSTOPPED(status)) {
  }
  return result;
}

}  // namespace chronofork
