// System calls: perform each once, and write down what it answered and what
// the kernel wrote.
//
// == 1. At entry: deliver held signals first; catch; refuse; answer ourselves.
// == 2. Perform it, and wait for its end; children go on meanwhile.
// == 3. Log the result and the written memory.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "record/clone_call.h"
#include "record/recorder.h"
#include "record/signal_frame.h"
#include "record/timers.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("syscall");

// What the kernel leaves in rax when a call was interrupted (linux/errno.h); no program sees them.
constexpr int64_t kRestartSys = -512;
constexpr int64_t kRestartNoIntr = -513;
constexpr int64_t kRestartNoHand = -514;
constexpr int64_t kRestartBlock = -516;

bool IsRestart(int64_t result) {
  return result == kRestartSys || result == kRestartNoIntr || result == kRestartNoHand || result == kRestartBlock;
}

SyscallArguments CallOf(const GeneralRegisters& r) {
  return {static_cast<long>(r.orig_rax), {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
}

bool Writes(long number) {
  switch (number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2: return true;
    default: return false;
  }
}

bool IsMemoryFile(const std::string& path) { return path.starts_with("/proc/") && path.ends_with("/mem"); }

bool ChangesMappings(long number) {
  switch (number) {
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mremap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_brk:
    case SYS_madvise:
    case SYS_shmat:
    case SYS_shmdt: return true;
    default: return false;
  }
}

}  // namespace

bool Recorder::Opens(long number) {
  return number == SYS_open || number == SYS_openat || number == SYS_openat2 || number == SYS_creat;
}

bool Recorder::Catches(long number) const {
  return caught_syscalls && (caught_syscalls->empty() || caught_syscalls->contains(number));
}

Recorder::Outcome Recorder::OnSyscallEntry() {
  // == 1.
  SyscallArguments call = CallOf(live_.registers());
  bool reported = std::exchange(now_.entry_reported, false);
  now_.at_syscall = stop_at_next_call_ = false;
  ++stopped_calls[call.number];
  if (!call_from_patch_) NoteSite(call);
  if (!now_.held.empty()) {
    live_.AbandonSyscall();
    now_.at_syscall = true;
    return DeliverHeld();
  }
  LiveStop stop;
  stop.syscall_number = call.number;
  if (interrupt_wanted_.exchange(false)) {
    live_.AbandonSyscall();
    now_.at_syscall = true;
    stop.kind = LiveStop::Kind::kInterrupted;
    return std::optional(stop);
  }
  if (call.number == SYS_exit && live_.thread_count() > 1) return EndThread(call);
  if (call.number == SYS_exit_group || call.number == SYS_exit) {
    live_.AbandonSyscall();
    now_.at_syscall = true;
    stop.kind = LiveStop::Kind::kExited;
    stop.exit_code = static_cast<int>(call.values[0] & 0xff);
    return std::optional(stop);
  }
  if (!reported && Catches(call.number)) {
    live_.AbandonSyscall();
    now_.at_syscall = now_.entry_reported = true;
    stop.kind = LiveStop::Kind::kSyscallEntry;
    return std::optional(stop);
  }
  if (AnsweredAtFixedAddress(call) || AnsweredByUs(call)) return std::optional<LiveStop>();
  auto descriptor_path = [this](int fd) { return ReadProcLink(live_.pid(), "fd/" + std::to_string(fd)); };
  if (std::optional<std::string> refusal = RefusalFor(call, descriptor_path)) {
    ++refused_calls;
    Tell(*refusal);
    int answer = RowFor(call.number).answer_errno;
    AnswerSyscall(call, -(answer ? answer : ENOSYS));
    return std::optional<LiveStop>();
  }
  SyscallClass cls = ClassFor(call);
  if (cls == SyscallClass::kProcess) LeavePatches();
  if (cls == SyscallClass::kExecute) CF_TRY(LeavePatchesIn(call));
  if (cls == SyscallClass::kProcess) return PerformProcessCall(call);
  // What is written to /proc/self/mem changes the program itself.
  if (own_memory_open_ && Writes(call.number) && IsMemoryFile(descriptor_path(static_cast<int>(call.values[0]))))
    cls = SyscallClass::kByDirtyPages;
  if (cls == SyscallClass::kByDirtyPages) LeavePatches();
  return PerformSyscall(call, cls);
}

void Recorder::FinishSyscall(Event event) {
  if (!shared_.empty() || !shared_changes_.empty()) {
    // What the call itself has written comes last but for what was found after it.
    std::vector<MemoryWrite> writes = std::exchange(shared_changes_, {});
    LookAtShared({event.number, event.arguments});
    for (std::vector<MemoryWrite>* more : {&event.writes, &shared_changes_})
      for (MemoryWrite& write : *more) writes.push_back(std::move(write));
    shared_changes_.clear();
    event.writes = std::move(writes);
  }
  Append(std::move(event));
}

// Adds the bytes that `ranges` hold now, as far as they can be read.
void Recorder::NoteWrites(std::span<const AddressRange> ranges, Event& event) {
  for (const AddressRange& range : ranges) {
    MemoryWrite write{range.start, std::vector<std::byte>(range.length())};
    write.bytes.resize(live_.memory().ReadSome(range.start, write.bytes));
    if (!write.bytes.empty()) event.writes.push_back(std::move(write));
  }
}

// Shared memory that only this program has is as good as private, and private
// memory is what a checkpoint copies.
Result<void> Recorder::PrepareCall(const SyscallArguments& call) {
  if (Renamed()) GiveRealNumbers(call);
  if (call.number != SYS_mmap || (call.values[3] & MAP_TYPE) != MAP_SHARED) return {};
  if (!(call.values[3] & MAP_ANONYMOUS)) return {};
  GeneralRegisters r = live_.registers();
  r.r10 = (call.values[3] & ~uint64_t{MAP_TYPE}) | MAP_PRIVATE;
  live_.SetRegisters(r);
  return {};
}

// What was opened, so that a branch can open it again.
void Recorder::NoteOpened(int descriptor, Event& event) {
  std::string link = "/proc/" + std::to_string(live_.pid()) + "/fd/" + std::to_string(descriptor);
  event.descriptor_path = ReadProcLink(live_.pid(), "fd/" + std::to_string(descriptor));
  struct stat status {};
  own_memory_open_ = own_memory_open_ || IsMemoryFile(event.descriptor_path);
  event.descriptor_is_file = ::stat(link.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

void Recorder::NoteMemoryLayout(const SyscallArguments& call, int64_t result, Event& event) {
  if (dirty_pages) {
    dirty_pages->MappingsChanged();
    uint64_t length = (call.values[1] + 4095) & ~uint64_t{4095};
    TraceeAddress first(call.values[0]);
    if (call.number == SYS_munmap || call.number == SYS_madvise)
      dirty_pages->Discarded({first.PageStart(), first.PageStart() + length});
    else if (call.number == SYS_mmap && result >= 0)
      dirty_pages->Discarded(
          {TraceeAddress(static_cast<uint64_t>(result)), TraceeAddress(static_cast<uint64_t>(result)) + length});
    else if (call.number == SYS_mremap && result >= 0)
      dirty_pages->Discarded(
          {TraceeAddress(static_cast<uint64_t>(result)),
           TraceeAddress(static_cast<uint64_t>(result) + ((call.values[2] + 4095) & ~uint64_t{4095}))});
  }
  bool failed = result < 0 && result >= -4095;
  if (failed) return;
  if (call.number == SYS_mmap && !(call.values[3] & MAP_ANONYMOUS)) {
    const std::string name = "fd/" + std::to_string(static_cast<int>(call.values[4]));
    event.file = MappedFile::Open("/proc/" + std::to_string(live_.pid()) + "/" + name, ReadProcLink(live_.pid(), name));
  }
  NoteSharing(call, result, event);
  NoteMappedFile(event.file);
  Result<void> trapping = TrapAnew(call, result, event);
  if (!trapping.ok()) CF_LOG(logger, kError, "%s", trapping.error().message.c_str());
}

// The instructions that are made to trap, where the program has changed its code.
Result<void> Recorder::TrapAnew(const SyscallArguments& call, int64_t result, Event& event) {
  CF_TRY_ASSIGN(const std::vector<TraceeAddress> forgotten, ForgetTraps(call, result, live_.memory(), patched_));
  for (TraceeAddress address : forgotten) live_.ForgetHidden(address);
  const auto pages = [](uint64_t start, uint64_t length_bytes) {
    return AddressRange{TraceeAddress(start), TraceeAddress(start + ((length_bytes + 4095) & ~uint64_t{4095}))};
  };
  const auto [first, second, third] = std::array{call.values[0], call.values[1], call.values[2]};
  const AddressRange given = pages(first, second);
  switch (call.number) {
    case SYS_munmap: written_code_ = Subtract(written_code_, {given}); return {};
    case SYS_mremap: {
      const AddressRange moved = pages(static_cast<uint64_t>(result), third);
      const bool written = Overlaps(written_code_, given);
      written_code_ = Subtract(Subtract(written_code_, {given}), {moved});
      if (written) written_code_ = Union(written_code_, {moved});
      return forgotten.empty() ? Result<void>() : PatchRange(moved, &event.patched);
    }
    case SYS_mmap:
    case SYS_mprotect:
    case SYS_pkey_mprotect: {
      const bool anew = call.number == SYS_mmap;
      const AddressRange range = anew ? pages(static_cast<uint64_t>(result), second) : given;
      if (anew) written_code_ = Subtract(written_code_, {range});
      if (!(third & PROT_EXEC)) return {};
      if (third & PROT_WRITE) written_code_ = Union(written_code_, {range});
      return PatchRange(range, &event.patched);
    }
    default: return {};
  }
}

Recorder::Outcome Recorder::PerformSyscall(const SyscallArguments& call, SyscallClass cls) {
  MemoryReaderFn read = [this](TraceeAddress a, std::span<std::byte> out) { return live_.memory().Read(a, out); };
  OpenCall open;
  open.call = call;
  open.meaning = call.number == SYS_restart_syscall && now_.restarting ? *now_.restarting : call;
  open.cls = cls;
  open.snapshot = SnapshotAtEntry(open.meaning, read);
  open.timer = TimerSettingOf(call, read);
  if (std::optional<stack_t> armed = call.number == SYS_rt_sigreturn ? StackAfterReturn(live_) : std::nullopt) {
    now_.alternate_stack = *armed;
    live_.NoteAlternateStack(*armed);
  }
  const bool shows_stand_in = ShowsStandIn(call);
  if (cls == SyscallClass::kByDirtyPages || shows_stand_in) {
    LeavePatches();
    live_.AbandonSyscall();
    GeneralRegisters at_call = live_.registers();
    if (shows_stand_in) CF_TRY(ShareStandIn());
    // A copy made just before the call: what is private to us after it was written by it.
    if (cls == SyscallClass::kByDirtyPages) {
      CF_TRY_ASSIGN(open.before, live_.Fork());
    }
    live_.SetRegisters(at_call);
    CF_TRY(live_.Resume(ResumeMode::kContinue));
    std::optional<Stop> again = live_.Wait();
    if (again->kind != Stop::Kind::kSyscallEntry) return OnStop(*again);
  }
  LookAtShared(call);
  if (live_.thread_count() > 1) {
    // A thread that waits in a call cannot be asked.
    now_.at_call.registers = live_.registers();
    if (RowFor(call.number).may_block) {
      CF_TRY_ASSIGN(now_.at_call.vector_state, live_.ReadExtended());
      CF_TRY_ASSIGN(now_.at_call.signal_mask, live_.ReadSignalMask());
    }
  }
  CF_TRY(PrepareCall(call));

  // == 2.
  now_.open = std::move(open);
  CF_TRY(live_.Resume(ResumeMode::kToSyscallExit));
  CF_TRY_ASSIGN(CallEnd end, WaitForCallEnd(RowFor(call.number).may_block));
  if (end.next != 0) return SwitchThread(end.next, SignalPlace::kBeforeSyscall);
  if (end.instead) {
    now_.open.reset();
    return OnStop(*end.instead);
  }
  return CompleteCall();
}

// == 3. The current thread's open call has ended.
Recorder::Outcome Recorder::CompleteCall() {
  OpenCall open = *std::exchange(now_.open, std::nullopt);
  const SyscallArguments& call = open.call;
  const SyscallArguments& meaning = open.meaning;
  const SyscallClass cls = open.cls;
  MemoryReaderFn read = [this](TraceeAddress a, std::span<std::byte> out) { return live_.memory().Read(a, out); };
  GeneralRegisters r = live_.registers();
  int64_t result = static_cast<int64_t>(r.rax);
  if (call.number != SYS_rt_sigreturn &&
      (r.r10 != call.values[3] || r.rdi != call.values[0] || r.rsi != call.values[1])) {
    r.rdi = call.values[0];  // PrepareCall's changes are not the program's
    r.rsi = call.values[1];
    r.r10 = call.values[3];
    live_.SetRegisters(r);
  }

  Event event = NewEvent(EventKind::kSyscall);
  event.number = static_cast<int32_t>(call.number);
  event.arguments = call.values;
  event.syscall_class = cls;
  event.result = result;
  if (open.interrupted && result == -EINTR && !live_.SignalsPending()) {
    // Some waits (epoll_wait, semop) say so to the program, which has no part in it.
    r.rip -= 2;
    r.rax = static_cast<uint64_t>(call.number);
    r.orig_rax = ~0ull;
    live_.SetRegisters(r);
    now_.at_syscall = true;
    LiveStop stop;
    stop.syscall_number = call.number;
    stop.kind = LiveStop::Kind::kInterrupted;
    if (interrupt_wanted_.exchange(false)) return std::optional(stop);
    return std::optional<LiveStop>();
  }
  if (IsRestart(result) && call.number != SYS_rt_sigreturn) return OnSyscallInterrupted(call, std::move(event));
  CF_TRY(ShowOwnProcessors(call, result));
  std::optional<std::vector<AddressRange>> ranges;
  if (cls != SyscallClass::kByDirtyPages) ranges = OutRanges(meaning, result, read, open.snapshot);
  if (open.before) {
    CF_TRY_ASSIGN(PageSet pages, ExclusivePages(live_.pid()));
    ranges = WithoutOwnPages(pages);
  } else if (!ranges && cls != SyscallClass::kExecute && dirty_pages) {
    // Not known after all (a call that failed half-way): every page written
    // since the last checkpoint holds now what a replay must hold here.
    CF_TRY_ASSIGN(PageSet pages, dirty_pages->Collect(false));
    ranges = WithoutOwnPages(pages);
  }
  event.output_digest = OutputDigest(call, result, read);
  if (ranges && cls != SyscallClass::kExecute) {
    NoteWrites(*ranges, event);
  }
  if (result >= 0 && Opens(call.number)) NoteOpened(static_cast<int>(result), event);
  if (cls == SyscallClass::kExecute && ChangesMappings(call.number)) NoteMemoryLayout(call, result, event);
  if (result >= 0) event.timer = std::move(open.timer);
  FinishSyscall(std::move(event));
  if (call.number == SYS_set_tid_address) now_.clear_child_tid = call.values[0];
  if (call.number == SYS_sigaltstack && result == 0 && call.values[0] != 0) {
    CF_TRY_ASSIGN(now_.alternate_stack, live_.memory().ReadValue<stack_t>(TraceeAddress(call.values[0])));
    live_.NoteAlternateStack(now_.alternate_stack);
  }
  yielded_ = call.number == SYS_sched_yield;
  LiveStop stop;
  stop.syscall_number = call.number;
  if (stop_after && stop_after(log_.at(log_.size() - 1))) {
    stop.kind = LiveStop::Kind::kEventSeen;
    return std::optional(stop);
  }
  if (Catches(call.number)) {
    stop.kind = LiveStop::Kind::kSyscallReturn;
    return std::optional(stop);
  }
  if (Mode() == ResumeMode::kStep) {
    stop.kind = LiveStop::Kind::kTrap;
    stop.siginfo.si_signo = SIGTRAP;
    return std::optional(stop);
  }
  if (checkpoint_due(true)) {
    stop.kind = LiveStop::Kind::kCheckpointDue;
    return std::optional(stop);
  }
  return std::optional<LiveStop>();
}

// The call ended with -ERESTART…: a signal, our interrupt, or nothing comes
// next, before the program executes anything.
Recorder::Outcome Recorder::OnSyscallInterrupted(const SyscallArguments& call, Event event) {
  LeavePatches();
  CF_TRY(live_.Resume(ResumeMode::kContinue));
  std::optional<Stop> stop = live_.Wait();
  if (stop->kind == Stop::Kind::kSyscallEntry) {  // restarted by the kernel alone: our interrupt is used up by any stop
    if (event.result == kRestartBlock && call.number != SYS_restart_syscall) {
      // What is called now has another number, and a replay must know of it.
      live_.AbandonSyscall();
      now_.restarting = call;
      event.restarted = true;
      event.result = SYS_restart_syscall;
      FinishSyscall(std::move(event));
      now_.at_syscall = interrupt_wanted_.load();
      if (!interrupt_wanted_.exchange(false)) return std::optional<LiveStop>();
      LiveStop interrupted;
      interrupted.kind = LiveStop::Kind::kInterrupted;
      interrupted.syscall_number = SYS_restart_syscall;
      return std::optional(interrupted);
    }
    return OnStop(*stop);
  }
  return OnInterruptedBy(*stop, call, std::move(event));
}

// … and this has come.
Recorder::Outcome Recorder::OnInterruptedBy(const Stop& stop, const SyscallArguments& call, Event event) {
  bool is_signal = stop.kind == Stop::Kind::kSignal && (stop.siginfo.si_signo != SIGTRAP || stop.siginfo.si_code <= 0);
  if (!is_signal && stop.kind != Stop::Kind::kInterrupted) return OnStop(stop);

  GeneralRegisters r = live_.registers();
  r.orig_rax = ~0ull;
  Disposition disposition;
  if (is_signal) {
    CF_TRY_ASSIGN(disposition, DispositionOf(stop.siginfo.si_signo));
  }
  bool restart = !disposition.handled || event.result == kRestartNoIntr;
  if (!restart && event.result == kRestartSys) {
    // The question is a remote call: the registers must be settled before it.
    GeneralRegisters settled = r;
    settled.rip -= 2;
    settled.rax = static_cast<unsigned long long>(call.number);
    live_.SetRegisters(settled);
    CF_TRY_ASSIGN(restart, Restarts(stop.siginfo.si_signo));
  }
  if (restart) {
    // A wait with a time limit goes on with what is left of it, and does not begin anew.
    bool goes_on = is_signal && event.result == kRestartBlock;
    if (goes_on && call.number != SYS_restart_syscall) now_.restarting = call;
    r.rip -= 2;
    r.rax = static_cast<unsigned long long>(goes_on ? SYS_restart_syscall : call.number);
  } else {
    r.rax = static_cast<unsigned long long>(-EINTR);
  }
  live_.SetRegisters(r);
  if (!is_signal) {
    interrupting_ = false;
    now_.at_syscall = true;
    LiveStop live_stop;
    live_stop.syscall_number = call.number;
    live_stop.kind = LiveStop::Kind::kInterrupted;
    if (interrupt_wanted_.exchange(false)) return std::optional(live_stop);
    return std::optional<LiveStop>();
  }
  event.restarted = restart;
  if (restart) event.result = static_cast<int64_t>(r.rax);  // the number by which it is called again
  if (!restart) {
    event.result = -EINTR;
    MemoryReaderFn read = [this](TraceeAddress a, std::span<std::byte> out) { return live_.memory().Read(a, out); };
    const SyscallArguments meaning = call.number == SYS_restart_syscall && now_.restarting ? *now_.restarting : call;
    auto ranges = OutRanges(meaning, -EINTR, read, SnapshotAtEntry(meaning, read));
    NoteWrites(ranges.value_or(std::vector<AddressRange>()), event);
  }
  FinishSyscall(std::move(event));
  return SignalArrived(stop.siginfo, SignalPlace::kAfterEvent);
}

// fork and its like, and exec.
Recorder::Outcome Recorder::PerformProcessCall(const SyscallArguments& call) {
  MemoryReaderFn read = [this](TraceeAddress a, std::span<std::byte> out) { return live_.memory().Read(a, out); };
  if (call.number == SYS_execve || call.number == SYS_execveat) {
    live_.ExpectExec();
    CF_TRY(live_.Resume(ResumeMode::kToSyscallExit));
    CF_TRY_ASSIGN(CallEnd end, WaitForCallEnd(false));
    if (!end.instead || end.instead->kind != Stop::Kind::kExec) live_.NoteExecFailed();
    if (end.instead) return OnStop(*end.instead);
    Event failed = NewEvent(EventKind::kSyscall);
    failed.number = static_cast<int32_t>(call.number);
    failed.arguments = call.values;
    failed.result = static_cast<int64_t>(live_.registers().rax);
    FinishSyscall(std::move(failed));
    return std::optional<LiveStop>();
  }
  const CloneCall clone = ReadCloneCall(call, read);
  if (clone.flags & CLONE_THREAD) return MakeThread(call, clone);
  if (!(clone.flags & CLONE_VM)) return MakeProcess(call, clone);
  // The child goes through our memory until it calls exec; nothing of ours runs meanwhile.
  CF_TRY(ShowBreakpoints(false));
  Outcome outcome = MakeProcess(call, clone);
  if (outcome.ok() && !live_.gone()) CF_TRY(ShowBreakpoints(true));
  return outcome;
}

Result<void> Recorder::ShowBreakpoints(bool shown) {
  if (!inserted) return {};
  for (const auto& [address, original] : *inserted)
    CF_TRY(live_.memory().WriteValue(address, shown ? kInt3Byte : original));
  return {};
}

Recorder::Outcome Recorder::MakeProcess(const SyscallArguments& call, const CloneCall& clone) {
  const uint64_t flags = clone.flags;
  Event event = NewEvent(EventKind::kSyscall);
  event.number = static_cast<int32_t>(call.number);
  event.arguments = call.values;
  event.syscall_class = SyscallClass::kProcess;
  // A child that shares our memory writes into it until it calls exec.
  std::unique_ptr<Tracee> before;
  const bool advised = !(flags & CLONE_VM) && !(not_for_children_.empty() && wiped_for_children_.empty());
  const bool no_longer_alone = !(flags & CLONE_VM) && !alone_.empty();
  if ((flags & CLONE_VM) || advised || no_longer_alone) {
    live_.AbandonSyscall();
    GeneralRegisters at_call = live_.registers();
    if (no_longer_alone) {
      CF_TRY(ShareStandIn());
      Tell(
          "The program shares memory with its children. What they write there is seen in the past as of the program's "
          "next system call.");
    }
    if (advised) CF_TRY(AdviseForFork(true));
    if (flags & CLONE_VM) {
      CF_TRY_ASSIGN(before, live_.Fork());
    }
    live_.SetRegisters(at_call);
    CF_TRY(live_.Resume(ResumeMode::kContinue));
    std::optional<Stop> again = live_.Wait();
    if (again->kind != Stop::Kind::kSyscallEntry) return OnStop(*again);
  }
  LookAtShared(call);
  if (dirty_pages && !(flags & CLONE_VM)) CF_TRY(dirty_pages->BeforeFork());
  CF_TRY(live_.Resume(ResumeMode::kToSyscallExit));
  CF_TRY_ASSIGN(CallEnd end, WaitForCallEnd(false));
  if (end.instead) return OnStop(*end.instead);
  if (advised) CF_TRY(AdviseForFork(false));
  event.result = static_cast<int64_t>(live_.registers().rax);
  event.process_was_made = event.result > 0;
  if (event.process_was_made && (flags & CLONE_VM) && !(flags & CLONE_VFORK))
    Tell(
        "The program has made a process that goes on beside it in the same memory (clone with CLONE_VM). What that "
        "writes is not recorded: in the past it may be missing, and a replay that depends on it ends with an error.");
  if (IsRestart(event.result)) return OnSyscallInterrupted(call, std::move(event));
  PageSet pages;
  if (before) {
    CF_TRY_ASSIGN(pages, ExclusivePages(live_.pid()));
    pages = WithoutOwnPages(pages);
  } else {
    pages = clone.WrittenForCaller();
  }
  NoteWrites(pages, event);
  FinishSyscall(std::move(event));
  return std::optional<LiveStop>();
}

}  // namespace chronofork
