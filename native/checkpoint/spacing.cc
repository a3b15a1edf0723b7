// Costs divided by the share that they may take.
#include "checkpoint/spacing.h"

#include <algorithm>

namespace chronofork {
namespace {

// Checkpointing may take this share of the run time (the interval grows beyond it).
constexpr double kCheckpointShare = 0.05;

// The fault and the copy when a page is written for the first time after a
// checkpoint; 1 to 3.7 µs were measured in virtual machines.
constexpr double kCopyOnWriteNs = 3500;

}  // namespace

double DueAfterNs(double interval_ns, const CheckpointCost& last) {
  const double cost_ns = last.making_ns + kCopyOnWriteNs * static_cast<double>(last.copied_pages);
  return std::max(interval_ns, cost_ns / kCheckpointShare);
}

}  // namespace chronofork
