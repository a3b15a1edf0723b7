// Runs an instruction at home and its moved form elsewhere, with the same
// random registers and memory, and compares all that can be seen: registers,
// flags, memory, faults, and where execution goes on.
#pragma once

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "in_process_machine.h"
#include "probe/code_buffer.h"
#include "probe/relocate.h"

namespace chronofork {

// Fixed addresses that are free on every Linux: code at home, two places to move to, and data.
inline constexpr uint64_t kHomePage = 0x410000000000;
inline constexpr uint64_t kHomeInstruction = kHomePage + 0x800;  // branches reach both ways
inline constexpr uint64_t kArenaPage = kHomePage + 0x100000;
inline constexpr uint64_t kArenaTarget = kArenaPage + 0x40;  // for rip-relative operands

// The pages are there as long as this is.
class MovedCodePages {
 public:
  MovedCodePages();
  ~MovedCodePages();
};

struct MovedRun {
  std::string problem;  // how the moved form differs; empty: not at all
  bool faulted = false;
  bool branched = false;
};

// `bytes` are one instruction for kHomeInstruction. `round` chooses where it is moved to.
MovedRun RunAtHomeAndAway(const std::vector<std::byte>& bytes, size_t round, std::mt19937_64& random);

}  // namespace chronofork
