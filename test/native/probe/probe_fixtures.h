// What the tests of probe sets share.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "in_process_machine.h"
#include "probe/probe_set.h"
#include "probed_run.h"

namespace chronofork {

inline constexpr uint64_t kWholeSpace = 0x7FFFFFFFF000;

// Where pages may be had: decides how probes are made.
enum class Room { kAnywhere, kOnlyAbove, kOnlyFar };
inline const char* NameOf(Room room) {
  return room == Room::kAnywhere ? "anywhere" : room == Room::kOnlyAbove ? "only above" : "only far";
}
inline constexpr Room kRooms[] = {Room::kAnywhere, Room::kOnlyAbove, Room::kOnlyFar};

inline OwnProcessHost MakeHost(Room room) {
  OwnProcessHost host;
  const uint64_t code = ProbedCode().start.value;
  if (room == Room::kOnlyAbove) host.also_occupied.push_back({TraceeAddress(0), TraceeAddress(code)});
  if (room == Room::kOnlyFar) {
    host.also_occupied.push_back({TraceeAddress(code - 0x80000000), TraceeAddress(code + 0x90000000)});
  }
  return host;
}

inline std::unique_ptr<ProbeSet> InstallOrFail(ProbeHost& host, const std::vector<ProbeSpec>& specs) {
  auto installed = ProbeSet::Install(host, specs);
  REQUIRE_MESSAGE(installed.ok(), (installed.ok() ? "" : installed.error().message));
  return std::move(installed).value();
}

// Takes the probes out and looks whether everything is as it was.
inline void UninstallAndCheck(ProbeSet& probes, OwnProcessHost& host, const std::vector<std::byte>& original) {
  CHECK(probes.Uninstall(host).ok());
  CHECK(ProbedCodeBytes() == original);
  CHECK(host.mapped_now == 0);
}

inline ProbeSpec Count(TraceeAddress address, uint32_t group = 0) {
  ProbeSpec spec;
  spec.address = address;
  spec.group = group;
  return spec;
}

// A counting probe on every instruction there is.
inline std::vector<ProbeSpec> AllInstructions() {
  std::vector<ProbeSpec> specs;
  for (const TraceeAddress address : ProbedInstructions()) specs.push_back(Count(address));
  return specs;
}

}  // namespace chronofork
