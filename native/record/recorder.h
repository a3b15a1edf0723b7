// Runs the live debuggee and writes down everything that it cannot compute by
// itself: the results of system calls, signals, time stamps, random numbers.
//
// The process is never left inside a system call when Run() returns: a call
// that was interrupted is taken back to its instruction (`at_syscall`).
//
// Signals from outside are held until the next system call, so that an event
// names the place where they struck; a program that makes none for
// kSignalPatience is interrupted where it stands (SignalPlace::kAnywhere), and the
// owner must keep a checkpoint of that place.
//
// Easy to get wrong: a signal raised again by us has lost its siginfo, which is
// put back when it is delivered; an interrupted call shows -ERESTART… as its
// result, which no program ever sees.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "callbuffer/call_buffer.h"
#include "checkpoint/dirty_pages.h"
#include "record/clone_call.h"
#include "record/event_log.h"
#include "record/made_to_trap.h"
#include "record/shared_memory.h"
#include "record/thread_context.h"
#include "tracee/tracee.h"

namespace chronofork {

struct LiveStop {
  enum class Kind {
    kTrap,           // SIGTRAP: a step, an int3 that is not the program's, a watchpoint
    kSignal,         // `siginfo` waits to be delivered by the next Run()
    kInterrupted,    // as asked by RequestInterrupt()
    kSyscallEntry,   // a caught call is about to be made
    kSyscallReturn,  // a caught call has been made
    kCheckpointDue,  // a good place for a periodic checkpoint
    kAsyncSignal,    // as kCheckpointDue, and the checkpoint must be pinned: a signal strikes here
    kEventSeen,      // `stop_after` wants to look at what the last event wrote
    kThread,         // the thread that was asked for goes on from here, or the stepped one waits
    kThreadEnded,    // the thread that alone was to run has ended; another stands here
    kExited,         // about to call exit_group: `exit_code`
    kFatalSignal,    // `siginfo` would end the program; it has not been delivered
    kExec,           // another program has replaced this one
    kGone,           // killed from outside: `signal`
  };
  Kind kind = Kind::kTrap;
  siginfo_t siginfo{};
  int exit_code = 0;
  int signal = 0;
  long syscall_number = -1;
};

struct RecordOptions {
  pid_t visible_pid = 0;                           // what getpid shall answer; 0: the truth
  std::map<pid_t, pid_t> visible_tids;             // what threads are known by, if not by their own numbers
  std::vector<int> visible_cpus;                   // what sched_getaffinity shall answer
  int rseq_cpu = -1;                               // rseq is registered with us, as on this CPU; -1: is refused
  std::function<void(const std::string&)> notice;  // a limit that the user must know
};

struct RunRequest {
  ResumeMode mode = ResumeMode::kContinue;  // or kStep
  int signal = 0;                           // after kSignal: what to deliver instead; 0: drop it
  pid_t until_thread = 0;                   // stop when this thread has its turn
  bool alone = false;                       // no other thread executes anything before the stop
};

class Recorder {
 public:
  // Of a process that was taken over: its threads as they are now.
  Recorder(Tracee& live, EventLog& log, RecordOptions options);

  // Runs until the owner must decide. Never returns kCheckpointDue unless
  // `checkpoint_due` says so.
  Result<LiveStop> Run(const RunRequest& request);
  // Leaves the current thread where it stands for `thread`, which is waited for if it is in a call; a pause takes it
  // back to that call. nullopt: it stands there. If the current one stands AmidComputing(), the owner has kept a
  // checkpoint of that place.
  Result<std::optional<LiveStop>> GiveTurnTo(pid_t thread);
  bool AmidComputing() { return !now_.at_syscall && !AtEventEnd(); }
  // From any thread.
  void RequestInterrupt();
  void CancelInterrupt() {
    interrupt_wanted_.store(false);
    interrupt_at_.reset();
  }
  // As RequestInterrupt(), when the process has run for `run_ns` more, or `clock_ns` have passed.
  void RequestInterruptIn(uint64_t run_ns, uint64_t clock_ns) {
    interrupt_at_ = {Now() + run_ns, MonotonicNs() + clock_ns};
  }

  // True at a system call's instruction whose call was begun and taken back:
  // rcx and r11 are not what they were before it.
  bool at_syscall() const { return now_.at_syscall; }
  void set_at_syscall(bool at_syscall) { now_.at_syscall = at_syscall; }
  // Nothing was executed since the last event.
  bool AtEventEnd();
  void set_at_event_end(bool at_end) { now_.since = at_end ? Since::kEvent : Since::kExecuted; }
  // A SIGTRAP that Run() reported is the program's own: it waits to be delivered.
  void AdoptTrap(const siginfo_t& info) {
    now_.undelivered = info;
    now_.undelivered_place = SignalPlace::kFault;
  }
  const std::optional<siginfo_t>& undelivered() const { return now_.undelivered; }
  // The live process's pid as everyone knows it stays that of the first one.
  Tracee& live() { return live_; }
  EventLog& log() { return log_; }
  // Before the live process is let go: signals that it has not been given, by thread.
  std::map<pid_t, std::vector<siginfo_t>> SignalsToGiveBack();
  // Before it is parked: waits with a time limit begin anew, for the kernel will not know what was left of them.
  void ForgetRestarts();
  // The state was changed by the user: what was held for it no longer applies.
  void StateEdited() {
    now_.at_syscall = false;
    now_.since = Since::kExecuted;
  }

  // Whether a periodic checkpoint is wanted; `at_event`: the process stands at the end of an
  // event, the best place for one.
  std::function<bool(bool at_event)> checkpoint_due = [](bool) { return false; };
  std::optional<std::set<long>> caught_syscalls;  // empty set: all
  // Of the process from before it was taken over (a branch): its random instructions, and what it could write and
  // execute at once.
  void AdoptCode(TrapBytes patched, PageSet written_code) {
    patched_ = std::move(patched);
    written_code_ = std::move(written_code);
  }
  const PageSet& written_code() const { return written_code_; }
  std::set<int> passed_signals;  // delivered without a kSignal stop
  // Asked after each system call: whether to stop there. While it is set, each call stops.
  std::function<bool(const Event&)> stop_after;
  // So many calls at most may be recorded inside the debuggee until one stops; 0: no limit.
  size_t most_unseen = 0;
  DirtyPages* dirty_pages = nullptr;  // told of every change of the mappings
  // Breakpoints that are in the live process just now, with what they hide.
  const std::vector<std::pair<TraceeAddress, std::byte>>* inserted = nullptr;
  uint64_t refused_calls = 0;
  std::map<long, uint64_t> stopped_calls;  // by number: entries that stopped

  // Random instructions made to trap: address → the byte that the int3 hides.
  const TrapBytes& patched() const { return patched_; }
  // The thread that runs now, by the tid that the program and the log know.
  pid_t thread() const { return VisibleTid(live_.tid()); }
  // The threads beside the current one, and the current one's alternate stack.
  const ThreadContexts& OtherThreads();
  const stack_t& alternate_stack() const { return now_.alternate_stack; }
  // What the live process shares with others; a copy of it must get memory of its own there.
  SharedMemory& shared_memory() { return shared_; }
  // What the process shared before the recording began; what a branch has from the `count` events before it.
  void TakeOverSharing();
  void AdoptSharing(size_t count);
  // Says of which files the past may show what was written to them later.
  void TellOfChangedFiles();
  // A thread that was not made by the recorded program, as its past has it (a branch): the current one, or another.
  void AdoptThread(pid_t tid, const stack_t& alternate_stack, const ThreadEndings& endings);
  // Looks for them in what is executable now; at the start and after exec.
  Result<void> PatchAllExecutable();

 private:
  using Outcome = Result<std::optional<LiveStop>>;  // nullopt: go on

  Result<LiveStop> RunPatched(const RunRequest& request);
  Outcome OnStop(const Stop& stop);
  Outcome OnWake();
  Result<void> PreemptIfOverdue();
  LiveStop WatchedOrStepped();
  // recorder_syscalls.cc
  Outcome OnSyscallEntry();
  Outcome OnForeignCall();
  struct OpenCall {
    SyscallArguments call, meaning;
    SyscallClass cls = SyscallClass::kEmulate;
    EntrySnapshot snapshot;
    std::unique_ptr<Tracee> before;  // kByDirtyPages: a copy made just before the call
    std::shared_ptr<const TimerSetting> timer;
    bool interrupted = false;  // by us
  };
  Outcome PerformSyscall(const SyscallArguments& call, SyscallClass cls);
  Outcome CompleteCall();
  Outcome PerformProcessCall(const SyscallArguments& call);
  Outcome MakeProcess(const SyscallArguments& call, const CloneCall& clone);
  Result<void> ShowBreakpoints(bool shown);
  void NoteWrites(std::span<const AddressRange> ranges, Event& event);
  Outcome OnSyscallInterrupted(const SyscallArguments& call, Event event);
  Outcome OnInterruptedBy(const Stop& stop, const SyscallArguments& call, Event event);
  bool AnsweredByUs(const SyscallArguments& call);
  bool AnsweredAtFixedAddress(const SyscallArguments& call);
  bool AnsweredAsRseq(const SyscallArguments& call);
  void NoteAffinity(const SyscallArguments& call);
  bool AnsweredByAdvice(const SyscallArguments& call);
  Result<void> AdviseForFork(bool before);
  void AnswerSyscall(const SyscallArguments& call, int64_t result, std::vector<MemoryWrite> writes = {});
  bool AnsweredByCounterSetting(const SyscallArguments& call);
  bool AnsweredByOwnProcessors(const SyscallArguments& call);
  const std::vector<int>& ProcessorsOf(pid_t thread) const;
  Result<void> ShowOwnProcessors(const SyscallArguments& call, int64_t result);
  bool Renamed() const { return options_.visible_pid != 0 && options_.visible_pid != live_.process_id(); }
  void GiveRealNumbers(const SyscallArguments& call);
  void GiveRealThreadOfTimer(GeneralRegisters& r);
  void Tell(const std::string& limit);
  Result<void> PrepareCall(const SyscallArguments& call);
  static bool Opens(long number);
  void NoteOpened(int descriptor, Event& event);
  void NoteMemoryLayout(const SyscallArguments& call, int64_t result, Event& event);
  void LookAtShared(const SyscallArguments& call);
  void NoteSharing(const SyscallArguments& call, int64_t result, Event& event);
  std::set<uint64_t> InodesHeldForWriting() const;
  void NoteMappedFile(const std::shared_ptr<const MappedFile>& file);
  std::optional<int64_t> RefuseSharing(const SyscallArguments& call);
  bool ShowsStandIn(const SyscallArguments& call) const;
  Result<void> ShareStandIn();
  void FinishSyscall(Event event);
  bool Catches(long number) const;
  // recorder_buffered.cc
  void NoteSite(const SyscallArguments& call);
  Result<void> LetCallsPass();
  void LeavePatches();
  Result<void> LeavePatchesIn(const SyscallArguments& call);
  Result<void> AppendUnseen();
  Outcome SettleCalls(const Stop& stop, bool* consumed);
  Outcome OnExecutedUnseen(const SettledCall& settled, const Stop& stop, bool* consumed);
  PageSet WithoutOwnPages(const PageSet& pages) const;
  // recorder_threads.cc
  ResumeMode Mode() const { return step_thread_ == live_.tid() ? mode_ : ResumeMode::kContinue; }
  pid_t VisibleTid(pid_t tid) const;
  pid_t RealTid(pid_t visible) const;
  struct CallEnd {
    std::optional<Stop> instead;  // not the call's end
    pid_t next = 0;               // the call waits; this thread can go on meanwhile
  };
  Result<CallEnd> WaitForCallEnd(bool may_leave);
  void NoteCallEnd(const Stop& stop, pid_t mine);
  Outcome MakeThread(const SyscallArguments& call, const CloneCall& clone);
  Outcome EndThread(const SyscallArguments& call);
  std::vector<AddressRange> WordsClearedAtEnd();
  std::vector<AddressRange> PendingWrites(const OpenCall& open);
  void CollectCallEnds();
  pid_t NextReady() const { return only_one_ ? 0 : AnyReady(); }
  pid_t AnyReady() const;
  void TellThatItWaits(pid_t tid, long call, uint64_t since_ns);
  // How long a thread goes on while others could. Switches after an event cost
  // no checkpoint: short slices keep threads that wait for each other going.
  static constexpr uint64_t kSliceNs = 5'000'000;
  bool SliceIsOver(uint64_t slice_ns) const;
  TrapBytes HiddenBytes() const;
  static std::optional<AddressRange> WordOfWaiter(const SyscallArguments& call);
  Outcome SwitchThread(pid_t next, SignalPlace place);
  Outcome SwitchIfDue();
  // recorder_signals.cc
  Outcome OnSignal(const siginfo_t& info);
  Outcome OnTrap(const siginfo_t& info);
  Outcome OnTimeStamp();
  Outcome OnMadeToTrap(TraceeAddress address);
  Outcome SignalArrived(const siginfo_t& info, SignalPlace place);
  void Hold(const siginfo_t& info);
  void DropOpposites(int signal);
  Outcome DeliverHeld();
  Result<void> RaiseHeld();
  void TakeDeferred();
  Result<void> Deliver(int signal);
  Outcome GiveSignal();
  Outcome StayStopped(Stop stop);
  struct Disposition {
    bool handled = false;  // a function of the program's will run
    bool fatal = false;
    bool stops = false;  // by job control
  };
  Result<Disposition> DispositionOf(int signal);
  Result<bool> Restarts(int signal);
  Result<void> TrapAnew(const SyscallArguments& call, int64_t result, Event& event);
  Result<void> PatchRange(AddressRange range, std::vector<TraceeAddress>* patched);
  Result<void> PatchCode(AddressRange range, uint32_t wanted, std::vector<TraceeAddress>* patched);

  uint64_t Now() const { return live_.CpuTimeNs(); }
  static uint64_t MonotonicNs();
  Event NewEvent(EventKind kind);
  Event& Append(Event event);

  Tracee& live_;
  EventLog& log_;
  RecordOptions options_;
  ResumeMode mode_ = ResumeMode::kContinue;
  bool InterruptWanted();
  std::atomic<bool> interrupt_wanted_{false};
  struct Later {
    uint64_t run_ns = 0, clock_ns = 0;
  };
  std::optional<Later> interrupt_at_;
  bool interrupting_ = false;  // PTRACE_INTERRUPT sent, not yet answered
  bool job_stopped_ = false;   // job control has stopped the process, and it was interrupted in that
  int slow_places_ = 0;        // in turn, at which it was stopped and let run on
  // What a thread has done since its last event.
  enum class Since {
    kExecuted,  // some instructions
    kEvent,     // nothing: it has not been resumed
    kResumed,   // it was resumed at a marked place; see Tracee::NothingExecuted()
  };
  // What is known of a thread beside its own state; of the current one in now_.
  struct ThreadRecord {
    Since since = Since::kExecuted;
    bool at_syscall = false;
    bool entry_reported = false;    // the caught call at this place was shown already
    bool strike_here = false;       // the oldest held signal is raised by the next Run()
    std::deque<siginfo_t> held;     // signals that wait for a place
    uint64_t held_since_ns = 0;     // monotonic clock
    std::vector<siginfo_t> raised;  // sent again by us, with what they were
    std::optional<siginfo_t> undelivered;
    SignalPlace undelivered_place = SignalPlace::kFault;
    int next_signal = 0;  // to be given with the next resume: the event `delivered`
    Event* delivered = nullptr;
    // The call that restart_syscall goes on with: it decides what is written.
    std::optional<SyscallArguments> restarting;
    // A call that has been begun; `call_end`: the stop that ended the waiting in it.
    std::optional<OpenCall> open;
    std::optional<Stop> call_end;
    ThreadContext at_call;  // of several threads: as the call was begun
    stack_t alternate_stack{nullptr, SS_DISABLE, 0};
    uint64_t clear_child_tid = 0;  // the word that the kernel clears at the thread's end
  };
  ThreadRecord now_;
  std::map<pid_t, ThreadRecord> waiting_;   // all other threads
  std::optional<ThreadContexts> contexts_;  // of `waiting_`, until it changes
  pid_t until_thread_ = 0;
  bool only_one_ = false;        // the other threads are held
  uint64_t told_since_ns_ = 0;   // of which wait the user has been told that only another thread may end it
  pid_t step_thread_ = 0;        // whose steps are wanted
  uint64_t slice_begun_ns_ = 0;  // run time at which the current thread took over
  bool yielded_ = false;         // it has called sched_yield
  bool preempting_ = false;      // interrupted for another thread's sake
  bool switch_here_ = false;     // another thread goes on with the next Run()
  TrapBytes patched_;
  PageSet written_code_;                           // made by the program, and at some time writable and executable
  bool own_memory_open_ = false;                   // it has opened its /proc/PID/mem
  bool counter_faults_ = false;                    // its own PR_SET_TSC: rdtsc shall fault
  std::map<pid_t, std::vector<int>> processors_;   // by thread: what sched_setaffinity was asked for
  PageSet not_for_children_, wiped_for_children_;  // MADV_DONTFORK, MADV_WIPEONFORK
  SharedMemory shared_{live_};
  std::vector<MemoryWrite> shared_changes_;                      // of it, for the next system call's event
  bool maps_shared_ = false;                                     // the mmap that is being made
  std::vector<std::shared_ptr<const MappedFile>> mapped_files_;  // those whose contents are nobody else's so far
  PageSet alone_;  // MAP_SHARED memory that is private as long as nobody else has it
  std::set<std::string> told_;
  std::unique_ptr<CallBuffer> calls_;  // null: every call stops
  std::map<uint64_t, unsigned> stops_at_site_;
  std::vector<TraceeAddress> sites_wanted_;
  bool call_from_patch_ = false;
  bool stop_at_next_call_ = false;
  bool interrupt_sent_ = false;  // and the stop that is being looked at may be its doing
  RecordTime last_settled_;
  std::vector<std::byte> unseen_;  // of the ring, kept for its memory
};

}  // namespace chronofork
