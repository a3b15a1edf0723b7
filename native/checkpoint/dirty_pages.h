// Which pages of a stopped process were written since the last reset.
//
// Three ways, chosen by trying (ChooseDirtyWay):
//   kUffd       userfaultfd write protection + PAGEMAP_SCAN (Linux 6.7): costs
//               follow the number of dirty pages. dirty_pages_uffd.cc
//   kExclusive  pagemap bit 56: pages that no fork shares; walks all populated
//               memory (5 ms for 512 MiB). dirty_pages_exclusive.cc
//   kSoftDirty  clear_refs and pagemap bit 55; walks all memory and needs a
//               kernel option. dirty_pages_soft.cc
//
// What they have in common: private mappings only ([vdso], [vvar] and
// MAP_SHARED memory are left out), page granularity, and never an
// under-report: a page that cannot be told (swapped out, a huge page faulted in
// as a whole) counts as written. Pages that were only read do not count. Writes
// by the kernel (read() into a page) and by us (process_vm_writev) do.
//
// Easy to get wrong:
// - kExclusive has no reset of its own: what it reports is written since the
//   last fork *whose child still lives and shares the page*. Reset() is the
//   caller's fork; see ExclusivePages().
// - Memory that lost its contents without a write (munmap and mmap in place,
//   MADV_DONTNEED) has no dirty page to show. The caller, who sees these calls,
//   says so with Discarded().
// - execve ends it all: make a new DirtyPages.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/tracee_address.h"
#include "checkpoint/page_set.h"

namespace chronofork {

// The stopped process, by tracee/. Called only during Attach() and Detach().
class DirtyPagesHost {
 public:
  virtual ~DirtyPagesHost() = default;
  virtual pid_t pid() const = 0;
  // Runs a system call in the process; the value is the raw result (-4095 … -1: an errno).
  virtual Result<int64_t> Syscall(long number, std::array<uint64_t, 6> arguments) = 0;
  virtual Result<void> Read(TraceeAddress address, std::span<std::byte> out) = 0;
  virtual Result<void> Write(TraceeAddress address, std::span<const std::byte> bytes) = 0;
  // 4 KiB in the process for arguments of calls.
  virtual TraceeAddress ScratchArea() = 0;
};

enum class DirtyWay { kUffd, kExclusive, kSoftDirty };

const char* DirtyWayName(DirtyWay way);  // "uffd", "exclusive", "softdirty"

// The best way that works here, found out by dirtying pages of a child (a few
// ms; the answer is kept). CHRONOFORK_DIRTY=uffd|exclusive|softdirty forces one:
// an error if that one does not work or is no such word.
Result<DirtyWay> ChooseDirtyWay();

class DirtyPages {
 public:
  virtual ~DirtyPages() = default;

  // Begins to watch; the first Collect() without a Reset() before it may
  // report everything populated. kUffd runs two calls in the process
  // (userfaultfd, close), and leaves no descriptor there. `host` is not kept.
  static Result<std::unique_ptr<DirtyPages>> Attach(DirtyWay way, DirtyPagesHost& host);

  virtual DirtyWay way() const = 0;

  // All pages count as unwritten from now on. (kExclusive: only forgets what
  // Discarded() was told; the fork that the caller makes at this moment does the rest.)
  virtual Result<void> Reset() = 0;

  // The pages written since the last reset, as far as they are still mapped.
  // `and_reset`: and begin anew, in the same pass (kUffd) or right after.
  virtual Result<PageSet> Collect(bool and_reset) = 0;

  // The process called mmap, munmap, mremap, mprotect or brk. Cheap: the map is
  // read at the next Reset() or Collect().
  virtual void MappingsChanged() = 0;

  // The contents of `range` were thrown away or replaced without being written
  // (munmap, mmap, mremap, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, a smaller brk):
  // counts as written at the next Collect().
  virtual void Discarded(AddressRange range) = 0;

  // The process is about to fork a child of its own, with which it will share
  // what it has written since the last reset: that is remembered.
  virtual Result<void> BeforeFork() { return {}; }
};

// Pages of private memory that `pid` shares with no other process: what it has
// written since it was forked, while the other side of the fork still lives.
// Works for any process without preparation. `pid` must be stopped, or at
// least keep its mappings meanwhile. Memory of its own that it has mapped at
// several places (tracee/own_memory.h) is all among them.
Result<PageSet> ExclusivePages(pid_t pid);

}  // namespace chronofork
