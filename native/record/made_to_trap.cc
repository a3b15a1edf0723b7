// Which instructions made to trap are no more: see made_to_trap.h.
#include "record/made_to_trap.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <span>
#include <tuple>

namespace chronofork {
namespace {

constexpr uint64_t kPageMask = 4095;

AddressRange Pages(uint64_t start, uint64_t length_bytes) {
  return {TraceeAddress(start), TraceeAddress(start + ((length_bytes + kPageMask) & ~kPageMask))};
}

// What lies in `range`, taken out of `traps`.
TrapBytes TakeOut(TrapBytes& traps, AddressRange range) {
  TrapBytes taken;
  for (auto at = traps.lower_bound(range.start); at != traps.end() && at->first < range.end;)
    taken.insert(taken.end(), traps.extract(at++));
  return taken;
}

bool IsInt3(const TraceeMemory& memory, TraceeAddress at) {
  std::byte there{};
  return memory.ReadAsItIs(at, std::span(&there, 1)) == 1 && there == kInt3Byte;
}

Result<void> GiveBack(const TraceeMemory& memory, TraceeAddress at, std::byte original) {
  if (!IsInt3(memory, at)) return {};  // the program has written there
  return memory.WriteValue(at, original);
}

class Forgetting {
 public:
  Forgetting(const TraceeMemory& memory, TrapBytes& traps) : memory_(memory), traps_(traps) {}

  void Gone(AddressRange range) { Note(TakeOut(traps_, range)); }

  Result<void> MadeData(AddressRange range) {
    const TrapBytes taken = TakeOut(traps_, range);
    Note(taken);
    for (const auto& [at, original] : taken) CF_TRY(GiveBack(memory_, at, original));
    return {};
  }

  // Code still: what the program has written over is no trap of ours any more.
  void MadeCode(AddressRange range) {
    for (const auto& [at, original] : TakeOut(traps_, range))
      if (IsInt3(memory_, at))
        traps_[at] = original;
      else
        forgotten_.push_back(at);
  }

  // Pages of a file have their contents from it again.
  Result<void> Discarded(AddressRange range) {
    for (const auto& [at, original] : TakeOut(traps_, range)) {
      std::byte there{};
      const bool read = memory_.ReadAsItIs(at, std::span(&there, 1)) == 1;
      if (read && there == original) CF_TRY(memory_.WriteValue(at, kInt3Byte));
      if (read && (there == original || there == kInt3Byte))
        traps_[at] = original;
      else
        forgotten_.push_back(at);
    }
    return {};
  }

  Result<void> Moved(AddressRange from, AddressRange to) {
    if (from.start == to.start) {
      Gone({std::min(from.end, to.end), from.end});
      return {};
    }
    const TrapBytes taken = TakeOut(traps_, from);
    Note(taken);
    Gone(to);
    for (const auto& [at, original] : taken)
      if (const TraceeAddress moved = to.start + (at - from.start); moved < to.end)
        CF_TRY(GiveBack(memory_, moved, original));
    return {};
  }

  std::vector<TraceeAddress> forgotten() && { return std::move(forgotten_); }

 private:
  void Note(const TrapBytes& taken) {
    for (const auto& [at, original] : taken) forgotten_.push_back(at);
  }

  const TraceeMemory& memory_;
  TrapBytes& traps_;
  std::vector<TraceeAddress> forgotten_;
};

}  // namespace

Result<std::vector<TraceeAddress>> ForgetTraps(const SyscallArguments& call, int64_t result, const TraceeMemory& memory,
                                               TrapBytes& traps) {
  const bool failed = result < 0 && result >= -static_cast<int64_t>(kPageMask);
  if (failed || traps.empty()) return std::vector<TraceeAddress>();
  Forgetting forgetting(memory, traps);
  const auto& [first, second, third] = std::tie(call.values[0], call.values[1], call.values[2]);
  switch (call.number) {
    case SYS_mmap: forgetting.Gone(Pages(static_cast<uint64_t>(result), second)); break;
    case SYS_munmap: forgetting.Gone(Pages(first, second)); break;
    case SYS_mprotect:
    case SYS_pkey_mprotect:
      if (third & PROT_EXEC)
        forgetting.MadeCode(Pages(first, second));
      else
        CF_TRY(forgetting.MadeData(Pages(first, second)));
      break;
    case SYS_mremap: CF_TRY(forgetting.Moved(Pages(first, second), Pages(static_cast<uint64_t>(result), third))); break;
    case SYS_madvise: CF_TRY(forgetting.Discarded(Pages(first, second))); break;
    default: break;
  }
  return std::move(forgetting).forgotten();
}

}  // namespace chronofork
