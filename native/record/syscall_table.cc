// Looks calls up in the table and applies their rows. The rows themselves are
// in syscall_rows.cc, the rules for difficult calls in out_rules_*.cc.
#include "record/syscall_table.h"

#include <errno.h>

#include <algorithm>

#include "record/out_rules.h"
#include "record/syscall_rows.h"

namespace chronofork {
namespace {

// Numbers are dense enough for an array of positions: -1 where there is no row.
constexpr size_t kNumberLimit = 512;

std::array<int16_t, kNumberLimit> MakeIndex() {
  std::array<int16_t, kNumberLimit> index;
  index.fill(-1);
  std::span<const SyscallRow> rows = SyscallRows();
  for (size_t i = 0; i < rows.size(); ++i) index[static_cast<size_t>(rows[i].number)] = static_cast<int16_t>(i);
  return index;
}

}  // namespace

const char* SyscallClassName(SyscallClass cls) {
  switch (cls) {
    case SyscallClass::kExecute: return "execute";
    case SyscallClass::kEmulate: return "emulate";
    case SyscallClass::kSwallow: return "swallow";
    case SyscallClass::kSchedule: return "schedule";
    case SyscallClass::kProcess: return "process";
    case SyscallClass::kRefuse: return "refuse";
    case SyscallClass::kByDirtyPages: return "by dirty pages";
  }
  return "?";
}

const SyscallRow& RowFor(long number) {
  static const std::array<int16_t, kNumberLimit> index = MakeIndex();
  static const SyscallRow unknown;
  if (number < 0 || static_cast<size_t>(number) >= kNumberLimit) return unknown;
  int16_t position = index[static_cast<size_t>(number)];
  return position < 0 ? unknown : SyscallRows()[static_cast<size_t>(position)];
}

EntrySnapshot SnapshotAtEntry(const SyscallArguments& call, const MemoryReaderFn& read) {
  const SyscallRow& row = RowFor(call.number);
  return row.out.snapshot != nullptr ? row.out.snapshot(call, read) : EntrySnapshot{};
}

std::optional<std::vector<AddressRange>> OutRanges(const SyscallArguments& call, int64_t result,
                                                   const MemoryReaderFn& read, const EntrySnapshot& at_entry) {
  const SyscallRow& row = RowFor(call.number);
  if (row.cls == SyscallClass::kByDirtyPages) return std::nullopt;
  bool writes = row.out.rule != nullptr || row.out.list[0].size != OutParameter::Size::kNone;
  if (!writes) return std::vector<AddressRange>{};
  // A copy that stopped at an unwritable page has written what came before it.
  if (result == -EFAULT) return std::nullopt;
  OutContext context{call, result, read, at_entry};
  if (row.out.rule != nullptr) return row.out.rule(context);
  return ApplyOutParameters(row.out.list, context);
}

namespace out_rules {

Ranges ByDirtyPages(const OutContext&) { return std::nullopt; }

}  // namespace out_rules
}  // namespace chronofork
