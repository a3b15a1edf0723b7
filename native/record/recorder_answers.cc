// Calls that the recorder answers itself: what would show that the program is
// recorded, what cannot be recorded, and what the kernel does without a stop.
//
// The call is not made; the event holds our answer, and a replay gives the same.
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "record/recorder.h"

namespace chronofork {

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

// Calls whose real answer would show that the program is recorded.
bool Recorder::AnsweredByUs(const SyscallArguments& call) {
  int64_t result = 0;
  bool renamed = options_.visible_pid != 0 && options_.visible_pid != live_.pid();
  switch (call.number) {
    case SYS_getpid:
      if (!renamed) return false;
      result = options_.visible_pid;
      break;
    case SYS_gettid:
      if (thread() == live_.tid()) return false;
      result = thread();
      break;
    case SYS_rseq:
      result = -ENOSYS;  // the kernel would write to its area behind our back
      break;
    case SYS_mmap:
      if ((call.values[3] & MAP_TYPE) != MAP_SHARED || (call.values[3] & MAP_ANONYMOUS) ||
          !(call.values[2] & PROT_WRITE))
        return false;
      Tell(
          "The program maps a file for writing (MAP_SHARED), which is not recorded yet: mmap was answered with "
          "ENODEV. Programs that can, fall back to read and write.");
      ++refused_calls;
      result = -ENODEV;
      break;
    case SYS_madvise: return AnsweredByAdvice(call);
    case SYS_sched_setaffinity: break;  // it stays on the CPU that it shares with its tracer
    default: return false;
  }
  AnswerSyscall(call, result);
  return true;
}

// The call is not made; the program gets `result`.
void Recorder::AnswerSyscall(const SyscallArguments& call, int64_t result) {
  live_.SkipSyscall(result);
  Event event = NewEvent(EventKind::kSyscall);
  event.number = static_cast<int32_t>(call.number);
  event.arguments = call.values;
  event.result = result;
  FinishSyscall(std::move(event));
}

// Says a limit once.
void Recorder::Tell(const std::string& limit) {
  if (told_.insert(limit).second && options_.notice) options_.notice(limit);
}

}  // namespace chronofork
