// One instruction back, of one thread.
//
// == 0. Where did it execute last? Before the present, or before it was left for others (search_turn.cc).
// == 1. Which instructions can come just before its pc? Decoded in the function:
//       the one above, jumps to pc, the call that led to the function's start.
// == 2. The last time one of them was executed is found as any place is.
// == 3. From there, single steps up to the present; the step before it is the answer.
//
// Where the code cannot be decoded, copies are taken at ever shorter times
// before the present instead (Narrow), until single steps are few.
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstring>

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
// How often a way that was still too long is narrowed again.
constexpr int kMaxRounds = 8;

Error TooFar() {
  return Error{"tooFar", "The instruction before this one could not be found in reasonable time.",
               "Step back by lines, or set a breakpoint and continue backwards to it.", 0, 0};
}

}  // namespace

std::vector<ProbeSpec> Search::Predecessors(const GeneralRegisters& after, const std::vector<AddressRange>& functions) {
  std::vector<ProbeSpec> places;
  const TraceeAddress pc(after.rip);
  auto add = [&](TraceeAddress address) {
    if (std::none_of(places.begin(), places.end(), [&](const ProbeSpec& p) { return p.address == address; }))
      places.push_back(ProbeSpec{address});
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
  Result<uint64_t> top = engine_.process().memory().ReadValue<uint64_t>(TraceeAddress(after.rsp));
  if (top.ok()) add_before(TraceeAddress(top.value()));
  return places;
}

Result<StopReply> Search::StepBack(pid_t tid, const std::vector<AddressRange>& functions, OperationResult* result) {
  if (tid == 0) tid = engine_.present_tid();
  only_thread_ = tid;
  CF_TRY_ASSIGN(std::optional<Interval> interval, LastTurnOf(tid));
  while (interval) {
    // A copy that was left on the way to the present may stand exactly there: then nothing lies between the two.
    const Position& begin = engine_.branch().line[interval->start]->position;
    const Position& end = interval->end.position;
    if (begin.event != end.event || DigestOf(begin.registers) != DigestOf(end.registers)) break;
    CF_TRY_ASSIGN(std::unique_ptr<Replayer> there, engine_.ReplayFrom(interval->start));
    CF_TRY_ASSIGN(bool same, there->StandsAt(interval->end));
    if (!same) break;
    interval = Before(interval->start);
  }
  if (!interval) return Begin(result);
  Position now = interval->end.position;
  Goal goal;
  goal.probes = Predecessors(now.registers, functions);
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
  // Only the interval up to the present holds the instruction before it. It may
  // have begun within a function that was called before it.
  Goal returns = ReturnsOfDirectCall(now.registers);
  goal.probes.insert(goal.probes.end(), returns.probes.begin(), returns.probes.end());
  CF_TRY_ASSIGN(std::optional<Hit> hit, LastHitIn(*interval, goal));
  std::unique_ptr<Replayer> answer;
  if (hit) {
    CF_TRY_ASSIGN(near, GoTo(*hit, goal));
    CF_TRY_ASSIGN(returns, ReturnsOfCall(*near, now.registers));
    if (!returns.probes.empty()) {
      CF_TRY_ASSIGN(std::optional<Hit> returned, LastHitIn(*interval, returns));
      if (returned) {
        CF_TRY_ASSIGN(near, GoTo(*returned, returns));
      }
    }
    CF_TRY_ASSIGN(answer, StepUpTo(near, interval->end));
  }
  for (int round = 0; round < kMaxRounds && !answer; ++round) {
    // After stepping in vain the replay stands nearer than any event.
    if (round == 0) {
      CF_TRY_ASSIGN(near, AtLastEvent(start, now.event));
    }
    CF_TRY_ASSIGN(near, Narrow(std::move(near), interval->end));
    CF_TRY_ASSIGN(answer, StepUpTo(near, interval->end));
  }
  if (!answer) return TooFar();
  const Checkpoint& from = *engine_.branch().line[start];
  bool at_start = copies_.empty() && answer->event() == from.position.event &&
                  DifferenceOf(from.position.registers, answer->process().registers()).empty();
  if (at_start) {
    CF_TRY_ASSIGN(at_start, answer->StandsAt(engine_.MarkerOf(start)));
  }
  Arrive(std::move(answer), start, at_start, std::move(copies_));
  if (!engine_.at_base_ && window_) {
    window_->from = engine_.branch().line[engine_.base_];
    window_->moment = engine_.present_moment_;
    engine_.step_window_ = std::move(window_);
  }
  return Plain();
}

// Where `at` stands at a call that has returned to `after`: the return
// instructions of what it calls, with the stack pointer that they have then.
Result<Search::Goal> Search::ReturnsOfCall(Replayer& at, const GeneralRegisters& after) {
  Goal goal;
  auto decode = [&](Replayer& replay) {
    const TraceeAddress pc(replay.process().registers().rip);
    return DecodeInstruction(Code({pc, pc + kMaxInstructionLength}), pc);
  };
  std::optional<Instruction> call = decode(at);
  if (!call || call->flow != FlowKind::kCall || call->end().value != after.rip) return goal;
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, at.Copy());
  const std::unique_ptr<Replayer> inside = at.GoOnFrom(std::move(copy), at.position());
  ReplayPlan plan = Plan();
  CF_TRY(inside->Step(plan));
  // On over the linkage table: `endbr64; jmp *…`, `jmp *…`.
  for (int jumps = 0; jumps < 3; ++jumps) {
    std::optional<Instruction> here = decode(*inside);
    if (!here) break;
    const AddressRange behind{here->end(), here->end() + kMaxInstructionLength};
    std::optional<Instruction> next = DecodeInstruction(Code(behind), behind.start);
    const bool jumps_next = here->flow == FlowKind::kNext && next && next->flow == FlowKind::kJump;
    if (here->flow != FlowKind::kJump && !jumps_next) break;
    CF_TRY(inside->Step(plan));
    if (jumps_next) CF_TRY(inside->Step(plan));
  }
  goal.probes = ReturnsWithin(TraceeAddress(inside->process().registers().rip), after);
  return goal;
}

// The same where the call before pc names its target, and so needs no look at
// the moment of the call. Empty: no such call.
Search::Goal Search::ReturnsOfDirectCall(const GeneralRegisters& after) {
  constexpr uint64_t kCallBytes = 5;
  Goal goal;
  const TraceeAddress pc(after.rip);
  std::optional<Instruction> call = DecodeInstruction(Code({pc - kCallBytes, pc}), pc - kCallBytes);
  if (!call || !call->is_call() || !call->target) return goal;
  const TraceeAddress entry = BehindLinkage(*call->target);
  goal.probes = ReturnsWithin(entry, after);
  return goal;
}

// Where `entry` leads if it is an entry of a linkage table that has been
// resolved: `endbr64`, and `jmp *disp32(%rip)` with or without `bnd`.
TraceeAddress Search::BehindLinkage(TraceeAddress entry) {
  constexpr std::array<uint8_t, 4> kEndbr64{0xf3, 0x0f, 0x1e, 0xfa};
  constexpr size_t kLongest = 16;
  const std::vector<std::byte> code = Code({entry, entry + kLongest});
  auto at = [&](size_t i) { return i < code.size() ? std::to_integer<uint8_t>(code[i]) : uint8_t{0}; };
  size_t offset = 0;
  if (code.size() >= kEndbr64.size() && std::memcmp(code.data(), kEndbr64.data(), kEndbr64.size()) == 0)
    offset = kEndbr64.size();
  if (at(offset) == 0xf2) ++offset;
  if (at(offset) != 0xff || at(offset + 1) != 0x25 || offset + 6 > code.size()) return entry;
  int32_t displacement;
  std::memcpy(&displacement, code.data() + offset + 2, sizeof displacement);
  const TraceeAddress slot = entry + offset + 6 + static_cast<uint64_t>(int64_t{displacement});
  Result<uint64_t> target = engine_.process().memory().ReadValue<uint64_t>(slot);
  return target.ok() ? TraceeAddress(target.value()) : entry;
}

// The return instructions of the function at `entry`, as executed when its
// caller's registers become `after`.
std::vector<ProbeSpec> Search::ReturnsWithin(TraceeAddress entry, const GeneralRegisters& after) {
  constexpr uint64_t kSearchedBytes = 64 * 1024;
  std::vector<ProbeSpec> places;
  std::vector<std::byte> code = Code({entry, entry + kSearchedBytes});
  const AddressRange on_stack{TraceeAddress(after.rsp - 8), TraceeAddress(after.rsp - 7)};
  for (TraceeAddress start : FindInstructionStarts(code, entry)) {
    auto instruction = DecodeInstruction(std::span(code).subspan(start - entry), start);
    if (instruction && instruction->is_return()) places.push_back(ProbeSpec{start, 0, on_stack});
  }
  return places;
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
    const std::unique_ptr<Replayer> ahead = from->GoOnFrom(std::move(copy), from->position());
    std::unique_ptr<Replayer> latest;
    ReplayPlan plan = Plan();
    plan.end = end;
    plan.tick = [&] {
      Position position = ahead->position();
      Result<std::unique_ptr<Tracee>> here = ahead->Copy();
      if (!here.ok()) return;
      position.registers = here.value()->registers();
      latest = ahead->GoOnFrom(std::move(here).value(), position);
    };
    WakeTimer timer(tick_ms);
    CF_TRY_ASSIGN(ReplayStop stop, ahead->Run(plan));
    if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
    if (stop.kind != ReplayStop::Kind::kReachedEnd)
      return Error{"diverged", "The replay did not arrive where the recording does.", "Please report this program.", 0,
                   0};
    if (latest) from = std::move(latest);
  }
  return from;
}

// A replay that stands where `replay` does.
Result<std::unique_ptr<Replayer>> Search::CopyOf(Replayer& replay) {
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> copy, replay.Copy());
  return replay.GoOnFrom(std::move(copy), replay.position());
}

// Single steps of the thread that `end` is of, from `from` to `end`; the state
// one step before it, and before that a window. Null: too far, and `from`
// stands where it came to.
Result<std::unique_ptr<Replayer>> Search::StepUpTo(std::unique_ptr<Replayer>& from, const EndMarker& end) {
  ReplayPlan plan = Plan();
  window_ = std::make_unique<StepWindow>();
  CF_TRY_ASSIGN(window_->first, CopyOf(*from));
  for (size_t steps = 0; steps < kMaxSteps; ++steps) {
    if (plan.cancelled()) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
    const bool elsewhere = from->thread() != end.position.thread;
    if (elsewhere) {
      plan.until_thread = end.position.thread;
      CF_TRY_ASSIGN(ReplayStop stop, from->Run(plan));
      plan.until_thread = 0;
      if (stop.kind == ReplayStop::Kind::kCancelled) return Error{"cancelled", "The search was cancelled.", "", 0, 0};
      if (stop.kind != ReplayStop::Kind::kThread)
        return Error{"diverged", "The replay did not arrive where the recording does.", "Please report this program.",
                     0, 0};
    }
    const TraceeAddress pc(from->process().registers().rip);
    // A step from a call's instruction to the call's entry executes nothing: who stands there has come by the one
    // before.
    const bool enters = end.position.kind == Position::Kind::kAtSyscall && pc.value == end.position.registers.rip &&
                        from->event() == end.position.event;
    if (elsewhere || (window_->pcs.size() >= kStepsPerCopy && !enters)) {
      CF_TRY_ASSIGN(window_->first, CopyOf(*from));
      window_->pcs.clear();
    }
    CF_TRY(from->Step(plan));
    CF_TRY_ASSIGN(bool arrived, Arrived(*from, end));
    if (arrived) {
      if (enters && !window_->pcs.empty()) window_->pcs.pop_back();
      return StepFrom(*window_->first, window_->pcs.size());
    }
    window_->pcs.push_back(pc);
    if (from->event() > end.position.event)
      return Error{"diverged", "The replay did not arrive where the recording does.", "Please report this program.", 0,
                   0};
  }
  return std::unique_ptr<Replayer>();
}

// The state `steps` instructions after that of `first`, which stays as it is.
Result<std::unique_ptr<Replayer>> Search::StepFrom(Replayer& first, size_t steps) {
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> there, CopyOf(first));
  const ReplayPlan plan = Plan();
  for (size_t i = 0; i < steps; ++i) CF_TRY(there->Step(plan));
  return there;
}

// Makes the window's marks, so that each of its states is a few steps away.
Result<void> Search::Spread(StepWindow& window) {
  if (!window.marks.empty()) return {};
  while ((window.marks.size() + 1) * StepWindow::kStepsPerMark < window.pcs.size()) {
    Replayer& last = window.marks.empty() ? *window.first : *window.marks.back();
    CF_TRY_ASSIGN(std::unique_ptr<Replayer> next, StepFrom(last, StepWindow::kStepsPerMark));
    window.marks.push_back(std::move(next));
  }
  return {};
}

// Whether `bs` stops at pc: outside of every announced block, or at the start of one.
bool Search::EndsStepAt(TraceeAddress pc) const {
  return engine_.breakpoints.contains(pc) ||
         std::none_of(engine_.reverse_ranges.begin(), engine_.reverse_ranges.end(),
                      [&](const AddressRange& block) { return block.Contains(pc) && pc != block.start; });
}

// Goes on backwards in the window of the present until a step ends, or to the
// window's beginning. False: there is no window for this present.
Result<bool> Search::StepBackInWindow() {
  std::unique_ptr<StepWindow> window = std::move(engine_.step_window_);
  if (!window || window->moment != engine_.present_moment_ || engine_.edited_ || window->pcs.empty()) return false;
  auto& line = engine_.branch().line;
  const size_t start = static_cast<size_t>(std::find(line.begin(), line.end(), window->from) - line.begin());
  if (start != engine_.base_) return false;
  size_t index = window->pcs.size() - 1;
  while (index > 0 && !EndsStepAt(window->pcs[index])) --index;
  if (index > 0) CF_TRY(Spread(*window));
  const size_t marks = std::min(index / StepWindow::kStepsPerMark, window->marks.size());
  Replayer& nearest = marks == 0 ? *window->first : *window->marks[marks - 1];
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> answer, StepFrom(nearest, index - marks * StepWindow::kStepsPerMark));
  window->pcs.resize(index);
  window->marks.resize(marks);
  engine_.SetReplay(std::move(answer), start, false);
  window->moment = engine_.present_moment_;
  if (index > 0) engine_.step_window_ = std::move(window);
  return true;
}

// `bs`: one instruction back, and on to the beginning of the block of code that
// this leads into.
Result<StopReply> Search::StepBackInRange(pid_t tid, OperationResult* result) {
  if (tid == 0) tid = engine_.present_tid();
  for (;;) {
    bool known = false;
    if (tid == engine_.present_tid()) {
      CF_TRY_ASSIGN(known, StepBackInWindow());
    }
    if (!known) {
      copies_.clear();
      CF_TRY_ASSIGN(StopReply reply, StepBack(tid, {}, result));
      if (result->outcome == OperationResult::Outcome::kBegin) return reply;
    }
    TraceeAddress pc(engine_.process().registers().rip);
    if (std::optional<StopReply> breakpoint = engine_.BreakpointHere()) return *breakpoint;
    if (EndsStepAt(pc)) return engine_.SignalStop(SIGTRAP);
  }
}

}  // namespace chronofork
