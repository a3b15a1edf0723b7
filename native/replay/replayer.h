// Runs a copy of the debuggee forward through what was recorded: system calls
// are answered from the log, signals come where they came, nothing reaches the
// world.
//
// Every event is checked as it passes (number, arguments, pc, registers); the
// first difference ends the replay with the error "diverged". The places to
// stop at are probes, so that counting a million hits takes milliseconds.
//
// Easy to get wrong:
//  - a moment in the middle of computing is found by its registers and then
//    proved by comparing memory; where only memory differs, a differing word
//    joins the condition and the replay goes on;
//  - nothing of ours may be left in a process that becomes the present or a
//    checkpoint: Run() returns with all probes and watchpoints out.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/result.h"
#include "callbuffer/call_buffer.h"
#include "checkpoint/page_set.h"
#include "probe/probe_set.h"
#include "record/event_log.h"
#include "record/made_to_trap.h"
#include "record/thread_context.h"
#include "tracee/tracee.h"

namespace chronofork {

// Where a stopped process stands.
struct Position {
  enum class Kind {
    kEventEnd,   // nothing executed since the event `event - 1`
    kAtSyscall,  // at the instruction of the call that is event `event`
    kComputing,  // anywhere else: found by registers and memory
  };
  Kind kind = Kind::kComputing;
  size_t event = 0;  // events passed
  GeneralRegisters registers{};
  // Of the process it is the position of: the thread that runs, and the others.
  pid_t thread = 0;
  stack_t alternate_stack{nullptr, SS_DISABLE, 0};
  ThreadContexts others{};
  // Of the live process: memory that others write too, at times that no event tells.
  PageSet shared{};
};

// A moment that a replay must recognize when it comes there.
struct EndMarker {
  Position position;
  // A process that stands exactly there, to prove the arrival; may be null
  // only for kEventEnd and kAtSyscall.
  Tracee* reference = nullptr;
  // The pages that the line up to `reference` has written since the replay's start.
  PageSet reference_pages;
};

struct WatchSpec {
  TraceeAddress address;
  uint64_t length_bytes = 8;  // 1, 2, 4 or 8, aligned
  bool write_only = true;
};

struct ReplayPlan {
  std::vector<ProbeSpec> probes;  // transition probes
  // What their `log` items have noted, in the order of the hits, all of it before Run() returns. `probe` is the
  // index in `probes`; the spans are valid during the call. The replay must not be asked or changed from within.
  std::function<void(std::span<const ProbeLogEntry>)> on_log;
  uint64_t limit = 0;  // stop when so many were counted; 0: never
  // If set, every counted hit is asked whether to stop there.
  std::function<Result<bool>(size_t probe, const GeneralRegisters&)> accept;
  uint64_t accept_from = 0;        // the first hit that is asked; those before are only counted
  std::vector<WatchSpec> watches;  // at most four
  std::optional<EndMarker> end;
  // Whether the place where the replay begins counts, if it is a probe's.
  bool count_first = true;
  bool report_signals = false;  // stop before a signal that is not in `passed_signals`
  std::set<int> passed_signals;
  std::optional<std::set<long>> caught_syscalls;
  // Asked after each touch of a watch: whether to stop there. Unset: stop.
  std::function<Result<bool>(size_t watch, const GeneralRegisters& after)> accept_watch;
  // Asked before an event that writes to a watch. Unset: stop.
  std::function<Result<bool>(size_t watch, size_t event)> accept_kernel_watch;
  pid_t until_thread = 0;  // stop when this thread has its turn; 0: whoever has
  pid_t until_end_of = 0;  // stop when this thread is no more
  // Of this thread alone are probes, watches, signals and calls counted or stopped for; 0: of all.
  pid_t only_thread = 0;
  std::function<bool()> cancelled = [] { return false; };
  // Called when stopped at an arbitrary place about every tick, if it is wanted then; may take copies.
  std::function<void()> tick;
  std::function<bool()> wants_tick = [] { return true; };  // asked while the process runs
};

struct ReplayStop {
  enum class Kind {
    kReachedEnd,    // at plan.end, proved
    kProbe,         // `probe` reached the limit, or was accepted
    kWatch,         // right after the instruction that touched watch `probe`
    kKernelWatch,   // at a system call that is going to write watch `probe`
    kSignal,        // `signal` is about to be delivered, as recorded
    kStep,          // one instruction was executed
    kSyscallEntry,  // a caught call
    kSyscallReturn,
    kThread,    // the thread that was asked for goes on from here, or is no more
    kEndOfLog,  // at a call or fault that has not been recorded
    kCancelled,
  };
  Kind kind = Kind::kStep;
  size_t probe = 0;
  int signal = 0;
  siginfo_t siginfo{};
  long syscall_number = -1;
};

class Replayer : private ProbeHost {
 public:
  // `process` stands at `position` of `log`. `patched`: its random instructions that trap.
  Replayer(std::unique_ptr<Tracee> process, const EventLog& log, const Position& position, TrapBytes patched);
  ~Replayer() override;

  // Runs until the plan says stop. Errors: "diverged", "debuggeeGone".
  Result<ReplayStop> Run(const ReplayPlan& plan);
  // Executes one instruction (a system call: its event).
  Result<ReplayStop> Step(const ReplayPlan& plan);

  // Whether the process is in the state of `marker`, by registers and memory.
  Result<bool> StandsAt(const EndMarker& marker);

  Tracee& process() { return *process_; }
  // The thread that the process is now, and the others as they stand.
  pid_t thread() const { return thread_; }
  const ThreadContexts& others() const { return others_; }
  // A copy of the process as it is now, free of probes. Also from plan.tick.
  Result<std::unique_ptr<Tracee>> Copy();
  // The same; `written`: the pages written since the last of these, or since it began.
  Result<std::unique_ptr<Tracee>> CopyToKeep(PageSet* written);
  // A replay of `copy`, which Copy() made, that goes on from `position`.
  std::unique_ptr<Replayer> GoOnFrom(std::unique_ptr<Tracee> copy, Position position) const;
  // The pages that it, and those that it went on from, have written since the checkpoint. What a copy shares no
  // longer shows as written: ExclusivePages() alone would leave out all that was written before it was made.
  Result<PageSet> Written() const;
  // The same within `where`, which is quicker than to look at all of a large process.
  Result<PageSet> WrittenIn(const PageSet& where) const;
  std::unique_ptr<Tracee> Release() { return std::move(process_); }
  Position position();
  size_t event() const { return event_; }
  // Run time of the program where it stands now, about: of the place that it began at, and its own since.
  uint64_t TimeNs() const { return began_at_ns_ + process_->CpuTimeNs(); }
  void set_began_at_ns(uint64_t time_ns) { began_at_ns_ = time_ns - std::min(time_ns, process_->CpuTimeNs()); }
  const EventLog& log() const { return *log_; }
  const TrapBytes& patched() const { return patched_; }
  // Hits counted by all runs of this replay so far, and the plan's probe that counted last.
  uint64_t transitions() const { return transitions_; }
  std::optional<size_t> last_counted() const { return last_counted_; }
  uint32_t last_group() const { return last_group_; }
  // What the plan's tally probes have counted in its run, by probe.
  const std::vector<uint64_t>& tallies() const { return tallies_; }
  // Goes on with what another replay had counted when this one was copied from it.
  void CountFrom(uint64_t transitions, uint32_t last_group) {
    transitions_ = transitions;
    last_group_ = last_group;
  }
  // The count so far, from within a plan's callback.
  Result<uint64_t> CountNow();
  Result<uint32_t> GroupNow();
  // The debuggee's own pc, also while it executes code of ours.
  TraceeAddress ProgramCounter();
  // Events whose calls were checked so far.
  uint64_t checked() const { return checked_; }
  // What stands where an asynchronous signal struck: kept by the owner.
  std::function<std::optional<EndMarker>(size_t event)> async_reference;

 private:
  using Outcome = Result<std::optional<ReplayStop>>;  // nullopt: go on

  // ProbeHost
  Result<void> Read(TraceeAddress address, std::span<std::byte> out) override;
  Result<void> Write(TraceeAddress address, std::span<const std::byte> bytes) override;
  Result<void> Map(TraceeAddress at, uint64_t length_bytes) override;
  Result<void> Unmap(TraceeAddress at, uint64_t length_bytes) override;
  std::vector<AddressRange> Mappings() override;

  Result<ReplayStop> Loop(ResumeMode mode);
  Outcome BeforeResume(ResumeMode mode);
  Outcome OnStop(const Stop& stop, ResumeMode mode);
  Outcome OnWake();
  // replay_syscalls.cc
  Outcome OnSyscallEntry(ResumeMode mode);
  Result<void> ToSyscallExit(const Event& event);
  Result<void> TrapAnew(const Event& event, const SyscallArguments& call);
  Result<void> ExecuteAgain(const Event& event, const SyscallArguments& call);
  Result<void> MapAgain(const Event& event, const SyscallArguments& call);
  Result<void> MapSecond(const Event& event, const SyscallArguments& call);
  Result<void> AttachAgain(const Event& event, const SyscallArguments& call);
  Result<void> ApplyWrites(const Event& event);
  Result<void> CheckAfter(const Event& event);
  bool Differs(const MemoryWrite& write, const AddressRange& watched) const;
  std::optional<size_t> WatchOverlapping(const Event& event) const;
  // replay_calls.cc
  bool MayPass(size_t index) const;
  size_t Gather(std::vector<size_t>& ends);
  bool StrikesAfter(size_t index) const;
  size_t FirstToStop() const;
  Result<void> LetCallsPass(ResumeMode mode);
  void LeavePatches();
  Result<void> LeavePatchesIn(TraceeAddress start, uint64_t length_bytes);
  Result<void> SettleCalls(const Stop& stop, bool* consumed);
  // replay_threads.cc
  Result<void> SwitchThread(const Event& event, bool ended);
  Result<void> MakeThread(const Event& event);
  Outcome EndThread(const Event& event);
  // replay_signals.cc
  Outcome OnSignal(const siginfo_t& info, ResumeMode mode);
  Outcome OnTrap(const siginfo_t& info, ResumeMode mode);
  static ReplayStop WatchStop(unsigned hits);
  Outcome StepOverInt3(const GeneralRegisters& registers);
  Outcome OnTimeStamp();
  Outcome OnMadeToTrap(TraceeAddress address, ResumeMode mode);
  Outcome ExecuteHere(TraceeAddress address, ResumeMode mode);
  Outcome InjectSignal();
  Outcome StruckHere();
  Outcome GiveSignal(const Event& event, ResumeMode mode);
  Result<std::optional<TraceeAddress>> MaskOfWait(const Event& event, const SyscallArguments& call);
  Result<void> WaitWithMask(const Event& event, TraceeAddress mask);
  Outcome SignalStruck(const siginfo_t& info);
  // replay_probes.cc
  static constexpr size_t kNotInstalled = ~size_t{0};
  struct ActiveMatch {
    EndMarker marker;
    bool is_async = false;  // a signal or a switch strikes there; else it is the plan's end
    std::vector<MemoryWord> words;
    size_t installed_index = kNotInstalled;
    int passed = 0;           // not taken for what strikes, because the plan's end comes first
    int awaits_code_in = -1;  // the debug register that stops there, as long as the code is not what it will be
    bool code_seen = false;   // it is, or nobody can tell
  };
  Result<void> SetWatches();
  Result<void> ClearWatches();
  std::optional<EndMarker> AsyncMarker();
  Result<void> Arm();
  Result<void> Disarm();
  bool ConcernsProbes(const SyscallArguments& call, int64_t result) const;
  Result<void> NoteCounts();
  Result<void> NoteTallies();
  Result<void> DeliverLog();
  Result<void> SetCounts();
  bool Counts(pid_t thread) const { return !plan_ || plan_->only_thread == 0 || plan_->only_thread == thread; }
  Result<void> UpdateMatches();
  // replay_awaited_code.cc
  bool AwaitCode(ActiveMatch& match, const Mapping& mapping);
  bool CodeIsThere(const ActiveMatch& match);
  Outcome OnAwaitedCode(unsigned hits);
  void LetStopAgain();
  // replay_probes.cc
  Outcome OnProbe(const TrapOutcome& outcome, GeneralRegisters registers);
  Outcome OnMatch(ActiveMatch& match, const TrapOutcome& outcome, GeneralRegisters registers);
  enum class Arrival { kNotYet, kStruck, kEnd };
  Result<Arrival> ArrivalAt(ActiveMatch& match);
  Outcome Arrive(Arrival arrival);
  // nullopt: the same state; else a word that differs, or none if no word can tell.
  struct Mismatch {
    std::optional<MemoryWord> word;
    std::string what;
  };
  Result<std::optional<Mismatch>> Compare(const EndMarker& marker);
  Outcome Go(const TrapOutcome& outcome, const GeneralRegisters& registers);
  Result<bool> LeaveTrampoline();
  Result<void> ShowOriginalState();
  Result<void> RemoveProbesFrom(Tracee& copy);

  Error Diverged(const std::string& what);
  bool AtEnd(Position::Kind kind);

  std::unique_ptr<Tracee> process_;
  const EventLog* log_;
  size_t event_;
  Position::Kind kind_;
  bool step_over_first_ = false;  // the probe at pc has counted, and its instruction can be executed only in its place
  TrapBytes patched_;
  const ReplayPlan* plan_ = nullptr;
  std::unique_ptr<ProbeSet> probes_;
  std::vector<size_t> probe_indices_;  // installed transition probe → index in the plan
  std::vector<ActiveMatch> matches_;
  bool pending_probes_ = false;  // some places are not mapped yet
  size_t matches_installed_ = 0;
  uint64_t transitions_ = 0;
  uint32_t last_group_ = 0;
  std::optional<size_t> last_counted_;
  std::vector<uint64_t> tallies_;
  pid_t thread_ = 0;
  stack_t alternate_stack_{};
  ThreadContexts others_;
  PageSet shared_;
  bool thread_ended_ = false;  // the current one: a switch comes next
  bool interrupting_ = false;
  uint64_t began_at_ns_ = 0;
  uint64_t run_since_ns_ = 0;  // its CPU time when it was last let run on from a tick
  bool raised_ = false;
  int next_signal_ = 0;
  bool signal_reported_ = false;
  uint64_t checked_ = 0;
  std::unique_ptr<CallBuffer> calls_;  // null: every call stops
  size_t fed_until_ = 0;               // the event after those in its ring
  size_t fed_ahead_ = 0;               // how many of these are still to come
  size_t feed_most_ = 0;               // so many are put there next
  std::vector<std::byte> feed_;        // what is put there, kept for its memory
  PageSet written_;                    // before the last copy was made of it
  PageSet unkept_;                     // the part of it since CopyToKeep()
};

}  // namespace chronofork
