// What calls on files write where the command or memory says how much.
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>

#include "kernel/uapi.h"
#include "record/out_rules.h"

namespace chronofork::out_rules {

Ranges Fcntl(const OutContext& context) {
  RangeList ranges;
  uint64_t pointer = context.argument(2);
  switch (static_cast<int>(context.argument(1))) {
    case F_GETLK:
    case uapi::kFcntlOfdGetlk: ranges.Add(pointer, sizeof(struct flock)); break;
    case uapi::kFcntlGetOwnEx:      // struct f_owner_ex: two ints
    case uapi::kFcntlGetOwnerUids:  // two uids
    case uapi::kFcntlGetRwHint:
    case uapi::kFcntlGetFileRwHint: ranges.Add(pointer, 8); break;
    default: break;  // every other command answers by its result
  }
  return ranges.Take();
}

EntrySnapshot SnapshotNameToHandleAt(const SyscallArguments& call, const MemoryReaderFn& read) {
  EntrySnapshot snapshot;
  std::optional<uint32_t> room = ReadValue<uint32_t>(read, call.values[2]);
  snapshot.incomplete = !room;
  snapshot.lengths[0] = room.value_or(0);
  return snapshot;
}

Ranges NameToHandleAt(const OutContext& context) {
  constexpr uint64_t kMostHandleBytes = 128;  // MAX_HANDLE_SZ
  if (context.at_entry.incomplete) return std::nullopt;
  RangeList ranges;
  // EOVERFLOW writes the length that it wants, and the mount.
  ranges.Add(context.argument(2), 8 + std::min(context.at_entry.lengths[0], kMostHandleBytes));
  ranges.Add(context.argument(3), 8);  // an int, or 64 bits with AT_HANDLE_MNT_ID_UNIQUE
  return ranges.Take();
}

Ranges Mincore(const OutContext& context) {
  RangeList ranges;
  // ENOMEM may come after parts of the vector were written.
  ranges.Add(context.argument(2), context.argument(1) / 4096 + 1);
  return ranges.Take();
}

// Advice for another process changes nothing here. For the program itself, pages
// that were given back have lost what they held: that is read like something written.
Ranges ProcessMadvise(const OutContext& context) {
  if (context.at_entry.incomplete) return std::nullopt;
  RangeList ranges;
  switch (static_cast<int>(context.argument(3))) {
    case MADV_DONTNEED:
    case MADV_FREE:
    case MADV_REMOVE:
    case uapi::kAdviceDontNeedLocked:
      for (const AddressRange& range : context.at_entry.buffers) ranges.Add(range.start.value, range.length());
      break;
    default: break;
  }
  return ranges.Take();
}

}  // namespace chronofork::out_rules
