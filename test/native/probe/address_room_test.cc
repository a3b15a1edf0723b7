// Finding room for probes, against the plainest search over all numbers.
#include "probe/address_room.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace chronofork {
namespace {

AddressRange Range(uint64_t start, uint64_t end) { return {TraceeAddress(start), TraceeAddress(end)}; }

constexpr uint64_t kCode = 0x555555554000;

bool Agrees(int32_t displacement, uint32_t mask, uint32_t value) {
  return (static_cast<uint32_t>(displacement) & mask) == value;
}

}  // namespace

TEST_CASE("probe room: the next displacement with given bytes") {
  std::mt19937 random(3);
  for (int bits = 0; bits < 16; ++bits) {
    uint32_t mask = 0;
    for (int byte = 0; byte < 4; ++byte) mask |= (bits >> byte & 1) ? 0xFFu << (8 * byte) : 0;
    const uint32_t value = 0xCCCCCCCCu & mask;
    for (int round = 0; round < 300; ++round) {
      int64_t from = static_cast<int32_t>(random());
      // Edges: just at, before and behind a number that agrees.
      if (round % 3 == 0) from = static_cast<int32_t>((random() & ~mask) | value) + round % 5 - 2;
      const auto next = NextDisplacement(from, mask, value);
      if (!next) {
        // Nothing larger agrees: the largest that does is smaller.
        const uint32_t top = (mask & 0xFF000000u) ? 0xCC000000u : 0x7F000000u;
        const auto largest = static_cast<int32_t>(((0x00FFFFFFu & ~mask) | (value & 0x00FFFFFFu)) | top);
        CHECK(largest < from);
        continue;
      }
      REQUIRE(*next >= from);
      REQUIRE(Agrees(*next, mask, value));
      // None between, as far as one can look.
      bool missed = false;
      for (int64_t i = 0; i < 2000; ++i) {
        const int64_t upwards = from + i;
        const int64_t downwards = *next - 1 - i;
        missed |= upwards < *next && Agrees(static_cast<int32_t>(upwards), mask, value);
        missed |= downwards >= from && Agrees(static_cast<int32_t>(downwards), mask, value);
      }
      REQUIRE_FALSE(missed);
    }
  }
  CHECK(NextDisplacement(INT64_MIN, 0, 0) == INT32_MIN);
  CHECK_FALSE(NextDisplacement(int64_t{INT32_MAX} + 1, 0, 0).has_value());
}

TEST_CASE("probe room: pages near code are free, in reach, and never given twice") {
  const AddressRange code = Range(kCode, kCode + 0x100000);
  const std::vector<AddressRange> occupied = {code, Range(code.end.value, code.end.value + 0x40000000)};
  AddressRoom room(occupied);
  std::vector<AddressRange> taken = occupied;
  for (int i = 0; i < 50; ++i) {
    const auto range = room.TakeNear(code, 5000);
    REQUIRE(range.has_value());
    CHECK(range->length() == 8192);
    CHECK(range->start.PageStart() == range->start);
    const uint64_t low = std::min(range->start.value, code.start.value);
    const uint64_t high = std::max(range->end.value, code.end.value);
    CHECK(high - low < 0x80000000);
    for (const AddressRange& other : taken) CHECK_FALSE(other.Overlaps(*range));
    taken.push_back(*range);
  }
  AddressRoom full(std::vector<AddressRange>{Range(0, 0x7FFFFFFFF000)});
  CHECK_FALSE(full.TakeNear(code, 1).has_value());
  // The one gap there is, however close to the code.
  AddressRoom tight(std::vector<AddressRange>{Range(0, kCode - 0x200000), Range(kCode - 0x100000, 0x7FFFFFFFF000)});
  const auto gap = tight.TakeNear(code, 4096);
  REQUIRE(gap.has_value());
  CHECK(gap->start.value >= kCode - 0x200000);
  CHECK(gap->end.value <= kCode - 0x100000);
}

TEST_CASE("probe room: code at a low fixed address") {
  const AddressRange code = Range(0x401000, 0x500000);
  AddressRoom room(std::vector<AddressRange>{code});
  const auto range = room.TakeNear(code, 4096);
  REQUIRE(range.has_value());
  CHECK(range->end.value < code.start.value + 0x80000000);
  StubRoom stubs(room);
  // The top byte CC leads below zero: no room; all others find some.
  CHECK_FALSE(stubs.TakeStub(TraceeAddress(0x401000), 0xFF000000, 0xCC000000).has_value());
  CHECK(stubs.TakeStub(TraceeAddress(0x401000), 0x00FFFFFF, 0x00CCCCCC).has_value());
  // One that leads to the last bytes below zero, which are not room either.
  const uint64_t place = 0x41f516, below = 8;
  const auto displacement = static_cast<uint32_t>(-static_cast<int64_t>(place + 5 + below));
  CHECK_FALSE(stubs.TakeStub(TraceeAddress(place), 0xFFFFFFFF, displacement).has_value());
}

TEST_CASE("probe room: stubs lie where their jumps lead and never over each other") {
  AddressRoom room(std::vector<AddressRange>{Range(kCode, kCode + 0x200000)});
  const auto body = room.TakeNear(Range(kCode, kCode + 0x200000), 0x10000);
  REQUIRE(body.has_value());
  StubRoom stubs(room);
  std::mt19937 random(5);
  std::vector<AddressRange> taken;
  for (int i = 0; i < 3000; ++i) {
    const TraceeAddress place(kCode + static_cast<uint64_t>(i) * 37);
    uint32_t mask = 0;
    while (mask == 0) {
      for (int byte = 0; byte < 4; ++byte) mask |= random() % 3 == 0 ? 0xFFu << (8 * byte) : 0;
    }
    const uint32_t value = 0xCCCCCCCCu & mask;
    const auto stub = stubs.TakeStub(place, mask, value);
    REQUIRE(stub.has_value());
    const int64_t displacement = static_cast<int64_t>(stub->value - (place.value + 5));
    REQUIRE(displacement == static_cast<int32_t>(displacement));
    REQUIRE(Agrees(static_cast<int32_t>(displacement), mask, value));
    const AddressRange range{*stub, *stub + StubRoom::kStubLengthBytes};
    REQUIRE(std::any_of(stubs.chunks().begin(), stubs.chunks().end(), [&](const StubRoom::Chunk& chunk) {
      return chunk.pages.start <= range.start && range.end <= chunk.pages.end;
    }));
    taken.push_back(range);
  }
  std::sort(taken.begin(), taken.end());
  for (size_t i = 1; i < taken.size(); ++i) REQUIRE(taken[i - 1].end <= taken[i].start);
  MESSAGE(stubs.chunks().size() << " mappings for 3000 stubs");
}

}  // namespace chronofork
