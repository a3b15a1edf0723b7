// Taking over a process that runs already.
//
// == 1. What cannot be attached to is refused by name, before anything is touched.
// == 2. Each thread is seized and interrupted, until /proc shows no other.
// == 3. They stop; what they are in the middle of is seen to its end or taken back.
// == 4. The process becomes what a launched one is (attachment.h), but for the
//       seccomp filter: its calls stop by PTRACE_SYSCALL.
//
// It is never killed with us (no PTRACE_O_EXITKILL). If we are killed, the
// kernel lets it go on where it stands; what then stays of us is said in
// ARCHITECTURE.md.
//
// Not seen without a filter: calls to the kernel's page at a fixed address
// (vsyscall), which only very old static programs make.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/assert.h"
#include "base/log.h"
#include "base/scoped_fd.h"
#include "tracee/attachment.h"
#include "tracee/park.h"
#include "tracee/tracer_thread.h"

namespace chronofork {

const long kAttachOptions =
    PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;

namespace {

Log logger("attach");

// A thread that waits for a disk, or for a child of vfork, cannot be stopped before that is over.
constexpr auto kPatience = std::chrono::seconds(10);
constexpr double kLookMs = 50;

// What /proc/PID/status says: "Name", "Tgid" …
class Status {
 public:
  explicit Status(pid_t pid) : text_("\n" + ReadProcText(pid, "status")) {}
  bool found() const { return text_.size() > 1; }
  std::string Line(const std::string& key) const {
    size_t at = text_.find("\n" + key + ":");
    if (at == std::string::npos) return "";
    at = text_.find_first_not_of(" \t", at + key.size() + 2);
    return at == std::string::npos ? "" : text_.substr(at, text_.find('\n', at) - at);
  }
  long Number(const std::string& key) const { return std::strtol(Line(key).c_str(), nullptr, 10); }
  // The words of a line: real, effective, saved and file system uid.
  std::vector<long> Numbers(const std::string& key) const {
    std::vector<long> numbers;
    const std::string line = Line(key);
    for (const char* at = line.c_str(); *at;) {
      char* end = nullptr;
      numbers.push_back(std::strtol(at, &end, 10));
      if (end == at) break;
      at = end;
    }
    return numbers;
  }

 private:
  std::string text_;
};

std::string NameOf(const Status& status, pid_t pid) { return status.Line("Name") + " (" + std::to_string(pid) + ")"; }

std::vector<pid_t> TasksOf(pid_t pid) {
  std::vector<pid_t> tids;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", failed))
    tids.push_back(std::atoi(entry.path().filename().c_str()));
  return tids;
}

bool IsOurAncestor(pid_t pid) {
  for (pid_t at = ::getppid(); at > 1; at = static_cast<pid_t>(Status(at).Number("PPid")))
    if (at == pid) return true;
  return false;
}

// nullopt: it cannot be read.
std::optional<bool> IsX64(pid_t pid) {
  ScopedFd fd(::open(("/proc/" + std::to_string(pid) + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr header{};
  if (!fd.valid() || ::read(fd.get(), &header, sizeof header) < static_cast<ssize_t>(sizeof header))
    return std::nullopt;
  return header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64;
}

// Why the kernel says EPERM.
Error Forbidden(const Status& status, pid_t pid, int error_number) {
  Error error = SystemError("attachForbidden", "The kernel does not allow attaching to " + NameOf(status, pid),
                            error_number, pid);
  const std::vector<long> uids = status.Numbers("Uid");
  const long ours = static_cast<long>(::geteuid());
  const std::string scope = ReadProcText(::getpid(), "../sys/kernel/yama/ptrace_scope");
  auto refuse = [&](const std::string& why, const std::string& remedy) {
    error.message = "Chronofork cannot attach to " + NameOf(status, pid) + ": " + why + ".";
    error.remedy = remedy;
  };
  if (uids.size() >= 3 && ours != 0 && (uids[0] != uids[1] || uids[1] != uids[2])) {
    error.code = "setuid";
    refuse("it runs setuid, with other rights than yours", "Attach as root.");
  } else if (!uids.empty() && ours != 0 && uids[0] != ours) {
    refuse("it belongs to another user", "Attach as that user, or as root.");
  } else if (scope.starts_with("1")) {
    refuse("this machine lets a debugger attach only to programs that it has started (kernel.yama.ptrace_scope is 1)",
           "Run `sudo sysctl kernel.yama.ptrace_scope=0`, or start the program from Chronofork.");
  } else if (scope.starts_with("2")) {
    refuse("this machine lets only root attach to programs (kernel.yama.ptrace_scope is 2)",
           "Attach as root, or start the program from Chronofork.");
  } else if (scope.starts_with("3")) {
    refuse("this machine does not let anybody attach to a program (kernel.yama.ptrace_scope is 3)",
           "Set kernel.yama.ptrace_scope to 1 and reboot, or start the program from Chronofork.");
  } else {
    refuse("it does not let itself be debugged, or this container does not allow it",
           "In a container start it with --cap-add=SYS_PTRACE; a program that has gained rights (setuid, file "
           "capabilities, PR_SET_DUMPABLE) must be attached to as root.");
  }
  return error;
}

}  // namespace

pid_t LivingThreadOf(pid_t process) {
  for (pid_t tid : TasksOf(process)) {
    const std::string state = Status(tid).Line("State");
    if (!state.empty() && !state.starts_with("Z") && !state.starts_with("X")) return tid;
  }
  return process;
}

namespace {

// A process, and the thread by which it is seized: the first, or another if that has ended.
struct Target {
  pid_t process = 0;
  pid_t thread = 0;
};

// == 1. The process that `pid` is of, if it can be attached to.
Result<Target> CheckTarget(pid_t pid) {
  const Status given(pid);
  if (pid <= 0 || !given.found())
    return Error{"noSuchProcess", "There is no process " + std::to_string(pid) + ".",
                 "It may have ended: choose another.", ESRCH, pid};
  const pid_t leader = static_cast<pid_t>(given.Number("Tgid"));
  const pid_t thread = LivingThreadOf(leader);
  const Status status(thread);
  const std::string name = NameOf(status, leader);
  auto refuse = [&](const char* code, const std::string& why, const std::string& remedy) {
    return Error{code, "Chronofork cannot attach to " + name + ": " + why + ".", remedy, 0, leader};
  };
  if (leader == ::getpid()) return refuse("attachToSelf", "that is Chronofork itself", "Choose another process.");
  if (IsOurAncestor(leader))
    return refuse("attachToSelf", "Chronofork was started by it, and would wait for what waits for Chronofork",
                  "Choose another process.");
  const std::string state = status.Line("State");
  if (state.starts_with("Z") || state.starts_with("X"))
    return refuse("processEnded", "it has ended, and waits for its parent to ask how", "");
  if (status.Line("Kthread") == "1" || status.Line("VmSize").empty())
    return refuse("kernelThread", "it is a thread of the kernel", "Choose another process.");
  if (const pid_t tracer = static_cast<pid_t>(status.Number("TracerPid")); tracer != 0)
    return refuse("alreadyTraced", NameOf(Status(tracer), tracer) + " is debugging it",
                  "End that debugger or strace first: a program can have only one.");
  if (status.Numbers("NSpid").size() != Status(::getpid()).Numbers("NSpid").size())
    return refuse("otherPidNamespace", "it runs in a container of its own (another pid namespace)",
                  "Start Chronofork in that container, for example with VS Code's Dev Containers.");
  const std::optional<bool> x64 = IsX64(thread);
  if (x64 == false) return refuse("notX64", "it is not an x86-64 program", "Build it for 64-bit x86.");
  const long filters = status.Number("Seccomp_filters"), ours = Status(::getpid()).Number("Seccomp_filters");
  const bool strict = status.Number("Seccomp") == 1;
  if ((strict || filters > ours) && !IsParked(thread))
    return refuse("sandboxed",
                  "it has a seccomp filter of its own (a sandbox), which may end it for a call that "
                  "Chronofork makes in it",
                  "Start it without its sandbox.");
  return Target{leader, thread};
}

bool TracedByUs(pid_t pid, pid_t tid) {
  const std::string text = ReadProcText(pid, "task/" + std::to_string(tid) + "/status");
  return text.find("\nTracerPid:\t" + std::to_string(::syscall(SYS_gettid)) + "\n") != std::string::npos;
}

}  // namespace

Result<std::unique_ptr<Tracee>> Tracee::Attach(pid_t wanted, int cpu) {
  CHRONOFORK_ASSERT(TracerThread::IsCurrent());
  CF_TRY_ASSIGN(const Target target, CheckTarget(wanted));
  const pid_t pid = target.process;
  const Status status(target.thread);
  if (::ptrace(PTRACE_SEIZE, target.thread, nullptr, kAttachOptions) != 0) {
    const int error_number = errno;
    if (error_number == ESRCH) return Error{"noSuchProcess", NameOf(status, pid) + " has just ended.", "", ESRCH, pid};
    return Forbidden(status, pid, error_number);
  }
  std::unique_ptr<Tracee> tracee(new Tracee(target.thread));
  tracee->leader_ = pid;
  tracee->call_stops_ = CallStops::kByTracing;
  tracee->attachment_ = std::make_unique<Attachment>(*tracee, cpu);
  tracee->thread_.running = true;
  CF_TRY(tracee->StopAllThreads());
  if (tracee->registers().cs != 0x33)  // user mode, 64 bits
    return Error{"notX64", NameOf(status, pid) + " is not an x86-64 program.", "Build it for 64-bit x86.", 0, pid};
  CF_TRY(tracee->attachment_->Prepare());
  CF_LOG(logger, kInfo, "attached to %d with %zu threads", pid, tracee->thread_count());
  return tracee;
}

// == 2. and 3. The current thread is seized already.
Result<void> Tracee::StopAllThreads() {
  const pid_t first = tid_;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  WakeTimer timer(kLookMs);
  std::set<pid_t> known{tid_}, waited_for{tid_};
  CF_TRY(RequestInterrupt());
  for (;;) {
    for (pid_t tid : TasksOf(leader_)) {
      if (!known.insert(tid).second) continue;
      const bool seized = ::ptrace(PTRACE_SEIZE, tid, nullptr, kAttachOptions) == 0;
      // One that a seized thread has made is ours from its beginning, and stops by itself.
      if (!seized && !TracedByUs(leader_, tid)) continue;
      TracerThread::Register(tid);
      others_[tid].running = true;
      waited_for.insert(tid);
      if (seized) ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    }
    if (waited_for.empty()) break;
    const std::vector<pid_t> tids(waited_for.begin(), waited_for.end());
    const std::optional<pid_t> ready = TracerThread::WaitForAny(tids, true, true);
    if (!ready) {
      if (std::chrono::steady_clock::now() < deadline) continue;
      std::string where = ReadProcText(leader_, "task/" + std::to_string(tids.front()) + "/wchan");
      return Error{"cannotStop",
                   "A thread of the program does not stop: it waits in the kernel" +
                       (where.empty() || where == "0" ? "" : " (" + where + ")") + ".",
                   "Try again when it has finished reading from its disk, or when the program that it started by vfork "
                   "is running.",
                   0, tids.front()};
    }
    SwitchTo(*ready);
    CF_TRY_ASSIGN(const bool stands, StopHere());
    if (stands || thread_.gone) waited_for.erase(*ready);
  }
  for (pid_t tid : Threads()) {
    SwitchTo(tid);
    if (!thread_.gone) continue;
    if (tid == first)
      return Error{"debuggeeGone", "A thread of the program ended while it was being attached to.", "Try again.", 0,
                   tid};
    SwitchTo(first);
    ForgetThread(tid);
  }
  SwitchTo(first);
  return {};
}

// What the current thread stops at, on its way to standing still. Nothing is
// recorded yet: signals and children go their way.
Result<bool> Tracee::StopHere() {
  std::optional<Stop> stop = Wait(true);
  if (!stop) return false;
  int signal = 0;
  switch (stop->kind) {
    case Stop::Kind::kInterrupted: return true;
    case Stop::Kind::kGone:
      if (gone_) return Error{"debuggeeGone", "The program ended while it was being attached to.", "", 0, leader_};
      return false;
    case Stop::Kind::kExec:
      return Error{"attachFailed", "The program has just been replaced by another (exec).", "Try again.", 0, leader_};
    case Stop::Kind::kNewProcess:
      if (ReadProcText(stop->new_pid, "status").find("\nTgid:\t" + std::to_string(leader_) + "\n") ==
          std::string::npos) {
        std::unique_ptr<Tracee> child = TakeChild(stop->new_pid);
        ::ptrace(PTRACE_DETACH, stop->new_pid, nullptr, nullptr);
        child->gone_ = true;
      }
      break;
    case Stop::Kind::kSignal: signal = stop->siginfo.si_signo; break;
    case Stop::Kind::kSyscallEntry:
    case Stop::Kind::kSyscallExit: break;
  }
  // Not by Resume(): until all threads stand, calls are not seen.
  ::ptrace(PTRACE_CONT, tid_, nullptr, static_cast<long>(signal));
  thread_.running = true;
  CF_TRY(RequestInterrupt());
  return false;
}

}  // namespace chronofork
