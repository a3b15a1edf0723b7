// Places trampolines and stubs so that every jump reaches its own.
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

// Each jump that leaves the bytes behind it alone needs, as a rule, pages of
// its own. Mapping them takes a system call in the process: 256 are about 20 ms.
constexpr size_t kMaxChunks = 256;

const char* const kNoRoom = "no free addresses in reach";
const char* const kNoStubRoom = "no free address where the jump would have to lead, or an operand out of reach";

uint64_t MaxCodeBytes(const Site& site, std::span<const ProbeSpec> specs, const TransitionContext& context) {
  uint64_t total = kCodeAlignment + 16;
  for (const SiteInstruction& instruction : site.instructions) {
    total += kMaxMovedBytes;
    for (const size_t probe : instruction.probes)
      if (!specs[probe].match) total += TransitionCodeBytes(specs[probe], context);
    // Demoted, each of its instructions may need code of its own.
    total += kMaxMovedBytes + kCodeAlignment + 16;
  }
  return total;
}

// Lays out the sites of one neighbourhood.
class ClusterLayout {
 public:
  // `patched`: where sites are, of all clusters.
  ClusterLayout(std::span<const ProbeSpec> specs, std::span<const AddressRange> patched, CodeReader& code,
                AddressRoom& room, ProbeLayout& layout)
      : specs_(specs), patched_(patched), original_(code), room_(room), layout_(layout) {}

  // False if there is no room at all; then every site is an int3 in place.
  bool LayOut(std::vector<Site> sites);

 private:
  bool LayOutJump(const Site& site, StubRoom& stubs);
  std::optional<TraceeAddress> TakeStub(const Site& site, uint32_t mask, uint32_t value, StubRoom& stubs);
  bool LayOutSingleJump(const SiteInstruction& instruction, StubRoom& stubs);
  void Demote(const Site& site, StubRoom& stubs);
  void LayOutInt3(Site site);
  bool FixDisplacement(const Site& site, uint32_t& mask, uint32_t& value);
  void Record(const Site& site, const CodeBuffer& code);
  bool EmitSite(const Site& site, CodeBuffer& to);
  void EmitProbes(const SiteInstruction& instruction, CodeBuffer& to);
  void AddPlace(const Site& site, const SiteInstruction& instruction, TraceeAddress copy);
  void AddCode(const CodeBuffer& code);
  TraceeAddress TallyOf(size_t probe);

  struct PendingTrap {
    EmittedTrap trap;
    TrapKind kind;
    size_t probe;
    TraceeAddress address;
  };
  struct PendingEvaluation {
    CodeBuffer::Label start, no_value;
  };
  struct PendingMatch {
    CodeBuffer::Label next;
    size_t probe;
    TraceeAddress block;
    TraceeAddress address;
  };

  std::span<const ProbeSpec> specs_;
  std::span<const AddressRange> patched_;
  CodeReader& original_;
  AddressRoom& room_;
  ProbeLayout& layout_;
  ScratchSlots slots_;
  TraceeAddress cursor_;
  TraceeAddress match_cursor_;
  std::map<size_t, size_t> tally_index_;  // of this neighbourhood's last TallyRange
  std::vector<std::byte> code_;
  TraceeAddress code_start_;

  // Of the site being emitted; taken over only when all of it is in reach.
  std::vector<PendingTrap> traps_;
  std::vector<PendingEvaluation> evaluations_;
  std::vector<PendingMatch> matches_;
  std::vector<std::pair<TraceeAddress, CodePoint>> points_;
  std::vector<TraceeAddress> entries_;
  std::vector<TraceeAddress> copies_;

  // A short place in front of the site being laid out, that lets no more than its own bytes be changed: its jump ends
  // in bytes of this one's. 0: none.
  TraceeAddress leaning_;
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

// Its number's place; one that is laid out a second time keeps it.
TraceeAddress ClusterLayout::TallyOf(size_t probe) {
  std::vector<size_t>& probes = layout_.tallies.back().probes;
  const auto found = tally_index_.try_emplace(probe, probes.size());
  if (found.second) probes.push_back(probe);
  return layout_.tallies.back().start + found.first->second * sizeof(uint64_t);
}

void ClusterLayout::EmitProbes(const SiteInstruction& instruction, CodeBuffer& to) {
  for (const size_t probe : instruction.probes) {
    const ProbeSpec& spec = specs_[probe];
    if (spec.tally) {
      EmitTally(TallyOf(probe), slots_, to);
    } else if (spec.match) {
      const CodeBuffer::Label next = to.NewLabel();
      to.Emit({0xE9});
      to.EmitRelative32(match_cursor_);
      to.Bind(next);
      matches_.push_back({next, probe, match_cursor_, instruction.address});
      match_cursor_ = match_cursor_ + kMaxMatchCodeBytes;
    } else {
      const EmittedTransition made =
          EmitTransition(spec, static_cast<uint32_t>(probe), {layout_.counters, patched_}, slots_, to);
      const auto add = [&](const std::optional<EmittedTrap>& trap, TrapKind kind) {
        if (trap) traps_.push_back({*trap, kind, probe, instruction.address});
      };
      add(made.limit, TrapKind::kLimit);
      add(made.ask, TrapKind::kAsk);
      add(made.full, TrapKind::kFull);
      if (made.evaluation) evaluations_.push_back({*made.evaluation, *made.no_value});
    }
  }
}

// Emits probes and moved instructions of a jump site and the jump back; false if something is out of reach.
bool ClusterLayout::EmitSite(const Site& site, CodeBuffer& to) {
  traps_.clear();
  evaluations_.clear();
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

// Which bytes of the site's displacement are given: CC at interior boundaries,
// and behind the site what will lie there, later sites' patches included.
// False if a later site's patch lies under this one's own bytes.
bool ClusterLayout::FixDisplacement(const Site& site, uint32_t& mask, uint32_t& value) {
  std::vector<std::byte> bytes = original_.Read(site.address, kJumpLength);
  if (bytes.size() < kJumpLength) return false;
  const TraceeAddress own_end = site.address + site.patch_length();
  for (auto later = layout_.patches.rbegin(); later != layout_.patches.rend(); ++later) {
    if (later->address >= site.address + kJumpLength) break;
    if (later->address < own_end) return false;
    for (size_t i = 0; i < later->patched.size(); ++i) {
      const uint64_t offset = later->address + i - site.address;
      if (offset < kJumpLength) bytes[offset] = later->patched[i];
    }
  }
  for (const uint8_t offset : site.interior) bytes[offset] = std::byte{0xCC};
  mask = value = 0;
  for (uint64_t offset = 1; offset < kJumpLength; ++offset) {
    const bool is_interior = std::count(site.interior.begin(), site.interior.end(), offset) != 0;
    if (!is_interior && offset < site.patch_length()) continue;
    const auto shift = static_cast<unsigned>(8 * (offset - 1));
    mask |= 0xFFu << shift;
    value |= static_cast<uint32_t>(bytes[offset]) << shift;
  }
  return true;
}

// Where a constrained jump may lead. If the place in front leans on this jump, the byte that will be the highest of
// its displacement is chosen so that there is room where it leads.
std::optional<TraceeAddress> ClusterLayout::TakeStub(const Site& site, uint32_t mask, uint32_t value, StubRoom& stubs) {
  // Far below and far above the code, where nothing is mapped as a rule.
  static constexpr uint32_t kRoomyTopBytes[] = {0xC4, 0xB4, 0xA4, 0x94, 0x3C, 0x4C, 0x5C, 0x6C};
  const bool may_open = site.patch_length() == kJumpLength || stubs.chunks().size() < kMaxChunks;
  const uint64_t shared = leaning_ == TraceeAddress() ? 0 : leaning_ + kJumpLength - site.address;
  if (shared >= 2 && shared <= 4) {
    const auto shift = static_cast<unsigned>(8 * (shared - 2));
    if ((mask >> shift & 0xFF) == 0) {
      for (const uint32_t top : kRoomyTopBytes) {
        if (const auto stub = stubs.TakeStub(site.address, mask | 0xFFu << shift, value | top << shift, may_open)) {
          return stub;
        }
      }
    }
  }
  return stubs.TakeStub(site.address, mask, value, may_open);
}

// False, and nothing is changed, if there is no room or something is out of reach.
bool ClusterLayout::LayOutJump(const Site& site, StubRoom& stubs) {
  uint32_t mask = 0;
  uint32_t value = 0;
  if (!FixDisplacement(site, mask, value)) return false;
  const TraceeAddress first_match_block = match_cursor_;
  CodeBuffer to(cursor_);
  std::optional<TraceeAddress> target;
  if (EmitSite(site, to)) {
    target = entries_.front();
    if (mask != 0 || leaning_ != TraceeAddress()) target = TakeStub(site, mask, value, stubs);
  }
  if (!target) {
    match_cursor_ = first_match_block;
    return false;
  }
  if (*target != entries_.front()) {
    CodeBuffer stub(*target);
    stub.Emit({0xFF, 0x25, 0, 0, 0, 0});  // jmp [rip]
    stub.Emit64(entries_.front().value);
    CHRONOFORK_ASSERT(stub.Finish() && stub.bytes().size() == StubRoom::kStubLengthBytes);
    layout_.contents[*target].assign(stub.bytes().begin(), stub.bytes().end());
    layout_.points[*target] = {site.address, PointState::kBefore};
  }
  CodeBuffer patch(site.address);
  patch.Emit({0xE9});
  patch.EmitRelative32(*target);
  CHRONOFORK_ASSERT(patch.Finish());
  for (const uint8_t offset : site.interior) CHRONOFORK_ASSERT(patch.bytes()[offset] == std::byte{0xCC});
  const auto own = patch.bytes().first(site.patch_length());
  layout_.patches.push_back({site.address, site.patched_over, {own.begin(), own.end()}});
  Record(site, to);
  AddCode(to);
  return true;
}

// Enters what has been emitted for a site into the tables.
void ClusterLayout::Record(const Site& site, const CodeBuffer& code) {
  for (const auto& [at, point] : points_) layout_.points[at] = point;
  for (const PendingTrap& pending : traps_) {
    layout_.traps[code.AddressOf(pending.trap.int3)] = {pending.probe, pending.kind, pending.address,
                                                        code.AddressOf(pending.trap.resume)};
  }
  for (const PendingEvaluation& pending : evaluations_) {
    const TraceeAddress no_value = code.AddressOf(pending.no_value);
    layout_.evaluations[code.AddressOf(pending.start)] = {no_value, no_value};
  }
  for (const PendingMatch& pending : matches_) {
    layout_.matches[pending.probe] = {slots_, pending.block, code.AddressOf(pending.next), pending.address, {}};
    layout_.contents[pending.block] = LayOutMatch(pending.probe, *specs_[pending.probe].match, layout_);
  }
  for (size_t i = 0; i < site.instructions.size(); ++i) {
    const SiteInstruction& instruction = site.instructions[i];
    AddPlace(site, instruction, copies_[i]);
    if (i > 0) layout_.interior[instruction.address] = entries_[i];
    // Behind a lock prefix: the moved form begins with the same prefix.
    const bool is_locked = instruction.bytes.front() == std::byte{0xF0};
    const uint64_t behind_prefix = instruction.address + 1 - site.address;
    if (is_locked && std::count(site.interior.begin(), site.interior.end(), behind_prefix)) {
      layout_.interior[instruction.address + 1] = copies_[i] + 1;
    }
  }
}

bool ClusterLayout::LayOutSingleJump(const SiteInstruction& instruction, StubRoom& stubs) {
  if (WhyNotMovable(instruction.bytes, instruction.address) != nullptr) return false;
  return LayOutJump(MakeSingleJump(instruction), stubs);
}

void ClusterLayout::Demote(const Site& site, StubRoom& stubs) {
  // From the last to the first: each sees the patches behind it.
  for (auto instruction = site.instructions.rbegin(); instruction != site.instructions.rend(); ++instruction) {
    if (instruction->probes.empty() || LayOutSingleJump(*instruction, stubs)) continue;
    LayOutInt3(DemoteToInt3(*instruction, kNoStubRoom));
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
  uint64_t tally_count = 0;
  for (const Site& site : sites) {
    code_bytes += MaxCodeBytes(site, specs_, {layout_.counters, patched_});
    for (const SiteInstruction& instruction : site.instructions) {
      for (const size_t probe : instruction.probes) {
        match_count += specs_[probe].match.has_value();
        tally_count += specs_[probe].tally;
      }
    }
  }
  const AddressRange covered{sites.front().address, sites.back().end()};
  const uint64_t match_bytes = match_count * kMaxMatchCodeBytes;
  const uint64_t tally_bytes = (tally_count * sizeof(uint64_t) + kPage - 1) / kPage * kPage;
  const auto region = room_.TakeNear(covered, kPage + tally_bytes + match_bytes + code_bytes);
  if (!region) {
    for (auto site = sites.rbegin(); site != sites.rend(); ++site) {
      for (auto instruction = site->instructions.rbegin(); instruction != site->instructions.rend(); ++instruction) {
        if (instruction->probes.empty()) continue;
        Site in_place = DemoteToInt3(*instruction, kNoRoom);
        in_place.kind = ProbeKind::kInPlace;
        LayOutInt3(std::move(in_place));
      }
    }
    return false;
  }
  layout_.regions.push_back(*region);
  if (layout_.counters == TraceeAddress()) layout_.counters = region->start;
  slots_.base = region->start + sizeof(SharedCounters);
  layout_.tallies.push_back({region->start + kPage, {}});
  match_cursor_ = region->start + kPage + tally_bytes;
  code_start_ = cursor_ = match_cursor_ + match_bytes;
  StubRoom stubs(room_);
  for (auto site = sites.rbegin(); site != sites.rend(); ++site) {
    const auto before = std::next(site);
    const bool leans =
        before != sites.rend() && before->kind != ProbeKind::kJump && site->address < before->address + kJumpLength;
    leaning_ = leans ? before->address : TraceeAddress();
    if (site->kind == ProbeKind::kJump) {
      if (!LayOutJump(*site, stubs)) Demote(*site, stubs);
    } else if (!LayOutSingleJump(site->instructions.front(), stubs)) {
      LayOutInt3(std::move(*site));
    }
  }
  CHRONOFORK_ASSERT(code_start_ + code_.size() <= region->end);
  if (!code_.empty()) layout_.contents[code_start_] = std::move(code_);
  for (const StubRoom::Chunk& chunk : stubs.chunks()) layout_.regions.push_back(chunk.pages);
  return true;
}

// Pages of their own, wherever there is room.
std::optional<AddressRange> PlaceAlone(AddressRoom& room, uint64_t length_bytes) {
  for (uint64_t near = 0x100000000; near < 0x7F0000000000; near += 0x40000000) {
    if (auto pages = room.TakeNear({TraceeAddress(near), TraceeAddress(near + 1)}, length_bytes)) return pages;
  }
  return std::nullopt;
}

// Where bytes of ours are going to lie: few ranges, rather too large than too many.
std::vector<AddressRange> PatchedRanges(const std::vector<Site>& sites) {
  constexpr size_t kMostRanges = 8;
  std::vector<AddressRange> ranges;
  for (uint64_t gap = 4096; gap < kClusterSpan; gap *= 4) {
    ranges.clear();
    for (const Site& site : sites) {
      const AddressRange own{site.address, site.address + kJumpLength};
      if (!ranges.empty() && own.start - ranges.back().end < gap) {
        ranges.back().end = std::max(ranges.back().end, own.end);
      } else {
        ranges.push_back(own);
      }
    }
    if (ranges.size() <= kMostRanges) break;
  }
  return ranges;
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
  layout.traps[to.AddressOf(emitted.trap.int3)] = {probe, TrapKind::kMatch, match.place, match.next};
  layout.points[match.block] = {match.place, PointState::kInside};
  return {to.bytes().begin(), to.bytes().end()};
}

Result<ProbeLayout> LayOutProbes(std::span<const ProbeSpec> specs, std::vector<Site> sites, CodeReader& code,
                                 AddressRoom& room) {
  ProbeLayout layout;
  const std::vector<AddressRange> patched = PatchedRanges(sites);
  const Error no_room{
      .code = "noRoomForProbes", .message = "the debuggee's address space has no free page for probes", .remedy = ""};
  if (std::any_of(specs.begin(), specs.end(), [](const ProbeSpec& spec) { return !spec.log.empty(); })) {
    const auto log = PlaceAlone(room, kLogAreaBytes);
    if (!log) return no_room;
    layout.log = *log;
    layout.regions.push_back(*log);
  }
  // From the highest address to the lowest: a jump may contain bytes of the patch behind it.
  while (!sites.empty()) {
    size_t first = sites.size() - 1;
    while (first > 0 && sites.back().end() - sites[first - 1].address < kClusterSpan) --first;
    const auto begin = sites.begin() + static_cast<ptrdiff_t>(first);
    std::vector<Site> cluster(std::make_move_iterator(begin), std::make_move_iterator(sites.end()));
    sites.erase(begin, sites.end());
    ClusterLayout(specs, patched, code, room, layout).LayOut(std::move(cluster));
  }
  std::reverse(layout.patches.begin(), layout.patches.end());
  if (layout.counters == TraceeAddress()) {  // there is no region that they could lie in
    const auto page = PlaceAlone(room, kPage);
    if (!page) return no_room;
    layout.regions.push_back(*page);
    layout.counters = page->start;
  }
  std::sort(layout.regions.begin(), layout.regions.end());
  return layout;
}

}  // namespace chronofork
