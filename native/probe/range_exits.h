// Where execution can leave a block of code: what a debugger steps through that
// wants to know when a source line is done, without single steps.
#pragma once

#include <optional>
#include <set>
#include <span>

#include "base/tracee_address.h"

namespace chronofork {

struct RangeExits {
  // Outside of the range: where its jumps, its calls and its end lead to.
  std::set<TraceeAddress> outside;
  // Within it: instructions of which only executing them tells where they lead.
  std::set<TraceeAddress> inside;
};

// Of `code`, which lies at `range`, at whose start an instruction begins. nullopt:
// not all of it can be decoded, or some of it leads who knows where.
std::optional<RangeExits> ExitsOf(std::span<const std::byte> code, AddressRange range);

}  // namespace chronofork
