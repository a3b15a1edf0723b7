// A process with the filter fails in every call of its own when nobody traces
// it. Parked it makes one call only, pause, from the one place that the filter
// lets pass, and what it really was lies beside it.
//
//     core page    syscall; jmp +14        … mov eax, 34 (pause); jmp to the syscall
//     scratch      at 2048: its registers and signal mask (ParkedState)
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <cstring>

#include "tracee/attachment.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

constexpr uint64_t kLoopOffset = 16;
// At 2: jmp to 16. At 16: mov eax, 34; jmp to 0.
constexpr uint8_t kJumpToLoop[] = {0xeb, static_cast<uint8_t>(kLoopOffset - 4)};
constexpr uint8_t kLoop[] = {0xb8, SYS_pause, 0, 0, 0, 0xeb, static_cast<uint8_t>(256 - (kLoopOffset + 7))};

}  // namespace

bool IsParked(pid_t pid) {
  Result<uint64_t> magic = TraceeMemory(pid).ReadValue<uint64_t>(kParkedState);
  return magic.ok() && magic.value() == kParkedMagic;
}

std::unique_ptr<Tracee> Tracee::TakeChild(pid_t pid) {
  std::unique_ptr<Tracee> child(new Tracee(pid));
  while (std::optional<Stop> stop = child->Wait()) {
    if (stop->kind == Stop::Kind::kInterrupted || stop->kind == Stop::Kind::kGone) break;
    if (!child->Resume(ResumeMode::kContinue).ok()) break;
  }
  return child;
}

// Where it stands now is where it goes on when it is attached. Its memory must be its own.
Result<void> Tracee::Park(const std::map<TraceeAddress, std::byte>& patched) {
  ParkedState state{kParkedMagic, registers(), 0};
  state.registers.orig_rax = ~0ull;
  CF_TRY_ASSIGN(state.signal_mask, ReadSignalMask());
  for (const auto& [address, original] : patched) CF_TRY(memory_.WriteValue(address, original));
  CF_TRY(memory_.WriteValue(kParkedState, state));
  CF_TRY(memory_.Write(kCorePage + 2, std::as_bytes(std::span(kJumpToLoop))));
  CF_TRY(memory_.Write(kCorePage + kLoopOffset, std::as_bytes(std::span(kLoop))));
  GeneralRegisters parked = state.registers;
  parked.rip = kCorePage.value + kLoopOffset;
  SetRegisters(parked);
  CF_TRY(WriteSignalMask(~uint64_t{0}));
  CF_TRY(FlushRegisters());
  if (::ptrace(PTRACE_DETACH, tid_, nullptr, nullptr) != 0)
    return SystemError("parkFailed", "A child of the program cannot be kept for its own session", errno, pid_);
  gone_ = true;
  return {};
}

// The other end of it: the process stands in the core page.
Result<void> Attachment::Unpark() {
  CF_TRY_ASSIGN(const ParkedState state, tracee_.memory().ReadValue<ParkedState>(kParkedState));
  CF_TRY(tracee_.memory().WriteValue(kParkedState, uint64_t{0}));
  CF_TRY(tracee_.memory().WriteValue(kCorePage, kSyscallTrap));
  tracee_.SetRegisters(state.registers);
  return tracee_.WriteSignalMask(state.signal_mask);
}

}  // namespace chronofork
