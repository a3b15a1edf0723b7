// Decides how each place is patched: which instructions a jump displaces, and
// where only an int3 is possible. Reads code, writes nothing.
//
//     bytes of a jump     E9 d0 d1 d2 d3
//     instructions        [ I0  ][ I1 ][ I2 …     interior boundaries at 2 and 4
//     so must be                CC    CC          d1 = CC and d3 = CC
//
// Easy to get wrong: code may jump to an interior boundary. That stays right
// (the int3 there is answered by ProbeSet::HandleTrap) but costs a trap, so a
// place whose interior is seen to be a branch's target gets an int3 itself.
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
  const char* reason = "";                    // why it is no jump
  std::vector<SiteInstruction> instructions;  // kJump: those that the jump displaces; else one
  std::vector<std::byte> patched_over;        // the original bytes under the patch: 5 or 1
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

// Sites in the order of their addresses, all of `specs` in them. Fails when a
// place cannot be read.
Result<std::vector<Site>> PlanSites(std::span<const ProbeSpec> specs, CodeReader& code);

// Makes an int3 site of one instruction of a site that could not become a jump.
Site DemoteToInt3(const SiteInstruction& instruction, const char* reason);

}  // namespace chronofork
