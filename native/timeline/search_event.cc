// From the number of a recorded event, or a time, to its place. Nothing is
// interpolated: one arrives at the event itself, by a replay that is checked.
//
//     a system call      at its instruction: it is about to be made
//     a signal           where it strikes
//     a thread switch    just behind it: the thread that goes on is the present's
//     any other          behind the event before it
//     a time             behind the last event until then, or at a checkpoint that is later than that
#include <algorithm>

#include "timeline/search.h"

namespace chronofork {
namespace {

Error NoSuchEvent() {
  return Error{"noSuchEvent", "There is no such event on that branch.", "Choose one that was recorded.", 0, 0};
}

// A replay stands nowhere right behind a signal: the handler has begun, or the next instruction.
size_t BehindNoSignal(const EventLog& log, size_t event) {
  while (event > 0 && log.at(event - 1).kind == EventKind::kSignal) --event;
  return event;
}

}  // namespace

Result<StopReply> Search::SeekOnBranch(const TimeOperation& operation, OperationResult* result) {
  const int branch = operation.id < 0 ? engine_.branch_ : operation.id;
  if (static_cast<size_t>(branch) >= engine_.branches_.size())
    return Error{"noSuchBranch", "There is no such branch.", "", 0, 0};
  const Branch& wanted = *engine_.branches_[static_cast<size_t>(branch)];
  const bool by_time = operation.kind == TimeOperation::Kind::kSeekTime;
  const bool at_end = by_time ? operation.time_ns >= wanted.tip->CpuTimeNs() : operation.event == wanted.log->size();
  if (!by_time && operation.event > wanted.log->size()) return NoSuchEvent();
  // What is shown now must be in the line before a place behind it is looked for.
  if (engine_.replay_ && !engine_.at_base_ && !engine_.passing_) {
    engine_.KeepPresentAsCheckpoint();
    CF_TRY_ASSIGN(std::unique_ptr<Replayer> again, engine_.ReplayFrom(engine_.base_));
    engine_.SetReplay(std::move(again), engine_.base_, true);
  }
  if (branch != engine_.branch_ || at_end) {
    engine_.branch_ = branch;
    engine_.GoLive();
  }
  if (at_end) {
    result->outcome = OperationResult::Outcome::kEnd;
    return Plain();
  }
  return by_time ? SeekTime(operation) : SeekEvent(operation.event, operation.passing);
}

Result<StopReply> Search::SeekEvent(size_t event, bool passing) {
  const EventLog& log = *engine_.branch().log;
  const EventKind kind = log.at(event).kind;
  if (kind == EventKind::kSignal) return SeekPlace(event, std::nullopt, passing);
  if (kind == EventKind::kSyscall) return SeekPlace(event, Position::Kind::kAtSyscall, passing);
  const size_t behind = kind == EventKind::kSwitch ? event + 1 : BehindNoSignal(log, event);
  if (behind == 0) return SeekCheckpoint(engine_.branch().line.front());
  return SeekPlace(behind, Position::Kind::kEventEnd, passing);
}

Result<StopReply> Search::SeekTime(const TimeOperation& operation) {
  const EventLog& log = *engine_.branch().log;
  const auto& line = engine_.branch().line;
  size_t low = 0, high = log.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (log.TimeOf(middle) <= operation.time_ns)
      low = middle + 1;
    else
      high = middle;
  }
  const size_t events = BehindNoSignal(log, low);
  std::shared_ptr<Checkpoint> nearest = line.front();
  for (const std::shared_ptr<Checkpoint>& c : line)
    if (c->time_ns <= operation.time_ns) nearest = c;
  if (nearest->position.event >= events) return SeekCheckpoint(nearest);
  return SeekPlace(events, Position::Kind::kEventEnd, operation.passing);
}

// To a place that the event's number names; without `kind`: where the signal that is the event strikes.
Result<StopReply> Search::SeekPlace(size_t event, std::optional<Position::Kind> kind, bool passing) {
  const auto& line = engine_.branch().line;
  const bool behind_event = kind == Position::Kind::kEventEnd;
  std::optional<size_t> start;
  for (size_t i = 0; i < line.size() && line[i]->position.event <= event; ++i) {
    const Position& position = line[i]->position;
    if (kind && position.event == event && position.kind == *kind) return SeekCheckpoint(line[i]);
    // A place of the same number, not behind its event, is later than the end of the event before it.
    if (!behind_event || position.event < event) start = i;
  }
  if (!start) return Error{"beforeRecording", "That is before the beginning of the recording.", "", 0, 0};
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(*start));
  ReplayPlan plan = Plan();
  ReplayStop stop;
  if (kind) {
    plan.end.emplace();
    plan.end->position.kind = *kind;
    plan.end->position.event = event;
    CF_TRY_ASSIGN(stop, replay->Run(plan));
  } else {
    plan.report_signals = true;
    do {
      CF_TRY_ASSIGN(stop, replay->Run(plan));
    } while (stop.kind == ReplayStop::Kind::kSignal && replay->event() < event);
  }
  if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "Going there was cancelled.", "", 0, 0};
  const auto there = kind ? ReplayStop::Kind::kReachedEnd : ReplayStop::Kind::kSignal;
  if (stop.kind != there || replay->event() != event)
    return Error{"diverged", "The replay came to another place than event " + std::to_string(event) + ".",
                 "Please report this program.", 0, 0};
  const Checkpoint& from = *line[*start];
  bool at_start =
      from.position.event == event && DifferenceOf(from.position.registers, replay->process().registers()).empty();
  if (at_start) {
    CF_TRY_ASSIGN(at_start, replay->StandsAt(engine_.MarkerOf(*start)));
  }
  Arrive(std::move(replay), *start, at_start, {});
  engine_.passing_ = passing;
  return Plain();
}

}  // namespace chronofork
