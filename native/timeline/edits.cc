// Changing the state: variables set and functions called by hand.
//
// Live, a change is a barrier: nothing replays across it, so a checkpoint is
// made before and after. In the past a change belongs to no recording: the
// unchanged state is kept beside it (`pristine_`), and running on either starts
// a branch (StartBranch) or drops the change. A function that gdb calls in the
// past runs in the changed copy, with the world kept out, and leaves no trace.
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "timeline/engine.h"

namespace chronofork {
namespace {

Log logger("edit");

// gdb lays a call's arguments and return address out within this distance below the stack pointer.
constexpr uint64_t kCallArea = uint64_t{1} << 20;
constexpr uint64_t kRedZone = 128;

}  // namespace

// Called before the first change since the last stop.
Result<void> Engine::BeforeEdit() {
  if (!replay_) {
    if (!barrier_wanted_) {
      if (!at_base_ && branch().end.kind == EndState::Kind::kRunning)
        CF_TRY(CheckpointLive(CheckpointReason::kStop, false));
      at_base_ = false;
      barrier_wanted_ = true;
      branch().tip_at_last = false;
      branch().recorder->StateEdited();
    }
    return {};
  }
  if (edited_) return {};
  pristine_position_ = replay_->position();
  pristine_registers_ = replay_->process().registers();
  CF_TRY_ASSIGN(pristine_, replay_->Copy());
  edited_ = true;
  edits_.clear();
  options_.changed();
  return {};
}

Result<void> Engine::WriteMemory(TraceeAddress address, std::span<const std::byte> bytes) {
  CF_TRY(BeforeEdit());
  if (replay_) edits_.push_back({address, std::vector<std::byte>(bytes.begin(), bytes.end())});
  return process().memory().Write(address, bytes);
}

Result<void> Engine::WriteRegisters(const GeneralRegisters& registers) {
  CF_TRY(BeforeEdit());
  GeneralRegisters r = registers;
  r.orig_rax = ~0ull;
  process().SetRegisters(r);
  return EndCallIfRestored();
}

Result<void> Engine::WriteExtended(const ExtendedRegisters& registers) {
  CF_TRY(BeforeEdit());
  return process().WriteExtended(registers);
}

Result<void> Engine::WriteSiginfo(const siginfo_t& info) {
  // gdb restores the siginfo around its function calls; the recorded one is kept.
  if (replay_) return {};
  present_siginfo_ = info;
  return {};
}

// After a call gdb puts the registers back: the copy that it ran in is thrown
// away, and what the user had changed before it is changed again.
Result<void> Engine::EndCallIfRestored() {
  if (!replay_ || !in_call_ || !DifferenceOf(pristine_registers_, process().registers()).empty()) return {};
  in_call_ = false;
  uint64_t sp = pristine_registers_.rsp;
  std::vector<MemoryWrite> kept;
  for (MemoryWrite& edit : edits_)
    if (edit.address.value < sp - kCallArea || edit.address.value >= sp - kRedZone) kept.push_back(std::move(edit));
  replay_ = replay_->GoOnFrom(std::move(pristine_), pristine_position_);
  edited_ = false;
  edits_.clear();
  for (const MemoryWrite& edit : kept) CF_TRY(WriteMemory(edit.address, edit.bytes));
  return {};
}

// Before running on: is the changed state the beginning of a function call?
// Else the change is dropped, and said so.
Result<void> Engine::SettleEdits(bool* is_call) {
  const GeneralRegisters& now = process().registers();
  // A call returns to a breakpoint of gdb's; it may begin where the present already stands.
  Result<uint64_t> top = process().memory().ReadValue<uint64_t>(TraceeAddress(now.rsp));
  bool returns_to_breakpoint = top.ok() && breakpoints.contains(TraceeAddress(top.value()));
  *is_call = now.rsp != pristine_registers_.rsp && (now.rip != pristine_registers_.rip || returns_to_breakpoint);
  if (*is_call) return {};
  replay_ = replay_->GoOnFrom(std::move(pristine_), pristine_position_);
  edited_ = in_call_ = false;
  edits_.clear();
  options_.notice("info", "What was changed in the past was dropped: the recording is replayed as it was.");
  options_.changed();
  return {};
}

// Runs a function for gdb in the changed copy until it returns to a
// breakpoint. The world is kept out: writing pretends to succeed, asking for
// memory works, everything else fails with ENOSYS.
StopReply Engine::RunCall() {
  in_call_ = true;
  Tracee& scratch = replay_->process();
  Result<void> inserted = InsertInto(scratch);
  if (!inserted.ok()) return Failed(inserted.error());
  StopReply reply = SignalStop(SIGTRAP);
  for (bool running = true; running;) {
    if (!scratch.Resume(ResumeMode::kContinue).ok()) break;
    std::optional<Stop> stop = scratch.Wait(true);
    while (!stop) {
      if (interrupt_wanted.load() || cancel_wanted.load()) static_cast<void>(scratch.RequestInterrupt());
      stop = scratch.Wait(true);
    }
    switch (stop->kind) {
      case Stop::Kind::kSyscallEntry: {
        const GeneralRegisters& r = scratch.registers();
        SyscallArguments call{static_cast<long>(r.orig_rax), {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
        if (call.number == SYS_write)
          scratch.SkipSyscall(static_cast<int64_t>(call.values[2]));
        else if (ClassFor(call) != SyscallClass::kExecute)
          scratch.SkipSyscall(-ENOSYS);
        break;
      }
      case Stop::Kind::kSignal: {
        GeneralRegisters r = scratch.registers();
        if (stop->siginfo.si_signo == SIGTRAP && breakpoints.contains(TraceeAddress(r.rip - 1))) {
          r.rip -= 1;
          r.orig_rax = ~0ull;
          scratch.SetRegisters(r);
          reply.kind = StopKind::kBreakpoint;
        } else if (stop->siginfo.si_code <= 0) {
          continue;
        } else {
          reply = SignalStop(stop->siginfo.si_signo);
        }
        running = false;
        break;
      }
      case Stop::Kind::kInterrupted:
        if (!interrupt_wanted.load() && !cancel_wanted.load()) break;
        reply = SignalStop(SIGINT);
        running = false;
        break;
      case Stop::Kind::kGone:
        return Failed(Error{"callFailed", "The function that was called ended its process.", "", 0, pid_});
      default: break;
    }
  }
  Result<void> removed = RemoveFrom(scratch);
  if (!removed.ok()) CF_LOG(logger, kError, "%s", removed.error().message.c_str());
  return reply;
}

}  // namespace chronofork
