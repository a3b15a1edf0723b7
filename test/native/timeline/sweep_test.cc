// The checkpoint sweep: a checkpoint at every n-th event of a program, then back
// to each of them: registers and all writable memory are what they were, and
// from each the run to the end arrives where the recording does.
#include <doctest/doctest.h>

#include "core_child.h"
#include "debugged.h"
#include "debuggee.h"

namespace chronofork {
namespace {

using namespace timeline_test;

struct Place {
  int checkpoint = 0;
  NotedState state;
};

// Stops at every call's entry and return, and after a few single steps beyond it.
std::vector<Place> RunWithCheckpoints(Debugged& d, size_t every, int steps_beyond) {
  std::vector<Place> places;
  d.engine().caught_syscalls.emplace();
  for (size_t stops = 0;; ++stops) {
    const StopReply stop = d.Continue();
    if (stop.kind == StopKind::kHistoryEnd) break;
    if (stop.kind != StopKind::kSyscallEntry && stop.kind != StopKind::kSyscallReturn) {
      d.problems += std::string("stopped by ") + NameOf(stop.kind) + "\n";
      break;
    }
    if (stops % every != 0) continue;
    if (stop.kind == StopKind::kSyscallReturn)
      for (int i = 0; i < steps_beyond; ++i) d.Step();
    Result<std::shared_ptr<Checkpoint>> made = d.engine().CreateCheckpoint(CheckpointReason::kUser, "");
    if (!made.ok()) {
      d.problems += made.error().message + "\n";
      break;
    }
    made.value()->pinned = true;
    places.push_back({made.value()->id, d.Note()});
  }
  d.engine().caught_syscalls.reset();
  return places;
}

std::string Sweep(const std::string& program, size_t every, int steps_beyond) {
  Debugged d(program, {});
  const std::vector<Place> places = RunWithCheckpoints(d, every, steps_beyond);
  const NotedState end = d.Note();
  d.Expect("there were many places", places.size() * every > 150);
  for (size_t i = places.size(); i-- > 0;) {
    d.SeekCheckpoint(places[i].checkpoint);
    const NotedState found = d.Note();
    if (!(found == places[i].state))
      d.problems +=
          "checkpoint " + std::to_string(i) + ": " + ToText(places[i].state) + " became " + ToText(found) + "\n";
  }
  // Forward again: through every later checkpoint, where the replay is compared with it.
  for (size_t i = 0; i < places.size(); i += 7) {
    d.SeekCheckpoint(places[i].checkpoint);
    const StopReply stop = d.Continue();
    if (stop.kind != StopKind::kHistoryEnd || !d.engine().live())
      d.problems += "from checkpoint " + std::to_string(i) + " to " + NameOf(stop.kind) + ", not to the end\n";
    const NotedState found = d.Note();
    if (!(found == end)) d.problems += "the end " + ToText(end) + " became " + ToText(found) + "\n";
  }
  for (const std::string& notice : d.notices) d.problems += notice + "\n";
  return d.problems;
}

void SweepInChild(size_t every, int steps_beyond) {
  const std::string program = BuildDebuggee("sweep.c", "-g -O1 -no-pie");
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] { return Sweep(program, every, steps_beyond); });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

TEST_CASE("sweep: back to every third call") { SweepInChild(3, 0); }
TEST_CASE("sweep: back to every fifth call, some instructions behind it") { SweepInChild(5, 3); }

}  // namespace
}  // namespace chronofork
