// Probes in a replay: what is installed when, and proving that a moment in the
// middle of computing has been reached.
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "checkpoint/dirty_pages.h"
#include "checkpoint/pagemap.h"
#include "probe/instruction.h"
#include "replay/code_home.h"
#include "replay/memory_comparison.h"
#include "replay/replayer.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("match");

// Words this close above the stack pointer are looked at first: a loop's counter is mostly there.
constexpr uint64_t kNearStackBytes = 8192;

// In one round of such a loop everything is met that will ever be; the rest is for loops within it.
constexpr int kMostRounds = 1000;

constexpr size_t kAllDifferences = size_t{1} << 24;

// Where `address` lies, if it can be executed.
const Mapping* ExecutableAt(const std::vector<Mapping>& mappings, TraceeAddress address) {
  const Mapping* mapping = MappingAt(mappings, address);
  return mapping && mapping->executable ? mapping : nullptr;
}

// The XSAVE area without what may differ for equal values: the last x87
// instruction's address (bytes 6 … 23) and the header (464 … 575), which tells
// only which parts happen to be in their initial state. Intel SDM vol. 1, 13.4.
bool SameVectorState(const ExtendedRegisters& a, const ExtendedRegisters& b) {
  if (a.size() != b.size() || a.size() < 576) return a == b;
  auto same = [&](size_t from, size_t to) { return std::memcmp(a.data() + from, b.data() + from, to - from) == 0; };
  return same(0, 6) && same(24, 464) && same(576, a.size());
}

// A signal, or another thread's turn, in the middle of computing.
bool StrikesAnywhere(const Event& event) {
  return (event.kind == EventKind::kSignal || event.kind == EventKind::kSwitch) &&
         event.place == SignalPlace::kAnywhere;
}

// What the kernel may have written for calls that threads wait in: not a
// function of the program until they go on.
std::vector<AddressRange> PendingWrites(const ThreadContexts& threads) {
  std::vector<AddressRange> ranges;
  for (const auto& [tid, context] : threads)
    ranges.insert(ranges.end(), context->pending_writes.begin(), context->pending_writes.end());
  return ranges;
}

}  // namespace

Result<void> Replayer::Read(TraceeAddress address, std::span<std::byte> out) {
  return process_->memory().Read(address, out);
}
Result<void> Replayer::Write(TraceeAddress address, std::span<const std::byte> bytes) {
  return process_->memory().Write(address, bytes);
}

Result<void> Replayer::Map(TraceeAddress at, uint64_t length_bytes) {
  CF_TRY_ASSIGN(int64_t result,
                process_->Syscall(SYS_mmap, {at.value, length_bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, ~uint64_t{0}, 0}));
  if (static_cast<uint64_t>(result) != at.value) {
    char text[96];
    std::snprintf(text, sizeof text, "Memory for a probe (%llu bytes at 0x%llx) cannot be mapped",
                  static_cast<unsigned long long>(length_bytes), static_cast<unsigned long long>(at.value));
    return SystemError("mapFailed", text, static_cast<int>(-result), process_->pid());
  }
  return {};
}

Result<void> Replayer::Unmap(TraceeAddress at, uint64_t length_bytes) {
  CF_TRY(process_->Syscall(SYS_munmap, {at.value, length_bytes}));
  return {};
}

std::vector<AddressRange> Replayer::Mappings() {
  std::vector<AddressRange> ranges = MappedWithRoomToGrow(process_->pid());
  // Matches alone are taken out at the next event.
  const size_t last = plan_->probes.empty() ? event_ : plan_->end ? plan_->end->position.event : log_->size();
  for (size_t i = event_; i < std::min(last, log_->size()); ++i) {
    if (log_->IsRecord(i)) continue;
    const Event& event = log_->at(i);
    if (event.kind != EventKind::kSyscall || event.syscall_class != SyscallClass::kExecute || event.result < 0)
      continue;
    uint64_t start = static_cast<uint64_t>(event.result);
    if (event.number == SYS_mmap) ranges.push_back({TraceeAddress(start), TraceeAddress(start + event.arguments[1])});
    if (event.number == SYS_mremap) ranges.push_back({TraceeAddress(start), TraceeAddress(start + event.arguments[2])});
    if (event.number == SYS_brk && start > 0) ranges.push_back({TraceeAddress(start - 4096), TraceeAddress(start)});
  }
  return ranges;
}

Result<void> Replayer::SetWatches() {
  for (size_t slot = 0; slot < plan_->watches.size(); ++slot) {
    const WatchSpec& watch = plan_->watches[slot];
    CF_TRY(process_->SetWatch(static_cast<int>(slot), watch.address, static_cast<unsigned>(watch.length_bytes),
                              watch.write_only));
  }
  return {};
}

Result<void> Replayer::ClearWatches() {
  for (size_t slot = 0; slot < plan_->watches.size(); ++slot)
    CF_TRY(process_->ClearDebugRegister(static_cast<int>(slot)));
  for (ActiveMatch& match : matches_) {
    if (match.awaits_code_in >= 0) CF_TRY(process_->ClearDebugRegister(match.awaits_code_in));
    match.awaits_code_in = -1;
  }
  return {};
}

// Where the next event, a signal in the middle of computing, struck.
std::optional<EndMarker> Replayer::AsyncMarker() {
  if (event_ >= log_->size() || log_->IsRecord(event_)) return std::nullopt;
  const Event& next = log_->at(event_);
  if (!StrikesAnywhere(next)) return std::nullopt;
  std::optional<EndMarker> marker;
  if (async_reference) marker = async_reference(event_);
  if (!marker) {
    marker.emplace();
    marker->position = {Position::Kind::kComputing, event_, *next.registers};
  }
  return marker;
}

Result<void> Replayer::Arm() {
  LeavePatches();
  std::vector<Mapping> mappings = ReadMappings(process_->pid());
  std::vector<ProbeSpec> specs;
  pending_probes_ = false;
  probe_indices_.clear();
  for (ActiveMatch& match : matches_) {
    match.installed_index = kNotInstalled;
    const Mapping* mapping = ExecutableAt(mappings, TraceeAddress(match.marker.position.registers.rip));
    // A call to where no code is ends by itself, with a fault; see SignalStruck().
    if (!mapping) continue;
    if (AwaitCode(match, *mapping)) continue;
    match.installed_index = specs.size();
    ProbeSpec spec;
    spec.address = TraceeAddress(match.marker.position.registers.rip);
    spec.match = MatchCondition{match.marker.position.registers, match.words};
    specs.push_back(std::move(spec));
  }
  matches_installed_ = specs.size();
  for (size_t i = 0; i < plan_->probes.size(); ++i) {
    const CodeHome& home = plan_->probes[i].home;
    const Mapping* mapping = ExecutableAt(mappings, plan_->probes[i].address);
    if (!mapping || (home != CodeHome{} && HomeOf(*mapping) != home)) {
      pending_probes_ = true;
      continue;
    }
    probe_indices_.push_back(i);
    specs.push_back(plan_->probes[i]);
  }
  CF_TRY(SetWatches());
  if (specs.empty()) return {};
  CF_TRY_ASSIGN(probes_, ProbeSet::Install(*this, specs));
  for (size_t i = 0; logger.Enabled(LogLevel::kDebug) && i < specs.size(); ++i)
    if (probes_->KindOf(i) != ProbeKind::kJump)
      logger.Write(LogLevel::kDebug, "slow probe at 0x%llx: %s",
                   static_cast<unsigned long long>(specs[i].address.value), probes_->ReasonOf(i));
  CF_TRY(SetCounts());
  GeneralRegisters r = process_->registers();
  TraceeAddress pc(r.rip);
  TraceeAddress from = probes_->Redirect(pc);
  if (from == pc && !plan_->count_first && kind_ != Position::Kind::kEventEnd) {
    const std::optional<TraceeAddress> behind = probes_->ResumeAddress(pc);
    from = behind.value_or(pc);
    step_over_first_ = !behind;
  }
  if (from != pc) {
    r.rip = from.value;
    r.orig_rax = ~0ull;
    process_->SetRegisters(r);
  }
  return {};
}

// Is a probe of the plan where `call`, just made, has changed what is mapped?
bool Replayer::ConcernsProbes(const SyscallArguments& call, int64_t result) const {
  if (call.number != SYS_munmap && call.number != SYS_mmap) return false;
  const TraceeAddress start(call.number == SYS_mmap ? static_cast<uint64_t>(result) : call.values[0]);
  // One just before it may reach into it.
  const AddressRange changed{start - kMaxInstructionLength, start + ((call.values[1] + 4095) & ~uint64_t{4095})};
  return std::any_of(plan_->probes.begin(), plan_->probes.end(),
                     [&](const ProbeSpec& probe) { return changed.Contains(probe.address); });
}

Result<void> Replayer::Disarm() {
  CF_TRY(ClearWatches());
  if (!probes_) return {};
  LeavePatches();
  GeneralRegisters r = process_->registers();
  TraceeAddress original = probes_->Translate(TraceeAddress(r.rip));
  if (original.value != r.rip) {
    r.rip = original.value;
    r.orig_rax = ~0ull;
    process_->SetRegisters(r);
  }
  CF_TRY(NoteCounts());
  CF_TRY(NoteTallies());
  CF_TRY(DeliverLog());
  CF_TRY(probes_->Uninstall(*this));
  probes_.reset();
  step_over_first_ = false;
  return {};
}

Result<uint64_t> Replayer::CountNow() {
  if (!probes_ || !Counts(thread_)) return transitions_;
  return probes_->Transitions(*this);
}

TraceeAddress Replayer::ProgramCounter() {
  const TraceeAddress pc(process_->registers().rip);
  return probes_ ? probes_->Translate(pc) : pc;
}

Result<uint32_t> Replayer::GroupNow() {
  if (!probes_ || !Counts(thread_)) return last_group_;
  return probes_->LastGroup(*this);
}

// The counts live in the process; they outlive the probes here.
Result<void> Replayer::SetCounts() {
  if (!probes_) return {};
  CF_TRY(probes_->SetTransitions(*this, transitions_));
  CF_TRY(probes_->SetLastGroup(*this, last_group_));
  const uint64_t limit = plan_->accept ? std::max(transitions_ + 1, plan_->accept_from) : plan_->limit;
  return probes_->SetLimit(*this, Counts(thread_) ? limit : 0);
}

Result<void> Replayer::NoteCounts() {
  if (!probes_ || !Counts(thread_)) return {};
  CF_TRY_ASSIGN(const uint64_t transitions, probes_->Transitions(*this));
  if (std::exchange(transitions_, transitions) == transitions) return {};
  CF_TRY_ASSIGN(last_group_, probes_->LastGroup(*this));
  CF_TRY_ASSIGN(std::optional<size_t> counted, probes_->LastCounted(*this));
  if (counted && *counted >= matches_installed_) last_counted_ = probe_indices_[*counted - matches_installed_];
  return {};
}

// Once for each set of probes, when it goes: its numbers began at 0.
Result<void> Replayer::NoteTallies() {
  if (std::none_of(plan_->probes.begin(), plan_->probes.end(), [](const ProbeSpec& p) { return p.tally; })) return {};
  CF_TRY_ASSIGN(const std::vector<uint64_t> tallies, probes_->Tallies(*this));
  for (size_t i = matches_installed_; i < tallies.size(); ++i)
    tallies_[probe_indices_[i - matches_installed_]] += tallies[i];
  return {};
}

Result<void> Replayer::DeliverLog() {
  CF_TRY_ASSIGN(std::vector<ProbeLogEntry> entries, probes_->TakeLog(*this));
  if (!plan_->on_log || entries.empty()) return {};
  for (ProbeLogEntry& entry : entries) entry.probe = probe_indices_[entry.probe - matches_installed_];
  plan_->on_log(entries);
  return {};
}

// Matches are looked for only in the gap between events where they lie.
Result<void> Replayer::UpdateMatches() {
  bool want_end =
      plan_->end && plan_->end->position.kind == Position::Kind::kComputing && plan_->end->position.event == event_;
  bool want_async = event_ < log_->size() && !log_->IsRecord(event_) && StrikesAnywhere(log_->at(event_));
  // One of an earlier gap is none: two signals may strike with no other event between them.
  auto have = [this](bool is_async) {
    return std::any_of(matches_.begin(), matches_.end(), [&](const ActiveMatch& m) {
      return m.is_async == is_async && m.marker.position.event == event_;
    });
  };
  size_t wanted = (want_end ? 1u : 0u) + (want_async ? 1u : 0u);
  if (want_end == have(false) && want_async == have(true) && matches_.size() == wanted) return {};
  CF_TRY(Disarm());
  matches_.clear();
  if (want_end) matches_.push_back({*plan_->end, false, {}, 0});
  if (want_async) matches_.push_back({*AsyncMarker(), true, {}, 0});
  return Arm();
}

// A repeated string instruction is one execution, but many steps, of which each
// may touch what is watched. An interrupt may come before the first: the
// instruction is still to be executed.
Replayer::Outcome Replayer::StepOverInt3(const GeneralRegisters& registers) {
  process_->SetRegisters(registers);
  LeavePatches();
  const TraceeAddress at(registers.rip);
  // Below the probe's int3 lies one of ours: not that is to be executed, but what the recording has there.
  if (patched_.contains(at)) return OnMadeToTrap(at, ResumeMode::kContinue);
  CF_TRY(probes_->LiftInt3(*this, at));
  for (;;) {
    CF_TRY(process_->Resume(ResumeMode::kStep));
    const Stop stop = *process_->Wait();
    if (process_->gone()) return OnStop(stop, ResumeMode::kContinue);
    if (stop.kind == Stop::Kind::kInterrupted) {
      interrupting_ = false;
      continue;
    }
    const bool trapped = stop.kind == Stop::Kind::kSignal && stop.siginfo.si_signo == SIGTRAP;
    const bool again = trapped && probes_->StepAgain(at, TraceeAddress(process_->registers().rip));
    if (!again) CF_TRY(probes_->LowerInt3(*this, at));
    const unsigned hits = trapped && process_->watched() ? process_->TakeDebugHits() : 0;
    process_->NoteDebugHits(hits);
    if (!trapped) return OnStop(stop, ResumeMode::kContinue);
    if (hits != 0) {
      CF_TRY_ASSIGN(std::optional<ReplayStop> touched, OnTrap(stop.siginfo, ResumeMode::kContinue));
      if (touched && again) CF_TRY(probes_->LowerInt3(*this, at));
      if (touched) return touched;
    }
    if (!again) return std::optional<ReplayStop>();
  }
}

// Carries out what the probes say: go on, step over, or look closer.
Replayer::Outcome Replayer::Go(const TrapOutcome& outcome, const GeneralRegisters& registers) {
  if (probes_->LogWaits()) CF_TRY(DeliverLog());
  GeneralRegisters r = registers;
  r.orig_rax = ~0ull;
  switch (outcome.action) {
    case TrapAction::kNotOurs:
    case TrapAction::kResume: process_->SetRegisters(r); return std::optional<ReplayStop>();
    case TrapAction::kStepOver: return StepOverInt3(r);
    case TrapAction::kStop: break;
  }
  if (outcome.is_match) {
    for (ActiveMatch& match : matches_)
      if (match.installed_index == outcome.probe) return OnMatch(match, outcome, r);
  }
  return OnProbe(outcome, r);
}

Replayer::Outcome Replayer::OnProbe(const TrapOutcome& outcome, GeneralRegisters registers) {
  size_t index = probe_indices_[outcome.probe - matches_installed_];
  bool stop_here = true;
  process_->SetRegisters(registers);
  if (plan_->accept) {
    CF_TRY_ASSIGN(stop_here, plan_->accept(index, registers));
    if (!stop_here) {
      CF_TRY_ASSIGN(uint64_t transitions, probes_->Transitions(*this));
      CF_TRY(probes_->SetLimit(*this, transitions + 1));
    }
  }
  if (!stop_here) {
    CF_TRY_ASSIGN(TrapOutcome next, probes_->GoOn(*this, outcome, registers));
    return Go(next, registers);
  }
  ReplayStop stop;
  stop.kind = ReplayStop::Kind::kProbe;
  stop.probe = index;
  return std::optional(stop);
}

Replayer::Outcome Replayer::OnMatch(ActiveMatch& match, const TrapOutcome& outcome, GeneralRegisters registers) {
  process_->SetRegisters(registers);
  CF_TRY_ASSIGN(std::optional<Mismatch> mismatch, Compare(match.marker));
  if (mismatch) {
    CF_LOG(logger, kDebug, "not yet: %s", mismatch->what.c_str());
    if (mismatch->word) {
      if (match.words.size() >= kMaxMatchWords) match.words.erase(match.words.begin());
      match.words.push_back(*mismatch->word);
      CF_TRY(probes_->SetMatch(*this, match.installed_index,
                               MatchCondition{match.marker.position.registers, match.words}));
    }
    CF_TRY_ASSIGN(TrapOutcome next, probes_->GoOn(*this, outcome, registers));
    return Go(next, registers);
  }
  CF_TRY_ASSIGN(const Arrival arrival, ArrivalAt(match));
  if (arrival != Arrival::kNotYet) return Arrive(arrival);
  CF_TRY_ASSIGN(TrapOutcome next, probes_->GoOn(*this, outcome, registers));
  return Go(next, registers);
}

// Where the state is that of `match`: is it the place, too?
Result<Replayer::Arrival> Replayer::ArrivalAt(ActiveMatch& match) {
  const bool end_comes_first = match.is_async && plan_->end &&
                               plan_->end->position.kind == Position::Kind::kComputing &&
                               plan_->end->position.event == event_;
  if (!end_comes_first) return match.is_async ? Arrival::kStruck : Arrival::kEnd;
  // A loop that waits for another thread comes to the same state in each round: to that of what strikes perhaps
  // before that of the plan's end, which is earlier all the same.
  CF_TRY_ASSIGN(std::optional<Mismatch> from_end, Compare(*plan_->end));
  if (!from_end) return Arrival::kEnd;
  return ++match.passed <= kMostRounds ? Arrival::kNotYet : Arrival::kStruck;
}

Replayer::Outcome Replayer::Arrive(Arrival arrival) {
  if (arrival == Arrival::kStruck) return StruckHere();
  ReplayStop stop;
  stop.kind = ReplayStop::Kind::kReachedEnd;
  return std::optional(stop);
}

Result<std::optional<Replayer::Mismatch>> Replayer::Compare(const EndMarker& marker) {
  Mismatch mismatch;
  mismatch.what = DifferenceOf(marker.position.registers, process_->registers());
  if (!mismatch.what.empty()) return std::optional(mismatch);
  if (!marker.reference) return std::optional<Mismatch>();
  Tracee& reference = *marker.reference;
  TraceeAddress sp(process_->registers().rsp);
  std::vector<TraceeAddress> stack_pointers{sp};
  for (const auto& [tid, context] : others_) stack_pointers.push_back(TraceeAddress(context->registers.rsp));
  std::vector<AddressRange> ignored = PendingWrites(others_);
  for (const AddressRange& range : PendingWrites(marker.position.others)) ignored.push_back(range);
  // Where an event's number alone names the place, what came from outside since that event is no difference. In the
  // middle of computing it may be all that tells one round of a loop from the next.
  if (marker.position.kind != Position::Kind::kComputing)
    ignored.insert(ignored.end(), marker.position.shared.begin(), marker.position.shared.end());
  auto differ = [&](const PageSet& pages) {
    // With some of them ignored, all must be seen.
    std::vector<MemoryDifference> found =
        CompareMemory(*process_, probes_.get(), reference, pages, ignored.empty() ? 64 : kAllDifferences);
    std::erase_if(found, [&](const MemoryDifference& d) {
      return !d.mapping_differs && std::any_of(ignored.begin(), ignored.end(), [&](const AddressRange& range) {
        return range.Overlaps({d.address, d.address + sizeof(uint64_t)});
      });
    });
    return found;
  };
  auto compare = [&](const PageSet& pages) {
    std::vector<MemoryDifference> found = differ(pages);
    return found.empty() ? found : differ(Subtract(pages, DeadStack(process_->pid(), stack_pointers)));
  };
  std::vector<MemoryDifference> differences = compare(MakePageSet({{sp - 256, sp + kNearStackBytes}}));
  if (differences.empty()) {
    CF_TRY_ASSIGN(const PageSet written, Written());
    differences = compare(Union(written, marker.reference_pages));
  }
  if (differences.empty()) {
    CF_TRY_ASSIGN(ExtendedRegisters ours, process_->ReadExtended());
    CF_TRY_ASSIGN(ExtendedRegisters theirs, reference.ReadExtended());
    if (SameVectorState(ours, theirs)) return std::optional<Mismatch>();
    mismatch.what = "the vector or floating point registers differ";
    return std::optional(mismatch);
  }
  // The word nearest above the stack pointer is the likeliest to be a counter.
  auto best = std::find_if(differences.begin(), differences.end(),
                           [&](const MemoryDifference& d) { return !d.mapping_differs && d.address >= sp; });
  if (best == differences.end()) best = differences.begin();
  Result<uint64_t> word = process_->memory().ReadValue<uint64_t>(best->address);
  const uint64_t ours = word.ok() ? word.value() : 0;
  char text[128];
  if (best->mapping_differs)
    std::snprintf(text, sizeof text, "memory at 0x%llx is mapped in only one of both",
                  static_cast<unsigned long long>(best->address.value));
  else
    std::snprintf(text, sizeof text, "memory at 0x%llx differs: 0x%llx, not 0x%llx",
                  static_cast<unsigned long long>(best->address.value), static_cast<unsigned long long>(ours),
                  static_cast<unsigned long long>(best->expected));
  mismatch.what = text;
  if (!best->mapping_differs) mismatch.word = MemoryWord{best->address, best->expected};
  return std::optional(mismatch);
}

Result<bool> Replayer::StandsAt(const EndMarker& marker) {
  if (marker.position.event != event_) return false;
  CF_TRY_ASSIGN(std::optional<Mismatch> mismatch, Compare(marker));
  return !mismatch.has_value();
}

// An interrupt may find the process between the debuggee's own instructions:
// it is stepped out of our code. False: it stands at a trap of ours, which
// will be taken when it is resumed; no copy may be made here.
// The middle of a repeated string instruction is no place for a copy either:
// no other replay stops there.
Result<bool> Replayer::LeaveTrampoline() {
  TraceeAddress pc(process_->registers().rip);
  if (probes_) pc = probes_->Translate(pc);
  std::byte code[kMaxInstructionLength];
  size_t length = process_->memory().ReadSome(pc, code);
  if (probes_) probes_->Conceal(pc, std::span(code, length));
  std::optional<Instruction> instruction = DecodeInstruction(std::span(code, length), pc);
  if (instruction && instruction->is_rep_string) return false;
  if (!probes_) return true;
  while (probes_->StepOutNeeded(TraceeAddress(process_->registers().rip))) {
    LeavePatches();
    CF_TRY(process_->Resume(ResumeMode::kStep));
    std::optional<Stop> stop = process_->Wait();
    if (process_->gone()) return Error{"debuggeeGone", "A copy of the program was killed.", "", 0, process_->pid()};
    if (stop->kind != Stop::Kind::kSignal) return false;
    GeneralRegisters r = process_->registers();
    r.orig_rax = ~0ull;
    if (stop->siginfo.si_signo != SIGTRAP) {
      // A probe has read memory that is not there: it goes on where it knows.
      CF_TRY_ASSIGN(FaultAction action, probes_->HandleFault(*this, r));
      if (action != FaultAction::kResume) return false;
      process_->SetRegisters(r);
      continue;
    }
    if (!plan_->watches.empty()) process_->TakeDebugHits();  // the probe's reads, not the program's
    if (stop->siginfo.si_code != SI_KERNEL) continue;
    r.rip -= 1;  // back onto the int3
    process_->SetRegisters(r);
    return false;
  }
  return true;
}

// The same for a process that is going to be shown: its registers become the debuggee's.
Result<void> Replayer::ShowOriginalState() {
  if (!probes_) return {};
  CF_TRY_ASSIGN(bool clean, LeaveTrampoline());
  GeneralRegisters r = process_->registers();
  if (clean || !probes_->StepOutNeeded(TraceeAddress(r.rip))) {
    r.rip = probes_->Translate(TraceeAddress(r.rip)).value;
  } else {
    r.rip += 1;
    CF_TRY_ASSIGN(TrapOutcome outcome, probes_->HandleTrap(*this, r));
    r.rip =
        outcome.action == TrapAction::kStop ? outcome.address.value : probes_->Translate(TraceeAddress(r.rip)).value;
  }
  r.orig_rax = ~0ull;
  process_->SetRegisters(r);
  return {};
}

Result<void> Replayer::RemoveProbesFrom(Tracee& copy) {
  auto restore = [&](TraceeAddress address) -> Result<void> {
    std::byte bytes[16];
    size_t length = copy.memory().ReadSome(address, bytes);
    std::byte original[16];
    std::memcpy(original, bytes, sizeof bytes);
    probes_->Conceal(address, std::span(original, length));
    if (std::memcmp(bytes, original, length) != 0) return copy.memory().Write(address, std::span(original, length));
    return {};
  };
  for (const ActiveMatch& match : matches_) CF_TRY(restore(TraceeAddress(match.marker.position.registers.rip)));
  for (size_t index : probe_indices_) CF_TRY(restore(plan_->probes[index].address));
  GeneralRegisters r = copy.registers();
  r.rip = probes_->Translate(TraceeAddress(r.rip)).value;
  copy.SetRegisters(r);
  for (const AddressRange& range : probes_->OwnRanges())
    CF_TRY(copy.Syscall(SYS_munmap, {range.start.value, range.length()}));
  return {};
}

Result<std::unique_ptr<Tracee>> Replayer::Copy() {
  // From here on these pages are shared again, and no longer seen as written.
  CF_TRY_ASSIGN(PageSet written, ExclusivePages(process_->pid()));
  written_ = Union(written_, written);
  unkept_ = Union(unkept_, written);
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, process_->Fork());
  if (probes_) CF_TRY(RemoveProbesFrom(*copy));
  if (calls_) CF_TRY(calls_->RemoveFrom(*copy));
  return copy;
}

Result<std::unique_ptr<Tracee>> Replayer::CopyToKeep(PageSet* written) {
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, Copy());
  *written = std::exchange(unkept_, {});
  return copy;
}

std::unique_ptr<Replayer> Replayer::GoOnFrom(std::unique_ptr<Tracee> copy, Position position) const {
  auto made = std::make_unique<Replayer>(std::move(copy), *log_, std::move(position), patched_);
  made->async_reference = async_reference;
  made->written_ = written_;
  made->unkept_ = unkept_;
  return made;
}

Result<PageSet> Replayer::Written() const {
  CF_TRY_ASSIGN(const PageSet since_copy, ExclusivePages(process_->pid()));
  return Union(written_, since_copy);
}

Result<PageSet> Replayer::WrittenIn(const PageSet& where) const {
  CF_TRY_ASSIGN(const Pagemap pagemap, Pagemap::Open(process_->pid()));
  CF_TRY_ASSIGN(const PageSet since_copy, pagemap.ExclusivePagesIn(where));
  return Union(written_, since_copy);
}

}  // namespace chronofork
