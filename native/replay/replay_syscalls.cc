// System calls in a replay: checked against the recording, then answered from
// it. Only those that shape the process itself are made again, and files that
// were mapped are mapped from the descriptors that the recording kept.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "record/signal_frame.h"
#include "replay/replayer.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("replay");

SyscallArguments CallOf(const GeneralRegisters& r) {
  return {static_cast<long>(r.orig_rax), {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
}

// A call that failed has changed nothing. It is not made again: the limit that
// it met may not hold in a copy.
bool Failed(const Event& event) {
  // What rt_sigreturn "answers" is the rax of the interrupted code.
  if (event.number == SYS_rt_sigreturn) return false;
  // brk answers where the break is, wherever it was asked to be.
  if (event.number == SYS_brk) return static_cast<uint64_t>(event.result) != event.arguments[0];
  return event.result < 0 && event.result >= -4095;
}

}  // namespace

// Whether `write` changes a byte of `watched`.
bool Replayer::Differs(const MemoryWrite& write, const AddressRange& watched) const {
  const TraceeAddress start = std::max(write.address, watched.start);
  const TraceeAddress end = std::min(write.address + write.bytes.size(), watched.end);
  std::vector<std::byte> now(end - start);
  now.resize(process_->memory().ReadSome(start, now));
  return !std::equal(now.begin(), now.end(), write.bytes.begin() + static_cast<long>(start - write.address));
}

std::optional<size_t> Replayer::WatchOverlapping(const Event& event) const {
  for (size_t i = 0; i < plan_->watches.size(); ++i) {
    AddressRange watched{plan_->watches[i].address, plan_->watches[i].address + plan_->watches[i].length_bytes};
    for (const MemoryWrite& write : event.writes) {
      if (!watched.Overlaps({write.address, write.address + write.bytes.size()})) continue;
      if (!write.from_outside || Differs(write, watched)) return i;
    }
  }
  return std::nullopt;
}

Replayer::Outcome Replayer::OnSyscallEntry(ResumeMode mode) {
  SyscallArguments call = CallOf(process_->registers());
  ReplayStop stop;
  stop.syscall_number = call.number;
  if (event_ >= log_->size() || AtEnd(Position::Kind::kAtSyscall)) {
    bool at_end = AtEnd(Position::Kind::kAtSyscall);
    process_->AbandonSyscall();
    kind_ = Position::Kind::kAtSyscall;
    if (at_end && plan_->end->reference) {
      CF_TRY_ASSIGN(std::optional<Mismatch> mismatch, Compare(*plan_->end));
      if (mismatch) return Diverged(mismatch->what);
    }
    stop.kind = at_end ? ReplayStop::Kind::kReachedEnd : ReplayStop::Kind::kEndOfLog;
    return std::optional(stop);
  }
  const Event& event = log_->at(event_);
  if (event.kind == EventKind::kSignal && event.place == SignalPlace::kBeforeSyscall) {
    process_->AbandonSyscall();
    kind_ = Position::Kind::kAtSyscall;
    return InjectSignal();
  }
  if (event.kind == EventKind::kSwitch && event.place == SignalPlace::kBeforeSyscall) {
    if (event.result != call.number || event.arguments != call.values)
      return Diverged("the program called " + std::string(RowFor(call.number).name) + " where the recording has " +
                      Describe(event, event_));
    process_->AbandonSyscall();
    CF_TRY(SwitchThread(event, false));
    return std::optional<ReplayStop>();
  }
  if (event.kind != EventKind::kSyscall || event.number != call.number || event.thread != thread_)
    return Diverged("the program called " + std::string(RowFor(call.number).name) + " where the recording has " +
                    Describe(event, event_));
  if (event.arguments != call.values)
    return Diverged("the arguments of " + std::string(RowFor(call.number).name) + " differ from " +
                    Describe(event, event_));
  if (event.thread_ended) return EndThread(event);
  if (event.output_digest != 0) {
    MemoryReaderFn read = [this](TraceeAddress a, std::span<std::byte> out) { return process_->memory().Read(a, out); };
    if (OutputDigest(call, event.result, read) != event.output_digest)
      return Diverged("the program wrote other bytes to the world in " + Describe(event, event_));
  }
  std::optional<size_t> watch = Counts(thread_) ? WatchOverlapping(event) : std::nullopt;
  if (watch && plan_->accept_kernel_watch) {
    CF_TRY_ASSIGN(bool accepted, plan_->accept_kernel_watch(*watch, event_));
    if (!accepted) watch.reset();
  }
  if (watch) {
    process_->AbandonSyscall();
    kind_ = Position::Kind::kAtSyscall;
    stop.kind = ReplayStop::Kind::kKernelWatch;
    stop.probe = *watch;
    return std::optional(stop);
  }
  if (std::optional<stack_t> armed = call.number == SYS_rt_sigreturn ? StackAfterReturn(*process_) : std::nullopt)
    alternate_stack_ = *armed;
  if (event.syscall_class == SyscallClass::kExecute && !Failed(event)) {
    CF_TRY(ExecuteAgain(event, call));
    CF_TRY(TrapAnew(event, call));
    CF_TRY(process_->JoinMemory(event.joined));
    CF_TRY(ApplyWrites(event));
  } else {
    CF_TRY(ApplyWrites(event));
    CF_TRY_ASSIGN(std::optional<TraceeAddress> mask, MaskOfWait(event, call));
    if (mask) {
      CF_TRY(WaitWithMask(event, *mask));
    } else if (event.restarted) {
      process_->AbandonSyscall();
      GeneralRegisters r = process_->registers();
      r.rax = static_cast<uint64_t>(event.result);
      process_->SetRegisters(r);
    } else {
      process_->SkipSyscall(event.result);
    }
  }
  CF_TRY(CheckAfter(event));
  if (event.thread_made != 0) CF_TRY(MakeThread(event));
  if (call.number == SYS_sigaltstack && event.result == 0 && call.values[0] != 0) {
    CF_TRY_ASSIGN(alternate_stack_, process_->memory().ReadValue<stack_t>(TraceeAddress(call.values[0])));
  }
  ++event_;
  kind_ = Position::Kind::kEventEnd;
  const bool awaited = pending_probes_ && (call.number == SYS_mmap || call.number == SYS_mprotect);
  if (awaited ||
      (event.syscall_class == SyscallClass::kExecute && !Failed(event) && ConcernsProbes(call, event.result))) {
    CF_TRY(Disarm());
    CF_TRY(Arm());
  }
  if (plan_->caught_syscalls && Counts(thread_) &&
      (plan_->caught_syscalls->empty() || plan_->caught_syscalls->contains(call.number))) {
    stop.kind = ReplayStop::Kind::kSyscallReturn;
    return std::optional(stop);
  }
  if (mode == ResumeMode::kStep) {
    stop.kind = ReplayStop::Kind::kStep;
    return std::optional(stop);
  }
  return std::optional<ReplayStop>();
}

Result<void> Replayer::ApplyWrites(const Event& event) {
  for (const MemoryWrite& write : event.writes) CF_TRY(process_->memory().Write(write.address, write.bytes));
  return {};
}

Result<void> Replayer::CheckAfter(const Event& event) {
  ++checked_;
  const GeneralRegisters& r = process_->registers();
  if (r.rip != event.pc || DigestOf(r) != event.registers_digest)
    return Diverged("the registers differ after " + Describe(event, event_));
  return {};
}

// Makes the call that the process stands at the entry of; our own interrupts do not end it.
Result<void> Replayer::ToSyscallExit(const Event& event) {
  std::optional<Stop> stop;
  do {
    CF_TRY(process_->Resume(ResumeMode::kToSyscallExit));
    stop = process_->Wait();
  } while (stop->kind == Stop::Kind::kInterrupted);
  if (stop->kind != Stop::Kind::kSyscallExit)
    return Diverged(std::string("the process stopped (") + StopKindName(stop->kind) + ") within " +
                    Describe(event, event_));
  return {};
}

Result<void> Replayer::ExecuteAgain(const Event& event, const SyscallArguments& call) {
  switch (call.number) {
    case SYS_mmap: CF_TRY(LeavePatchesIn(TraceeAddress(static_cast<uint64_t>(event.result)), call.values[1])); break;
    case SYS_mremap:
      CF_TRY(LeavePatchesIn(TraceeAddress(static_cast<uint64_t>(event.result)), call.values[2]));
      [[fallthrough]];
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_pkey_mprotect: CF_TRY(LeavePatchesIn(TraceeAddress(call.values[0]), call.values[1])); break;
    case SYS_shmat: CF_TRY(LeavePatchesIn(event.mapped.start, event.mapped.length())); break;
    default: break;
  }
  if (call.number == SYS_mmap) return MapAgain(event, call);
  if (call.number == SYS_shmat || call.number == SYS_shmdt) return AttachAgain(event, call);
  if (call.number == SYS_madvise && call.values[2] == MADV_REMOVE) {
    // Possible in shared memory only, of which a replay has none; the event has what is there now.
    process_->SkipSyscall(event.result);
    return {};
  }
  if (call.number == SYS_mremap && call.values[1] == 0) return MapSecond(event, call);
  GeneralRegisters at_entry = process_->registers();
  GeneralRegisters changed = at_entry;
  if (call.number == SYS_mremap && static_cast<uint64_t>(event.result) != call.values[0]) {
    changed.r10 = call.values[3] | MREMAP_MAYMOVE | MREMAP_FIXED;
    changed.r8 = static_cast<uint64_t>(event.result);
    process_->SetRegisters(changed);
  }
  CF_TRY(ToSyscallExit(event));
  GeneralRegisters r = process_->registers();
  int64_t result = static_cast<int64_t>(r.rax);
  if (call.number == SYS_rt_sigreturn) {
    // All registers come from the frame on the stack; what `rax` was is checked with them.
  } else {
    if (call.number == SYS_set_tid_address)
      r.rax = static_cast<uint64_t>(event.result);
    else if (result != event.result)
      return Diverged("the kernel answered " + std::to_string(result) + " to " + Describe(event, event_));
    r.r10 = at_entry.r10;
    r.r8 = at_entry.r8;
  }
  r.orig_rax = ~0ull;
  process_->SetRegisters(r);
  return {};
}

// The instructions that are made to trap, where the program has changed its code.
Result<void> Replayer::TrapAnew(const Event& event, const SyscallArguments& call) {
  CF_TRY(ForgetTraps(call, event.result, process_->memory(), patched_));
  for (TraceeAddress address : event.patched) {
    CF_TRY_ASSIGN(patched_[address], process_->memory().ReadValue<std::byte>(address));
    CF_TRY(process_->memory().WriteValue(address, kInt3Byte));
  }
  return {};
}

// System V shared memory is a replay's own.
Result<void> Replayer::AttachAgain(const Event& event, const SyscallArguments& call) {
  process_->SkipSyscall(event.result);
  const AddressRange& range = event.mapped;
  if (range.length() == 0) return {};
  if (call.number == SYS_shmdt) {
    CF_TRY(process_->Syscall(SYS_munmap, {range.start.value, range.length()}));
    return {};
  }
  const uint64_t protection =
      PROT_READ | (call.values[2] & SHM_RDONLY ? 0 : PROT_WRITE) | (call.values[2] & SHM_EXEC ? PROT_EXEC : 0);
  CF_TRY_ASSIGN(const int64_t mapped,
                process_->Syscall(SYS_mmap, {range.start.value, range.length(), protection,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, ~uint64_t{0}, 0}));
  if (mapped != event.result)
    return Diverged("the kernel answered " + std::to_string(mapped) + " to " + Describe(event, event_));
  return {};
}

// mremap of nothing: shared memory is mapped at one more place, which is joined with the first (Event::joined).
Result<void> Replayer::MapSecond(const Event& event, const SyscallArguments& call) {
  process_->SkipSyscall(event.result);
  uint64_t protection = PROT_READ;
  for (const Mapping& mapping : ReadMappings(process_->pid()))
    if (mapping.range.Contains(TraceeAddress(call.values[0])))
      protection = (mapping.readable ? PROT_READ : 0) | (mapping.writable ? PROT_WRITE : 0) |
                   (mapping.executable ? PROT_EXEC : 0);
  CF_TRY_ASSIGN(const int64_t mapped,
                process_->Syscall(SYS_mmap, {static_cast<uint64_t>(event.result), call.values[2], protection,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, ~uint64_t{0}, 0}));
  if (mapped != event.result)
    return Diverged("the kernel answered " + std::to_string(mapped) + " to " + Describe(event, event_));
  return {};
}

// mmap at the recorded address. A file comes from the descriptor that the
// recording kept, through /proc/OUR_PID/fd, so that a deleted or renamed one is still the same.
Result<void> Replayer::MapAgain(const Event& event, const SyscallArguments& call) {
  uint64_t flags = (call.values[3] & ~uint64_t{MAP_TYPE | MAP_FIXED_NOREPLACE}) | MAP_FIXED | MAP_PRIVATE;
  if (!event.file) flags |= MAP_ANONYMOUS;  // shared memory, whose contents the event has
  uint64_t address = static_cast<uint64_t>(event.result);
  int64_t descriptor = -1;
  process_->SkipSyscall(event.result);
  if (event.file) {
    const MappedFile& file = *event.file;
    if (!file.fd.valid())
      return Diverged("the file " + file.path + ", which the program mapped, can no longer be read");
    if (file.WasChanged()) return Diverged("the file " + file.path + ", which the program mapped, was changed since");
    std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file.fd.get());
    CF_TRY(process_->memory().Write(kScratchArea, std::as_bytes(std::span(path.c_str(), path.size() + 1))));
    CF_TRY_ASSIGN(descriptor, process_->Syscall(SYS_openat, {static_cast<uint64_t>(AT_FDCWD), kScratchArea.value,
                                                             O_RDONLY | O_CLOEXEC}));
    if (descriptor < 0)
      return SystemError("fileUnavailable", "The file " + file.path + " cannot be mapped again",
                         static_cast<int>(-descriptor), process_->pid());
  }
  CF_TRY_ASSIGN(int64_t mapped, process_->Syscall(SYS_mmap, {address, call.values[1], call.values[2], flags,
                                                             static_cast<uint64_t>(descriptor), call.values[5]}));
  if (descriptor >= 0) CF_TRY(process_->Syscall(SYS_close, {static_cast<uint64_t>(descriptor)}));
  if (mapped != event.result)
    return Diverged("the kernel answered " + std::to_string(mapped) + " to " + Describe(event, event_));
  return {};
}

}  // namespace chronofork
