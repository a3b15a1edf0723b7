// Decides how each place is patched: which instructions a jump displaces, and
// where it must not. Reads code, writes nothing.
//
//     bytes of a jump     E9 d0 d1 d2 d3
//     instructions        [ I0  ][ I1 ][ I2 …     interior boundaries at 2 and 4
//     either                    CC    CC          d1 = CC and d3 = CC: all three are displaced
//     or                        as they are       d1 d2 d3 are the bytes that lie there: only I0 is
//
// The first way is dense: one page of stubs serves hundreds of places. Each
// place done the second way mostly needs a page of its own, but nothing behind
// I0 changes; it serves where other code follows or a branch leads to I1.
//
// Easy to get wrong: code may jump to an interior boundary. With the first way
// that stays right (the int3 there is answered by ProbeSet::HandleTrap) but
// costs a trap, so branches into the interior are looked for beforehand.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/tracee_address.h"
#include "probe/probe_host.h"
#include "probe/probe_set.h"

namespace chronofork {

inline constexpr uint64_t kJumpLength = 5;

struct SiteInstruction {
  TraceeAddress address;
  std::vector<std::byte> bytes;
  std::vector<size_t> probes;  // indices of ProbeSpecs, in the order in which they act
};

// One patched place: a jump over one or more whole instructions, or one int3.
struct Site {
  TraceeAddress address;
  ProbeKind kind = ProbeKind::kJump;
  const char* reason = "";                    // why it is no jump, or displaces only one instruction
  std::vector<SiteInstruction> instructions;  // kJump: those that the jump displaces; else one
  std::vector<std::byte> patched_over;        // the original bytes under the patch: 1 to 5
  // Offsets 1…4 at which other code may begin to execute: a boundary, or
  // behind a lock prefix (old libraries jump over it).
  std::vector<uint8_t> interior;

  uint64_t patch_length() const { return patched_over.size(); }
  TraceeAddress end() const { return instructions.back().address + instructions.back().bytes.size(); }
};

// The process's code, read by pages and kept.
class CodeReader {
 public:
  explicit CodeReader(ProbeHost& host) : host_(host) {}
  // Up to `length` bytes from `address` on; fewer before unreadable memory.
  std::vector<std::byte> Read(TraceeAddress address, size_t length);

 private:
  ProbeHost& host_;
  std::map<uint64_t, std::vector<std::byte>> pages_;  // empty: cannot be read
};

// Sites in the order of their addresses, all of `specs` in them: as jumps of
// the first way, or as int3, which may still become jumps of the second way.
// Fails when a place cannot be read.
Result<std::vector<Site>> PlanSites(std::span<const ProbeSpec> specs, CodeReader& code);

// Makes an int3 site of one instruction of a site that could not become a jump.
Site DemoteToInt3(const SiteInstruction& instruction, const char* reason);

// Makes a site of one instruction whose jump leaves the bytes behind it as they are.
Site MakeSingleJump(const SiteInstruction& instruction);

}  // namespace chronofork
