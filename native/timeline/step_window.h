// The states just before the present, one instruction apart. gdb steps back
// over a line with one `bs` for each instruction: all but the first of them are
// answered from here, by a copy of `first` and some single steps.
#pragma once

#include <memory>
#include <vector>

#include "replay/replayer.h"
#include "timeline/history.h"

namespace chronofork {

struct StepWindow {
  static constexpr size_t kStepsPerMark = 16;

  std::unique_ptr<Replayer> first;
  // Copies on the way, kStepsPerMark steps apart, the first of them so far from
  // `first`. Made when the window is used for the first time.
  std::vector<std::unique_ptr<Replayer>> marks;
  // Where each step before the present began, `first` being the first: so many
  // steps from `first` lead to the state that is the present.
  std::vector<TraceeAddress> pcs;
  std::shared_ptr<Checkpoint> from;  // what `first` was replayed from
  int moment = 0;                    // the present that it is about; of any other it says nothing
};

}  // namespace chronofork
