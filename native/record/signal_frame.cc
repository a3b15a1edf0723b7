// The bytes of a signal frame, as the kernel lays them out.
#include "record/signal_frame.h"

namespace chronofork {
namespace {

// struct rt_sigframe of arch/x86/include/asm/sigframe.h: the return address (8
// bytes), then ucontext with 40 bytes before its sigcontext, which holds err at
// 152, trapno at 160 and cr2 at 176.
constexpr uint64_t kErrorCode = 8 + 40 + 152;
constexpr uint64_t kTrapNumber = 8 + 40 + 160;
constexpr uint64_t kFaultAddress = 8 + 40 + 176;

}  // namespace

Result<std::optional<Stop>> EnterHandler(Tracee& process, const siginfo_t& info, const std::optional<FrameTrap>& trap) {
  // Calls made in the process since it stopped have made the kernel forget the siginfo.
  CF_TRY(process.WriteSiginfo(info));
  CF_TRY(process.Resume(ResumeMode::kStep, info.si_signo));
  std::optional<Stop> stop = process.Wait();
  if (stop->kind != Stop::Kind::kSignal || stop->siginfo.si_signo != SIGTRAP) return stop;
  if (trap) {
    TraceeAddress frame(process.registers().rsp);
    CF_TRY(process.memory().WriteValue(frame + kErrorCode, trap->error_code));
    CF_TRY(process.memory().WriteValue(frame + kTrapNumber, trap->number));
    CF_TRY(process.memory().WriteValue(frame + kFaultAddress, trap->fault_address));
  }
  return std::optional<Stop>();
}

Result<FrameTrap> ReadFrameTrap(Tracee& process) {
  FrameTrap trap;
  TraceeAddress frame(process.registers().rsp);
  CF_TRY_ASSIGN(trap.error_code, process.memory().ReadValue<uint64_t>(frame + kErrorCode));
  CF_TRY_ASSIGN(trap.number, process.memory().ReadValue<uint64_t>(frame + kTrapNumber));
  CF_TRY_ASSIGN(trap.fault_address, process.memory().ReadValue<uint64_t>(frame + kFaultAddress));
  return trap;
}

}  // namespace chronofork
