// The next step back along the same places: its hit has the number before that
// of the present, so that it is gone to at once (CountedStep).
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "timeline/search.h"

namespace chronofork {
namespace {

Log logger("search");

bool SamePlaces(const std::vector<ProbeSpec>& a, const std::vector<ProbeSpec>& b) {
  auto same = [](const ProbeSpec& x, const ProbeSpec& y) {
    const AddressRange any{};
    const AddressRange x_range = x.rsp_range.value_or(any), y_range = y.rsp_range.value_or(any);
    return x.address == y.address && x.group == y.group && x_range.start == y_range.start &&
           x_range.end == y_range.end && x.conditions == y.conditions;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

}  // namespace

// After going from `from` to its `count`-th hit, which is the present now.
void Search::NoteStep(const Goal& goal, uint64_t count, std::shared_ptr<Checkpoint> from) {
  if (!count_at_copy_ || goal.conditional) return;
  auto step = std::make_unique<CountedStep>();
  step->moment = engine_.present_moment_;
  // What was asked, in full: breakpoints that count are places too.
  step->operation.kind = TimeOperation::Kind::kLastTransition;
  step->operation.places = goal.probes;
  step->operation.tid = only_thread_;
  step->from = std::move(from);
  step->count_at_from = count_at_copy_->transitions;
  step->group_at_from = count_at_copy_->group;
  step->count = count;
  engine_.counted_step_ = std::move(step);
}

bool Search::KnowsStepBefore(const Goal& goal) const {
  const CountedStep* step = engine_.counted_step_.get();
  if (!step || step->moment != engine_.present_moment_ || engine_.edited_ || goal.conditional) return false;
  const auto& line = engine_.branch().line;
  // The very first hit may belong to a run of its line that began before.
  return step->operation.tid == only_thread_ && SamePlaces(step->operation.places, goal.probes) &&
         step->count > step->count_at_from + 2 && std::find(line.begin(), line.end(), step->from) != line.end();
}

Result<StopReply> Search::StepCounted(const TimeOperation& operation, const Goal& goal, OperationResult* result) {
  const CountedStep step = *engine_.counted_step_;
  const auto& line = engine_.branch().line;
  Hit hit;
  hit.start = static_cast<size_t>(std::find(line.begin(), line.end(), step.from) - line.begin());
  hit.count = step.count - 1;
  copies_.clear();
  count_at_copy_ = Count{step.count_at_from, step.group_at_from};
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(hit.start));
  replay->CountFrom(step.count_at_from, step.group_at_from);
  CF_TRY_ASSIGN(replay, GoOnTo(std::move(replay), hit, goal));
  const std::shared_ptr<Checkpoint> from = copies_.empty() ? step.from : copies_.back();
  Arrive(std::move(replay), hit.start, false, std::move(copies_));
  NoteStep(goal, hit.count, from);
  CF_LOG(logger, kDebug, "hit %llu of the same places", static_cast<unsigned long long>(hit.count));
  Tell(operation, goal, last_reached_, result);
  return Plain();
}

// What was found, as whoever asked knows it.
void Search::Tell(const TimeOperation& operation, const Goal& goal, size_t probe, OperationResult* result) const {
  if (probe < operation.places.size())
    result->group = operation.places[probe].group;
  else
    result->outcome = OperationResult::Outcome::kBreakpoint;
  result->address = goal.probes[probe].address;
}

}  // namespace chronofork
