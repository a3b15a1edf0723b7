// Packing: a header word for each record, then the words that differ.
//
//     header: the slot (bits 0–7), kAlike (8), and from bit 16 on the mask, or without kAlike the number of words
//
// A slot belongs to a pc, roughly; it holds where its last record lies.
#include "record/record_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace chronofork {
namespace {

// Huge pages, where there are some, save 500 page faults each.
constexpr size_t kPieceWords = (size_t{4} << 20) / 8;
constexpr size_t kSlots = 256;
constexpr uint32_t kNone = ~uint32_t{0};
constexpr uint64_t kAlike = 1 << 8;  // as the slot's last one but for the words of the mask
constexpr int kMaskShift = 16;
constexpr size_t kMostAlikeWords = 64 - kMaskShift;

using Slots = std::array<uint32_t, kSlots>;

size_t SlotOf(uint64_t pc) { return (pc ^ (pc >> 8)) % kSlots; }

const CallRecord& RecordAt(const uint64_t* word) { return *reinterpret_cast<const CallRecord*>(word); }

}  // namespace

RecordStore::~RecordStore() {
  for (const std::span<uint64_t> piece : pieces_) ::munmap(piece.data(), piece.size_bytes());
}

std::span<uint64_t> RecordStore::Room(size_t words) {
  if (pieces_.empty() || pieces_.back().size() - used_ < words) {
    const size_t size = std::max(kPieceWords, words);
    void* made = ::mmap(nullptr, size * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHRONOFORK_ASSERT(made != MAP_FAILED);
    ::madvise(made, size * 8, MADV_HUGEPAGE);
    pieces_.emplace_back(static_cast<uint64_t*>(made), size);
    used_ = 0;
  }
  return pieces_.back().subspan(used_);
}

const RecordBatch& RecordStore::Add(std::span<const std::byte> records, size_t first_event, pid_t thread,
                                    RecordTime from, RecordTime to) {
  // At most one word more than there are for each record.
  const size_t word_count = records.size() / 8;
  const auto* words = reinterpret_cast<const uint64_t*>(records.data());
  const std::span<uint64_t> room = Room(word_count + records.size() / sizeof(CallRecord));
  RecordBatch& batch = batches_.emplace_back();
  Slots last;
  last.fill(kNone);
  uint64_t* out = room.data();
  for (size_t at = 0; at < word_count; ++batch.count) {
    const CallRecord& record = RecordAt(words + at);
    const size_t length = record.size_bytes / 8;
    CHRONOFORK_ASSERT(record.size_bytes >= sizeof record && length <= word_count - at);
    const size_t slot = SlotOf(record.pc);
    const uint32_t before = std::exchange(last[slot], static_cast<uint32_t>(at));
    if (before != kNone && length <= kMostAlikeWords && RecordAt(words + before).size_bytes == record.size_bytes) {
      uint64_t* header = out++;
      uint64_t mask = 0;
      for (size_t i = 0; i < length; ++i) {
        const bool differs = words[at + i] != words[before + i];
        mask |= uint64_t{differs} << i;
        *out = words[at + i];
        out += differs;
      }
      *header = mask << kMaskShift | kAlike | slot;
    } else {
      *out++ = uint64_t{length} << kMaskShift | slot;
      std::memcpy(out, words + at, length * 8);
      out += length;
    }
    at += length;
  }
  batch.first_event = first_event;
  batch.thread = thread;
  batch.from = from;
  batch.to = to;
  batch.bytes = records.size();
  batch.packed = {room.data(), out};
  used_ += batch.packed.size();
  return batch;
}

void RecordStore::Unpack(const RecordBatch& batch) {
  unpacked_batch_ = &batch;
  unpacked_.resize(batch.bytes / 8);
  starts_.clear();
  Slots last;
  last.fill(kNone);
  size_t at = 0;
  for (const uint64_t* in = batch.packed.data(); at < unpacked_.size();) {
    const uint64_t header = *in++;
    const uint32_t before = std::exchange(last[header % kSlots], static_cast<uint32_t>(at));
    starts_.push_back(static_cast<uint32_t>(at));
    uint64_t mask = header >> kMaskShift;
    if (!(header & kAlike)) {
      std::memcpy(&unpacked_[at], in, mask * 8);
      in += mask;
      at += mask;
      continue;
    }
    const size_t length = RecordAt(&unpacked_[before]).size_bytes / 8;
    for (size_t i = 0; i < length; ++i) unpacked_[at + i] = unpacked_[before + i];
    for (; mask != 0; mask &= mask - 1) unpacked_[at + static_cast<size_t>(std::countr_zero(mask))] = *in++;
    at += length;
  }
  CHRONOFORK_ASSERT(at == unpacked_.size() && starts_.size() == batch.count);
}

const CallRecord& RecordStore::RecordOf(const RecordBatch& batch, size_t index) {
  if (unpacked_batch_ != &batch) Unpack(batch);
  return RecordAt(&unpacked_[starts_[index - batch.first_event]]);
}

RecordTime RecordStore::TimeOf(const RecordBatch& batch, size_t index) {
  const double share = static_cast<double>(index - batch.first_event + 1) / static_cast<double>(batch.count);
  auto between = [share](uint64_t from, uint64_t to) {
    return to > from ? from + static_cast<uint64_t>(share * static_cast<double>(to - from)) : to;
  };
  return {between(batch.from.run_ns, batch.to.run_ns), between(batch.from.clock_ns, batch.to.clock_ns)};
}

}  // namespace chronofork
