// The searches and what they are made of.
#include "timeline/search.h"

#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/log.h"
#include "probe/instruction.h"
#include "replay/code_home.h"
#include "timeline/query.h"

namespace chronofork {
namespace {

Log logger("search");

// More conditions than this, at 20–100 µs each, are asked from the end backwards.
constexpr uint64_t kManyAsked = 2000;

Error Cancelled() { return Error{"cancelled", "The search was cancelled.", "", 0, 0}; }

}  // namespace

ReplayPlan Search::Plan() {
  ReplayPlan plan;
  plan.cancelled = [this] { return engine_.cancel_wanted.load() || engine_.interrupt_wanted.load(); };
  plan.only_thread = only_thread_;
  return plan;
}

StopReply Search::Plain() const {
  StopReply reply;
  reply.tid = engine_.pid();
  reply.kind = StopKind::kHistoryBegin;
  return reply;
}

StopReply Search::Begin(OperationResult* result) {
  result->outcome = OperationResult::Outcome::kBegin;
  return Plain();
}

void Search::Progress(size_t start, const char* what) {
  size_t total = engine_.base() + 1;
  engine_.options_.progress(1.0 - static_cast<double>(start + 1) / static_cast<double>(total + 1), what);
}

StopReply Search::Reverse(const ResumeRequest& request) {
  OperationResult result;
  bool armed = engine_.armed_.has_value();
  Result<StopReply> reply = Search(engine_).CarryOut(request, &result);
  // Refused by the kernel, the present is as it was. Checkpoints give way: from fewer it takes longer.
  while (!reply.ok() && reply.error().code == "forkRefused" && engine_.MakeRoomForProcesses())
    reply = Search(engine_).CarryOut(request, &result);
  StopReply answer;
  if (reply.ok()) {
    answer = std::move(reply).value();
  } else if (reply.error().code == "cancelled") {
    result.outcome = OperationResult::Outcome::kCancelled;
    answer = Plain();
    if (!armed) answer = engine_.SignalStop(SIGINT);
  } else {
    result.outcome = OperationResult::Outcome::kFailed;
    result.error = reply.error();
    CF_LOG(logger, kError, "%s: %s", reply.error().code.c_str(), reply.error().message.c_str());
    if (!armed) engine_.options_.notice("error", reply.error().message + " " + reply.error().remedy);
    answer = armed ? Plain() : engine_.SignalStop(SIGINT);
  }
  engine_.armed_.reset();
  if (auto done = std::exchange(engine_.armed_done_, nullptr)) done(result);
  return answer;
}

Result<StopReply> Search::CarryOut(const ResumeRequest& request, OperationResult* result) {
  const bool seeks = engine_.armed_ && engine_.armed_->kind <= TimeOperation::Kind::kSeekEnd;
  if (!seeks) engine_.TakePrepared();
  if (!engine_.armed_) {
    if (request.kind == ResumeKind::kReverseStep) return StepBackInRange(request.tid, result);
    if (request.alone) only_thread_ = request.tid;
    return ReverseContinue(result);
  }
  const TimeOperation operation = *engine_.armed_;
  if (operation.alone) only_thread_ = operation.tid;
  switch (operation.kind) {
    case TimeOperation::Kind::kLastTransition: return LastTransition(operation, result);
    case TimeOperation::Kind::kStepInstructionBack: return StepBack(operation.tid, operation.functions, result);
    case TimeOperation::Kind::kLastWrite: return LastWrite(operation, result);
    case TimeOperation::Kind::kSeekEvent:
    case TimeOperation::Kind::kSeekTime: return SeekOnBranch(operation, result);
    case TimeOperation::Kind::kSeekMoment:
    case TimeOperation::Kind::kSeekCheckpoint:
    case TimeOperation::Kind::kSeekBegin:
    case TimeOperation::Kind::kSeekEnd: return Seek(operation, result);
  }
  return Plain();
}

// -- Seeking ------------------------------------------------------------------------------

Result<StopReply> Search::Seek(const TimeOperation& operation, OperationResult* result) {
  if (operation.kind == TimeOperation::Kind::kSeekBegin) return SeekCheckpoint(engine_.branches_[0]->line.front());
  bool to_end = operation.kind == TimeOperation::Kind::kSeekEnd;
  if (operation.kind == TimeOperation::Kind::kSeekMoment) {
    if (operation.id == engine_.present_moment_) return Plain();
    for (auto& b : engine_.branches_) {
      if (b->tip_moment != operation.id) continue;
      engine_.KeepPresentAsCheckpoint();
      engine_.branch_ = b->id;
      to_end = true;
    }
  }
  if (to_end) {
    engine_.KeepPresentAsCheckpoint();
    engine_.GoLive();
    result->outcome = OperationResult::Outcome::kEnd;
    return Plain();
  }
  for (auto& b : engine_.branches_)
    for (auto& c : b->line)
      if (operation.kind == TimeOperation::Kind::kSeekCheckpoint ? c->id == operation.id : c->moment == operation.id)
        return SeekCheckpoint(c);
  for (const std::shared_ptr<QueryAnswer>& answer : engine_.answers_) {
    const int64_t row = int64_t{operation.id} - answer->first_moment;
    if (answer->spec.kind == QuerySpec::Kind::kDifferences) continue;
    if (row >= 0 && static_cast<size_t>(row) < answer->rows.size())
      return SeekRow(*std::shared_ptr(answer), static_cast<size_t>(row), operation.passing);
  }
  return Error{"momentForgotten", "That moment is no longer kept: its checkpoint was thinned to save memory.",
               "Go to a checkpoint near it. Bookmarks are never thinned.", 0, 0};
}

Result<StopReply> Search::SeekCheckpoint(std::shared_ptr<Checkpoint> target) {
  engine_.in_use_ = target;
  engine_.KeepPresentAsCheckpoint();
  engine_.in_use_.reset();
  Branch* home = nullptr;
  size_t index = 0;
  // Prefer the branch that the present is on: its line shares its beginning with its parent's.
  for (int pass = 0; pass < 2 && !home; ++pass)
    for (auto& b : engine_.branches_) {
      if (home || (pass == 0) != (b->id == engine_.branch_)) continue;
      auto at = std::find(b->line.begin(), b->line.end(), target);
      if (at == b->line.end()) continue;
      home = b.get();
      index = static_cast<size_t>(at - b->line.begin());
    }
  if (!home) return Error{"momentForgotten", "That checkpoint no longer exists.", "", 0, 0};
  int former = std::exchange(engine_.branch_, home->id);
  Result<std::unique_ptr<Replayer>> replay = engine_.ReplayFrom(index);
  if (!replay.ok()) {
    engine_.branch_ = former;
    return std::move(replay).error();
  }
  engine_.SetReplay(std::move(replay).value(), index, true);
  return Plain();
}

// -- Intervals ------------------------------------------------------------------------------

// The interval that ends at line[upper], or, without `upper`, at the present.
std::optional<Search::Interval> Search::Before(std::optional<size_t> upper) {
  auto& line = engine_.branch().line;
  if (!upper) {
    if (!engine_.at_base_) return Interval{engine_.base_, engine_.PresentMarker(), engine_.PresentRunNs()};
    upper = engine_.base_;
  }
  // Between a barrier and what stands before it nothing was executed.
  while (*upper > 0 && line[*upper]->barrier) --*upper;
  if (*upper == 0) return std::nullopt;
  return Interval{*upper - 1, engine_.MarkerOf(*upper), line[*upper]->time_ns};
}

Result<std::optional<Search::Hit>> Search::LastHit(const Goal& goal) {
  std::optional<Interval> interval = Before(std::nullopt);
  while (interval) {
    if (engine_.cancel_wanted.load() || engine_.interrupt_wanted.load()) return Cancelled();
    Progress(interval->start, goal.probes.empty() ? "Looking for the last write" : "Searching backwards");
    bool skip = goal.probes.empty() && !goal.watches.empty() &&
                std::none_of(goal.watches.begin(), goal.watches.end(), [&](const WatchSpec& w) {
                  return !w.write_only ||  // reading leaves no trace
                         Overlaps(interval->end.reference_pages, {w.address, w.address + w.length_bytes});
                });
    if (!skip) {
      const bool many = goal.watches.size() > kWatchedAtATime;
      CF_TRY_ASSIGN(std::optional<Hit> hit, many ? LastTouchOfMany(*interval, goal) : LastHitIn(*interval, goal));
      if (hit && hit->count == 1 && !hit->watch && goal.probes[*hit->probe].group != 0) {
        std::optional<Hit> earlier;
        CF_TRY_ASSIGN(bool same_run, SameRunBefore(*hit, goal, &earlier));
        return same_run ? earlier : hit;
      }
      if (hit) return hit;
    }
    interval = Before(interval->start);
  }
  return std::optional<Hit>();
}

// The only counted hit of an interval is the first of its group there. Was the
// hit before it, in an earlier interval, of the same group? Then the run of
// that line began earlier: `earlier` is where.
Result<bool> Search::SameRunBefore(const Hit& hit, const Goal& goal, std::optional<Hit>* earlier) {
  uint32_t group = goal.probes[*hit.probe].group;
  Hit first = hit;
  for (std::optional<Interval> interval = Before(hit.start); interval; interval = Before(interval->start)) {
    CF_TRY_ASSIGN(std::optional<Hit> before, LastHitIn(*interval, goal));
    if (!before) continue;
    if (before->last_group != group) break;
    first = *before;
    if (before->count > 1) break;
  }
  *earlier = first;
  return first.start != hit.start;
}

Result<bool> Search::Accepts(const Goal& goal, size_t probe, const GeneralRegisters& registers, Replayer& replay) {
  const ProbeSpec& place = goal.probes[probe];
  if (place.group != 0 || !engine_.breakpoints.contains(place.address)) return true;
  return engine_.ConditionHolds(place.address, registers, replay.process());
}

// As LastHitIn, where asking every hit takes too long: they are counted, and
// then asked from the last one backwards, more each time.
Result<std::optional<Search::Hit>> Search::LastAccepted(const Interval& interval, const Goal& goal) {
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(interval.start));
  ReplayPlan plan = Plan();
  plan.probes = goal.probes;
  plan.end = interval.end;
  CF_TRY_ASSIGN(ReplayStop stop, replay->Run(plan));
  if (stop.kind == ReplayStop::Kind::kCancelled) return Cancelled();
  Hit hit;
  hit.start = interval.start;
  hit.last_group = replay->last_group();
  uint64_t end = replay->transitions();
  for (uint64_t count = kManyAsked; end > 0; count *= 8) {
    const uint64_t begin = end > count ? end - count : 0;
    CF_TRY_ASSIGN(replay, engine_.ReplayFrom(interval.start));
    plan.accept_from = begin + 1;
    plan.accept = [&](size_t probe, const GeneralRegisters& registers) -> Result<bool> {
      CF_TRY_ASSIGN(uint64_t number, replay->CountNow());
      CF_TRY_ASSIGN(bool holds, Accepts(goal, probe, registers, *replay));
      if (holds) {
        hit.count = number;
        hit.probe = probe;
      }
      return number >= end;
    };
    CF_TRY_ASSIGN(stop, replay->Run(plan));
    if (stop.kind == ReplayStop::Kind::kCancelled) return Cancelled();
    CF_LOG(logger, kDebug, "interval %zu: asked hits %llu to %llu", interval.start,
           static_cast<unsigned long long>(begin + 1), static_cast<unsigned long long>(end));
    if (hit.count > 0) return std::optional(hit);
    end = begin;
  }
  return std::optional<Hit>();
}

Result<std::optional<Search::Hit>> Search::LastHitIn(const Interval& interval, const Goal& goal) {
  // More touches of a watch than this, at 20–100 µs each, and the interval is split first.
  constexpr uint64_t kManyTouches = 2000;
  bool may_split = true;
  for (;;) {
    CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(interval.start));
    ReplayPlan plan = Plan();
    plan.probes = goal.probes;
    plan.watches = goal.watches;
    plan.end = interval.end;
    passed_.clear();
    passed_counts_.clear();
    passed_from_ = engine_.branch().line[interval.start]->id;
    CopyPacing pacing = engine_.PaceTo(*replay, interval.end_ns);
    plan.wants_tick = [&] { return pacing.WantsCopy(static_cast<double>(replay->TimeNs())); };
    if (!goal.conditional && goal.watches.empty())
      plan.tick = [&] {
        if (NotePassed(*replay, goal)) pacing.Made(static_cast<double>(replay->TimeNs()), engine_.copy_cost_ns_);
      };
    uint64_t accepted = 0;
    size_t accepted_probe = 0;
    uint64_t asked = 0;
    bool too_many_asked = false;
    if (goal.conditional) {
      plan.accept = [&](size_t probe, const GeneralRegisters& registers) -> Result<bool> {
        CF_TRY_ASSIGN(bool holds, Accepts(goal, probe, registers, *replay));
        if (holds) {
          CF_TRY_ASSIGN(accepted, replay->CountNow());
          accepted_probe = probe;
        }
        too_many_asked = goal.watches.empty() && ++asked > kManyAsked;
        return too_many_asked;
      };
    }
    WatchHit touched;
    uint64_t count_at_touch = 0;
    bool too_many = false;
    std::map<uint64_t, WatchHit> writers;  // one touch of each instruction that was seen to write
    plan.accept_watch = [&](size_t watch, const GeneralRegisters& after) -> Result<bool> {
      ++touched.number;
      touched.watch = watch;
      touched.after = after;
      touched.kernel_event.reset();
      if (may_split) writers.try_emplace(after.rip, touched);
      if (!goal.probes.empty()) {
        CF_TRY_ASSIGN(count_at_touch, replay->CountNow());
      }
      too_many = may_split && touched.number > kManyTouches;
      return too_many;
    };
    plan.accept_kernel_watch = [&](size_t watch, size_t event) -> Result<bool> {
      touched.watch = watch;
      touched.kernel_event = event;
      if (!goal.probes.empty()) {
        CF_TRY_ASSIGN(count_at_touch, replay->CountNow());
      }
      ++touched.number;
      return false;
    };
    CF_TRY_ASSIGN(ReplayStop stop, replay->Run(plan));
    if (stop.kind == ReplayStop::Kind::kCancelled) return Cancelled();
    if (too_many_asked) {
      replay.reset();
      return LastAccepted(interval, goal);
    }
    if (too_many) {
      replay.reset();
      CF_TRY_ASSIGN(size_t pieces, Split(interval, writers));
      if (pieces == 0) {
        may_split = false;
        continue;
      }
      // From the last piece backwards; each may be split again.
      EndMarker end = interval.end;
      for (size_t i = interval.start + pieces + 1; i-- > interval.start;) {
        CF_TRY_ASSIGN(std::optional<Hit> hit, LastHitIn({i, end}, goal));
        if (hit) return hit;
        end = engine_.MarkerOf(i);
      }
      return std::optional<Hit>();
    }
    if (stop.kind != ReplayStop::Kind::kReachedEnd) {
      CF_LOG(logger, kError, "interval %zu: stop %d at event %zu pc 0x%llx, not at event %zu pc 0x%llx", interval.start,
             static_cast<int>(stop.kind), replay->event(), replay->process().registers().rip,
             interval.end.position.event, interval.end.position.registers.rip);
      return Error{"diverged", "The replay did not arrive where the recording does.",
                   "Please report this program; checkpoints before this place can still be visited.", 0, 0};
    }
    passed_end_ns_ = replay->TimeNs();
    Hit hit;
    hit.start = interval.start;
    hit.count = goal.conditional ? accepted : replay->transitions();
    hit.probe = goal.conditional ? accepted_probe : replay->last_counted().value_or(0);
    hit.last_group = replay->last_group();
    bool any = hit.count > 0;
    if (touched.number > 0 && (!any || hit.count <= count_at_touch)) {
      hit.watch = touched;
      any = true;
    }
    CF_LOG(logger, kDebug, "interval %zu: %llu hits, %llu touches", interval.start,
           static_cast<unsigned long long>(hit.count), static_cast<unsigned long long>(touched.number));
    return any ? std::optional(hit) : std::optional<Hit>();
  }
}

// What a running replay has counted so far. None at a counted place: whether
// this very hit is in the count nobody can tell.
std::optional<Search::Count> Search::CountHere(Replayer& replay, const Goal& goal) {
  const TraceeAddress here = replay.ProgramCounter();
  if (std::any_of(goal.probes.begin(), goal.probes.end(), [&](const ProbeSpec& p) { return p.address == here; }))
    return std::nullopt;
  Result<uint64_t> transitions = replay.CountNow();
  Result<uint32_t> group = replay.GroupNow();
  if (!transitions.ok() || !group.ok()) return std::nullopt;
  return Count{transitions.value(), group.value()};
}

// A copy from within the counting of an interval, with the count so far. False: none was made.
bool Search::NotePassed(Replayer& replay, const Goal& goal) {
  constexpr size_t kKept = 8;
  const std::optional<Count> count = CountHere(replay, goal);
  if (!count) return false;
  std::shared_ptr<Checkpoint> copy = engine_.CopyOnTheWay(replay);
  if (!copy) return false;
  passed_.push_back(std::move(copy));
  passed_counts_.push_back(*count);
  if (passed_.size() <= kKept) return true;
  const size_t dropped = passed_.size() / 2;
  Engine::DropCopy(passed_, dropped);
  passed_counts_.erase(passed_counts_.begin() + static_cast<long>(dropped));
  return true;
}

// A replay that goes on to `hit`: from the last copy before it, if the interval
// was counted just now, else from the interval's beginning.
Result<std::unique_ptr<Replayer>> Search::ReplayTowards(const Hit& hit) {
  copies_.clear();
  count_at_copy_ = Count{};
  const int from = engine_.branch().line[hit.start]->id;
  size_t before = 0;
  if (passed_from_ == from)
    while (before < passed_.size() && passed_counts_[before].transitions < hit.count) ++before;
  if (before == 0) return engine_.ReplayFrom(hit.start);
  passed_.resize(before);
  copies_ = std::exchange(passed_, {});
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayOf(*copies_.back(), from));
  const Count& count = passed_counts_[before - 1];
  replay->CountFrom(count.transitions, count.group);
  count_at_copy_ = count;
  return replay;
}

// -- Arriving -------------------------------------------------------------------------------

Result<std::unique_ptr<Replayer>> Search::GoTo(const Hit& hit, const Goal& goal) {
  if (hit.watch) return GoToWriter(hit, goal);
  const uint64_t start_pc = engine_.branch().line[hit.start]->position.registers.rip;
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, ReplayTowards(hit));
  CF_TRY_ASSIGN(replay, GoOnTo(std::move(replay), hit, goal));
  answer_at_start_ = hit.count == 1 && copies_.empty() && replay->process().registers().rip == start_pc &&
                     replay->event() == engine_.branch().line[hit.start]->position.event;
  return replay;
}

// `replay` has counted some of the hits before it, or none.
Result<std::unique_ptr<Replayer>> Search::GoOnTo(std::unique_ptr<Replayer> replay, const Hit& hit, const Goal& goal) {
  ReplayPlan plan = Plan();
  plan.probes = goal.probes;
  plan.limit = hit.count;
  // Copies at growing density towards the answer: the next step back starts from the last one.
  // Where that is, nobody knows; most often it is near the interval's end.
  const bool counted_now = passed_from_ == engine_.branch().line[hit.start]->id;
  CopyPacing pacing = engine_.PaceTo(*replay, counted_now ? passed_end_ns_ : 0);
  plan.wants_tick = [&] { return pacing.WantsCopy(static_cast<double>(replay->TimeNs())); };
  plan.tick = [&] {
    constexpr size_t kKept = 6;
    if (auto copy = engine_.CopyOnTheWay(*replay)) {
      copies_.push_back(std::move(copy));
      count_at_copy_ = CountHere(*replay, goal);
    }
    pacing.Made(static_cast<double>(replay->TimeNs()), engine_.copy_cost_ns_);
    if (copies_.size() > kKept) Engine::DropCopy(copies_, copies_.size() / 2);
  };
  CF_TRY_ASSIGN(ReplayStop stop, replay->Run(plan));
  if (stop.kind == ReplayStop::Kind::kCancelled) return Cancelled();
  // The count was made by another replay: both must have come to the same place.
  const bool same_place = stop.kind == ReplayStop::Kind::kProbe && stop.probe == hit.probe.value_or(stop.probe);
  if (!same_place) {
    CF_LOG(logger, kError, "stop %d at event %zu pc 0x%llx after %llu of %llu hits", static_cast<int>(stop.kind),
           replay->event(), replay->process().registers().rip, static_cast<unsigned long long>(replay->transitions()),
           static_cast<unsigned long long>(hit.count));
    return Error{"diverged", "The same stretch was replayed twice and went differently.", "Please report this program.",
                 0, 0};
  }
  last_reached_ = stop.probe;
  return replay;
}

void Search::Arrive(std::unique_ptr<Replayer> replay, size_t start, bool at_start,
                    std::vector<std::shared_ptr<Checkpoint>> copies) {
  // Keeping the present may thin others, and so move indices.
  engine_.in_use_ = engine_.branch().line[start];
  engine_.KeepPresentAsCheckpoint();
  auto& line = engine_.branch().line;
  start = static_cast<size_t>(std::find(line.begin(), line.end(), engine_.in_use_) - line.begin());
  engine_.in_use_.reset();
  const bool any = !copies.empty();
  const size_t index = engine_.InsertCopies(start, std::move(copies));
  if (any) {
    // The last copy may have been made when the replay had arrived already: then there is no way between the two.
    Result<bool> at_copy = replay->StandsAt(engine_.MarkerOf(index));
    at_start = at_copy.ok() && at_copy.value();
  }
  engine_.SetReplay(std::move(replay), index, at_start);
  engine_.Thin();
}

// Conditions are the probes' own, so that only hits that are wanted count; or, where one cannot be compiled, asked.
void Search::AddBreakpoints(Goal& goal) {
  for (const auto& [address, breakpoint] : engine_.breakpoints) {
    ProbeSpec probe{address};
    probe.conditions = breakpoint.conditions;
    probe.home = breakpoint.home;
    if (IsAsked(probe)) {
      probe.conditions.clear();
      goal.conditional = true;
    }
    goal.probes.push_back(std::move(probe));
  }
}

Result<StopReply> Search::LastTransition(const TimeOperation& operation, OperationResult* result) {
  Goal goal;
  goal.probes = operation.places;
  const std::vector<Mapping> mappings = ReadMappings(engine_.process().pid());
  for (ProbeSpec& probe : goal.probes) probe.home = HomeOf(mappings, probe.address);
  if (operation.stop_at_breakpoints) AddBreakpoints(goal);
  if (KnowsStepBefore(goal)) return StepCounted(operation, goal, result);
  CF_TRY_ASSIGN(std::optional<Hit> hit, LastHit(goal));
  if (!hit) return Begin(result);
  const std::shared_ptr<Checkpoint> start = engine_.branch().line[hit->start];
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, GoTo(*hit, goal));
  const std::shared_ptr<Checkpoint> from = copies_.empty() ? start : copies_.back();
  Arrive(std::move(replay), hit->start, answer_at_start_, std::move(copies_));
  NoteStep(goal, hit->count, from);
  Tell(operation, goal, *hit->probe, result);
  return Plain();
}

Result<StopReply> Search::ReverseContinue(OperationResult* result) {
  Goal goal;
  AddBreakpoints(goal);
  CF_TRY_ASSIGN(goal.watches, engine_.WatchSpecs(engine_.watches));
  std::optional<Hit> hit;
  if (!goal.probes.empty() || !goal.watches.empty()) {
    CF_TRY_ASSIGN(hit, LastHit(goal));
  }
  if (!hit) {
    CF_TRY(SeekCheckpoint(engine_.branch().line.front()));
    return Begin(result);
  }
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, GoTo(*hit, goal));
  Arrive(std::move(replay), hit->start, answer_at_start_, std::move(copies_));
  StopReply reply;
  reply.tid = engine_.pid();
  if (hit->watch) {
    const WatchSpec& watch = goal.watches[hit->watch->watch];
    reply.kind = StopKind::kWatchpoint;
    reply.watch_address = watch.address;
    reply.watch = watch.write_only ? WatchKind::kWrite : WatchKind::kAccess;
  } else {
    reply.kind = StopKind::kBreakpoint;
    reply.breakpoint = engine_.breakpoints.at(goal.probes[*hit->probe].address).kind;
  }
  return reply;
}

Result<StopReply> Search::LastWrite(const TimeOperation& operation, OperationResult* result) {
  Goal goal;
  CF_TRY_ASSIGN(goal.watches, PiecesOf(operation.range));
  CF_TRY_ASSIGN(std::optional<Hit> hit, LastHit(goal));
  if (!hit) return Begin(result);
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, GoTo(*hit, goal));
  Arrive(std::move(replay), hit->start, answer_at_start_, std::move(copies_));
  result->address = goal.watches[hit->watch->watch].address;
  return Plain();
}

}  // namespace chronofork
