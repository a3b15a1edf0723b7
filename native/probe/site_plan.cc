// Which bytes of a place a jump may cover, from the code around it.
#include "probe/site_plan.h"

#include <algorithm>
#include <cstdio>

#include "probe/instruction.h"
#include "probe/relocate.h"

namespace chronofork {
namespace {

constexpr uint64_t kPage = 4096;
constexpr std::byte kLockPrefix{0xF0};

// Branches further away than this from a place are not looked for: a loop that
// long spends its time elsewhere. Only speed depends on it.
constexpr uint64_t kBranchSearchBytes = 512;

using ProbesByAddress = std::map<TraceeAddress, std::vector<size_t>>;

ProbesByAddress GroupByAddress(std::span<const ProbeSpec> specs) {
  ProbesByAddress grouped;
  for (size_t i = 0; i < specs.size(); ++i) grouped[specs[i].address].push_back(i);
  for (auto& [address, probes] : grouped) {
    std::stable_partition(probes.begin(), probes.end(), [&](size_t i) { return specs[i].match.has_value(); });
  }
  return grouped;
}

// Targets of direct branches in the code at and behind the places.
std::set<TraceeAddress> FindBranchTargets(const ProbesByAddress& places, CodeReader& code) {
  std::set<TraceeAddress> targets;
  TraceeAddress done;
  for (auto place = places.begin(); place != places.end(); ++place) {
    if (place->first < done) continue;
    TraceeAddress at = place->first;
    const auto next = std::next(place);
    const auto bytes = code.Read(at, kBranchSearchBytes + kMaxInstructionLength);
    while (at - place->first < kBranchSearchBytes && (next == places.end() || at < next->first)) {
      const auto instruction = DecodeInstruction(std::span(bytes).subspan(at - place->first), at);
      if (!instruction) break;
      if (instruction->target) targets.insert(*instruction->target);
      at = instruction->end();
    }
    done = at;
  }
  return targets;
}

bool IsPadding(std::span<const std::byte> bytes) {
  const auto byte = [&](size_t i) { return i < bytes.size() ? static_cast<int>(bytes[i]) : -1; };
  size_t at = 0;
  while (byte(at) == 0x66 || byte(at) == 0x2E) ++at;  // compilers make nops long with these
  return byte(at) == 0x90 || (byte(at) == 0x0F && byte(at + 1) == 0x1F);
}

std::vector<size_t> ProbesAt(const ProbesByAddress& places, TraceeAddress address) {
  const auto found = places.find(address);
  return found == places.end() ? std::vector<size_t>{} : found->second;
}

// Collects the instructions under a jump at site.address; returns why there can be none, or nullptr.
const char* CollectDisplaced(const ProbesByAddress& places, const std::set<TraceeAddress>& branch_targets,
                             std::span<const std::byte> bytes, Site& site) {
  uint64_t length = 0;
  bool flow_ended = false;
  while (length < kJumpLength) {
    const TraceeAddress at = site.address + length;
    const auto rest = bytes.subspan(length);
    const auto instruction = DecodeInstruction(rest, at);
    if (!instruction) return "what follows is no instruction";
    if (const char* reason = WhyNotMovable(rest, at)) return reason;
    const auto own = rest.first(instruction->length);
    if (flow_ended && !IsPadding(own)) return "other code follows";
    if (length > 0) site.interior.push_back(static_cast<uint8_t>(length));
    if (own[0] == kLockPrefix && length + 1 < kJumpLength) site.interior.push_back(static_cast<uint8_t>(length + 1));
    site.instructions.push_back({at, {own.begin(), own.end()}, ProbesAt(places, at)});
    flow_ended = flow_ended || instruction->is_return() || instruction->flow == FlowKind::kJump;
    length += instruction->length;
  }
  for (const uint8_t offset : site.interior) {
    if (branch_targets.contains(site.address + offset)) return "a branch leads into it";
  }
  for (auto place = places.upper_bound(site.address); place != places.end() && place->first < site.end(); ++place) {
    const bool is_boundary = std::any_of(site.instructions.begin(), site.instructions.end(),
                                         [&](const SiteInstruction& i) { return i.address == place->first; });
    if (!is_boundary) return "another place lies inside an instruction";
  }
  return nullptr;
}

}  // namespace

std::vector<std::byte> CodeReader::Read(TraceeAddress address, size_t length) {
  std::vector<std::byte> bytes;
  while (bytes.size() < length) {
    const TraceeAddress at = address + bytes.size();
    const TraceeAddress start = at.PageStart();
    auto page = pages_.find(start.value);
    if (page == pages_.end()) {
      std::vector<std::byte> content(kPage);
      if (!host_.Read(start, content).ok()) content.clear();
      page = pages_.emplace(start.value, std::move(content)).first;
    }
    if (page->second.empty()) break;
    const size_t offset = at - start;
    const size_t count = std::min<size_t>(kPage - offset, length - bytes.size());
    const auto first = page->second.begin() + static_cast<ptrdiff_t>(offset);
    bytes.insert(bytes.end(), first, first + static_cast<ptrdiff_t>(count));
  }
  return bytes;
}

Site DemoteToInt3(const SiteInstruction& instruction, const char* reason) {
  Site site;
  site.address = instruction.address;
  site.reason = reason;
  site.instructions.push_back(instruction);
  site.patched_over = {instruction.bytes.front()};
  const bool is_movable = WhyNotMovable(instruction.bytes, instruction.address) == nullptr;
  site.kind = is_movable ? ProbeKind::kInt3 : ProbeKind::kInPlace;
  return site;
}

Site MakeSingleJump(const SiteInstruction& instruction) {
  Site site;
  site.address = instruction.address;
  site.kind = ProbeKind::kJump;
  site.instructions.push_back(instruction);
  const size_t length = std::min<size_t>(instruction.bytes.size(), kJumpLength);
  site.patched_over.assign(instruction.bytes.begin(), instruction.bytes.begin() + static_cast<ptrdiff_t>(length));
  if (length > 1 && instruction.bytes[0] == kLockPrefix) site.interior.push_back(1);
  return site;
}

Result<std::vector<Site>> PlanSites(std::span<const ProbeSpec> specs, CodeReader& code) {
  const ProbesByAddress places = GroupByAddress(specs);
  const std::set<TraceeAddress> branch_targets = FindBranchTargets(places, code);
  std::vector<Site> sites;
  for (auto place = places.begin(); place != places.end();) {
    const TraceeAddress address = place->first;
    const auto bytes = code.Read(address, kJumpLength + kMaxInstructionLength);
    if (bytes.empty()) {
      char message[96];
      snprintf(message, sizeof message, "no code can be read at the place of a probe, 0x%lx", address.value);
      return Error{.code = "probePlaceUnreadable", .message = message, .remedy = ""};
    }
    Site site;
    site.address = address;
    const char* reason = CollectDisplaced(places, branch_targets, bytes, site);
    if (reason == nullptr) {
      site.patched_over.assign(bytes.begin(), bytes.begin() + kJumpLength);
    } else {
      const auto instruction = DecodeInstruction(bytes, address);
      const size_t length = instruction ? instruction->length : 1;
      const SiteInstruction first{
          address, {bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length)}, place->second};
      site = DemoteToInt3(first, reason);
    }
    const TraceeAddress patch_end = address + site.patch_length();
    while (place != places.end() && place->first < patch_end) ++place;
    sites.push_back(std::move(site));
  }
  return sites;
}

}  // namespace chronofork
