// What the probes need of a stopped replay process. Made by whoever controls
// the process; probes never call ptrace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/tracee_address.h"

namespace chronofork {

class ProbeHost {
 public:
  virtual ~ProbeHost() = default;

  // Reads or writes all bytes, or fails. Writing works on read-only text too.
  virtual Result<void> Read(TraceeAddress address, std::span<std::byte> out) = 0;
  virtual Result<void> Write(TraceeAddress address, std::span<const std::byte> bytes) = 0;

  // Maps anonymous memory that may be read, written and executed, exactly at
  // `at`; fails if anything is there (MAP_FIXED_NOREPLACE). Page aligned.
  virtual Result<void> Map(TraceeAddress at, uint64_t length_bytes) = 0;
  virtual Result<void> Unmap(TraceeAddress at, uint64_t length_bytes) = 0;

  // Address ranges that probes must stay out of, in any order: all that is
  // mapped, and all that the replay is going to map while the probes are
  // there (room for the heap and the stack to grow, too).
  virtual std::vector<AddressRange> Mappings() = 0;
};

}  // namespace chronofork
