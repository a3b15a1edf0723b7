// Installing, trapping, going on and taking out: the life of a set of probes.
#include "probe/probe_set.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "probe/hit_log.h"
#include "probe/instrumentation.h"
#include "probe/probe_layout.h"
#include "probe/site_plan.h"

namespace chronofork {
namespace {

const Log& ProbeLog() {
  static const Log log("probe");
  return log;
}

// Writes nearer to each other than this are made as one, zeros between them:
// only within pages that are ours and new.
constexpr uint64_t kMergeGapBytes = 4096;

std::span<const std::byte> BytesOf(const SharedCounters& counters) {
  return std::as_bytes(std::span<const SharedCounters, 1>(&counters, 1));
}

// `regions` are in order and do not overlap.
const AddressRange* FindRegion(const std::vector<AddressRange>& regions, TraceeAddress address) {
  auto after = std::upper_bound(regions.begin(), regions.end(), address,
                                [](TraceeAddress a, const AddressRange& region) { return a < region.start; });
  if (after == regions.begin() || !std::prev(after)->Contains(address)) return nullptr;
  return &*std::prev(after);
}

Result<void> WriteContents(ProbeHost& host, const ProbeLayout& layout) {
  std::vector<std::byte> run;
  TraceeAddress run_start;
  for (const auto& [address, bytes] : layout.contents) {
    const bool same_region = FindRegion(layout.regions, run_start) == FindRegion(layout.regions, address);
    if (!run.empty() && (!same_region || address - (run_start + run.size()) > kMergeGapBytes)) {
      CF_TRY(host.Write(run_start, run));
      run.clear();
    }
    if (run.empty()) run_start = address;
    run.resize(address - run_start);
    run.insert(run.end(), bytes.begin(), bytes.end());
  }
  if (!run.empty()) CF_TRY(host.Write(run_start, run));
  return {};
}

enum class PatchStep { kPutIn, kTakeOut };

// All patches of a page in one read and one write. Bytes that are not what
// they should be (the debuggee has changed its code) are left alone.
Result<void> ApplyPatches(ProbeHost& host, std::span<const Patch> patches, PatchStep step) {
  for (size_t first = 0; first < patches.size();) {
    const TraceeAddress start = patches[first].address;
    size_t end = first;
    while (end < patches.size() && patches[end].address.PageStart() == start.PageStart()) ++end;
    const Patch& last = patches[end - 1];
    std::vector<std::byte> bytes(last.address + last.original.size() - start);
    const Result<void> read = host.Read(start, bytes);
    if (!read.ok() && step == PatchStep::kPutIn) return read;
    const std::vector<std::byte> before = bytes;
    for (const Patch& patch : patches.subspan(first, end - first)) {
      const auto& expected = step == PatchStep::kPutIn ? patch.original : patch.patched;
      const auto& wanted = step == PatchStep::kPutIn ? patch.patched : patch.original;
      const auto at = bytes.begin() + static_cast<ptrdiff_t>(patch.address - start);
      if (std::equal(expected.begin(), expected.end(), at)) std::copy(wanted.begin(), wanted.end(), at);
    }
    // What was unmapped has no patch any more.
    if (read.ok() && bytes != before) CF_TRY(host.Write(start, bytes));
    first = end;
  }
  return {};
}

}  // namespace

struct ProbeSet::Parts {
  std::vector<ProbeSpec> specs;
  ProbeLayout layout;
  uint64_t limit = 0;
  HitLog log;
  std::map<size_t, uint64_t> trapped_tallies;  // of int3 probes

  // The point that `pc`, in our pages, belongs to; nullptr if no code is there.
  const CodePoint* PointOf(TraceeAddress pc) const {
    if (FindRegion(layout.regions, pc) == nullptr) return nullptr;
    auto after = layout.points.upper_bound(pc);
    return after == layout.points.begin() ? nullptr : &std::prev(after)->second;
  }

  Result<SharedCounters> ReadCounters(ProbeHost& host) const {
    SharedCounters counters;
    CF_TRY(host.Read(layout.counters, std::as_writable_bytes(std::span<SharedCounters, 1>(&counters, 1))));
    return counters;
  }
  Result<void> WriteCounters(ProbeHost& host, const SharedCounters& counters) const {
    return host.Write(layout.counters, BytesOf(counters));
  }

  // Does the condition hold? Words that cannot be read do not agree.
  bool Matches(ProbeHost& host, const MatchCondition& condition, const GeneralRegisters& registers) const {
    if (!RegistersAgree(condition.registers, registers)) return false;
    for (const MemoryWord& word : condition.words) {
      uint64_t value = 0;
      if (!host.Read(word.address, std::as_writable_bytes(std::span<uint64_t, 1>(&value, 1))).ok()) return false;
      if (value != word.value) return false;
    }
    return true;
  }

  void Conceal(TraceeAddress address, std::span<std::byte> bytes) const;

  // Takes over what is noted in the process. `counters` are still to be written.
  Result<void> EmptyLog(ProbeHost& host, SharedCounters& counters) {
    if (counters.log_next == layout.log.start.value) return {};
    std::vector<std::byte> entries(counters.log_next - layout.log.start.value);
    CF_TRY(host.Read(layout.log.start, entries));
    log.AppendNoted(entries, specs, limit);
    counters.log_next = layout.log.start.value;
    return {};
  }

  // A transition probe in C++: true if it stops here.
  Result<bool> Count(ProbeHost& host, size_t probe, const GeneralRegisters& registers) {
    const ProbeSpec& spec = specs[probe];
    if (spec.rsp_range && !spec.rsp_range->Contains(TraceeAddress(registers.rsp))) return false;
    const MemoryReader read = [&](TraceeAddress address, std::span<std::byte> out) -> Result<void> {
      CF_TRY(host.Read(address, out));
      Conceal(address, out);
      return {};
    };
    if (!AnyHolds(spec.conditions, registers, read)) return false;
    CF_TRY_ASSIGN(SharedCounters counters, ReadCounters(host));
    const uint64_t before = counters.remaining;
    const bool stops = CountTransition(spec, static_cast<uint32_t>(probe), registers.rsp, counters);
    if (counters.remaining == before) return false;  // the same group again
    if (!spec.log.empty()) {
      CF_TRY(EmptyLog(host, counters));
      log.Append(spec, probe, limit - counters.remaining, registers, read);
    }
    CF_TRY(WriteCounters(host, counters));
    return stops;
  }

  // The probes of an int3 place from number `next` on, in C++.
  Result<TrapOutcome> Evaluate(ProbeHost& host, TraceeAddress address, size_t next, GeneralRegisters& registers) {
    const Place& place = layout.places.at(address);
    registers.rip = address.value;
    for (; next < place.probes.size(); ++next) {
      const size_t probe = place.probes[next];
      const ProbeSpec& spec = specs[probe];
      bool stops = false;
      if (spec.tally) {
        ++trapped_tallies[probe];
      } else if (spec.match) {
        stops = Matches(host, *spec.match, registers);
      } else {
        CF_TRY_ASSIGN(stops, Count(host, probe, registers));
      }
      if (!stops) continue;
      return TrapOutcome{.action = TrapAction::kStop,
                         .probe = probe,
                         .is_match = spec.match.has_value(),
                         .address = address,
                         .resume = {},
                         .next = next + 1};
    }
    TrapOutcome outcome;
    outcome.address = address;
    outcome.action = place.copy == TraceeAddress() ? TrapAction::kStepOver : TrapAction::kResume;
    if (outcome.action == TrapAction::kResume) registers.rip = place.copy.value;
    return outcome;
  }

  const Patch* PatchAt(TraceeAddress address) const {
    const auto found = std::lower_bound(layout.patches.begin(), layout.patches.end(), address,
                                        [](const Patch& patch, TraceeAddress a) { return patch.address < a; });
    return found != layout.patches.end() && found->address == address ? &*found : nullptr;
  }
};

void ProbeSet::Parts::Conceal(TraceeAddress address, std::span<std::byte> bytes) const {
  const AddressRange read{address, address + bytes.size()};
  const auto& patches = layout.patches;
  // A patch that begins up to four bytes before may reach in.
  auto patch = std::lower_bound(patches.begin(), patches.end(), address, [](const Patch& p, TraceeAddress a) {
    return p.address.value + p.original.size() <= a.value;
  });
  for (; patch != patches.end() && patch->address < read.end; ++patch) {
    for (size_t i = 0; i < patch->original.size(); ++i) {
      const TraceeAddress at = patch->address + i;
      if (read.Contains(at) && bytes[at - address] == patch->patched[i]) bytes[at - address] = patch->original[i];
    }
  }
}

ProbeSet::ProbeSet(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
ProbeSet::~ProbeSet() = default;

Result<std::unique_ptr<ProbeSet>> ProbeSet::Install(ProbeHost& host, std::span<const ProbeSpec> specs) {
  for (const ProbeSpec& spec : specs) {
    CHRONOFORK_ASSERT(!spec.match || spec.match->words.size() <= kMaxMatchWords);
    CHRONOFORK_ASSERT(spec.log.size() <= kMaxLogItems);
    for (const LogItem& item : spec.log) CHRONOFORK_ASSERT(item.length_bytes <= kMaxLoggedBlock);
  }
  auto parts = std::make_unique<Parts>();
  parts->specs.assign(specs.begin(), specs.end());
  CodeReader code(host);
  CF_TRY_ASSIGN(std::vector<Site> sites, PlanSites(specs, code));
  const std::vector<AddressRange> mappings = host.Mappings();
  AddressRoom room(mappings);
  CF_TRY_ASSIGN(parts->layout, LayOutProbes(specs, std::move(sites), code, room));
  ProbeLayout& layout = parts->layout;
  SharedCounters none;
  none.log_next = layout.log.start.value;
  none.log_end = layout.log.end.value;
  layout.contents[layout.counters].assign(BytesOf(none).begin(), BytesOf(none).end());

  const auto put_in = [&](size_t& mapped) -> Result<void> {
    for (; mapped < layout.regions.size(); ++mapped) {
      CF_TRY(host.Map(layout.regions[mapped].start, layout.regions[mapped].length()));
    }
    CF_TRY(WriteContents(host, layout));
    return ApplyPatches(host, layout.patches, PatchStep::kPutIn);
  };
  size_t mapped = 0;
  if (auto done = put_in(mapped); !done.ok()) {
    (void)ApplyPatches(host, layout.patches, PatchStep::kTakeOut);
    while (mapped > 0) {
      --mapped;
      (void)host.Unmap(layout.regions[mapped].start, layout.regions[mapped].length());
    }
    return std::move(done).error();
  }
  for (const auto& [address, place] : layout.places)
    if (place.kind != ProbeKind::kJump && !place.probes.empty())
      CF_LOG(ProbeLog(), kDebug, "traps at 0x%lx: %s", address.value, place.reason);
  CF_LOG(ProbeLog(), kDebug, "%zu probes, %zu patches, %zu regions", specs.size(), layout.patches.size(),
         layout.regions.size());
  return std::unique_ptr<ProbeSet>(new ProbeSet(std::move(parts)));
}

Result<ProbeKind> ProbeSet::KindAlone(ProbeHost& host, const ProbeSpec& spec) {
  const std::span<const ProbeSpec> specs(&spec, 1);
  CodeReader code(host);
  CF_TRY_ASSIGN(std::vector<Site> sites, PlanSites(specs, code));
  const std::vector<AddressRange> mappings = host.Mappings();
  AddressRoom room(mappings);
  CF_TRY_ASSIGN(const ProbeLayout layout, LayOutProbes(specs, std::move(sites), code, room));
  return layout.places.at(spec.address).kind;
}

Result<void> ProbeSet::Uninstall(ProbeHost& host) {
  CF_TRY(ApplyPatches(host, parts_->layout.patches, PatchStep::kTakeOut));
  for (const AddressRange& region : parts_->layout.regions) CF_TRY(host.Unmap(region.start, region.length()));
  parts_ = std::make_unique<Parts>();
  return {};
}

Result<void> ProbeSet::SetLimit(ProbeHost& host, uint64_t limit) {
  CF_TRY_ASSIGN(SharedCounters counters, parts_->ReadCounters(host));
  CF_TRY(parts_->EmptyLog(host, counters));  // entries count up to the limit of their time
  counters.remaining += limit - parts_->limit;
  parts_->limit = limit;
  return parts_->WriteCounters(host, counters);
}

Result<void> ProbeSet::SetLastGroup(ProbeHost& host, uint32_t group) {
  CF_TRY_ASSIGN(SharedCounters counters, parts_->ReadCounters(host));
  counters.last_group = group;
  return parts_->WriteCounters(host, counters);
}

Result<void> ProbeSet::SetTransitions(ProbeHost& host, uint64_t transitions) {
  CF_TRY_ASSIGN(SharedCounters counters, parts_->ReadCounters(host));
  CF_TRY(parts_->EmptyLog(host, counters));
  counters.remaining = parts_->limit - transitions;
  return parts_->WriteCounters(host, counters);
}

Result<uint64_t> ProbeSet::Transitions(ProbeHost& host) {
  CF_TRY_ASSIGN(const SharedCounters counters, parts_->ReadCounters(host));
  return parts_->limit - counters.remaining;
}

Result<uint32_t> ProbeSet::LastGroup(ProbeHost& host) {
  CF_TRY_ASSIGN(const SharedCounters counters, parts_->ReadCounters(host));
  return counters.last_group;
}

Result<std::optional<size_t>> ProbeSet::LastCounted(ProbeHost& host) {
  CF_TRY_ASSIGN(const SharedCounters counters, parts_->ReadCounters(host));
  if (counters.last_counted == SharedCounters::kNoneCounted) return std::optional<size_t>();
  return std::optional<size_t>(counters.last_counted);
}

Result<std::vector<uint64_t>> ProbeSet::Tallies(ProbeHost& host) {
  std::vector<uint64_t> tallies(parts_->specs.size());
  for (const TallyRange& range : parts_->layout.tallies) {
    std::vector<uint64_t> numbers(range.probes.size());
    if (!numbers.empty()) CF_TRY(host.Read(range.start, std::as_writable_bytes(std::span(numbers))));
    for (size_t i = 0; i < numbers.size(); ++i) tallies[range.probes[i]] += numbers[i];
  }
  for (const auto& [probe, count] : parts_->trapped_tallies) tallies[probe] += count;
  return tallies;
}

Result<void> ProbeSet::SetMatch(ProbeHost& host, size_t probe, const MatchCondition& condition) {
  CHRONOFORK_ASSERT(probe < parts_->specs.size() && parts_->specs[probe].match.has_value());
  CHRONOFORK_ASSERT(condition.words.size() <= kMaxMatchWords);
  parts_->specs[probe].match = condition;
  if (!parts_->layout.matches.contains(probe)) return {};
  const auto code = LayOutMatch(probe, condition, parts_->layout);
  return host.Write(parts_->layout.matches.at(probe).block, code);
}

Result<TrapOutcome> ProbeSet::HandleTrap(ProbeHost& host, GeneralRegisters& registers) {
  const ProbeLayout& layout = parts_->layout;
  const TraceeAddress at(registers.rip - 1);
  if (const auto trap = layout.traps.find(at); trap != layout.traps.end()) {
    const TrapPoint& point = trap->second;
    registers.rip = point.address.value;
    TrapOutcome outcome{.action = TrapAction::kStop,
                        .probe = point.probe,
                        .is_match = point.kind == TrapKind::kMatch,
                        .address = point.address,
                        .resume = point.resume,
                        .next = 0};
    if (point.kind == TrapKind::kFull) {
      CF_TRY_ASSIGN(SharedCounters counters, parts_->ReadCounters(host));
      CF_TRY(parts_->EmptyLog(host, counters));
      CF_TRY(parts_->WriteCounters(host, counters));
      return GoOn(host, outcome, registers);
    }
    if (point.kind != TrapKind::kAsk) return outcome;
    CF_TRY_ASSIGN(const bool stops, parts_->Count(host, point.probe, registers));
    if (stops) return outcome;
    return GoOn(host, outcome, registers);
  }
  if (const auto interior = layout.interior.find(at); interior != layout.interior.end()) {
    registers.rip = interior->second.value;
    TrapOutcome outcome;
    outcome.action = TrapAction::kResume;
    outcome.address = at;
    return outcome;
  }
  const auto place = layout.places.find(at);
  if (place == layout.places.end() || place->second.kind == ProbeKind::kJump) return TrapOutcome{};
  return parts_->Evaluate(host, at, 0, registers);
}

Result<TrapOutcome> ProbeSet::GoOn(ProbeHost& host, const TrapOutcome& stop, GeneralRegisters& registers) {
  CHRONOFORK_ASSERT(stop.action == TrapAction::kStop);
  if (stop.resume == TraceeAddress()) return parts_->Evaluate(host, stop.address, stop.next, registers);
  registers.rip = stop.resume.value;
  TrapOutcome outcome;
  outcome.action = TrapAction::kResume;
  outcome.address = stop.address;
  return outcome;
}

Result<FaultAction> ProbeSet::HandleFault(ProbeHost&, GeneralRegisters& registers) {
  const TraceeAddress pc(registers.rip);
  const CodePoint* point = parts_->PointOf(pc);
  if (point == nullptr) return FaultAction::kNotOurs;
  if (point->state != PointState::kInside) {
    registers.rip = point->original.value;
    return FaultAction::kDebuggee;
  }
  for (const auto& [probe, match] : parts_->layout.matches) {
    if (!AddressRange{match.block, match.block + kMaxMatchCodeBytes}.Contains(pc)) continue;
    registers.rip = match.mismatch.value;
    return FaultAction::kResume;
  }
  auto after = parts_->layout.evaluations.upper_bound(pc);
  if (after != parts_->layout.evaluations.begin() && pc < std::prev(after)->second.end) {
    registers.rip = std::prev(after)->second.no_value.value;
    return FaultAction::kResume;
  }
  return Error{.code = "probeFault", .message = "a probe's own code faulted", .remedy = ""};
}

std::optional<TraceeAddress> ProbeSet::ResumeAddress(TraceeAddress address) const {
  const ProbeLayout& layout = parts_->layout;
  if (const auto place = layout.places.find(address); place != layout.places.end()) {
    if (place->second.copy == TraceeAddress()) return std::nullopt;
    return place->second.copy;
  }
  return Redirect(address);
}

Result<void> ProbeSet::LiftInt3(ProbeHost& host, TraceeAddress address) {
  const Patch* patch = parts_->PatchAt(address);
  CHRONOFORK_ASSERT(patch != nullptr && patch->original.size() == 1);
  return host.Write(address, patch->original);
}

Result<void> ProbeSet::LowerInt3(ProbeHost& host, TraceeAddress address) {
  const Patch* patch = parts_->PatchAt(address);
  CHRONOFORK_ASSERT(patch != nullptr && patch->original.size() == 1);
  return host.Write(address, patch->patched);
}

bool ProbeSet::StepAgain(TraceeAddress address, TraceeAddress pc_after_step) const {
  return pc_after_step == address && parts_->layout.places.at(address).is_rep_string;
}

TraceeAddress ProbeSet::Redirect(TraceeAddress pc) const {
  const auto interior = parts_->layout.interior.find(pc);
  return interior == parts_->layout.interior.end() ? pc : interior->second;
}

TraceeAddress ProbeSet::Translate(TraceeAddress pc) const {
  const CodePoint* point = parts_->PointOf(pc);
  return point == nullptr ? pc : point->original;
}

bool ProbeSet::StepOutNeeded(TraceeAddress pc) const {
  const CodePoint* point = parts_->PointOf(pc);
  return point != nullptr && point->state == PointState::kInside;
}

bool ProbeSet::IsAfterProbes(TraceeAddress pc) const {
  const CodePoint* point = parts_->PointOf(pc);
  return point != nullptr && point->state == PointState::kAfter;
}

void ProbeSet::Conceal(TraceeAddress address, std::span<std::byte> bytes) const { parts_->Conceal(address, bytes); }

bool ProbeSet::LogWaits() const { return parts_->log.IsLong(); }

Result<std::vector<ProbeLogEntry>> ProbeSet::TakeLog(ProbeHost& host) {
  if (parts_->layout.log.length() > 0) {
    CF_TRY_ASSIGN(SharedCounters counters, parts_->ReadCounters(host));
    CF_TRY(parts_->EmptyLog(host, counters));
    CF_TRY(parts_->WriteCounters(host, counters));
  }
  return parts_->log.Take();
}

std::vector<AddressRange> ProbeSet::OwnRanges() const { return parts_->layout.regions; }

ProbeKind ProbeSet::KindOf(size_t probe) const { return parts_->layout.places.at(parts_->specs[probe].address).kind; }

const char* ProbeSet::ReasonOf(size_t probe) const {
  return parts_->layout.places.at(parts_->specs[probe].address).reason;
}

}  // namespace chronofork
