// Breakpoints and watchpoints as they are in a process that runs: the live one,
// or one in which a function is called.
#include <algorithm>

#include "base/log.h"
#include "probe/instruction.h"
#include "probe/rep_string.h"
#include "timeline/engine.h"

namespace chronofork {
namespace {

Log logger("forward");

}  // namespace

Result<std::vector<WatchSpec>> Engine::WatchSpecs(const std::vector<Watch>& wanted) const {
  std::vector<WatchSpec> specs;
  for (const Watch& watch : wanted) {
    uint64_t at = watch.address.value, end = at + watch.length_bytes;
    while (at < end) {
      uint64_t length = 8;
      while (length > 1 && (at % length != 0 || at + length > end)) length /= 2;
      specs.push_back({TraceeAddress(at), length, watch.kind == WatchKind::kWrite});
      at += length;
    }
  }
  if (specs.size() > 4)
    return Error{"tooManyWatchpoints", "The processor can watch four places of at most 8 bytes at a time.",
                 "Remove a data breakpoint, or watch a smaller part.", 0, 0};
  return specs;
}

Result<bool> Engine::ConditionHolds(TraceeAddress address, const GeneralRegisters& registers, Tracee& shown) {
  auto found = breakpoints.find(address);
  if (found == breakpoints.end()) return false;
  MemoryReader read = [&shown](TraceeAddress a, std::span<std::byte> out) { return shown.memory().Read(a, out); };
  return AnyHolds(found->second.conditions, registers, read);
}

std::optional<StopReply> Engine::BreakpointHere() {
  const GeneralRegisters& r = process().registers();
  TraceeAddress pc(r.rip);
  Result<bool> holds = ConditionHolds(pc, r, process());
  if (!holds.ok() || !holds.value()) return std::nullopt;
  StopReply reply;
  reply.tid = pid_;
  reply.kind = StopKind::kBreakpoint;
  reply.breakpoint = breakpoints.at(pc).kind;
  return reply;
}

Result<void> Engine::InsertInto(Tracee& tracee) {
  inserted_.clear();
  auto insert = [&](TraceeAddress address) -> Result<void> {
    Result<std::byte> original = tracee.memory().ReadValue<std::byte>(address);
    if (!original.ok()) return {};  // its library is not mapped now
    tracee.NoteHidden(address, original.value());
    CF_TRY(tracee.memory().WriteValue(address, kInt3Byte));
    inserted_.emplace_back(address, original.value());
    return {};
  };
  for (const auto& [address, breakpoint] : breakpoints) CF_TRY(insert(address));
  for (const TraceeAddress address : range_exits_)
    if (!breakpoints.contains(address)) CF_TRY(insert(address));
  inserted_in_live_ = true;
  if (!replay_) branch().recorder->inserted = &inserted_;
  return SetWatches(tracee);
}

Result<void> Engine::SetWatches(Tracee& tracee) {
  CF_TRY_ASSIGN(std::vector<WatchSpec> specs, WatchSpecs(watches));
  for (size_t slot = 0; slot < specs.size(); ++slot)
    CF_TRY(tracee.SetWatch(static_cast<int>(slot), specs[slot].address, static_cast<unsigned>(specs[slot].length_bytes),
                           specs[slot].write_only));
  return {};
}

Result<void> Engine::ClearWatches(Tracee& tracee) {
  for (int slot = 0; slot < 4; ++slot) CF_TRY(tracee.ClearDebugRegister(slot));
  return {};
}

// The instruction before has touched `watch`, or a round of the one that is still
// to be finished: in its middle nothing could go to, nor from.
Result<StopReply> Engine::WatchStop(Tracee& tracee, const WatchSpec& watch) {
  CF_TRY(FinishTouchingString(tracee, {watch.address, watch.address + watch.length_bytes}));
  StopReply reply;
  reply.tid = pid_;
  reply.kind = StopKind::kWatchpoint;
  reply.watch_address = watch.address;
  reply.watch = watch.write_only ? WatchKind::kWrite : WatchKind::kAccess;
  return reply;
}

// Where a step through `range` ends. nullopt: only single steps can tell.
std::optional<RangeExits> Engine::ExitsOfRange(AddressRange range) {
  // More is no source line, or one that takes its time anyway.
  constexpr uint64_t kMostBytes = 64 * 1024;
  if (range.length() > kMostBytes) return std::nullopt;
  std::vector<std::byte> code(range.length() + kMaxInstructionLength);
  code.resize(process().memory().ReadSome(range.start, code));
  for (const auto& [address, original] : Patched()) {
    const uint64_t offset = address - range.start;
    if (address >= range.start && offset < code.size()) code[offset] = original;
  }
  return ExitsOf(code, range);
}

// Has the instruction before touched a watched place?
Result<std::optional<StopReply>> Engine::WatchHit(Tracee& tracee) {
  unsigned hits = tracee.TakeDebugHits();
  if (hits == 0) return std::optional<StopReply>();
  CF_TRY_ASSIGN(std::vector<WatchSpec> specs, WatchSpecs(watches));
  size_t slot = 0;
  while (!(hits >> slot & 1)) ++slot;
  if (slot >= specs.size()) return std::optional<StopReply>();
  CF_TRY_ASSIGN(StopReply reply, WatchStop(tracee, specs[slot]));
  // Or the next system call's event would seem to have written it.
  if (!replay_)
    branch().recorder->shared_memory().Accept({specs[slot].address, specs[slot].address + specs[slot].length_bytes});
  return std::optional(reply);
}

Result<void> Engine::RemoveFrom(Tracee& tracee) {
  inserted_in_live_ = false;
  if (!replay_) branch().recorder->inserted = nullptr;
  if (tracee.gone()) return {};
  for (const auto& [address, original] : inserted_) {
    tracee.ForgetHidden(address);
    // Unmapped meanwhile, perhaps, and something else mapped there.
    const Result<std::byte> there = tracee.memory().ReadValue<std::byte>(address);
    if (!there.ok() || *there != kInt3Byte) continue;
    Result<void> restored = tracee.memory().WriteValue(address, original);
    if (!restored.ok()) CF_LOG(logger, kInfo, "%s", restored.error().message.c_str());
  }
  return ClearWatches(tracee);
}

}  // namespace chronofork
