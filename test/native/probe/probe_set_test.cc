// Probes over real code, in the own process, against the truth of single steps:
// counts, stops, and that nothing of the debuggee differs, bit for bit.
#include "probe/probe_set.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

#include "probe/instruction.h"
#include "probed_code.h"
#include "probed_run.h"

namespace chronofork {
namespace {

constexpr uint64_t kWholeSpace = 0x7FFFFFFFF000;

// Where pages may be had: decides how probes are made.
enum class Room { kAnywhere, kOnlyAbove, kOnlyFar };
const char* NameOf(Room room) {
  return room == Room::kAnywhere ? "anywhere" : room == Room::kOnlyAbove ? "only above" : "only far";
}
constexpr Room kRooms[] = {Room::kAnywhere, Room::kOnlyAbove, Room::kOnlyFar};

OwnProcessHost MakeHost(Room room) {
  OwnProcessHost host;
  const uint64_t code = ProbedCode().start.value;
  if (room == Room::kOnlyAbove) host.also_occupied.push_back({TraceeAddress(0), TraceeAddress(code)});
  if (room == Room::kOnlyFar) {
    host.also_occupied.push_back({TraceeAddress(code - 0x80000000), TraceeAddress(code + 0x90000000)});
  }
  return host;
}

std::unique_ptr<ProbeSet> InstallOrFail(ProbeHost& host, const std::vector<ProbeSpec>& specs) {
  auto installed = ProbeSet::Install(host, specs);
  REQUIRE_MESSAGE(installed.ok(), (installed.ok() ? "" : installed.error().message));
  return std::move(installed).value();
}

// Takes the probes out and looks whether everything is as it was.
void UninstallAndCheck(ProbeSet& probes, OwnProcessHost& host, const std::vector<std::byte>& original) {
  CHECK(probes.Uninstall(host).ok());
  CHECK(ProbedCodeBytes() == original);
  CHECK(host.mapped_now == 0);
}

ProbeSpec Count(TraceeAddress address, uint32_t group = 0) {
  ProbeSpec spec;
  spec.address = address;
  spec.group = group;
  return spec;
}

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

// An address that the branches of the function do not show, with short instructions before it.
std::vector<ProbeSpec> AllInstructions() {
  std::vector<ProbeSpec> specs;
  for (const TraceeAddress address : ProbedInstructions()) specs.push_back(Count(address));
  return specs;
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

TEST_CASE("probe set: an interruption anywhere sees the debuggee's own state, or is told to step on") {
  const auto specs = AllInstructions();
  for (const ProbedFunction& function : ProbedFunctions()) {
    CAPTURE(std::string(function.name));
    const Trace trace = TraceFunction(function);
    OwnProcessHost host = MakeHost(Room::kAnywhere);
    const auto probes = InstallOrFail(host, specs);
    std::vector<GeneralRegisters> seen;
    size_t inside = 0;
    RunWithProbes(function, *probes, host, [&](const GeneralRegisters& now) {
      const TraceeAddress pc(now.rip);
      if (probes->StepOutNeeded(pc)) {
        ++inside;
        return;
      }
      GeneralRegisters shown = now;
      shown.rip = probes->Translate(pc).value;
      if (!ProbedCode().Contains(TraceeAddress(shown.rip))) return;
      if (seen.empty() || !SameRegisters(seen.back(), shown)) seen.push_back(shown);
    });
    std::vector<GeneralRegisters> truth;
    for (const TracedState& state : trace.states) {
      if (truth.empty() || !SameRegisters(truth.back(), state.registers)) truth.push_back(state.registers);
    }
    CHECK(inside > 0);
    CHECK(seen.size() == truth.size());
    CHECK(std::equal(seen.begin(), seen.end(), truth.begin(), truth.end(), SameRegisters));
    CHECK(probes->Uninstall(host).ok());
  }
}

TEST_CASE("probe set: patches are concealed") {
  OwnProcessHost host = MakeHost(Room::kAnywhere);
  const auto original = ProbedCodeBytes();
  const auto probes = InstallOrFail(host, AllInstructions());
  CHECK(ProbedCodeBytes() != original);
  for (const size_t length : {size_t{1}, size_t{3}, size_t{16}, original.size()}) {
    for (size_t at = 0; at + length <= original.size(); at += length) {
      std::vector<std::byte> bytes(length);
      const TraceeAddress address = ProbedCode().start + at;
      REQUIRE(host.Read(address, bytes).ok());
      probes->Conceal(address, bytes);
      REQUIRE(std::equal(bytes.begin(), bytes.end(), original.begin() + static_cast<ptrdiff_t>(at)));
    }
  }
  UninstallAndCheck(*probes, host, original);
}

TEST_CASE("probe set: nothing stays behind when a page cannot be mapped") {
  const auto original = ProbedCodeBytes();
  for (int fail = 1;; ++fail) {
    OwnProcessHost host = MakeHost(Room::kAnywhere);
    host.fail_map_number = fail;
    auto installed = ProbeSet::Install(host, AllInstructions());
    if (installed.ok()) {
      CHECK(fail > 2);
      CHECK((*installed)->Uninstall(host).ok());
      break;
    }
    CHECK(installed.error().code == "mapFailed");
    CHECK(host.mapped_now == 0);
    CHECK(ProbedCodeBytes() == original);
  }
}

TEST_CASE("probe set: a place that cannot be read, and no room at all") {
  OwnProcessHost host;
  auto unreadable = ProbeSet::Install(host, std::vector<ProbeSpec>{Count(TraceeAddress(0x10))});
  REQUIRE_FALSE(unreadable.ok());
  CHECK(unreadable.error().code == "probePlaceUnreadable");
  host.also_occupied.push_back({TraceeAddress(0), TraceeAddress(kWholeSpace)});
  auto no_room = ProbeSet::Install(host, AllInstructions());
  REQUIRE_FALSE(no_room.ok());
  CHECK(no_room.error().code == "noRoomForProbes");
}

TEST_CASE("probe set: what a hit costs") {
  const auto time_ns = [](uint64_t (*function)(uint64_t), uint64_t argument) {
    double best = 1e18;
    for (int i = 0; i < 5; ++i) {
      const auto start = std::chrono::steady_clock::now();
      probed::words[0] = function(argument);
      const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
      best = std::min(best, taken.count());
    }
    return best;
  };
  const auto address = TraceeAddress(reinterpret_cast<uint64_t>(&probed::FibonacciSlow));
  const double bare = time_ns(probed::FibonacciSlow, 22);
  const auto cost = [&](const char* what, const ProbeSpec& spec) {
    OwnProcessHost host = MakeHost(Room::kAnywhere);
    const auto probes = InstallOrFail(host, {spec});
    REQUIRE(probes->KindOf(0) == ProbeKind::kJump);
    ProbeSpec counted = Count(address);
    const double taken = time_ns(probed::FibonacciSlow, 22);
    const double hits = 57313;  // calls of FibonacciSlow(22)
    if (!spec.match && !spec.rsp_range && spec.group == 0) CHECK(*probes->Transitions(host) == 5 * 57313);
    MESSAGE(std::string(what) << ": " << (taken - bare) / hits << " ns a hit");
    CHECK(probes->Uninstall(host).ok());
  };
  ProbeSpec ranged = Count(address);
  ranged.rsp_range = AddressRange{TraceeAddress(0), TraceeAddress(kWholeSpace)};
  ProbeSpec match = Count(address);
  match.match.emplace();
  cost("count", Count(address));
  cost("count, same group", Count(address, 1));
  cost("count within a stack range", ranged);
  cost("match", match);
}

}  // namespace chronofork
