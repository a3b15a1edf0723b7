// Backwards: which moment before the present is the wanted one, and going there.
//
// == 1. From the checkpoint before the present, replay to the present and count
//       the hits of the wanted places on the way (probes: nanoseconds each).
// == 2. None? The interval before, and so on; where only memory is watched,
//       intervals whose written pages do not hold it are skipped.
// == 3. Replay that interval again, up to the last hit. Copies are left on the
//       way, so that the next step back has a short way to go.
//
// The present does not change until the answer is there; cancel leaves it as it is.
//
// Easy to get wrong: the place where an interval begins belongs to it, the one
// where it ends does not; the first hit of a group in an interval is a
// transition only if the hit before it, in an earlier interval, was of another group.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "timeline/engine.h"

namespace chronofork {

class Search {
 public:
  explicit Search(Engine& engine) : engine_(engine) {}

  // Carries out `bc` or `bs`, or the operation that is armed.
  StopReply Reverse(const ResumeRequest& request);

 private:
  struct Goal {
    std::vector<ProbeSpec> probes;
    bool conditional = false;        // ask the engine's conditions at every counted hit
    std::vector<WatchSpec> watches;  // more than kWatchedAtATime only without probes, for writes
  };
  static constexpr size_t kWatchedAtATime = 4;
  struct WatchHit {
    uint64_t number = 0;  // the how-manieth in its interval, of those that are watched together
    size_t watch = 0;     // index in the goal's watches
    GeneralRegisters after{};
    std::optional<size_t> kernel_event;
  };
  struct Count {
    uint64_t transitions = 0;
    uint32_t group = 0;
  };
  struct Hit {
    size_t start = 0;  // index of the checkpoint that it is reached from
    uint64_t count = 0;
    std::optional<size_t> probe;  // none: not known before it is reached
    std::optional<WatchHit> watch;
    uint32_t last_group = 0;
  };
  // One stretch of the line: from line[start] to `end`.
  struct Interval {
    size_t start = 0;
    EndMarker end;
    uint64_t end_ns = 0;  // its run time, about; 0: unknown
  };

  Result<StopReply> CarryOut(const ResumeRequest& request, OperationResult* result);
  Result<StopReply> Seek(const TimeOperation& operation, OperationResult* result);
  // search_event.cc
  Result<StopReply> SeekOnBranch(const TimeOperation& operation, OperationResult* result);
  Result<StopReply> SeekEvent(size_t event, bool passing);
  Result<StopReply> SeekTime(const TimeOperation& operation);
  Result<StopReply> SeekPlace(size_t event, std::optional<Position::Kind> kind, bool passing);
  Result<StopReply> SeekRow(const QueryAnswer& answer, size_t index, bool passing);
  Result<Hit> FindRow(const QueryAnswer& answer, size_t index, const Goal& goal, std::unique_ptr<Replayer>* there);
  Result<StopReply> SeekCheckpoint(std::shared_ptr<Checkpoint> target);  // by value: lines move
  Result<StopReply> LastTransition(const TimeOperation& operation, OperationResult* result);
  Result<StopReply> LastWrite(const TimeOperation& operation, OperationResult* result);
  Result<StopReply> ReverseContinue(OperationResult* result);
  void AddBreakpoints(Goal& goal);
  Result<StopReply> StepBack(pid_t tid, const std::vector<AddressRange>& functions, OperationResult* result);
  Result<StopReply> StepBackInRange(pid_t tid, OperationResult* result);
  // search_turn.cc
  Result<std::optional<Interval>> LastTurnOf(pid_t tid);
  bool NothingSinceSwitch(const Position& position) const;
  std::optional<Interval> UpToSwitch(size_t event, const GeneralRegisters& registers);
  bool BeganWithin(pid_t tid) const;
  Result<bool> Arrived(Replayer& replay, const EndMarker& end);

  std::optional<Interval> Before(std::optional<size_t> upper);
  Result<std::optional<Hit>> LastHit(const Goal& goal);
  Result<std::optional<Hit>> LastHitIn(const Interval& interval, const Goal& goal);
  Result<std::optional<Hit>> LastAccepted(const Interval& interval, const Goal& goal);
  // search_watches.cc
  static std::vector<WatchSpec> WatchedTogether(const Goal& goal, size_t watch);
  Result<std::vector<WatchSpec>> PiecesOf(AddressRange range);
  Result<bool> TouchedAfter(const Hit& hit, const Goal& goal, size_t watch, const EndMarker& end);
  Result<std::optional<Hit>> LastTouchOfMany(const Interval& interval, const Goal& goal);
  Result<bool> Accepts(const Goal& goal, size_t probe, const GeneralRegisters& registers, Replayer& replay);
  Result<bool> SameRunBefore(const Hit& hit, const Goal& goal, std::optional<Hit>* earlier);
  Result<std::unique_ptr<Replayer>> GoTo(const Hit& hit, const Goal& goal);
  Result<std::unique_ptr<Replayer>> GoOnTo(std::unique_ptr<Replayer> replay, const Hit& hit, const Goal& goal);
  // search_counted.cc
  bool KnowsStepBefore(const Goal& goal) const;
  Result<StopReply> StepCounted(const TimeOperation& operation, const Goal& goal, OperationResult* result);
  void NoteStep(const Goal& goal, uint64_t count, std::shared_ptr<Checkpoint> from);
  void Tell(const TimeOperation& operation, const Goal& goal, size_t probe, OperationResult* result) const;
  Result<std::unique_ptr<Replayer>> GoToWriter(const Hit& hit, const Goal& goal);
  std::vector<ProbeSpec> WriterPlaces(const WatchHit& hit);
  Result<size_t> Split(const Interval& interval, const std::map<uint64_t, WatchHit>& writers);
  using Pieces = std::vector<std::shared_ptr<Checkpoint>>;
  Result<Pieces> SplitByHits(const Interval& interval, std::vector<ProbeSpec> places);
  Result<Pieces> SplitByTime(const Interval& interval, double tick_ms);
  Result<std::unique_ptr<Replayer>> Narrow(std::unique_ptr<Replayer> from, const EndMarker& end);
  Result<std::unique_ptr<Replayer>> CopyOf(Replayer& replay);
  Result<std::unique_ptr<Replayer>> StepFrom(Replayer& first, size_t steps);
  Result<void> Spread(StepWindow& window);
  bool EndsStepAt(TraceeAddress pc) const;
  Result<bool> StepBackInWindow();
  Result<std::unique_ptr<Replayer>> StepUpTo(std::unique_ptr<Replayer>& from, const EndMarker& end);
  Result<Goal> ReturnsOfCall(Replayer& at, const GeneralRegisters& after);
  Goal ReturnsOfDirectCall(const GeneralRegisters& after);
  TraceeAddress BehindLinkage(TraceeAddress entry);
  std::vector<ProbeSpec> ReturnsWithin(TraceeAddress entry, const GeneralRegisters& after);
  Result<std::unique_ptr<Replayer>> AtLastEvent(size_t start, size_t event);
  std::vector<ProbeSpec> Predecessors(const GeneralRegisters& after, const std::vector<AddressRange>& functions);

  // Makes `replay`, reached from line[start], the present; `copies` were left on the way.
  void Arrive(std::unique_ptr<Replayer> replay, size_t start, bool at_start,
              std::vector<std::shared_ptr<Checkpoint>> copies);
  std::optional<Count> CountHere(Replayer& replay, const Goal& goal);
  bool NotePassed(Replayer& replay, const Goal& goal);
  Result<std::unique_ptr<Replayer>> ReplayTowards(const Hit& hit);
  ReplayPlan Plan();
  StopReply Begin(OperationResult* result);
  StopReply Plain() const;
  std::vector<std::byte> Code(AddressRange range);
  void Progress(size_t start, const char* what);

  Engine& engine_;
  pid_t only_thread_ = 0;  // see ReplayPlan
  std::vector<std::shared_ptr<Checkpoint>> copies_;
  // Left by the counting of an interval: the way to a hit is short from the last before it.
  std::vector<std::shared_ptr<Checkpoint>> passed_;
  std::vector<Count> passed_counts_;
  int passed_from_ = 0;                 // id of the checkpoint where that interval begins
  std::optional<Count> count_at_copy_;  // of the last of copies_, or of the interval's beginning; none: not known
  size_t last_reached_ = 0;             // the probe that GoOnTo() has stopped at
  uint64_t passed_end_ns_ = 0;          // the time that its replay arrived at
  std::unique_ptr<StepWindow> window_;  // what StepUpTo() found
  bool answer_at_start_ = false;
  bool cancelled_ = false;
};

}  // namespace chronofork
