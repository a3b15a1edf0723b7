// Memory that a copy has mapped at several places: one object, which belongs to
// that copy alone.
//
// Where the live process has the same part of a shared file mapped twice (a JIT
// that writes its code at one address and executes it at another, a ring buffer
// whose end is followed by its beginning), a copy needs the same: what is
// written at one place is there at the other. All such parts of a process lie in
// one memfd (Tracee::JoinMemory), each file's at an offset of its own. A fork
// would share it with the next copy, so that one gets a memfd of its own with
// the same contents (Tracee::Fork).
//
// Easy to get wrong:
//  - the kernel writes to shared memory, for a tracer too, only where the program
//    itself may: int3s and jumps in code that is mapped for execution alone are
//    written through the memfd (TraceeMemory::write_else);
//  - they then are seen at the other places as well (replay/memory_comparison.h);
//  - what is not mapped any more still has its contents: they are wiped when
//    something else comes to lie there.
#pragma once

#include "base/scoped_fd.h"
#include "base/tracee_address.h"
#include "tracee/memory.h"

namespace chronofork {

struct JoinedPart {
  AddressRange range;
  uint64_t offset = 0;  // in the object
};

struct OwnMemory {
  ScopedFd fd;
  uint64_t device = 0, inode = 0;  // as in /proc/PID/maps
};

// Whether it is memory of this kind, of whichever process.
bool IsOwnMemory(const Mapping& mapping);

}  // namespace chronofork
