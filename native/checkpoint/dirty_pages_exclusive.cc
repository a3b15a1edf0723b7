// Dirty pages by pagemap bit 56: pages that no other process maps.
//
// After a fork all private pages are shared; who writes one gets its own. So the
// pages that are not shared are those written since, as long as the other side
// of the fork lives and stands still. Where several forks live, it is the latest
// of them that counts. Reading is all there is to it: nothing to set up or undo.
#include "checkpoint/dirty_ways.h"
#include "tracee/own_memory.h"

namespace chronofork {
namespace {

class ExclusiveDirtyPages : public DirtyPages {
 public:
  explicit ExclusiveDirtyPages(pid_t pid) : pid_(pid) {}

  DirtyWay way() const override { return DirtyWay::kExclusive; }

  Result<void> Reset() override {
    discarded_.Clear();
    return {};
  }

  Result<PageSet> Collect(bool and_reset) override {
    CF_TRY_ASSIGN(PageSet pages, ExclusivePages(pid_));
    pages = discarded_.AddTo(std::move(pages), pid_);
    if (and_reset) discarded_.Clear();
    return pages;
  }

  void MappingsChanged() override {}
  void Discarded(AddressRange range) override { discarded_.Add(range); }

  Result<void> BeforeFork() override {
    CF_TRY_ASSIGN(const PageSet pages, ExclusivePages(pid_));
    for (const AddressRange& range : pages) discarded_.Add(range);
    return {};
  }

 private:
  pid_t pid_;
  DiscardedRanges discarded_;
};

}  // namespace

Result<PageSet> ExclusivePages(pid_t pid) {
  CF_TRY_ASSIGN(Pagemap pagemap, Pagemap::Open(pid));
  CF_TRY_ASSIGN(PageSet pages, pagemap.ExclusivePagesIn(PrivateMappings(pid)));
  // Nobody can tell what was written of it.
  std::vector<AddressRange> own;
  for (const Mapping& mapping : ReadMappings(pid))
    if (IsOwnMemory(mapping)) own.push_back(mapping.range);
  return own.empty() ? pages : Union(pages, MakePageSet(std::move(own)));
}

Result<std::unique_ptr<DirtyPages>> AttachExclusive(pid_t pid) {
  CF_TRY(Pagemap::Open(pid));  // whether it may be read at all
  return std::unique_ptr<DirtyPages>(std::make_unique<ExclusiveDirtyPages>(pid));
}

}  // namespace chronofork
