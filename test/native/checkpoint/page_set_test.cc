// Page sets against a plain set of page numbers, on random ranges.
#include "checkpoint/page_set.h"

#include <doctest/doctest.h>

#include <random>
#include <set>

namespace chronofork {
namespace {

using Pages = std::set<uint64_t>;

AddressRange Range(uint64_t first_page, uint64_t end_page) {
  return {TraceeAddress(first_page * kPageBytes), TraceeAddress(end_page * kPageBytes)};
}

PageSet FromPages(const Pages& pages) {
  std::vector<AddressRange> ranges;
  for (uint64_t page : pages) ranges.push_back(Range(page, page + 1));
  return MakePageSet(ranges);
}

Pages RandomPages(std::mt19937& random) {
  Pages pages;
  size_t count = random() % 40;
  while (pages.size() < count) pages.insert(random() % 64);
  return pages;
}

TEST_CASE("page sets: any ranges become whole, sorted, joined pages") {
  PageSet pages = MakePageSet({{TraceeAddress(0x5010), TraceeAddress(0x5011)},
                               {TraceeAddress(0x1fff), TraceeAddress(0x2001)},
                               {TraceeAddress(0x3000), TraceeAddress(0x3000)},
                               {TraceeAddress(0x6000), TraceeAddress(0x7000)}});
  REQUIRE(pages.size() == 2);
  CHECK(pages[0] == Range(1, 3));
  CHECK(pages[1] == Range(5, 7));
  CHECK(TotalBytes(pages) == 4 * kPageBytes);
  CHECK(MakePageSet({}).empty());
}

TEST_CASE("page sets: union, intersection and difference agree with plain sets") {
  std::mt19937 random(20240501);
  for (int round = 0; round < 500; ++round) {
    CAPTURE(round);
    Pages a = RandomPages(random), b = RandomPages(random), both, common, rest;
    for (uint64_t page = 0; page < 64; ++page) {
      bool in_a = a.count(page) != 0, in_b = b.count(page) != 0;
      if (in_a || in_b) both.insert(page);
      if (in_a && in_b) common.insert(page);
      if (in_a && !in_b) rest.insert(page);
    }
    PageSet pages_a = FromPages(a), pages_b = FromPages(b);
    REQUIRE(Union(pages_a, pages_b) == FromPages(both));
    REQUIRE(Intersect(pages_a, pages_b) == FromPages(common));
    REQUIRE(Subtract(pages_a, pages_b) == FromPages(rest));
    REQUIRE(TotalBytes(pages_a) == a.size() * kPageBytes);
    for (uint64_t page = 0; page < 64; ++page) {
      REQUIRE(Contains(pages_a, TraceeAddress(page * kPageBytes + 17)) == (a.count(page) != 0));
    }
    uint64_t first = random() % 64, end = first + 1 + random() % 5;
    auto inside = a.lower_bound(first);
    REQUIRE(Overlaps(pages_a, Range(first, end)) == (inside != a.end() && *inside < end));
  }
}

}  // namespace
}  // namespace chronofork
