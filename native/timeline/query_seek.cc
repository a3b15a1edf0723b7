// From a row of a query's answer to the moment that it is.
//
// == 1. The last checkpoint at or before the row's interval that still is on the
//       line; the hits of the intervals between are known.
// == 2. From there as many hits on, from checkpoint to checkpoint: there may be
//       more of them by now than when the query was made.
#include <algorithm>

#include "timeline/query.h"
#include "timeline/search.h"

namespace chronofork {
namespace {

Error Forgotten() {
  return Error{"momentForgotten", "The checkpoints before that moment are no longer kept.",
               "Ask the query again: its answer then counts from the checkpoints that there are now.", 0, 0};
}

}  // namespace

// The interval of the present line that holds the row, and the how-manieth hit of
// it that is. `there`: a replay that stands at it; of a write, null.
Result<Search::Hit> Search::FindRow(const QueryAnswer& answer, size_t index, const Goal& goal,
                                    std::unique_ptr<Replayer>* there) {
  const QueryRow& row = answer.rows[index];
  const auto& line = engine_.branch().line;
  uint64_t left = row.number;
  size_t interval = row.interval;
  auto at = line.end();
  for (;; --interval) {
    at = std::find_if(line.begin(), line.end(), [&](const std::shared_ptr<Checkpoint>& c) {
      return c->id == answer.intervals[interval].checkpoint;
    });
    if (at != line.end()) break;
    if (interval == 0) return Forgotten();
    left += answer.intervals[interval - 1].hits;
  }
  Hit hit;
  for (hit.start = static_cast<size_t>(at - line.begin()); hit.start < line.size(); ++hit.start) {
    if (hit.start + 1 < line.size() && line[hit.start + 1]->barrier) continue;
    CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(hit.start));
    uint64_t touches = 0;
    ReplayPlan plan = Plan();
    plan.probes = goal.probes;
    plan.limit = left;
    plan.watches = goal.watches;
    plan.accept_watch = [&](size_t, const GeneralRegisters&) -> Result<bool> { return ++touches == left; };
    plan.accept_kernel_watch = [&](size_t, size_t) -> Result<bool> { return ++touches == left; };
    // Behind the last checkpoint there is the row.
    if (hit.start + 1 < line.size()) plan.end = engine_.MarkerOf(hit.start + 1);
    CF_TRY_ASSIGN(const ReplayStop stop, replay->Run(plan));
    if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "Going there was cancelled.", "", 0, 0};
    if (stop.kind == ReplayStop::Kind::kProbe || stop.kind == ReplayStop::Kind::kWatch ||
        stop.kind == ReplayStop::Kind::kKernelWatch) {
      hit.count = left;
      hit.probe = stop.probe;
      if (!goal.watches.empty()) {
        hit.watch = WatchHit{left, row.place, row.after, {}};
        if (row.by_kernel) hit.watch->kernel_event = row.event;
      } else {
        *there = std::move(replay);
      }
      return hit;
    }
    if (stop.kind != ReplayStop::Kind::kReachedEnd) break;
    left -= goal.watches.empty() ? replay->transitions() : touches;
  }
  return Error{"diverged", "The same stretch was replayed twice and went differently.", "Please report this program.",
               0, 0};
}

Result<StopReply> Search::SeekRow(const QueryAnswer& answer, size_t index, bool passing) {
  if (answer.branch != engine_.branch_) {
    engine_.KeepPresentAsCheckpoint();
    engine_.branch_ = answer.branch;
    engine_.GoLive();
  }
  // The row may be behind the present: what is kept of that must be in the line before the row is looked for.
  if (engine_.replay_ && !engine_.at_base_ && !engine_.passing_) {
    engine_.KeepPresentAsCheckpoint();
    CF_TRY_ASSIGN(std::unique_ptr<Replayer> again, engine_.ReplayFrom(engine_.base_));
    engine_.SetReplay(std::move(again), engine_.base_, true);
  }
  Goal goal;
  goal.probes = answer.Probes();
  if (answer.spec.kind == QuerySpec::Kind::kWrites) {
    goal.probes.clear();
    const AddressRange range = answer.spec.range;
    CF_TRY_ASSIGN(goal.watches, engine_.WatchSpecs({{WatchKind::kWrite, range.start, range.length()}}));
  }
  std::unique_ptr<Replayer> replay;
  CF_TRY_ASSIGN(const Hit hit, FindRow(answer, index, goal, &replay));
  const Checkpoint& start = *engine_.branch().line[hit.start];
  bool at_start = false;
  if (replay) {
    at_start = hit.count == 1 && replay->event() == start.position.event &&
               replay->process().registers().rip == start.position.registers.rip;
  } else {
    CF_TRY_ASSIGN(replay, GoToWriter(hit, goal));
  }
  Arrive(std::move(replay), hit.start, at_start, {});
  engine_.passing_ = passing;
  // One moment has one number.
  if (!engine_.at_base_) engine_.present_moment_ = answer.first_moment + static_cast<int>(index);
  return Plain();
}

}  // namespace chronofork
