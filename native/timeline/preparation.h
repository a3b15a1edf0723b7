// While a person looks at a stop, the way to it is replayed once more and copies
// are left on it, ever denser towards the present: the first step back then
// starts a few milliseconds before the present, and not at the last periodic
// checkpoint.
//
// It gives way as soon as anything is asked of the timeline, and goes on later
// from where it was. The copies are no checkpoints before a search takes them;
// a resume forwards throws them away.
//
// Easy to get wrong: only copies whose replay has arrived at the present, and
// was proved to, may be taken.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "replay/replayer.h"
#include "timeline/copy_pacing.h"
#include "timeline/history.h"

namespace chronofork {

class Engine;

class Preparation {
 public:
  // Of the present as it is now: not at a checkpoint, not edited.
  explicit Preparation(Engine& engine);

  // Whether the present is still the one that it was made for.
  bool StillApplies() const;
  // Goes on until `busy`. True: there is nothing left to do.
  bool GoOn(const std::function<bool()>& busy);
  // Ends what was begun, and hands over the copies; none if it never began or did not arrive.
  std::vector<std::shared_ptr<Checkpoint>> Take(const std::function<bool()>& cancelled);
  size_t start() const;  // index of the checkpoint that they were reached from

 private:
  Engine& engine_;
  int branch_ = 0;
  int present_ = 0;  // number of the moment
  std::shared_ptr<Checkpoint> from_;
  EndMarker present_marker_;
  std::unique_ptr<Replayer> replay_;
  std::optional<CopyPacing> pacing_;
  std::vector<std::shared_ptr<Checkpoint>> copies_;
  bool arrived_ = false;
  bool over_ = false;
};

}  // namespace chronofork
