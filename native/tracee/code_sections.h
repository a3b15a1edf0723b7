// Which parts of an executable mapping hold instructions. A library's first
// segment may hold its relocations, names and constants as well, all of it
// executable: bytes there may look like any instruction, and are none.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/tracee_address.h"
#include "tracee/memory.h"

namespace chronofork {

// What the section headers of the file that is mapped call executable. nullopt
// where that cannot be told: memory of no file, a file without section headers
// or that can no longer be read. `all`: the process's mappings.
std::optional<std::vector<AddressRange>> CodeIn(const Mapping& mapping, std::span<const Mapping> all,
                                                const TraceeMemory& memory, pid_t pid);

// Memory that no file has been read into by the kernel: what is executed there the program has made itself.
bool IsMadeByProgram(const Mapping& mapping);

}  // namespace chronofork
