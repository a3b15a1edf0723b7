// Copies of a replay on its way, which become checkpoints when it has arrived.
#include <algorithm>

#include "timeline/engine.h"

namespace chronofork {

std::shared_ptr<Checkpoint> Engine::CopyOnTheWay(Replayer& replay) {
  Result<PageSet> pages = ExclusivePages(replay.process().pid());
  Position position = replay.position();
  Result<std::unique_ptr<Tracee>> copy = replay.Copy();
  if (!pages.ok() || !copy.ok()) return nullptr;
  auto checkpoint = std::make_shared<Checkpoint>();
  checkpoint->pages = std::move(pages).value();
  checkpoint->process = std::move(copy).value();
  checkpoint->position = position;
  checkpoint->position.registers = checkpoint->process->registers();
  checkpoint->id = next_id_++;
  checkpoint->moment = next_moment_++;
  checkpoint->branch = branch_;
  checkpoint->reason = CheckpointReason::kSearch;
  checkpoint->patched = replay.patched();
  return checkpoint;
}

// What was written up to the dropped copy was written up to the next one.
void Engine::DropCopy(std::vector<std::shared_ptr<Checkpoint>>& copies, size_t index) {
  copies[index + 1]->pages = Union(copies[index + 1]->pages, copies[index]->pages);
  copies.erase(copies.begin() + static_cast<long>(index));
}

// Puts them into the line behind line[start]; returns the index of the last, or `start`.
size_t Engine::InsertCopies(size_t start, std::vector<std::shared_ptr<Checkpoint>> copies) {
  auto& line = branch().line;
  size_t index = start;
  for (auto& copy : copies) {
    copy->descriptors = line[start]->descriptors;
    for (size_t i = line[start]->position.event; i < copy->position.event; ++i)
      CarryForward(copy->descriptors, branch().log->at(i));
    copy->time_ns = copy->position.event > 0
                        ? std::max(line[start]->time_ns, branch().log->TimeOf(copy->position.event - 1))
                        : line[start]->time_ns;
    line.insert(line.begin() + static_cast<long>(++index), copy);
  }
  return index;
}

// -- Ahead of a search ----------------------------------------------------------------------

bool Engine::Prepare(const std::function<bool()>& busy) {
  const bool useful = !branches_.empty() && !edited_ && !at_base_ && !barrier_wanted_ && !process().gone() &&
                      UsedBytes() <= budget_bytes_;
  if (!useful || (preparation_ && !preparation_->StillApplies())) preparation_.reset();
  if (!useful) return true;
  if (!preparation_) preparation_ = std::make_unique<Preparation>(*this);
  return preparation_->GoOn(busy);
}

void Engine::TakePrepared() {
  std::unique_ptr<Preparation> prepared = std::move(preparation_);
  if (!prepared || !prepared->StillApplies()) return;
  auto copies = prepared->Take([this] { return cancel_wanted.load() || interrupt_wanted.load(); });
  if (copies.empty()) return;
  base_ = InsertCopies(prepared->start(), std::move(copies));
  Thin();
  options_.changed();
}

}  // namespace chronofork
