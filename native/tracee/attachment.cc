// == 1. Taken over: calls settled, core pages, vdso, threads prepared, forker.
// == 2. Copies, by the forker.
//
// Easy to get wrong: a thread in the middle of an rseq section must leave it as
// the kernel would make it; a thread inside the vdso must be out of it before its
// code changes; EINTR of our own interrupt is not the program's to see.
#include "tracee/attachment.h"

#include <errno.h>
#include <linux/rseq.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "tracee/call_filter.h"
#include "tracee/copy_limits.h"
#include "tracee/park.h"
#include "tracee/tracer_thread.h"

namespace chronofork {
namespace {

Log logger("attach");

constexpr uint64_t kAllSignals = ~uint64_t{0};
constexpr uint64_t kTrapBit = uint64_t{1} << (SIGTRAP - 1);

// What the kernel leaves in rax when a call was interrupted (linux/errno.h); no program sees them.
constexpr int64_t kRestartBlock = -516;
bool IsRestart(int64_t result) { return result == -512 || result == -513 || result == -514 || result == kRestartBlock; }

// The longest function of the vdso has some hundred instructions, and a loop
// that is left when the kernel has not updated its clock meanwhile.
constexpr int kMostVdsoSteps = 100'000;

// glibc's struct pthread on x86-64: where the thread's number lies, which is the
// word that the kernel clears at its end. Believed only where the number is there.
constexpr uint64_t kGlibcTidOffset = 720;

// The bytes of an ELF header that mean nothing.
constexpr uint64_t kElfPadding = 9;

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
constexpr int kGetRseqConfiguration = 0x420f;
#else
constexpr int kGetRseqConfiguration = PTRACE_GET_RSEQ_CONFIGURATION;
#endif
struct RseqConfiguration {  // struct ptrace_rseq_configuration, 5.13
  uint64_t address;
  uint32_t length;
  uint32_t signature;
  uint32_t flags;
  uint32_t padding;
};

AddressRange FindMapping(pid_t pid, const std::string& name) {
  for (const Mapping& mapping : ReadMappings(pid))
    if (mapping.path == name) return mapping.range;
  return {};
}

}  // namespace

Attachment::~Attachment() = default;

// -- Calls -----------------------------------------------------------------------------

void Attachment::SettleCall(bool by_us, ThreadTakenOver* found) {
  GeneralRegisters r = tracee_.registers();
  const int64_t number = static_cast<int64_t>(r.orig_rax), result = static_cast<int64_t>(r.rax);
  if (number < 0) return;
  const bool restart = IsRestart(result) || (by_us && result == -EINTR && !tracee_.SignalsPending());
  uint16_t code = 0;
  tracee_.memory().ReadSome(TraceeAddress(r.rip - 2), std::as_writable_bytes(std::span(&code, 1)));
  constexpr uint16_t kSyscall = 0x050f;
  r.orig_rax = ~0ull;
  if (restart && code == kSyscall) {
    // What is left of a wait with a time limit is known to the kernel alone.
    // One that will be parked makes another wait in between.
    const bool goes_on = result == kRestartBlock && !has_filter_;
    r.rip -= 2;
    r.rax = static_cast<uint64_t>(goes_on ? SYS_restart_syscall : number);
    if (found) {
      found->at_syscall = true;
      if (goes_on && number != SYS_restart_syscall) found->restarting = number;
    }
  } else if (IsRestart(result)) {
    return;  // by another entry into the kernel, which restarts it as it is
  }
  tracee_.SetRegisters(r);
}

// -- 1. Being taken over ------------------------------------------------------------------

Result<void> Attachment::Prepare() {
  const pid_t first = tracee_.tid();
  vdso_ = FindMapping(tracee_.pid(), "[vdso]");
  if (IsParked(tracee_.pid())) {
    CF_TRY_ASSIGN(has_filter_, tracee_.Unpark());
  }
  for (pid_t tid : tracee_.Threads()) {
    tracee_.SwitchTo(tid);
    Thread& thread = threads[tid];
    thread.found.tid = tid;
    if (has_filter_) continue;
    SettleCall(true, &thread.found);
    RseqConfiguration rseq{};
    if (::ptrace(static_cast<__ptrace_request>(kGetRseqConfiguration), tid, sizeof rseq, &rseq) > 0) {
      thread.rseq_address = rseq.address;
      thread.rseq_length = rseq.length;
      thread.rseq_signature = rseq.signature;
    }
    CF_TRY(LeaveRseqSection(thread));
    CF_TRY(LeaveVdso(vdso_));
  }
  if (has_filter_) {
    tracee_.call_stops_ = CallStops::kByFilter;
    for (pid_t tid : tracee_.Threads())
      if (::ptrace(PTRACE_SETOPTIONS, tid, nullptr, kTraceOptions) != 0)
        return SystemError("attachFailed", "The program cannot be traced", errno, tid);
    core_pages_ = true;
  } else {
    tracee_.SwitchTo(first);
    CF_TRY(MapCorePages());
    CF_TRY(PatchVdso());
  }
  for (auto& [tid, thread] : threads) {
    tracee_.SwitchTo(tid);
    CF_TRY(PrepareThread(thread));
    taken_over.push_back(thread.found);
  }
  tracee_.SwitchTo(first);
  std::stable_partition(taken_over.begin(), taken_over.end(), [first](const auto& t) { return t.tid == first; });
  if (!has_filter_) StartGuardian();
  return MakeForker();
}

// The code of the restartable sequence that the current thread says it is in.
std::optional<rseq_cs> Attachment::SectionOf(const Thread& thread) {
  if (thread.rseq_address == 0) return std::nullopt;
  const TraceeAddress pointer(thread.rseq_address + offsetof(struct rseq, rseq_cs));
  Result<uint64_t> section = tracee_.memory().ReadValue<uint64_t>(pointer);
  if (!section.ok() || section.value() == 0) return std::nullopt;
  Result<rseq_cs> code = tracee_.memory().ReadValue<rseq_cs>(TraceeAddress(section.value()));
  if (!code.ok() || tracee_.registers().rip - code->start_ip >= code->post_commit_offset) return std::nullopt;
  return code.value();
}

bool Tracee::InRseqSection() {
  if (!attachment_) return false;
  auto thread = attachment_->threads.find(tid_);
  return thread != attachment_->threads.end() && attachment_->SectionOf(thread->second).has_value();
}

// The kernel aborts a section when the thread is interrupted in it; it cannot
// once rseq is unregistered.
Result<void> Attachment::LeaveRseqSection(const Thread& thread) {
  std::optional<rseq_cs> section = SectionOf(thread);
  if (!section) return {};
  GeneralRegisters r = tracee_.registers();
  r.rip = section->abort_ip;
  tracee_.SetRegisters(r);
  return tracee_.memory().WriteValue(TraceeAddress(thread.rseq_address + offsetof(struct rseq, rseq_cs)), uint64_t{0});
}

// Steps the current thread on until it is back in the program.
Result<void> Attachment::LeaveVdso(AddressRange vdso) {
  if (!vdso.Contains(TraceeAddress(tracee_.registers().rip))) return {};
  CF_TRY_ASSIGN(const uint64_t mask, tracee_.ReadSignalMask());
  CF_TRY(tracee_.WriteSignalMask(kAllSignals & ~kTrapBit));
  for (int steps = 0; steps < kMostVdsoSteps && vdso.Contains(TraceeAddress(tracee_.registers().rip)); ++steps) {
    CF_TRY(tracee_.FlushRegisters());
    if (::ptrace(PTRACE_SINGLESTEP, tracee_.tid(), nullptr, nullptr) != 0)
      return SystemError("attachFailed", "A thread of the program cannot be stepped", errno, tracee_.tid());
    if (tracee_.Wait()->kind == Stop::Kind::kGone)
      return Error{"debuggeeGone", "The program ended while it was being attached to.", "", 0, tracee_.pid()};
  }
  CF_TRY(tracee_.WriteSignalMask(mask));
  if (!vdso.Contains(TraceeAddress(tracee_.registers().rip))) return {};
  return Error{"attachFailed", "A thread of the program does not leave the code for its clock.", "Try again.", 0,
               tracee_.tid()};
}

TraceeAddress Attachment::LentCode(Tracee& process) const {
  return vdso_.length() > 0 ? vdso_.start + kElfPadding : TraceeAddress(process.registers().rip);
}

Result<void> Attachment::MapCorePages() {
  // Still there if a tracer of ours was killed: they are the same.
  Result<uint32_t> left = tracee_.memory().ReadValue<uint32_t>(kCorePage);
  if (!left.ok() || left.value() != kSyscallTrap) CF_TRY(tracee_.MapCorePage(LentCode(tracee_)));
  core_pages_ = true;
  return {};
}

Result<void> Attachment::PatchVdso() {
  vdso_patches_.clear();
  if (vdso_.length() == 0) return {};
  std::vector<std::byte> image(vdso_.length());
  image.resize(tracee_.memory().ReadSome(vdso_.start, image));
  std::vector<VdsoPatch> patches = PlanVdso(image, vdso_.start);
  if (patches.empty())
    return Error{"vdsoUnknown",
                 "The kernel's code for clocks in the program (the vdso) has none of the known functions.",
                 "Start the program from Chronofork instead.", 0, tracee_.pid()};
  constexpr std::byte kReturn{0xc3};
  for (const VdsoPatch& patch : patches) {
    // Behind the patch, so that it stays.
    auto from = image.begin() + static_cast<long>(patch.address - vdso_.start + patch.code.size());
    auto found = std::find(from, image.end(), kReturn);
    if (found != image.end()) vdso_return_ = vdso_.start + static_cast<uint64_t>(found - image.begin());
  }
  for (VdsoPatch& patch : patches) {
    if (patch.original == patch.code) continue;  // by a tracer of ours that was killed
    CF_TRY(tracee_.memory().Write(patch.address, patch.code));
    vdso_patches_.push_back(std::move(patch));
  }
  return {};
}

Result<void> Attachment::RemoveRseq(Thread& thread) {
  if (thread.rseq_address == 0) return {};
  constexpr uint64_t kUnregister = 1;
  CF_TRY_ASSIGN(const int64_t result, tracee_.Syscall(SYS_rseq, {thread.rseq_address, thread.rseq_length, kUnregister,
                                                                 thread.rseq_signature}));
  if (result != 0)
    return SystemError("attachFailed", "The kernel goes on writing to a thread of the program (rseq)",
                       static_cast<int>(-result), thread.found.tid);
  thread.rseq_removed = true;
  return tracee_.memory().Write(TraceeAddress(thread.rseq_address), RseqArea(true));
}

std::vector<std::byte> Attachment::RseqArea(bool registered) const {
  const int32_t words[] = {registered ? cpu_ : 0, registered ? cpu_ : RSEQ_CPU_ID_UNINITIALIZED};
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

uint64_t Attachment::ClearChildTid() {
  Result<int64_t> asked = tracee_.Syscall(SYS_prctl, {PR_GET_TID_ADDRESS, kScratchArea.value});
  if (asked.ok() && asked.value() == 0) {
    Result<uint64_t> address = tracee_.memory().ReadValue<uint64_t>(kScratchArea);
    return address.ok() ? address.value() : 0;
  }
  const TraceeAddress word(tracee_.registers().fs_base + kGlibcTidOffset);
  Result<int32_t> tid = tracee_.memory().ReadValue<int32_t>(word);
  return tid.ok() && tid.value() == tracee_.tid() ? word.value : 0;
}

Result<void> Attachment::PrepareThread(Thread& thread) {
  const pid_t tid = tracee_.tid();
  std::vector<std::byte> cpus(sizeof(cpu_set_t));
  if (::sched_getaffinity(tid, cpus.size(), reinterpret_cast<cpu_set_t*>(cpus.data())) == 0) {
    std::vector<std::byte> pinned(sizeof(cpu_set_t));
    CPU_SET_S(static_cast<size_t>(cpu_), pinned.size(), reinterpret_cast<cpu_set_t*>(pinned.data()));
    if (SetCpu(tid, pinned).ok()) thread.cpus = std::move(cpus);
  }
  CF_TRY(RemoveRseq(thread));
  CF_TRY_ASSIGN(const int64_t asked, tracee_.Syscall(SYS_prctl, {PR_GET_TSC, kScratchArea.value}));
  if (asked == 0) {
    CF_TRY_ASSIGN(const int mode, tracee_.memory().ReadValue<int>(kScratchArea));
    CF_TRY(tracee_.Syscall(SYS_prctl, {PR_SET_TSC, PR_TSC_SIGSEGV}));
    thread.tsc_mode = mode;
  }
  CF_TRY_ASSIGN(const int64_t stack, tracee_.Syscall(SYS_sigaltstack, {0, kScratchArea.value}));
  if (stack == 0) {
    CF_TRY_ASSIGN(thread.found.alternate_stack, tracee_.memory().ReadValue<stack_t>(kScratchArea));
    thread.found.alternate_stack.ss_flags &= ~SS_ONSTACK;
    tracee_.NoteAlternateStack(thread.found.alternate_stack);
  }
  thread.found.clear_child_tid = ClearChildTid();
  return {};
}

Result<void> Attachment::SetCpu(pid_t tid, const std::vector<std::byte>& cpus) {
  if (::sched_setaffinity(tid, cpus.size(), reinterpret_cast<const cpu_set_t*>(cpus.data())) == 0) return {};
  return SystemError("affinityFailed", "A thread of the program cannot be put on its processors", errno, tid);
}

Result<void> Attachment::PrepareAfterExec() {
  // The memory is another one, and what the kernel kept for the thread is gone.
  forker_.reset();
  core_pages_ = false;
  taken_over.clear();
  const pid_t tid = tracee_.tid();
  Thread thread = threads.contains(tid) ? threads.at(tid) : threads.begin()->second;
  thread.rseq_address = 0;
  thread.rseq_removed = false;
  threads.clear();
  threads[tid] = std::move(thread);
  vdso_ = FindMapping(tracee_.pid(), "[vdso]");
  CF_TRY(MapCorePages());
  CF_TRY(PatchVdso());
  CF_TRY(tracee_.Syscall(SYS_prctl, {PR_SET_TSC, PR_TSC_SIGSEGV}));
  guardian_.reset();
  StartGuardian();
  return MakeForker();
}

void Attachment::ThreadMade(pid_t tid) {
  Thread thread;
  thread.found.tid = tid;
  if (auto maker = threads.find(tracee_.tid()); maker != threads.end()) {
    thread.cpus = maker->second.cpus;
    thread.tsc_mode = maker->second.tsc_mode;
  }
  threads[tid] = std::move(thread);
  NoteThreads();
}

// -- 2. Copies ----------------------------------------------------------------------------

Result<void> Attachment::InstallFilter(Tracee& process) {
  const auto filter = CallFilter();
  const sock_fprog program{static_cast<unsigned short>(filter.size()),
                           reinterpret_cast<sock_filter*>(kScratchArea.value + sizeof(sock_fprog))};
  CF_TRY(process.memory().WriteValue(kScratchArea, program));
  CF_TRY(process.memory().WriteValue(kScratchArea + sizeof program, filter));
  CF_TRY(process.Syscall(SYS_prctl, {PR_SET_NO_NEW_PRIVS, 1}));
  CF_TRY_ASSIGN(const int64_t result, process.Syscall(SYS_seccomp, {SECCOMP_SET_MODE_FILTER, 0, kScratchArea.value}));
  if (result == 0) return {};
  Error error = SystemError("seccompForbidden", "The kernel refuses the seccomp filter that copies of the program need",
                            static_cast<int>(-result), process.pid());
  error.remedy = "In a container, allow the seccomp system call (the default Docker profile does).";
  return error;
}

// debuggee ─clone─▶ helper ─clone─▶ forker; the helper ends, the debuggee reaps
// it, and the forker is init's. All threads of the debuggee should stand still:
// one in wait4 for children of all kinds would be told of the helper.
Result<void> Attachment::MakeForker() {
  constexpr uint64_t kShared = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND;  // no exit signal
  CF_TRY_ASSIGN(const int64_t asked, tracee_.Syscall(SYS_prctl, {PR_GET_CHILD_SUBREAPER, kScratchArea.value}));
  int adopts = 0;
  if (asked == 0) {
    CF_TRY_ASSIGN(adopts, tracee_.memory().ReadValue<int>(kScratchArea));
  }
  // Orphans would come back to a debuggee that adopts its descendants'.
  if (adopts) CF_TRY(tracee_.Syscall(SYS_prctl, {PR_SET_CHILD_SUBREAPER, 0}));
  std::unique_ptr<Tracee> helper, forker;
  Result<int64_t> made = tracee_.SyscallAt(kRemoteSyscall, SYS_clone, {kShared}, &helper);
  if (made.ok() && helper) {
    ::ptrace(PTRACE_SETOPTIONS, helper->pid(), nullptr, kTraceOptions);
    made = helper->SyscallAt(kRemoteSyscall, SYS_clone, {kShared}, &forker);
    static_cast<void>(helper->Syscall(SYS_exit, {0}));  // "debuggeeGone", as it should
    const pid_t helper_pid = helper->pid();
    helper.reset();
    CF_TRY(tracee_.Syscall(SYS_wait4, {static_cast<uint64_t>(helper_pid), 0, __WALL, 0}));
  }
  if (adopts) CF_TRY(tracee_.Syscall(SYS_prctl, {PR_SET_CHILD_SUBREAPER, 1}));
  CF_TRY(std::move(made));
  if (!forker) return ForkRefused(-EAGAIN, tracee_.pid());
  if (::ptrace(PTRACE_SETOPTIONS, forker->pid(), nullptr, kTraceOptions) != 0)
    return SystemError("attachFailed", "A copy of the program cannot be traced", errno, forker->pid());
  CF_TRY(forker->WriteSignalMask(kAllSignals & ~kTrapBit));
  CF_TRY(forker->Syscall(SYS_prctl, {PR_SET_TSC, PR_TSC_SIGSEGV}));
  if (!has_filter_) CF_TRY(InstallFilter(*forker));
  forker_ = std::move(forker);
  CF_LOG(logger, kInfo, "copies of %d are made by %d", tracee_.pid(), forker_->pid());
  return {};
}

Result<std::unique_ptr<Tracee>> Attachment::Copy() {
  if (!forker_ || forker_->gone()) CF_TRY(MakeForker());
  GeneralRegisters registers = tracee_.registers();
  registers.orig_rax = ~0ull;
  CF_TRY_ASSIGN(const ExtendedRegisters extended, tracee_.ReadExtended());
  CF_TRY_ASSIGN(const uint64_t mask, tracee_.ReadSignalMask());
  std::unique_ptr<Tracee> copy;
  CF_TRY_ASSIGN(const int64_t result, forker_->SyscallAt(kRemoteSyscall, SYS_clone, {CLONE_PARENT}, &copy));
  forker_->TakeDeferredSignals();  // of its process group; nobody is there to take them
  if (result < 0 || !copy) return ForkRefused(result, tracee_.pid());
  LiftTimeLimits(copy->pid());
  copy->SetRegisters(registers);
  CF_TRY(copy->WriteExtended(extended));
  stack_t stack = tracee_.thread_.alternate_stack;
  if (!(stack.ss_flags & SS_DISABLE)) {
    CF_TRY(copy->memory().WriteValue(kScratchArea, stack));
    CF_TRY(copy->Syscall(SYS_sigaltstack, {kScratchArea.value, 0}));
  }
  CF_TRY(copy->WriteSignalMask(mask));
  return copy;
}

}  // namespace chronofork
