// Two views of the page tables: PAGEMAP_SCAN where the kernel has it, which
// skips what is not populated, and the array of 64-bit entries, which has the
// bits that PAGEMAP_SCAN does not show (exclusive).
#include "checkpoint/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "kernel/uapi.h"
#include "tracee/attachment.h"
#include "tracee/memory.h"

namespace chronofork {
namespace {

// The end of user memory on x86-64 with four-level page tables, the most that
// Linux hands out unless a program asks for more by an explicit hint.
constexpr uint64_t kUserMemoryEnd = 0x7ffffffff000;

bool HoldsOwnMemory(const Mapping& mapping) {
  return !mapping.shared && mapping.path != "[vdso]" && mapping.path != "[vsyscall]" &&
         !mapping.path.starts_with("[vvar");
}

}  // namespace

PageSet PrivateMappings(pid_t pid) {
  std::vector<AddressRange> ranges;
  for (const Mapping& mapping : ReadMappings(pid)) {
    if (HoldsOwnMemory(mapping)) ranges.push_back(mapping.range);
  }
  return MakePageSet(std::move(ranges));
}

Result<Pagemap> Pagemap::Open(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(LivingThreadOf(pid)) + "/pagemap";
  ScopedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return SystemError("dirtyPagesFailed", "The page table of the debuggee cannot be read", errno, pid);
  return Pagemap(pid, std::move(fd));
}

Result<PageSet> Pagemap::Scan(const Query& query) const {
  return Scan(query, {{TraceeAddress(0), TraceeAddress(kUserMemoryEnd)}});
}

Result<PageSet> Pagemap::Scan(const Query& query, const PageSet& where) const {
  std::vector<AddressRange> found;
  for (const AddressRange& range : where) CF_TRY(ScanRange(query, range, found));
  return MakePageSet(std::move(found));
}

Result<void> Pagemap::ScanRange(const Query& query, AddressRange range, std::vector<AddressRange>& found) const {
  std::array<uapi::PageRegion, 512> regions;
  uapi::PagemapScanArgument scan{};
  scan.size = sizeof scan;
  scan.flags = query.write_protect ? uapi::kScanWpMatching : 0;
  scan.start = range.start.value;
  scan.end = std::min(range.end.value, kUserMemoryEnd);
  scan.vec = reinterpret_cast<uint64_t>(regions.data());
  scan.vec_len = regions.size();
  scan.category_inverted = query.excluded;
  scan.category_mask = query.required | query.excluded;
  scan.category_anyof_mask = query.any_of;
  scan.return_mask = uapi::kPageIsWritten;  // the same for all, so that neighbours are joined
  while (scan.start < scan.end) {
    int count = ioctl(fd_.get(), uapi::kPagemapScan, &scan);
    if (count < 0) {
      int error_number = errno;
      if (error_number == EINTR) continue;
      if (error_number == ENOTTY) {
        return Error{"pagemapScanMissing", "This kernel has no PAGEMAP_SCAN.", "", ENOTTY, pid_};
      }
      return SystemError("dirtyPagesFailed", "The written pages of the debuggee cannot be listed", error_number, pid_);
    }
    for (int i = 0; i < count; ++i) {
      const uapi::PageRegion& region = regions[static_cast<size_t>(i)];
      found.push_back({TraceeAddress(region.start), TraceeAddress(region.end)});
    }
    scan.start = scan.walk_end;
  }
  return {};
}

Result<PageSet> Pagemap::Populated(const PageSet& where) const {
  Query populated;
  populated.any_of = uapi::kPageIsPresent | uapi::kPageIsSwapped;
  populated.excluded = uapi::kPageIsFile | uapi::kPageIsZero;
  Result<PageSet> candidates = Scan(populated, where);
  if (!candidates.ok() && candidates.error().code == "pagemapScanMissing") return where;
  return candidates;
}

Result<PageSet> Pagemap::PagesWithBit(uint64_t bit, const PageSet& where) const {
  CF_TRY_ASSIGN(PageSet to_read, Populated(where));
  std::vector<AddressRange> pages;
  for (const AddressRange& range : to_read) CF_TRY(AppendPagesWithBit(bit, range, pages));
  return MakePageSet(std::move(pages));
}

Result<PageSet> Pagemap::ExclusivePagesIn(const PageSet& where) const {
  // Reading the entries of a mapping costs half as much as scanning it for what
  // is populated; but of a mapping this large most is likely to be empty.
  constexpr uint64_t kLargeBytes = uint64_t{1} << 30;
  PageSet large, small;
  for (const AddressRange& range : where) (range.length() >= kLargeBytes ? large : small).push_back(range);
  CF_TRY_ASSIGN(PageSet populated, Populated(large));
  std::vector<AddressRange> pages;
  for (const AddressRange& range : Union(small, populated)) {
    CF_TRY(AppendPagesWithBit(uapi::kPagemapExclusive, range, pages));
  }
  return MakePageSet(std::move(pages));
}

Result<void> Pagemap::AppendPagesWithBit(uint64_t bit, AddressRange range, std::vector<AddressRange>& pages) const {
  std::array<uint64_t, 4096> entries;  // 32 KiB: 16 MiB of the debuggee for each call
  uint64_t page = range.start.value / kPageBytes;
  const uint64_t end_page = range.end.value / kPageBytes;
  while (page < end_page) {
    size_t wanted = std::min<uint64_t>(entries.size(), end_page - page) * sizeof(uint64_t);
    ssize_t got = pread(fd_.get(), entries.data(), wanted, static_cast<off_t>(page * sizeof(uint64_t)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return SystemError("dirtyPagesFailed", "The page table of the debuggee cannot be read", errno, pid_);
    }
    size_t count = static_cast<size_t>(got) / sizeof(uint64_t);
    if (count == 0) break;  // the process is gone, or the memory beyond the end of user space
    for (size_t i = 0; i < count; ++i) {
      uint64_t entry = entries[i];
      bool swapped = (entry & uapi::kPagemapSwapped) != 0;
      bool own = (entry & uapi::kPagemapPresent) != 0 && (entry & uapi::kPagemapFile) == 0 && (entry & bit) != 0;
      if (!swapped && !own) continue;
      TraceeAddress start((page + i) * kPageBytes);
      pages.push_back({start, start + kPageBytes});
    }
    page += count;
  }
  return {};
}

}  // namespace chronofork
