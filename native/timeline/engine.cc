// The present, its checkpoints, and the moves between live and replay.
#include "timeline/engine.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "checkpoint/pagemap.h"
#include "checkpoint/retention.h"
#include "tracee/children.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("timeline");

// Checkpointing may take this share of the run time (the interval grows beyond it).
constexpr double kCheckpointShare = 0.05;
// The faults and the copy when a page is written for the first time after a
// checkpoint; 3.7 µs were measured in a virtual machine.
constexpr double kCopyOnWriteNs = 3500;
// A stop that lasts this long was seen by a person, and becomes a checkpoint.
constexpr auto kSeenByAPerson = std::chrono::milliseconds(25);

uint64_t FreeMemoryBytes() {
  std::string text = ReadProcText(::getpid(), "../meminfo");
  size_t at = text.find("MemAvailable:");
  return at == std::string::npos ? uint64_t{1} << 30 : std::strtoull(text.c_str() + at + 13, nullptr, 10) * 1024;
}

class RemoteHost : public DirtyPagesHost {
 public:
  explicit RemoteHost(Tracee& tracee) : tracee_(tracee) {}
  pid_t pid() const override { return tracee_.pid(); }
  Result<int64_t> Syscall(long number, std::array<uint64_t, 6> arguments) override {
    return tracee_.Syscall(number, arguments);
  }
  Result<void> Read(TraceeAddress address, std::span<std::byte> out) override {
    return tracee_.memory().Read(address, out);
  }
  Result<void> Write(TraceeAddress address, std::span<const std::byte> bytes) override {
    return tracee_.memory().Write(address, bytes);
  }
  TraceeAddress ScratchArea() override { return kScratchArea; }

 private:
  Tracee& tracee_;
};

}  // namespace

const char* CheckpointReasonName(CheckpointReason reason) {
  static const char* const kNames[] = {"start",  "interval", "stop", "user",  "bookmark",
                                       "signal", "search",   "edit", "branch"};
  return kNames[static_cast<int>(reason)];
}

Result<std::unique_ptr<DirtyPages>> WatchPages(Tracee& tracee) {
  CF_TRY_ASSIGN(DirtyWay way, ChooseDirtyWay());
  RemoteHost host(tracee);
  CF_TRY_ASSIGN(std::unique_ptr<DirtyPages> dirty, DirtyPages::Attach(way, host));
  CF_TRY(dirty->Reset());
  return dirty;
}

Engine::Engine(EngineOptions options) : options_(std::move(options)), arena_(std::make_shared<EventLog::Arena>()) {
  budget_bytes_ = options_.budget_bytes ? options_.budget_bytes : FreeMemoryBytes() / 4;
  effective_interval_ns_ = options_.interval_ms * 1e6;
}

Engine::~Engine() { LetGo(false); }

// Tracer and tracee take turns: on one CPU a stop costs a third (7 µs against 44 µs in a VM).
void Engine::PinToOneCpu(pid_t with) {
  cpu_ = ::sched_getcpu();
  cpu_set_t set;
  if (with != 0 && ::sched_getaffinity(with, sizeof set, &set) == 0 && !CPU_ISSET(static_cast<size_t>(cpu_), &set))
    for (int cpu : OriginalCpus())
      if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpu_ = cpu;
  CPU_ZERO(&set);
  CPU_SET(cpu_, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

Result<pid_t> Engine::Launch(LaunchSpec spec) {
  BecomeTracerThread();
  PinToOneCpu();
  spec.cpu = cpu_;
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> live, Tracee::Launch(spec));
  visible_cpus_ = OriginalCpus();
  CF_TRY(BeginRecording(std::move(live)));
  return pid_;
}

RecordOptions Engine::OptionsForRecording() {
  RecordOptions record;
  record.visible_cpus = visible_cpus_;
  if (attached_) record.rseq_cpu = cpu_;
  record.notice = [this](const std::string& text) { options_.notice("warning", text); };
  return record;
}

Result<void> Engine::BeginRecording(std::unique_ptr<Tracee> live) {
  auto root = std::make_unique<Branch>();
  root->log = std::make_unique<EventLog>(arena_);
  root->tip = std::move(live);
  pid_ = root->tip->process_id();
  if (options_.follow_children)
    ChildProcesses::Follow({options_.child_parked, [this](const std::string& text) { options_.notice("info", text); }});
  root->recorder = std::make_unique<Recorder>(*root->tip, *root->log, OptionsForRecording());
  branches_.push_back(std::move(root));
  Branch& b = branch();
  CF_TRY(b.recorder->PatchAllExecutable());
  if (attached_) b.recorder->TakeOverSharing();
  CF_TRY_ASSIGN(b.dirty, WatchPages(*b.tip));
  b.recorder->dirty_pages = b.dirty.get();
  last_stop_.tid = present_tid();
  PresentMoved();
  CF_TRY(CheckpointLive(CheckpointReason::kStart, true));
  at_base_ = true;
  return {};
}

Tracee& Engine::process() { return replay_ ? replay_->process() : *branch().tip; }

const Tracee* Engine::process_or_null() const {
  if (replay_) return &replay_->process();
  return branches_.empty() ? nullptr : branches_[static_cast<size_t>(branch_)]->tip.get();
}

pid_t Engine::present_tid() const {
  if (replay_) return replay_->thread();
  const Branch& b = *branches_[static_cast<size_t>(branch_)];
  return b.recorder ? b.recorder->thread() : pid_;
}

const ThreadContexts& Engine::other_threads() {
  return replay_ ? replay_->others() : branch().recorder->OtherThreads();
}

const std::map<TraceeAddress, std::byte>& Engine::Patched() {
  return replay_ ? replay_->patched() : branch().recorder->patched();
}

Position Engine::LivePosition() {
  Branch& b = branch();
  Position position;
  position.event = b.log->size();
  position.registers = b.tip->registers();
  position.kind = b.recorder->at_syscall()   ? Position::Kind::kAtSyscall
                  : b.recorder->AtEventEnd() ? Position::Kind::kEventEnd
                                             : Position::Kind::kComputing;
  position.thread = b.recorder->thread();
  position.alternate_stack = b.recorder->alternate_stack();
  position.others = b.recorder->OtherThreads();
  position.shared = b.recorder->shared_memory().pages();
  return position;
}

Position Engine::PresentPosition() { return replay_ ? replay_->position() : LivePosition(); }

uint64_t Engine::PresentTimeNs() {
  if (!replay_) return branch().tip->CpuTimeNs();
  size_t event = replay_->event();
  uint64_t base_time = branch().line[base_]->time_ns;
  return event > 0 ? std::max(base_time, branch().log->TimeOf(event - 1)) : base_time;
}

siginfo_t Engine::PresentSiginfo() const {
  if (present_siginfo_) return *present_siginfo_;
  siginfo_t info{};
  info.si_signo = SIGTRAP;
  info.si_code = TRAP_BRKPT;
  return info;
}

void Engine::PresentMoved() {
  // One moment has one number, however often it is returned to.
  present_moment_ = replay_ && at_base_ ? branch().line[base_]->moment : next_moment_++;
  if (!replay_) branch().tip_moment = present_moment_;
  stopped_at_ = std::chrono::steady_clock::now();
  options_.changed();
}

// -- Checkpoints ---------------------------------------------------------------------

void Engine::Insert(std::shared_ptr<Checkpoint> checkpoint, size_t index) {
  Branch& b = branch();
  b.line.insert(b.line.begin() + static_cast<long>(index), std::move(checkpoint));
  Thin();
  options_.changed();
}

Result<std::shared_ptr<Checkpoint>> Engine::CheckpointLive(CheckpointReason reason, bool pinned) {
  Branch& b = branch();
  auto begun = std::chrono::steady_clock::now();
  auto checkpoint = std::make_shared<Checkpoint>();
  checkpoint->position = LivePosition();
  checkpoint->time_ns = b.tip->CpuTimeNs();
  CF_TRY_ASSIGN(PageSet pages, b.dirty->Collect(true));
  b.carried = Union(b.carried, Touched(b, std::move(pages)));
  CF_TRY_ASSIGN(checkpoint->process, b.tip->Fork());
  CF_TRY(b.recorder->shared_memory().MakePrivate(*checkpoint->process));
  checkpoint->pages = Union(std::exchange(b.carried, {}), b.recorder->shared_memory().pages());
  if (inserted_in_live_)
    for (const auto& [address, original] : inserted_)
      CF_TRY(checkpoint->process->memory().WriteValue(address, original));
  checkpoint->descriptors = ReadDescriptors(b.tip->pid());
  // The first checkpoint is what the program was started with; of one that was
  // attached to, only its first three descriptors are that.
  DescriptorTable inherited =
      branches_[0]->line.empty() ? checkpoint->descriptors : branches_[0]->line.front()->descriptors;
  if (attached_) std::erase_if(inherited, [](const auto& entry) { return entry.first > 2; });
  CF_TRY(LetGoOfDescriptors(*checkpoint->process, checkpoint->descriptors, inherited));
  checkpoint->id = next_id_++;
  checkpoint->moment = present_moment_ && b.tip_moment == present_moment_ && reason != CheckpointReason::kInterval
                           ? present_moment_
                           : next_moment_++;
  checkpoint->branch = b.id;
  checkpoint->reason = reason;
  checkpoint->pinned = pinned;
  checkpoint->patched = b.recorder->patched();
  checkpoint->barrier = reason == CheckpointReason::kEdit;
  base_ = b.line.size();
  b.line.push_back(checkpoint);
  b.tip_at_last = true;
  Thin();
  const double made_ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begun).count();
  // The program pays once more as it goes on: each page that it writes is copied first.
  const double later_ns = kCopyOnWriteNs * static_cast<double>(TotalBytes(checkpoint->pages) / kPageBytes);
  // On a busy machine a checkpoint is sometimes interrupted for a tenth of a second; that one alone must not leave
  // seconds without checkpoints behind it, so the cost that is believed at most doubles from one to the next.
  checkpoint_cost_ns_ = std::min(made_ns, 2 * checkpoint_cost_ns_);
  effective_interval_ns_ = std::max(options_.interval_ms * 1e6, (checkpoint_cost_ns_ + later_ns) / kCheckpointShare);
  last_checkpoint_ns_ = b.tip->CpuTimeNs();
  CF_LOG(logger, kInfo, "checkpoint %d (%s) at event %zu, %zu KiB dirty, %.2f ms", checkpoint->id,
         CheckpointReasonName(reason), checkpoint->position.event,
         static_cast<size_t>(TotalBytes(checkpoint->pages) / 1024), made_ns / 1e6);
  options_.changed();
  return checkpoint;
}

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

// A checkpoint while the program runs. If the kernel refuses it, the program
// goes on: going back will take longer, and older checkpoints make room.
Result<void> Engine::CheckpointOnTheWay(bool async) {
  Result<std::shared_ptr<Checkpoint>> made =
      CheckpointLive(async ? CheckpointReason::kSignal : CheckpointReason::kInterval, async);
  if (made.ok()) return {};
  if (async || made.error().code != "forkRefused") return std::move(made).error();
  last_checkpoint_ns_ = branch().tip->CpuTimeNs();
  effective_interval_ns_ *= 2;
  // Going back needs a few processes of its own, now and whenever the limit is met.
  constexpr size_t kProcessesForASearch = 8;
  constexpr size_t kFewest = 2;
  max_checkpoints_ = std::max(kFewest, branch().line.size() - std::min(branch().line.size(), kProcessesForASearch));
  Thin();
  if (!std::exchange(refusal_warned_, true))
    options_.notice("warning", made.error().message + " " + made.error().remedy +
                                   " The program goes on; going back will take longer.");
  return {};
}

// What deleting line[index] would free: the pages that were written after it,
// whose former contents it alone keeps, and its page tables (8 bytes a page).
uint64_t Engine::PrivateBytesOf(const Branch& b, size_t index) const {
  uint64_t bytes = 64 * 1024;  // kernel objects of a process
  if (index + 1 < b.line.size()) return bytes + TotalBytes(b.line[index + 1]->pages);
  return bytes;
}

uint64_t Engine::UsedBytes() const {
  std::map<const Checkpoint*, uint64_t> seen;
  for (const auto& b : branches_)
    for (size_t i = 0; i < b->line.size(); ++i) seen[b->line[i].get()] = PrivateBytesOf(*b, i);
  uint64_t total = 0;
  for (const auto& [checkpoint, bytes] : seen) total += bytes;
  return total;
}

void Engine::Thin() {
  for (auto& b : branches_) {
    std::vector<RetentionCandidate> candidates;
    for (size_t i = 0; i < b->line.size(); ++i) {
      const Checkpoint& c = *b->line[i];
      RetentionCandidate candidate;
      candidate.id = c.id;
      candidate.order = static_cast<int64_t>(i);
      candidate.time_ms = static_cast<double>(c.time_ns) / 1e6;
      candidate.private_bytes = PrivateBytesOf(*b, i);
      // What stands before a barrier is where the line before it ends.
      bool before_barrier = i + 1 < b->line.size() && b->line[i + 1]->barrier;
      candidate.pinned = c.pinned || c.barrier || before_barrier;
      candidate.is_present = (b->id == branch_ && i == base_) || b->line[i] == in_use_;
      candidates.push_back(candidate);
    }
    double now_ms = b->tip && !b->tip->gone() ? static_cast<double>(b->tip->CpuTimeNs()) / 1e6 : 0;
    auto doomed = ChooseCheckpointsToDelete(candidates, {budget_bytes_, max_checkpoints_}, now_ms);
    for (int64_t id : doomed) static_cast<void>(DeleteCheckpoint(static_cast<int>(id)));
    if (!doomed.empty() || thin_warned_ || UsedBytes() <= budget_bytes_) continue;
    thin_warned_ = true;
    options_.notice(
        "warning",
        "The memory for checkpoints is used up by pinned ones and by what the program has written since the "
        "last. Raise checkpoints.memoryMb, or delete bookmarks.");
  }
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
    if (index + 1 < line.size()) line[index + 1]->pages = Union(line[index + 1]->pages, checkpoint->pages);
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

Result<std::shared_ptr<Checkpoint>> Engine::CreateCheckpoint(CheckpointReason reason, const std::string& name) {
  std::shared_ptr<Checkpoint> checkpoint;
  if (edited_)
    return Error{"editedPresent", "The present was changed by hand and does not belong to the recording.",
                 "Run on from here first; then a checkpoint can be made on the new branch.", 0, 0};
  if (at_base_ && (replay_ || !barrier_wanted_)) {
    checkpoint = branch().line[base_];
    if (checkpoint->reason == CheckpointReason::kInterval || checkpoint->reason == CheckpointReason::kStop ||
        checkpoint->reason == CheckpointReason::kSearch)
      checkpoint->reason = reason;
  } else if (!replay_) {
    CF_TRY_ASSIGN(checkpoint, CheckpointLive(barrier_wanted_ ? CheckpointReason::kEdit : reason, false));
    barrier_wanted_ = false;
    at_base_ = true;
  } else {
    checkpoint = std::make_shared<Checkpoint>();
    CF_TRY_ASSIGN(checkpoint->pages, ExclusivePages(replay_->process().pid()));
    CF_TRY_ASSIGN(checkpoint->process, replay_->Copy());
    checkpoint->position = replay_->position();
    checkpoint->time_ns = PresentTimeNs();
    checkpoint->id = next_id_++;
    checkpoint->moment = present_moment_;
    checkpoint->branch = branch_;
    checkpoint->reason = reason;
    checkpoint->patched = replay_->patched();
    checkpoint->descriptors = branch().line[base_]->descriptors;
    for (size_t i = branch().line[base_]->position.event; i < replay_->event(); ++i)
      CarryForward(checkpoint->descriptors, branch().log->at(i));
    ++base_;
    at_base_ = true;
    Insert(checkpoint, base_);
  }
  if (reason == CheckpointReason::kBookmark) checkpoint->pinned = true;
  if (!name.empty()) checkpoint->name = name;
  options_.changed();
  return checkpoint;
}

// -- Moving the present -----------------------------------------------------------------

EndMarker Engine::MarkerOf(size_t index) {
  Checkpoint& c = *branch().line[index];
  return {c.position, c.process.get(), c.pages};
}

EndMarker Engine::PresentMarker() {
  EndMarker marker{PresentPosition(), &process(), {}};
  if (edited_ && pristine_) {
    marker.position = pristine_position_;
    marker.reference = pristine_.get();
  }
  Result<PageSet> pages = replay_ ? ExclusivePages(process().pid()) : TipPages(branch());
  marker.reference_pages = pages.ok() ? std::move(pages).value() : MakePageSet({});
  if (!pages.ok())
    for (const Mapping& m : ReadMappings(process().pid()))
      if (m.writable && !m.shared) marker.reference_pages = Union(marker.reference_pages, MakePageSet({m.range}));
  return marker;
}

Result<std::unique_ptr<Replayer>> Engine::ReplayFrom(size_t index) {
  Checkpoint& c = *branch().line[index];
  return ReplayOf(c, c.id);
}

Result<std::unique_ptr<Replayer>> Engine::ReplayOf(Checkpoint& c, int from) {
  if (c.process->gone())
    return Error{"checkpointLost", "A checkpoint was killed from outside.",
                 "The machine is probably out of memory: lower checkpoints.memoryMb.", 0, c.process->pid()};
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, c.process->Fork());
  auto replayer = std::make_unique<Replayer>(std::move(copy), *branch().log, c.position, c.patched);
  replayer->async_reference = [this, start = from](size_t event) -> std::optional<EndMarker> {
    PageSet pages;
    bool after_start = false;
    std::optional<EndMarker> marker;
    const GeneralRegisters* struck_at = branch().log->at(event).registers.get();
    for (auto& candidate : branch().line) {
      if (after_start) pages = Union(pages, candidate->pages);
      after_start = after_start || candidate->id == start;
      // An earlier one in the same gap was for something that came to nothing.
      const bool kept_for_it = candidate->reason == CheckpointReason::kSignal || candidate->pinned;
      if (kept_for_it && candidate->position.event == event && struck_at &&
          DigestOf(candidate->position.registers) == DigestOf(*struck_at))
        marker = EndMarker{candidate->position, candidate->process.get(), pages};
    }
    return marker;
  };
  return replayer;
}

// A replay that is left behind is worth keeping: it already stands where
// somebody looked.
void Engine::KeepPresentAsCheckpoint() {
  if (!replay_ || edited_ || at_base_ || passing_) return;
  Result<PageSet> pages = ExclusivePages(replay_->process().pid());
  if (!pages.ok()) return;
  auto checkpoint = std::make_shared<Checkpoint>();
  checkpoint->pages = std::move(pages).value();
  checkpoint->position = replay_->position();
  checkpoint->time_ns = PresentTimeNs();
  checkpoint->id = next_id_++;
  checkpoint->moment = present_moment_;
  checkpoint->branch = branch_;
  checkpoint->reason = CheckpointReason::kStop;
  checkpoint->patched = replay_->patched();
  checkpoint->descriptors = branch().line[base_]->descriptors;
  for (size_t i = branch().line[base_]->position.event; i < replay_->event(); ++i)
    CarryForward(checkpoint->descriptors, branch().log->at(i));
  checkpoint->process = replay_->Release();
  size_t index = base_ + 1;
  replay_.reset();
  base_ = index;
  at_base_ = true;
  Insert(std::move(checkpoint), index);
}

void Engine::SetReplay(std::unique_ptr<Replayer> replay, size_t base, bool at_base) {
  replay_ = std::move(replay);
  base_ = base;
  at_base_ = at_base;
  edited_ = in_call_ = passing_ = false;
  pristine_.reset();
  edits_.clear();
  present_siginfo_.reset();
  PresentMoved();
}

void Engine::GoLive() {
  replay_.reset();
  base_ = branch().line.size() - 1;
  at_base_ = false;
  edited_ = in_call_ = passing_ = false;
  pristine_.reset();
  edits_.clear();
  present_siginfo_.reset();
  present_moment_ = branch().tip_moment;
  stopped_at_ = std::chrono::steady_clock::now();
  options_.changed();
}

void Engine::RequestInterrupt() {
  interrupt_wanted.store(true);
  if (Recorder* recorder = running_recorder_.load())
    recorder->RequestInterrupt();
  else
    WakeTracer();
}

Error Engine::Gone() { return Error{"debuggeeGone", "The program was killed from outside.", "", 0, pid_}; }

StopReply Engine::Resume(const ResumeRequest& request) {
  const bool backwards = request.kind == ResumeKind::kReverseContinue || request.kind == ResumeKind::kReverseStep;
  present_siginfo_.reset();
  if (!replay_ && !at_base_ && !barrier_wanted_ && branch().end.kind == EndState::Kind::kRunning &&
      std::chrono::steady_clock::now() - stopped_at_ > kSeenByAPerson && !backwards) {
    Result<std::shared_ptr<Checkpoint>> kept = CheckpointLive(CheckpointReason::kStop, false);
    if (!kept.ok()) options_.notice("warning", kept.error().message + " " + kept.error().remedy);
  }
  if (!backwards) preparation_.reset();
  last_stop_ = RunForward(request);
  preparation_.reset();
  last_stop_.tid = present_tid();
  Disarm();  // whoever armed hears of it, whatever became of the resume
  interrupt_wanted.store(false);
  cancel_wanted.store(false);
  return last_stop_;
}

void Engine::ForgetWishes() {
  interrupt_wanted.store(false);
  cancel_wanted.store(false);
}

void Engine::Disarm() {
  armed_.reset();
  OperationResult cancelled;
  cancelled.outcome = OperationResult::Outcome::kCancelled;
  if (auto done = std::exchange(armed_done_, nullptr)) done(cancelled);
}

void Engine::Arm(TimeOperation operation, std::function<void(OperationResult)> done) {
  Disarm();
  armed_ = std::move(operation);
  armed_done_ = std::move(done);
}

void Engine::LetGo(bool let_exit) {
  if (attached_) static_cast<void>(Detach());
  preparation_.reset();
  replay_.reset();
  pristine_.reset();
  for (auto& b : branches_) {
    b->line.clear();
    b->recorder.reset();
    b->dirty.reset();
    bool leaves = let_exit && b->id == branch_ && b->tip && !b->tip->gone() && b->end.kind == EndState::Kind::kExited;
    if (leaves && b->tip->Resume(ResumeMode::kContinue).ok()) {
      // It stands at exit_group: one resume makes the call, whose stop is passed on.
      for (std::optional<Stop> stop = b->tip->Wait(); stop && stop->kind != Stop::Kind::kGone; stop = b->tip->Wait())
        if (!b->tip->Resume(ResumeMode::kContinue).ok()) break;
    }
    b->tip.reset();
  }
  ChildProcesses::KillAll();
  branches_.clear();
}

}  // namespace chronofork
