// The walk from a thread pointer to a module's thread-local block.
#include "rsp/thread_storage.h"

#include <span>

namespace chronofork {
namespace {

Error NotFound(std::string why) {
  return Error{"threadLocalUnavailable", "A thread-local variable cannot be located: " + std::move(why) + ".", "", 0,
               0};
}

Result<uint64_t> ReadWord(TraceeAddress address, const MemoryReader& read) {
  uint64_t word = 0;
  CF_TRY(read(address, std::as_writable_bytes(std::span(&word, 1))));
  return word;
}

// dtv entries are 16 bytes; a description far from that is no description.
constexpr uint32_t kMaxEntryBytes = 64;
constexpr uint32_t kMaxOffsetBytes = 1 << 16;

}  // namespace

const std::array<std::string_view, ThreadStorage::kFieldCount> ThreadStorage::kNames = {
    "_thread_db_link_map_l_tls_modid", "_thread_db_link_map_l_tls_offset",
    "_thread_db_pthread_dtvp",         "_thread_db_dtv_dtv",
    "_thread_db_dtv_t_pointer_val",
};

std::string_view ThreadStorage::Wanted() const {
  if (given_up_) return {};
  for (size_t i = 0; i < kFieldCount; ++i) {
    if (!addresses_[i]) return kNames[i];
  }
  return {};
}

void ThreadStorage::Answer(std::string_view name, std::optional<TraceeAddress> address) {
  for (size_t i = 0; i < kFieldCount; ++i) {
    if (kNames[i] == name && address) addresses_[i] = *address;
  }
  // The constants come together: if one is missing now, so are the others.
  if (!address) given_up_ = true;
}

void ThreadStorage::Forget() {
  addresses_ = {};
  given_up_ = false;
}

Result<ThreadStorage::Description> ThreadStorage::Describe(Field field, const MemoryReader& read) const {
  if (!addresses_[field]) return NotFound("the C library's description of its threads was not found");
  Description description{};
  CF_TRY(read(*addresses_[field], std::as_writable_bytes(std::span(&description, 1))));
  if (description.offset > kMaxOffsetBytes)
    return NotFound("the C library's description of its threads makes no sense");
  return description;
}

Result<TraceeAddress> ThreadStorage::AddressOf(TraceeAddress thread_pointer, TraceeAddress link_map, uint64_t offset,
                                               const MemoryReader& read) const {
  uint64_t module_id = 1;  // always the program's own
  if (link_map.value != 0) {
    CF_TRY_ASSIGN(Description id, Describe(kModuleId, read));
    CF_TRY_ASSIGN(module_id, ReadWord(link_map + id.offset, read));
  }
  if (module_id == 0) return NotFound("its library has no thread-local variables");

  CF_TRY_ASSIGN(Description dtv_pointer, Describe(kDtvPointer, read));
  CF_TRY_ASSIGN(Description entry, Describe(kDtvEntry, read));
  CF_TRY_ASSIGN(Description pointer, Describe(kEntryPointer, read));
  const uint64_t entry_bytes = entry.bits / 8;
  if (entry_bytes == 0 || entry_bytes > kMaxEntryBytes)
    return NotFound("the C library's table of blocks makes no sense");
  if (thread_pointer.value == 0) return NotFound("the thread is not set up yet");
  CF_TRY_ASSIGN(uint64_t dtv, ReadWord(thread_pointer + dtv_pointer.offset, read));
  if (dtv == 0) return NotFound("the thread is not set up yet");
  const TraceeAddress table = TraceeAddress(dtv) + entry.offset;
  // The entry before the first one holds how many there are.
  CF_TRY_ASSIGN(uint64_t length, ReadWord(table - entry_bytes, read));
  uint64_t block = ~uint64_t{0};
  if (module_id <= length) {
    CF_TRY_ASSIGN(block, ReadWord(table + module_id * entry_bytes + pointer.offset, read));
  }
  // Entries are aligned addresses; -1 is "not made yet", and 0 "never seen".
  if (block != 0 && (block & 1) == 0) return TraceeAddress(block) + offset;

  if (link_map.value != 0) {
    CF_TRY_ASSIGN(Description place, Describe(kStaticOffset, read));
    CF_TRY_ASSIGN(uint64_t below, ReadWord(link_map + place.offset, read));
    constexpr uint64_t kNone = 0, kForcedDynamic = ~uint64_t{0};
    if (below != kNone && below != kForcedDynamic) return thread_pointer - below + offset;
  }
  return NotFound("this thread has not used it yet");
}

}  // namespace chronofork
