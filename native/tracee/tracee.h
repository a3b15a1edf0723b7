// One process under ptrace: the live debuggee, or a frozen or replaying copy.
//
// Everything here runs on the one tracer thread (asserted): ptrace answers no
// other. Only this folder includes <sys/ptrace.h>.
//
// Easy to get wrong, and kept in here:
//  - waiting is `__WALL | __WNOTHREAD`, or we would reap gdb and Node's children;
//  - copies are made with CLONE_PARENT and no exit signal, or the debuggee's own
//    wait(-1) finds them;
//  - an interrupt is reported before the signal of an int3 that was just
//    executed, with pc behind it: that is no state to be seen (`FaultIsPending`);
//  - a remote call is interrupted by a pending signal: it is set aside
//    (`TakeDeferredSignals`) and the call made again.
#pragma once

#include <time.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "tracee/memory.h"
#include "tracee/own_memory.h"
#include "tracee/registers.h"
#include "tracee/stop.h"

namespace chronofork {

struct LaunchSpec {
  std::string program;
  std::vector<std::string> arguments;  // without argv[0]
  std::string working_directory;
  std::vector<std::string> environment;
  std::array<int, 3> stdio{0, 1, 2};
  bool controlling_terminal = false;
  bool disable_aslr = true;
  int cpu = -1;  // pinned to this CPU; -1: not pinned
};

enum class ResumeMode {
  kContinue,       // until a signal, a call's entry or an event stop
  kStep,           // one instruction
  kToSyscallExit,  // from a syscall entry: until the call is done
};

// How the calls of a process make it stop.
enum class CallStops {
  kByFilter,   // seccomp: one stop at the entry; can never be taken off again
  kByTracing,  // PTRACE_SYSCALL: two stops, but leaves nothing in a process that is let go
};

// Where a thread of a process that was running stands, and what only it could tell.
struct ThreadTakenOver {
  pid_t tid = 0;
  bool at_syscall = false;  // it was in a call, which was taken back to its instruction
  long restarting = -1;     // … which is restart_syscall: the number of the call that it goes on with
  stack_t alternate_stack{nullptr, SS_DISABLE, 0};
  uint64_t clear_child_tid = 0;
};

class Attachment;
struct Leftovers;

class Tracee {
 public:
  // Takes over a running process with all of its threads, which stand where they
  // were (attach.cc). `cpu`: as in LaunchSpec. Its copies are not its children,
  // and it survives us; destroying it lets it go.
  // Errors: "noSuchProcess", "alreadyTraced", "attachForbidden", "notX64" …; it then runs on as it was.
  static Result<std::unique_ptr<Tracee>> Attach(pid_t pid, int cpu);
  // Starts the program, stopped before its first instruction (in ld.so), with
  // the seccomp filter and the core pages in place, vdso hidden from it, rdtsc trapping.
  // Errors: "programMissing", "notExecutable", "ptraceForbidden", "seccompForbidden", "forkRefused" …
  static Result<std::unique_ptr<Tracee>> Launch(const LaunchSpec& spec);

  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;
  ~Tracee();  // kills and reaps it, unless it is gone or released

  // Under which /proc shows it: of several threads whose first has ended, another's number.
  pid_t pid() const { return pid_; }
  // What the kernel knows the process by, and getpid answers.
  pid_t process_id() const { return leader_; }
  // The thread that registers, stops and resumes are about. All but the first
  // are known only of the live process; a copy has one, whichever it is of.
  pid_t tid() const { return tid_; }
  std::vector<pid_t> Threads() const;
  size_t thread_count() const { return others_.size() + 1; }
  // A thread that the current one has just made (kNewProcess): waits until it stands.
  Result<void> AddThread(pid_t tid);
  // Makes a thread on the process's behalf; it stands where the current one does.
  // Its registers, signal mask and stacks are the caller's to set. Error: "forkRefused".
  Result<pid_t> MakeThread();
  void SwitchTo(pid_t tid);
  void ForgetThread(pid_t tid);  // it has ended
  // Around execve: the thread that comes back from it has the first one's number, also if that one has ended.
  void ExpectExec();
  void NoteExecFailed();
  // As Wait(), of whichever thread stops first, which becomes the current one.
  // `block` false: nullopt at once if none has.
  std::optional<Stop> WaitAny(bool wakeable, bool block = true);
  // The same of all but the current thread; `wait`: until one stops, or woken.
  std::optional<Stop> PollOthers(bool wait = false);
  bool thread_ended() const { return thread_.gone; }
  void NoteThreadEnded() { thread_.gone = true; }
  // As in /proc: R running, S waiting in a call, t in a stop, Z ended, X unknown.
  char StateOf(pid_t tid) const;
  // Whether a signal waits for the current thread that is not blocked.
  bool SignalsPending() const;
  const TraceeMemory& memory() const { return memory_; }
  TraceeMemory& memory() { return memory_; }
  // Pages of ours, beside the core page's neighbourhood; its copies have them too.
  std::vector<AddressRange>& own_pages() { return own_pages_; }
  const std::vector<AddressRange>& own_pages() const { return own_pages_; }
  bool gone() const { return gone_; }

  // -- Registers: cached between stops, written back on Resume ---------------
  const GeneralRegisters& registers();
  void SetRegisters(const GeneralRegisters& registers);
  // The ID flag as in `eflags`, before SetRegisters() makes one process go on as another thread: ptrace does not change
  // it.
  Result<void> MatchIdFlag(uint64_t eflags);
  Result<ExtendedRegisters> ReadExtended();
  Result<void> WriteExtended(const ExtendedRegisters& registers);
  Result<siginfo_t> ReadSiginfo();
  Result<void> WriteSiginfo(const siginfo_t& info);
  // By a call on its behalf: the registers must be settled, as the kernel refuses while the thread is on the former
  // one.
  Result<void> SetAlternateStack(const stack_t& stack);
  Result<uint64_t> ReadSignalMask();
  Result<void> WriteSignalMask(uint64_t mask);
  // Debug registers, of all threads: slot 0…3; length 1, 2, 4 or 8 (aligned). write_only false: reads too.
  Result<void> SetWatch(int slot, TraceeAddress address, unsigned length_bytes, bool write_only);
  // Stops before the instruction at `address` is executed; its bytes stay as they are. It is passed by
  // kResumeFlag in `eflags`, which the kernel has set when it stops.
  Result<void> SetHardwareBreakpoint(int slot, TraceeAddress address);
  Result<void> ClearDebugRegister(int slot);
  bool watched() const { return debug_wanted_.control != 0; }
  // Which slots the current thread has triggered since this was last called (DR6), as a bit set.
  unsigned TakeDebugHits();
  // To be taken again: the next step or trap of a watch would forget them.
  void NoteDebugHits(unsigned hits) { thread_.debug_hits |= hits; }
  bool has_noted_debug_hits() const { return thread_.debug_hits != 0; }

  // -- Running ----------------------------------------------------------------
  Result<void> Resume(ResumeMode mode, int signal = 0);
  // The next stop of this process; other processes' stops go to their own
  // queues. nullopt: woken by WakeTracer() or a WakeTimer instead.
  std::optional<Stop> Wait(bool wakeable = false);
  // Of a process that was taken over; the first is the current one.
  const std::vector<ThreadTakenOver>& taken_over() const;
  bool attached() const { return attachment_ != nullptr; }
  bool has_filter() const { return call_stops_ == CallStops::kByFilter; }
  // What an attached process is given back when it is let go, as it changes meanwhile.
  void NoteAffinity(pid_t tid, std::span<const std::byte> cpus);
  std::vector<int> AffinityOf(pid_t tid) const;  // as it was before any pinning
  // The current thread registers its area for restartable sequences, or takes it
  // back. The kernel is told when it is let go.
  void NoteRseq(TraceeAddress area, uint32_t length, bool unregister, uint32_t signature);
  // Of an attached process: the current thread is in a restartable sequence, which the kernel no longer watches.
  bool InRseqSection();
  // Whether Detach() can be: not of a child of a launched program, which has the filter.
  bool CanBeLetGo() const { return attachment_ && call_stops_ == CallStops::kByTracing; }
  // A byte of the program's that an int3 of ours is about to hide, or does not hide any more.
  void NoteHidden(TraceeAddress address, std::byte original);
  void ForgetHidden(TraceeAddress address);
  // What the guardian does when we are gone (guardian.h).
  static void PutInOrder(pid_t pid, const Leftovers& leftovers);
  void NoteAlternateStack(const stack_t& stack) { thread_.alternate_stack = stack; }
  // The current thread has made `child`, a process: it stays traced because of the
  // filter, or is let go if there is none. `patched`: bytes that int3s of ours hide in it.
  Result<void> ChildMade(pid_t child, bool shares_memory, const std::vector<int>& cpus,
                         const std::map<TraceeAddress, std::byte>& patched);

  // After a kExec stop: to the new program's first instruction, prepared as by Launch().
  Result<void> EnterNewProgram();
  Result<void> RequestInterrupt();  // asks a running process to stop (kInterrupted)
  // Job control. Gives the current thread a signal that stops the process (0: none, it is stopped already), not at a
  // call's entry, and stands before its next instruction: kInterrupted, where `job_stopped` says whether the kernel
  // stops the process (it does not in an orphaned group, but for SIGSTOP); or whatever came instead.
  Result<Stop> EnterJobStop(int signal);
  // On from kInterrupted with `job_stopped`, executing nothing: kInterrupted again when it is over (SIGCONT).
  Result<void> StayInJobStop();
  // Sends `signal` to the process as thread-directed; it shows up as a kSignal stop.
  Result<void> Raise(int signal);

  // -- Acting inside it, while stopped -----------------------------------------
  Result<int64_t> Syscall(long number, std::array<uint64_t, 6> arguments = {});
  // A copy by fork: stopped, same registers, copy-on-write memory.
  // `with_signal` 0: not a child of the debuggee. Errors: "forkRefused".
  Result<std::unique_ptr<Tracee>> Fork();
  // Makes `parts` of its memory, with what they hold, one memory that is mapped
  // at several places: whatever is mapped with the same offset is the same. It
  // belongs to this process alone, and each copy gets one of its own (own_memory.h).
  Result<void> JoinMemory(std::span<const JoinedPart> parts);
  // Whether a mapping of this process is such memory of its own.
  bool Owns(const Mapping& mapping) const;
  bool has_own_memory() const { return own_memory_.fd.valid(); }
  std::vector<siginfo_t> TakeDeferredSignals();
  // Leaves a system call that is about to be made (at kSyscallEntry) as if its
  // instruction had not been executed; only rcx and r11 are lost.
  void AbandonSyscall();
  // At kSyscallEntry: the call is not made; it returns `result`.
  // Marks the place where the thread is about to be resumed: as long as
  // NothingExecuted() holds, no instruction of the program was executed since.
  // It may not hold though nothing was; registers alone cannot tell, because a
  // loop comes back to the same ones.
  void MarkPlace();
  bool NothingExecuted();
  void SkipSyscall(int64_t result);

  // Lets an attached process go as if nothing had been: all of its threads,
  // from wherever they stand. `signals`: by thread, what it has not been given
  // yet. `patched` as above. One with the filter is parked, if it has a `guard`
  // (park.h). Error: "notAttached"; of what cannot be undone it is let go all the same.
  Result<void> Detach(const std::map<pid_t, std::vector<siginfo_t>>& signals,
                      const std::map<TraceeAddress, std::byte>& patched, pid_t guard = 0);
  // A process that the debuggee has made and that stands still or soon will
  // (kNewProcess): taken as one of its own; nobody else may wait for it.
  static std::unique_ptr<Tracee> TakeChild(pid_t pid);
  // Lets it go for another tracer, all of its threads being stopped: see park.h.
  // It waits as long as the process `guard` lives. `filtered`: it has our seccomp filter.
  Result<void> Park(pid_t guard, bool filtered);
  // Of a process that was just seized, all its threads stopped: where they were
  // when it was parked. Returns whether it is filtered. Error: "notParked".
  Result<bool> Unpark();
  // Of a process without the filter that stands: its core pages are taken from it, and it runs on untraced.
  void LeaveCorePages();
  // After a kExec stop: to the new program's first instruction, with core pages and otherwise as it is.
  Result<void> EnterAsItIs();
  // Seizes a parked process. Errors: "notParked", "ptraceForbidden".
  static Result<std::unique_ptr<Tracee>> TakeOver(pid_t pid);
  // CPU time used by the process, nanoseconds; 0 if gone.
  uint64_t CpuTimeNs() const;
  // Whether the process is dead, or was killed and is about to be: nothing that was asked of it then succeeds.
  bool IsEnding() const;
  // Counts on from `time_ns`: a fork that goes on with another process's run begins at 0 by itself.
  void CountCpuTimeFrom(uint64_t time_ns);
  // Memory that is private to this process, by /proc/PID/smaps_rollup; bytes.
  uint64_t PrivateBytes() const;

  // A copy that is destroyed ends by itself, soon. Waits for the end of all of them.
  static void AwaitDying();
  // ptrace stops seen by this thread so far (all processes): what recording costs.
  static uint64_t StopCount();

 private:
  friend class TracerThread;
  friend class Attachment;
  friend class ChildProcesses;
  explicit Tracee(pid_t pid);
  // Nobody's Tracee any more, but traced: its threads, stopped.
  std::vector<pid_t> Release();

  Result<void> SeeExecThrough();
  Result<void> PrepareAfterExec();
  Result<void> MapCorePage(TraceeAddress lent);
  Result<void> StopAllThreads();
  Result<bool> StopHere();
  Result<uint64_t> RunToTrap(GeneralRegisters call, const GeneralRegisters& saved, uint64_t trap_pc,
                             std::unique_ptr<Tracee>* forked);
  Result<int64_t> SyscallAt(TraceeAddress syscall_instruction, long number, std::array<uint64_t, 6> arguments,
                            std::unique_ptr<Tracee>* forked);
  Result<int64_t> MakeOwnMemory();
  Result<void> MapOwnMemory(const Mapping& place, uint64_t offset, int64_t descriptor);
  Result<void> GiveOwnMemory(Tracee& copy) const;
  Result<void> FlushRegisters();
  Result<void> SettleDebugRegisters();
  void ForgetDebugRegisters();
  long RequestFor(ResumeMode mode, bool at_entry, int signal);
  bool NextIsSyscall();
  void GoOnBy(long request);
  std::optional<Stop> Interpret(int status);
  void HideStepping();
  bool FaultIsPending() const;

  struct DebugRegisters {
    std::array<uint64_t, 4> addresses{};
    uint64_t control = 0;
    bool operator==(const DebugRegisters&) const = default;
  };

  struct ThreadState {
    bool gone = false;
    bool interrupt_again = false;  // an interrupt had to let a pending fault go first
    bool registers_valid = false;
    bool registers_dirty = false;
    GeneralRegisters registers{};
    std::vector<siginfo_t> deferred;
    bool only_expected = false;  // there is no such thread before execve
    DebugRegisters debug;        // what the kernel has: the kernel's are each thread's own
    unsigned debug_hits = 0;
    bool at_syscall_entry = false;
    bool skip_exit = false;        // kByTracing: the end of the call that comes next is nobody's wish
    bool interrupt_asked = false;  // and not seen yet: any other stop makes the kernel forget it
    bool stepping = false;
    bool running = false;
    // A step out of a call that is not made reports the call's end before it executes anything: not the step's.
    bool idle_step = false;
    stack_t alternate_stack{nullptr, SS_DISABLE, 0};  // attached: as far as it was told
  };

  pid_t leader_;  // the process's number for the kernel; pid_ is one that /proc shows it by
  pid_t pid_;
  pid_t tid_;  // the current thread, whose state is thread_
  TraceeMemory memory_;
  OwnMemory own_memory_;
  std::vector<AddressRange> own_pages_;
  bool gone_ = false;
  bool is_copy_ = false;  // made by Fork()
  CallStops call_stops_ = CallStops::kByFilter;
  std::unique_ptr<Attachment> attachment_;
  uint64_t time_before_ns_ = 0;  // what CpuTimeNs() adds
  DebugRegisters debug_wanted_;  // each thread gets them as it is resumed
  ThreadState thread_;
  std::map<pid_t, ThreadState> others_;
};

// Makes Tracee::Wait(true) return, from any thread. Holds until taken.
void WakeTracer();
// While it lives, Tracee::Wait(true) returns about every `interval_ms`.
// Made and destroyed on the tracer thread.
class WakeTimer {
 public:
  explicit WakeTimer(double interval_ms);
  ~WakeTimer();
  WakeTimer(const WakeTimer&) = delete;
  WakeTimer& operator=(const WakeTimer&) = delete;

 private:
  timer_t timer_{};
  bool running_ = false;
};
// The tracer thread calls this once; everything in this folder belongs to it.
void BecomeTracerThread();
// Lets another thread become the tracer thread; all tracees are gone.
void ResignAsTracerThread();
// The CPUs that this process may use, as it was before any pinning.
const std::vector<int>& OriginalCpus();

// Tries, in a forked child, whether this machine lets us trace: for ProbeKernel().
Result<void> TryPtrace();

}  // namespace chronofork
