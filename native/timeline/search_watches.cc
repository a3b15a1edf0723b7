// The last write to more than the processor can watch at a time.
//
// It watches four places. So an interval is searched for the first four, then
// for the next, and so on; but from the second time on only as far back as the
// best answer so far: is there a touch of these four after it?
//
// Easy to get wrong: an interval may be split while it is searched, so that
// numbers of touches count from different beginnings. Which of two touches is
// later is found out by going to one and on from there.
#include <algorithm>

#include "base/log.h"
#include "timeline/search.h"

namespace chronofork {
namespace {

Log logger("search");

Error Cancelled() { return Error{"cancelled", "The search was cancelled.", "", 0, 0}; }

}  // namespace

// Those that are watched at the same time as number `watch`.
std::vector<WatchSpec> Search::WatchedTogether(const Goal& goal, size_t watch) {
  const size_t first = watch / kWatchedAtATime * kWatchedAtATime;
  const size_t end = std::min(goal.watches.size(), first + kWatchedAtATime);
  return {goal.watches.begin() + static_cast<long>(first), goal.watches.begin() + static_cast<long>(end)};
}

// Is anything that is watched together with number `watch` touched between `hit` and `end`?
Result<bool> Search::TouchedAfter(const Hit& hit, const Goal& goal, size_t watch, const EndMarker& end) {
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(hit.start));
  uint64_t seen = 0;
  ReplayPlan to_hit = Plan();
  to_hit.watches = WatchedTogether(goal, hit.watch->watch);
  to_hit.accept_watch = [&](size_t, const GeneralRegisters&) -> Result<bool> { return ++seen == hit.watch->number; };
  to_hit.accept_kernel_watch = [&](size_t, size_t) -> Result<bool> { return ++seen == hit.watch->number; };
  CF_TRY_ASSIGN(ReplayStop stop, replay->Run(to_hit));
  if (stop.kind == ReplayStop::Kind::kCancelled) return Cancelled();
  if (stop.kind != ReplayStop::Kind::kWatch && stop.kind != ReplayStop::Kind::kKernelWatch)
    return Error{"diverged", "The same stretch was replayed twice and went differently.", "Please report this program.",
                 0, 0};
  ReplayPlan on = Plan();
  on.watches = WatchedTogether(goal, watch);
  on.end = end;
  CF_TRY_ASSIGN(stop, replay->Run(on));
  if (stop.kind == ReplayStop::Kind::kCancelled) return Cancelled();
  return stop.kind == ReplayStop::Kind::kWatch || stop.kind == ReplayStop::Kind::kKernelWatch;
}

Result<std::optional<Search::Hit>> Search::LastTouchOfMany(const Interval& interval, const Goal& goal) {
  const auto& line = engine_.branch().line;
  // Splitting puts checkpoints into the interval; behind it there are always as many.
  const size_t behind = line.size() - interval.start - 1;
  std::optional<Hit> best;
  for (size_t first = 0; first < goal.watches.size(); first += kWatchedAtATime) {
    Goal part;
    part.watches = WatchedTogether(goal, first);
    for (size_t i = line.size() - behind; i-- > (best ? best->start : interval.start);) {
      const EndMarker end = i + 1 < line.size() - behind ? engine_.MarkerOf(i + 1) : interval.end;
      const bool is_written = std::any_of(part.watches.begin(), part.watches.end(), [&](const WatchSpec& w) {
        return Overlaps(end.reference_pages, {w.address, w.address + w.length_bytes});
      });
      if (!is_written) continue;
      CF_TRY_ASSIGN(std::optional<Hit> hit, LastHitIn({i, end}, part));
      if (!hit) continue;
      hit->watch->watch += first;
      bool is_later = true;
      if (best) {
        CF_TRY_ASSIGN(is_later, TouchedAfter(*best, goal, first, interval.end));
      }
      if (is_later) best = hit;
      break;
    }
  }
  if (best)
    CF_LOG(logger, kDebug, "of %zu places number %zu was touched last", goal.watches.size(), best->watch->watch);
  return best;
}

// In pieces that the processor can watch.
Result<std::vector<WatchSpec>> Search::PiecesOf(AddressRange range) {
  // 128 times four: an interval in which all of them may be written is replayed that often.
  constexpr uint64_t kMostBytes = 4096;
  if (range.length() > kMostBytes)
    return Error{"tooManyWatchpoints", "The last write to more than 4096 bytes cannot be looked for.",
                 "Ask for a member, or for a smaller part.", 0, 0};
  std::vector<WatchSpec> pieces;
  for (uint64_t at = range.start.value; at < range.end.value;) {
    const uint64_t end = std::min((at | 7) + 1, range.end.value);
    CF_TRY_ASSIGN(std::vector<WatchSpec> word, engine_.WatchSpecs({{WatchKind::kWrite, TraceeAddress(at), end - at}}));
    pieces.insert(pieces.end(), word.begin(), word.end());
    at = end;
  }
  return pieces;
}

}  // namespace chronofork
