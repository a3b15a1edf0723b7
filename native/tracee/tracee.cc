// Registers, resuming, and calls made on a tracee's behalf.
#include "tracee/tracee.h"

#include <errno.h>
#include <linux/elf.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "tracee/core_page.h"
#include "tracee/tracer_thread.h"

namespace chronofork {
namespace {

Log log("tracee");

// The XSAVE area of current processors is below 12 KiB (AMX has 8 KiB of tiles).
constexpr size_t kMaxExtendedBytes = 16 * 1024;

constexpr int64_t kAbandoned = -1;  // orig_rax: "not in a system call"

}  // namespace

const char* StopKindName(Stop::Kind kind) {
  static const char* const kNames[] = {"syscallEntry", "syscallExit", "signal", "interrupted",
                                       "newProcess",   "exec",        "gone"};
  return kNames[static_cast<int>(kind)];
}

Tracee::Tracee(pid_t pid) : pid_(pid), memory_(pid) { TracerThread::Register(this); }

Tracee::~Tracee() {
  TracerThread::Unregister(this);
  if (gone_) return;
  ::kill(pid_, SIGKILL);
  int status;
  for (;;) {
    pid_t waited = ::waitpid(pid_, &status, __WALL | __WNOTHREAD);
    if (waited < 0 ? errno != EINTR : !WIFSTOPPED(status)) break;
  }
}

const GeneralRegisters& Tracee::registers() {
  if (!registers_valid_) {
    if (::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers_) != 0) registers_ = {};
    registers_valid_ = true;
    registers_dirty_ = false;
  }
  return registers_;
}

void Tracee::SetRegisters(const GeneralRegisters& registers) {
  registers_ = registers;
  registers_valid_ = true;
  registers_dirty_ = true;
}

Result<void> Tracee::FlushRegisters() {
  if (registers_dirty_) {
    if (::ptrace(PTRACE_SETREGS, pid_, nullptr, &registers_) != 0)
      return SystemError("registersUnwritable", "The registers of the debuggee cannot be set", errno, pid_);
    registers_dirty_ = false;
  }
  registers_valid_ = false;
  return {};
}

Result<ExtendedRegisters> Tracee::ReadExtended() {
  ExtendedRegisters bytes(kMaxExtendedBytes);
  iovec area{bytes.data(), bytes.size()};
  if (::ptrace(PTRACE_GETREGSET, pid_, NT_X86_XSTATE, &area) != 0)
    return SystemError("registersUnreadable", "The vector registers of the debuggee cannot be read", errno, pid_);
  bytes.resize(area.iov_len);
  return bytes;
}

Result<void> Tracee::WriteExtended(const ExtendedRegisters& registers) {
  iovec area{const_cast<std::byte*>(registers.data()), registers.size()};
  if (::ptrace(PTRACE_SETREGSET, pid_, NT_X86_XSTATE, &area) != 0)
    return SystemError("registersUnwritable", "The vector registers of the debuggee cannot be set", errno, pid_);
  return {};
}

Result<siginfo_t> Tracee::ReadSiginfo() {
  siginfo_t info;
  if (::ptrace(PTRACE_GETSIGINFO, pid_, nullptr, &info) != 0)
    return SystemError("noSiginfo", "The debuggee has not stopped for a signal", errno, pid_);
  return info;
}

Result<void> Tracee::WriteSiginfo(const siginfo_t& info) {
  if (::ptrace(PTRACE_SETSIGINFO, pid_, nullptr, &info) != 0)
    return SystemError("noSiginfo", "The debuggee's signal cannot be changed", errno, pid_);
  return {};
}

Result<uint64_t> Tracee::ReadSignalMask() {
  uint64_t mask = 0;
  if (::ptrace(PTRACE_GETSIGMASK, pid_, sizeof mask, &mask) != 0)
    return SystemError("noSignalMask", "The debuggee's signal mask cannot be read", errno, pid_);
  return mask;
}

Result<void> Tracee::WriteSignalMask(uint64_t mask) {
  if (::ptrace(PTRACE_SETSIGMASK, pid_, sizeof mask, &mask) != 0)
    return SystemError("noSignalMask", "The debuggee's signal mask cannot be set", errno, pid_);
  return {};
}

// Intel SDM vol. 3, 17.2.4: DR7 has an enable bit pair for each slot and, from
// bit 16 on, two bits of condition (0 execute, 1 write, 3 read or write) and two of length.
static Result<void> PokeDebug(pid_t pid, int index, uint64_t value) {
  size_t offset = offsetof(struct user, u_debugreg) + static_cast<size_t>(index) * sizeof(long);
  if (::ptrace(PTRACE_POKEUSER, pid, offset, value) != 0)
    return SystemError("noDebugRegister", "A hardware watchpoint cannot be set", errno, pid);
  return {};
}

static uint64_t SlotBits(int slot, unsigned condition, unsigned length_bytes) {
  unsigned length = length_bytes == 8 ? 2 : length_bytes - 1;
  return (uint64_t{1} << (slot * 2)) | (uint64_t{condition | length << 2} << (16 + slot * 4));
}

static uint64_t SlotMask(int slot) { return (uint64_t{3} << (slot * 2)) | (uint64_t{15} << (16 + slot * 4)); }

Result<void> Tracee::SetWatch(int slot, TraceeAddress address, unsigned length_bytes, bool write_only) {
  CF_TRY(ClearDebugRegister(slot));
  CF_TRY(PokeDebug(pid_, slot, address.value));
  debug_control_ |= SlotBits(slot, write_only ? 1 : 3, length_bytes);
  return PokeDebug(pid_, 7, debug_control_);
}

Result<void> Tracee::SetHardwareBreakpoint(int slot, TraceeAddress address) {
  CF_TRY(ClearDebugRegister(slot));
  CF_TRY(PokeDebug(pid_, slot, address.value));
  debug_control_ |= SlotBits(slot, 0, 1);
  return PokeDebug(pid_, 7, debug_control_);
}

Result<void> Tracee::ClearDebugRegister(int slot) {
  if (!(debug_control_ & SlotMask(slot))) return {};
  debug_control_ &= ~SlotMask(slot);
  return PokeDebug(pid_, 7, debug_control_);
}

unsigned Tracee::TakeDebugHits() {
  size_t offset = offsetof(struct user, u_debugreg) + 6 * sizeof(long);
  errno = 0;
  long status = ::ptrace(PTRACE_PEEKUSER, pid_, offset, nullptr);
  if (errno != 0) return 0;
  if (status & 15) ::ptrace(PTRACE_POKEUSER, pid_, offset, status & ~15L);
  return static_cast<unsigned>(status & 15);
}

Result<void> Tracee::Resume(ResumeMode mode, int signal) {
  CHRONOFORK_ASSERT(TracerThread::IsCurrent());
  idle_step_ = std::exchange(at_syscall_entry_, false) && mode == ResumeMode::kStep && registers_dirty_ &&
               static_cast<int64_t>(registers_.orig_rax) == kAbandoned;
  stepping_ = mode == ResumeMode::kStep;
  CF_TRY(FlushRegisters());
  long request = mode == ResumeMode::kContinue ? PTRACE_CONT
                 : mode == ResumeMode::kStep   ? PTRACE_SINGLESTEP
                                               : PTRACE_SYSCALL;
  if (::ptrace(static_cast<__ptrace_request>(request), pid_, nullptr, static_cast<long>(signal)) != 0)
    return SystemError("resumeFailed", "The debuggee cannot be resumed", errno, pid_);
  if (std::exchange(interrupt_again_, false)) ::ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr);
  return {};
}

// `syscall` copies the flags into r11, and with them the trap flag of a step.
void Tracee::HideStepping() {
  constexpr uint64_t kTrapFlag = 0x100;
  GeneralRegisters r = registers();
  if (!(r.r11 & kTrapFlag)) return;
  r.r11 &= ~kTrapFlag;
  SetRegisters(r);
}

std::optional<Stop> Tracee::Interpret(int status) {
  Stop stop;
  stop.pid = pid_;
  stop.status = status;
  registers_valid_ = false;
  registers_dirty_ = false;
  if (!WIFSTOPPED(status)) {
    gone_ = true;
    stop.kind = Stop::Kind::kGone;
    return stop;
  }
  int signal = WSTOPSIG(status);
  unsigned long message = 0;
  switch (status >> 16) {
    case PTRACE_EVENT_SECCOMP:
      at_syscall_entry_ = true;
      if (stepping_) HideStepping();
      stop.kind = Stop::Kind::kSyscallEntry;
      ::ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &message);
      stop.foreign_call = message == kForeignCall;
      return stop;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      ::ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &message);
      stop.kind = Stop::Kind::kNewProcess;
      stop.new_pid = static_cast<pid_t>(message);
      return stop;
    case PTRACE_EVENT_EXEC: stop.kind = Stop::Kind::kExec; return stop;
    case PTRACE_EVENT_STOP:
      stop.kind = Stop::Kind::kInterrupted;
      stop.group_stop_signal = signal == SIGTRAP ? 0 : signal;
      return stop;
    case 0: break;
    default: return std::nullopt;  // an event that we did not ask for
  }
  if (signal == (SIGTRAP | 0x80)) {
    stop.kind = Stop::Kind::kSyscallExit;
    return stop;
  }
  stop.kind = Stop::Kind::kSignal;
  if (::ptrace(PTRACE_GETSIGINFO, pid_, nullptr, &stop.siginfo) != 0) stop.siginfo.si_signo = signal;
  return stop;
}

// The kernel reports an interrupt before it delivers signals, also the one of
// an instruction that was executed already (int3, a step, a fault).
bool Tracee::FaultIsPending() const {
  siginfo_t pending[16];
  __ptrace_peeksiginfo_args arguments{0, 0, 16};
  long count = ::ptrace(PTRACE_PEEKSIGINFO, pid_, &arguments, pending);
  for (long i = 0; i < count; ++i) {
    int signal = pending[i].si_signo;
    bool fault = signal == SIGTRAP || signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
    if (fault && pending[i].si_code > 0) return true;
  }
  return false;
}

std::optional<Stop> Tracee::Wait(bool wakeable) {
  for (;;) {
    std::optional<int> status = TracerThread::NextStatus(this, wakeable);
    if (!status) return std::nullopt;
    if (std::optional<Stop> stop = Interpret(*status)) {
      if (stop->kind == Stop::Kind::kInterrupted && stop->group_stop_signal == 0 && FaultIsPending()) {
        interrupt_again_ = true;
        ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
        continue;
      }
      bool idle = std::exchange(idle_step_, false) && stop->kind == Stop::Kind::kSignal &&
                  stop->siginfo.si_signo == SIGTRAP && stop->siginfo.si_code > 0;
      if (idle && ::ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr) == 0) continue;
      CF_LOG(log, kTrace, "%d stops: %s status %x signal %d", pid_, StopKindName(stop->kind), *status,
             stop->siginfo.si_signo);
      return stop;
    }
    ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
  }
}

Result<void> Tracee::RequestInterrupt() {
  if (::ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr) != 0)
    return SystemError("interruptFailed", "The debuggee cannot be interrupted", errno, pid_);
  return {};
}

Result<void> Tracee::Raise(int signal) {
  if (::syscall(SYS_tgkill, pid_, pid_, signal) != 0)
    return SystemError("signalFailed", "A signal cannot be sent to the debuggee", errno, pid_);
  return {};
}

std::vector<siginfo_t> Tracee::TakeDeferredSignals() { return std::exchange(deferred_, {}); }

void Tracee::AbandonSyscall() {
  GeneralRegisters r = registers();
  r.rip -= 2;  // the length of `syscall`
  r.rax = r.orig_rax;
  r.orig_rax = static_cast<unsigned long long>(kAbandoned);
  SetRegisters(r);
}

void Tracee::SkipSyscall(int64_t result) {
  GeneralRegisters r = registers();
  r.rax = static_cast<unsigned long long>(result);
  r.orig_rax = static_cast<unsigned long long>(kAbandoned);
  SetRegisters(r);
}

Result<int64_t> Tracee::SyscallAt(TraceeAddress syscall_instruction, long number, std::array<uint64_t, 6> arguments,
                                  std::unique_ptr<Tracee>* forked) {
  GeneralRegisters saved = registers();
  saved.orig_rax = static_cast<unsigned long long>(kAbandoned);
  GeneralRegisters call = saved;
  call.rip = syscall_instruction.value;
  call.rax = static_cast<unsigned long long>(number);
  call.rdi = arguments[0];
  call.rsi = arguments[1];
  call.rdx = arguments[2];
  call.r10 = arguments[3];
  call.r8 = arguments[4];
  call.r9 = arguments[5];
  call.eflags &= ~uint64_t{0x100};  // no trap flag
  SetRegisters(call);
  const uint64_t trap_pc = syscall_instruction.value + 3;
  // An int3 while SIGTRAP is blocked would unblock it, and reset its handler.
  CF_TRY_ASSIGN(const uint64_t mask, ReadSignalMask());
  constexpr uint64_t kTrapBit = uint64_t{1} << (SIGTRAP - 1);
  if (mask & kTrapBit) CF_TRY(WriteSignalMask(mask & ~kTrapBit));
  for (;;) {
    CF_TRY(Resume(ResumeMode::kContinue));
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
    deferred_.push_back(stop->siginfo);
  }
  int64_t result = static_cast<int64_t>(registers().rax);
  SetRegisters(saved);
  if (mask & kTrapBit) CF_TRY(WriteSignalMask(mask));
  if (forked && *forked) {
    Tracee& copy = **forked;
    std::optional<Stop> stop = copy.Wait();
    if (stop->kind == Stop::Kind::kGone)
      return Error{"forkRefused", "A copy of the debuggee was killed at once.",
                   "The machine is probably out of memory: lower checkpoints.memoryMb.", 0, pid_};
    copy.SetRegisters(saved);
    if (mask & kTrapBit) CF_TRY(copy.WriteSignalMask(mask));
    // The cpu's debug registers are not inherited; our idea of them starts empty too.
  }
  return result;
}

Result<int64_t> Tracee::Syscall(long number, std::array<uint64_t, 6> arguments) {
  return SyscallAt(kRemoteSyscall, number, arguments, nullptr);
}

Result<std::unique_ptr<Tracee>> Tracee::Fork() {
  std::unique_ptr<Tracee> copy;
  // CLONE_PARENT and exit signal 0: invisible to the debuggee's wait(2) and SIGCHLD handler.
  CF_TRY_ASSIGN(int64_t result, SyscallAt(kRemoteSyscall, SYS_clone, {CLONE_PARENT}, &copy));
  if (result < 0 || !copy) {
    Error error = SystemError("forkRefused", "A checkpoint cannot be made: the kernel refuses to copy the debuggee",
                              static_cast<int>(-result), pid_);
    error.remedy = -result == EAGAIN ? "Raise the limit of processes (ulimit -u) or end other programs."
                                     : "Free some memory, or lower checkpoints.memoryMb.";
    return error;
  }
  return copy;
}

void Tracee::Detach(int signal) {
  if (gone_) return;
  static_cast<void>(FlushRegisters());
  ::ptrace(PTRACE_DETACH, pid_, nullptr, static_cast<long>(signal));
  gone_ = true;
}

uint64_t Tracee::CpuTimeNs() const {
  clockid_t clock;
  timespec t;
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &t) != 0) return 0;
  return time_before_ns_ + static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

void Tracee::CountCpuTimeFrom(uint64_t time_ns) {
  time_before_ns_ = 0;
  uint64_t own_ns = CpuTimeNs();
  time_before_ns_ = time_ns > own_ns ? time_ns - own_ns : 0;
}

uint64_t Tracee::PrivateBytes() const {
  std::string text = ReadProcText(pid_, "smaps_rollup");
  uint64_t total = 0;
  for (const char* key : {"Private_Clean:", "Private_Dirty:"}) {
    size_t at = text.find(key);
    if (at != std::string::npos) total += std::strtoull(text.c_str() + at + std::strlen(key), nullptr, 10) * 1024;
  }
  return total;
}

uint64_t Tracee::StopCount() { return TracerThread::StopCount(); }

}  // namespace chronofork
