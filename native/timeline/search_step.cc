// One instruction back.
//
// == 1. Which instructions can come just before pc? Decoded in the function:
//       the one above, jumps to pc, the call that led to the function's start.
// == 2. The last time one of them was executed is found as any place is.
// == 3. From there, single steps up to the present; the step before it is the answer.
//
// Where the code cannot be decoded, copies are taken at ever shorter times
// before the present instead (Narrow), until single steps are few.
#include <signal.h>

#include <algorithm>

#include "base/log.h"
#include "probe/instruction.h"
#include "timeline/search.h"

namespace chronofork {
namespace {

Log logger("search");

// Single steps cost 17–57 µs: this many are a second or two.
constexpr size_t kMaxSteps = 40'000;
// A copy every so many steps: the way back to the last of them is then short.
constexpr size_t kStepsPerCopy = 256;

Error TooFar() {
  return Error{"tooFar", "The instruction before this one could not be found in reasonable time.",
               "Step back by lines, or set a breakpoint and continue backwards to it.", 0, 0};
}

}  // namespace

std::vector<ProbeSpec> Search::Predecessors(const std::vector<AddressRange>& functions) {
  std::vector<ProbeSpec> places;
  TraceeAddress pc(engine_.process().registers().rip);
  auto add = [&](TraceeAddress address) {
    if (std::none_of(places.begin(), places.end(), [&](const ProbeSpec& p) { return p.address == address; }))
      places.push_back(ProbeSpec{address, 0, {}, {}});
  };
  auto add_before = [&](TraceeAddress end) {
    TraceeAddress start = std::max(end.PageStart(), end - 512 < end ? end - 512 : end.PageStart());
    std::vector<std::byte> code = Code({start, end + kMaxInstructionLength});
    if (auto before = PreviousInstruction(code, start, end)) add(*before);
  };
  bool known = false;
  for (const AddressRange& function : functions) {
    if (!function.Contains(pc)) continue;
    std::vector<std::byte> code = Code(function);
    std::vector<TraceeAddress> starts = FindInstructionStarts(code, function.start);
    known = std::find(starts.begin(), starts.end(), pc) != starts.end();
    if (!known) break;
    for (TraceeAddress start : starts) {
      auto instruction = DecodeInstruction(std::span(code).subspan(start - function.start), start);
      if (!instruction) continue;
      bool falls = instruction->end() == pc && instruction->flow != FlowKind::kJump && !instruction->is_return();
      bool jumps = instruction->is_branch() && (!instruction->target || *instruction->target == pc);
      if (falls || jumps) add(start);
    }
  }
  if (!known) add_before(pc);
  // At a function's first instruction, the call that led here.
  Result<uint64_t> top =
      engine_.process().memory().ReadValue<uint64_t>(TraceeAddress(engine_.process().registers().rsp));
  if (top.ok()) add_before(TraceeAddress(top.value()));
  return places;
}

Result<StopReply> Search::StepBack(const std::vector<AddressRange>& functions, OperationResult* result) {
  std::optional<Interval> interval = Before(std::nullopt);
  if (!interval) return Begin(result);
  Position now = interval->end.position;
  Goal goal;
  goal.probes = Predecessors(functions);
  std::unique_ptr<Replayer> near;
  size_t start = interval->start;
  copies_.clear();
  answer_at_start_ = false;
  const EventLog& log = *engine_.branch().log;
  if (now.kind == Position::Kind::kEventEnd && now.event > 0 && log.at(now.event - 1).kind == EventKind::kSyscall &&
      now.event > engine_.branch().line[start]->position.event) {
    // The instruction before is the system call itself.
    CF_TRY_ASSIGN(near, engine_.ReplayFrom(start));
    ReplayPlan plan = Plan();
    plan.end.emplace();
    plan.end->position.kind = Position::Kind::kAtSyscall;
    plan.end->position.event = now.event - 1;
    CF_TRY_ASSIGN(ReplayStop stop, near->Run(plan));
    if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
    Arrive(std::move(near), start, false, {});
    return Plain();
  }
  // Only the interval up to the present holds the instruction before it.
  CF_TRY_ASSIGN(std::optional<Hit> hit, LastHitIn(*interval, goal));
  std::unique_ptr<Replayer> answer;
  if (hit) {
    CF_TRY_ASSIGN(near, GoTo(*hit, goal));
    CF_TRY_ASSIGN(Goal returns, ReturnsOfCall(*near, now.registers));
    if (!returns.probes.empty()) {
      CF_TRY_ASSIGN(std::optional<Hit> returned, LastHitIn(*interval, returns));
      if (returned) {
        CF_TRY_ASSIGN(near, GoTo(*returned, returns));
      }
    }
    CF_TRY_ASSIGN(answer, StepUpTo(std::move(near), interval->end));
  }
  if (!answer) {
    CF_TRY_ASSIGN(near, AtLastEvent(start, now.event));
    CF_TRY_ASSIGN(near, Narrow(std::move(near), interval->end));
    CF_TRY_ASSIGN(answer, StepUpTo(std::move(near), interval->end));
  }
  if (!answer) return TooFar();
  const Checkpoint& from = *engine_.branch().line[start];
  bool at_start = copies_.empty() && answer->event() == from.position.event &&
                  DifferenceOf(from.position.registers, answer->process().registers()).empty();
  if (at_start) {
    CF_TRY_ASSIGN(at_start, answer->StandsAt(engine_.MarkerOf(start)));
  }
  Arrive(std::move(answer), start, at_start, std::move(copies_));
  return Plain();
}

// Where `at` stands at a call that has returned to `after`: the return
// instructions of what it calls, with the stack pointer that they have then.
Result<Search::Goal> Search::ReturnsOfCall(Replayer& at, const GeneralRegisters& after) {
  constexpr uint64_t kSearchedBytes = 64 * 1024;
  Goal goal;
  auto decode = [&](Replayer& replay) {
    const TraceeAddress pc(replay.process().registers().rip);
    return DecodeInstruction(Code({pc, pc + kMaxInstructionLength}), pc);
  };
  std::optional<Instruction> call = decode(at);
  if (!call || call->flow != FlowKind::kCall || call->end().value != after.rip) return goal;
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, at.Copy());
  Replayer inside(std::move(copy), at.log(), at.position(), at.patched());
  ReplayPlan plan = Plan();
  CF_TRY(inside.Step(plan));
  // On over the linkage table: `endbr64; jmp *…`, `jmp *…`.
  for (int jumps = 0; jumps < 3; ++jumps) {
    std::optional<Instruction> here = decode(inside);
    if (!here) break;
    const AddressRange behind{here->end(), here->end() + kMaxInstructionLength};
    std::optional<Instruction> next = DecodeInstruction(Code(behind), behind.start);
    const bool jumps_next = here->flow == FlowKind::kNext && next && next->flow == FlowKind::kJump;
    if (here->flow != FlowKind::kJump && !jumps_next) break;
    CF_TRY(inside.Step(plan));
    if (jumps_next) CF_TRY(inside.Step(plan));
  }
  const TraceeAddress entry(inside.process().registers().rip);
  std::vector<std::byte> code = Code({entry, entry + kSearchedBytes});
  const AddressRange on_stack{TraceeAddress(after.rsp - 8), TraceeAddress(after.rsp - 7)};
  for (TraceeAddress start : FindInstructionStarts(code, entry)) {
    auto instruction = DecodeInstruction(std::span(code).subspan(start - entry), start);
    if (instruction && instruction->is_return()) goal.probes.push_back(ProbeSpec{start, 0, on_stack, {}});
  }
  return goal;
}

// A replay from line[start] that stands at the end of the last event before
// `event` that can be run to, or at line[start] itself.
Result<std::unique_ptr<Replayer>> Search::AtLastEvent(size_t start, size_t event) {
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(start));
  const EventLog& log = *engine_.branch().log;
  while (event > replay->event() && log.at(event - 1).kind == EventKind::kSignal) --event;
  if (event <= replay->event()) return replay;
  ReplayPlan plan = Plan();
  plan.end.emplace();
  plan.end->position.kind = Position::Kind::kEventEnd;
  plan.end->position.event = event;
  CF_TRY_ASSIGN(ReplayStop stop, replay->Run(plan));
  if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
  return replay;
}

// Copies at ever shorter times before `end`; returns one that is close to it.
Result<std::unique_ptr<Replayer>> Search::Narrow(std::unique_ptr<Replayer> from, const EndMarker& end) {
  for (double tick_ms : {4.0, 0.6, 0.12}) {
    CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, from->Copy());
    Replayer ahead(std::move(copy), from->log(), from->position(), from->patched());
    ahead.async_reference = from->async_reference;
    std::unique_ptr<Replayer> latest;
    ReplayPlan plan = Plan();
    plan.end = end;
    plan.tick = [&] {
      Position position = ahead.position();
      Result<std::unique_ptr<Tracee>> here = ahead.Copy();
      if (!here.ok()) return;
      position.registers = here.value()->registers();
      latest = std::make_unique<Replayer>(std::move(here).value(), from->log(), position, ahead.patched());
      latest->async_reference = from->async_reference;
    };
    WakeTimer timer(tick_ms);
    CF_TRY_ASSIGN(ReplayStop stop, ahead.Run(plan));
    if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
    if (stop.kind != ReplayStop::Kind::kReachedEnd)
      return Error{"diverged", "The replay did not arrive where the recording does.", "Please report this program.", 0,
                   0};
    if (latest) from = std::move(latest);
  }
  return from;
}

// Single steps from `from` to `end`; the state one step before it. Null: too far.
Result<std::unique_ptr<Replayer>> Search::StepUpTo(std::unique_ptr<Replayer> from, const EndMarker& end) {
  auto copy_of = [](Replayer& replay) -> Result<std::unique_ptr<Replayer>> {
    CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, replay.Copy());
    auto made = std::make_unique<Replayer>(std::move(copy), replay.log(), replay.position(), replay.patched());
    made->async_reference = replay.async_reference;
    return made;
  };
  ReplayPlan plan = Plan();
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> mark, copy_of(*from));
  size_t since_mark = 0;
  for (size_t steps = 0; steps < kMaxSteps; ++steps) {
    if (plan.cancelled()) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
    if (since_mark == kStepsPerCopy) {
      CF_TRY_ASSIGN(mark, copy_of(*from));
      since_mark = 0;
    }
    CF_TRY(from->Step(plan));
    CF_TRY_ASSIGN(bool arrived, from->StandsAt(end));
    if (arrived) {
      for (size_t i = 0; i < since_mark; ++i) CF_TRY(mark->Step(plan));
      return mark;
    }
    ++since_mark;
    if (from->event() > end.position.event)
      return Error{"diverged", "The replay did not arrive where the recording does.", "Please report this program.", 0,
                   0};
  }
  return std::unique_ptr<Replayer>();
}

// `bs`, and on while pc stays inside the range that was announced for it.
Result<StopReply> Search::StepBackInRange(const ResumeRequest& request, OperationResult* result) {
  for (;;) {
    copies_.clear();
    CF_TRY_ASSIGN(StopReply reply, StepBack({}, result));
    if (result->outcome == OperationResult::Outcome::kBegin) return reply;
    reply = engine_.SignalStop(SIGTRAP);
    TraceeAddress pc(engine_.process().registers().rip);
    if (!request.range.Contains(pc) || pc == request.range.start) return reply;
    if (engine_.BreakpointHere()) return *engine_.BreakpointHere();
  }
}

}  // namespace chronofork
