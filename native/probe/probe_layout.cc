#include "probe/probe_layout.h"

#include <algorithm>

#include "base/assert.h"
#include "probe/instruction.h"
#include "probe/relocate.h"

namespace chronofork {
namespace {

constexpr uint64_t kPage = 4096;
// Sites further apart than this get regions of their own, so that each is well in reach.
constexpr uint64_t kClusterSpan = 0x8000000;  // 128 MiB
constexpr uint64_t kMaxMovedBytes = 40;
constexpr uint64_t kCodeAlignment = 16;

const char* const kNoRoom = "no free addresses in reach";
const char* const kNoStubRoom = "no free address where the jump would have to lead";
const char* const kOutOfReach = "an operand is out of reach";

uint64_t MaxCodeBytes(const Site& site) {
  uint64_t total = kCodeAlignment + 16;
  for (const SiteInstruction& instruction : site.instructions) {
    total += kMaxMovedBytes + instruction.probes.size() * kMaxTransitionCodeBytes;
    // Demoted, each of its instructions may need code of its own.
    total += kMaxMovedBytes + kCodeAlignment + 16;
  }
  return total;
}

// Lays out the sites of one neighbourhood.
class ClusterLayout {
 public:
  ClusterLayout(std::span<const ProbeSpec> specs, AddressRoom& room, ProbeLayout& layout)
      : specs_(specs), room_(room), layout_(layout) {}

  // False if there is no room at all; then every site is an int3 in place.
  bool LayOut(std::vector<Site> sites);

 private:
  void LayOutJump(const Site& site, StubRoom& stubs);
  void Demote(const Site& site, const char* reason);
  void LayOutInt3(Site site);
  bool EmitSite(const Site& site, CodeBuffer& to);
  void EmitProbes(const SiteInstruction& instruction, CodeBuffer& to);
  void AddPlace(const Site& site, const SiteInstruction& instruction, TraceeAddress copy);
  void AddCode(const CodeBuffer& code);

  struct PendingTrap {
    EmittedTrap trap;
    size_t probe;
    TraceeAddress address;
  };
  struct PendingMatch {
    CodeBuffer::Label next;
    size_t probe;
    TraceeAddress block;
    TraceeAddress address;
  };
  struct PendingInterior {
    TraceeAddress address;
    TraceeAddress target;
  };

  std::span<const ProbeSpec> specs_;
  AddressRoom& room_;
  ProbeLayout& layout_;
  ScratchSlots slots_;
  TraceeAddress cursor_;
  TraceeAddress match_cursor_;
  std::vector<std::byte> code_;
  TraceeAddress code_start_;

  // Of the site being emitted; taken over only when all of it is in reach.
  std::vector<PendingTrap> traps_;
  std::vector<PendingMatch> matches_;
  std::vector<std::pair<TraceeAddress, CodePoint>> points_;
  std::vector<TraceeAddress> entries_;
  std::vector<TraceeAddress> copies_;
};

void ClusterLayout::AddPlace(const Site& site, const SiteInstruction& instruction, TraceeAddress copy) {
  const auto decoded = DecodeInstruction(instruction.bytes, instruction.address);
  const bool is_rep_string = decoded && decoded->is_rep_string;
  layout_.places[instruction.address] = {site.kind, site.reason, copy, is_rep_string, instruction.probes};
}

void ClusterLayout::AddCode(const CodeBuffer& code) {
  code_.resize(code.base() - code_start_);
  code_.insert(code_.end(), code.bytes().begin(), code.bytes().end());
  const uint64_t end = code_start_.value + code_.size();
  cursor_ = TraceeAddress((end + kCodeAlignment - 1) & ~(kCodeAlignment - 1));
}

void ClusterLayout::EmitProbes(const SiteInstruction& instruction, CodeBuffer& to) {
  for (const size_t probe : instruction.probes) {
    const ProbeSpec& spec = specs_[probe];
    if (spec.match) {
      const CodeBuffer::Label next = to.NewLabel();
      to.Emit({0xE9});
      to.EmitRelative32(match_cursor_);
      to.Bind(next);
      matches_.push_back({next, probe, match_cursor_, instruction.address});
      match_cursor_ = match_cursor_ + kMaxMatchCodeBytes;
    } else {
      const EmittedTrap trap = EmitTransition(spec, static_cast<uint32_t>(probe), layout_.counters, slots_, to);
      traps_.push_back({trap, probe, instruction.address});
    }
  }
}

// Emits probes and moved instructions of a jump site and the jump back; false if something is out of reach.
bool ClusterLayout::EmitSite(const Site& site, CodeBuffer& to) {
  traps_.clear();
  matches_.clear();
  points_.clear();
  entries_.clear();
  copies_.clear();
  InteriorTargets interior;
  for (const SiteInstruction& instruction : site.instructions) interior[instruction.address] = to.NewLabel();
  std::vector<MovedPoint> moved;
  for (const SiteInstruction& instruction : site.instructions) {
    const TraceeAddress entry = to.here();
    to.Bind(interior[instruction.address]);
    EmitProbes(instruction, to);
    if (!instruction.probes.empty()) {
      points_.push_back({entry, {instruction.address, PointState::kBefore}});
      points_.push_back({entry + 1, {instruction.address, PointState::kInside}});
    }
    entries_.push_back(entry);
    copies_.push_back(to.here());
    moved.clear();
    MoveInstruction(instruction.bytes, instruction.address, interior, to, moved);
    for (const MovedPoint& point : moved) {
      const bool is_after = point.is_copy && !instruction.probes.empty();
      points_.push_back({point.at, {point.original, is_after ? PointState::kAfter : PointState::kPlain}});
    }
  }
  points_.push_back({to.here(), {site.end(), PointState::kPlain}});
  to.Emit({0xE9});
  to.EmitRelative32(site.end());
  to.FlushLiterals();
  return to.Finish();
}

void ClusterLayout::LayOutJump(const Site& site, StubRoom& stubs) {
  const TraceeAddress first_match_block = match_cursor_;
  CodeBuffer to(cursor_);
  if (!EmitSite(site, to)) {
    match_cursor_ = first_match_block;
    return Demote(site, kOutOfReach);
  }
  TraceeAddress jump_target = entries_.front();
  if (!site.interior.empty()) {
    uint32_t mask = 0;
    for (const uint8_t offset : site.interior) mask |= 0xFFu << (8 * (offset - 1));
    const auto stub = stubs.TakeStub(site.address, mask, 0xCCCCCCCCu & mask);
    if (!stub) {
      match_cursor_ = first_match_block;
      return Demote(site, kNoStubRoom);
    }
    CodeBuffer jump(*stub);
    jump.Emit({0xE9});
    jump.EmitRelative32(entries_.front());
    CHRONOFORK_ASSERT(jump.Finish());
    layout_.contents[*stub].assign(jump.bytes().begin(), jump.bytes().end());
    layout_.points[*stub] = {site.address, PointState::kBefore};
    jump_target = *stub;
  }

  CodeBuffer patch(site.address);
  patch.Emit({0xE9});
  patch.EmitRelative32(jump_target);
  CHRONOFORK_ASSERT(patch.Finish());
  for (const uint8_t offset : site.interior) CHRONOFORK_ASSERT(patch.bytes()[offset] == std::byte{0xCC});
  layout_.patches.push_back({site.address, site.patched_over, {patch.bytes().begin(), patch.bytes().end()}});

  for (const auto& [at, point] : points_) layout_.points[at] = point;
  for (const PendingTrap& pending : traps_) {
    layout_.traps[to.AddressOf(pending.trap.int3)] = {pending.probe, false, pending.address,
                                                      to.AddressOf(pending.trap.resume)};
  }
  for (const PendingMatch& pending : matches_) {
    layout_.matches[pending.probe] = {slots_, pending.block, to.AddressOf(pending.next), pending.address, {}};
    layout_.contents[pending.block] = LayOutMatch(pending.probe, *specs_[pending.probe].match, layout_);
  }
  for (size_t i = 0; i < site.instructions.size(); ++i) {
    const SiteInstruction& instruction = site.instructions[i];
    AddPlace(site, instruction, copies_[i]);
    if (i > 0) layout_.interior[instruction.address] = entries_[i];
    // Behind a lock prefix: the moved form begins with the same prefix.
    const uint64_t behind_prefix = instruction.address + 1 - site.address;
    if (std::count(site.interior.begin(), site.interior.end(), behind_prefix) && instruction.bytes.size() > 1) {
      layout_.interior[instruction.address + 1] = copies_[i] + 1;
    }
  }
  AddCode(to);
}

void ClusterLayout::Demote(const Site& site, const char* reason) {
  for (const SiteInstruction& instruction : site.instructions) {
    if (!instruction.probes.empty()) LayOutInt3(DemoteToInt3(instruction, reason));
  }
}

// One int3, and where possible the moved instruction behind which execution goes on at home.
void ClusterLayout::LayOutInt3(Site site) {
  const SiteInstruction& instruction = site.instructions.front();
  TraceeAddress copy;
  if (site.kind == ProbeKind::kInt3) {
    CodeBuffer to(cursor_);
    std::vector<MovedPoint> moved;
    MoveInstruction(instruction.bytes, instruction.address, {}, to, moved);
    const TraceeAddress back = to.here();
    to.Emit({0xE9});
    to.EmitRelative32(site.end());
    to.FlushLiterals();
    if (to.Finish()) {
      copy = to.base();
      for (const MovedPoint& point : moved) {
        layout_.points[point.at] = {point.original, point.is_copy ? PointState::kAfter : PointState::kPlain};
      }
      layout_.points[back] = {site.end(), PointState::kPlain};
      AddCode(to);
    } else {
      site.kind = ProbeKind::kInPlace;
    }
  }
  AddPlace(site, instruction, copy);
  layout_.patches.push_back({site.address, site.patched_over, {std::byte{0xCC}}});
}

bool ClusterLayout::LayOut(std::vector<Site> sites) {
  uint64_t code_bytes = kPage;
  uint64_t match_count = 0;
  for (const Site& site : sites) {
    code_bytes += MaxCodeBytes(site);
    for (const SiteInstruction& instruction : site.instructions) {
      for (const size_t probe : instruction.probes) match_count += specs_[probe].match.has_value();
    }
  }
  const AddressRange covered{sites.front().address, sites.back().end()};
  const uint64_t match_bytes = match_count * kMaxMatchCodeBytes;
  const auto region = room_.TakeNear(covered, kPage + match_bytes + code_bytes);
  if (!region) {
    for (Site& site : sites) {
      for (const SiteInstruction& instruction : site.instructions) {
        if (instruction.probes.empty()) continue;
        Site in_place = DemoteToInt3(instruction, kNoRoom);
        in_place.kind = ProbeKind::kInPlace;
        LayOutInt3(std::move(in_place));
      }
    }
    return false;
  }
  layout_.regions.push_back(*region);
  if (layout_.counters == TraceeAddress()) layout_.counters = region->start;
  slots_.base = region->start + sizeof(SharedCounters);
  match_cursor_ = region->start + kPage;
  code_start_ = cursor_ = match_cursor_ + match_bytes;
  StubRoom stubs(room_, *region);
  for (Site& site : sites) {
    if (site.kind == ProbeKind::kJump) {
      LayOutJump(site, stubs);
    } else {
      LayOutInt3(std::move(site));
    }
  }
  CHRONOFORK_ASSERT(code_start_ + code_.size() <= region->end);
  if (!code_.empty()) layout_.contents[code_start_] = std::move(code_);
  for (const StubRoom::Chunk& chunk : stubs.chunks()) layout_.regions.push_back(chunk.pages);
  return true;
}

// The counters lie in the first region; without any, in a page of their own.
bool PlaceCountersAlone(AddressRoom& room, ProbeLayout& layout) {
  if (layout.counters != TraceeAddress()) return true;
  for (uint64_t near = 0x100000000; near < 0x7F0000000000; near += 0x40000000) {
    const auto page = room.TakeNear({TraceeAddress(near), TraceeAddress(near + 1)}, kPage);
    if (!page) continue;
    layout.regions.push_back(*page);
    layout.counters = page->start;
    return true;
  }
  return false;
}

}  // namespace

std::vector<std::byte> LayOutMatch(size_t probe, const MatchCondition& condition, ProbeLayout& layout) {
  MatchBlock& match = layout.matches.at(probe);
  CodeBuffer to(match.block);
  const EmittedMatch emitted = EmitMatch(condition, match.slots, match.next, to);
  CHRONOFORK_ASSERT(to.Finish() && to.bytes().size() <= kMaxMatchCodeBytes);
  match.mismatch = to.AddressOf(emitted.mismatch);
  const AddressRange block{match.block, match.block + kMaxMatchCodeBytes};
  std::erase_if(layout.traps, [&](const auto& trap) { return block.Contains(trap.first); });
  layout.traps[to.AddressOf(emitted.trap.int3)] = {probe, true, match.place, match.next};
  layout.points[match.block] = {match.place, PointState::kInside};
  return {to.bytes().begin(), to.bytes().end()};
}

Result<ProbeLayout> LayOutProbes(std::span<const ProbeSpec> specs, std::vector<Site> sites, AddressRoom& room) {
  ProbeLayout layout;
  for (size_t first = 0; first < sites.size();) {
    size_t end = first;
    while (end < sites.size() && sites[end].end() - sites[first].address < kClusterSpan) ++end;
    std::vector<Site> cluster(std::make_move_iterator(sites.begin() + static_cast<ptrdiff_t>(first)),
                              std::make_move_iterator(sites.begin() + static_cast<ptrdiff_t>(end)));
    ClusterLayout(specs, room, layout).LayOut(std::move(cluster));
    first = end;
  }
  if (!PlaceCountersAlone(room, layout)) {
    return Error{
        .code = "noRoomForProbes", .message = "the debuggee's address space has no free page for probes", .remedy = ""};
  }
  return layout;
}

}  // namespace chronofork
