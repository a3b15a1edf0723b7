// Decodes what a jump displaces, and finds room for the code it leads to.
#include "callbuffer/call_sites.h"

#include <algorithm>

#include "base/assert.h"
#include "callbuffer/runtime_layout.h"
#include "probe/address_room.h"
#include "probe/code_buffer.h"
#include "probe/instruction.h"

namespace chronofork {
namespace {

constexpr uint64_t kSyscallLength = 2;
constexpr uint64_t kPatchLength = sizeof(TraceeMemory::PatchBytes);
constexpr uint64_t kJumpBytes = 5;
constexpr uint64_t kMostBodyBytes = 160;

bool IsFree(const CallArea& area, uint64_t start, uint64_t length) {
  if (start < area.pages.start.value || start + length > area.pages.end.value) return false;
  auto after = area.used.lower_bound(start + length);
  return after == area.used.begin() || std::prev(after)->second <= start;
}

std::vector<std::byte> CodeOf(const CodeBuffer& code) { return {code.bytes().begin(), code.bytes().end()}; }

}  // namespace

TraceeAddress CallSite::OriginalOf(TraceeAddress pc) const {
  TraceeAddress stands_at = address + kSyscallLength;
  for (const MovedPoint& point : points)
    if (point.at <= pc) stands_at = point.original;
  return stands_at;
}

CallSites::CallSites(const CallSites& other, size_t events) : areas_(other.areas_) {
  for (const CallSite& site : other.sites_) {
    if (site.from_event > events) continue;
    Insert(site);
    if (site.until_event >= events) sites_.back().until_event = SIZE_MAX;
  }
}

void CallSites::Insert(CallSite site) {
  returning_to_[site.address.value + kSyscallLength].push_back(sites_.size());
  sites_.push_back(std::move(site));
}

const std::vector<size_t>& CallSites::ReturningTo(TraceeAddress pc) const {
  static const std::vector<size_t> none;
  const auto found = returning_to_.find(pc.value);
  return found == returning_to_.end() ? none : found->second;
}

void CallSites::End(const AddressRange& range, size_t event) {
  for (CallSite& site : sites_)
    if (site.until_event == SIZE_MAX && (site.patched().Overlaps(range) || areas_[site.area].pages.Overlaps(range)))
      site.until_event = event;
}

bool CallSites::PlaceIn(size_t area_index, CallSite& site, uint32_t mask, uint32_t value) {
  CallArea& area = areas_[area_index];
  const uint64_t from = site.address.value + kJumpBytes;
  const uint64_t distance = area.pages.start.value > from ? area.pages.end.value - from : from - area.pages.start.value;
  if (distance >= kRel32Reach) return false;
  std::optional<uint64_t> stub;
  for (int64_t at = static_cast<int64_t>(area.pages.start.value - from); !stub;) {
    const std::optional<int32_t> displacement = NextDisplacement(at, mask, value);
    if (!displacement) return false;
    const uint64_t candidate = from + static_cast<uint64_t>(static_cast<int64_t>(*displacement));
    if (candidate + kJumpBytes > area.pages.end.value) return false;
    if (IsFree(area, candidate, kJumpBytes)) stub = candidate;
    at = int64_t{*displacement} + 1;
  }
  area.used[*stub] = *stub + kJumpBytes;
  for (uint64_t body = area.pages.start.value; body + kMostBodyBytes <= area.pages.end.value; body += 32) {
    if (!IsFree(area, body, kMostBodyBytes)) continue;
    site.stub = TraceeAddress(*stub);
    site.body = TraceeAddress(body);
    site.area = area_index;
    area.used[body] = body + kMostBodyBytes;
    return true;
  }
  area.used.erase(*stub);
  return false;
}

bool CallSites::Place(CallSite& site, uint32_t mask, uint32_t value, const Mappings& occupied) {
  for (size_t i = 0; i < areas_.size(); ++i)
    if (PlaceIn(i, site, mask, value)) return true;
  std::vector<AddressRange> taken = occupied();
  // A branch must stay out of what its parent has here, and a replay may put it there yet.
  for (const CallArea& area : areas_) taken.push_back(area.pages);
  AddressRoom room(taken);
  StubRoom stubs(room);
  if (!stubs.TakeStub(site.address, mask, value)) return false;
  areas_.push_back({stubs.chunks().back().pages, {}});
  if (PlaceIn(areas_.size() - 1, site, mask, value)) return true;
  areas_.pop_back();
  return false;
}

bool CallSites::Add(TraceeAddress address, size_t event, const Reader& read, const Mappings& occupied,
                    const char** why) {
  // == 1. What the jump displaces.
  std::byte bytes[kPatchLength + kMaxInstructionLength];
  const size_t length = read(address, bytes);
  *why = "it is no syscall instruction";
  if (length < kPatchLength || bytes[0] != std::byte{0x0f} || bytes[1] != std::byte{0x05}) return false;
  CallSite site;
  site.address = address;
  site.from_event = event;
  std::copy_n(bytes, kPatchLength, site.original.begin());
  std::vector<std::span<const std::byte>> displaced;
  uint32_t mask = 0, value = 0;
  bool flow_ended = false;
  uint64_t offset = kSyscallLength;
  while (offset < kPatchLength) {
    const auto rest = std::span<const std::byte>(bytes, length).subspan(offset);
    const std::optional<Instruction> instruction = DecodeInstruction(rest, address + offset);
    *why = "what follows is no instruction";
    if (!instruction) return false;
    *why = WhyNotMovable(rest, address + offset);
    if (*why) return false;
    // Behind a jump or a return may be anything, also data: only what does nothing may be displaced.
    const bool padding = rest[0] == std::byte{0x90} || (rest[0] == std::byte{0x0f} && rest[1] == std::byte{0x1f}) ||
                         rest[0] == std::byte{0x66} || rest[0] == std::byte{0x2e} || rest[0] == kInt3Byte;
    *why = "other code follows";
    if (flow_ended && !padding) return false;
    const auto own = rest.first(instruction->length);
    auto set_boundary = [&](uint64_t at) {
      if (at >= kPatchLength) return;
      mask |= 0xffu << (8 * (at - 1));
      value |= 0xccu << (8 * (at - 1));
    };
    set_boundary(offset);
    if (own[0] == std::byte{0xf0}) set_boundary(offset + 1);
    displaced.push_back(own);
    flow_ended = flow_ended || instruction->is_return() || instruction->flow == FlowKind::kJump;
    offset += instruction->length;
  }
  // == 2. The code, at addresses that make the boundaries trap.
  *why = "no room that a jump can reach";
  if (!Place(site, mask, value, occupied)) return false;
  CodeBuffer body(site.body);
  const TraceeAddress back = address + kSyscallLength;
  const CodeBuffer::Label after = body.NewLabel();
  body.Emit({0x48, 0x8d, 0x0d});  // lea rcx, [back]
  body.EmitRelative32(back);
  body.Emit({0x4c, 0x8d, 0x1d});  // lea r11, [after]
  body.EmitRelative32(after);
  body.Emit({0xff, 0x25});  // jmp [entry]
  body.EmitRelative32(body.Literal(kRuntimeCode + kEntryOffset));
  body.Bind(after);
  site.after = body.here();
  TraceeAddress at = back;
  for (const auto& own : displaced) {
    site.redirected[at] = body.here();
    MoveInstruction(own, at, {}, body, site.points);
    at = at + own.size();
  }
  site.points.push_back({body.here(), at, false});
  body.Emit({0xe9});
  body.EmitRelative32(at);
  body.FlushLiterals();
  CodeBuffer stub(site.stub), patch(address);
  stub.Emit({0xe9});
  stub.EmitRelative32(site.body);
  patch.Emit({0xe9});
  patch.EmitRelative32(site.stub);
  *why = "out of reach";
  if (!body.Finish() || !stub.Finish() || !patch.Finish() || body.bytes().size() > kMostBodyBytes) return false;
  site.body_code = CodeOf(body);
  site.stub_code = CodeOf(stub);
  std::copy_n(patch.bytes().begin(), kPatchLength, site.patch.begin());
  for (const auto& [boundary, moved] : site.redirected)
    CHRONOFORK_ASSERT(boundary - address >= kPatchLength || site.patch[boundary - address] == kInt3Byte);
  Insert(std::move(site));
  *why = "";
  return true;
}

}  // namespace chronofork
