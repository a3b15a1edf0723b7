// Sets of pages as sorted vectors of page-aligned, disjoint, non-touching
// ranges: the form in which dirty pages are kept, compared and added up.
#pragma once

#include <cstdint>
#include <vector>

#include "base/tracee_address.h"

namespace chronofork {

inline constexpr uint64_t kPageBytes = 4096;  // x86-64; huge pages count as 512 of them

using PageSet = std::vector<AddressRange>;

// Any ranges, in any order, widened to whole pages, sorted and joined.
PageSet MakePageSet(std::vector<AddressRange> ranges);

// The arguments must be page sets.
PageSet Union(const PageSet& a, const PageSet& b);
PageSet Intersect(const PageSet& a, const PageSet& b);
PageSet Subtract(const PageSet& a, const PageSet& b);
uint64_t TotalBytes(const PageSet& pages);
bool Contains(const PageSet& pages, TraceeAddress address);      // O(log n)
bool Overlaps(const PageSet& pages, const AddressRange& range);  // O(log n)

}  // namespace chronofork
