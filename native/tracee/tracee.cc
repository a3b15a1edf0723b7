// Registers, resuming, and calls made on a tracee's behalf.
#include "tracee/tracee.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/elf.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "tracee/attachment.h"
#include "tracee/copy_limits.h"
#include "tracee/core_page.h"
#include "tracee/tracer_thread.h"

namespace chronofork {
namespace {

constexpr uint64_t kTrapFlag = 0x100;

Log log("tracee");

// The XSAVE area of current processors is below 12 KiB (AMX has 8 KiB of tiles).
constexpr size_t kMaxExtendedBytes = 16 * 1024;

constexpr int64_t kAbandoned = -1;  // orig_rax: "not in a system call"
constexpr int64_t kMarked = -77;    // the same, and MarkPlace() has put it there

}  // namespace

const char* StopKindName(Stop::Kind kind) {
  static const char* const kNames[] = {"syscallEntry", "syscallExit", "signal", "interrupted",
                                       "newProcess",   "exec",        "gone"};
  return kNames[static_cast<int>(kind)];
}

Tracee::Tracee(pid_t pid) : leader_(pid), pid_(pid), tid_(pid), memory_(pid) { TracerThread::Register(pid); }

Tracee::~Tracee() {
  if (attachment_ && !gone_) static_cast<void>(Detach({}, {}));
  attachment_.reset();
  std::vector<pid_t> tids{tid_};
  for (const auto& [tid, thread] : others_) tids.push_back(tid);
  // The first thread's end is reported when all others are gone.
  std::erase(tids, leader_);
  tids.push_back(leader_);
  for (pid_t tid : tids) TracerThread::Unregister(tid);
  if (gone_) return;
  // One with several threads is waited for: each of their ends must be taken.
  if (is_copy_ && others_.empty() && tid_ == leader_) {
    TracerThread::LetDie(leader_);
    return;
  }
  ::kill(leader_, SIGKILL);
  for (pid_t tid : tids) {
    int status;
    for (;;) {
      pid_t waited = ::waitpid(tid, &status, __WALL | __WNOTHREAD);
      if (waited < 0 ? errno != EINTR : !WIFSTOPPED(status)) break;
    }
  }
}

// -- Threads -----------------------------------------------------------------------------

Result<void> Tracee::AddThread(pid_t tid) {
  TracerThread::Register(tid);
  others_[tid] = {};
  if (attachment_) attachment_->ThreadMade(tid);
  const pid_t former = tid_;
  SwitchTo(tid);
  std::optional<Stop> stop = Wait();
  const bool stands = stop->kind == Stop::Kind::kInterrupted;
  SwitchTo(former);
  if (!stands) return Error{"threadLost", "A thread ended before its first instruction.", "", 0, tid};
  return {};
}

Result<pid_t> Tracee::MakeThread() {
  constexpr uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  CF_TRY_ASSIGN(const int64_t tid, Syscall(SYS_clone, {kThread}));
  if (tid < 0) {
    Error error =
        SystemError("forkRefused", "A thread of the program cannot be made anew", static_cast<int>(-tid), pid_);
    error.remedy = "Raise the limit of processes (ulimit -u) or end other programs.";
    return error;
  }
  CF_TRY(AddThread(static_cast<pid_t>(tid)));
  return static_cast<pid_t>(tid);
}

void Tracee::SwitchTo(pid_t tid) {
  if (tid == tid_) return;
  auto found = others_.find(tid);
  CHRONOFORK_ASSERT(found != others_.end());
  ThreadState state = std::move(found->second);
  others_.erase(found);
  others_.emplace(tid_, std::move(thread_));
  thread_ = std::move(state);
  tid_ = tid;
}

void Tracee::ForgetThread(pid_t tid) {
  CHRONOFORK_ASSERT(tid != tid_);
  others_.erase(tid);
  TracerThread::Unregister(tid);
  // The process is still known by its first thread's number, but /proc shows
  // nothing of it there any more.
  if (tid == pid_) pid_ = tid_;
}

void Tracee::ExpectExec() {
  if (tid_ == leader_ || others_.contains(leader_)) return;
  TracerThread::Register(leader_);
  others_[leader_].only_expected = true;
}

void Tracee::NoteExecFailed() {
  auto first = others_.find(leader_);
  if (first == others_.end() || !first->second.only_expected) return;
  others_.erase(first);
  TracerThread::Unregister(leader_);
}

std::vector<pid_t> Tracee::Threads() const {
  std::vector<pid_t> tids{tid_};
  for (const auto& [tid, thread] : others_) tids.push_back(tid);
  std::sort(tids.begin(), tids.end());
  return tids;
}

char Tracee::StateOf(pid_t tid) const {
  std::string stat = ReadProcText(pid_, "task/" + std::to_string(tid) + "/stat");
  const size_t name_end = stat.rfind(") ");
  return name_end == std::string::npos ? 'X' : stat[name_end + 2];
}

bool Tracee::SignalsPending() const {
  const std::string status = ReadProcText(pid_, "task/" + std::to_string(tid_) + "/status");
  auto set = [&](const char* key) {
    size_t at = status.find(key);
    return at == std::string::npos ? uint64_t{0} : std::strtoull(status.c_str() + at + std::strlen(key), nullptr, 16);
  };
  return ((set("SigPnd:") | set("ShdPnd:")) & ~set("SigBlk:")) != 0;
}

std::optional<Stop> Tracee::PollOthers(bool wait) {
  std::vector<pid_t> tids;
  for (const auto& [tid, thread] : others_) tids.push_back(tid);
  std::optional<pid_t> ready = TracerThread::WaitForAny(tids, wait, wait);
  if (!ready) return std::nullopt;
  SwitchTo(*ready);
  return Wait();
}

std::optional<Stop> Tracee::WaitAny(bool wakeable, bool block) {
  std::vector<pid_t> tids{tid_};
  for (const auto& [tid, thread] : others_) tids.push_back(tid);
  std::optional<pid_t> ready = TracerThread::WaitForAny(tids, wakeable, block);
  if (!ready) return std::nullopt;
  SwitchTo(*ready);
  return Wait();
}

// -- Registers ---------------------------------------------------------------------------

const GeneralRegisters& Tracee::registers() {
  if (!thread_.registers_valid) {
    if (::ptrace(PTRACE_GETREGS, tid_, nullptr, &thread_.registers) != 0) thread_.registers = {};
    thread_.registers_valid = true;
    thread_.registers_dirty = false;
  }
  return thread_.registers;
}

void Tracee::SetRegisters(const GeneralRegisters& registers) {
  thread_.registers = registers;
  thread_.registers_valid = true;
  thread_.registers_dirty = true;
  // An attached process goes on if we are killed: never from a place of ours.
  if (attachment_ && ::ptrace(PTRACE_SETREGS, tid_, nullptr, &thread_.registers) == 0) thread_.registers_dirty = false;
}

Result<void> Tracee::FlushRegisters() {
  if (thread_.registers_dirty) {
    if (::ptrace(PTRACE_SETREGS, tid_, nullptr, &thread_.registers) != 0)
      return SystemError("registersUnwritable", "The registers of the debuggee cannot be set", errno, pid_);
    thread_.registers_dirty = false;
  }
  thread_.registers_valid = false;
  return {};
}

Result<ExtendedRegisters> Tracee::ReadExtended() {
  ExtendedRegisters bytes(kMaxExtendedBytes);
  iovec area{bytes.data(), bytes.size()};
  if (::ptrace(PTRACE_GETREGSET, tid_, NT_X86_XSTATE, &area) != 0)
    return SystemError("registersUnreadable", "The vector registers of the debuggee cannot be read", errno, pid_);
  bytes.resize(area.iov_len);
  return bytes;
}

Result<void> Tracee::WriteExtended(const ExtendedRegisters& registers) {
  iovec area{const_cast<std::byte*>(registers.data()), registers.size()};
  if (::ptrace(PTRACE_SETREGSET, tid_, NT_X86_XSTATE, &area) != 0)
    return SystemError("registersUnwritable", "The vector registers of the debuggee cannot be set", errno, pid_);
  return {};
}

Result<siginfo_t> Tracee::ReadSiginfo() {
  siginfo_t info;
  if (::ptrace(PTRACE_GETSIGINFO, tid_, nullptr, &info) != 0)
    return SystemError("noSiginfo", "The debuggee has not stopped for a signal", errno, pid_);
  return info;
}

Result<void> Tracee::WriteSiginfo(const siginfo_t& info) {
  if (::ptrace(PTRACE_SETSIGINFO, tid_, nullptr, &info) != 0)
    return SystemError("noSiginfo", "The debuggee's signal cannot be changed", errno, pid_);
  return {};
}

Result<void> Tracee::SetAlternateStack(const stack_t& stack) {
  constexpr int kAutodisarm = 1 << 31;  // SS_AUTODISARM
  stack_t wanted = stack;
  wanted.ss_flags &= SS_DISABLE | kAutodisarm;  // that the thread is on it is no setting
  CF_TRY(memory_.WriteValue(kScratchArea, wanted));
  CF_TRY(Syscall(SYS_sigaltstack, {kScratchArea.value, 0}));
  return {};
}

Result<uint64_t> Tracee::ReadSignalMask() {
  uint64_t mask = 0;
  if (::ptrace(PTRACE_GETSIGMASK, tid_, sizeof mask, &mask) != 0)
    return SystemError("noSignalMask", "The debuggee's signal mask cannot be read", errno, pid_);
  return mask;
}

Result<void> Tracee::WriteSignalMask(uint64_t mask) {
  if (::ptrace(PTRACE_SETSIGMASK, tid_, sizeof mask, &mask) != 0)
    return SystemError("noSignalMask", "The debuggee's signal mask cannot be set", errno, pid_);
  return {};
}

// Is the next instruction one that calls the kernel? Prefixes may stand before it.
bool Tracee::NextIsSyscall() {
  uint8_t code[16];
  const size_t length = memory_.ReadSome(TraceeAddress(registers().rip), std::as_writable_bytes(std::span(code)));
  size_t at = 0;
  auto is_prefix = [](uint8_t byte) {
    switch (byte) {
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0x64:
      case 0x65:
      case 0x66:
      case 0x67:
      case 0xf2:
      case 0xf3: return true;
      default: return (byte & 0xf0) == 0x40;  // REX
    }
  };
  while (at < length && is_prefix(code[at])) ++at;
  if (at + 1 >= length) return false;
  return (code[at] == 0x0f && (code[at + 1] == 0x05 || code[at + 1] == 0x34)) ||
         (code[at] == 0xcd && code[at + 1] == 0x80);
}

long Tracee::RequestFor(ResumeMode mode, bool at_entry, int signal) {
  switch (mode) {
    case ResumeMode::kContinue: return call_stops_ == CallStops::kByTracing ? PTRACE_SYSCALL : PTRACE_CONT;
    case ResumeMode::kToSyscallExit: return PTRACE_SYSCALL;
    case ResumeMode::kStep: break;
  }
  // Without a filter a step would execute a whole call unseen.
  const bool to_entry = call_stops_ == CallStops::kByTracing && !at_entry && signal == 0 && NextIsSyscall();
  return to_entry ? PTRACE_SYSCALL : PTRACE_SINGLESTEP;
}

// On from a stop that is not reported; what was asked for meanwhile is asked for again.
void Tracee::GoOnBy(long request) {
  ::ptrace(static_cast<__ptrace_request>(request), tid_, nullptr, nullptr);
  thread_.running = true;
  if (thread_.interrupt_asked) ::ptrace(PTRACE_INTERRUPT, tid_, nullptr, nullptr);
}

Result<void> Tracee::Resume(ResumeMode mode, int signal) {
  CHRONOFORK_ASSERT(TracerThread::IsCurrent());
  const bool at_entry = std::exchange(thread_.at_syscall_entry, false);
  const auto orig_rax = static_cast<int64_t>(thread_.registers.orig_rax);
  thread_.idle_step = at_entry && mode == ResumeMode::kStep && thread_.registers_valid &&
                      (orig_rax == kAbandoned || orig_rax == kMarked);
  thread_.stepping = mode == ResumeMode::kStep;
  thread_.skip_exit = at_entry && call_stops_ == CallStops::kByTracing && mode == ResumeMode::kContinue;
  const long request = RequestFor(mode, at_entry, signal);
  CF_TRY(SettleDebugRegisters());
  CF_TRY(FlushRegisters());
  if (::ptrace(static_cast<__ptrace_request>(request), tid_, nullptr, static_cast<long>(signal)) != 0)
    return SystemError("resumeFailed", "The debuggee cannot be resumed", errno, pid_);
  thread_.running = true;
  thread_.interrupt_asked = std::exchange(thread_.interrupt_again, false);
  if (thread_.interrupt_asked) ::ptrace(PTRACE_INTERRUPT, tid_, nullptr, nullptr);
  return {};
}

// `syscall` copies the flags into r11, and with them the trap flag of a step.
void Tracee::HideStepping() {
  GeneralRegisters r = registers();
  if (!(r.r11 & kTrapFlag)) return;
  r.r11 &= ~kTrapFlag;
  SetRegisters(r);
}

std::optional<Stop> Tracee::Interpret(int status) {
  Stop stop;
  stop.pid = tid_;
  stop.status = status;
  thread_.registers_valid = false;
  thread_.registers_dirty = false;
  thread_.running = false;
  if (!WIFSTOPPED(status)) {
    thread_.gone = true;
    gone_ = std::all_of(others_.begin(), others_.end(), [](const auto& other) { return other.second.gone; });
    if (gone_ && attachment_) attachment_->ProcessGone();
    stop.kind = Stop::Kind::kGone;
    return stop;
  }
  int signal = WSTOPSIG(status);
  unsigned long message = 0;
  switch (status >> 16) {
    case PTRACE_EVENT_SECCOMP:
      thread_.at_syscall_entry = true;
      if (thread_.stepping) HideStepping();
      stop.kind = Stop::Kind::kSyscallEntry;
      ::ptrace(PTRACE_GETEVENTMSG, tid_, nullptr, &message);
      stop.foreign_call = message == kForeignCall;
      return stop;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      ::ptrace(PTRACE_GETEVENTMSG, tid_, nullptr, &message);
      stop.kind = Stop::Kind::kNewProcess;
      stop.new_pid = static_cast<pid_t>(message);
      stop.shares_memory = status >> 16 != PTRACE_EVENT_FORK;
      return stop;
    case PTRACE_EVENT_EXEC:
      stop.kind = Stop::Kind::kExec;
      pid_ = leader_;
      thread_.only_expected = false;
      return stop;
    case PTRACE_EVENT_STOP:
      stop.kind = Stop::Kind::kInterrupted;
      stop.group_stop_signal = signal == SIGTRAP ? 0 : signal;
      stop.job_stopped = signal != SIGTRAP;
      return stop;
    case 0: break;
    default: return std::nullopt;  // an event that we did not ask for
  }
  if (signal == (SIGTRAP | 0x80)) {
    stop.kind = Stop::Kind::kSyscallExit;
    __ptrace_syscall_info info{};
    if (call_stops_ == CallStops::kByTracing && ::ptrace(PTRACE_GET_SYSCALL_INFO, tid_, sizeof info, &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      stop.kind = Stop::Kind::kSyscallEntry;
      thread_.at_syscall_entry = true;
      stop.foreign_call = info.arch != AUDIT_ARCH_X86_64;
    }
    return stop;
  }
  stop.kind = Stop::Kind::kSignal;
  if (::ptrace(PTRACE_GETSIGINFO, tid_, nullptr, &stop.siginfo) != 0) stop.siginfo.si_signo = signal;
  return stop;
}

// The kernel reports an interrupt before it delivers signals, also the one of
// an instruction that was executed already (int3, a step, a fault).
bool Tracee::FaultIsPending() const {
  siginfo_t pending[16];
  __ptrace_peeksiginfo_args arguments{0, 0, 16};
  long count = ::ptrace(PTRACE_PEEKSIGINFO, tid_, &arguments, pending);
  return std::any_of(pending, pending + std::max(count, 0L), IsFault);
}

std::optional<Stop> Tracee::Wait(bool wakeable) {
  for (;;) {
    std::optional<int> status = TracerThread::NextStatus(tid_, wakeable);
    if (!status) return std::nullopt;
    const bool asked = thread_.interrupt_asked;
    if (std::optional<Stop> stop = Interpret(*status)) {
      // While its group is stopped (and we let it run) the kernel calls an interrupt a group stop.
      if (stop->kind == Stop::Kind::kInterrupted && asked) stop->group_stop_signal = 0;
      if (stop->kind == Stop::Kind::kInterrupted && stop->group_stop_signal == 0 && FaultIsPending()) {
        thread_.interrupt_again = true;
        thread_.interrupt_asked = false;
        GoOnBy(RequestFor(ResumeMode::kContinue, false, 0));
        continue;
      }
      bool idle = std::exchange(thread_.idle_step, false) && stop->kind == Stop::Kind::kSignal &&
                  stop->siginfo.si_signo == SIGTRAP && stop->siginfo.si_code > 0;
      if (idle) {
        GoOnBy(RequestFor(ResumeMode::kStep, false, 0));
        thread_.registers_valid = false;
        continue;
      }
      if (stop->kind == Stop::Kind::kSyscallExit && std::exchange(thread_.skip_exit, false)) {
        GoOnBy(PTRACE_SYSCALL);
        continue;
      }
      CF_LOG(log, kTrace, "%d stops: %s status %x signal %d", tid_, StopKindName(stop->kind), *status,
             stop->siginfo.si_signo);
      thread_.interrupt_asked = false;
      return stop;
    }
    thread_.interrupt_asked = asked;
    GoOnBy(RequestFor(ResumeMode::kContinue, false, 0));
  }
}

Result<void> Tracee::RequestInterrupt() {
  if (::ptrace(PTRACE_INTERRUPT, tid_, nullptr, nullptr) != 0)
    return SystemError("interruptFailed", "The debuggee cannot be interrupted", errno, pid_);
  thread_.interrupt_asked = true;
  return {};
}

Result<void> Tracee::Raise(int signal) {
  if (::syscall(SYS_tgkill, leader_, tid_, signal) != 0)
    return SystemError("signalFailed", "A signal cannot be sent to the debuggee", errno, pid_);
  return {};
}

std::vector<siginfo_t> Tracee::TakeDeferredSignals() { return std::exchange(thread_.deferred, {}); }

void Tracee::AbandonSyscall() { SetRegisters(AtCallInstruction(registers())); }

// The kernel keeps orig_rax as long as the thread is in it, and every way back
// into it from the program begins with another.
void Tracee::MarkPlace() {
  const auto rax = static_cast<int64_t>(registers().rax);
  const bool looks_interrupted = rax <= -512 && rax >= -517;  // -ERESTART…: the kernel would begin the call anew
  // Only -1 skips a call at such a stop.
  const bool at_traced_entry = thread_.at_syscall_entry && call_stops_ == CallStops::kByTracing;
  if (looks_interrupted || at_traced_entry) return;
  GeneralRegisters r = registers();
  r.orig_rax = static_cast<unsigned long long>(kMarked);
  SetRegisters(r);
}

bool Tracee::NothingExecuted() { return static_cast<int64_t>(registers().orig_rax) == kMarked; }

void Tracee::SkipSyscall(int64_t result) {
  GeneralRegisters r = registers();
  r.rax = static_cast<unsigned long long>(result);
  r.orig_rax = static_cast<unsigned long long>(kAbandoned);
  SetRegisters(r);
}

Result<int64_t> Tracee::SyscallAt(TraceeAddress syscall_instruction, long number, std::array<uint64_t, 6> arguments,
                                  std::unique_ptr<Tracee>* forked) {
  GeneralRegisters saved = registers();
  if (!NothingExecuted()) saved.orig_rax = static_cast<unsigned long long>(kAbandoned);
  GeneralRegisters call = saved;
  call.rip = syscall_instruction.value;
  call.rax = static_cast<unsigned long long>(number);
  call.rdi = arguments[0];
  call.rsi = arguments[1];
  call.rdx = arguments[2];
  call.r10 = arguments[3];
  call.r8 = arguments[4];
  call.r9 = arguments[5];
  CF_TRY_ASSIGN(const uint64_t result, RunToTrap(call, saved, syscall_instruction.value + 3, forked));
  return static_cast<int64_t>(result);
}

// Changes it by the instruction that can: PTRACE_SETREGS leaves it as it is.
Result<void> Tracee::MatchIdFlag(uint64_t eflags) {
  constexpr uint64_t kIdFlag = uint64_t{1} << 21;
  GeneralRegisters saved = registers();
  if (!((saved.eflags ^ eflags) & kIdFlag)) return {};
  saved.eflags ^= kIdFlag;
  CF_TRY(memory_.WriteValue(kScratchArea, uint64_t{saved.eflags} & ~kTrapFlag));
  if (!NothingExecuted()) saved.orig_rax = static_cast<unsigned long long>(kAbandoned);
  GeneralRegisters call = saved;
  call.rip = kPopFlags.value;
  call.rsp = kScratchArea.value;
  call.orig_rax = ~0ull;
  CF_TRY(RunToTrap(call, saved, kPopFlags.value + 2, nullptr));
  return {};
}

// Lets the current thread execute code of ours, from `call` on until the int3 before
// `trap_pc`, and gives it `saved` again. Returns rax as of the trap.
Result<uint64_t> Tracee::RunToTrap(GeneralRegisters call, const GeneralRegisters& saved, uint64_t trap_pc,
                                   std::unique_ptr<Tracee>* forked) {
  call.eflags &= ~kTrapFlag;
  SetRegisters(call);
  // What comes meanwhile stays pending, for its own place and in its order. Only
  // SIGTRAP is let in: an int3 while it is blocked would reset its handler.
  CF_TRY_ASSIGN(const uint64_t mask, ReadSignalMask());
  constexpr uint64_t kTrapBit = uint64_t{1} << (SIGTRAP - 1);
  CF_TRY(WriteSignalMask(~kTrapBit));
  for (;;) {
    // Our own calls are not seen: no stop but those of signals and events.
    thread_.at_syscall_entry = thread_.idle_step = thread_.stepping = thread_.skip_exit = false;
    CF_TRY(FlushRegisters());
    if (::ptrace(PTRACE_CONT, tid_, nullptr, nullptr) != 0)
      return SystemError("resumeFailed", "The debuggee cannot be resumed", errno, pid_);
    thread_.running = true;
    std::optional<Stop> stop = Wait();
    if (stop->kind == Stop::Kind::kGone)
      return Error{"debuggeeGone", "The debuggee ended while a call was made on its behalf.", "", 0, pid_};
    if (stop->kind == Stop::Kind::kNewProcess && forked && !*forked) {
      forked->reset(new Tracee(stop->new_pid));
      continue;
    }
    if (stop->kind != Stop::Kind::kSignal) continue;
    if (stop->siginfo.si_signo == SIGTRAP && registers().rip == trap_pc) break;
    // Some other signal came first: set it aside; the kernel restarts the call.
    thread_.deferred.push_back(stop->siginfo);
  }
  const uint64_t rax = registers().rax;
  SetRegisters(saved);
  CF_TRY(WriteSignalMask(mask));
  if (forked && *forked) {
    Tracee& copy = **forked;
    std::optional<Stop> stop = copy.Wait();
    if (stop->kind == Stop::Kind::kGone)
      return Error{"forkRefused", "A copy of the debuggee was killed at once.",
                   "The machine is probably out of memory: lower checkpoints.memoryMb.", 0, pid_};
    copy.SetRegisters(saved);
    CF_TRY(copy.WriteSignalMask(mask));
    // The cpu's debug registers are not inherited; our idea of them starts empty too.
  }
  return rax;
}

Result<int64_t> Tracee::Syscall(long number, std::array<uint64_t, 6> arguments) {
  return SyscallAt(kRemoteSyscall, number, arguments, nullptr);
}

Result<std::unique_ptr<Tracee>> Tracee::Fork() {
  if (attachment_) return attachment_->Copy();
  std::unique_ptr<Tracee> copy;
  // CLONE_PARENT and exit signal 0: invisible to the debuggee's wait(2) and SIGCHLD handler.
  CF_TRY_ASSIGN(int64_t result, SyscallAt(kRemoteSyscall, SYS_clone, {CLONE_PARENT}, &copy));
  if (result == -EAGAIN && TracerThread::AwaitDying()) {  // those about to end count, too
    CF_TRY_ASSIGN(result, SyscallAt(kRemoteSyscall, SYS_clone, {CLONE_PARENT}, &copy));
  }
  if (result < 0 || !copy) return ForkRefused(result, pid_);
  copy->is_copy_ = true;
  LiftTimeLimits(copy->pid());
  CF_TRY(GiveOwnMemory(*copy));
  copy->own_pages_ = own_pages_;
  return copy;
}

}  // namespace chronofork
