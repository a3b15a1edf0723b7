// Thinning, one checkpoint at a time: always the one whose absence is felt least.
#include "checkpoint/retention.h"

#include <algorithm>
#include <numeric>

namespace chronofork {
namespace {

// Checkpoints younger than this count as this old, so that the youngest of all
// do not weigh infinitely much: one step of the shortest interval that is of use.
constexpr double kLeastAgeMs = 1;

// What is kept, sorted by order; shrinks.
using Kept = std::vector<const RetentionCandidate*>;

bool MayGo(const Kept& kept, size_t i) {
  return i != 0 && i + 1 != kept.size() && !kept[i]->pinned && !kept[i]->is_present;
}

// How long a replay over the gap would be, relative to how long ago it was.
double Felt(const Kept& kept, size_t i, double now_ms) {
  double gap_ms = kept[i + 1]->time_ms - kept[i - 1]->time_ms;
  return gap_ms / std::max(now_ms - kept[i]->time_ms, kLeastAgeMs);
}

// The position of the one to go; kept.size() if none may. `must_free`: only one
// that frees memory helps.
size_t LeastFelt(const Kept& kept, double now_ms, bool must_free) {
  size_t best = kept.size();
  double best_felt = 0;
  for (size_t i = 1; i + 1 < kept.size(); ++i) {
    if (!MayGo(kept, i) || (must_free && kept[i]->private_bytes == 0)) continue;
    double felt = Felt(kept, i, now_ms);
    if (best == kept.size() || felt < best_felt) {
      best = i;
      best_felt = felt;
    }
  }
  return best;
}

}  // namespace

std::vector<int64_t> ChooseCheckpointsToDelete(std::span<const RetentionCandidate> checkpoints,
                                               const RetentionLimits& limits, double now_ms) {
  Kept kept;
  for (const RetentionCandidate& checkpoint : checkpoints) kept.push_back(&checkpoint);
  std::sort(kept.begin(), kept.end(), [](const auto* a, const auto* b) { return a->order < b->order; });
  uint64_t bytes = std::accumulate(kept.begin(), kept.end(), uint64_t{0}, [](uint64_t sum, const auto* checkpoint) {
    return sum + checkpoint->private_bytes;
  });
  if (limits.used_bytes != 0) bytes = limits.used_bytes;
  std::vector<int64_t> to_delete;
  for (;;) {
    bool too_many = limits.max_count != 0 && kept.size() > limits.max_count;
    bool too_big = limits.budget_bytes != 0 && bytes > limits.budget_bytes;
    if (!too_many && !too_big) break;
    size_t position = LeastFelt(kept, now_ms, too_big && !too_many);
    if (position == kept.size()) break;
    bytes -= kept[position]->private_bytes;
    to_delete.push_back(kept[position]->id);
    kept.erase(kept.begin() + static_cast<ptrdiff_t>(position));
  }
  return to_delete;
}

}  // namespace chronofork
