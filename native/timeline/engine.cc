// The present, its checkpoints, and the moves between live and replay.
#include "timeline/engine.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "tracee/children.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("timeline");

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

const TrapBytes& Engine::Patched() { return replay_ ? replay_->patched() : branch().recorder->patched(); }

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

uint64_t Engine::PresentRunNs() { return replay_ ? replay_->TimeNs() : branch().tip->CpuTimeNs(); }

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
  SetKept(*checkpoint, checkpoint->pages);
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
  if (!b.line.empty()) SetKept(*checkpoint, HeldBy(*b.line.back(), checkpoint->pages));
  base_ = b.line.size();
  b.line.push_back(checkpoint);
  b.tip_at_last = true;
  b.tail = {0, ReadFaultCounts(b.tip->pid())};
  Thin();
  const double made_ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begun).count();
  NoteCheckpointMade(b, made_ns);
  CF_LOG(logger, kInfo, "checkpoint %d (%s) at event %zu, %zu KiB dirty, %.2f ms", checkpoint->id,
         CheckpointReasonName(reason), checkpoint->position.event,
         static_cast<size_t>(TotalBytes(checkpoint->pages) / 1024), made_ns / 1e6);
  options_.changed();
  return checkpoint;
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
    // More than since the last copy that was kept, if that is in the line: too much is never wrong.
    CF_TRY_ASSIGN(checkpoint->pages, replay_->Written());
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
  Result<PageSet> pages = replay_ ? replay_->Written() : TipPages(branch());
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
  branch().recorder->TellOfChangedFiles();
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, c.process->Fork());
  auto replayer = std::make_unique<Replayer>(std::move(copy), *branch().log, c.position, c.patched);
  replayer->set_began_at_ns(c.time_ns);
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

namespace {

// What `replay` has written, which can only be among `interval`, what the recording wrote in all of it. Looking
// there alone is far quicker than at all of a large process; proofs of arrival look everywhere.
Result<PageSet> WrittenWithin(Replayer& replay, const Result<PageSet>& interval) {
  if (!interval.ok() || replay.process().has_own_memory()) return replay.Written();
  return replay.WrittenIn(interval.value());
}

}  // namespace

// A replay that is left behind is worth keeping: it already stands where
// somebody looked.
void Engine::KeepPresentAsCheckpoint() {
  if (!replay_ || edited_ || at_base_ || passing_) return;
  Branch& b = branch();
  const bool is_last = base_ + 1 == b.line.size();
  Result<PageSet> pages = WrittenWithin(*replay_, is_last ? TipPages(b) : Result<PageSet>(b.line[base_ + 1]->pages));
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
  Tracee::AwaitDying();
}

}  // namespace chronofork
