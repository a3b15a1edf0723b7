// == 1. All threads stand, wherever they were.
// == 2. What was changed in memory and in each thread is changed back.
// == 3. They go on: with the signals that were held for them, and the kernel's
//       own idea of where they are.
//
// Easy to get wrong: a remote call ends with a trap, so no signal of the
// program's may be deliverable while they are made; a wait with a time limit
// goes on by restart_syscall, also after us.
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "tracee/attachment.h"
#include "tracee/children.h"
#include "tracee/core_page.h"
#include "tracee/tracer_thread.h"

namespace chronofork {
namespace {

Log logger("attach");

constexpr uint64_t kAllSignals = ~uint64_t{0};

// Of a stack more is not looked at for returns into code that changes back.
constexpr uint64_t kMostStackBytes = 16 << 20;
constexpr uint64_t kRedZone = 128;

bool Repeats(const siginfo_t& info) {
  const int signal = info.si_signo;
  return info.si_code > 0 && (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL);
}

void Tell(const Result<void>& result) {
  if (!result.ok()) CF_LOG(logger, kError, "%s", result.error().message.c_str());
}
void Tell(const Result<int64_t>& result, const char* what) {
  if (!result.ok())
    CF_LOG(logger, kError, "%s: %s", what, result.error().message.c_str());
  else if (result.value() < 0)
    CF_LOG(logger, kError, "%s: error %d", what, static_cast<int>(-result.value()));
}

}  // namespace

Result<void> Tracee::Detach(const std::map<pid_t, std::vector<siginfo_t>>& signals,
                            const std::map<TraceeAddress, std::byte>& patched, pid_t guard) {
  if (!attachment_)
    return Error{"notAttached",
                 "A program that Chronofork has started cannot be let go: its calls are caught for good.",
                 "End the session instead; or start the program elsewhere, and attach to it.", 0, pid_};
  if (gone_) return {};
  return attachment_->Undo(signals, patched, guard);
}

const std::vector<ThreadTakenOver>& Tracee::taken_over() const {
  static const std::vector<ThreadTakenOver> none;
  return attachment_ ? attachment_->taken_over : none;
}

void Tracee::NoteAffinity(pid_t tid, std::span<const std::byte> cpus) {
  if (!attachment_) return;
  auto found = attachment_->threads.find(tid);
  if (found == attachment_->threads.end() || found->second.cpus.empty()) return;
  std::vector<std::byte> wanted(sizeof(cpu_set_t));
  std::copy_n(cpus.begin(), std::min(cpus.size(), wanted.size()), wanted.begin());
  found->second.cpus = std::move(wanted);
  attachment_->NoteThreads();
}

void Tracee::NoteRseq(TraceeAddress area, uint32_t length, bool unregister, uint32_t signature) {
  if (!attachment_) return;
  Attachment::Thread& thread = attachment_->threads[tid_];
  thread.found.tid = tid_;
  thread.rseq_address = unregister ? 0 : area.value;
  thread.rseq_length = length;
  thread.rseq_signature = signature;
  thread.rseq_removed = !unregister;
  attachment_->NoteThreads();
}

std::vector<int> Tracee::AffinityOf(pid_t tid) const {
  std::vector<int> cpus;
  if (!attachment_) return cpus;
  auto found = attachment_->threads.find(tid);
  if (found == attachment_->threads.end()) return cpus;
  const std::vector<std::byte>& set = found->second.cpus;
  for (size_t cpu = 0; cpu < set.size() * 8; ++cpu)
    if ((set[cpu / 8] >> (cpu % 8) & std::byte{1}) != std::byte{}) cpus.push_back(static_cast<int>(cpu));
  return cpus;
}

Result<void> Tracee::ChildMade(pid_t child, bool shares_memory, const std::vector<int>& cpus,
                               const std::map<TraceeAddress, std::byte>& patched) {
  if (attachment_ && call_stops_ == CallStops::kByTracing) return attachment_->LetChildGo(child, patched);
  ChildOrigin origin{cpus, shares_memory, {patched.begin(), patched.end()}};
  ChildProcesses::Adopt(child, origin);
  return {};
}

// -- 1. -----------------------------------------------------------------------------------

// The current thread, which runs: until it stands at a place where it can be let go.
void Attachment::StandHere() {
  if (tracee_.thread_.running && !tracee_.RequestInterrupt().ok()) return;
  while (tracee_.thread_.running) {
    std::optional<Stop> stop = tracee_.Wait();
    switch (stop->kind) {
      case Stop::Kind::kGone: return;
      case Stop::Kind::kNewProcess:
        // Within the call that makes it.
        if (ReadProcText(stop->new_pid, "status").find("\nTgid:\t" + std::to_string(tracee_.process_id()) + "\n") !=
            std::string::npos)
          Tell(tracee_.AddThread(stop->new_pid));
        else
          Tell(LetChildGo(stop->new_pid, {}));
        [[fallthrough]];
      case Stop::Kind::kExec:
        if (!tracee_.Resume(ResumeMode::kToSyscallExit).ok() || !tracee_.RequestInterrupt().ok()) return;
        break;
      case Stop::Kind::kSignal:
        // The kernel knows best what becomes of the call that it has ended.
        if (!tracee_.Resume(ResumeMode::kContinue, stop->siginfo.si_signo).ok()) return;
        if (!tracee_.RequestInterrupt().ok()) return;
        break;
      default: break;
    }
  }
  if (tracee_.thread_.at_syscall_entry)
    tracee_.AbandonSyscall();
  else
    SettleCall(true, nullptr);
}

void Attachment::MakeStand(std::map<pid_t, std::vector<siginfo_t>>& signals) {
  for (pid_t tid : tracee_.Threads()) {
    tracee_.SwitchTo(tid);
    if (tracee_.thread_.gone) continue;
    if (tracee_.thread_.running) {
      StandHere();
    } else if (tracee_.thread_.at_syscall_entry) {
      if (static_cast<int64_t>(tracee_.registers().orig_rax) >= 0) tracee_.AbandonSyscall();
    } else {
      SettleCall(false, nullptr);
    }
    if (tracee_.thread_.gone) continue;
    for (const siginfo_t& info : tracee_.TakeDeferredSignals())
      if (!(info.si_signo == SIGTRAP && info.si_code > 0) && !Repeats(info)) signals[tid].push_back(info);
  }
}

// -- 2. -----------------------------------------------------------------------------------

// Where a thread goes on that stands in the code of a patch: nullopt, if it does not.
std::optional<uint64_t> Attachment::OutOfPatch(uint64_t pc) const {
  for (const VdsoPatch& patch : vdso_patches_) {
    const uint64_t offset = pc - patch.address.value;
    if (offset >= patch.code.size()) continue;
    // Before the call nothing was done yet. After it, any instruction that returns will do.
    return offset + 1 < patch.code.size() ? patch.address.value : vdso_return_.value;
  }
  return std::nullopt;
}

// No thread may stand in the code that changes back, nor come back to it from a
// signal's handler: the kernel keeps that place on the stack.
void Attachment::LeavePatches(Tracee& process) {
  GeneralRegisters r = process.registers();
  if (std::optional<uint64_t> elsewhere = OutOfPatch(r.rip)) {
    r.rip = *elsewhere;
    process.SetRegisters(r);
  }
  for (const Mapping& mapping : ReadMappings(process.pid())) {
    if (!mapping.range.Contains(TraceeAddress(r.rsp))) continue;
    const TraceeAddress from = std::max(mapping.range.start, TraceeAddress((r.rsp - kRedZone) & ~uint64_t{7}));
    std::vector<uint64_t> words(std::min<uint64_t>(mapping.range.end - from, kMostStackBytes) / 8);
    words.resize(process.memory().ReadSome(from, std::as_writable_bytes(std::span(words))) / 8);
    for (size_t i = 0; i < words.size(); ++i) {
      std::optional<uint64_t> elsewhere = OutOfPatch(words[i]);
      if (elsewhere && *elsewhere != words[i]) Tell(process.memory().WriteValue(from + 8 * i, *elsewhere));
    }
  }
}

void Attachment::GiveBackBytes(Tracee& process, const std::map<TraceeAddress, std::byte>& patched) {
  for (const auto& [address, original] : patched) {
    Result<std::byte> now = process.memory().ReadValue<std::byte>(address);
    if (now.ok() && now.value() == kInt3Byte) Tell(process.memory().WriteValue(address, original));
  }
  for (const VdsoPatch& patch : vdso_patches_) Tell(process.memory().Write(patch.address, patch.original));
}

Result<void> Attachment::GiveBackThread(Tracee& process, const Thread& thread) {
  if (thread.tsc_mode != 0)
    Tell(process.Syscall(SYS_prctl, {PR_SET_TSC, static_cast<uint64_t>(thread.tsc_mode)}), "rdtsc");
  if (thread.rseq_removed) {
    Tell(process.memory().Write(TraceeAddress(thread.rseq_address), RseqArea(false)));
    Tell(process.Syscall(SYS_rseq, {thread.rseq_address, thread.rseq_length, 0, thread.rseq_signature}), "rseq");
  }
  if (!thread.cpus.empty()) return SetCpu(process.tid(), thread.cpus);
  return {};
}

Result<void> Attachment::UnmapCorePages(Tracee& process) {
  if (!core_pages_) return {};
  const TraceeAddress lent = LentCode(process);
  CF_TRY_ASSIGN(const uint32_t original, process.memory().ReadValue<uint32_t>(lent));
  CF_TRY(process.memory().WriteValue(lent, kSyscallTrap));
  Result<int64_t> unmapped = process.SyscallAt(lent, SYS_munmap, {kCorePage.value, kCorePageBytes}, nullptr);
  Tell(unmapped, "core pages");
  return process.memory().WriteValue(lent, original);
}

// The thread sends them to itself: nobody else may say who sent them. They are
// blocked as long as it is ours.
void Attachment::QueueSignals(const std::vector<siginfo_t>& signals, std::vector<int>* after) {
  for (const siginfo_t& info : signals) {
    if (info.si_signo == SIGSTOP) {
      after->push_back(info.si_signo);
      continue;
    }
    Tell(tracee_.memory().WriteValue(kScratchArea, info));
    Tell(tracee_.Syscall(SYS_rt_tgsigqueueinfo,
                         {static_cast<uint64_t>(tracee_.leader_), static_cast<uint64_t>(tracee_.tid()),
                          static_cast<uint64_t>(info.si_signo), kScratchArea.value}),
         "a signal");
  }
}

// -- 3. -----------------------------------------------------------------------------------

Result<void> Attachment::Undo(const std::map<pid_t, std::vector<siginfo_t>>& given,
                              const std::map<TraceeAddress, std::byte>& patched, pid_t guard) {
  if (has_filter_ && guard == 0)
    return Error{"notAttached",
                 "This program is a child of one that Chronofork has started, and cannot run without it.",
                 "End the session instead.", 0, tracee_.pid()};
  std::map<pid_t, std::vector<siginfo_t>> signals = given;
  MakeStand(signals);
  if (tracee_.gone()) return {};
  forker_.reset();
  for (pid_t tid : tracee_.Threads()) {
    tracee_.SwitchTo(tid);
    if (!tracee_.thread_.gone) LeavePatches(tracee_);
  }
  GiveBackBytes(tracee_, patched);
  std::map<pid_t, uint64_t> masks;
  std::vector<int> after;
  std::vector<pid_t> standing;
  for (pid_t tid : tracee_.Threads()) {
    tracee_.SwitchTo(tid);
    if (tracee_.thread_.gone) continue;
    standing.push_back(tid);
    Result<uint64_t> mask = tracee_.ReadSignalMask();
    if (!mask.ok()) continue;
    masks[tid] = mask.value();
    Tell(tracee_.WriteSignalMask(kAllSignals));
    if (core_pages_) {
      if (auto found = threads.find(tid); found != threads.end()) Tell(GiveBackThread(tracee_, found->second));
      QueueSignals(signals[tid], &after);
    }
    tracee_.ForgetDebugRegisters();
  }
  if (!standing.empty() && !has_filter_) Tell(UnmapCorePages(tracee_));
  for (pid_t tid : standing) {
    tracee_.SwitchTo(tid);
    if (masks.contains(tid)) Tell(tracee_.WriteSignalMask(masks[tid]));
    Tell(tracee_.FlushRegisters());
  }
  if (has_filter_) return tracee_.Park(guard, true);
  for (pid_t tid : standing)
    if (::ptrace(PTRACE_DETACH, tid, nullptr, nullptr) != 0 && errno != ESRCH)
      CF_LOG(logger, kError, "thread %d is not let go: errno %d", tid, errno);
  for (int signal : after) ::kill(tracee_.leader_, signal);
  tracee_.gone_ = true;
  guardian_.reset();
  CF_LOG(logger, kInfo, "let %d go", tracee_.leader_);
  return {};
}

// -- Children -------------------------------------------------------------------------------

// The call that the current thread has just made a process by.
bool Attachment::SharesMemory() {
  const GeneralRegisters& r = tracee_.registers();
  switch (static_cast<long>(r.orig_rax)) {
    case SYS_vfork: return true;
    case SYS_clone: return (r.rdi & CLONE_VM) != 0;
    case SYS_clone3: {
      Result<uint64_t> flags = tracee_.memory().ReadValue<uint64_t>(TraceeAddress(r.rdi));
      return flags.ok() && (flags.value() & CLONE_VM) != 0;
    }
    default: return false;
  }
}

// A process that the program makes is not recorded, and has no filter: it goes
// its way as one whose parent was never attached to.
Result<void> Attachment::LetChildGo(pid_t pid, const std::map<TraceeAddress, std::byte>& patched) {
  const bool shares = SharesMemory();
  std::unique_ptr<Tracee> child = Tracee::TakeChild(pid);
  if (child->gone()) return {};
  CF_TRY_ASSIGN(const uint64_t mask, child->ReadSignalMask());
  CF_TRY(child->WriteSignalMask(kAllSignals));
  if (auto maker = threads.find(tracee_.tid()); maker != threads.end()) {
    Thread thread = maker->second;
    // The kernel's own copy of the registration was taken away before.
    thread.rseq_removed = thread.rseq_removed && !shares;
    if (core_pages_) Tell(GiveBackThread(*child, thread));
  }
  if (!shares) {
    LeavePatches(*child);
    GiveBackBytes(*child, patched);
    if (ChildProcesses::Follows() && core_pages_) {
      CF_TRY(child->WriteSignalMask(mask));
      ChildProcesses::HandOverNow(std::move(child));
      return {};
    }
    Tell(UnmapCorePages(*child));
  }
  CF_TRY(child->WriteSignalMask(mask));
  CF_TRY(child->FlushRegisters());
  const std::vector<siginfo_t> deferred = child->TakeDeferredSignals();
  if (shares) {
    // Until it calls exec: what of ours lies in the memory must not end it.
    child->Release();
    child.reset();
    ChildProcesses::Adopt(pid, {{}, true, {patched.begin(), patched.end()}, false});
    ::ptrace(PTRACE_CONT, pid, nullptr, nullptr);
    return {};
  }
  ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  child->gone_ = true;
  for (const siginfo_t& info : deferred)
    if (info.si_code <= 0) ::kill(pid, info.si_signo);
  return {};
}

}  // namespace chronofork
