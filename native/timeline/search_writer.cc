// From "this was the last touch of the watched memory" to the moment just
// before the instruction that made it.
//
// A watchpoint traps after the instruction; where it began is decoded
// backwards, counted by probes, and proved by executing it once more.
#include <set>

#include "base/log.h"
#include "probe/instruction.h"
#include "probe/rep_string.h"
#include "timeline/search.h"

namespace chronofork {
namespace {

Log logger("search");

// x86-64 instructions have at most 15 bytes; more gives the decoder a run-up.
constexpr uint64_t kRunUpBytes = 512;

bool AtRepString(Tracee& process) {
  const TraceeAddress pc(process.registers().rip);
  std::byte code[kMaxInstructionLength];
  const size_t length = process.memory().ReadSome(pc, code);
  const std::optional<Instruction> instruction = DecodeInstruction(std::span(code, length), pc);
  return instruction && instruction->is_rep_string;
}

Result<std::unique_ptr<Replayer>> Found(std::unique_ptr<Replayer> writer) {
  if (writer) return writer;
  return Error{"tooFar", "The instruction that wrote there could not be found in reasonable time.",
               "Set a breakpoint near it and continue backwards to that.", 0, 0};
}

}  // namespace

std::vector<std::byte> Search::Code(AddressRange range) {
  std::vector<std::byte> code(range.length());
  code.resize(engine_.process().memory().ReadSome(range.start, code));
  for (const auto& [address, original] : engine_.Patched())
    if (range.Contains(address) && address - range.start < code.size()) code[address - range.start] = original;
  return code;
}

// Instructions that can have been executed last when `hit` was seen.
std::vector<ProbeSpec> Search::WriterPlaces(const WatchHit& hit) {
  std::set<TraceeAddress> addresses;
  auto add_before = [&](TraceeAddress end) {
    TraceeAddress start = end - kRunUpBytes;
    std::vector<std::byte> code = Code({start, end + kMaxInstructionLength});
    if (code.size() < kRunUpBytes) {  // the mapping begins within the run-up
      start = end.PageStart();
      code = Code({start, end + kMaxInstructionLength});
    }
    if (auto before = PreviousInstruction(code, start, end)) addresses.insert(*before);
  };
  TraceeAddress after(hit.after.rip);
  add_before(after);
  std::vector<std::byte> here = Code({after, after + kMaxInstructionLength});
  auto instruction = DecodeInstruction(here, after);
  if (instruction && instruction->is_rep_string) addresses.insert(after);
  // A call writes its return address and is then somewhere else.
  Result<uint64_t> top = engine_.process().memory().ReadValue<uint64_t>(TraceeAddress(hit.after.rsp));
  if (top.ok()) add_before(TraceeAddress(top.value()));
  std::vector<ProbeSpec> places;
  for (TraceeAddress address : addresses) places.push_back(ProbeSpec{address});
  return places;
}

Result<std::unique_ptr<Replayer>> Search::GoToWriter(const Hit& hit, const Goal& goal) {
  copies_.clear();
  answer_at_start_ = false;
  const WatchHit& touched = *hit.watch;
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(hit.start));
  ReplayPlan plan = Plan();
  if (touched.kernel_event) {
    plan.end.emplace();
    plan.end->position.kind = Position::Kind::kAtSyscall;
    plan.end->position.event = *touched.kernel_event;
    CF_TRY_ASSIGN(ReplayStop stop, replay->Run(plan));
    if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
    return replay;
  }
  // == 1. To the touch before the wanted one.
  uint64_t seen = 0;
  plan.watches = WatchedTogether(goal, touched.watch);
  if (touched.number > 1) {
    plan.accept_watch = [&](size_t, const GeneralRegisters&) -> Result<bool> { return ++seen == touched.number - 1; };
    plan.accept_kernel_watch = [&](size_t, size_t) -> Result<bool> {
      ++seen;
      return false;  // the state before the call is too early to count from, but still before the writer
    };
    // When the touch before was the kernel's, stop at the end of its event instead: count on below.
    plan.tick = nullptr;
    CF_TRY_ASSIGN(ReplayStop stop, replay->Run(plan));
    if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
    if (stop.kind != ReplayStop::Kind::kWatch || AtRepString(replay->process())) {
      // The touch before was a system call's, or perhaps an earlier round of the same instruction, in whose middle no
      // replay may begin: begin again and count all touches.
      CF_TRY_ASSIGN(replay, engine_.ReplayFrom(hit.start));
      seen = 0;
    }
  }
  // == 2. How often are the candidates executed up to the touch?
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, replay->Copy());
  std::unique_ptr<Replayer> again = replay->GoOnFrom(std::move(copy), replay->position());
  ReplayPlan counting = Plan();
  counting.watches = WatchedTogether(goal, touched.watch);
  counting.probes = WriterPlaces(touched);
  counting.accept_watch = [&](size_t, const GeneralRegisters&) -> Result<bool> { return ++seen >= touched.number; };
  counting.accept_kernel_watch = [&](size_t, size_t) -> Result<bool> {
    ++seen;
    return false;
  };
  CF_TRY_ASSIGN(ReplayStop stop, replay->Run(counting));
  if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
  if (stop.kind != ReplayStop::Kind::kWatch)
    return Error{"diverged", "The same stretch was replayed twice and went differently.", "Please report this program.",
                 0, 0};
  // In the middle of a repeated string instruction nothing else can stop: its end is the touch.
  std::optional<size_t> last_counted = replay->last_counted();
  if (last_counted && counting.probes[*last_counted].address.value == replay->process().registers().rip)
    CF_TRY(FinishRepString(replay->process()));
  EndMarker touch{replay->position(), &replay->process(), {}};
  CF_TRY_ASSIGN(touch.reference_pages, replay->Written());
  touch.position.kind = Position::Kind::kComputing;
  uint64_t executed = replay->transitions();
  if (executed == 0) {
    CF_LOG(logger, kInfo, "the writing instruction before 0x%llx is not decoded: stepping to it", touched.after.rip);
    CF_TRY_ASSIGN(std::unique_ptr<Replayer> near, Narrow(std::move(again), touch));
    CF_TRY_ASSIGN(replay, StepUpTo(near, touch));
    return Found(std::move(replay));
  }
  // == 3. There; and the proof: executing it touches the watch.
  ReplayPlan last = Plan();
  last.probes = counting.probes;
  last.limit = executed;
  CF_TRY_ASSIGN(stop, again->Run(last));
  if (stop.kind != ReplayStop::Kind::kProbe)
    return Error{"diverged", "The same stretch was replayed twice and went differently.", "Please report this program.",
                 0, 0};
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> proof_copy, again->Copy());
  const std::unique_ptr<Replayer> proof = again->GoOnFrom(std::move(proof_copy), again->position());
  ReplayPlan nothing = Plan();
  CF_TRY(proof->Step(nothing));
  CF_TRY_ASSIGN(bool proved, proof->StandsAt(touch));
  if (proved) return again;
  // The last candidate executed was not the writer: step on to it.
  CF_TRY_ASSIGN(again, StepUpTo(again, touch));
  return Found(std::move(again));
}

}  // namespace chronofork
