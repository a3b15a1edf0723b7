// Runs a probed function in the test process: once step by step, for the
// truth, and then with probes, with the owner's part of their contract done here.
#pragma once

#include <array>
#include <set>
#include <vector>

#include "in_process_machine.h"
#include "probe/probe_set.h"

namespace chronofork {

struct ProbedFunction {
  const char* name;
  uint64_t address;
  uint64_t argument;
};
const std::vector<ProbedFunction>& ProbedFunctions();

// All instructions of the section of probed code, decoded from its start.
std::vector<TraceeAddress> ProbedInstructions();
AddressRange ProbedCode();
std::vector<std::byte> ProbedCodeBytes();

// Words of memory whose value is kept at each step, for conditions on memory.
inline constexpr size_t kWatchedWords = 4;
TraceeAddress WatchedWord(size_t i);

// What there is to see after a run.
struct EndState {
  GeneralRegisters registers{};
  std::vector<std::byte> memory;  // the whole stack, far below rsp too, and all data
};

// One state before each instruction of the section that executes.
struct TracedState {
  GeneralRegisters registers{};
  std::array<uint64_t, kWatchedWords> words{};
};
struct Trace {
  std::vector<TracedState> states;      // each round of a rep string is one
  std::vector<TracedState> executions;  // the same with a rep string as one, as probes count
  EndState end;
};
Trace TraceFunction(const ProbedFunction& function);

// Same registers and status flags (rip too).
bool SameRegisters(const GeneralRegisters& a, const GeneralRegisters& b);
bool SameEnd(const EndState& a, const EndState& b);

struct ProbeStop {
  size_t probe = 0;
  bool is_match = false;
  uint64_t transitions = 0;
  GeneralRegisters registers{};
};

struct ProbedRun {
  std::vector<ProbeStop> stops;
  EndState end;
  size_t redirects = 0;  // jumps into the middle of patched places
  size_t trap_count = 0;
  size_t match_faults = 0;
  std::string problem;  // anything that must not happen; empty if all went well
};

// Runs the function with `probes` in place, going on after every stop. With
// `single_step`, calls it before every instruction, also those in our pages.
using StepCallback = std::function<void(const GeneralRegisters&)>;
ProbedRun RunWithProbes(const ProbedFunction& function, ProbeSet& probes, ProbeHost& host,
                        const StepCallback& single_step = nullptr);

}  // namespace chronofork
