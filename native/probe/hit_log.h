// What log probes have noted and nobody has taken yet: by their own code in the
// process, or by the tracer where that could not evaluate an item.
//
// Easy to get wrong: entries point into this; they are valid until the next
// Take().
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "probe/probe_set.h"

namespace chronofork {

class HitLog {
 public:
  // Evaluates the items of `spec` at a hit, and notes them.
  void Append(const ProbeSpec& spec, size_t probe, uint64_t count, const GeneralRegisters& registers,
              const MemoryReader& read);
  // Takes over entries from the process, which begin with a LoggedHit; counted up to `limit`.
  void AppendNoted(std::span<const std::byte> entries, std::span<const ProbeSpec> specs, uint64_t limit);
  // Whether it is time to take it.
  bool IsLong() const { return values_.size() + entries_.size() * sizeof(Entry) >= kLongBytes; }
  std::vector<ProbeLogEntry> Take();

 private:
  struct Entry {
    size_t probe;
    uint64_t count;
    uint64_t failed;
    size_t begin;  // in values_
  };
  static constexpr size_t kLongBytes = size_t{1} << 20;

  std::vector<Entry> entries_;
  std::vector<std::byte> values_;
  std::vector<std::byte> taken_;
};

}  // namespace chronofork
