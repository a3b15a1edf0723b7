// Places in code that the program has still to write when a replay begins to
// look for them. A probe there would lie in whatever memory it is now: it would
// be written over, or be read. A debug register changes nothing; it stops at
// each pass, so it gives way to a probe as soon as the code is there.
#include <array>
#include <cstddef>

#include "replay/replayer.h"

namespace chronofork {
namespace {

constexpr int kDebugRegisters = 4;
constexpr size_t kBytesOfCode = 16;  // at the place: as many as a probe may lie on

// RFLAGS.RF: the next instruction does not stop at a hardware breakpoint (Intel SDM vol. 3, 18.3.1.1).
constexpr uint64_t kResumeFlag = uint64_t{1} << 16;

}  // namespace

// Is what lies at the place now what will be executed there?
bool Replayer::CodeIsThere(const ActiveMatch& match) {
  if (match.code_seen) return true;
  if (!match.marker.reference) return false;
  const TraceeAddress at(match.marker.position.registers.rip);
  std::array<std::byte, kBytesOfCode> ours{}, theirs{};
  const size_t length = process_->memory().ReadAsItIs(at, ours);
  if (probes_) probes_->Conceal(at, std::span(ours).first(length));
  return length == match.marker.reference->memory().ReadAsItIs(at, theirs) && ours == theirs;
}

// True: a debug register waits at the place, and no probe is to be put there.
bool Replayer::AwaitCode(ActiveMatch& match, const Mapping& mapping) {
  if (!mapping.writable || CodeIsThere(match)) return false;
  int slot = kDebugRegisters - 1;
  for (const ActiveMatch& other : matches_)
    if (other.awaits_code_in >= 0 && other.awaits_code_in <= slot) slot = other.awaits_code_in - 1;
  if (slot < static_cast<int>(plan_->watches.size())) return false;
  // Refused in some sandboxes; then a probe is the best that there is.
  if (!process_->SetHardwareBreakpoint(slot, TraceeAddress(match.marker.position.registers.rip)).ok()) return false;
  match.awaits_code_in = slot;
  return true;
}

// At the hardware breakpoint where the process stands, when it is resumed.
void Replayer::LetStopAgain() {
  GeneralRegisters r = process_->registers();
  r.eflags &= ~kResumeFlag;
  r.orig_rax = ~0ull;
  process_->SetRegisters(r);
}

// `hits`: the debug registers that stopped the process, before the instruction.
Replayer::Outcome Replayer::OnAwaitedCode(unsigned hits) {
  LetStopAgain();
  kind_ = Position::Kind::kComputing;
  bool code_has_come = false;
  for (ActiveMatch& match : matches_) {
    if (match.awaits_code_in < 0 || !(hits >> match.awaits_code_in & 1)) continue;
    CF_TRY_ASSIGN(const std::optional<Mismatch> mismatch, Compare(match.marker));
    if (!mismatch) {
      CF_TRY_ASSIGN(const Arrival arrival, ArrivalAt(match));
      if (arrival != Arrival::kNotYet) return Arrive(arrival);
    }
    match.code_seen = CodeIsThere(match) || !match.marker.reference;
    code_has_come = code_has_come || match.code_seen;
  }
  if (code_has_come) {
    CF_TRY(Disarm());
    CF_TRY(Arm());
    return std::optional<ReplayStop>();
  }
  GeneralRegisters r = process_->registers();
  r.eflags |= kResumeFlag;
  process_->SetRegisters(r);
  return std::optional<ReplayStop>();
}

}  // namespace chronofork
