// Parking and taking over.
//
// Easy to get wrong: while it is parked, the trap behind the core page's system
// call is a jump, so no call can be made on its behalf before Unpark() has put
// it back; and a call that a thread was interrupted in begins anew with its own
// arguments, because the sleeping has used up what restart_syscall goes on with.
#include "tracee/park.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "tracee/call_filter.h"
#include "tracee/tracee.h"
#include "tracee/tracer_thread.h"

namespace chronofork {
namespace {

Log log("park");

constexpr uint64_t kMagic = 0x6b726170'6b726f66;  // "forkpark"
constexpr uint64_t kEverySignal = ~uint64_t{0};

// The loop, at kLoop in the core page; every call goes through the one place
// from which the filter lets calls pass, and comes back by r12:
//
//   loop:   nanosleep(200 ms)
//   check:  kill(GUARD, 0)
//   judge:  not ESRCH? loop
//           getpid()
//   die:    kill(self, SIGKILL)
// clang-format off
constexpr TraceeAddress kLoop = kCorePage + 64;
constexpr size_t kGuardAt = 0x5d - 0x40;
constexpr std::array<unsigned char, 3> kJumpBack{0x41, 0xff, 0xe4};  // jmp r12
constexpr std::array<unsigned char, 3> kTrap{0xcc, 0xcc, 0x00};      // as PrepareAfterExec() leaves it
constexpr std::array<unsigned char, 104> kLoopCode{
    0xb8, 0x23, 0x00, 0x00, 0x00,              // loop:  mov eax, nanosleep
    0x48, 0x8d, 0x3d, 0x4c, 0x00, 0x00, 0x00,  //        lea rdi, [time]
    0x31, 0xf6,                                //        xor esi, esi
    0x4c, 0x8d, 0x25, 0x02, 0x00, 0x00, 0x00,  //        lea r12, [check]
    0xeb, 0xa9,                                //        jmp kCorePage
    0xb8, 0x3e, 0x00, 0x00, 0x00,              // check: mov eax, kill
    0xbf, 0x00, 0x00, 0x00, 0x00,              //        mov edi, GUARD
    0x31, 0xf6,                                //        xor esi, esi
    0x4c, 0x8d, 0x25, 0x02, 0x00, 0x00, 0x00,  //        lea r12, [judge]
    0xeb, 0x94,                                //        jmp kCorePage
    0x48, 0x83, 0xf8, 0xfd,                    // judge: cmp rax, -ESRCH
    0x75, 0xce,                                //        jne loop
    0xb8, 0x27, 0x00, 0x00, 0x00,              //        mov eax, getpid
    0x4c, 0x8d, 0x25, 0x02, 0x00, 0x00, 0x00,  //        lea r12, [die]
    0xeb, 0x80,                                //        jmp kCorePage
    0x89, 0xc7,                                // die:   mov edi, eax
    0xbe, 0x09, 0x00, 0x00, 0x00,              //        mov esi, SIGKILL
    0xb8, 0x3e, 0x00, 0x00, 0x00,              //        mov eax, kill
    0xe9, 0x6f, 0xff, 0xff, 0xff,              //        jmp kCorePage
    0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00,  //
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // time: 0 s
    0x00, 0xc2, 0xeb, 0x0b, 0x00, 0x00, 0x00, 0x00,  //       200,000,000 ns
};
// clang-format on

template <size_t N>
std::span<const std::byte> Bytes(const std::array<unsigned char, N>& code) {
  return std::as_bytes(std::span(code));
}

// Where a thread goes on: a call that it was in is begun anew.
GeneralRegisters WhereItGoesOn(const GeneralRegisters& r, bool at_entry) {
  if (at_entry) return AtCallInstruction(r);
  const auto result = static_cast<int64_t>(r.rax);
  constexpr int64_t kRestartSys = -512, kRestartNoIntr = -513, kRestartNoHand = -514, kRestartBlock = -516;
  const bool interrupted =
      result == kRestartSys || result == kRestartNoIntr || result == kRestartNoHand || result == kRestartBlock;
  if (static_cast<int64_t>(r.orig_rax) >= 0 && interrupted) return AtCallInstruction(r);
  GeneralRegisters same = r;
  same.orig_rax = ~0ull;
  return same;
}

Result<ParkedState> ReadState(pid_t pid) {
  CF_TRY_ASSIGN(ParkedState state, TraceeMemory(pid).ReadValue<ParkedState>(kParkedState));
  if (state.magic == kMagic && state.pid == pid) return state;
  return Error{"notParked", "The process does not wait for a debugger.", "", 0, pid};
}

}  // namespace

bool IsParked(pid_t pid) { return ReadState(pid).ok(); }

pid_t TracerOf(pid_t pid) {
  const std::string status = ReadProcText(pid, "status");
  const size_t state = status.find("\nState:\t"), tracer = status.find("\nTracerPid:\t");
  if (state == std::string::npos || tracer == std::string::npos) return -1;
  const char letter = status[state + std::strlen("\nState:\t")];
  if (letter == 'Z' || letter == 'X') return -1;
  return static_cast<pid_t>(std::strtol(status.c_str() + tracer + std::strlen("\nTracerPid:\t"), nullptr, 10));
}

std::unique_ptr<Tracee> Tracee::TakeChild(pid_t pid) {
  std::unique_ptr<Tracee> child(new Tracee(pid));
  while (std::optional<Stop> stop = child->Wait()) {
    if (stop->kind == Stop::Kind::kInterrupted || stop->kind == Stop::Kind::kGone) break;
    if (!child->Resume(ResumeMode::kContinue).ok()) break;
  }
  return child;
}

Result<void> Tracee::Park(pid_t guard, bool filtered) {
  if (::kill(guard, 0) != 0 && errno == ESRCH)
    return Error{"guardGone", "Nobody is there any more who could take the process back.", "", 0, pid_};
  // == 1. What each thread goes on with. From here on no signal reaches one.
  const std::vector<pid_t> tids = Threads();
  const pid_t current = tid_;
  std::vector<ParkedThread> parked;
  for (pid_t tid : tids) {
    SwitchTo(tid);
    CF_TRY_ASSIGN(const uint64_t mask, ReadSignalMask());
    CF_TRY(WriteSignalMask(kEverySignal));
    parked.push_back({WhereItGoesOn(registers(), thread_.at_syscall_entry), mask, tid});
    thread_.at_syscall_entry = false;
    SetRegisters(parked.back().registers);
  }
  SwitchTo(current);

  // == 2. Another process may trace it. (Without Yama anybody of the user may: EINVAL.)
  CF_TRY(Syscall(SYS_prctl, {PR_SET_PTRACER, PR_SET_PTRACER_ANY}));
  uint64_t threads_at = kParkedState.value + sizeof(ParkedState);
  const uint64_t threads_bytes = parked.size() * sizeof(ParkedThread);
  if (parked.size() > kParkedThreadsBeside) {
    CF_TRY_ASSIGN(int64_t mapped, Syscall(SYS_mmap, {0, threads_bytes, PROT_READ | PROT_WRITE,
                                                     MAP_PRIVATE | MAP_ANONYMOUS, ~uint64_t{0}, 0}));
    if (mapped < 0 && mapped >= -4095)
      return SystemError("parkFailed", "The process cannot wait for another debugger", static_cast<int>(-mapped), pid_);
    threads_at = static_cast<uint64_t>(mapped);
  }
  // In a namespace of its own it cannot see the guard: it asks for itself, and never ends by its own hand.
  CF_TRY_ASSIGN(const int64_t seen, Syscall(SYS_kill, {static_cast<uint64_t>(guard), 0}));
  const int32_t watched = seen == -ESRCH ? 0 : guard;

  // == 3. The state and the loop.
  CF_TRY(memory_.Write(TraceeAddress(threads_at), std::as_bytes(std::span(parked))));
  CF_TRY(memory_.WriteValue(
      kParkedState, ParkedState{kMagic, pid_, filtered ? 1u : 0u, static_cast<uint64_t>(parked.size()), threads_at}));
  std::array<unsigned char, kLoopCode.size()> code = kLoopCode;
  std::memcpy(code.data() + kGuardAt, &watched, sizeof watched);
  CF_TRY(memory_.Write(kLoop, Bytes(code)));
  CF_TRY(memory_.Write(kRemoteSyscallEnd, Bytes(kJumpBack)));
  for (pid_t tid : tids) {
    SwitchTo(tid);
    GeneralRegisters r = registers();
    r.rip = kLoop.value;
    r.orig_rax = ~0ull;
    r.eflags &= ~uint64_t{0x100};
    SetRegisters(r);
    CF_TRY(FlushRegisters());
  }
  for (pid_t tid : tids) ::ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
  gone_ = true;  // for us
  CF_LOG(log, kInfo, "%d is parked with %zu threads, guarded by %d", pid_, parked.size(), watched);
  return {};
}

void Tracee::LeaveCorePages() {
  // From code whose bytes are lent for it.
  const TraceeAddress lent(registers().rip);
  const Result<uint32_t> original = memory_.ReadValue<uint32_t>(lent);
  if (original.ok() && memory_.WriteValue(lent, kSyscallTrap).ok()) {
    static_cast<void>(SyscallAt(lent, SYS_munmap, {kCorePage.value, kCorePageBytes}, nullptr));
    static_cast<void>(memory_.WriteValue(lent, original.value()));
  }
  for (pid_t tid : Release()) ::ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
}

std::vector<pid_t> Tracee::Release() {
  const std::vector<pid_t> tids = Threads();
  for (pid_t tid : tids) {
    SwitchTo(tid);
    static_cast<void>(FlushRegisters());
  }
  gone_ = true;  // for us
  return tids;
}

Result<std::unique_ptr<Tracee>> Tracee::TakeOver(pid_t pid) {
  CF_TRY_ASSIGN(const ParkedState state, ReadState(pid));
  std::vector<ParkedThread> parked(state.thread_count);
  CF_TRY(TraceeMemory(pid).Read(TraceeAddress(state.threads), std::as_writable_bytes(std::span(parked))));
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, kTraceOptions) != 0)
    return SystemError("ptraceForbidden", "The process cannot be taken over", errno, pid);
  std::unique_ptr<Tracee> process(new Tracee(pid));
  for (const ParkedThread& thread : parked) {
    const pid_t tid = static_cast<pid_t>(thread.tid);
    if (tid != pid) {
      if (::ptrace(PTRACE_SEIZE, tid, nullptr, kTraceOptions) != 0)
        return SystemError("ptraceForbidden", "A thread of the process cannot be taken over", errno, tid);
      TracerThread::Register(tid);
      process->others_[tid] = {};
    }
    process->SwitchTo(tid);
    CF_TRY(process->RequestInterrupt());
    if (process->Wait()->kind == Stop::Kind::kGone) return Error{"debuggeeGone", "The process has ended.", "", 0, pid};
  }
  process->SwitchTo(pid);
  return process;
}

Result<bool> Tracee::Unpark() {
  CF_TRY_ASSIGN(const ParkedState state, ReadState(pid_));
  std::vector<ParkedThread> parked(state.thread_count);
  CF_TRY(memory_.Read(TraceeAddress(state.threads), std::as_writable_bytes(std::span(parked))));
  CF_TRY(memory_.Write(kRemoteSyscallEnd, Bytes(kTrap)));
  CF_TRY(memory_.WriteValue(kParkedState, ParkedState{}));
  const pid_t current = tid_;
  for (const ParkedThread& thread : parked) {
    const pid_t tid = static_cast<pid_t>(thread.tid);
    if (tid != tid_ && !others_.contains(tid))
      return Error{"threadLost", "A thread of the process that waited was not taken over.", "", 0, tid};
    SwitchTo(tid);
    SetRegisters(thread.registers);
    thread_.at_syscall_entry = false;
  }
  SwitchTo(current);
  // Every signal is blocked still, so these calls are not interrupted.
  CF_TRY(Syscall(SYS_prctl, {PR_SET_PTRACER, 0}));
  if (state.thread_count > kParkedThreadsBeside)
    CF_TRY(Syscall(SYS_munmap, {state.threads, state.thread_count * sizeof(ParkedThread)}));
  for (const ParkedThread& thread : parked) {
    SwitchTo(static_cast<pid_t>(thread.tid));
    CF_TRY(WriteSignalMask(thread.signal_mask));
  }
  SwitchTo(current);
  CF_LOG(log, kInfo, "%d is taken over", pid_);
  return state.filtered != 0;
}

}  // namespace chronofork
