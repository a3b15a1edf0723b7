// Probes over real code, in the own process, against the truth of single steps:
// counts, stops, and that nothing of the debuggee differs, bit for bit.
#include "probe/probe_set.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

#include "probe/instruction.h"
#include "probe_fixtures.h"
#include "probed_code.h"
#include "probed_run.h"

namespace chronofork {
namespace {

ProbeSpec Match(const TracedState& state) {
  ProbeSpec spec;
  spec.address = TraceeAddress(state.registers.rip);
  spec.match.emplace();
  spec.match->registers = state.registers;
  return spec;
}

// What the probes of `specs` have to do, from the truth: said again in the plainest way.
struct Expected {
  uint64_t transitions = 0;
  std::vector<ProbeStop> stops;
};
bool WordsAgree(const MatchCondition& condition, const TracedState& state) {
  for (const MemoryWord& word : condition.words) {
    bool agrees = false;
    for (size_t i = 0; i < kWatchedWords; ++i) {
      if (WatchedWord(i) == word.address) agrees = state.words[i] == word.value;
    }
    if (!agrees) return false;
  }
  return true;
}
Expected Expect(const std::vector<ProbeSpec>& specs, const std::vector<TracedState>& executions, uint64_t limit) {
  Expected expected;
  uint32_t last_group = 0;
  for (const TracedState& state : executions) {
    for (const bool matches : {true, false}) {
      for (size_t i = 0; i < specs.size(); ++i) {
        const ProbeSpec& spec = specs[i];
        if (spec.address.value != state.registers.rip || spec.match.has_value() != matches) continue;
        if (matches) {
          GeneralRegisters expected_registers = spec.match->registers;
          expected_registers.rip = state.registers.rip;
          if (!SameRegisters(expected_registers, state.registers) || !WordsAgree(*spec.match, state)) continue;
        } else {
          const uint64_t rsp = state.registers.rsp;
          if (spec.rsp_range && (rsp < spec.rsp_range->start.value || rsp >= spec.rsp_range->end.value)) continue;
          if (spec.group != 0 && spec.group == last_group) continue;
          if (spec.group != 0) last_group = spec.group;
          if (++expected.transitions != limit) continue;
        }
        expected.stops.push_back({i, matches, expected.transitions, state.registers});
      }
    }
  }
  return expected;
}

bool SameStops(const std::vector<ProbeStop>& a, const std::vector<ProbeStop>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ProbeStop& x, const ProbeStop& y) {
    return x.probe == y.probe && x.is_match == y.is_match && x.transitions == y.transitions &&
           SameRegisters(x.registers, y.registers);
  });
}

// Installs, runs, and compares everything with the truth.
ProbedRun RunAndCompare(const ProbedFunction& function, const Trace& trace, const std::vector<ProbeSpec>& specs,
                        uint64_t limit, Room room) {
  OwnProcessHost host = MakeHost(room);
  const auto original = ProbedCodeBytes();
  const auto probes = InstallOrFail(host, specs);
  CHECK(probes->SetLimit(host, limit).ok());
  ProbedRun run = RunWithProbes(function, *probes, host);
  const Expected expected = Expect(specs, trace.executions, limit);
  CHECK(run.problem == "");
  CHECK(*probes->Transitions(host) == expected.transitions);
  CHECK(run.stops.size() == expected.stops.size());
  CHECK(SameStops(run.stops, expected.stops));
  CHECK(SameEnd(run.end, trace.end));
  UninstallAndCheck(*probes, host, original);
  return run;
}

}  // namespace

TEST_CASE("probe set: probes on every instruction count every execution") {
  const auto specs = AllInstructions();
  REQUIRE(specs.size() > 300);
  REQUIRE(ProbedInstructions().back() >= ProbedCode().end - 15);
  for (const Room room : kRooms) {
    size_t kinds[3] = {};
    {
      OwnProcessHost host = MakeHost(room);
      const auto probes = InstallOrFail(host, specs);
      for (size_t i = 0; i < specs.size(); ++i) ++kinds[static_cast<int>(probes->KindOf(i))];
      CHECK(probes->Uninstall(host).ok());
      MESSAGE("room " << std::string(NameOf(room)) << ": " << kinds[0] << " jumps, " << kinds[1] << " int3, "
                      << kinds[2] << " in place, " << host.map_count << " mappings");
    }
    if (room == Room::kAnywhere) CHECK(kinds[0] > specs.size() / 2);
    if (room == Room::kOnlyFar) CHECK(kinds[2] == specs.size());
    for (const ProbedFunction& function : ProbedFunctions()) {
      CAPTURE(std::string(function.name));
      CAPTURE(std::string(NameOf(room)));
      const Trace trace = TraceFunction(function);
      REQUIRE(trace.states.size() > 20);
      RunAndCompare(function, trace, specs, 0, room);
    }
  }
}

TEST_CASE("probe set: each instruction alone") {
  for (const ProbedFunction& function : ProbedFunctions()) {
    CAPTURE(std::string(function.name));
    const Trace trace = TraceFunction(function);
    std::map<uint64_t, uint64_t> counts;
    for (const TracedState& state : trace.executions) ++counts[state.registers.rip];
    for (const auto& [address, count] : counts) {
      CAPTURE(address - function.address);
      const ProbedRun run = RunAndCompare(function, trace, {Count(TraceeAddress(address))}, count, Room::kAnywhere);
      CHECK(run.stops.size() == 1);
    }
  }
}

TEST_CASE("probe set: jumps into the middle of a patched place") {
  // The place behind "jmp *%rdx": its second and third instruction are jumped to, unseen by any scan.
  const ProbedFunction& tricky = ProbedFunctions().back();
  REQUIRE(tricky.address == reinterpret_cast<uint64_t>(&chronofork_probed_tricky));
  const Trace trace = TraceFunction(tricky);
  size_t redirects = 0;
  for (const TraceeAddress address : ProbedInstructions()) {
    if (address.value < tricky.address) continue;
    redirects += RunAndCompare(tricky, trace, {Count(address)}, 0, Room::kAnywhere).redirects;
  }
  CHECK(redirects > 0);
}

TEST_CASE("probe set: groups, stack ranges and limits, at random") {
  std::mt19937_64 random(20240501);
  const auto below = [&](uint64_t n) { return random() % n; };
  for (const ProbedFunction& function : ProbedFunctions()) {
    const Trace trace = TraceFunction(function);
    const auto& executions = trace.executions;
    for (int round = 0; round < 40; ++round) {
      std::vector<ProbeSpec> specs;
      const uint64_t count = 1 + below(round % 4 == 0 ? 40 : 6);
      for (uint64_t i = 0; i < count; ++i) {
        const TracedState& state = executions[below(executions.size())];
        ProbeSpec spec = Count(TraceeAddress(state.registers.rip), static_cast<uint32_t>(below(4)));
        if (spec.group == 3) spec.group = 0xFFFFFFF0;
        if (below(3) == 0) {
          const uint64_t start = state.registers.rsp - 8 * below(6);
          spec.rsp_range = AddressRange{TraceeAddress(start), TraceeAddress(start + 8 * below(12))};
          if (below(8) == 0) spec.rsp_range->start = TraceeAddress(0);
          if (below(8) == 0) spec.rsp_range->end = TraceeAddress(UINT64_MAX);
        }
        specs.push_back(spec);
      }
      const uint64_t possible = Expect(specs, executions, 0).transitions;
      const uint64_t limit = possible == 0 ? 5 : 1 + below(possible);
      CAPTURE(std::string(function.name));
      CAPTURE(round);
      const ProbedRun run = RunAndCompare(function, trace, specs, limit, kRooms[round % 3]);
      CHECK(run.stops.size() == (possible == 0 ? 0 : 1));
    }
  }
}

TEST_CASE("probe set: matches on registers and memory, before anything counts") {
  std::mt19937_64 random(7);
  size_t stops = 0;
  size_t faults = 0;
  for (const ProbedFunction& function : ProbedFunctions()) {
    const Trace trace = TraceFunction(function);
    const auto& executions = trace.executions;
    for (int round = 0; round < 45; ++round) {
      std::vector<ProbeSpec> specs;
      for (uint64_t i = 0, count = 1 + random() % 3; i < count; ++i) {
        const TracedState& state = executions[random() % executions.size()];
        if (random() % 2) specs.push_back(Count(TraceeAddress(state.registers.rip)));
        specs.push_back(Match(state));
        MatchCondition& condition = *specs.back().match;
        for (size_t word = 0; word < kWatchedWords; ++word) {
          if (random() % 2) condition.words.push_back({WatchedWord(word), state.words[word]});
        }
        if (random() % 5 == 0) RegisterReference(condition.registers, static_cast<int>(random() % 16)) ^= 1u << 20;
        if (random() % 5 == 0) condition.registers.eflags ^= 1u << (std::array{0, 2, 4, 6, 7, 10, 11}[random() % 7]);
        if (random() % 9 == 0) condition.words.push_back({TraceeAddress(0x10), 0});  // not mapped
        if (random() % 9 == 0 && !condition.words.empty()) condition.words[0].value ^= 1;
      }
      CAPTURE(std::string(function.name));
      CAPTURE(round);
      const ProbedRun run = RunAndCompare(function, trace, specs, 0, kRooms[round % 3]);
      stops += run.stops.size();
      faults += run.match_faults;
    }
  }
  CHECK(stops > 100);
  CHECK(faults > 0);
}

TEST_CASE("probe set: every register and flag decides about a match") {
  const ProbedFunction& function = ProbedFunctions()[1];
  const Trace trace = TraceFunction(function);
  const auto& executions = trace.executions;
  const TracedState& state = executions[executions.size() / 2];
  const auto try_with = [&](const std::function<void(GeneralRegisters&)>& change) {
    for (const Room room : kRooms) {
      ProbeSpec spec = Match(state);
      change(spec.match->registers);
      CHECK(RunAndCompare(function, trace, {spec}, 0, room).stops.empty());
    }
  };
  for (int number = 0; number < 16; ++number) {
    for (const int bit : {0, 31, 63}) {
      try_with([&](GeneralRegisters& r) { RegisterReference(r, number) ^= uint64_t{1} << bit; });
    }
  }
  for (const uint64_t flag : {0x1, 0x4, 0x10, 0x40, 0x80, 0x400, 0x800}) {
    try_with([&](GeneralRegisters& r) { r.eflags ^= flag; });
  }
}

TEST_CASE("probe set: a condition is replaced, and limits are set on the way") {
  const ProbedFunction& function = ProbedFunctions()[1];
  const Trace trace = TraceFunction(function);
  const auto& executions = trace.executions;
  for (const Room room : kRooms) {
    OwnProcessHost host = MakeHost(room);
    const auto original = ProbedCodeBytes();
    ProbeSpec never = Match(executions[5]);
    never.match->registers.rax ^= 1;
    const auto address = TraceeAddress(executions[5].registers.rip);
    const auto probes = InstallOrFail(host, {never, Count(address)});
    CHECK(RunWithProbes(function, *probes, host).stops.empty());
    const uint64_t hits = *probes->Transitions(host);
    CHECK(hits > 0);
    CHECK(*probes->LastCounted(host) == size_t{1});
    CHECK(probes->SetMatch(host, 0, *Match(executions[5]).match).ok());
    CHECK(RunWithProbes(function, *probes, host).stops.size() == 1);
    CHECK(*probes->Transitions(host) == 2 * hits);
    CHECK(probes->SetLimit(host, 2 * hits + 1).ok());
    const ProbedRun run = RunWithProbes(function, *probes, host);
    REQUIRE(run.stops.size() == 2);
    CHECK(run.stops[1].transitions == 2 * hits + 1);
    CHECK(*probes->Transitions(host) == 3 * hits);
    CHECK(probes->SetTransitions(host, 7).ok());
    CHECK(*probes->Transitions(host) == 7);
    CHECK(probes->SetLastGroup(host, 9).ok());
    CHECK(*probes->LastGroup(host) == 9u);
    UninstallAndCheck(*probes, host, original);
  }
}

}  // namespace chronofork
