// The debuggee's own children: let run through every stop. They see their
// original CPUs, a readable time stamp counter, and no breakpoint of ours.
//
// Easy to get wrong: a child's first stop may come before its parent's report
// of it, and its grandchildren are ours as well; handing one over waits for
// stops itself, in the middle of somebody else's waiting, so it is done by
// Serve(), which is never inside itself.
#include "tracee/children.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <tuple>

#include "base/log.h"
#include "base/scoped_fd.h"
#include "tracee/park.h"
#include "tracee/tracee.h"
#include "tracee/tracer_thread.h"

namespace chronofork {
namespace {

using Clock = std::chrono::steady_clock;

Log log("children");

// A debugger that was asked for attaches within a second or two, on a busy machine within several.
constexpr auto kTakenWithin = std::chrono::seconds(20);
// How often parked children, and those that others trace, are looked at.
constexpr auto kLookEvery = std::chrono::milliseconds(20);

struct Child {
  enum class State {
    kRuns,
    kWanted,  // runs still: it is interrupted to be handed over
    kDue,     // stands where it is handed over
    kParked,
    kTaken,
  };
  State state = State::kRuns;
  bool fresh = true;        // has not come to its first stop
  bool followable = false;  // a process of its own, which nobody has declined
  bool shares_memory = false;
  bool filtered = true;
  bool keep = false;           // kTaken: when it is parked again, it stays so for its next tracer
  const char* began = "fork";  // where it is due: "exec" is the end of its execve
  Traps traps;
  ScopedFd pidfd;  // of one that we do not trace
  Clock::time_point parked_at{};
};

struct State {
  std::map<pid_t, Child> children;
  std::deque<pid_t> due;
  std::optional<FollowedBy> followed_by;
  Clock::time_point last_look{};
  bool serving = false;
  std::mutex wishes_mutex;
  std::deque<std::pair<pid_t, ChildProcesses::Wish>> wishes;
};
State& state() {
  static State s;
  return s;
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

// At an int3 of ours in memory that the child shares with the debuggee: executes the instruction that it hides. While
// that takes, another thread may execute it too, and differ from its recording: it will be seen, and said.
// `status`: of the stop that it then comes to. False: no such int3.
bool PassTrap(pid_t pid, const Traps& traps, int& status) {
  siginfo_t info;
  GeneralRegisters r;
  if (::ptrace(PTRACE_GETSIGINFO, pid, nullptr, &info) != 0 || info.si_code != SI_KERNEL) return false;
  if (::ptrace(PTRACE_GETREGS, pid, nullptr, &r) != 0) return false;
  const TraceeAddress address(r.rip - 1);
  const auto trap = std::find_if(traps.begin(), traps.end(), [&](const auto& t) { return t.first == address; });
  if (trap == traps.end()) return false;
  r.rip = address.value;
  const TraceeMemory memory(pid);
  if (::ptrace(PTRACE_SETREGS, pid, nullptr, &r) != 0 || !memory.WriteValue(address, trap->second).ok()) return false;
  const bool stepped =
      ::ptrace(PTRACE_SINGLESTEP, pid, nullptr, nullptr) == 0 && ::waitpid(pid, &status, __WALL | __WNOTHREAD) == pid;
  static_cast<void>(memory.WriteValue(address, kInt3Byte));
  return stepped;
}

bool IsProcess(pid_t tid) {
  const std::string status = ReadProcText(tid, "status");
  const size_t at = status.find("\nTgid:\t");
  return at != std::string::npos && std::strtol(status.c_str() + at + 7, nullptr, 10) == tid;
}

std::string ProgramOf(pid_t pid) { return ReadProcLink(pid, "exe"); }

bool Is64Bit(pid_t pid) {
  ScopedFd exe(::open(("/proc/" + std::to_string(pid) + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr header;
  return exe.valid() && ::read(exe.get(), &header, sizeof header) == sizeof header &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64;
}

void Tell(const std::string& what) {
  CF_LOG(log, kInfo, "%s", what.c_str());
  if (state().followed_by) state().followed_by->notice(what);
}

void BecomeDue(pid_t pid, Child& child) {
  child.state = Child::State::kDue;
  state().due.push_back(pid);
}

// Whether the child is to be handed over where it stands now.
bool IsFirstPlace(const Child& child, int event, int signal) {
  if (!state().followed_by || !child.followable) return false;
  if (event == PTRACE_EVENT_EXEC) return true;
  const bool stands = event == PTRACE_EVENT_STOP && signal == SIGTRAP;
  return stands && (child.state == Child::State::kWanted || (child.fresh && !child.shares_memory));
}

void AdoptGrandchild(pid_t parent, int event) {
  unsigned long grandchild = 0;
  ::ptrace(PTRACE_GETEVENTMSG, parent, nullptr, &grandchild);
  ChildOrigin origin;
  origin.shares_memory = event != PTRACE_EVENT_FORK;
  if (auto found = state().children.find(parent); found != state().children.end())
    std::tie(origin.filtered, origin.traps) = std::tie(found->second.filtered, found->second.traps);
  ChildProcesses::Adopt(static_cast<pid_t>(grandchild), origin);
}

// Another program: what was known of the former one, and its other threads, are gone.
void NoteExec(pid_t pid, Child& child) {
  unsigned long former = 0;
  ::ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &former);
  if (static_cast<pid_t>(former) != pid) state().children.erase(static_cast<pid_t>(former));
  child.shares_memory = false;
  child.traps.clear();
}

void GoOn(pid_t pid, Child& child, int status) {
  const int signal = WSTOPSIG(status);
  const int event = status >> 16;
  long deliver = 0;
  const bool first_place = IsFirstPlace(child, event, signal);
  if (std::exchange(child.fresh, false) && !child.shares_memory)
    for (const auto& [address, original] : std::exchange(child.traps, {}))
      static_cast<void>(TraceeMemory(pid).WriteValue(address, original));
  if (event == PTRACE_EVENT_EXEC) NoteExec(pid, child);
  if (event == PTRACE_EVENT_EXEC && !child.filtered && !state().followed_by) {
    // Nothing of ours is left in it.
    state().children.erase(pid);
    ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
    return;
  }
  if (first_place) {
    child.began = event == PTRACE_EVENT_EXEC ? "exec" : child.state == Child::State::kWanted ? "earlier" : "fork";
    return BecomeDue(pid, child);
  }
  if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
    AdoptGrandchild(pid, event);
  } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
    ::ptrace(PTRACE_LISTEN, pid, nullptr, nullptr);  // job control: stays stopped until SIGCONT
    return;
  } else if (event == 0 && signal == SIGTRAP && child.shares_memory && PassTrap(pid, child.traps, status)) {
    if (!WIFSTOPPED(status) || status >> 8 != SIGTRAP) {
      ChildProcesses::HandleStop(pid, status);
      return;
    }
  } else if (event == 0 && !(signal == SIGSEGV && EmulateTsc(pid))) {
    deliver = signal;
  }
  ::ptrace(PTRACE_CONT, pid, nullptr, deliver);
  // The kernel forgets an interrupt at any stop.
  if (child.state == Child::State::kWanted) ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
}

}  // namespace

bool ChildProcesses::HandleStop(pid_t pid, int status) {
  auto found = state().children.find(pid);
  if (found == state().children.end()) return false;
  if (WIFSTOPPED(status))
    GoOn(pid, found->second, status);
  else
    state().children.erase(found);
  return true;
}

void ChildProcesses::Adopt(pid_t pid, const ChildOrigin& origin) {
  CF_LOG(log, kInfo, "adopting %d", pid);
  Child& child = state().children[pid] = Child{};
  child.shares_memory = origin.shares_memory;
  child.traps = origin.traps;
  child.filtered = origin.filtered;
  child.followable = state().followed_by && IsProcess(pid);
  if (!origin.cpus.empty()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int cpu : origin.cpus) CPU_SET(cpu, &set);
    ::sched_setaffinity(pid, sizeof set, &set);
  }
  while (std::optional<int> status = TracerThread::TakeEarly(pid)) HandleStop(pid, *status);
}

// -- Handing over and taking back ----------------------------------------------------

// Lets the process run, debugged by nobody, and traced by us if it must be.
void ChildProcesses::LetRun(Tracee& stopped, bool filtered) {
  const pid_t pid = stopped.pid();
  state().children.erase(pid);
  if (!filtered) return stopped.LeaveCorePages();
  for (pid_t tid : stopped.Release()) {
    Child& child = state().children[tid] = Child{};
    child.fresh = false;
    ::ptrace(PTRACE_CONT, tid, nullptr, nullptr);
  }
}

void ChildProcesses::HandOver(pid_t pid) {
  auto found = state().children.find(pid);
  if (found == state().children.end() || found->second.state != Child::State::kDue) return;
  const char* const began = found->second.began;
  const bool filtered = found->second.filtered;
  const bool at_exec = std::strcmp(began, "exec") == 0;
  std::unique_ptr<Tracee> process(new Tracee(pid));
  const std::string program = ProgramOf(pid);
  if (at_exec && !Is64Bit(pid)) {
    Tell("Process " + std::to_string(pid) + " runs on undebugged: " + program + " is not a 64-bit x86 program.");
    return LetRun(*process, filtered);
  }
  Result<void> parked;
  if (at_exec) parked = filtered ? process->EnterNewProgram() : process->EnterAsItIs();
  if (parked.ok()) parked = process->Park(::getpid(), filtered);
  if (!parked.ok()) {
    if (process->gone() || TracerOf(pid) < 0) {
      state().children.erase(pid);
      return;
    }
    Tell("Process " + std::to_string(pid) + " runs on undebugged: " + parked.error().message);
    return LetRun(*process, filtered);
  }
  NoteParked(pid, program, began, filtered);
}

void ChildProcesses::HandOverNow(std::unique_ptr<Tracee> process) {
  const pid_t pid = process->pid();
  const std::string program = ProgramOf(pid);
  if (Result<void> parked = process->Park(::getpid(), false); !parked.ok()) {
    Tell("Process " + std::to_string(pid) + " runs on undebugged: " + parked.error().message);
    return LetRun(*process, false);
  }
  NoteParked(pid, program, "fork", false);
}

void ChildProcesses::NoteParked(pid_t pid, const std::string& program, const char* began, bool filtered) {
  Child& child = state().children[pid];
  child.state = Child::State::kParked;
  child.filtered = filtered;
  child.began = began;
  child.parked_at = Clock::now();
  child.pidfd = ScopedFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  state().followed_by->parked(pid, program, began);
}

void ChildProcesses::TakeBack(pid_t pid) {
  Result<std::unique_ptr<Tracee>> taken = Tracee::TakeOver(pid);
  Result<bool> unparked = taken.ok() ? (*taken)->Unpark() : Result<bool>(taken.error());
  if (unparked.ok()) {
    CF_LOG(log, kInfo, "taking back %d", pid);
    return LetRun(**taken, *unparked);
  }
  // Somebody was quicker, or it is gone; both show when it is looked at the next time.
  CF_LOG(log, kInfo, "cannot take back %d: %s", pid, unparked.error().message.c_str());
}

void ChildProcesses::LookAfter() {
  std::vector<pid_t> back, gone;
  for (auto& [pid, child] : state().children) {
    if (child.state != Child::State::kParked && child.state != Child::State::kTaken) continue;
    pollfd ended{child.pidfd.get(), POLLIN, 0};
    const pid_t tracer = child.pidfd.valid() && ::poll(&ended, 1, 0) > 0 ? -1 : TracerOf(pid);
    if (tracer < 0) {
      gone.push_back(pid);
    } else if (tracer > 0) {
      child.state = Child::State::kTaken;
    } else if (child.state == Child::State::kTaken) {
      if (!child.filtered) gone.push_back(pid);  // its tracer has let it go
      if (!child.filtered || !IsParked(pid)) continue;
      if (!std::exchange(child.keep, false)) {
        back.push_back(pid);
      } else {
        child.state = Child::State::kParked;
        child.parked_at = Clock::now();
        child.began = "earlier";
      }
    } else if (Clock::now() - child.parked_at > kTakenWithin) {
      Tell("No debugger came for process " + std::to_string(pid) + ": it runs on undebugged.");
      back.push_back(pid);
    }
  }
  for (pid_t pid : gone) state().children.erase(pid);
  for (pid_t pid : back) TakeBack(pid);
}

void ChildProcesses::GrantWishes() {
  std::deque<std::pair<pid_t, Wish>> wishes;
  {
    std::lock_guard lock(state().wishes_mutex);
    wishes.swap(state().wishes);
  }
  for (const auto& [pid, wish] : wishes) {
    auto found = state().children.find(pid);
    if (found == state().children.end()) continue;
    Child& child = found->second;
    if (wish == Wish::kRun && child.state == Child::State::kParked) {
      TakeBack(pid);
    } else if (wish == Wish::kHandOver && child.state == Child::State::kTaken) {
      child.keep = true;
    } else if (wish == Wish::kHandOver && child.state == Child::State::kParked) {
      child.parked_at = Clock::now();
      state().followed_by->parked(pid, ProgramOf(pid), child.began);
    } else if (wish == Wish::kHandOver && child.state == Child::State::kRuns) {
      child.state = Child::State::kWanted;
      child.followable = true;
      ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
    }
  }
}

void ChildProcesses::Serve() {
  State& s = state();
  if (s.children.empty() || !s.followed_by || s.serving) return;
  s.serving = true;
  while (!s.due.empty()) {
    const pid_t pid = s.due.front();
    s.due.pop_front();
    HandOver(pid);
  }
  if (const auto now = Clock::now(); now - s.last_look > kLookEvery) {
    GrantWishes();
    LookAfter();
    s.last_look = Clock::now();
  }
  s.serving = false;
}

void ChildProcesses::Follow(FollowedBy followed_by) { state().followed_by = std::move(followed_by); }

void ChildProcesses::WishFor(pid_t pid, Wish wish) {
  std::lock_guard lock(state().wishes_mutex);
  state().wishes.emplace_back(pid, wish);
}

bool ChildProcesses::Follows() { return state().followed_by.has_value(); }

size_t ChildProcesses::Count() { return state().children.size(); }

void ChildProcesses::KillAll() {
  std::vector<pid_t> ours;
  for (const auto& [pid, child] : state().children) {
    if (child.state == Child::State::kTaken) continue;
    if (child.state == Child::State::kParked && !child.filtered) {
      // It can do without us.
      Result<std::unique_ptr<Tracee>> taken = Tracee::TakeOver(pid);
      if (taken.ok() && (*taken)->Unpark().ok()) (*taken)->LeaveCorePages();
      continue;
    }
    // Between its parking and now another may have come for it: it ends all the same.
    ::kill(pid, SIGKILL);
    if (child.state != Child::State::kParked) ours.push_back(pid);
  }
  for (pid_t pid : ours) {
    int status;
    while (::waitpid(pid, &status, __WALL | __WNOTHREAD) > 0 && WIFSTOPPED(status)) {
    }
  }
  state().children.clear();
  state().due.clear();
  state().followed_by.reset();
}

}  // namespace chronofork
