// Libraries come and go, and one may lie where another lay. A place that was
// named by an address is in the code that was there then, and in no other.
#pragma once

#include <span>
#include <vector>

#include "probe/probe_set.h"
#include "tracee/memory.h"

namespace chronofork {

// Of what is mapped there; none for memory that the program has made itself.
CodeHome HomeOf(const Mapping& mapping);
CodeHome HomeOf(std::span<const Mapping> mappings, TraceeAddress address);

// What contains `address`, or nullptr. `mappings` are in order.
const Mapping* MappingAt(std::span<const Mapping> mappings, TraceeAddress address);

}  // namespace chronofork
