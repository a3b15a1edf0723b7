// Moves single instructions to another place so that they do there exactly
// what they did at home: same registers, flags, memory, faults, and the same
// return address for a callee.
//
// Not moved, but refused with a reason: whatever shows its own address to the
// kernel or to memory (syscall, int, x87 which remembers the last instruction,
// far transfers), what the recorder handles in place (rdtsc, rdrand, cpuid …),
// indirect calls (they fault before they push, which cannot be imitated), and
// rip-relative operands out of reach.
//
// Easy to get wrong: a call that becomes push and jmp does not know the shadow
// stack of CET; replays run without it.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "base/tracee_address.h"
#include "probe/code_buffer.h"

namespace chronofork {

// A place in moved code where a pc may be found, in the order of addresses.
// Registers and memory are there exactly as at `original`.
struct MovedPoint {
  TraceeAddress at;        // in the moved code
  TraceeAddress original;  // the instruction that executes next
  bool is_copy = false;    // it is the moved form of that instruction; else a jump to it
};

// Where branches into the moved code itself go: original address → label.
using InteriorTargets = std::map<TraceeAddress, CodeBuffer::Label>;

// Why the instruction at the start of `bytes`, which lies at `from`, cannot be
// moved; nullptr if it can (unless an operand turns out to be out of reach).
const char* WhyNotMovable(std::span<const std::byte> bytes, TraceeAddress from);

// Appends the moved form of the instruction, which must be movable; it goes on
// behind it, if it goes on. Literals may be left pending in `to`. At most 32
// bytes with its literals. Appends where a pc may stand to `points`.
void MoveInstruction(std::span<const std::byte> bytes, TraceeAddress from, const InteriorTargets& interior,
                     CodeBuffer& to, std::vector<MovedPoint>& points);

}  // namespace chronofork
