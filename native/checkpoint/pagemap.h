// Reads /proc/PID/pagemap: which pages are populated, shared, written.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/result.h"
#include "base/scoped_fd.h"
#include "checkpoint/page_set.h"

namespace chronofork {

// Private mappings of the process that hold its own memory: all but MAP_SHARED,
// [vdso], [vvar] and [vsyscall].
PageSet PrivateMappings(pid_t pid);

class Pagemap {
 public:
  static Result<Pagemap> Open(pid_t pid);

  // PAGEMAP_SCAN over the whole address space, or over `where`. A page matches if it has all of
  // `required` and none of `excluded`. `write_protect`: and protects the pages
  // that match, atomically with looking (only where userfaultfd is registered).
  struct Query {
    uint64_t required = 0;
    uint64_t excluded = 0;
    uint64_t any_of = 0;
    bool write_protect = false;
  };
  // Error code "pagemapScanMissing" on kernels before 6.7.
  Result<PageSet> Scan(const Query& query) const;
  Result<PageSet> Scan(const Query& query, const PageSet& where) const;

  // The populated part of `where`; all of it on kernels without PAGEMAP_SCAN.
  Result<PageSet> Populated(const PageSet& where) const;

  // The pages within `where` whose entry has `bit` set, or that are swapped out
  // (whose history cannot be told). Pages of files, shared memory and untouched
  // zero pages are left out as far as the kernel can tell them apart.
  Result<PageSet> PagesWithBit(uint64_t bit, const PageSet& where) const;
  // The same for exclusive pages, where zero pages need no telling apart: faster.
  Result<PageSet> ExclusivePagesIn(const PageSet& where) const;

 private:
  explicit Pagemap(pid_t pid, ScopedFd fd) : pid_(pid), fd_(std::move(fd)) {}
  Result<void> ScanRange(const Query& query, AddressRange range, std::vector<AddressRange>& found) const;
  Result<void> AppendPagesWithBit(uint64_t bit, AddressRange range, std::vector<AddressRange>& pages) const;

  pid_t pid_;
  ScopedFd fd_;
};

}  // namespace chronofork
