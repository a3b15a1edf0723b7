// What the three ways of finding dirty pages share; see dirty_pages.h.
#pragma once

#include <memory>

#include "checkpoint/dirty_pages.h"
#include "checkpoint/pagemap.h"

namespace chronofork {

Result<std::unique_ptr<DirtyPages>> AttachUffd(DirtyPagesHost& host);
Result<std::unique_ptr<DirtyPages>> AttachExclusive(pid_t pid);
Result<std::unique_ptr<DirtyPages>> AttachSoftDirty(pid_t pid);

// Remembers what Discarded() was told, and adds it to what was found.
class DiscardedRanges {
 public:
  void Add(AddressRange range) { ranges_.push_back(range); }
  void Clear() { ranges_.clear(); }
  // `found` and the discarded pages that are mapped (privately) in `pid` now.
  PageSet AddTo(PageSet found, pid_t pid) const {
    if (ranges_.empty()) return found;
    return Union(found, Intersect(MakePageSet(ranges_), PrivateMappings(pid)));
  }

 private:
  std::vector<AddressRange> ranges_;
};

}  // namespace chronofork
