// The door to the engine for other threads: gdb's remote server (as its
// DebugTarget) and the addon's control channel. Owns the tracer thread.
//
// Requests are carried out one after the other on the tracer thread. While the
// debuggee runs they wait for its next stop, but for Interrupt(), Cancel() and
// Snapshot(), which never wait.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "timeline/debug_target.h"
#include "timeline/engine.h"
#include "timeline/event_marks.h"
#include "timeline/operations.h"
#include "timeline/query.h"

namespace chronofork {

struct MomentView {
  int id = 0;
  int64_t order = 0;
  uint64_t event = 0;
  double time_ms = 0;
  int branch = 0;
  uint64_t pc = 0;
};

struct CheckpointView {
  int id = 0;
  MomentView moment;
  std::string reason;
  uint64_t private_bytes = 0;
  uint64_t written_bytes = 0;  // since the checkpoint before it, in whole pages
  double age_ms = 0;
  bool pinned = false;
  std::string name;
};

struct BranchView {
  int id = 0;
  int parent = -1;
  std::optional<MomentView> from;
  MomentView end;           // where its live process stands
  uint64_t tail_bytes = 0;  // what its newest checkpoint keeps for it, about: written since
  std::string name;
};

// What is known of the timeline, as of the last change.
struct TimelineView {
  std::vector<BranchView> branches;
  std::vector<CheckpointView> checkpoints;
  MomentView begin, end, present;
  bool live = true;
  bool edited = false;
  double behind_ms = 0;
  EndState ended;
  uint64_t budget_bytes = 0;
  uint64_t used_bytes = 0;
};

class Timeline : public DebugTarget {
 public:
  explicit Timeline(EngineOptions options);
  ~Timeline() override;

  // -- Control channel, any thread ------------------------------------------------
  Result<pid_t> Launch(LaunchSpec spec);
  Result<pid_t> Attach(pid_t pid);
  // Stops an attached process, if it runs, and lets it go on alone. Nothing of
  // the session is left. Error: "notAttached".
  Result<bool> LetAttachedGo();
  void Arm(TimeOperation operation, std::function<void(OperationResult, MomentView)> done);
  // Takes back what was armed and has not begun.
  void Disarm();
  void Cancel();
  // Looks through the past, between two of the present's requests; the present
  // stays. `done` is called on the tracer thread. Cancel() ends it with what was found.
  void Ask(QuerySpec spec, std::function<void(Result<std::shared_ptr<const QueryAnswer>>)> done);
  void SetReverseRanges(std::vector<AddressRange> ranges);
  TimelineView View();
  struct MarksView {
    std::vector<EventMark> marks;
    size_t looked_at = 0;     // events
    bool began_anew = false;  // another program has replaced the one before (exec): a new recording
  };
  // What was found of a branch's recording since the last call. Of a program that stands still, all; of one that runs,
  // what is known by now: from the first call on each change of the timeline brings more. Waits for nobody.
  Result<MarksView> TakeMarks(int branch);
  Result<CheckpointView> CreateCheckpoint(CheckpointReason reason, const std::string& name);
  Result<void> DeleteCheckpoint(int id);
  Result<void> ChangeCheckpoint(int id, std::optional<bool> pinned, std::optional<std::string> name);
  Result<std::pair<BranchView, Engine::BranchResult>> StartBranch(const std::string& name);
  // Ends everything; nothing survives it. Returns when all processes are gone.
  void Dispose(bool let_exit);

  // -- DebugTarget -----------------------------------------------------------------
  pid_t pid() const override { return pid_; }
  std::string ExecutablePath() const override;
  Result<std::vector<std::byte>> ReadAuxv() override;
  Result<TargetLibraries> Libraries() override;
  std::vector<TargetThread> Threads() override;
  Result<std::string> ReadProcFile(const std::string& name) override;
  StopReply LastStop() override;
  Result<GeneralRegisters> ReadGeneralRegisters(pid_t tid) override;
  Result<void> WriteGeneralRegisters(pid_t tid, const GeneralRegisters& registers) override;
  Result<ExtendedRegisters> ReadExtendedRegisters(pid_t tid) override;
  Result<void> WriteExtendedRegisters(pid_t tid, const ExtendedRegisters& registers) override;
  Result<size_t> ReadMemory(TraceeAddress address, std::span<std::byte> out) override;
  Result<void> WriteMemory(TraceeAddress address, std::span<const std::byte> bytes) override;
  Result<siginfo_t> ReadSiginfo(pid_t tid) override;
  Result<void> WriteSiginfo(pid_t tid, const siginfo_t& info) override;
  Result<void> InsertBreakpoint(BreakpointKind kind, TraceeAddress address, std::vector<AgentCode> conditions) override;
  Result<void> RemoveBreakpoint(BreakpointKind kind, TraceeAddress address) override;
  Result<void> InsertWatchpoint(WatchKind kind, TraceeAddress address, uint64_t length_bytes) override;
  Result<void> RemoveWatchpoint(WatchKind kind, TraceeAddress address, uint64_t length_bytes) override;
  void CatchSyscalls(std::optional<std::set<long>> numbers) override;
  void PassSignals(std::set<int> signals) override;
  void Resume(const ResumeRequest& request, std::function<void(StopReply)> on_stop) override;
  void Interrupt() override;
  void Kill() override;
  void Detach() override;
  std::string Monitor(const std::string& text) override;

 private:
  void Loop();
  void Prepare();
  bool Busy();
  Result<pid_t> Begin(const std::function<Result<pid_t>(Engine&)>& begin);
  void Post(std::function<void()> task);
  using AnswerTo = std::function<void(Result<std::shared_ptr<const QueryAnswer>>)>;
  void AskOn(std::shared_ptr<Query> query, AnswerTo done);
  // Runs `work` on the tracer thread and waits for its value.
  template <typename F>
  auto Call(F work) -> decltype(work());
  void Publish();                  // tracer thread
  void LookAtEvents(size_t most);  // tracer thread
  Result<const ThreadContext*> OtherThread(pid_t tid);
  Error NotTheRunningThread(pid_t tid) const;
  MomentView MomentOf(const Checkpoint& checkpoint, size_t index) const;
  MomentView EndOf(const Branch& b) const;
  TargetLibraries ReadLibraries();
  StopReply ResumeHere(const ResumeRequest& request);

  EngineOptions options_;
  std::unique_ptr<Engine> engine_;  // lives and dies on the tracer thread
  std::atomic<Engine*> running_engine_{nullptr};
  std::atomic<bool> resumed_{false};
  std::atomic<bool> asking_{false};
  pid_t pid_ = 0;
  pid_t shown_pid_ = 0;                 // as /proc shows it if its first thread had ended when it was attached to
  std::optional<StopReply> held_stop_;  // told after the libraries

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  bool unprepared_ = false;             // tracer thread: the present has not been prepared for a step back
  std::atomic<bool> preparing_{false};  // … and is just now
  std::mutex view_mutex_;
  TimelineView view_;
  std::mutex marks_mutex_;
  struct MarksOfBranch {
    const EventLog* log = nullptr;
    EventMarks marks{0};
    bool began_anew = false;
  };
  std::map<int, MarksOfBranch> marks_;
  std::atomic<bool> marks_wanted_{false};
  std::thread thread_;
};

}  // namespace chronofork
