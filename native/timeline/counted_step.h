// What a step back knows of the one before it: the present is the how-manieth
// hit of the same places since a checkpoint. Then the hit before it need not be
// counted: it has the number before.
//
// Easy to get wrong: that holds for the very same question only, and only while
// the present is the moment that the last answer was.
#pragma once

#include <memory>

#include "timeline/history.h"
#include "timeline/operations.h"

namespace chronofork {

struct CountedStep {
  int moment = 0;  // of the present
  TimeOperation operation;
  std::shared_ptr<Checkpoint> from;
  // Counted when the program stood there, and the group that had counted last.
  uint64_t count_at_from = 0;
  uint32_t group_at_from = 0;
  uint64_t count = 0;  // of the present
};

}  // namespace chronofork
