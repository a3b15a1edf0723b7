// The loop: resume, wait, and hand each stop to its part.
#include "record/recorder.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "probe/fast_place.h"
#include "probe/rep_string.h"
#include "record/call_rules.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("record");

// A program that makes no system call for this long gets its signal where it stands.
constexpr uint64_t kSignalPatience = 10'000'000;  // 10 ms: below what a person or a timer user notices
// A thread that makes no system call for this long is stopped where it stands,
// which costs a pinned checkpoint, so that the others come to their turn.
constexpr uint64_t kQuantumNs = 50'000'000;
// Where a replay would take a trap for each passing, the program runs on until the next tick, so often.
constexpr int kMostSlowPlaces = 10;
// A restartable sequence is a few instructions.
constexpr int kMostSectionSteps = 1000;

}  // namespace

Recorder::Recorder(Tracee& live, EventLog& log, RecordOptions options)
    : live_(live), log_(log), options_(std::move(options)) {
  if (live.has_filter() && CallBuffer::Usable())
    calls_ = std::make_unique<CallBuffer>(live, log.call_sites, CallRulesFor(Renamed()), true);
  const pid_t first = live.tid();
  for (const ThreadTakenOver& found : live.taken_over()) {
    ThreadRecord& record = found.tid == first ? now_ : waiting_[found.tid];
    record.at_syscall = found.at_syscall;
    record.alternate_stack = found.alternate_stack;
    record.clear_child_tid = found.clear_child_tid;
    std::vector<int> cpus = live.AffinityOf(found.tid);
    if (!cpus.empty() && cpus != options_.visible_cpus) processors_[found.tid] = std::move(cpus);
    void* robust_list = nullptr;
    size_t length = 0;
    ::syscall(SYS_get_robust_list, found.tid, &robust_list, &length);
    log.endings_at_start[found.tid] = {reinterpret_cast<uint64_t>(robust_list), found.clear_child_tid,
                                       static_cast<int32_t>(found.restarting)};
    if (found.restarting < 0) continue;
    live.SwitchTo(found.tid);
    const GeneralRegisters& r = live.registers();
    record.restarting = SyscallArguments{found.restarting, {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
    live.SwitchTo(first);
  }
}

uint64_t Recorder::MonotonicNs() {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

Event Recorder::NewEvent(EventKind kind) {
  Event event;
  event.kind = kind;
  event.time_ns = Now();
  event.clock_ns = MonotonicNs();
  event.thread = thread();
  return event;
}

Event& Recorder::Append(Event event) {
  const GeneralRegisters& r = live_.registers();
  event.pc = r.rip;
  event.registers_digest = DigestOf(r);
  if (logger.Enabled(LogLevel::kDebug)) logger.Write(LogLevel::kDebug, "%s", Describe(event, log_.size()).c_str());
  now_.since = Since::kEvent;
  return log_.Append(std::move(event));
}

void Recorder::RequestInterrupt() {
  interrupt_wanted_.store(true);
  WakeTracer();
}

bool Recorder::InterruptWanted() {
  if (interrupt_at_ && (Now() >= interrupt_at_->run_ns || MonotonicNs() >= interrupt_at_->clock_ns)) {
    interrupt_at_.reset();
    interrupt_wanted_.store(true);
  }
  return interrupt_wanted_.load();
}

// Has nothing been executed since the last event?
bool Recorder::AtEventEnd() {
  if (log_.size() == 0) return false;
  return now_.since == Since::kEvent || (now_.since == Since::kResumed && live_.NothingExecuted());
}

// Signals that came while we made calls on the program's behalf.
void Recorder::TakeDeferred() {
  for (siginfo_t info : live_.TakeDeferredSignals()) {
    if (info.si_signo == SIGTRAP && info.si_code > 0) continue;
    for (size_t i = 0; i < now_.raised.size(); ++i) {
      if (now_.raised[i].si_signo != info.si_signo || info.si_code != SI_TKILL) continue;
      info = now_.raised[i];
      now_.raised.erase(now_.raised.begin() + static_cast<long>(i));
      break;
    }
    Hold(info);
  }
}

Result<LiveStop> Recorder::Run(const RunRequest& request) {
  Result<LiveStop> stop = RunPatched(request);
  LeavePatches();
  return stop;
}

Result<LiveStop> Recorder::RunPatched(const RunRequest& request) {
  mode_ = request.mode;
  until_thread_ = request.until_thread;
  if (until_thread_ != 0) until_thread_ = RealTid(until_thread_);
  only_one_ = request.alone;
  step_thread_ = mode_ == ResumeMode::kStep ? live_.tid() : until_thread_;
  now_.next_signal = 0;
  interrupting_ = false;
  if (std::exchange(now_.strike_here, false)) CF_TRY(RaiseHeld());
  if (now_.undelivered) {
    if (request.signal != 0) {
      CF_TRY_ASSIGN(Disposition disposition, DispositionOf(request.signal));
      if (disposition.fatal) {
        LiveStop stop;
        stop.kind = LiveStop::Kind::kFatalSignal;
        stop.siginfo = *now_.undelivered;
        return stop;
      }
      CF_TRY(Deliver(request.signal));
    } else {
      now_.undelivered.reset();
    }
  }
  if (std::exchange(switch_here_, false)) {
    Outcome switched = SwitchThread(NextReady(), SignalPlace::kAnywhere);
    if (!switched.ok()) return std::move(switched).error();
    if (switched.value()) return *switched.value();
  }
  for (;;) {
    TakeDeferred();
    Outcome switched = SwitchIfDue();
    if (!switched.ok()) return std::move(switched).error();
    if (switched.value()) return *switched.value();
    const bool has_its_turn = until_thread_ != 0 && live_.tid() == until_thread_;
    const bool stepped_one_waits = mode_ == ResumeMode::kStep && live_.tid() != step_thread_;
    if (has_its_turn || stepped_one_waits) {
      LiveStop stop;
      stop.kind = LiveStop::Kind::kThread;
      return stop;
    }
    int signal = std::exchange(now_.next_signal, 0);
    if (Mode() == ResumeMode::kStep && signal == 0 && now_.raised.empty()) {
      CF_TRY_ASSIGN(bool finished, FinishRepString(live_));
      if (finished || live_.has_noted_debug_hits()) return WatchedOrStepped();
    }
    if (signal != 0) {
      Outcome entered = GiveSignal();
      if (!entered.ok()) return std::move(entered).error();
      if (entered.value()) return *entered.value();
      continue;
    }
    if (std::exchange(job_stopped_, false) && Mode() != ResumeMode::kStep) {
      CF_TRY_ASSIGN(const Stop stop, live_.EnterJobStop(0));
      Outcome other = StayStopped(stop);
      if (!other.ok()) return std::move(other).error();
      if (other.value()) return *other.value();
      continue;
    }
    if (now_.since == Since::kEvent) {
      live_.MarkPlace();
      now_.since = Since::kResumed;
    }
    CF_TRY(LetCallsPass());
    CF_TRY(live_.Resume(Mode(), 0));
    CF_TRY(PreemptIfOverdue());
    for (bool resumed = true; resumed;) {
      std::optional<Stop> stop = live_.Wait(true);
      Outcome outcome = stop ? OnStop(*stop) : OnWake();
      if (!outcome.ok()) return std::move(outcome).error();
      if (outcome.value()) return *outcome.value();
      resumed = !stop;  // woken: it still runs
    }
  }
}

// A thread that stops again and again, at a watch say, is never found running
// by OnWake; it would keep the others waiting for ever.
Result<void> Recorder::PreemptIfOverdue() {
  if (interrupting_ || Mode() == ResumeMode::kStep || !SliceIsOver(kQuantumNs) || NextReady() == 0) return {};
  interrupting_ = true;
  preempting_ = true;
  return live_.RequestInterrupt();
}

// Behind a step that was made by hand, or a touch of a watch that it has noted.
LiveStop Recorder::WatchedOrStepped() {
  now_.since = Since::kExecuted;
  LiveStop stop;
  stop.siginfo.si_signo = SIGTRAP;
  return stop;
}

Recorder::Outcome Recorder::OnWake() {
  bool held_too_long = !now_.held.empty() && MonotonicNs() - now_.held_since_ns > kSignalPatience;
  CollectCallEnds();
  preempting_ = SliceIsOver(kQuantumNs) && NextReady() != 0;
  if (calls_ && calls_->in()) {
    const bool turn_over = SliceIsOver(kSliceNs) && NextReady() != 0;
    // It was not to wait there, but does: somebody was quicker than it.
    const bool waits = live_.thread_count() > 1 && NextReady() != 0 && live_.StateOf(live_.tid()) == 'S';
    preempting_ = preempting_ || waits;
    if (turn_over || waits || checkpoint_due(true)) {
      stop_at_next_call_ = true;
      calls_->TrapNextCall();
    }
  }
  if (!interrupting_ && (InterruptWanted() || held_too_long || preempting_ || checkpoint_due(false))) {
    interrupting_ = true;
    CF_TRY(live_.RequestInterrupt());
  }
  return std::optional<LiveStop>();
}

Recorder::Outcome Recorder::OnStop(const Stop& stop) {
  // The kernel forgets an interrupt at any stop: what is still wanted is asked for again.
  interrupt_sent_ = std::exchange(interrupting_, false);
  call_from_patch_ = false;
  bool consumed = false;
  if (stop.kind == Stop::Kind::kExec) calls_.reset();
  Outcome settled = SettleCalls(stop, &consumed);
  if (!settled.ok() || settled.value() || consumed) return settled;
  if (stop.kind != Stop::Kind::kSyscallEntry) LeavePatches();
  switch (stop.kind) {
    case Stop::Kind::kSyscallEntry: return stop.foreign_call ? OnForeignCall() : OnSyscallEntry();
    case Stop::Kind::kSignal: return OnSignal(stop.siginfo);
    case Stop::Kind::kInterrupted: {
      // Of another thread than the one that the signal has stopped: StayStopped() waits for all of them.
      if (stop.group_stop_signal != 0) return std::optional<LiveStop>();
      CF_TRY_ASSIGN(bool finished, FinishRepString(live_));
      if (live_.has_noted_debug_hits()) return std::optional(WatchedOrStepped());
      if (finished) now_.since = Since::kExecuted;
      bool slow = false;
      if (!now_.at_syscall && !AtEventEnd()) {
        CF_TRY_ASSIGN(SteppedOn stepped, StepToFastPlace(live_));
        for (const siginfo_t& info : stepped.arrived) Hold(info);
        if (stepped.instead) return OnStop(*stepped.instead);
        slow = !stepped.fast;
      }
      // No other thread may run, and no signal strike, in a section that the kernel would then abort.
      for (int steps = 0; steps < kMostSectionSteps && live_.InRseqSection(); ++steps) {
        CF_TRY(live_.Resume(ResumeMode::kStep));
        std::optional<Stop> step = live_.Wait();
        const unsigned hits = live_.watched() ? live_.TakeDebugHits() : 0;
        live_.NoteDebugHits(hits);
        if (hits != 0 || step->kind != Stop::Kind::kSignal || step->siginfo.si_signo != SIGTRAP) return OnStop(*step);
      }
      LiveStop live_stop;
      if (interrupt_wanted_.exchange(false)) {
        live_stop.kind = LiveStop::Kind::kInterrupted;
        return std::optional(live_stop);
      }
      if (slow && ++slow_places_ <= kMostSlowPlaces) return std::optional<LiveStop>();
      slow_places_ = 0;
      if (!now_.held.empty() && MonotonicNs() - now_.held_since_ns > kSignalPatience) return DeliverHeld();
      if (std::exchange(preempting_, false) && NextReady() != 0) {
        // The call's own end is a better place, and may let another run.
        if (now_.at_syscall) {
          stop_at_next_call_ = true;
          return std::optional<LiveStop>();
        }
        if (AtEventEnd()) return SwitchThread(NextReady(), SignalPlace::kAfterEvent);
        switch_here_ = true;
        live_stop.kind = LiveStop::Kind::kAsyncSignal;
        return std::optional(live_stop);
      }
      if (checkpoint_due(false)) {
        live_stop.kind = LiveStop::Kind::kCheckpointDue;
        return std::optional(live_stop);
      }
      return std::optional<LiveStop>();
    }
    case Stop::Kind::kExec: {
      patched_.clear();
      written_code_.clear();
      alone_.clear();
      shared_.Refresh();
      waiting_.clear();
      contexts_.reset();
      options_.visible_tids.clear();
      LiveStop live_stop;
      live_stop.kind = LiveStop::Kind::kExec;
      return std::optional(live_stop);
    }
    case Stop::Kind::kGone: {
      // Killed: all of its threads, each with an end of its own.
      for (pid_t tid : live_.Threads()) {
        live_.SwitchTo(tid);
        while (!live_.thread_ended()) live_.Wait();
      }
      LiveStop live_stop;
      live_stop.kind = LiveStop::Kind::kGone;
      live_stop.signal = stop.status & 0x7f;
      return std::optional(live_stop);
    }
    case Stop::Kind::kSyscallExit:
    case Stop::Kind::kNewProcess: break;
  }
  return std::optional<LiveStop>();
}

}  // namespace chronofork
