// Copies of a replay on its way, which become checkpoints when it has arrived.
#include <algorithm>
#include <chrono>

#include "timeline/engine.h"

namespace chronofork {

std::shared_ptr<Checkpoint> Engine::CopyOnTheWay(Replayer& replay) {
  const auto begun = std::chrono::steady_clock::now();
  Position position = replay.position();
  auto checkpoint = std::make_shared<Checkpoint>();
  Result<std::unique_ptr<Tracee>> copy = replay.CopyToKeep(&checkpoint->pages);
  if (!copy.ok()) return nullptr;
  checkpoint->process = std::move(copy).value();
  checkpoint->position = position;
  checkpoint->position.registers = checkpoint->process->registers();
  checkpoint->id = next_id_++;
  checkpoint->moment = next_moment_++;
  checkpoint->branch = branch_;
  checkpoint->reason = CheckpointReason::kSearch;
  checkpoint->patched = replay.patched();
  checkpoint->time_ns = replay.TimeNs();
  copy_cost_ns_ = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begun).count();
  return checkpoint;
}

CopyPacing Engine::PaceTo(const Replayer& replay, uint64_t end_ns, double part_of_cost) const {
  return {static_cast<double>(replay.TimeNs()), static_cast<double>(end_ns), part_of_cost * copy_cost_ns_};
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
    SetKept(*copy, copy->pages);
    copy->descriptors = line[start]->descriptors;
    for (size_t i = line[start]->position.event; i < copy->position.event; ++i)
      CarryForward(copy->descriptors, branch().log->at(i));
    // A replay takes longer than the recording did; times are in order all the same.
    const uint64_t latest_ns = index + 1 < line.size() ? line[index + 1]->time_ns : branch().tip->CpuTimeNs();
    copy->time_ns = std::max(line[index]->time_ns, std::min(copy->time_ns, latest_ns));
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
