// Set operations on sorted ranges, each one pass over both.
#include "checkpoint/page_set.h"

#include <algorithm>

namespace chronofork {
namespace {

// Appends, joining with the last range where they touch.
void Append(PageSet& pages, AddressRange range) {
  if (range.start >= range.end) return;
  if (!pages.empty() && range.start <= pages.back().end) {
    pages.back().end = std::max(pages.back().end, range.end);
  } else {
    pages.push_back(range);
  }
}

}  // namespace

PageSet MakePageSet(std::vector<AddressRange> ranges) {
  for (AddressRange& range : ranges) {
    if (range.start >= range.end) range.end = range.start;  // empty: dropped by Append
    if (range.start == range.end) continue;
    range.start = range.start.PageStart();
    uint64_t last_page = (range.end - 1).PageStart().value;
    range.end = TraceeAddress(last_page > ~uint64_t{0} - kPageBytes ? last_page : last_page + kPageBytes);
  }
  std::sort(ranges.begin(), ranges.end());
  PageSet pages;
  for (const AddressRange& range : ranges) Append(pages, range);
  return pages;
}

PageSet Union(const PageSet& a, const PageSet& b) {
  PageSet all;
  all.reserve(a.size() + b.size());
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    bool from_a = j == b.size() || (i < a.size() && a[i].start <= b[j].start);
    Append(all, from_a ? a[i++] : b[j++]);
  }
  return all;
}

PageSet Intersect(const PageSet& a, const PageSet& b) {
  PageSet common;
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    Append(common, {std::max(a[i].start, b[j].start), std::min(a[i].end, b[j].end)});
    if (a[i].end < b[j].end) {
      ++i;
    } else {
      ++j;
    }
  }
  return common;
}

PageSet Subtract(const PageSet& a, const PageSet& b) {
  PageSet rest;
  size_t j = 0;
  for (AddressRange range : a) {
    while (j < b.size() && b[j].end <= range.start) ++j;
    for (size_t k = j; k < b.size() && b[k].start < range.end; ++k) {
      Append(rest, {range.start, std::min(range.end, b[k].start)});
      range.start = std::max(range.start, b[k].end);
    }
    Append(rest, range);
  }
  return rest;
}

uint64_t TotalBytes(const PageSet& pages) {
  uint64_t total = 0;
  for (const AddressRange& range : pages) total += range.length();
  return total;
}

bool Contains(const PageSet& pages, TraceeAddress address) { return Overlaps(pages, {address, address + 1}); }

bool Overlaps(const PageSet& pages, const AddressRange& range) {
  auto first_after =
      std::lower_bound(pages.begin(), pages.end(), range,
                       [](const AddressRange& page, const AddressRange& r) { return page.end <= r.start; });
  return first_after != pages.end() && first_after->start < range.end;
}

}  // namespace chronofork
