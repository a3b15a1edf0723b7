// What a call that makes a process or a thread asks for: clone has it in its
// arguments, clone3 in a structure.
#pragma once

#include <vector>

#include "record/out_parameters.h"

namespace chronofork {

struct CloneCall {
  uint64_t flags = 0;
  uint64_t parent_tid = 0;  // where the new one's number is put for the caller
  uint64_t child_tid = 0;   // … for the new one, and what is cleared at its end
  uint64_t pidfd = 0;       // where a descriptor for it is put

  // What the kernel writes in the caller's memory, beside child_tid.
  std::vector<AddressRange> WrittenForCaller() const;
};

// fork and vfork, too. Fields that cannot be read are 0: the call will fail.
CloneCall ReadCloneCall(const SyscallArguments& call, const MemoryReaderFn& read);

}  // namespace chronofork
