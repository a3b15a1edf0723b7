// Which checkpoints to give up when there are too many or they cost too much.
//
// Pure: values in, ids out; the same input gives the same answer. Dense near
// the present, ever sparser with age: of the checkpoints that may go, the one
// goes whose absence makes the smallest gap *relative to its age*, so that the
// gaps grow geometrically with age and any moment of the past is reached by
// replaying a bounded fraction of its age.
//
// Never given up: pinned ones, the first, the newest, and the one that the
// present stands on. If these alone exceed the budget, everything else that
// holds memory goes and the budget is exceeded: the caller tells the user.
//
// Approximation: a checkpoint's private bytes are the pages that it alone holds.
// When it goes, the pages that it shared with exactly one neighbour become
// private to that neighbour, which is not known from these numbers: the memory
// freed is that of the first one in the answer, but those behind it may weigh
// more by then. Who wants to be exact deletes the first, measures, and asks again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace chronofork {

struct RetentionCandidate {
  int64_t id = 0;
  int64_t order = 0;   // position on the timeline; unique, greater is later
  double time_ms = 0;  // run time at which it was made; grows with order
  uint64_t private_bytes = 0;
  bool pinned = false;
  bool is_present = false;
};

struct RetentionLimits {
  uint64_t budget_bytes = 0;  // 0: no limit
  size_t max_count = 0;       // 0: no limit
  uint64_t used_bytes = 0;    // by all of them, with what several share; 0: the sum of their private bytes
};

// The ids to delete, in the order in which they were chosen. `now_ms`: run time
// of the present end of the timeline, for the ages. Costs O(n²) in the worst
// case: n is a few hundred.
std::vector<int64_t> ChooseCheckpointsToDelete(std::span<const RetentionCandidate> checkpoints,
                                               const RetentionLimits& limits, double now_ms);

}  // namespace chronofork
