// Dirty pages by the soft-dirty bit: "4" into /proc/PID/clear_refs, then pagemap
// bit 55. The oldest way, for kernels built with CONFIG_MEM_SOFT_DIRTY.
//
// Easy to get wrong: without that option the write to clear_refs succeeds all the
// same; only a trial tells (kernel/dirty_page_trials.h). Mappings made since the
// reset carry the bit as a whole, which is right: their pages are new.
#include <errno.h>
#include <fcntl.h>

#include "checkpoint/dirty_ways.h"
#include "kernel/uapi.h"

namespace chronofork {
namespace {

class SoftDirtyPages : public DirtyPages {
 public:
  SoftDirtyPages(pid_t pid, ScopedFd clear_refs) : pid_(pid), clear_refs_(std::move(clear_refs)) {}

  DirtyWay way() const override { return DirtyWay::kSoftDirty; }

  Result<void> Reset() override {
    discarded_.Clear();
    if (pwrite(clear_refs_.get(), "4", 1, 0) == 1) return {};
    return SystemError("dirtyPagesFailed", "The marks of written pages cannot be cleared", errno, pid_);
  }

  Result<PageSet> Collect(bool and_reset) override {
    CF_TRY_ASSIGN(Pagemap pagemap, Pagemap::Open(pid_));
    CF_TRY_ASSIGN(PageSet pages, pagemap.PagesWithBit(uapi::kPagemapSoftDirty, PrivateMappings(pid_)));
    pages = discarded_.AddTo(std::move(pages), pid_);
    if (and_reset) CF_TRY(Reset());
    return pages;
  }

  void MappingsChanged() override {}
  void Discarded(AddressRange range) override { discarded_.Add(range); }

 private:
  pid_t pid_;
  ScopedFd clear_refs_;
  DiscardedRanges discarded_;
};

}  // namespace

Result<std::unique_ptr<DirtyPages>> AttachSoftDirty(pid_t pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/clear_refs";
  ScopedFd clear_refs(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!clear_refs.valid()) {
    return SystemError("dirtyPagesFailed", "The marks of written pages cannot be cleared", errno, pid);
  }
  return std::unique_ptr<DirtyPages>(std::make_unique<SoftDirtyPages>(pid, std::move(clear_refs)));
}

}  // namespace chronofork
