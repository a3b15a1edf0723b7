// When the next periodic checkpoint is due.
//
// Pure: a checkpoint has cost what it took to make it, and, after that, a fault
// and a copy for each page that the program has written for the first time.
// Both have been paid when this is asked, so nothing need be guessed: the next
// one is due when the program has run for so long that the last has taken no
// more than its share of that time.
#pragma once

#include <cstdint>

namespace chronofork {

struct CheckpointCost {
  double making_ns = 0;
  uint64_t copied_pages = 0;  // since it was made
};

// How long after the last checkpoint, in run time.
double DueAfterNs(double interval_ns, const CheckpointCost& last);

}  // namespace chronofork
