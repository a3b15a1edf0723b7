// The loop of a replay: what comes before each resume, and what each stop means.
#include "replay/replayer.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/assert.h"
#include "base/log.h"
#include "probe/rep_string.h"
#include "record/call_rules.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("replay");

// What a replay runs at least between two ticks. Ticks come by the clock: on a
// busy machine the next is there before the process has executed anything, and
// an interrupt then would stop it where it stands, for ever.
constexpr uint64_t kTickRunNs = 50'000;  // far below the shortest tick, Search::Split's

}  // namespace

Replayer::Replayer(std::unique_ptr<Tracee> process, const EventLog& log, const Position& position, TrapBytes patched)
    : process_(std::move(process)),
      log_(&log),
      event_(position.event),
      kind_(position.kind),
      patched_(std::move(patched)),
      thread_(position.thread),
      alternate_stack_(position.alternate_stack),
      others_(position.others),
      shared_(position.shared) {
  if (process_->has_filter() && CallBuffer::Usable())
    calls_ = std::make_unique<CallBuffer>(*process_, log.call_sites, CallRulesFor(false), false);
}

Replayer::~Replayer() = default;

Error Replayer::Diverged(const std::string& what) {
  CF_LOG(logger, kError, "diverged at event %zu: %s", event_, what.c_str());
  return Error{"diverged", "The replay does not agree with the recording: " + what + ".",
               "What is shown is only true up to the last checkpoint before. Please report this program.", 0,
               process_->pid()};
}

Position Replayer::position() {
  return {kind_, event_, process_->registers(), thread_, alternate_stack_, others_, shared_};
}

Result<ReplayStop> Replayer::Run(const ReplayPlan& plan) {
  plan_ = &plan;
  matches_.clear();  // of an earlier plan: its end is not this one's
  tallies_.assign(plan.probes.size(), 0);
  CF_TRY(Arm());
  if (calls_) CF_TRY(calls_->Trap());  // what was fed for another plan
  Result<ReplayStop> stop = Loop(ResumeMode::kContinue);
  LeavePatches();
  if (!process_->gone()) {
    Result<void> disarmed = Disarm();
    if (stop.ok() && !disarmed.ok()) return std::move(disarmed).error();
  }
  plan_ = nullptr;
  return stop;
}

Result<ReplayStop> Replayer::Step(const ReplayPlan& plan) {
  plan_ = &plan;
  matches_.clear();
  CF_TRY(SetWatches());
  Result<ReplayStop> stop = Loop(ResumeMode::kStep);
  if (!process_->gone()) CF_TRY(ClearWatches());
  plan_ = nullptr;
  return stop;
}

bool Replayer::AtEnd(Position::Kind kind) {
  return plan_->end && plan_->end->position.event == event_ && plan_->end->position.kind == kind;
}

Result<ReplayStop> Replayer::Loop(ResumeMode mode) {
  interrupting_ = false;
  run_since_ns_ = process_->CpuTimeNs();
  if (std::exchange(signal_reported_, false)) {
    next_signal_ = log_->at(event_).number;
    ++event_;
    kind_ = Position::Kind::kComputing;
  }
  for (;;) {
    Outcome before = BeforeResume(mode);
    if (!before.ok()) return std::move(before).error();
    if (before.value()) return *before.value();
    const bool has_its_turn = plan_->until_thread != 0 && plan_->until_thread == thread_;
    const bool is_no_more =
        plan_->until_end_of != 0 && plan_->until_end_of != thread_ && !others_.contains(plan_->until_end_of);
    if (has_its_turn || is_no_more) {
      ReplayStop stop;
      stop.kind = ReplayStop::Kind::kThread;
      return stop;
    }
    if (mode == ResumeMode::kStep && next_signal_ == 0 && !raised_) {
      CF_TRY_ASSIGN(bool finished, FinishRepString(*process_));
      const unsigned hits = process_->has_noted_debug_hits() ? process_->TakeDebugHits() : 0;
      if (finished || hits != 0) {
        kind_ = Position::Kind::kComputing;
        return hits != 0 && Counts(thread_) ? WatchStop(hits) : ReplayStop{};
      }
    }
    if (std::exchange(next_signal_, 0) != 0) {
      Outcome entered = GiveSignal(log_->at(event_ - 1), mode);
      if (!entered.ok()) return std::move(entered).error();
      if (entered.value()) return *entered.value();
      continue;
    }
    if (std::exchange(step_over_first_, false)) {
      Outcome over = StepOverInt3(process_->registers());
      if (!over.ok()) return std::move(over).error();
      if (over.value()) return *over.value();
      continue;
    }
    CF_TRY(LetCallsPass(mode));
    CF_TRY(process_->Resume(mode));
    for (bool resumed = true; resumed;) {
      std::optional<Stop> stop = process_->Wait(true);
      Outcome outcome = stop ? OnStop(*stop, mode) : OnWake();
      if (!outcome.ok()) return std::move(outcome).error();
      if (outcome.value()) return *outcome.value();
      resumed = !stop;
    }
  }
}

Replayer::Outcome Replayer::BeforeResume(ResumeMode mode) {
  if (plan_->end && event_ > plan_->end->position.event)
    return Diverged("it did not come by the place of a checkpoint");
  if (AtEnd(Position::Kind::kEventEnd) && kind_ == Position::Kind::kEventEnd) {
    if (plan_->end->reference) {
      CF_TRY_ASSIGN(std::optional<Mismatch> mismatch, Compare(*plan_->end));
      if (mismatch) return Diverged(mismatch->what);
    }
    ReplayStop stop;
    stop.kind = ReplayStop::Kind::kReachedEnd;
    return std::optional(stop);
  }
  if (event_ < log_->size() && !log_->IsRecord(event_) && !raised_) {
    const Event& next = log_->at(event_);
    if (next.kind == EventKind::kSwitch && next.place == SignalPlace::kAfterEvent) {
      CF_TRY(SwitchThread(next, std::exchange(thread_ended_, false)));
      // The end may be right here.
      return BeforeResume(mode);
    }
    bool comes_here = next.kind == EventKind::kSignal && next.place == SignalPlace::kAfterEvent;
    // Two signals at one place: the first was ignored.
    if (comes_here) next_signal_ = 0;
    if (comes_here) return InjectSignal();
  }
  if (raised_ || next_signal_ != 0) return std::optional<ReplayStop>();
  if (mode != ResumeMode::kStep) {
    CF_TRY(UpdateMatches());
    return std::optional<ReplayStop>();
  }
  // Steps go without probes: is this where a signal struck?
  if (std::optional<EndMarker> marker = AsyncMarker()) {
    if (process_->registers().rip == marker->position.registers.rip) {
      CF_TRY_ASSIGN(bool here, StandsAt(*marker));
      if (here) return StruckHere();
    }
  }
  return std::optional<ReplayStop>();
}

Replayer::Outcome Replayer::OnWake() {
  if (interrupting_) return std::optional<ReplayStop>();
  bool tick_due = plan_->tick && process_->CpuTimeNs() - run_since_ns_ >= kTickRunNs && plan_->wants_tick();
  if (tick_due || plan_->cancelled()) {
    interrupting_ = true;
    CF_TRY(process_->RequestInterrupt());
  }
  return std::optional<ReplayStop>();
}

Replayer::Outcome Replayer::OnStop(const Stop& stop, ResumeMode mode) {
  bool consumed = false;
  kind_ = stop.kind == Stop::Kind::kInterrupted ? Position::Kind::kComputing : kind_;
  CF_TRY(SettleCalls(stop, &consumed));
  if (consumed) return std::optional<ReplayStop>();
  switch (stop.kind) {
    case Stop::Kind::kSyscallEntry: return OnSyscallEntry(mode);
    case Stop::Kind::kSignal: return OnSignal(stop.siginfo, mode);
    case Stop::Kind::kInterrupted: {
      if (stop.group_stop_signal != 0) return std::optional<ReplayStop>();
      interrupting_ = false;
      if (plan_->cancelled()) {
        CF_TRY(ShowOriginalState());
        ReplayStop cancelled;
        cancelled.kind = ReplayStop::Kind::kCancelled;
        return std::optional(cancelled);
      }
      if (plan_->tick) {
        CF_TRY_ASSIGN(bool clean, LeaveTrampoline());
        if (clean) plan_->tick();
        run_since_ns_ = process_->CpuTimeNs();
      }
      return std::optional<ReplayStop>();
    }
    case Stop::Kind::kGone:
      return Error{"debuggeeGone", "A copy of the program was killed while it was replayed.",
                   "The machine is probably out of memory: lower checkpoints.memoryMb.", 0, process_->pid()};
    case Stop::Kind::kSyscallExit:
    case Stop::Kind::kNewProcess:
    case Stop::Kind::kExec: break;
  }
  return std::optional<ReplayStop>();
}

}  // namespace chronofork
