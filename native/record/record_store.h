// Where the events that a ring has had (callbuffer/) are kept: in batches, one for
// each time that it was read, packed and never changed.
//
// A program that makes a million calls makes them from few places, and from one
// place they are alike. So a record is kept as the words in which it differs from
// the one before it of the same place: some 20 bytes instead of 150. What is
// asked for is unpacked a batch at a time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "callbuffer/runtime_layout.h"

namespace chronofork {

struct Event;

// Run time and CLOCK_MONOTONIC.
struct RecordTime {
  uint64_t run_ns = 0, clock_ns = 0;
};

// What was read from a ring at once: events of one thread, between two stops.
struct RecordBatch {
  size_t first_event = 0, count = 0;
  pid_t thread = 0;
  RecordTime from, to;
  std::span<const uint64_t> packed;
  size_t bytes = 0;                           // unpacked
  mutable std::vector<const Event*> decoded;  // by EventLog, when somebody has looked at one of them
};

class RecordStore {
 public:
  RecordStore() = default;
  ~RecordStore();
  RecordStore(const RecordStore&) = delete;
  RecordStore& operator=(const RecordStore&) = delete;

  // Packs whole records.
  const RecordBatch& Add(std::span<const std::byte> records, size_t first_event, pid_t thread, RecordTime from,
                         RecordTime to);
  // The record of event `index`, which is in `batch`; valid until one of another batch is asked for.
  const CallRecord& RecordOf(const RecordBatch& batch, size_t index);
  // When it was, as far as can be told: its share of the time between the stops.
  RecordTime TimeOf(const RecordBatch& batch, size_t index);

 private:
  std::span<uint64_t> Room(size_t words);
  void Unpack(const RecordBatch& batch);

  std::vector<std::span<uint64_t>> pieces_;
  size_t used_ = 0;  // of the last piece, in words
  std::deque<RecordBatch> batches_;
  const RecordBatch* unpacked_batch_ = nullptr;
  std::vector<uint64_t> unpacked_;
  std::vector<uint32_t> starts_;  // of its records, in words
};

}  // namespace chronofork
