// Copies towards the present, made while nobody waits.
#include "timeline/preparation.h"

#include <algorithm>

#include "base/log.h"
#include "timeline/engine.h"

namespace chronofork {
namespace {

Log logger("prepare");

constexpr size_t kKept = 6;

// Nobody waits: copies are made as if they cost this part of what they do, and looked for so often.
constexpr double kPartOfCost = 0.1;
constexpr double kLookMs = 1;

}  // namespace

Preparation::Preparation(Engine& engine)
    : engine_(engine),
      branch_(engine.branch_),
      present_(engine.present_moment_),
      from_(engine.branch().line[engine.base_]),
      present_marker_(engine.PresentMarker()) {}

bool Preparation::StillApplies() const {
  return !engine_.edited_ && !engine_.at_base_ && engine_.branch_ == branch_ && engine_.present_moment_ == present_ &&
         engine_.branch().line[engine_.base_] == from_;
}

size_t Preparation::start() const {
  const auto& line = engine_.branch().line;
  return static_cast<size_t>(std::find(line.begin(), line.end(), from_) - line.begin());
}

bool Preparation::GoOn(const std::function<bool()>& busy) {
  if (over_) return true;
  if (!replay_) {
    Result<std::unique_ptr<Replayer>> replay = engine_.ReplayFrom(start());
    if (!replay.ok()) return over_ = true;
    replay_ = std::move(replay).value();
    pacing_.emplace(engine_.PaceTo(*replay_, engine_.PresentRunNs(), kPartOfCost));
  }
  ReplayPlan plan;
  plan.end = present_marker_;
  plan.cancelled = busy;
  plan.wants_tick = [this] { return pacing_->WantsCopy(static_cast<double>(replay_->TimeNs())); };
  plan.tick = [this] {
    if (auto copy = engine_.CopyOnTheWay(*replay_)) copies_.push_back(std::move(copy));
    pacing_->Made(static_cast<double>(replay_->TimeNs()), kPartOfCost * engine_.copy_cost_ns_);
    if (copies_.size() > kKept) Engine::DropCopy(copies_, copies_.size() / 2);
  };
  WakeTimer timer(kLookMs);
  Result<ReplayStop> stop = replay_->Run(plan);
  if (stop.ok() && stop->kind == ReplayStop::Kind::kCancelled) return false;
  arrived_ = stop.ok() && stop->kind == ReplayStop::Kind::kReachedEnd;
  // A copy that was made when the replay had arrived already has no way before it.
  while (arrived_ && !copies_.empty()) {
    const Checkpoint& last = *copies_.back();
    Result<bool> at_copy = replay_->StandsAt({last.position, last.process.get(), last.pages});
    if (at_copy.ok() && !at_copy.value()) break;
    copies_.pop_back();
  }
  CF_LOG(logger, kDebug, "%zu copies before moment %d%s; its replay ran %.1f ms", copies_.size(), present_,
         arrived_ ? "" : ", which was not reached", static_cast<double>(replay_->process().CpuTimeNs()) / 1e6);
  replay_.reset();
  return over_ = true;
}

std::vector<std::shared_ptr<Checkpoint>> Preparation::Take(const std::function<bool()>& cancelled) {
  const bool begun = replay_ || over_;
  if (!begun || !GoOn(cancelled) || !arrived_) return {};
  return std::exchange(copies_, {});
}

}  // namespace chronofork
