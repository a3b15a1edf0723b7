// What checkpoints may cost: when the next one is made, how much memory each
// keeps, and which are given up.
//
// Every page that is written after a checkpoint has its former contents kept by
// that checkpoint, once. So the memory that all of them need is the sum of what
// was written in each interval, as far as it held anything at the interval's
// beginning (Checkpoint::kept), and of what the live process has written since
// the newest one (Branch::tail). The tail is estimated at every tick, by page
// faults: if a program suddenly writes to everything, older checkpoints make
// room, or the newest ones are given up, while it happens.
//
// Easy to get wrong: a page that two neighbours share is freed only when both
// are gone. What deleting one frees is what was written both before and after it.
#include <algorithm>
#include <set>

#include "base/log.h"
#include "checkpoint/pagemap.h"
#include "checkpoint/retention.h"
#include "timeline/engine.h"

namespace chronofork {
namespace {

Log logger("timeline");

// How much later than its time a periodic checkpoint may come to find the end of an event.
constexpr double kCheckpointGraceNs = 5e6;

// How often page faults are asked for, at most, in run time: asking takes less than a hundredth of that.
constexpr uint64_t kLookNs = 1'000'000;

// What a checkpoint counts for that the kernel has refused: the next try is after two seconds.
constexpr double kRefusedCostNs = 100e6;

// Kernel objects of a process.
constexpr uint64_t kProcessBytes = 64 * 1024;

}  // namespace

// -- When ------------------------------------------------------------------------------------

void Engine::NoteCheckpointMade(Branch& b, double made_ns) {
  // On a busy machine a checkpoint is sometimes interrupted for a tenth of a second; that one alone must not leave
  // seconds without checkpoints behind it, so the cost that is believed at most doubles from one to the next.
  expected_making_ns_ = std::min(made_ns, 2 * expected_making_ns_);
  cost_ = {expected_making_ns_, 0};
  given_up_ = no_room_ = false;
  last_checkpoint_ns_ = last_look_ns_ = b.tip->CpuTimeNs();
}

// Looks at how much the live process has written, if that was not just done.
void Engine::LookAtFaults(Branch& b, uint64_t now_ns) {
  if (now_ns - last_look_ns_ < kLookNs) return;
  last_look_ns_ = now_ns;
  const uint64_t copied = CopiedPages(b.tail.faults, ReadFaultCounts(b.tip->pid()));
  copied_since_look_ = copied;
  if (!given_up_) cost_.copied_pages = b.tail.bytes / kPageBytes + copied;
}

bool Engine::CheckpointIsDue(Branch& b, bool at_event) {
  const size_t events = b.log->size() - b.line.back()->position.event;
  if (at_event && options_.interval_events > 0 && events >= options_.interval_events) return true;
  const uint64_t now_ns = b.tip->CpuTimeNs();
  if (!at_event) {
    LookAtFaults(b, now_ns);
    if (IsOverBudget()) return true;
  }
  return IsTimeForCheckpoint(b, now_ns, at_event);
}

bool Engine::IsTimeForCheckpoint(Branch& b, uint64_t now_ns, bool at_event) {
  if (options_.interval_ms <= 0) return false;
  const double interval_ns = options_.interval_ms * 1e6;
  const double since_ns =
      static_cast<double>(now_ns) - static_cast<double>(last_checkpoint_ns_) - (at_event ? 0 : kCheckpointGraceNs);
  if (since_ns < interval_ns) return false;
  LookAtFaults(b, now_ns);
  return since_ns >= DueAfterNs(interval_ns, cost_);
}

// A checkpoint while the program runs. If the kernel refuses it, the program
// goes on: going back will take longer, and older checkpoints make room.
Result<void> Engine::CheckpointOnTheWay(bool async) {
  if (!async) {
    CF_TRY(MakeRoom());
    Branch& b = branch();
    const size_t events = b.log->size() - b.line.back()->position.event;
    const bool by_events = options_.interval_events > 0 && events >= options_.interval_events;
    if (!by_events && !IsTimeForCheckpoint(b, b.tip->CpuTimeNs(), true)) return {};
  }
  Result<std::shared_ptr<Checkpoint>> made =
      CheckpointLive(async ? CheckpointReason::kSignal : CheckpointReason::kInterval, async);
  if (made.ok()) return {};
  if (async || made.error().code != "forkRefused") return std::move(made).error();
  last_checkpoint_ns_ = branch().tip->CpuTimeNs();
  cost_.making_ns = std::max(cost_.making_ns, kRefusedCostNs);
  AllowFewerProcesses();
  if (!std::exchange(refusal_warned_, true))
    options_.notice("warning", made.error().message + " " + made.error().remedy +
                                   " The program goes on; going back will take longer.");
  return {};
}

// Going back needs a few processes of its own, now and whenever the limit is met.
// False: no checkpoint can be spared.
bool Engine::AllowFewerProcesses() {
  constexpr size_t kProcessesForASearch = 8;
  constexpr size_t kFewest = 2;
  const size_t before = branch().line.size();
  max_checkpoints_ = std::max(kFewest, before - std::min(before, kProcessesForASearch));
  Thin();
  return branch().line.size() < before;
}

// The same where going back has been refused: what is only kept to be quick is given up, too.
bool Engine::MakeRoomForProcesses() {
  const bool kept_for_speed = step_window_ || counted_step_ || preparation_;
  step_window_.reset();
  counted_step_.reset();
  preparation_.reset();
  const bool fewer = AllowFewerProcesses();
  Tracee::AwaitDying();
  CF_LOG(logger, kInfo, "the kernel refuses another process: %zu checkpoints are left", branch().line.size());
  return fewer || kept_for_speed;
}

// -- How much --------------------------------------------------------------------------------

// Of `pages`, written or mapped anew since the last checkpoint, those that hold
// anything now or did then. Only looked at where much was mapped: sanitizers
// and garbage collectors reserve terabytes, and use little of them.
PageSet Engine::Touched(const Branch& b, PageSet pages) const {
  constexpr uint64_t kMuchBytes = uint64_t{256} << 20;
  if (TotalBytes(pages) < kMuchBytes) return pages;
  PageSet touched;
  std::vector<pid_t> pids{b.tip->pid()};
  if (!b.line.empty()) pids.push_back(b.line.back()->process->pid());
  for (pid_t pid : pids) {
    Result<Pagemap> pagemap = Pagemap::Open(pid);
    if (!pagemap.ok()) return pages;
    Result<PageSet> populated = pagemap.value().Populated(pages);
    if (!populated.ok()) return pages;
    touched = Union(touched, populated.value());
  }
  return touched;
}

Result<PageSet> Engine::TipPages(Branch& b) {
  CF_TRY_ASSIGN(PageSet pages, b.dirty->Collect(false));
  return Union(Union(Touched(b, std::move(pages)), b.carried), b.recorder->shared_memory().pages());
}

// Of `pages`, what `checkpoint` holds: elsewhere there was nothing when it was made.
PageSet Engine::HeldBy(const Checkpoint& checkpoint, const PageSet& pages) {
  Result<Pagemap> pagemap = Pagemap::Open(checkpoint.process->pid());
  if (!pagemap.ok()) return pages;
  Result<PageSet> held = pagemap.value().Populated(pages);
  return held.ok() ? Intersect(held.value(), pages) : pages;
}

void Engine::SetKept(Checkpoint& checkpoint, PageSet kept) {
  checkpoint.kept_bytes = TotalBytes(kept);
  checkpoint.kept = std::move(kept);
}

// The former contents that line[index] keeps for those behind it.
uint64_t Engine::PrivateBytesOf(const Branch& b, size_t index) const {
  return kProcessBytes + (index + 1 < b.line.size() ? b.line[index + 1]->kept_bytes : b.tail.bytes);
}

uint64_t Engine::UsedBytes() const {
  std::set<const Checkpoint*> seen;
  uint64_t total = 0;
  for (const auto& b : branches_) {
    for (const auto& checkpoint : b->line)
      if (seen.insert(checkpoint.get()).second) total += kProcessBytes + checkpoint->kept_bytes;
    total += b->tail.bytes;
  }
  return total;
}

// What goes when line[index] goes, but for its neighbours' share.
uint64_t Engine::FreedBytes(const Branch& b, size_t index) const {
  if (index + 1 >= b.line.size()) return 0;
  return kProcessBytes + TotalBytes(Intersect(b.line[index + 1]->kept, b.line[index]->pages));
}

// -- Which -----------------------------------------------------------------------------------

bool Engine::MustStay(const Branch& b, size_t index) const {
  const Checkpoint& c = *b.line[index];
  // What stands before a barrier is where the line before it ends.
  return index == 0 || c.pinned || c.barrier || (index + 1 < b.line.size() && b.line[index + 1]->barrier) ||
         b.line[index] == in_use_;
}

std::vector<int64_t> Engine::ChooseToThin(const Branch& b) const {
  std::vector<RetentionCandidate> candidates;
  const uint64_t used = UsedBytes();
  const bool too_big = used > budget_bytes_;
  if (!too_big && b.line.size() <= max_checkpoints_) return {};
  for (size_t i = 0; i < b.line.size(); ++i) {
    RetentionCandidate candidate;
    candidate.id = b.line[i]->id;
    candidate.order = static_cast<int64_t>(i);
    candidate.time_ms = static_cast<double>(b.line[i]->time_ns) / 1e6;
    candidate.private_bytes = too_big ? FreedBytes(b, i) : 0;
    candidate.pinned = MustStay(b, i);
    candidate.is_present = b.id == branch_ && i == base_;
    candidates.push_back(candidate);
  }
  const double now_ms = b.tip && !b.tip->gone() ? static_cast<double>(b.tip->CpuTimeNs()) / 1e6 : 0;
  return ChooseCheckpointsToDelete(candidates, {budget_bytes_, max_checkpoints_, used}, now_ms);
}

void Engine::Thin() {
  for (auto& b : branches_) {
    // One at a time: what the next would free is known when this one is gone.
    for (auto doomed = ChooseToThin(*b); !doomed.empty(); doomed = ChooseToThin(*b))
      if (!DeleteCheckpoint(static_cast<int>(doomed.front())).ok()) break;
  }
  if (UsedBytes() > budget_bytes_) WarnOfBudget();
}

void Engine::WarnOfBudget() {
  if (std::exchange(thin_warned_, true)) return;
  options_.notice("warning",
                  "The memory for checkpoints is used up by pinned ones and by what the program has written since the "
                  "last. Raise checkpoints.memoryMb, or delete bookmarks.");
}

// -- In time ---------------------------------------------------------------------------------

// While it runs: by estimate.
bool Engine::IsOverBudget() const {
  if (no_room_ || given_up_) return false;
  return UsedBytes() + copied_since_look_ * kPageBytes > budget_bytes_;
}

// The live process stands, and may have written to more than there is room for.
// Older checkpoints go first. If what it has written since the newest is too
// much by itself, the newest go, backwards, up to one that does not hold it: the
// next one is made when it is due.
Result<void> Engine::MakeRoom() {
  Branch& b = branch();
  if (!IsOverBudget()) return {};
  CF_TRY_ASSIGN(PageSet written, TipPages(b));
  auto measure = [&](const PageSet& pages, const Checkpoint& newest) {
    b.tail = {TotalBytes(HeldBy(newest, pages)), ReadFaultCounts(b.tip->pid())};
    copied_since_look_ = 0;
  };
  measure(written, *b.line.back());
  if (b.tail.bytes <= budget_bytes_) Thin();
  if (UsedBytes() <= budget_bytes_) return {};

  // Would it help? What must stay may hold all of it.
  size_t last = b.line.size() - 1;
  PageSet since = written;
  while (!MustStay(b, last)) since = Union(since, b.line[last--]->pages);
  const uint64_t least = TotalBytes(HeldBy(*b.line[last], since));
  no_room_ = true;
  if (last + 1 == b.line.size() || (least > budget_bytes_ && least >= b.tail.bytes)) {
    Thin();
    return {};
  }
  while (UsedBytes() > budget_bytes_ && b.line.size() - 1 > last) {
    written = Union(written, b.line.back()->pages);
    GiveUpNewest(b);
    measure(written, *b.line.back());
    given_up_ = true;
  }
  Thin();
  no_room_ = UsedBytes() > budget_bytes_;
  CF_LOG(logger, kInfo, "checkpoints given up for memory: %zu are left, %zu KiB", b.line.size(),
         static_cast<size_t>(UsedBytes() / 1024));
  WarnOfBudget();
  options_.changed();
  return {};
}

// The live process has moved on from it. What was written before it counts as
// written since the one before.
void Engine::GiveUpNewest(Branch& b) {
  const std::shared_ptr<Checkpoint> newest = b.line.back();
  b.carried = Union(b.carried, newest->pages);
  b.line.pop_back();
  b.tip_at_last = at_base_ = false;
  base_ = std::min(base_, b.line.size() - 1);
  if (!FindCheckpoint(newest->id)) return;
  // Another branch has it in its line.
  static_cast<void>(DeleteCheckpoint(newest->id));
}

std::shared_ptr<Checkpoint> Engine::FindCheckpoint(int id) {
  for (auto& b : branches_)
    for (auto& c : b->line)
      if (c->id == id) return c;
  return nullptr;
}

Result<void> Engine::DeleteCheckpoint(int id) {
  std::shared_ptr<Checkpoint> checkpoint = FindCheckpoint(id);
  if (!checkpoint) return Error{"noSuchCheckpoint", "That checkpoint no longer exists.", "", 0, 0};
  if (branch().line[base_]->id == id)
    return Error{"checkpointInUse", "The present was reached from this checkpoint.",
                 "Go elsewhere first, then delete it.", 0, 0};
  if (branches_[0]->line.front()->id == id)
    return Error{"checkpointInUse", "The first checkpoint is the beginning of the recording and cannot be deleted.", "",
                 0, 0};
  for (auto& b : branches_) {
    auto at = std::find(b->line.begin(), b->line.end(), checkpoint);
    if (at != b->line.end() && at + 1 != b->line.end() && (*(at + 1))->barrier)
      return Error{"checkpointInUse",
                   "Something was changed by hand right after this checkpoint: the time before ends here.", "", 0, 0};
  }
  for (auto& b : branches_) {
    auto& line = b->line;
    auto at = std::find(line.begin(), line.end(), checkpoint);
    if (at == line.end()) continue;
    size_t index = static_cast<size_t>(at - line.begin());
    if (index + 1 < line.size()) {
      Checkpoint& next = *line[index + 1];
      // Written after it for the first time: the one before it has held that since, too.
      SetKept(next, Union(checkpoint->kept, Subtract(next.kept, checkpoint->pages)));
      next.pages = Union(next.pages, checkpoint->pages);
    } else {
      // The live process goes on from it: what was written before it is written since the one before.
      b->carried = Union(b->carried, checkpoint->pages);
      b->tail.bytes += checkpoint->kept_bytes;
      b->tip_at_last = false;
    }
    line.erase(at);
    if (b->id == branch_ && index < base_) --base_;
  }
  options_.changed();
  return {};
}

Result<void> Engine::ChangeCheckpoint(int id, std::optional<bool> pinned, std::optional<std::string> name) {
  std::shared_ptr<Checkpoint> checkpoint = FindCheckpoint(id);
  if (!checkpoint) return Error{"noSuchCheckpoint", "That checkpoint no longer exists.", "", 0, 0};
  if (pinned) checkpoint->pinned = *pinned;
  if (name) checkpoint->name = *name;
  options_.changed();
  return {};
}

}  // namespace chronofork
