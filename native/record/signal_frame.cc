// Enters a handler by one step, and measures the frame that the kernel has laid down.
#include "record/signal_frame.h"

namespace chronofork {
namespace {

// struct rt_sigframe of arch/x86/include/asm/sigframe.h: the return address (8
// bytes), ucontext (304), siginfo (128); in ucontext, after 40 bytes, the
// sigcontext, which holds the pointer to the XSAVE area at 184.
constexpr uint64_t kFrameBytes = 8 + 304 + 128;
constexpr uint64_t kVectorStatePointer = 8 + 40 + 184;
// struct _fpx_sw_bytes in the XSAVE area: a magic number, then the whole area's size.
constexpr uint64_t kSoftwareBytes = 464;
constexpr uint32_t kExtendedMagic = 0x46505853;
constexpr uint64_t kLegacyBytes = 512;

}  // namespace

Result<std::optional<Stop>> EnterHandler(Tracee& process, const siginfo_t& info) {
  // Calls made in the process since it stopped have made the kernel forget the siginfo.
  CF_TRY(process.WriteSiginfo(info));
  CF_TRY(process.Resume(ResumeMode::kStep, info.si_signo));
  std::optional<Stop> stop = process.Wait();
  bool entered = stop->kind == Stop::Kind::kSignal && stop->siginfo.si_signo == SIGTRAP;
  return entered ? std::optional<Stop>() : stop;
}

Result<AddressRange> SignalFrame(Tracee& process) {
  TraceeAddress start(process.registers().rsp);
  CF_TRY_ASSIGN(uint64_t vector_state, process.memory().ReadValue<uint64_t>(start + kVectorStatePointer));
  if (vector_state < start.value) return AddressRange{start, start + kFrameBytes};
  struct {
    uint32_t magic, bytes;
  } software;
  CF_TRY(process.memory().Read(TraceeAddress(vector_state + kSoftwareBytes),
                               std::as_writable_bytes(std::span(&software, 1))));
  uint64_t length = software.magic == kExtendedMagic ? software.bytes : kLegacyBytes;
  return AddressRange{start, TraceeAddress(vector_state + length)};
}

stack_t StackInHandler(const stack_t& stack) {
  return stack.ss_flags & kAutodisarm ? stack_t{nullptr, SS_DISABLE, 0} : stack;
}

std::optional<stack_t> StackAfterReturn(Tracee& process) {
  // The handler's return has taken the return address: what lies there is the ucontext.
  constexpr uint64_t kStackInContext = 16;
  Result<stack_t> stack = process.memory().ReadValue<stack_t>(TraceeAddress(process.registers().rsp + kStackInContext));
  if (!stack.ok() || !(stack.value().ss_flags & kAutodisarm)) return std::nullopt;
  stack.value().ss_flags &= ~SS_ONSTACK;
  return stack.value();
}

}  // namespace chronofork
