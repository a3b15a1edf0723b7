// The tracer thread's queue, and the view of the timeline that anybody may read.
#include "timeline/timeline.h"

#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <future>

#include "base/log.h"
#include "timeline/libraries.h"
#include "tracee/children.h"
#include "tracee/tracer_thread.h"

namespace chronofork {
namespace {

Log logger("timeline");

// How often the debuggee's children are served while it stands still.
constexpr auto kIdlePoll = std::chrono::milliseconds(5);

// While the program runs events are looked at between two of its stops: a millisecond at most.
constexpr size_t kLookedAtOnTheWay = 20'000;

// After a stop gdb and the editor ask for what they show; then nobody asks any more.
constexpr auto kSettled = std::chrono::milliseconds(30);

Error NotRunning() { return Error{"noDebuggee", "There is no program being debugged.", "", 0, 0}; }

bool SameLibraries(const TargetLibraries& a, const TargetLibraries& b) {
  if (a.libraries.size() != b.libraries.size()) return false;
  for (size_t i = 0; i < a.libraries.size(); ++i)
    if (a.libraries[i].link_map != b.libraries[i].link_map || a.libraries[i].path != b.libraries[i].path) return false;
  return true;
}

}  // namespace

Timeline::Timeline(EngineOptions options) : options_(std::move(options)), thread_([this] { Loop(); }) {}

Timeline::~Timeline() {
  Dispose(false);
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Timeline::Loop() {
  BecomeTracerThread();
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      const auto idle_since = std::chrono::steady_clock::now();
      while (tasks_.empty() && !stopping_) {
        const bool children = (engine_ && ChildProcesses::Count() > 0) || TracerThread::AnyDying();
        const bool unprepared = engine_ && unprepared_;
        if (children || unprepared)
          wake_.wait_for(lock, children ? kIdlePoll : kSettled);
        else
          wake_.wait(lock);
        if (!tasks_.empty() || stopping_) break;
        if (children) TracerThread::Poll();
        if (!unprepared || std::chrono::steady_clock::now() - idle_since < kSettled) continue;
        lock.unlock();
        Prepare();
        lock.lock();
      }
      if (tasks_.empty()) break;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
    if (engine_ && ChildProcesses::Count() > 0) TracerThread::Poll();
  }
  engine_.reset();
  ResignAsTracerThread();
}

// Copies towards the present, for the first step back from here.
void Timeline::Prepare() {
  preparing_.store(true);
  unprepared_ = !engine_->Prepare([this] { return Busy(); });
  preparing_.store(false);
}

bool Timeline::Busy() {
  std::lock_guard lock(mutex_);
  return !tasks_.empty() || stopping_;
}

void Timeline::Post(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
  if (preparing_.load()) WakeTracer();
}

template <typename F>
auto Timeline::Call(F work) -> decltype(work()) {
  auto task = std::make_shared<std::packaged_task<decltype(work())()>>(std::move(work));
  auto future = task->get_future();
  Post([task] { (*task)(); });
  return future.get();
}

Result<pid_t> Timeline::Launch(LaunchSpec spec) {
  return Begin([&spec](Engine& engine) { return engine.Launch(std::move(spec)); });
}

Result<pid_t> Timeline::Attach(pid_t pid) {
  return Begin([pid](Engine& engine) { return engine.Attach(pid); });
}

Result<pid_t> Timeline::Begin(const std::function<Result<pid_t>(Engine&)>& begin) {
  return Call([this, &begin]() -> Result<pid_t> {
    EngineOptions options = options_;
    options.changed = [this] { Publish(); };
    engine_ = std::make_unique<Engine>(std::move(options));
    Result<pid_t> pid = begin(*engine_);
    if (!pid.ok()) {
      engine_.reset();
      return pid;
    }
    pid_ = *pid;
    shown_pid_ = engine_->process().pid();
    running_engine_.store(engine_.get());
    Publish();
    return pid;
  });
}

Result<bool> Timeline::LetAttachedGo() {
  Interrupt();
  Cancel();
  return Call([this]() -> Result<bool> {
    if (!engine_) return NotRunning();
    CF_TRY_ASSIGN(const bool parked, engine_->Detach());
    running_engine_.store(nullptr);
    engine_.reset();
    return parked;
  });
}

void Timeline::Arm(TimeOperation operation, std::function<void(OperationResult, MomentView)> done) {
  Post([this, operation = std::move(operation), done = std::move(done)] {
    if (!engine_) {
      OperationResult failed;
      failed.outcome = OperationResult::Outcome::kFailed;
      failed.error = NotRunning();
      return done(failed, MomentView{});
    }
    held_stop_.reset();  // of a jump that gdb did not wait for
    engine_->Arm(operation, [this, done](OperationResult result) {
      Publish();
      done(std::move(result), View().present);
    });
  });
}

void Timeline::Disarm() {
  Post([this] {
    if (engine_) engine_->Disarm();
  });
}

void Timeline::Cancel() {
  Engine* engine = running_engine_.load();
  if (engine && (resumed_.load() || asking_.load())) {
    engine->cancel_wanted.store(true);
    WakeTracer();
  }
}

void Timeline::Ask(QuerySpec spec, AnswerTo done) {
  if (Engine* engine = running_engine_.load()) engine->ForgetWishes();
  asking_.store(true);
  Post([this, spec = std::move(spec), done = std::move(done)]() mutable {
    Result<std::unique_ptr<Query>> query = NotRunning();
    if (engine_) query = Query::Begin(*engine_, std::move(spec));
    if (query.ok()) return AskOn(std::move(query).value(), std::move(done));
    asking_.store(false);
    done(std::move(query).error());
  });
}

void Timeline::AskOn(std::shared_ptr<Query> query, AnswerTo done) {
  Result<bool> more = NotRunning();
  if (engine_) more = query->Next();
  if (more.ok() && more.value())
    return Post([this, query = std::move(query), done = std::move(done)]() mutable {
      AskOn(std::move(query), std::move(done));
    });
  asking_.store(false);
  if (engine_) engine_->ForgetWishes();
  if (!more.ok()) return done(std::move(more).error());
  done(std::shared_ptr<const QueryAnswer>(query->answer()));
}

void Timeline::SetReverseRanges(std::vector<AddressRange> ranges) {
  Post([this, ranges = std::move(ranges)] {
    if (engine_) engine_->reverse_ranges = ranges;
  });
}

TimelineView Timeline::View() {
  std::lock_guard lock(view_mutex_);
  return view_;
}

MomentView Timeline::MomentOf(const Checkpoint& c, size_t index) const {
  return {c.moment,         static_cast<int64_t>(index) * 1000,
          c.position.event, static_cast<double>(c.time_ns) / 1e6,
          c.branch,         c.position.registers.rip};
}

MomentView Timeline::EndOf(const Branch& b) const {
  return {b.tip_moment,  static_cast<int64_t>(b.line.size()) * 1000,
          b.log->size(), b.tip ? static_cast<double>(b.tip->CpuTimeNs()) / 1e6 : 0,
          b.id,          b.tip && !b.tip->gone() ? b.tip->registers().rip : 0};
}

void Timeline::Publish() {
  TimelineView view;
  if (!engine_ || engine_->branches().empty()) return;
  const auto now = std::chrono::steady_clock::now();
  std::set<int> listed;
  for (const auto& b : engine_->branches()) {
    BranchView branch{b->id, b->parent, {}, EndOf(*b), b->tail.bytes, b->name};
    for (size_t i = 0; i < b->line.size(); ++i) {
      const Checkpoint& c = *b->line[i];
      MomentView moment = MomentOf(c, i);
      if (c.moment == b->from_moment) branch.from = moment;
      if (!listed.insert(c.id).second) continue;
      view.checkpoints.push_back(
          {c.id, moment, CheckpointReasonName(c.reason), engine_->PrivateBytesOf(*b, i), TotalBytes(c.pages),
           std::chrono::duration<double, std::milli>(now - c.made_at).count(), c.pinned, c.name});
    }
    view.branches.push_back(std::move(branch));
  }
  Branch& b = engine_->branch();
  if (!b.line.empty()) view.begin = MomentOf(*b.line.front(), 0);
  view.end = EndOf(b);
  view.live = engine_->live();
  view.edited = engine_->edited();
  view.present = view.end;
  if (!view.live) {
    Position position = engine_->PresentPosition();
    view.present = {engine_->present_moment(),
                    static_cast<int64_t>(engine_->base()) * 1000 + (engine_->at_base() ? 0 : 500),
                    position.event,
                    static_cast<double>(engine_->PresentTimeNs()) / 1e6,
                    b.id,
                    position.registers.rip};
    view.behind_ms = view.end.time_ms - view.present.time_ms;
  }
  view.ended = b.end;
  view.budget_bytes = engine_->budget_bytes();
  view.used_bytes = engine_->UsedBytes();
  {
    std::lock_guard lock(view_mutex_);
    view_ = std::move(view);
  }
  if (marks_wanted_.load()) LookAtEvents(kLookedAtOnTheWay);
  options_.changed();
}

void Timeline::LookAtEvents(size_t most) {
  std::lock_guard lock(marks_mutex_);
  for (const auto& b : engine_->branches()) {
    const size_t inherited = b->parent < 0 || b->log->began_at.empty() ? 0 : b->log->began_at.back();
    MarksOfBranch& of = marks_[b->id];
    if (of.log != b->log.get()) of = {b->log.get(), EventMarks(inherited), of.log != nullptr};
    of.marks.Update(*b->log, most);
  }
}

Result<Timeline::MarksView> Timeline::TakeMarks(int branch) {
  marks_wanted_.store(true);
  if (!resumed_.load()) {
    auto done = std::make_shared<std::promise<void>>();
    std::future<void> looked = done->get_future();
    Post([this, done] {
      if (engine_) LookAtEvents(SIZE_MAX);
      done->set_value();
    });
    // It may be resumed meanwhile, and then not be there for a long time.
    while (looked.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready && !resumed_.load()) {
    }
  }
  std::lock_guard lock(marks_mutex_);
  const auto found = marks_.find(branch);
  if (found == marks_.end()) return MarksView{};
  MarksOfBranch& of = found->second;
  return MarksView{of.marks.Take(), of.marks.looked_at(), std::exchange(of.began_anew, false)};
}

Result<CheckpointView> Timeline::CreateCheckpoint(CheckpointReason reason, const std::string& name) {
  return Call([&]() -> Result<CheckpointView> {
    if (!engine_) return NotRunning();
    CF_TRY_ASSIGN(std::shared_ptr<Checkpoint> made, engine_->CreateCheckpoint(reason, name));
    Publish();
    for (const CheckpointView& view : View().checkpoints)
      if (view.id == made->id) return view;
    return Error{"noSuchCheckpoint", "The checkpoint was thinned at once: the memory for checkpoints is used up.",
                 "Raise checkpoints.memoryMb.", 0, 0};
  });
}

Result<void> Timeline::DeleteCheckpoint(int id) {
  return Call([&]() -> Result<void> {
    if (!engine_) return NotRunning();
    return engine_->DeleteCheckpoint(id);
  });
}

Result<void> Timeline::ChangeCheckpoint(int id, std::optional<bool> pinned, std::optional<std::string> name) {
  return Call([&]() -> Result<void> {
    if (!engine_) return NotRunning();
    return engine_->ChangeCheckpoint(id, pinned, std::move(name));
  });
}

Result<std::pair<BranchView, Engine::BranchResult>> Timeline::StartBranch(const std::string& name) {
  return Call([&]() -> Result<std::pair<BranchView, Engine::BranchResult>> {
    if (!engine_) return NotRunning();
    CF_TRY_ASSIGN(Engine::BranchResult made, engine_->StartBranch(name));
    Publish();
    for (const BranchView& view : View().branches)
      if (view.id == made.id) return std::pair(view, made);
    return NotRunning();
  });
}

void Timeline::Dispose(bool let_exit) {
  Interrupt();
  Cancel();
  running_engine_.store(nullptr);
  Call([&] {
    if (engine_) engine_->LetGo(let_exit);
    engine_.reset();
  });
}

// -- DebugTarget -------------------------------------------------------------------------

std::string Timeline::ExecutablePath() const {
  const std::string path = ReadProcLink(pid_, "exe");
  return path.empty() ? ReadProcLink(shown_pid_, "exe") : path;
}

Result<std::vector<std::byte>> Timeline::ReadAuxv() {
  std::string text = ReadProcText(pid_, "auxv");
  if (text.empty()) text = ReadProcText(shown_pid_, "auxv");
  auto bytes = std::as_bytes(std::span(text));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

Result<TargetLibraries> Timeline::Libraries() {
  return Call([&]() -> Result<TargetLibraries> {
    if (!engine_) return NotRunning();
    return ReadLibraryList(engine_->process());
  });
}

std::vector<TargetThread> Timeline::Threads() {
  return Call([&] {
    std::vector<TargetThread> threads;
    if (!engine_) return threads;
    std::set<pid_t> tids{engine_->present_tid()};
    for (const auto& [tid, context] : engine_->other_threads()) tids.insert(tid);
    for (pid_t tid : tids) {
      // Names are those of the live process: what they were in the past is not kept.
      std::string name = ReadProcText(pid_, "task/" + std::to_string(tid) + "/comm");
      if (name.empty()) name = ReadProcText(pid_, "comm");
      if (!name.empty() && name.back() == '\n') name.pop_back();
      threads.push_back({tid, name});
    }
    return threads;
  });
}

Result<std::string> Timeline::ReadProcFile(const std::string& name) {
  return Call([&]() -> Result<std::string> {
    if (!engine_) return NotRunning();
    pid_t shown = engine_->process().pid();
    return name == "cwd" || name == "root" ? ReadProcLink(shown, name) : ReadProcText(shown, name);
  });
}

StopReply Timeline::LastStop() {
  return Call([&] {
    StopReply reply = engine_ ? engine_->last_stop() : StopReply{};
    reply.tid = engine_ ? engine_->present_tid() : pid_;
    return reply;
  });
}

// Of a thread that does not run at the present; null: it is the one that does.
Result<const ThreadContext*> Timeline::OtherThread(pid_t tid) {
  if (!engine_) return NotRunning();
  if (tid == 0 || tid == engine_->present_tid()) return nullptr;
  const ThreadContexts& others = engine_->other_threads();
  auto found = others.find(tid);
  if (found == others.end())
    return Error{"noSuchThread", "There is no thread " + std::to_string(tid) + " at this moment.", "", 0, pid_};
  return found->second.get();
}

Error Timeline::NotTheRunningThread(pid_t tid) const {
  return Error{"notRunningThread",
               "The registers of thread " + std::to_string(tid) + " cannot be changed: it does not run just now.",
               "Go to a moment where it runs.", 0, pid_};
}

Result<GeneralRegisters> Timeline::ReadGeneralRegisters(pid_t tid) {
  return Call([&]() -> Result<GeneralRegisters> {
    CF_TRY_ASSIGN(const ThreadContext* other, OtherThread(tid));
    return other ? other->registers : engine_->process().registers();
  });
}

Result<void> Timeline::WriteGeneralRegisters(pid_t tid, const GeneralRegisters& registers) {
  return Call([&]() -> Result<void> {
    CF_TRY_ASSIGN(const ThreadContext* other, OtherThread(tid));
    if (other) return NotTheRunningThread(tid);
    return engine_->WriteRegisters(registers);
  });
}

Result<ExtendedRegisters> Timeline::ReadExtendedRegisters(pid_t tid) {
  return Call([&]() -> Result<ExtendedRegisters> {
    CF_TRY_ASSIGN(const ThreadContext* other, OtherThread(tid));
    return other ? Result<ExtendedRegisters>(other->vector_state) : engine_->process().ReadExtended();
  });
}

Result<void> Timeline::WriteExtendedRegisters(pid_t tid, const ExtendedRegisters& registers) {
  return Call([&]() -> Result<void> {
    CF_TRY_ASSIGN(const ThreadContext* other, OtherThread(tid));
    if (other) return NotTheRunningThread(tid);
    return engine_->WriteExtended(registers);
  });
}

Result<size_t> Timeline::ReadMemory(TraceeAddress address, std::span<std::byte> out) {
  return Call([&]() -> Result<size_t> {
    if (!engine_) return NotRunning();
    size_t length = engine_->process().memory().ReadSome(address, out);
    if (length == 0 && !out.empty())
      return Error{"memoryUnreadable", "There is no memory at that address.", "", EFAULT, pid_};
    // Random instructions trap by an int3 of ours: show what is beneath.
    const auto& patched = engine_->Patched();
    for (auto it = patched.lower_bound(address); it != patched.end() && it->first < address + length; ++it)
      out[it->first - address] = it->second;
    return length;
  });
}

Result<void> Timeline::WriteMemory(TraceeAddress address, std::span<const std::byte> bytes) {
  return Call([&]() -> Result<void> {
    if (!engine_) return NotRunning();
    return engine_->WriteMemory(address, bytes);
  });
}

Result<siginfo_t> Timeline::ReadSiginfo(pid_t) {
  return Call([&]() -> Result<siginfo_t> {
    if (!engine_) return NotRunning();
    return engine_->PresentSiginfo();
  });
}

Result<void> Timeline::WriteSiginfo(pid_t, const siginfo_t& info) {
  return Call([&]() -> Result<void> {
    if (!engine_) return NotRunning();
    return engine_->WriteSiginfo(info);
  });
}

Result<void> Timeline::InsertBreakpoint(BreakpointKind kind, TraceeAddress address, std::vector<AgentCode> conditions) {
  return Call([&]() -> Result<void> {
    if (!engine_) return NotRunning();
    // In the past a library may not be mapped yet: the breakpoint is for when it is.
    if (engine_->live()) CF_TRY(engine_->process().memory().ReadValue<std::byte>(address));
    engine_->breakpoints[address] = {kind, std::move(conditions)};
    return {};
  });
}

Result<void> Timeline::RemoveBreakpoint(BreakpointKind, TraceeAddress address) {
  return Call([&]() -> Result<void> {
    if (engine_) engine_->breakpoints.erase(address);
    return {};
  });
}

Result<void> Timeline::InsertWatchpoint(WatchKind kind, TraceeAddress address, uint64_t length_bytes) {
  return Call([&]() -> Result<void> {
    if (!engine_) return NotRunning();
    std::vector<Engine::Watch> wanted = engine_->watches;
    for (const Engine::Watch& w : wanted)
      if (w.kind == kind && w.address == address && w.length_bytes == length_bytes) return {};
    wanted.push_back({kind, address, length_bytes});
    CF_TRY(engine_->WatchSpecs(wanted));
    engine_->watches = std::move(wanted);
    return {};
  });
}

Result<void> Timeline::RemoveWatchpoint(WatchKind kind, TraceeAddress address, uint64_t length_bytes) {
  return Call([&]() -> Result<void> {
    if (!engine_) return {};
    std::erase_if(engine_->watches, [&](const Engine::Watch& w) {
      return w.kind == kind && w.address == address && w.length_bytes == length_bytes;
    });
    return {};
  });
}

void Timeline::CatchSyscalls(std::optional<std::set<long>> numbers) {
  Call([&] {
    if (engine_) engine_->caught_syscalls = std::move(numbers);
  });
}

void Timeline::PassSignals(std::set<int> signals) {
  Call([&] {
    if (engine_) engine_->passed_signals = std::move(signals);
  });
}

StopReply Timeline::ResumeHere(const ResumeRequest& request) {
  StopReply gone;
  gone.kind = StopKind::kKilled;
  gone.signal = SIGKILL;
  gone.tid = pid_;
  if (!engine_) return gone;
  if (held_stop_) return *std::exchange(held_stop_, std::nullopt);
  bool backwards = request.kind == ResumeKind::kReverseContinue || request.kind == ResumeKind::kReverseStep;
  if (!backwards) engine_->reverse_ranges.clear();
  TargetLibraries before;
  if (backwards) before = ReadLibraryList(engine_->process());
  StopReply reply = engine_->Resume(request);
  unprepared_ = true;
  Publish();
  if (backwards && reply.kind != StopKind::kKilled && !SameLibraries(before, ReadLibraryList(engine_->process()))) {
    held_stop_ = reply;
    reply = StopReply{};
    reply.tid = engine_->present_tid();
    reply.kind = StopKind::kLibraries;
  }
  return reply;
}

void Timeline::Resume(const ResumeRequest& request, std::function<void(StopReply)> on_stop) {
  // A cancel or an interrupt that came while the last resume was ending is not meant for this one.
  if (Engine* engine = running_engine_.load()) engine->ForgetWishes();
  resumed_.store(true);
  Post([this, request, on_stop = std::move(on_stop)] {
    StopReply reply = ResumeHere(request);
    resumed_.store(false);
    on_stop(reply);
  });
}

// Of a debuggee that stands still it has no effect, also not on the next resume.
void Timeline::Interrupt() {
  Engine* engine = running_engine_.load();
  if (engine && resumed_.load()) engine->RequestInterrupt();
}

// The session's owner ends the debuggee; gdb's wish alone does not forget the past.
void Timeline::Kill() { Interrupt(); }

// gdb asks for it whenever it ends: a launched debuggee is its owner's to end.
void Timeline::Detach() { static_cast<void>(LetAttachedGo()); }

std::string Timeline::Monitor(const std::string& text) {
  if (text != "timeline") return "Chronofork understands: timeline\n";
  TimelineView view = View();
  std::string answer;
  for (const CheckpointView& c : view.checkpoints) {
    char line[160];
    std::snprintf(line, sizeof line, "%4d  %10.3f ms  event %-8llu pc 0x%llx  %s%s%s\n", c.id, c.moment.time_ms,
                  static_cast<unsigned long long>(c.moment.event), static_cast<unsigned long long>(c.moment.pc),
                  c.reason.c_str(), c.name.empty() ? "" : "  ", c.name.c_str());
    answer += line;
  }
  return answer;
}

}  // namespace chronofork
