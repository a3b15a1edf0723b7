// Memory that the live process shares with other processes, or with a file:
// shared in the live process as the program asked for, private in every copy.
//
// fork() copies no shared memory, so the live process would write into the
// past. Each copy is given memory of its own there (MakePrivate); what is mapped
// at several places is so in the copy too (tracee/own_memory.h). What is
// written from outside (by another process, or by the kernel for a call that
// writes to the file, which private memory of it shows as well) is known by its bytes alone: after each system call
// they are compared with what was there, at its entry and at its end, and what differs belongs to that call's event
// (Changes). What the program itself has written is among it, and a replay writes the same once more.
//
// Easy to get wrong: what comes from outside between two calls, and is read
// before the second, is no event; the replay then differs at the next one, and
// says so.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <optional>
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

  // The process may have mapped or unmapped some. What is mapped at `joined` counts from now on.
  void Refresh(std::optional<TraceeAddress> joined = std::nullopt);
  // What the process has before anything of it is recorded; `refuse` says of each mapping whether nothing is to be done
  // about it.
  void TakeOver(const std::function<bool(const Mapping&)>& refuse);
  bool empty() const { return pieces_.empty(); }
  const PageSet& pages() const { return pages_; }
  // What is mapped of one file from `start` on; empty if nothing begins there.
  AddressRange PieceAt(TraceeAddress start) const;
  // How much a copy would have to hold if this part of a file, or of a segment, were mapped too.
  uint64_t BytesWith(uint64_t inode, uint64_t offset, uint64_t length) const;
  // All parts of what is mapped at `start`, if any of it is mapped at two places; else none.
  std::vector<JoinedPart> PartsWith(TraceeAddress start) const;

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
  struct Object {
    // Segments have numbers of their own; own memory is that of a copy that became a branch's first process. Private
    // memory of a file shows what is written to the file, until it is written itself.
    enum class Kind { kFile, kSegment, kOwn, kPrivate };
    uint64_t device = 0, inode = 0;
    Kind kind = Kind::kFile;
    auto operator<=>(const Object&) const = default;
  };
  struct Piece {
    AddressRange range;
    Object object;
    uint64_t offset = 0;
    std::vector<std::byte> known;  // what a replay has there; as long as the range
  };

  static Object ObjectOf(const Mapping& mapping);
  bool IsShared(const Mapping& mapping) const;
  void FindJoined();
  JoinedPart PartOf(const Object& object, const AddressRange& range, uint64_t offset) const;

  Tracee& live_;
  std::set<Object> files_;
  std::vector<Piece> pieces_;
  PageSet pages_;
  // Those that are mapped twice somewhere, or were: where in a copy's own memory they begin.
  std::map<Object, uint64_t> places_;
  std::set<Object> joined_;  // those that are now
};

}  // namespace chronofork
