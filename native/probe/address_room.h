// Finds free addresses for the probes' pages: near the code, and for jumps
// whose displacement has some bytes given (see site_plan.h), exactly where
// those lead. Pure bookkeeping; maps nothing.
//
// Easy to get wrong: what is free now may be wanted soon. The heap grows up
// from the program, and mmap takes addresses just below the lowest library, so
// room is looked for far from both, 0.8 GiB below the code, before anywhere else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/tracee_address.h"

namespace chronofork {

// How far a 32-bit displacement reaches, less some pages for safety.
inline constexpr uint64_t kRel32Reach = 0x7FFF0000;

class AddressRoom {
 public:
  // `occupied` in any order, may overlap.
  explicit AddressRoom(std::span<const AddressRange> occupied);

  // Free pages of `length_bytes` (rounded up) from which all of `code` is in
  // reach, marked as taken. nullopt if there are none.
  std::optional<AddressRange> TakeNear(const AddressRange& code, uint64_t length_bytes);

  bool IsFree(const AddressRange& range) const;
  void Take(const AddressRange& range);

 private:
  std::optional<AddressRange> Find(uint64_t low, uint64_t high, uint64_t length_bytes, bool from_top) const;

  std::map<uint64_t, uint64_t> occupied_;  // start → end, disjoint, page aligned
};

// Places for jump stubs at the addresses that constrained
// displacements lead to, in chunks of pages shared by many of them.
class StubRoom {
 public:
  explicit StubRoom(AddressRoom& room) : room_(room) {}

  // jmp [rip]; the address: reaches the body from anywhere
  static constexpr uint64_t kStubLengthBytes = 14;

  // An address for the stub of a jump at `place` in whose displacement (a
  // 32-bit number) the bytes under `fixed_mask` are those of `fixed_value`.
  // nullopt if there is none, or none without another chunk and `may_open` is false.
  std::optional<TraceeAddress> TakeStub(TraceeAddress place, uint32_t fixed_mask, uint32_t fixed_value,
                                        bool may_open = true);

  struct Chunk {
    AddressRange pages;
    std::map<uint64_t, uint64_t> used;  // start → end of the stubs
    uint64_t dense_end = 0;  // stubs that may lie anywhere in the chunk are put behind each other, up to here
  };
  const std::vector<Chunk>& chunks() const { return chunks_; }

 private:
  std::optional<TraceeAddress> TakeInChunk(Chunk& chunk, TraceeAddress place, uint32_t mask, uint32_t value);
  bool OpenChunk(TraceeAddress place, uint32_t mask, uint32_t value);

  AddressRoom& room_;
  std::vector<Chunk> chunks_;
};

// The smallest number >= `from` (as signed 32 bits) whose bytes under `mask`
// are those of `value`; nullopt if there is none.
std::optional<int32_t> NextDisplacement(int64_t from, uint32_t mask, uint32_t value);

}  // namespace chronofork
