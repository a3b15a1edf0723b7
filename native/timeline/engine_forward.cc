// Forwards: in the past by replaying from checkpoint to checkpoint, at its end
// seamlessly in the live process.
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "base/log.h"
#include "replay/code_home.h"
#include "timeline/engine.h"
#include "timeline/search.h"

namespace chronofork {
namespace {

Log logger("forward");

// Most lines are done after fewer; so many take 10 to 20 ms.
constexpr size_t kMostRangeSteps = 300;

}  // namespace

StopReply Engine::SignalStop(int signal) const {
  StopReply reply;
  reply.tid = pid_;
  reply.kind = StopKind::kSignal;
  reply.signal = signal;
  return reply;
}

namespace {

// Whether something has failed because the process was killed meanwhile. Then it has left its stop at once, and is
// seen to end a little later.
bool WasKilled(const Error& error, const Tracee& live) {
  if (error.code == "debuggeeGone" || live.gone()) return true;
  constexpr auto kPatience = std::chrono::milliseconds(200);
  const auto begun = std::chrono::steady_clock::now();
  while (!live.IsEnding()) {
    if (error.error_number != ESRCH || std::chrono::steady_clock::now() - begun > kPatience) return false;
    ::usleep(1000);
  }
  return true;
}

}  // namespace

StopReply Engine::Failed(const Error& error) {
  CF_LOG(logger, kError, "%s: %s", error.code.c_str(), error.message.c_str());
  StopReply reply;
  reply.tid = pid_;
  if (!replay_ && WasKilled(error, *branch().tip)) {
    reply.kind = StopKind::kKilled;
    reply.signal = SIGKILL;
    return reply;
  }
  options_.notice("error", error.message + (error.remedy.empty() ? "" : " " + error.remedy));
  // Never show a state that is not proved: back to the last checkpoint that is.
  if (replay_) {
    Result<std::unique_ptr<Replayer>> again = ReplayFrom(base_);
    if (again.ok())
      SetReplay(std::move(again).value(), base_, true);
    else
      GoLive();
  }
  reply.kind = StopKind::kHistoryBegin;
  return reply;
}

// A thread that alone was to go on is no more: here is where the others are.
StopReply Engine::ThreadHasEnded(pid_t tid) {
  options_.notice("info", "Thread " + std::to_string(tid) + " has ended. The others stand where they were.");
  return SignalStop(SIGTRAP);
}

// The one thread that may run takes over from the one that stands here.
Result<LiveStop> Engine::GiveTurnTo(pid_t tid) {
  Branch& b = branch();
  if (b.recorder->AmidComputing()) {
    // Only a checkpoint can name the place at which the other thread is left.
    if (b.tip_at_last)
      b.line.back()->pinned = true;
    else
      CF_TRY(CheckpointOnTheWay(true));
  }
  CF_TRY_ASSIGN(std::optional<LiveStop> stop, b.recorder->GiveTurnTo(tid));
  if (stop) return *stop;
  LiveStop there;
  there.kind = LiveStop::Kind::kThread;
  return there;
}

StopReply Engine::StopAtTip() {
  Branch& b = branch();
  StopReply reply;
  reply.tid = pid_;
  if (b.end.kind == EndState::Kind::kRunning && b.recorder->undelivered()) {
    present_siginfo_ = b.recorder->undelivered();
    return SignalStop(present_siginfo_->si_signo);
  }
  reply.kind = StopKind::kHistoryEnd;
  return reply;
}

StopReply Engine::RunForward(const ResumeRequest& request) {
  WakeTimer timer(options_.tick_ms);
  // Where they were set: here.
  const std::vector<Mapping> mappings = breakpoints.empty() ? std::vector<Mapping>() : ReadMappings(process().pid());
  for (auto& [address, breakpoint] : breakpoints) breakpoint.home = HomeOf(mappings, address);
  if (request.kind == ResumeKind::kReverseContinue || request.kind == ResumeKind::kReverseStep) {
    if (in_call_ || edited_) {
      bool is_call = false;
      Result<void> settled = SettleEdits(&is_call);
      if (!settled.ok()) return Failed(settled.error());
    }
    return Search(*this).Reverse(request);
  }
  if (replay_ && edited_) {
    bool is_call = false;
    Result<void> settled = SettleEdits(&is_call);
    if (!settled.ok()) return Failed(settled.error());
    if (is_call) return RunCall();
  }
  bool was_replay = replay_ != nullptr, progressed = false;
  if (replay_) {
    bool went_live = false;
    Result<StopReply> reply = ForwardReplay(request, &went_live);
    while (!reply.ok() && reply.error().code == "forkRefused" && MakeRoomForProcesses())
      reply = ForwardReplay(request, &went_live);
    if (!reply.ok()) return Failed(reply.error());
    if (!went_live) {
      PresentMoved();
      return std::move(reply).value();
    }
    // `kind` says whether anything was executed before the live process took over.
    progressed = reply->kind != StopKind::kHistoryEnd;
    if (progressed) {
      const bool elsewhere = request.tid != 0 && request.tid != present_tid();
      const bool of_no_concern = elsewhere && request.alone;
      std::optional<StopReply> here = of_no_concern ? std::nullopt : BreakpointHere();
      if (here) return *here;
      const bool signalled = branch().recorder->undelivered() && !of_no_concern;
      if (branch().end.kind != EndState::Kind::kRunning || signalled) return StopAtTip();
      TraceeAddress pc(branch().tip->registers().rip);
      const bool step_ends =
          request.kind == ResumeKind::kStep || (request.kind == ResumeKind::kStepRange && !request.range.Contains(pc));
      if (step_ends && !elsewhere) return SignalStop(SIGTRAP);
    }
  }
  Result<StopReply> reply = ForwardLive(request, !was_replay || !progressed);
  PresentMoved();
  if (!reply.ok()) return Failed(reply.error());
  return std::move(reply).value();
}

// -- In the past -----------------------------------------------------------------------

ReplayPlan Engine::ForwardPlan() {
  ReplayPlan plan;
  for (const auto& [address, breakpoint] : breakpoints) {
    plan.probes.push_back(ProbeSpec{address});
    plan.probes.back().conditions = breakpoint.conditions;
    plan.probes.back().home = breakpoint.home;
  }
  plan.limit = replay_ ? replay_->transitions() + 1 : 1;
  plan.report_signals = true;
  plan.passed_signals = passed_signals;
  plan.caught_syscalls = caught_syscalls;
  plan.cancelled = [this] { return interrupt_wanted.load() || cancel_wanted.load(); };
  return plan;
}

// A step through a line that goes on for long (a loop within it, which may wait
// for another thread) is run instead, with traps where the line is left.
bool Engine::RunsThrough(const ResumeRequest& request, RangeRun& run) {
  if (request.kind != ResumeKind::kStepRange || run.steps_left > 0 || run.undecodable) return false;
  if (!run.exits) run.exits = ExitsOfRange(request.range);
  run.undecodable = !run.exits;
  const TraceeAddress pc(process().registers().rip);
  return run.exits && request.range.Contains(pc) && !run.exits->inside.contains(pc);
}

// The end of such a step, if the thread that was to make it stands there.
std::optional<StopReply> Engine::LeftRange(const ResumeRequest& request, pid_t thread, pid_t wanted) {
  if (thread != wanted || request.range.Contains(TraceeAddress(process().registers().rip))) return std::nullopt;
  if (std::optional<StopReply> here = BreakpointHere()) return here;
  return SignalStop(SIGTRAP);
}

Result<StopReply> Engine::ForwardReplay(const ResumeRequest& request, bool* went_live) {
  CF_TRY_ASSIGN(std::vector<WatchSpec> watch_specs, WatchSpecs(watches));
  bool stepping = request.kind == ResumeKind::kStep || request.kind == ResumeKind::kStepRange;
  const pid_t wanted = request.tid != 0 ? request.tid : present_tid();
  bool count_first = false, executed = false;
  RangeRun run{kMostRangeSteps, false, {}};
  for (;;) {
    Branch& b = branch();
    size_t next = base_ + 1;
    if (request.alone && present_tid() != wanted && !other_threads().contains(wanted)) return ThreadHasEnded(wanted);
    if (at_base_ && next < b.line.size() && b.line[next]->barrier) {
      CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, ReplayFrom(next));
      SetReplay(std::move(replay), next, true);
      continue;
    }
    if (at_base_ && next == b.line.size() && b.tip_at_last) {
      GoLive();
      *went_live = true;
      StopReply reply;
      if (!executed) reply.kind = StopKind::kHistoryEnd;
      return reply;
    }
    executed = true;
    // Another thread's steps: the others go on until it has its turn.
    const bool elsewhere = stepping && present_tid() != wanted && other_threads().contains(wanted);
    const bool runs_through = stepping && !elsewhere && RunsThrough(request, run);
    if (stepping && !elsewhere && !runs_through) {
      bool nothing_left = false;
      CF_TRY_ASSIGN(std::optional<StopReply> reply, StepReplayTo(request, run, &nothing_left));
      if (reply) return *reply;
      if (!replay_) {
        *went_live = true;
        StopReply arrived;
        if (nothing_left) arrived.kind = StopKind::kHistoryEnd;
        return arrived;
      }
      count_first = false;
      continue;
    }
    ReplayPlan plan = ForwardPlan();
    plan.watches = watch_specs;
    plan.count_first = count_first;
    plan.until_thread = elsewhere ? wanted : 0;
    if (request.alone) plan.only_thread = plan.until_end_of = wanted;
    const size_t breakpoint_count = plan.probes.size();
    if (runs_through)
      for (const TraceeAddress address : run.exits->outside) plan.probes.push_back(ProbeSpec{address});
    if (runs_through)
      for (const TraceeAddress address : run.exits->inside) plan.probes.push_back(ProbeSpec{address});
    if (next < b.line.size()) {
      plan.end = MarkerOf(next);
    } else {
      CF_TRY_ASSIGN(PageSet pages, TipPages(b));
      plan.end = EndMarker{LivePosition(), b.tip.get(), std::move(pages)};
    }
    uint64_t start_pc = replay_->process().registers().rip;
    uint64_t counted = replay_->transitions();
    CF_TRY_ASSIGN(ReplayStop stop, replay_->Run(plan));
    bool at_start = at_base_ && count_first && replay_->transitions() == counted + 1 &&
                    replay_->process().registers().rip == start_pc;
    at_base_ = false;
    StopReply reply;
    reply.tid = pid_;
    switch (stop.kind) {
      case ReplayStop::Kind::kReachedEnd:
        if (next == b.line.size()) {
          GoLive();
          *went_live = true;
          return reply;
        }
        base_ = next;
        at_base_ = count_first = true;
        if (runs_through)
          if (std::optional<StopReply> left = LeftRange(request, present_tid(), wanted)) return *left;
        break;
      case ReplayStop::Kind::kProbe:
        at_base_ = at_start;
        if (stop.probe >= breakpoint_count) {
          if (std::optional<StopReply> left = LeftRange(request, present_tid(), wanted)) return *left;
          count_first = false;
          break;
        }
        reply.kind = StopKind::kBreakpoint;
        reply.breakpoint = breakpoints.at(plan.probes[stop.probe].address).kind;
        return reply;
      case ReplayStop::Kind::kKernelWatch:
        plan.watches.clear();
        CF_TRY(replay_->Step(plan));
        [[fallthrough]];
      case ReplayStop::Kind::kWatch: {
        CF_TRY_ASSIGN(reply, WatchStop(replay_->process(), watch_specs[stop.probe]));
        CF_TRY(SettleAtNext());
        return reply;
      }
      case ReplayStop::Kind::kSignal: present_siginfo_ = stop.siginfo; return SignalStop(stop.signal);
      case ReplayStop::Kind::kSyscallEntry:
      case ReplayStop::Kind::kSyscallReturn:
        reply.kind = stop.kind == ReplayStop::Kind::kSyscallEntry ? StopKind::kSyscallEntry : StopKind::kSyscallReturn;
        reply.syscall_number = stop.syscall_number;
        return reply;
      case ReplayStop::Kind::kCancelled: return SignalStop(SIGINT);
      case ReplayStop::Kind::kEndOfLog:
        return Error{"diverged", "The replay passed the end of what was recorded without finding it.",
                     "What is shown is only true up to the last checkpoint before. Please report this program.", 0,
                     pid_};
      case ReplayStop::Kind::kThread:
      case ReplayStop::Kind::kStep: break;
    }
  }
}

// Where the live process stands, wherever that is.
Result<EndMarker> Engine::TipMarker() {
  Branch& b = branch();
  CF_TRY_ASSIGN(PageSet pages, TipPages(b));
  return EndMarker{{Position::Kind::kComputing, b.log->size(), b.tip->registers()}, b.tip.get(), std::move(pages)};
}

// The replay was stopped by an instruction that has been executed: it may stand
// where the next checkpoint or the live process does, which is no way to go.
Result<void> Engine::SettleAtNext() {
  Branch& b = branch();
  if (base_ + 1 < b.line.size()) {
    CF_TRY_ASSIGN(at_base_, replay_->StandsAt(MarkerOf(base_ + 1)));
    if (at_base_) ++base_;
  } else if (replay_->event() == b.log->size()) {
    CF_TRY_ASSIGN(EndMarker tip, TipMarker());
    CF_TRY_ASSIGN(bool at_tip, replay_->StandsAt(tip));
    if (at_tip) GoLive();
  }
  return {};
}

// The next checkpoint stands at the same instruction, whose call had been begun there and was taken back.
bool Engine::NextIsHere() {
  if (base_ + 1 >= branch().line.size()) return false;
  const Position& next = branch().line[base_ + 1]->position;
  return next.kind == Position::Kind::kAtSyscall && next.event == replay_->event() &&
         next.thread == replay_->thread() && next.registers.rip == replay_->process().registers().rip;
}

// One instruction, or as many as stay inside the range and are left for it in
// `run`. nullopt: the replay has come to the live process, which takes over
// (`nothing_left`: it stood there already), or the caller goes on.
Result<std::optional<StopReply>> Engine::StepReplayTo(const ResumeRequest& request, RangeRun& run, bool* nothing_left) {
  ReplayPlan plan;
  plan.report_signals = true;
  if (request.alone) plan.only_thread = replay_->thread();
  plan.passed_signals = passed_signals;
  CF_TRY_ASSIGN(plan.watches, WatchSpecs(watches));
  std::optional<size_t> touched;
  plan.accept_kernel_watch = [&touched](size_t watch, size_t) -> Result<bool> {
    touched = watch;
    return false;
  };
  for (;;) {
    if (NextIsHere()) {
      CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, ReplayFrom(base_ + 1));
      SetReplay(std::move(replay), base_ + 1, true);
      return std::optional<StopReply>();
    }
    const pid_t stepped = replay_->thread();
    const uint64_t stepped_from = replay_->process().registers().rip;
    CF_TRY_ASSIGN(ReplayStop stop, replay_->Step(plan));
    at_base_ = false;
    if (stop.kind == ReplayStop::Kind::kWatch) touched = stop.probe;
    Branch& b = branch();
    size_t next = base_ + 1;
    if (stop.kind == ReplayStop::Kind::kSignal) {
      present_siginfo_ = stop.siginfo;
      return std::optional(SignalStop(stop.signal));
    }
    bool at_next = false;
    if (next < b.line.size()) {
      CF_TRY_ASSIGN(at_next, replay_->StandsAt(MarkerOf(next)));
      if (at_next) base_ = next;
      at_base_ = at_next;
    } else if (replay_->event() == b.log->size()) {
      CF_TRY_ASSIGN(EndMarker tip, TipMarker());
      CF_TRY_ASSIGN(bool at_tip, replay_->StandsAt(tip));
      if (at_tip && touched) {
        GoLive();
        CF_TRY_ASSIGN(StopReply reply, WatchStop(*b.tip, plan.watches[*touched]));
        return std::optional(reply);
      }
      if (at_tip) {
        // At the instruction of a call that was begun and taken back: the step is still to be made.
        *nothing_left = stop.kind == ReplayStop::Kind::kEndOfLog && request.kind == ResumeKind::kStep &&
                        stepped_from == b.tip->registers().rip;
        GoLive();
        return std::optional<StopReply>();
      }
      if (stop.kind == ReplayStop::Kind::kEndOfLog)
        return Error{"diverged", "The replay passed the end of what was recorded without finding it.", "", 0, pid_};
    }
    if (touched) {
      CF_TRY_ASSIGN(StopReply reply, WatchStop(replay_->process(), plan.watches[*touched]));
      return std::optional(reply);
    }
    // Another thread had its turn: the caller goes on until this one has it again.
    if (replay_->thread() != stepped) return std::optional<StopReply>();
    if (request.kind == ResumeKind::kStep) return std::optional(SignalStop(SIGTRAP));
    TraceeAddress pc(replay_->process().registers().rip);
    if (std::optional<StopReply> here = BreakpointHere()) return here;
    if (!request.range.Contains(pc)) return std::optional(SignalStop(SIGTRAP));
    if (interrupt_wanted.load()) return std::optional(SignalStop(SIGINT));
    if (run.steps_left > 0) --run.steps_left;
    // The caller looks for a barrier, or runs through the range, and goes on.
    if (at_next || (run.steps_left == 0 && !run.undecodable)) return std::optional<StopReply>();
  }
}

// -- Live ---------------------------------------------------------------------------------

Result<StopReply> Engine::ForwardLive(const ResumeRequest& request, bool first) {
  Branch& b = branch();
  if (b.end.kind != EndState::Kind::kRunning) return StopAtTip();
  if (std::exchange(barrier_wanted_, false)) CF_TRY(CheckpointLive(CheckpointReason::kEdit, true));
  bool stepping = request.kind == ResumeKind::kStep || request.kind == ResumeKind::kStepRange;
  Recorder& recorder = *b.recorder;
  const pid_t wanted = request.tid != 0 ? request.tid : recorder.thread();
  recorder.caught_syscalls = caught_syscalls;
  recorder.passed_signals = passed_signals;
  recorder.checkpoint_due = [this, &b](bool at_event) { return CheckpointIsDue(b, at_event); };
  CF_TRY_ASSIGN(std::vector<WatchSpec> watch_specs, WatchSpecs(watches));
  recorder.most_unseen = options_.interval_events;
  recorder.stop_after = nullptr;
  if (!watch_specs.empty())
    recorder.stop_after = [&watch_specs](const Event& event) {
      for (const MemoryWrite& write : event.writes)
        for (const WatchSpec& watch : watch_specs)
          if (AddressRange{write.address, write.address + write.bytes.size()}.Overlaps(
                  {watch.address, watch.address + watch.length_bytes}))
            return true;
      return false;
    };
  int signal = first ? request.signal : 0;
  recorder.CancelInterrupt();
  running_recorder_.store(&recorder);
  struct NotRunning {
    std::atomic<Recorder*>& recorder;
    std::set<TraceeAddress>& exits;
    ~NotRunning() {
      recorder.store(nullptr);
      exits.clear();
    }
  } at_end{running_recorder_, range_exits_};
  if (interrupt_wanted.load()) recorder.RequestInterrupt();
  RangeRun run{kMostRangeSteps, false, {}};
  std::optional<LiveStop> taken_over;
  if (request.alone && recorder.thread() != wanted) {
    if (!recorder.OtherThreads().contains(wanted)) return ThreadHasEnded(wanted);
    CF_TRY_ASSIGN(taken_over, GiveTurnTo(wanted));
  }
  for (;;) {
    b.tip_at_last = false;
    at_base_ = false;
    TraceeAddress pc(b.tip->registers().rip);
    bool step_off = breakpoints.contains(pc);
    const bool elsewhere = stepping && recorder.thread() != wanted && recorder.OtherThreads().contains(wanted);
    const bool stepping_here = stepping && !elsewhere;
    const bool runs_through = stepping_here && !step_off && RunsThrough(request, run);
    range_exits_.clear();
    if (runs_through) {
      range_exits_ = run.exits->outside;
      range_exits_.insert(run.exits->inside.begin(), run.exits->inside.end());
    }
    Result<LiveStop> stop = LiveStop{};
    if (taken_over) {
      stop = *std::exchange(taken_over, std::nullopt);
    } else if ((stepping_here && !runs_through) || step_off) {
      CF_TRY(SetWatches(*b.tip));
      stop = recorder.Run({ResumeMode::kStep, std::exchange(signal, 0), 0, request.alone});
      if (!b.tip->gone()) CF_TRY(ClearWatches(*b.tip));
    } else {
      CF_TRY(InsertInto(*b.tip));
      stop = recorder.Run({ResumeMode::kContinue, std::exchange(signal, 0), elsewhere ? wanted : 0, request.alone});
      CF_TRY(RemoveFrom(*b.tip));
    }
    if (!stop.ok()) return std::move(stop).error();
    const bool stepped_here = stepping_here && !runs_through;
    bool step_done =
        stop->kind == LiveStop::Kind::kTrap && stop->siginfo.si_code != SI_KERNEL && (stepped_here || step_off);
    // The call that the thread stepped into, and waited in, has ended.
    if (stop->kind == LiveStop::Kind::kThread && stepping && recorder.thread() == wanted && recorder.AtEventEnd())
      step_done = b.log->at(b.log->size() - 1).kind == EventKind::kSyscall;
    if (stop->kind == LiveStop::Kind::kThreadEnded) return ThreadHasEnded(wanted);
    if (!step_done) {
      CF_TRY_ASSIGN(std::optional<StopReply> reply, OnLiveStop(*stop, stepped_here));
      if (!reply && runs_through && stop->kind == LiveStop::Kind::kTrap)
        reply = LeftRange(request, recorder.thread(), wanted);
      if (reply) return *reply;
      continue;
    }
    CF_TRY_ASSIGN(std::optional<StopReply> watch, WatchHit(*b.tip));
    if (watch) return *watch;
    const bool stepped = stepping && recorder.thread() == wanted;
    if (request.kind == ResumeKind::kStep && stepped) return SignalStop(SIGTRAP);
    if (stepped) {
      if (std::optional<StopReply> here = BreakpointHere()) return *here;
      if (!request.range.Contains(TraceeAddress(b.tip->registers().rip))) return SignalStop(SIGTRAP);
      if (interrupt_wanted.exchange(false)) return SignalStop(SIGINT);
      if (run.steps_left > 0) --run.steps_left;
    } else if (std::optional<StopReply> here = BreakpointHere()) {
      return *here;
    }
  }
}

Result<std::optional<StopReply>> Engine::OnLiveTrap(const LiveStop& stop, bool stepping) {
  Branch& b = branch();
  GeneralRegisters r = b.tip->registers();
  TraceeAddress before(r.rip - 1);
  const bool is_ours = breakpoints.contains(before) || range_exits_.contains(before);
  if (stop.siginfo.si_code == SI_KERNEL && !stepping && is_ours) {
    r.rip = before.value;
    r.orig_rax = ~0ull;
    b.tip->SetRegisters(r);
    return BreakpointHere();
  }
  if (stop.siginfo.si_code != SI_KERNEL) {
    CF_TRY_ASSIGN(std::optional<StopReply> watch, WatchHit(*b.tip));
    if (watch) return watch;
  }
  b.recorder->AdoptTrap(stop.siginfo);
  present_siginfo_ = stop.siginfo;
  return std::optional(SignalStop(SIGTRAP));
}

// Where a pause stops a program that computes is anybody's guess. So it gets a
// checkpoint there, and stops a little later: the first step back then has a few
// milliseconds to replay. True: it is to run on.
Result<bool> Engine::StopNearCheckpoint(bool stepping) {
  constexpr uint64_t kFarNs = 10'000'000, kRunOnNs = 1'500'000, kAtMostNs = 20'000'000;
  Branch& b = branch();
  const bool far = b.tip->CpuTimeNs() - last_checkpoint_ns_ > kFarNs;
  if (options_.interval_ms <= 0 || stepping || !far || !b.recorder->AmidComputing()) return false;
  Result<std::shared_ptr<Checkpoint>> made = CheckpointLive(CheckpointReason::kInterval, false);
  if (!made.ok() && made.error().code == "forkRefused") return false;
  if (!made.ok()) return std::move(made).error();
  b.recorder->RequestInterruptIn(kRunOnNs, kAtMostNs);
  return true;
}

Result<std::optional<StopReply>> Engine::OnLiveStop(const LiveStop& stop, bool stepping) {
  Branch& b = branch();
  StopReply reply;
  reply.tid = pid_;
  switch (stop.kind) {
    case LiveStop::Kind::kTrap: return OnLiveTrap(stop, stepping);
    case LiveStop::Kind::kSignal:
      present_siginfo_ = stop.siginfo;
      return std::optional(SignalStop(stop.siginfo.si_signo));
    case LiveStop::Kind::kInterrupted: {
      CF_TRY_ASSIGN(const bool later, StopNearCheckpoint(stepping));
      if (later) return std::optional<StopReply>();
      interrupt_wanted.store(false);
      return std::optional(SignalStop(SIGINT));
    }
    case LiveStop::Kind::kSyscallEntry:
    case LiveStop::Kind::kSyscallReturn:
      reply.kind = stop.kind == LiveStop::Kind::kSyscallEntry ? StopKind::kSyscallEntry : StopKind::kSyscallReturn;
      reply.syscall_number = stop.syscall_number;
      return std::optional(reply);
    case LiveStop::Kind::kCheckpointDue:
    case LiveStop::Kind::kAsyncSignal:
      // Inserted breakpoints were taken out when Run() returned.
      CF_TRY(CheckpointOnTheWay(stop.kind == LiveStop::Kind::kAsyncSignal));
      return std::optional<StopReply>();
    case LiveStop::Kind::kEventSeen: {
      CF_TRY_ASSIGN(std::vector<WatchSpec> specs, WatchSpecs(watches));
      reply.kind = StopKind::kWatchpoint;
      const Event& last = b.log->at(b.log->size() - 1);
      for (const WatchSpec& watch : specs)
        for (const MemoryWrite& write : last.writes)
          if (AddressRange{write.address, write.address + write.bytes.size()}.Overlaps(
                  {watch.address, watch.address + watch.length_bytes}))
            reply.watch_address = watch.address;
      return std::optional(reply);
    }
    case LiveStop::Kind::kExited:
      b.end = {EndState::Kind::kExited, stop.exit_code, 0, 0};
      reply.kind = StopKind::kHistoryEnd;
      return std::optional(reply);
    case LiveStop::Kind::kFatalSignal:
      b.end = {EndState::Kind::kSignalled, 0, stop.siginfo.si_signo, reinterpret_cast<uint64_t>(stop.siginfo.si_addr)};
      reply.kind = StopKind::kHistoryEnd;
      return std::optional(reply);
    case LiveStop::Kind::kThread:
    case LiveStop::Kind::kThreadEnded: return std::optional<StopReply>();
    case LiveStop::Kind::kExec: return std::optional(RestartAfterExec());
    case LiveStop::Kind::kGone:
      reply.kind = StopKind::kKilled;
      reply.signal = stop.signal;
      return std::optional(reply);
  }
  return std::optional<StopReply>();
}

}  // namespace chronofork
