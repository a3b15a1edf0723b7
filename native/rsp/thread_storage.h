// Finds thread-local variables (`errno`) for gdb without libthread_db.
//
// glibc describes the few offsets that this needs in constants of its own,
// `_thread_db_…`, made for debuggers. gdb looks their addresses up for us
// (the qSymbol handshake), and the answer is then three reads:
//
//     thread pointer ──dtvp──▶ dtv[module id of the link map] ──▶ the block
//
// Easy to get wrong: a block is made when first used, and until then its entry
// says -1; a module loaded at start-up may have a static place nonetheless.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "timeline/debug_target.h"

namespace chronofork {

class ThreadStorage {
 public:
  // The symbol to ask gdb for next; empty when nothing is missing, or when
  // gdb did not know one (a program without glibc, or not loaded yet).
  std::string_view Wanted() const;
  // gdb's answer; nullopt: it does not know the symbol now.
  void Answer(std::string_view name, std::optional<TraceeAddress> address);
  // gdb has new symbols: ask again for what was missing.
  void Retry() { given_up_ = false; }
  // Another program runs: all addresses are void.
  void Forget();

  // The address `offset` into the block of the module `link_map` (0: the
  // program itself) for the thread whose fs base is `thread_pointer`.
  Result<TraceeAddress> AddressOf(TraceeAddress thread_pointer, TraceeAddress link_map, uint64_t offset,
                                  const MemoryReader& read) const;

 private:
  enum Field { kModuleId, kStaticOffset, kDtvPointer, kDtvEntry, kEntryPointer, kFieldCount };
  // As glibc writes it: size in bits, count of elements (0: any), offset.
  struct Description {
    uint32_t bits, count, offset;
  };
  static const std::array<std::string_view, kFieldCount> kNames;

  Result<Description> Describe(Field field, const MemoryReader& read) const;

  std::array<std::optional<TraceeAddress>, kFieldCount> addresses_;
  bool given_up_ = false;
};

}  // namespace chronofork
