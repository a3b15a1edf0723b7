// The heart: one present, on one branch, moved forwards and backwards.
//
// The present is either the live process at the end of its branch, or a replay
// of it at an earlier moment. Everything here runs on the tracer thread;
// timeline.h is its door for other threads.
//
// Invariants:
//  - the checkpoints of a line are in order; the present lies at or after
//    line[base_] and before line[base_ + 1];
//  - a copy that is a checkpoint holds no breakpoint, no probe, no edit that
//    is not a barrier;
//  - the live process runs only while the present is live.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "checkpoint/spacing.h"
#include "probe/range_exits.h"
#include "timeline/copy_pacing.h"
#include "timeline/counted_step.h"
#include "timeline/debug_target.h"
#include "timeline/history.h"
#include "timeline/operations.h"
#include "timeline/preparation.h"
#include "timeline/step_window.h"
#include "tracee/children.h"

namespace chronofork {

struct EngineOptions {
  double interval_ms = 100;    // of run time between periodic checkpoints; 0: none
  size_t interval_events = 0;  // and one after so many events; 0: none
  uint64_t budget_bytes = 0;   // 0: a quarter of the free memory
  double tick_ms = 5;          // how often a running process is looked at: checkpoints, cancel, the Pause button
  std::function<void(const char* severity, const std::string&)> notice = [](const char*, const std::string&) {};
  std::function<void(double, const char*)> progress = [](double, const char*) {};
  std::function<void()> changed = [] {};  // checkpoints, branches or the present
  bool follow_children = false;           // hand each child over to a debugger of its own
  pid_t guard = 0;                        // of a process taken over: who takes it back when it is let go
  std::function<void(pid_t pid, const std::string& program, const char* began)> child_parked =
      [](pid_t, const std::string&, const char*) {};
};

struct QueryAnswer;

class Engine {
 public:
  explicit Engine(EngineOptions options);
  ~Engine();

  // Starts the program; the present is its first instruction.
  Result<pid_t> Launch(LaunchSpec spec);
  // Takes over a running process; the present is where it was stopped.
  Result<pid_t> Attach(pid_t pid);
  // Lets the attached process go, wherever the present is; nothing is left of the past.
  // True: it is parked for its next tracer, because it cannot run without.
  Result<bool> Detach();

  // -- Running (engine_forward.cc, search.cc) --------------------------------------
  StopReply Resume(const ResumeRequest& request);
  void Arm(TimeOperation operation, std::function<void(OperationResult)> done);
  void Disarm();  // what is armed ends with kCancelled
  std::atomic<bool> cancel_wanted{false};
  std::atomic<bool> interrupt_wanted{false};
  void RequestInterrupt();  // any thread
  void ForgetWishes();      // any thread, before a resume

  // -- The present ---------------------------------------------------------------
  Tracee& process();
  const Tracee* process_or_null() const;
  bool live() const { return !replay_; }
  bool edited() const { return edited_; }
  pid_t pid() const { return pid_; }
  Position PresentPosition();
  uint64_t PresentTimeNs();
  uint64_t PresentRunNs();  // about: of a replay, with what it took
  int present_moment() const { return present_moment_; }
  size_t base() const { return base_; }
  bool at_base() const { return at_base_; }
  // The signal that the present stands before; of a plain stop a SIGTRAP.
  siginfo_t PresentSiginfo() const;
  Branch& branch() { return *branches_[static_cast<size_t>(branch_)]; }
  const std::vector<std::unique_ptr<Branch>>& branches() const { return branches_; }
  const StopReply& last_stop() const { return last_stop_; }
  const TrapBytes& Patched();
  // The thread that the present belongs to, by the tid that the program knows,
  // and the other ones as they stand.
  pid_t present_tid() const;
  const ThreadContexts& other_threads();

  // -- Changing state (edits.cc) ---------------------------------------------------
  Result<void> WriteMemory(TraceeAddress address, std::span<const std::byte> bytes);
  Result<void> WriteRegisters(const GeneralRegisters& registers);
  Result<void> WriteExtended(const ExtendedRegisters& registers);
  Result<void> WriteSiginfo(const siginfo_t& info);

  // -- Breakpoints: as gdb has set them ---------------------------------------------
  struct Breakpoint {
    BreakpointKind kind = BreakpointKind::kSoftware;
    std::vector<AgentCode> conditions;
    CodeHome home = {};  // whose code it is in
  };
  std::map<TraceeAddress, Breakpoint> breakpoints;
  struct Watch {
    WatchKind kind = WatchKind::kWrite;
    TraceeAddress address;
    uint64_t length_bytes = 0;
  };
  std::vector<Watch> watches;
  // Splits into aligned pieces; at most four fit. Error: "tooManyWatchpoints".
  Result<std::vector<WatchSpec>> WatchSpecs(const std::vector<Watch>& wanted) const;
  // Blocks of code that `bs` passes in one go, backwards to their start or out of
  // them, until the next resume forwards: the lines of a function.
  std::vector<AddressRange> reverse_ranges;
  std::optional<std::set<long>> caught_syscalls;
  std::set<int> passed_signals;

  // -- Checkpoints -------------------------------------------------------------------
  Result<std::shared_ptr<Checkpoint>> CreateCheckpoint(CheckpointReason reason, const std::string& name);
  Result<void> DeleteCheckpoint(int id);
  Result<void> ChangeCheckpoint(int id, std::optional<bool> pinned, std::optional<std::string> name);
  std::shared_ptr<Checkpoint> FindCheckpoint(int id);
  uint64_t PrivateBytesOf(const Branch& branch, size_t index) const;
  uint64_t budget_bytes() const { return budget_bytes_; }
  uint64_t UsedBytes() const;

  // -- Branches (branching.cc) --------------------------------------------------------
  struct BranchResult {
    int id = 0;
    std::string message;
    std::vector<std::string> files;
  };
  Result<BranchResult> StartBranch(const std::string& name);

  // Replays from line[index] to the end of the line with nothing reaching the
  // world; differences are added to `diverged` (verify.cc).
  Result<void> VerifyFrom(size_t index, std::vector<struct Divergence>* diverged);
  // The same as far as line[index + 1], whose memory is compared.
  Result<void> VerifyInterval(size_t index, std::vector<struct Divergence>* diverged);

  // While nobody waits: makes the next step back short. Gives way when `busy`;
  // true: there is nothing left to do.
  bool Prepare(const std::function<bool()>& busy);

  // The natural end: a program that stands at its exit leaves with its own status.
  void LetGo(bool let_exit);

 private:
  friend class Query;
  friend class Search;
  friend class Preparation;
  struct Trap;

  // engine.cc
  void PinToOneCpu(pid_t with = 0);  // 0: nobody who may not run there
  Result<void> BeginRecording(std::unique_ptr<Tracee> live);
  RecordOptions OptionsForRecording();
  Result<void> VerifyUntil(size_t index, const EndMarker& end, std::vector<struct Divergence>* diverged);
  Result<std::shared_ptr<Checkpoint>> CheckpointLive(CheckpointReason reason, bool pinned);
  void Insert(std::shared_ptr<Checkpoint> checkpoint, size_t index);
  Position LivePosition();
  EndMarker MarkerOf(size_t index);  // of line[index]
  EndMarker PresentMarker();
  Result<std::unique_ptr<Replayer>> ReplayFrom(size_t index);
  // From a copy that is in no line, made on the way from the checkpoint `from`.
  Result<std::unique_ptr<Replayer>> ReplayOf(Checkpoint& copy, int from);
  void SetReplay(std::unique_ptr<Replayer> replay, size_t base, bool at_base);
  void KeepPresentAsCheckpoint();
  void GoLive();
  void PresentMoved();
  Error Gone();

  // engine_retention.cc
  void NoteCheckpointMade(Branch& b, double made_ns);
  void LookAtFaults(Branch& b, uint64_t now_ns);
  bool CheckpointIsDue(Branch& b, bool at_event);
  bool IsTimeForCheckpoint(Branch& b, uint64_t now_ns, bool at_event);
  Result<void> CheckpointOnTheWay(bool async);
  PageSet Touched(const Branch& b, PageSet pages) const;
  Result<PageSet> TipPages(Branch& b);  // written by the live process since its last checkpoint
  static PageSet HeldBy(const Checkpoint& checkpoint, const PageSet& pages);
  static void SetKept(Checkpoint& checkpoint, PageSet kept);
  uint64_t FreedBytes(const Branch& b, size_t index) const;
  bool MustStay(const Branch& b, size_t index) const;
  std::vector<int64_t> ChooseToThin(const Branch& b) const;
  void Thin();
  void WarnOfBudget();
  bool IsOverBudget() const;
  Result<void> MakeRoom();
  bool AllowFewerProcesses();
  bool MakeRoomForProcesses();
  void GiveUpNewest(Branch& b);

  // engine_copies.cc
  using Copies = std::vector<std::shared_ptr<Checkpoint>>;
  // A copy of `replay` as it stands, free of probes; null: the kernel refuses. Not yet in the line.
  std::shared_ptr<Checkpoint> CopyOnTheWay(Replayer& replay);
  // How often a replay that is about to run to `end_ns` leaves copies on its way.
  CopyPacing PaceTo(const Replayer& replay, uint64_t end_ns, double part_of_cost = 1) const;
  static void DropCopy(Copies& copies, size_t index);  // not the last
  size_t InsertCopies(size_t start, Copies copies);
  void TakePrepared();

  // engine_forward.cc
  StopReply RunForward(const ResumeRequest& request);
  Result<StopReply> ForwardLive(const ResumeRequest& request, bool first);
  Result<StopReply> ForwardReplay(const ResumeRequest& request, bool* went_live);
  // What is left of a step through a block of code, when single steps have been enough.
  struct RangeRun {
    size_t steps_left = 0;
    bool undecodable = false;
    std::optional<RangeExits> exits;
  };
  Result<std::optional<StopReply>> StepReplayTo(const ResumeRequest& request, RangeRun& run, bool* nothing_left);
  Result<EndMarker> TipMarker();
  Result<void> SettleAtNext();
  bool RunsThrough(const ResumeRequest& request, RangeRun& run);
  std::optional<StopReply> LeftRange(const ResumeRequest& request, pid_t thread, pid_t wanted);
  std::optional<RangeExits> ExitsOfRange(AddressRange range);
  Result<StopReply> WatchStop(Tracee& tracee, const WatchSpec& watch);
  Result<std::optional<StopReply>> OnLiveStop(const LiveStop& stop, bool stepping);
  Result<std::optional<StopReply>> OnLiveTrap(const LiveStop& stop, bool stepping);
  Result<bool> StopNearCheckpoint(bool stepping);
  Result<std::optional<StopReply>> WatchHit(Tracee& tracee);
  Result<void> SetWatches(Tracee& tracee);
  Result<void> ClearWatches(Tracee& tracee);
  Result<void> InsertInto(Tracee& tracee);
  Result<void> RemoveFrom(Tracee& tracee);
  Result<bool> ConditionHolds(TraceeAddress address, const GeneralRegisters& registers, Tracee& process);
  std::optional<StopReply> BreakpointHere();
  StopReply StopAtTip();
  StopReply ThreadHasEnded(pid_t tid);
  Result<LiveStop> GiveTurnTo(pid_t tid);
  bool NextIsHere();
  StopReply Failed(const Error& error);
  ReplayPlan ForwardPlan();
  StopReply SignalStop(int signal) const;
  StopReply RestartAfterExec();

  // edits.cc
  Result<void> BeforeEdit();
  Result<void> SettleEdits(bool* is_call);
  StopReply RunCall();
  Result<void> EndCallIfRestored();

  EngineOptions options_;
  uint64_t budget_bytes_ = 0;
  pid_t pid_ = 0;
  int cpu_ = -1;
  std::vector<int> visible_cpus_;  // what the program may use, as it knows
  bool attached_ = false;
  std::shared_ptr<EventLog::Arena> arena_;
  std::vector<std::unique_ptr<Branch>> branches_;
  int branch_ = 0;
  std::unique_ptr<Replayer> replay_;  // null: the present is live
  size_t base_ = 0;
  std::shared_ptr<Checkpoint> in_use_;       // not to be thinned: a search is about to arrive from it
  bool at_base_ = false;                     // the present is exactly line[base_]
  std::unique_ptr<StepWindow> step_window_;  // what `bs` is answered from
  std::unique_ptr<CountedStep> counted_step_;
  std::unique_ptr<Preparation> preparation_;
  // Of queries (query.h), the last of them: their rows are moments.
  std::deque<std::shared_ptr<QueryAnswer>> answers_;
  bool passing_ = false;  // the present is only passed through: leaving it keeps no checkpoint
  int next_id_ = 1;
  int next_moment_ = 1;
  int present_moment_ = 0;
  StopReply last_stop_;
  std::optional<siginfo_t> present_siginfo_;
  std::chrono::steady_clock::time_point stopped_at_{};

  // periodic checkpoints
  uint64_t last_checkpoint_ns_ = 0;  // run time
  double copy_cost_ns_ = 1e6;        // of the last one that was made on the way of a replay
  double expected_making_ns_ = 2e6;  // of the next one; 2 ms: a process of 64 MiB
  CheckpointCost cost_;              // of the last one, until now
  uint64_t last_look_ns_ = 0;        // run time at which page faults were looked at
  uint64_t copied_since_look_ = 0;   // pages, of Branch::tail of the live process
  bool given_up_ = false;            // the last one, for memory: what is written now is kept by none
  bool no_room_ = false;             // nothing can be given up until the next one is made
  Traps inserted_;
  std::set<TraceeAddress> range_exits_;  // inserted, too: a thread that is stepped runs through its line
  bool inserted_in_live_ = false;
  // More than this are thinned whatever they cost: each is a process. Fewer where the kernel refuses so many.
  size_t max_checkpoints_ = 200;
  bool thin_warned_ = false;
  bool refusal_warned_ = false;

  // edits of the present
  bool edited_ = false;
  bool in_call_ = false;
  bool barrier_wanted_ = false;  // live: an edit was made since the last checkpoint
  std::unique_ptr<Tracee> pristine_;
  Position pristine_position_;
  GeneralRegisters pristine_registers_{};
  std::vector<MemoryWrite> edits_;

  std::atomic<Recorder*> running_recorder_{nullptr};  // while the live process runs
  std::optional<TimeOperation> armed_;
  std::function<void(OperationResult)> armed_done_;
};

}  // namespace chronofork
