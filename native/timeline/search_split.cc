// Parts an interval in which watched memory is touched too often to trap each
// time: copies are left on the way, and only the last piece is looked at.
//
// Pieces of equal length in time may still hold tens of thousands of touches: a
// loop makes those in a fraction of a millisecond. So the instructions that were
// seen to write are counted by probes, at native speed, and parted by number.
//
// Easy to get wrong: a counted instruction may write elsewhere too, so an equal
// number of hits is no equal number of touches; pieces may have to be parted again.
#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "timeline/search.h"

namespace chronofork {
namespace {

Log logger("search");

constexpr size_t kPieces = 12;

}  // namespace

Result<Search::Pieces> Search::SplitByHits(const Interval& interval, std::vector<ProbeSpec> places) {
  Pieces copies;
  if (places.empty()) return copies;
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(interval.start));
  ReplayPlan plan = Plan();
  plan.probes = std::move(places);
  plan.end = interval.end;
  CF_TRY_ASSIGN(ReplayStop stop, replay->Run(plan));
  if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
  const uint64_t total = replay->transitions();
  if (total < kPieces) return copies;
  CF_TRY_ASSIGN(replay, engine_.ReplayFrom(interval.start));
  for (size_t i = 1; i < kPieces; ++i) {
    plan.limit = total * i / kPieces;
    CF_TRY_ASSIGN(stop, replay->Run(plan));
    if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
    if (stop.kind != ReplayStop::Kind::kProbe) break;
    if (auto copy = engine_.CopyOnTheWay(*replay)) copies.push_back(std::move(copy));
    plan.count_first = false;  // it was counted when the replay stopped at it
  }
  return copies;
}

Result<Search::Pieces> Search::SplitByTime(const Interval& interval, double tick_ms) {
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(interval.start));
  Pieces copies;
  size_t every = 1, ticks = 0;
  ReplayPlan plan = Plan();
  plan.end = interval.end;
  plan.tick = [&] {
    if (++ticks % every != 0) return;
    if (auto copy = engine_.CopyOnTheWay(*replay)) copies.push_back(std::move(copy));
    if (copies.size() < 2 * kPieces) return;
    for (size_t i = copies.size(); i-- > 0;)
      if (i % 2 == 0) Engine::DropCopy(copies, i);
    every *= 2;
  };
  WakeTimer timer(tick_ms);
  CF_TRY_ASSIGN(ReplayStop stop, replay->Run(plan));
  if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
  return copies;
}

// Puts checkpoints into the interval: returns how many. `writers`: a touch by
// each instruction that is known to write, by the address behind it.
Result<size_t> Search::Split(const Interval& interval, const std::map<uint64_t, WatchHit>& writers) {
  constexpr size_t kMostPlaces = 200;  // at some 10 µs each
  auto begun = std::chrono::steady_clock::now();
  std::vector<ProbeSpec> places;
  for (const auto& [after, touch] : writers)
    for (ProbeSpec& place : WriterPlaces(touch)) {
      bool known = std::any_of(places.begin(), places.end(),
                               [&](const ProbeSpec& other) { return other.address == place.address; });
      if (!known && places.size() < kMostPlaces) places.push_back(std::move(place));
    }
  CF_TRY_ASSIGN(Pieces copies, SplitByHits(interval, std::move(places)));
  for (double tick_ms : {2.0, 0.3}) {
    if (!copies.empty()) break;
    CF_TRY_ASSIGN(copies, SplitByTime(interval, tick_ms));
  }
  auto& line = engine_.branch().line;
  for (size_t i = 0; i < copies.size(); ++i) {
    Engine::SetKept(*copies[i], copies[i]->pages);
    copies[i]->descriptors = line[interval.start]->descriptors;
    copies[i]->time_ns = line[interval.start]->time_ns + i + 1;
  }
  line.insert(line.begin() + static_cast<long>(interval.start) + 1, copies.begin(), copies.end());
  if (engine_.base_ > interval.start || !engine_.at_base_)
    engine_.base_ += engine_.base_ >= interval.start ? copies.size() : 0;
  if (!copies.empty())
    CF_LOG(logger, kDebug, "split into %zu pieces in %.1f ms", copies.size() + 1,
           std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
  return copies.size();
}

}  // namespace chronofork
