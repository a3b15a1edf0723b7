// Runs to an int3 behind the instruction.
#include "probe/rep_string.h"

#include "probe/instruction.h"

namespace chronofork {

Result<bool> FinishRepString(Tracee& process) {
  std::byte code[kMaxInstructionLength];
  TraceeAddress pc(process.registers().rip);
  size_t length = process.memory().ReadSome(pc, code);
  std::optional<Instruction> instruction = DecodeInstruction(std::span(code, length), pc);
  if (!instruction || !instruction->is_rep_string) return false;
  TraceeAddress end = instruction->end();
  CF_TRY_ASSIGN(std::byte original, process.memory().ReadValue<std::byte>(end));
  CF_TRY(process.memory().WriteValue(end, kInt3));
  int signal_again = 0;
  bool finished = false;
  for (;;) {
    CF_TRY(process.Resume(ResumeMode::kContinue));
    std::optional<Stop> stop = process.Wait();
    if (stop->kind == Stop::Kind::kInterrupted) continue;
    if (stop->kind != Stop::Kind::kSignal) break;
    if (stop->siginfo.si_signo == SIGTRAP) {
      GeneralRegisters r = process.registers();
      finished = r.rip == end.value + 1;
      if (finished) {
        r.rip = end.value;
        r.orig_rax = ~0ull;
        process.SetRegisters(r);
      }
      break;
    }
    const bool faulted = stop->siginfo.si_signo == SIGSEGV || stop->siginfo.si_signo == SIGBUS;
    if (faulted && stop->siginfo.si_code > 0) break;
    signal_again = stop->siginfo.si_signo;
  }
  if (process.gone()) return Error{"debuggeeGone", "The program was killed.", "", 0, process.pid()};
  CF_TRY(process.memory().WriteValue(end, original));
  if (signal_again) CF_TRY(process.Raise(signal_again));
  return finished;
}

}  // namespace chronofork
