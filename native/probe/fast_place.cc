// Decode, look whether a jump fits, else one step.
#include "probe/fast_place.h"

#include "base/assert.h"
#include "probe/instruction.h"
#include "probe/probe_host.h"
#include "probe/probe_set.h"
#include "probe/site_plan.h"

namespace chronofork {
namespace {

// A loop of that many instructions has one that takes a jump, or is not tight.
constexpr int kMostSteps = 48;
constexpr uint64_t kTrapFlag = 0x100;

// Code is only looked at.
class Reader : public ProbeHost {
 public:
  explicit Reader(Tracee& process) : process_(process) {}
  Result<void> Read(TraceeAddress address, std::span<std::byte> out) override {
    return process_.memory().Read(address, out);
  }
  Result<void> Write(TraceeAddress, std::span<const std::byte>) override { return Refuse(); }
  Result<void> Map(TraceeAddress, uint64_t) override { return Refuse(); }
  Result<void> Unmap(TraceeAddress, uint64_t) override { return Refuse(); }
  std::vector<AddressRange> Mappings() override {
    if (mappings_.empty()) mappings_ = MappedWithRoomToGrow(process_.pid());
    return mappings_;
  }

 private:
  static Result<void> Refuse() { return Error{"internal", "Planning changes nothing.", "", 0, 0}; }
  Tracee& process_;
  std::vector<AddressRange> mappings_;
};

bool TakesJump(TraceeAddress pc, Reader& reader, CodeReader& code) {
  ProbeSpec spec;
  spec.address = pc;
  Result<std::vector<Site>> sites = PlanSites(std::span(&spec, 1), code);
  if (!sites.ok() || sites->size() != 1 || sites->front().kind != ProbeKind::kJump) return false;
  // Of a program that has reserved much, a jump may lead only to where something lies already.
  spec.match.emplace();
  Result<ProbeKind> kind = ProbeSet::KindAlone(reader, spec);
  return kind.ok() && kind.value() == ProbeKind::kJump;
}

bool MayBeStepped(const Instruction& instruction) {
  if (instruction.nondeterministic != kDeterministic || instruction.is_rep_string) return false;
  switch (instruction.flow) {
    case FlowKind::kNext:
    case FlowKind::kCall:
    case FlowKind::kReturn:
    case FlowKind::kJump:
    case FlowKind::kConditionalJump: return true;
    default: return false;
  }
}

}  // namespace

Result<SteppedOn> StepToFastPlace(Tracee& process) {
  SteppedOn result;
  Reader reader(process);
  CodeReader code(reader);
  if (process.registers().eflags & kTrapFlag) return result;  // the program steps itself
  for (int steps = 0; steps < kMostSteps;) {
    const TraceeAddress pc(process.registers().rip);
    if (TakesJump(pc, reader, code)) {
      result.fast = true;
      break;
    }
    const std::vector<std::byte> bytes = code.Read(pc, kMaxInstructionLength);
    const std::optional<Instruction> instruction = DecodeInstruction(bytes, pc);
    if (!instruction || !MayBeStepped(*instruction)) break;
    CF_TRY(process.Resume(ResumeMode::kStep));
    std::optional<Stop> stop = process.Wait();
    if (stop->kind == Stop::Kind::kInterrupted && stop->group_stop_signal == 0) continue;
    if (stop->kind != Stop::Kind::kSignal) {
      result.instead = stop;
      return result;
    }
    if (stop->siginfo.si_signo == SIGTRAP && stop->siginfo.si_code > 0) {
      const unsigned hits = process.watched() ? process.TakeDebugHits() : 0;
      process.NoteDebugHits(hits);
      if (hits != 0) {
        result.instead = stop;
        return result;
      }
      ++steps;
    } else if (IsFault(stop->siginfo)) {
      break;  // of the instruction itself: it comes again
    } else {
      result.arrived.push_back(stop->siginfo);
    }
  }
  return result;
}

}  // namespace chronofork
