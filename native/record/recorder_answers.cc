// Calls that the recorder answers itself: what would show that the program is
// recorded, what cannot be recorded, and what the kernel does without a stop.
//
// The call is not made; the event holds our answer, and a replay gives the same.
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "kernel/uapi.h"
#include "record/recorder.h"
#include "record/timers.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

bool InheritsPriority(uint64_t futex_operation) {
  switch (futex_operation & FUTEX_CMD_MASK & 0xffffffff) {
    case FUTEX_LOCK_PI:
    case FUTEX_UNLOCK_PI:
    case FUTEX_TRYLOCK_PI:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_CMP_REQUEUE_PI:
    case uapi::kFutexLockPi2: return true;
    default: return false;
  }
}

}  // namespace

// int 0x80: the same numbers are other calls there.
Recorder::Outcome Recorder::OnForeignCall() {
  const GeneralRegisters& r = live_.registers();
  const SyscallArguments call{static_cast<long>(r.orig_rax), {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
  Tell(
      "The program calls the kernel by the 32-bit entry (int 0x80), which is not recorded: the call was answered with "
      "ENOSYS. Build the program for x86-64.");
  ++refused_calls;
  AnswerSyscall(call, -ENOSYS);
  return std::optional<LiveStop>();
}

// Calls to the kernel's page at a fixed address, as old static programs make
// them. The kernel itself returns from them, and tells nobody when.
bool Recorder::AnsweredAtFixedAddress(const SyscallArguments& call) {
  constexpr uint64_t kVsyscallPage = 0xffffffffff600000;
  if ((live_.registers().rip & ~uint64_t{4095}) != kVsyscallPage) return false;
  Event event = NewEvent(EventKind::kSyscall);
  event.number = static_cast<int32_t>(call.number);
  event.arguments = call.values;
  auto give = [&](uint64_t address, auto value) {
    if (address == 0) return;
    MemoryWrite write{TraceeAddress(address), std::vector<std::byte>(sizeof value)};
    memcpy(write.bytes.data(), &value, sizeof value);
    if (live_.memory().Write(write.address, write.bytes).ok())
      event.writes.push_back(std::move(write));
    else
      event.result = -EFAULT;
  };
  switch (call.number) {
    case SYS_time:
      event.result = ::time(nullptr);
      give(call.values[0], event.result);
      break;
    case SYS_gettimeofday: {
      struct timeval now {};
      struct timezone zone {};
      ::gettimeofday(&now, &zone);
      give(call.values[0], now);
      give(call.values[1], zone);
      break;
    }
    default: {  // getcpu
      unsigned processor = 0, node = 0;
      ::syscall(SYS_getcpu, &processor, &node, nullptr);
      give(call.values[0], processor);
      give(call.values[1], node);
      break;
    }
  }
  live_.SkipSyscall(event.result);
  FinishSyscall(std::move(event));
  return true;
}

// madvise that keeps memory out of children: our copies must have it. The
// program's own children get what was asked for; see AdviseForFork().
bool Recorder::AnsweredByAdvice(const SyscallArguments& call) {
  const uint64_t start = call.values[0], advice = call.values[2] & 0xffffffff;
  const uint64_t end = start + ((call.values[1] + 4095) & ~uint64_t{4095});
  const bool keeps_out = advice == MADV_DONTFORK || advice == MADV_WIPEONFORK;
  if (!keeps_out && advice != MADV_DOFORK && advice != MADV_KEEPONFORK) return false;
  const uint64_t opposite = advice == MADV_DONTFORK ? MADV_DOFORK : MADV_KEEPONFORK;
  // The kernel itself says whether it can be done.
  live_.SkipSyscall(0);
  Result<int64_t> result = live_.Syscall(SYS_madvise, {start, call.values[1], advice});
  if (result.ok() && result.value() == 0 && keeps_out)
    result = live_.Syscall(SYS_madvise, {start, call.values[1], opposite});
  const int64_t answer = result.ok() ? result.value() : -EINVAL;
  if (answer == 0) {
    const uint64_t kept_out = keeps_out ? advice : advice == MADV_DOFORK ? MADV_DONTFORK : MADV_WIPEONFORK;
    PageSet& pages = kept_out == MADV_DONTFORK ? not_for_children_ : wiped_for_children_;
    const PageSet changed = MakePageSet({{TraceeAddress(start), TraceeAddress(end)}});
    pages = keeps_out ? Union(pages, changed) : Subtract(pages, changed);
  }
  AnswerSyscall(call, answer);
  return true;
}

// Before the program makes a child, and after: what it has asked to be kept
// out of children is, and then is again in the copies that we make.
Result<void> Recorder::AdviseForFork(bool before) {
  for (const AddressRange& range : not_for_children_)
    CF_TRY(live_.Syscall(
        SYS_madvise, {range.start.value, range.length(), static_cast<uint64_t>(before ? MADV_DONTFORK : MADV_DOFORK)}));
  for (const AddressRange& range : wiped_for_children_)
    CF_TRY(live_.Syscall(SYS_madvise, {range.start.value, range.length(),
                                       static_cast<uint64_t>(before ? MADV_WIPEONFORK : MADV_KEEPONFORK)}));
  return {};
}

pid_t Recorder::VisibleTid(pid_t tid) const {
  auto found = options_.visible_tids.find(tid);
  return found == options_.visible_tids.end() ? tid : found->second;
}

pid_t Recorder::RealTid(pid_t visible) const {
  for (const auto& [real, known] : options_.visible_tids)
    if (known == visible) return real;
  return visible;
}

// On a branch the process and its threads have other numbers than the program
// believes: a call about one of them, about to be made, gets the real ones.
void Recorder::GiveRealNumbers(const SyscallArguments& call) {
  GeneralRegisters r = live_.registers();
  auto process = [this](unsigned long long& number) {
    if (static_cast<pid_t>(number) == options_.visible_pid)
      number = static_cast<unsigned long long>(live_.process_id());
  };
  auto thread = [this](unsigned long long& number) {
    number = static_cast<unsigned long long>(RealTid(static_cast<pid_t>(number)));
  };
  switch (call.number) {
    case SYS_tgkill:
    case SYS_rt_tgsigqueueinfo:
      process(r.rdi);
      thread(r.rsi);
      break;
    case SYS_kill:
    case SYS_rt_sigqueueinfo:
    case SYS_getpgid:
    case SYS_getsid:
    case SYS_setpgid:
    case SYS_prlimit64:
    case SYS_process_vm_readv:
    case SYS_process_vm_writev:
    case SYS_pidfd_open: process(r.rdi); break;
    case SYS_tkill:
    case SYS_get_robust_list:
    case SYS_sched_getaffinity:
    case SYS_sched_getattr:
    case SYS_sched_getparam:
    case SYS_sched_getscheduler:
    case SYS_sched_rr_get_interval:
    case SYS_sched_setattr:
    case SYS_sched_setparam:
    case SYS_sched_setscheduler: thread(r.rdi); break;
    case SYS_getpriority:
    case SYS_setpriority:
      if (r.rdi == PRIO_PROCESS) thread(r.rsi);
      break;
    case SYS_timer_create: GiveRealThreadOfTimer(r); break;
    default: return;
  }
  live_.SetRegisters(r);
}

// The thread whose signal it is (SIGEV_THREAD_ID) is named in memory, which stays as it is: the kernel reads a copy.
void Recorder::GiveRealThreadOfTimer(GeneralRegisters& r) {
  Result<TimerEvent> event = live_.memory().ReadValue<TimerEvent>(TraceeAddress(r.rsi));
  if (r.rsi == 0 || !event.ok() || !(event.value().notify & SIGEV_THREAD_ID)) return;
  TimerEvent real = event.value();
  real.thread = RealTid(real.thread);
  if (live_.memory().WriteValue(kScratchArea, real).ok()) r.rsi = kScratchArea.value;
}

// Calls whose real answer would show that the program is recorded.
bool Recorder::AnsweredByUs(const SyscallArguments& call) {
  int64_t result = 0;
  switch (call.number) {
    case SYS_getpid:
      if (!Renamed()) return false;
      result = options_.visible_pid;
      break;
    case SYS_gettid:
      if (thread() == live_.tid()) return false;
      result = thread();
      break;
    case SYS_set_tid_address:
      if (thread() == live_.tid()) return false;
      static_cast<void>(live_.Syscall(SYS_set_tid_address, {call.values[0]}));
      now_.clear_child_tid = call.values[0];
      result = thread();
      break;
    case SYS_futex:
      // The kernel compares such a word with the thread's own number.
      if (!Renamed() || !InheritsPriority(call.values[1])) return false;
      Tell(
          "On this branch the program's threads have other numbers than it knows, and mutexes that inherit priority "
          "cannot be waited for: futex was answered with ENOSYS.");
      ++refused_calls;
      result = -ENOSYS;
      break;
    case SYS_rseq:
      if (options_.rseq_cpu >= 0) return AnsweredAsRseq(call);
      result = -ENOSYS;  // the kernel would write to its area behind our back
      break;
    case SYS_mmap:
    case SYS_shmat: {
      const std::optional<int64_t> refused = RefuseSharing(call);
      if (!refused) return false;
      result = *refused;
      break;
    }
    case SYS_madvise: return AnsweredByAdvice(call);
    case SYS_process_madvise:
      // These change what may be touched, which a replay would have to do as well.
      if (call.values[3] != uapi::kAdviceGuardInstall && call.values[3] != uapi::kAdviceGuardRemove) return false;
      result = -EINVAL;  // as before Linux 6.13
      break;
    case SYS_prctl: return AnsweredByCounterSetting(call);
    case SYS_sched_setaffinity: return AnsweredByOwnProcessors(call);
    default: return false;
  }
  AnswerSyscall(call, result);
  return true;
}

// A C library that has registered its first thread insists on the others.
bool Recorder::AnsweredAsRseq(const SyscallArguments& call) {
  constexpr uint64_t kUnregister = 1;
  const bool unregister = (call.values[2] & kUnregister) != 0;
  constexpr int32_t kUninitialized = -1;
  // cpu_id_start and cpu_id, which do not change as long as the thread stays on its CPU.
  const int32_t words[] = {unregister ? 0 : options_.rseq_cpu, unregister ? kUninitialized : options_.rseq_cpu};
  const auto bytes = std::as_bytes(std::span(words));
  MemoryWrite write{TraceeAddress(call.values[0]), {bytes.begin(), bytes.end()}};
  live_.NoteRseq(write.address, static_cast<uint32_t>(call.values[1]), unregister,
                 static_cast<uint32_t>(call.values[3]));
  Event event = NewEvent(EventKind::kSyscall);
  event.number = static_cast<int32_t>(call.number);
  event.arguments = call.values;
  if (live_.memory().Write(write.address, write.bytes).ok())
    event.writes.push_back(std::move(write));
  else
    event.result = -EFAULT;
  live_.SkipSyscall(event.result);
  FinishSyscall(std::move(event));
  return true;
}

// Where a thread wants to run when it is let go.
void Recorder::NoteAffinity(const SyscallArguments& call) {
  std::vector<std::byte> cpus(std::min<uint64_t>(call.values[1], 1024));
  cpus.resize(live_.memory().ReadSome(TraceeAddress(call.values[2]), cpus));
  if (!cpus.empty()) live_.NoteAffinity(call.values[0] == 0 ? live_.tid() : static_cast<pid_t>(call.values[0]), cpus);
}

// The call is not made; the program gets `result`.
void Recorder::AnswerSyscall(const SyscallArguments& call, int64_t result, std::vector<MemoryWrite> writes) {
  live_.SkipSyscall(result);
  Event event = NewEvent(EventKind::kSyscall);
  event.number = static_cast<int32_t>(call.number);
  event.arguments = call.values;
  event.result = result;
  event.writes = std::move(writes);
  FinishSyscall(std::move(event));
}

// The time stamp counter faults for us; whether it does for the program is its own choice.
bool Recorder::AnsweredByCounterSetting(const SyscallArguments& call) {
  const auto option = static_cast<uint32_t>(call.values[0]);
  if (option == PR_SET_TSC) {
    const bool known = call.values[1] == PR_TSC_ENABLE || call.values[1] == PR_TSC_SIGSEGV;
    if (known) counter_faults_ = call.values[1] == PR_TSC_SIGSEGV;
    AnswerSyscall(call, known ? 0 : -EINVAL);
    return true;
  }
  if (option != PR_GET_TSC) return false;
  const int mode = counter_faults_ ? PR_TSC_SIGSEGV : PR_TSC_ENABLE;
  MemoryWrite write{TraceeAddress(call.values[1]), std::vector<std::byte>(sizeof mode)};
  memcpy(write.bytes.data(), &mode, sizeof mode);
  const bool written = live_.memory().Write(write.address, write.bytes).ok();
  AnswerSyscall(call, written ? 0 : -EFAULT, written ? std::vector{write} : std::vector<MemoryWrite>());
  return true;
}

const std::vector<int>& Recorder::ProcessorsOf(pid_t thread) const {
  auto own = processors_.find(thread);
  return own == processors_.end() ? options_.visible_cpus : own->second;
}

// The program stays on the CPU that it shares with its tracer; it and its
// children are told what it has asked for. Other processes really are moved.
bool Recorder::AnsweredByOwnProcessors(const SyscallArguments& call) {
  const auto asked = static_cast<pid_t>(call.values[0]);
  const pid_t target = asked == 0 ? thread() : asked;
  if (target != thread() && !OtherThreads().contains(target)) return false;
  std::vector<std::byte> mask(std::min<uint64_t>(call.values[1], sizeof(cpu_set_t)));
  if (!live_.memory().Read(TraceeAddress(call.values[2]), mask).ok()) {
    AnswerSyscall(call, -EFAULT);
    return true;
  }
  std::vector<int> chosen;
  for (int cpu : options_.visible_cpus) {
    const auto byte = static_cast<size_t>(cpu / 8);
    if (byte < mask.size() && (mask[byte] & static_cast<std::byte>(1u << (cpu % 8))) != std::byte{})
      chosen.push_back(cpu);
  }
  if (!chosen.empty()) {
    processors_[target] = chosen;
    NoteAffinity(call);
  }
  AnswerSyscall(call, chosen.empty() ? -EINVAL : 0);
  return true;
}

// After a call that has told where the program may run, or runs.
Result<void> Recorder::ShowOwnProcessors(const SyscallArguments& call, int64_t result) {
  if (call.number == SYS_sched_getaffinity && result > 0) {
    const auto asked = static_cast<pid_t>(call.values[0]);
    const pid_t target = asked == 0 ? thread() : asked;
    if (target != thread() && !OtherThreads().contains(target)) return {};
    std::vector<std::byte> mask(static_cast<size_t>(result));
    for (int cpu : ProcessorsOf(target))
      if (static_cast<size_t>(cpu / 8) < mask.size())
        mask[static_cast<size_t>(cpu / 8)] |= static_cast<std::byte>(1u << (cpu % 8));
    CF_TRY(live_.memory().Write(TraceeAddress(call.values[2]), mask));
  }
  if (call.number == SYS_getcpu && result == 0 && call.values[0] != 0 && processors_.contains(thread())) {
    const std::vector<int>& own = processors_.at(thread());
    CF_TRY_ASSIGN(const int cpu, live_.memory().ReadValue<int>(TraceeAddress(call.values[0])));
    if (std::find(own.begin(), own.end(), cpu) == own.end())
      CF_TRY(live_.memory().WriteValue(TraceeAddress(call.values[0]), own.front()));
  }
  return {};
}

// Says a limit once.
void Recorder::Tell(const std::string& limit) {
  if (told_.insert(limit).second && options_.notice) options_.notice(limit);
}

}  // namespace chronofork
