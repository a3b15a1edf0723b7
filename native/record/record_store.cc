// Pieces from mmap: what is not used of them costs nothing.
#include "record/record_store.h"

#include <sys/mman.h>

#include <algorithm>

namespace chronofork {
namespace {

// Huge pages, where there are some, save 500 page faults each.
constexpr size_t kPieceBytes = 4 << 20;

}  // namespace

RecordStore::~RecordStore() {
  for (const std::span<std::byte> piece : pieces_) ::munmap(piece.data(), piece.size());
}

std::span<std::byte> RecordStore::Room(size_t length_bytes) {
  if (pieces_.empty() || pieces_.back().size() - used_ < length_bytes) {
    const size_t size = std::max(kPieceBytes, length_bytes);
    void* made = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return {};
    ::madvise(made, size, MADV_HUGEPAGE);
    pieces_.emplace_back(static_cast<std::byte*>(made), size);
    used_ = 0;
  }
  return pieces_.back().subspan(used_, length_bytes);
}

}  // namespace chronofork
