// Arguments in the order of x86-64; struct clone_args of linux/sched.h.
#include "record/clone_call.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>

#include <algorithm>

namespace chronofork {

std::vector<AddressRange> CloneCall::WrittenForCaller() const {
  RangeList ranges;
  if (flags & CLONE_PARENT_SETTID) ranges.Add(parent_tid, sizeof(int32_t));
  if (flags & CLONE_PIDFD) ranges.Add(pidfd, sizeof(int32_t));
  return ranges.Take();
}

CloneCall ReadCloneCall(const SyscallArguments& call, const MemoryReaderFn& read) {
  switch (call.number) {
    // Without a structure there is one pointer for both.
    case SYS_clone: return {call.values[0], call.values[2], call.values[3], call.values[2]};
    case SYS_vfork: return {CLONE_VM | CLONE_VFORK, 0, 0, 0};
    case SYS_clone3: {
      clone_args arguments{};
      const size_t size = std::min<size_t>(call.values[1], sizeof arguments);
      if (!read(TraceeAddress(call.values[0]), std::as_writable_bytes(std::span(&arguments, 1)).first(size)).ok())
        return {};
      return {arguments.flags, arguments.parent_tid, arguments.child_tid, arguments.pidfd};
    }
    default: return {};
  }
}

}  // namespace chronofork
