// What an owner sees of a process with probes in it: interruptions, faults,
// concealed patches, failures to install, and the cost of a hit.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

#include "probe/probe_set.h"
#include "probe_fixtures.h"
#include "probed_code.h"
#include "probed_run.h"

namespace chronofork {

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

TEST_CASE("probe set: a fault is seen where it would be without probes") {
  alignas(64) static std::byte memory[4096];
  const auto base = reinterpret_cast<uint64_t>(memory);
  const uint64_t function = reinterpret_cast<uint64_t>(&chronofork_probed_fault);
  std::vector<ProbeSpec> all;
  for (const TraceeAddress address : ProbedInstructions()) {
    if (address.value >= function && address.value < function + 24) all.push_back(Count(address));
  }
  REQUIRE(all.size() >= 7);
  for (const uint64_t rdi : {uint64_t{0x10}, base, uint64_t{0x8000000000000000}}) {
    GeneralRegisters start{};
    start.rip = function;
    start.rdi = rdi;
    start.rax = 5;
    start.rsp = base + 2048;
    start.eflags = 0x202;
    SignalStop expected_stop;
    const GeneralRegisters expected = RunToStop(start, expected_stop);
    REQUIRE(expected_stop.number != SIGTRAP);
    for (size_t only = 0; only <= all.size(); ++only) {
      const auto specs = only == all.size() ? all : std::vector<ProbeSpec>{all[only]};
      OwnProcessHost host = MakeHost(Room::kAnywhere);
      const auto original = ProbedCodeBytes();
      const auto probes = InstallOrFail(host, specs);
      SignalStop stop;
      FaultAction action = FaultAction::kNotOurs;
      bool in_trampoline = false;
      const GeneralRegisters end = RunInProcess(start, [&](const SignalStop& now, GeneralRegisters& registers) {
        if (now.number == SIGTRAP) return probes->HandleTrap(host, registers)->action == TrapAction::kResume;
        stop = now;
        in_trampoline = !ProbedCode().Contains(TraceeAddress(registers.rip));
        action = *probes->HandleFault(host, registers);
        return false;
      });
      CHECK(stop.number == expected_stop.number);
      CHECK(SameRegisters(end, expected));
      CHECK(action == (in_trampoline ? FaultAction::kDebuggee : FaultAction::kNotOurs));
      if (only == all.size()) CHECK(in_trampoline);
      if (stop.number == SIGFPE && in_trampoline) {
        CHECK(probes->Translate(TraceeAddress(stop.address)).value == expected_stop.address);
      }
      UninstallAndCheck(*probes, host, original);
    }
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
