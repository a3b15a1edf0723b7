// Signals and trapping instructions in a replay: faults come by themselves,
// the rest is sent where the recording says.
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "record/signal_frame.h"
#include "record/vector_save.h"
#include "replay/replayer.h"

namespace chronofork {

Replayer::Outcome Replayer::InjectSignal() {
  raised_ = true;
  CF_TRY(process_->Raise(log_->at(event_).number));
  return std::optional<ReplayStop>();
}

// The signal mask that a wait (sigsuspend, ppoll and their like) put in place
// of the program's own, if the signal that ended it comes next.
Result<std::optional<TraceeAddress>> Replayer::MaskOfWait(const Event& event, const SyscallArguments& call) {
  std::optional<TraceeAddress> none;
  if (event.restarted || event.result != -EINTR || event_ + 1 >= log_->size()) return none;
  const Event& next = log_->at(event_ + 1);
  if (next.kind != EventKind::kSignal || next.place != SignalPlace::kAfterEvent) return none;
  uint64_t mask = 0;
  switch (call.number) {
    case SYS_rt_sigsuspend: mask = call.values[0]; break;
    case SYS_ppoll: mask = call.values[3]; break;
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2: mask = call.values[4]; break;
    case SYS_pselect6:
      if (call.values[5] != 0) {
        CF_TRY_ASSIGN(mask, process_->memory().ReadValue<uint64_t>(TraceeAddress(call.values[5])));
      }
      break;
    default: break;
  }
  return mask ? std::optional(TraceeAddress(mask)) : none;
}

// Only the kernel can run a handler under one mask and return from it to
// another. So the process really waits, by rt_sigsuspend, for a signal that is
// already there. From here to the handler nothing may be called in it.
Result<void> Replayer::WaitWithMask(const Event& event, TraceeAddress mask) {
  GeneralRegisters at_entry = process_->registers(), call = at_entry;
  call.orig_rax = SYS_rt_sigsuspend;
  call.rdi = mask.value;
  call.rsi = 8;  // sizeof the kernel's sigset_t
  process_->SetRegisters(call);
  raised_ = true;
  CF_TRY(process_->Raise(log_->at(event_ + 1).number));
  CF_TRY(ToSyscallExit(event));
  GeneralRegisters r = process_->registers();
  r.rdi = at_entry.rdi;
  r.rsi = at_entry.rsi;
  r.rax = static_cast<uint64_t>(event.result);
  r.orig_rax = ~0ull;
  process_->SetRegisters(r);
  return {};
}

Replayer::Outcome Replayer::OnSignal(const siginfo_t& info, ResumeMode mode) {
  if (raised_ && info.si_code == SI_TKILL && info.si_pid == ::getpid()) {
    raised_ = false;
    return SignalStruck(info);
  }
  if (info.si_code <= 0) return std::optional<ReplayStop>();  // meant for the live process, not for a copy
  if (info.si_signo == SIGTRAP) return OnTrap(info, mode);
  if (probes_) {
    GeneralRegisters r = process_->registers();
    CF_TRY_ASSIGN(FaultAction action, probes_->HandleFault(*this, r));
    if (action != FaultAction::kNotOurs) {
      r.orig_rax = ~0ull;
      process_->SetRegisters(r);
    }
    if (action == FaultAction::kResume) return std::optional<ReplayStop>();
  }
  const bool recorded_as_fault = event_ < log_->size() && log_->at(event_).kind == EventKind::kSignal;
  if (info.si_signo == SIGSEGV && !recorded_as_fault) {
    uint8_t code[3] = {};
    process_->memory().ReadSome(TraceeAddress(process_->registers().rip), std::as_writable_bytes(std::span(code)));
    if (probes_) probes_->Conceal(TraceeAddress(process_->registers().rip), std::as_writable_bytes(std::span(code)));
    if (code[0] == 0x0f && (code[1] == 0x31 || (code[1] == 0x01 && code[2] == 0xf9))) {
      CF_TRY_ASSIGN(std::optional<ReplayStop> stop, OnTimeStamp());
      if (!stop && mode == ResumeMode::kStep) return std::optional(ReplayStop{});
      return stop;
    }
  }
  return SignalStruck(info);
}

Replayer::Outcome Replayer::SignalStruck(const siginfo_t& info) {
  ReplayStop stop;
  stop.signal = info.si_signo;
  stop.siginfo = info;
  // Where there is no code no probe can tell that the end has been reached.
  if (plan_->end && plan_->end->position.kind == Position::Kind::kComputing && plan_->end->position.event == event_ &&
      plan_->end->position.registers.rip == process_->registers().rip) {
    CF_TRY_ASSIGN(std::optional<Mismatch> mismatch, Compare(*plan_->end));
    if (!mismatch) {
      kind_ = Position::Kind::kComputing;
      stop.kind = ReplayStop::Kind::kReachedEnd;
      return std::optional(stop);
    }
  }
  if (event_ >= log_->size()) {
    stop.kind = ReplayStop::Kind::kEndOfLog;
    return std::optional(stop);
  }
  const Event& event = log_->at(event_);
  if (event.kind != EventKind::kSignal || event.number != info.si_signo)
    return Diverged("signal " + std::to_string(info.si_signo) + " came where the recording has " +
                    Describe(event, event_));
  if (event.place != SignalPlace::kFault) {
    CF_TRY(process_->WriteSiginfo(*event.siginfo));
    stop.siginfo = *event.siginfo;
  }
  if (process_->registers().rip != event.pc || DigestOf(process_->registers()) != event.registers_digest)
    return Diverged("the registers differ at " + Describe(event, event_));
  ++checked_;
  if (plan_->report_signals && Counts(thread_) && !plan_->passed_signals.contains(info.si_signo)) {
    signal_reported_ = true;
    stop.kind = ReplayStop::Kind::kSignal;
    return std::optional(stop);
  }
  next_signal_ = info.si_signo;
  ++event_;
  kind_ = Position::Kind::kComputing;
  return std::optional<ReplayStop>();
}

// Into the handler of a signal that has struck; one that was ignored has none.
Replayer::Outcome Replayer::GiveSignal(const Event& event, ResumeMode mode) {
  if (!event.handled) return std::optional<ReplayStop>();
  LeavePatches();
  CF_TRY_ASSIGN(std::optional<Stop> other, EnterHandler(*process_, *event.siginfo));
  if (other) return OnStop(*other, mode);
  CF_TRY(ApplyWrites(event));
  alternate_stack_ = StackInHandler(alternate_stack_);
  kind_ = Position::Kind::kComputing;
  return mode == ResumeMode::kStep ? std::optional(ReplayStop{}) : std::optional<ReplayStop>();
}

// Right after an instruction that has touched these watches: the first of them.
ReplayStop Replayer::WatchStop(unsigned hits) {
  ReplayStop stop;
  stop.kind = ReplayStop::Kind::kWatch;
  for (; !(hits & 1); hits >>= 1) ++stop.probe;
  return stop;
}

Replayer::Outcome Replayer::OnTrap(const siginfo_t& info, ResumeMode mode) {
  GeneralRegisters r = process_->registers();
  if (info.si_code == SI_KERNEL) {
    if (probes_) {
      CF_TRY_ASSIGN(TrapOutcome outcome, probes_->HandleTrap(*this, r));
      if (outcome.action != TrapAction::kNotOurs) {
        kind_ = Position::Kind::kComputing;
        return Go(outcome, r);
      }
    }
    TraceeAddress before(r.rip - 1);
    if (patched_.contains(before)) {
      CF_TRY_ASSIGN(std::optional<ReplayStop> stop, OnMadeToTrap(before, mode));
      if (!stop && mode == ResumeMode::kStep) return std::optional(ReplayStop{});
      return stop;
    }
    return SignalStruck(info);  // the program's own int3
  }
  kind_ = Position::Kind::kComputing;
  const unsigned hits = process_->TakeDebugHits();
  const unsigned watch_hits = hits & ((1u << plan_->watches.size()) - 1);
  if (hits != watch_hits && mode != ResumeMode::kStep) {
    const bool both = watch_hits != 0 && Counts(thread_);
    if (!both) return OnAwaitedCode(hits & ~watch_hits);
    LetStopAgain();
  }
  if (watch_hits != 0 && Counts(thread_)) {
    // A condition of a probe has read what is watched: the program has not.
    if (probes_ && probes_->StepOutNeeded(TraceeAddress(r.rip))) return std::optional<ReplayStop>();
    const ReplayStop stop = WatchStop(watch_hits);
    if (plan_->accept_watch) {
      if (probes_) r.rip = probes_->Translate(TraceeAddress(r.rip)).value;
      CF_TRY_ASSIGN(bool accepted, plan_->accept_watch(stop.probe, r));
      if (!accepted) return std::optional<ReplayStop>();
    }
    CF_TRY(ShowOriginalState());
    return std::optional(stop);
  }
  if (mode == ResumeMode::kStep) return std::optional(ReplayStop{});
  // A program that steps itself by the trap flag.
  bool own = event_ < log_->size() && log_->at(event_).kind == EventKind::kSignal &&
             log_->at(event_).number == SIGTRAP && log_->at(event_).place == SignalPlace::kFault;
  return own ? SignalStruck(info) : Outcome(std::optional<ReplayStop>());
}

Replayer::Outcome Replayer::OnTimeStamp() {
  if (event_ >= log_->size()) {
    ReplayStop stop;
    stop.kind = ReplayStop::Kind::kEndOfLog;
    return std::optional(stop);
  }
  const Event& event = log_->at(event_);
  if (event.kind != EventKind::kTimeStamp)
    return Diverged("the program read the time stamp counter where the recording has " + Describe(event, event_));
  GeneralRegisters r = process_->registers();
  uint64_t value = static_cast<uint64_t>(event.result);
  r.rax = value & 0xffffffff;
  r.rdx = value >> 32;
  if (event.arguments[0]) r.rcx = event.arguments[1];
  r.rip += event.arguments[0] ? 3 : 2;
  process_->SetRegisters(r);
  CF_TRY(CheckAfter(event));
  ++event_;
  kind_ = Position::Kind::kEventEnd;
  return std::optional<ReplayStop>();
}

Replayer::Outcome Replayer::OnMadeToTrap(TraceeAddress address, ResumeMode mode) {
  GeneralRegisters r = process_->registers();
  r.rip = address.value;
  r.orig_rax = ~0ull;
  process_->SetRegisters(r);
  if (event_ >= log_->size()) {
    ReplayStop stop;
    stop.kind = ReplayStop::Kind::kEndOfLog;
    return std::optional(stop);
  }
  const Event& event = log_->at(event_);
  if (event.kind == EventKind::kSignal && event.place == SignalPlace::kFault) return ExecuteHere(address, mode);
  if (event.kind == EventKind::kVectorSave) {
    CF_TRY_ASSIGN(const bool saved, SaveVectorState(*process_, address, patched_.at(address)));
    if (!saved)
      return Diverged("the program cannot save its registers where the recording has " + Describe(event, event_));
    CF_TRY(CheckAfter(event));
    ++event_;
    kind_ = Position::Kind::kEventEnd;
    return std::optional<ReplayStop>();
  }
  if (event.kind != EventKind::kRandom)
    return Diverged("the program asked for a random number where the recording has " + Describe(event, event_));
  GeneralRegisters after = *event.registers;
  after.orig_rax = ~0ull;
  process_->SetRegisters(after);
  ++checked_;
  ++event_;
  kind_ = Position::Kind::kEventEnd;
  return std::optional<ReplayStop>();
}

// The instruction itself, which faulted in the recording.
Replayer::Outcome Replayer::ExecuteHere(TraceeAddress address, ResumeMode mode) {
  CF_TRY(process_->memory().WriteValue(address, patched_.at(address)));
  CF_TRY(process_->Resume(ResumeMode::kStep));
  const std::optional<Stop> stop = process_->Wait();
  CF_TRY(process_->memory().WriteValue(address, kInt3Byte));
  if (stop->kind != Stop::Kind::kSignal || !IsFault(stop->siginfo))
    return Diverged("an instruction did not fault where the recording has " + Describe(log_->at(event_), event_));
  return OnSignal(stop->siginfo, mode);
}

}  // namespace chronofork
