// Runs to an int3 behind the instruction.
#include "probe/rep_string.h"

#include <signal.h>

#include "probe/instruction.h"

namespace chronofork {
namespace {

// A processor that copies blocks may trap some rounds late.
constexpr uint64_t kBlockBytes = 64;

std::optional<Instruction> RepStringAt(Tracee& process, TraceeAddress pc) {
  std::byte code[kMaxInstructionLength];
  const size_t length = process.memory().ReadSome(pc, code);
  std::optional<Instruction> instruction = DecodeInstruction(std::span(code, length), pc);
  return instruction && instruction->is_rep_string ? instruction : std::nullopt;
}

// Runs to an int3 at the end of the instruction at `pc`, which stands there. False: something else came first.
Result<bool> RunToTrapAt(Tracee& process, TraceeAddress pc, TraceeAddress end, int* signal_again) {
  for (;;) {
    CF_TRY(process.Resume(ResumeMode::kContinue));
    std::optional<Stop> stop = process.Wait();
    if (stop->kind == Stop::Kind::kInterrupted) continue;
    if (stop->kind != Stop::Kind::kSignal) return false;
    if (stop->siginfo.si_signo == SIGTRAP) {
      const unsigned hits = process.watched() ? process.TakeDebugHits() : 0;
      process.NoteDebugHits(hits);
      GeneralRegisters r = process.registers();
      if (hits != 0 && r.rip == pc.value) continue;
      if (hits != 0 && r.rip == end.value) return true;
      if (r.rip != end.value + 1) return false;
      r.rip = end.value;
      r.orig_rax = ~0ull;
      process.SetRegisters(r);
      return true;
    }
    const bool faulted = stop->siginfo.si_signo == SIGSEGV || stop->siginfo.si_signo == SIGBUS;
    if (faulted && stop->siginfo.si_code > 0) return false;
    *signal_again = stop->siginfo.si_signo;
  }
}

}  // namespace

Result<bool> FinishRepString(Tracee& process) {
  const TraceeAddress pc(process.registers().rip);
  const std::optional<Instruction> instruction = RepStringAt(process, pc);
  if (!instruction) return false;
  // What a system call has touched meanwhile is no round's.
  if (process.watched()) process.TakeDebugHits();
  const TraceeAddress end = instruction->end();
  CF_TRY_ASSIGN(std::byte original, process.memory().ReadValue<std::byte>(end));
  CF_TRY(process.memory().WriteValue(end, kInt3Byte));
  int signal_again = 0;
  CF_TRY_ASSIGN(const bool finished, RunToTrapAt(process, pc, end, &signal_again));
  if (process.gone()) return Error{"debuggeeGone", "The program was killed.", "", 0, process.pid()};
  CF_TRY(process.memory().WriteValue(end, original));
  if (signal_again) CF_TRY(process.Raise(signal_again));
  return finished;
}

Result<void> FinishTouchingString(Tracee& process, AddressRange touched) {
  constexpr uint64_t kDirectionFlag = 0x400;
  const GeneralRegisters r = process.registers();
  if (!RepStringAt(process, TraceeAddress(r.rip))) return {};
  const bool downwards = (r.eflags & kDirectionFlag) != 0;
  auto has_passed = [&](uint64_t pointer) {
    const TraceeAddress at(pointer);
    return touched.Overlaps(downwards ? AddressRange{at, at + kBlockBytes} : AddressRange{at - kBlockBytes, at});
  };
  if (has_passed(r.rdi) || has_passed(r.rsi)) CF_TRY(FinishRepString(process));
  return {};
}

}  // namespace chronofork
