// Walks the gaps between mappings for room that a jump can reach.
#include "probe/address_room.h"

#include <algorithm>

#include "base/assert.h"

namespace chronofork {
namespace {

constexpr uint64_t kPage = 4096;
// Below 64 KiB an ordinary user may map nothing (vm.mmap_min_addr).
constexpr uint64_t kLowest = 0x10000;
// The end of what 47 bits can name, less the page that the kernel keeps.
constexpr uint64_t kHighest = 0x7FFFFFFFE000;
constexpr uint64_t kPreferredDistance = 0x34000000;  // 0.8 GiB: where a displacement CCxxxxxx leads, too
constexpr uint64_t kChunkBytes = 0x10000;
// Empty pages between ours and the debuggee's: a stack guard gap, and no merging of mappings in /proc/PID/maps.
constexpr uint64_t kMargin = 16 * kPage;

uint64_t RoundUp(uint64_t value) { return (value + kPage - 1) & ~(kPage - 1); }
uint64_t RoundDown(uint64_t value) { return value & ~(kPage - 1); }

}  // namespace

AddressRoom::AddressRoom(std::span<const AddressRange> occupied) {
  for (const AddressRange& range : occupied) {
    const uint64_t start = RoundDown(range.start.value);
    const uint64_t end = RoundUp(range.end.value);
    if (start >= kHighest) continue;
    Take({TraceeAddress(start > kMargin ? start - kMargin : 0), TraceeAddress(std::min(end, kHighest) + kMargin)});
  }
}

bool AddressRoom::IsFree(const AddressRange& range) const {
  if (range.start.value < kLowest || range.start >= range.end || range.end.value > kHighest) return false;
  auto after = occupied_.lower_bound(range.end.value);
  return after == occupied_.begin() || std::prev(after)->second <= range.start.value;
}

void AddressRoom::Take(const AddressRange& range) {
  uint64_t start = range.start.value;
  uint64_t end = range.end.value;
  auto next = occupied_.lower_bound(start);
  if (next != occupied_.begin() && std::prev(next)->second >= start) --next;
  while (next != occupied_.end() && next->first <= end) {
    start = std::min(start, next->first);
    end = std::max(end, next->second);
    next = occupied_.erase(next);
  }
  occupied_[start] = end;
}

// The free range of the length within [low, high) that is nearest to its top or to its bottom.
std::optional<AddressRange> AddressRoom::Find(uint64_t low, uint64_t high, uint64_t length_bytes, bool from_top) const {
  low = std::max(low, kLowest);
  high = std::min(high, kHighest);
  std::optional<AddressRange> best;
  const auto consider = [&](uint64_t gap_start, uint64_t gap_end) {
    gap_start = RoundUp(std::max(gap_start, low));
    gap_end = RoundDown(std::min(gap_end, high));
    if (gap_end < gap_start || gap_end - gap_start < length_bytes) return;
    if (best && !from_top) return;
    const uint64_t at = from_top ? gap_end - length_bytes : gap_start;
    best = AddressRange{TraceeAddress(at), TraceeAddress(at + length_bytes)};
  };
  uint64_t previous_end = 0;
  for (const auto& [start, end] : occupied_) {
    consider(previous_end, start);
    previous_end = end;
  }
  consider(previous_end, UINT64_MAX);
  return best;
}

std::optional<AddressRange> AddressRoom::TakeNear(const AddressRange& code, uint64_t length_bytes) {
  const uint64_t length = RoundUp(length_bytes);
  if (code.length() + length >= kRel32Reach) return std::nullopt;
  const uint64_t lowest = code.end.value > kRel32Reach ? code.end.value - kRel32Reach : 0;
  const uint64_t highest = code.start.value + kRel32Reach;
  const uint64_t preferred = code.start.value > kPreferredDistance ? code.start.value - kPreferredDistance : 0;
  const uint64_t preferred_above = code.end.value + kPreferredDistance;
  auto found = Find(lowest, preferred, length, true);
  if (!found) found = Find(preferred_above, highest, length, false);
  if (!found) found = Find(lowest, code.start.value, length, false);
  if (!found) found = Find(code.end.value, highest, length, true);
  if (found) Take(*found);
  return found;
}

std::optional<int32_t> NextDisplacement(int64_t from, uint32_t mask, uint32_t value) {
  CHRONOFORK_ASSERT((value & ~mask) == 0);
  from = std::max<int64_t>(from, INT32_MIN);
  if (from > INT32_MAX) return std::nullopt;
  // In an order in which signed numbers compare like unsigned ones.
  constexpr uint32_t kSign = 0x80000000u;
  const uint32_t wanted_value = (value ^ kSign) & mask;
  uint64_t candidate = static_cast<uint32_t>(static_cast<int32_t>(from)) ^ kSign;
  // Byte by byte from the top: keep as many bytes of `from` as agree, then the
  // next larger choice, then the smallest of the rest.
  for (int shift = 0; shift <= 32; shift += 8) {
    // Tries numbers that equal `from` above `shift` and are larger in the byte just there.
    const uint64_t low_bits = (uint64_t{1} << shift) - 1;
    uint64_t tried = candidate;
    if (shift > 0) {
      const uint64_t step = uint64_t{1} << (shift - 8);
      const uint64_t byte_mask = uint64_t{0xFF} << (shift - 8);
      const uint64_t byte = candidate & byte_mask;
      uint64_t larger = byte + step;
      if (mask & byte_mask) {
        larger = wanted_value & byte_mask;
        if (larger <= byte) continue;
      }
      if (larger > byte_mask) continue;
      const uint64_t rest = step - 1;
      tried = (candidate & ~low_bits) | larger | (wanted_value & rest);
    }
    if ((tried & mask) == wanted_value) return static_cast<int32_t>(static_cast<uint32_t>(tried) ^ kSign);
  }
  return std::nullopt;
}

std::optional<TraceeAddress> StubRoom::TakeInChunk(Chunk& chunk, TraceeAddress place, uint32_t mask, uint32_t value) {
  const TraceeAddress from = place + 5;
  // Without this, filling a chunk would take the square of its stubs.
  const bool is_anywhere = (mask & (kChunkBytes - 1)) == 0;
  const uint64_t first = is_anywhere ? std::max(chunk.dense_end, chunk.pages.start.value) : chunk.pages.start.value;
  int64_t at = static_cast<int64_t>(first - from.value);
  const int64_t end = static_cast<int64_t>(chunk.pages.end.value - from.value) - static_cast<int64_t>(kStubLengthBytes);
  while (at <= end) {
    const auto displacement = NextDisplacement(at, mask, value);
    if (!displacement || *displacement > end) return std::nullopt;
    const uint64_t stub = from.value + static_cast<uint64_t>(static_cast<int64_t>(*displacement));
    const uint64_t stub_end = stub + kStubLengthBytes;
    auto next = chunk.used.lower_bound(stub_end);
    if (next == chunk.used.begin() || std::prev(next)->second <= stub) {
      chunk.used[stub] = stub_end;
      if (is_anywhere) chunk.dense_end = stub_end;
      return TraceeAddress(stub);
    }
    at = static_cast<int64_t>(std::prev(next)->second - from.value);
  }
  return std::nullopt;
}

bool StubRoom::OpenChunk(TraceeAddress place, uint32_t mask, uint32_t value) {
  const TraceeAddress from = place + 5;
  // A displacement with a free top byte has many ways to go; prefer those far
  // below the code, then those far above.
  constexpr uint32_t kTopByte = 0xFF000000u;
  static constexpr int kTopBytes[] = {0xCB, 0xC0, 0xB0, 0xA0, 0x90, 0xD8, 0xE4, 0x34, 0x40, 0x50, 0x60, 0x70,
                                      0x20, 0x10, 0xF0, 0xF8, 0xFC, 0xFE, 0xFF, 0x00, 0x01, 0x02, 0x04, 0x08};
  const bool is_top_fixed = (mask & kTopByte) == kTopByte;
  for (const int top : kTopBytes) {
    const uint32_t fixed_top = is_top_fixed ? value & kTopByte : static_cast<uint32_t>(top) << 24;
    const uint32_t all_mask = mask | kTopByte;
    const uint32_t all_value = (value & ~kTopByte) | fixed_top;
    // One try for each 64 KiB of the 16 MiB, from their top (further from what grows below).
    int64_t at = static_cast<int32_t>(fixed_top);
    const int64_t last = at + 0xFFFFFF;
    for (int tries = 0; tries < 256 && at <= last; ++tries) {
      const auto displacement = NextDisplacement(at, all_mask, all_value);
      if (!displacement || *displacement > last) break;
      const uint64_t stub = from.value + static_cast<uint64_t>(static_cast<int64_t>(*displacement));
      at = static_cast<int64_t>(*displacement) + static_cast<int64_t>(kChunkBytes);
      if (stub < kLowest || stub > kHighest - kChunkBytes) continue;  // also what lies below 0
      const TraceeAddress whole(stub & ~(kChunkBytes - 1));
      AddressRange pages{whole, whole + kChunkBytes};
      if (!room_.IsFree(pages) || stub + kStubLengthBytes > pages.end.value) {
        pages = {TraceeAddress(RoundDown(stub)), TraceeAddress(RoundUp(stub + kStubLengthBytes))};
        if (!room_.IsFree(pages)) continue;
      }
      room_.Take(pages);
      chunks_.push_back({pages, {}, 0});
      return true;
    }
    if (is_top_fixed) break;
  }
  return false;
}

std::optional<TraceeAddress> StubRoom::TakeStub(TraceeAddress place, uint32_t fixed_mask, uint32_t fixed_value,
                                                bool may_open) {
  for (Chunk& chunk : chunks_) {
    if (const auto stub = TakeInChunk(chunk, place, fixed_mask, fixed_value)) return stub;
  }
  if (!may_open || !OpenChunk(place, fixed_mask, fixed_value)) return std::nullopt;
  return TakeInChunk(chunks_.back(), place, fixed_mask, fixed_value);
}

}  // namespace chronofork
