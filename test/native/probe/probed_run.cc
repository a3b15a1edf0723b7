// Runs a function with probes on it and notes every stop.
#include "probed_run.h"

#include <string.h>

#include <algorithm>

#include "base/assert.h"
#include "probe/instruction.h"
#include "probe/instrumentation.h"
#include "probed_code.h"

namespace chronofork {
namespace {

constexpr size_t kStackBytes = 1 << 14;
alignas(4096) std::byte stack[kStackBytes];
constexpr size_t kStackUsedFrom = kStackBytes - 256;

// Where functions return to.
asm(R"(
  .pushsection .text
  .type chronofork_probed_exit, @function
chronofork_probed_exit:
  int3
  .popsection
)");
extern "C" const unsigned char chronofork_probed_exit[] __attribute__((visibility("hidden")));

uint64_t AddressOf(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

GeneralRegisters PrepareCall(const ProbedFunction& function) {
  probed::ResetData();
  memset(stack, 0xA5, sizeof stack);
  const uint64_t return_address = AddressOf(chronofork_probed_exit);
  memcpy(stack + kStackUsedFrom - 8, &return_address, 8);
  GeneralRegisters registers{};
  for (int i = 0; i < 16; ++i) RegisterReference(registers, i) = 0x1111111111111111u * static_cast<uint64_t>(i);
  registers.rsp = AddressOf(stack) + kStackUsedFrom - 8;
  registers.rdi = function.argument;
  registers.rip = function.address;
  registers.eflags = 0x202;
  return registers;
}

EndState TakeEnd(const GeneralRegisters& registers) {
  EndState end;
  end.registers = registers;
  const auto add = [&](const void* data, size_t size) {
    const std::byte* bytes = static_cast<const std::byte*>(data);
    end.memory.insert(end.memory.end(), bytes, bytes + size);
  };
  add(stack, sizeof stack);
  add(probed::words, sizeof probed::words);
  add(chronofork_probed_bytes, sizeof chronofork_probed_bytes);
  return end;
}

bool IsExit(const SignalStop& stop, const GeneralRegisters& registers) {
  return stop.number == SIGTRAP && !stop.is_step && registers.rip == AddressOf(chronofork_probed_exit) + 1;
}

// The owner's part: what a tracer does at each signal.
class Owner {
 public:
  Owner(ProbeSet& probes, ProbeHost& host, const StepCallback& step) : probes_(probes), host_(host), step_(step) {}

  bool OnSignal(const SignalStop& stop, GeneralRegisters& registers) {
    if (IsExit(stop, registers)) return false;
    if (stop.number != SIGTRAP) return OnFault(registers);
    if (!stop.is_step) {
      ++run_.trap_count;
      return OnTrap(registers);
    }
    if (lifted_ != TraceeAddress()) {
      if (probes_.StepAgain(lifted_, TraceeAddress(registers.rip))) return true;
      Check(probes_.LowerInt3(host_, lifted_).ok(), "put int3 back");
      lifted_ = {};
      if (!step_) registers.eflags &= ~kTrapFlag;
    }
    if (step_) step_(registers);
    return true;
  }

  ProbedRun& run() { return run_; }

 private:
  bool Check(bool condition, const char* what) {
    if (!condition && run_.problem.empty()) run_.problem = what;
    return condition;
  }

  bool OnFault(GeneralRegisters& registers) {
    auto fault = probes_.HandleFault(host_, registers);
    if (!Check(fault.ok() && *fault == FaultAction::kResume, "a fault")) return false;
    ++run_.match_faults;
    return true;
  }

  bool OnTrap(GeneralRegisters& registers) {
    const uint64_t pc = registers.rip;
    auto handled = probes_.HandleTrap(host_, registers);
    if (!Check(handled.ok(), "HandleTrap failed")) return false;
    TrapOutcome outcome = *handled;
    while (outcome.action == TrapAction::kStop) {
      auto transitions = probes_.Transitions(host_);
      Check(transitions.ok() && registers.rip == outcome.address.value, "a stop is not at its place");
      run_.stops.push_back({outcome.probe, outcome.is_match, transitions.ok() ? *transitions : 0, registers});
      auto going_on = probes_.GoOn(host_, outcome, registers);
      if (!Check(going_on.ok(), "GoOn failed")) return false;
      outcome = *going_on;
    }
    if (outcome.action == TrapAction::kStepOver) {
      lifted_ = TraceeAddress(registers.rip);
      registers.eflags |= kTrapFlag;
      return Check(probes_.LiftInt3(host_, lifted_).ok(), "lift int3");
    }
    if (outcome.action == TrapAction::kResume && probes_.Redirect(TraceeAddress(pc - 1)).value == registers.rip &&
        outcome.address.value == pc - 1) {
      ++run_.redirects;
    }
    if (!Check(outcome.action == TrapAction::kResume, "a trap that is not ours")) return false;
    if (step_) step_(registers);
    return true;
  }

  ProbeSet& probes_;
  ProbeHost& host_;
  const StepCallback& step_;
  ProbedRun run_;
  TraceeAddress lifted_;
};

std::vector<TracedState> OnlyFirstRounds(const std::vector<TracedState>& states) {
  std::vector<TracedState> executions;
  uint64_t previous_rip = 0;
  for (const TracedState& state : states) {
    const uint64_t rip = state.registers.rip;
    const auto* const code = reinterpret_cast<const std::byte*>(rip);
    const bool is_next_round =
        rip == previous_rip && DecodeInstruction({code, kMaxInstructionLength}, TraceeAddress(rip))->is_rep_string;
    if (!is_next_round) executions.push_back(state);
    previous_rip = rip;
  }
  return executions;
}

}  // namespace

const std::vector<ProbedFunction>& ProbedFunctions() {
  using namespace probed;
  const auto at = [](uint64_t (*function)(uint64_t)) { return reinterpret_cast<uint64_t>(function); };
  static const std::vector<ProbedFunction> functions = {
      {"SortSlow", at(SortSlow), 12},
      {"SortFast", at(SortFast), 20},
      {"FibonacciSlow", at(FibonacciSlow), 8},
      {"FibonacciFast", at(FibonacciFast), 9},
      {"StateSlow", at(StateSlow), 42},
      {"StateFast", at(StateFast), 43},
      {"Indirect", at(Indirect), 9},
      {"Floating", at(Floating), 10},
      {"tricky, lock skipped", at(chronofork_probed_tricky), 3},
      {"tricky", at(chronofork_probed_tricky), 7},
  };
  return functions;
}

AddressRange ProbedCode() {
  return {TraceeAddress(AddressOf(__start_probed_code)), TraceeAddress(AddressOf(__stop_probed_code))};
}

std::vector<std::byte> ProbedCodeBytes() {
  const auto* const start = reinterpret_cast<const std::byte*>(__start_probed_code);
  return {start, start + ProbedCode().length()};
}

std::vector<TraceeAddress> ProbedInstructions() { return FindInstructionStarts(ProbedCodeBytes(), ProbedCode().start); }

TraceeAddress WatchedWord(size_t i) {
  if (i < 2) return TraceeAddress(AddressOf(&probed::words[2 * i + 1]));
  return TraceeAddress(AddressOf(stack) + kStackUsedFrom - 8 * (i + 3));
}

Trace TraceFunction(const ProbedFunction& function) {
  Trace trace;
  GeneralRegisters start = PrepareCall(function);
  const auto take = [&](const GeneralRegisters& registers) {
    TracedState state;
    state.registers = registers;
    state.registers.eflags &= ~kTrapFlag;
    for (size_t i = 0; i < kWatchedWords; ++i) {
      memcpy(&state.words[i], reinterpret_cast<const void*>(WatchedWord(i).value), 8);
    }
    trace.states.push_back(state);
  };
  take(start);
  start.eflags |= kTrapFlag;
  trace.states[0].registers.fs_base = 0;
  const GeneralRegisters end = RunInProcess(start, [&](const SignalStop& stop, GeneralRegisters& registers) {
    if (IsExit(stop, registers)) return false;
    CHRONOFORK_ASSERT(stop.is_step);
    if (ProbedCode().Contains(TraceeAddress(registers.rip))) take(registers);
    return true;
  });
  trace.end = TakeEnd(end);
  trace.executions = OnlyFirstRounds(trace.states);
  return trace;
}

bool SameRegisters(const GeneralRegisters& a, const GeneralRegisters& b) {
  return RegistersAgree(a, b) && a.rip == b.rip;
}

bool SameEnd(const EndState& a, const EndState& b) {
  return SameRegisters(a.registers, b.registers) && a.memory == b.memory;
}

ProbedRun RunWithProbes(const ProbedFunction& function, ProbeSet& probes, ProbeHost& host,
                        const StepCallback& single_step) {
  GeneralRegisters start = PrepareCall(function);
  if (single_step) {
    single_step(start);
    start.eflags |= kTrapFlag;
  }
  Owner owner(probes, host, single_step);
  const GeneralRegisters end = RunInProcess(
      start, [&](const SignalStop& stop, GeneralRegisters& registers) { return owner.OnSignal(stop, registers); });
  ProbedRun run = std::move(owner.run());
  run.end = TakeEnd(end);
  return run;
}

}  // namespace chronofork
