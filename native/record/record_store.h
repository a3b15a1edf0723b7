// Where the events of the rings are kept as they came: large pieces of memory,
// filled from their beginning, that never move.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace chronofork {

class RecordStore {
 public:
  RecordStore() = default;
  ~RecordStore();
  RecordStore(const RecordStore&) = delete;
  RecordStore& operator=(const RecordStore&) = delete;

  // So much room, aligned for a CallRecord; what was not Keep()t is given out again. Empty: no memory.
  std::span<std::byte> Room(size_t length_bytes);
  void Keep(size_t length_bytes) { used_ += length_bytes; }

 private:
  std::vector<std::span<std::byte>> pieces_;
  size_t used_ = 0;  // of the last piece
};

}  // namespace chronofork
