// Memory that the live process shares with other processes, or with a file:
// shared in the live process as the program asked for, private in every copy.
//
// fork() copies no shared memory, so the live process would write into the
// past. Each copy is given memory of its own there (MakePrivate). What is
// written from outside (by another process, or by the kernel for a call that
// writes to the file) is known by its bytes alone: after each system call they
// are compared with what was there, at its entry and at its end, and what
// differs belongs to that call's event (Changes). What the program itself has written is among it, and a
// replay writes the same once more.
//
// Easy to get wrong: what comes from outside between two calls, and is read
// before the second, is no event; the replay then differs at the next one, and
// says so.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "checkpoint/page_set.h"
#include "record/event_log.h"
#include "tracee/tracee.h"

namespace chronofork {

class SharedMemory {
 public:
  // Each copy of the process has all of it: more is refused.
  static constexpr uint64_t kMostBytes = uint64_t{64} << 20;

  explicit SharedMemory(Tracee& live) : live_(live) {}

  // MAP_SHARED mappings of the file `inode` count from now on.
  void Add(uint64_t inode) { files_.insert(inode); }
  // The process may have mapped or unmapped some.
  void Refresh();
  bool empty() const { return pieces_.empty(); }
  const PageSet& pages() const { return pages_; }
  // What is mapped of one file from `start` on; empty if nothing begins there.
  AddressRange PieceAt(TraceeAddress start) const;
  // Whether a part of the file [offset, offset + length) is mapped already: a copy could not have it twice.
  bool HasMapped(uint64_t inode, uint64_t offset, uint64_t length) const;

  // What it holds now and did not when this was last asked.
  std::vector<MemoryWrite> Changes();
  // The contents of `pages` are not what a replay has there.
  void Forget(const PageSet& pages);
  // `range` has changed by the program's own doing: no change any more.
  void Accept(const AddressRange& range);
  // A fork of the live process, just made, gets memory of its own with the same contents.
  Result<void> MakePrivate(Tracee& copy) const;
  // Private memory that stood for shared memory, while the process was alone, becomes shared.
  Result<void> Share(const PageSet& pages);

 private:
  struct Piece {
    AddressRange range;
    uint64_t inode = 0;
    uint64_t offset = 0;
    std::vector<std::byte> known;  // what a replay has there; as long as the range
  };

  bool IsShared(const Mapping& mapping) const;

  Tracee& live_;
  std::set<uint64_t> files_;  // by inode
  std::vector<Piece> pieces_;
  PageSet pages_;
};

}  // namespace chronofork
