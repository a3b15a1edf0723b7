// Watchpoints as the program runs, and again in its past (test/programs/native/watched.c):
// touched by threads that do not run when they are set, or are made later, and by
// repeated string instructions.
#include <doctest/doctest.h>

#include <cstdio>

#include "core_child.h"
#include "debugged.h"
#include "debuggee.h"

namespace chronofork {
namespace {

using namespace timeline_test;

void FromTheBeginning(const std::string& how, double interval_ms, const std::function<void(Debugged&)>& body) {
  const std::string program = BuildDebuggee("watched.c", "-g -O1 -no-pie");
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(40), [&] {
    Debugged d(program, {how}, {interval_ms, "", "/dev/null"});
    d.Break("mark_begin");
    d.Expect("begins", d.Continue().kind == StopKind::kBreakpoint);
    d.Clear();
    body(d);
    for (const std::string& notice : d.notices)
      if (!notice.starts_with("info")) d.problems += notice + "\n";
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

void ExpectTouch(Debugged& d, const std::string& when, const StopReply& stop, const std::string& place) {
  d.Expect(when + ": a watchpoint, not " + NameOf(stop.kind), stop.kind == StopKind::kWatchpoint);
  char text[120];
  std::snprintf(text, sizeof text, " stands at 0x%llx, not at ", static_cast<unsigned long long>(d.pc()));
  d.Expect(when + text + place, d.pc() == d.symbols().at(place).value);
}

void ExpectBreak(Debugged& d, const StopReply& stop, const std::string& place) {
  d.Expect("at " + place, stop.kind == StopKind::kBreakpoint && d.pc() == d.symbols().at(place).value);
}

// Live; backwards to before it; and forwards once more.
void TouchedByAnother(const std::string& how, WatchKind kind, const std::string& place) {
  for (double interval_ms : {0.0, 2.0}) {
    INFO(how);
    CAPTURE(interval_ms);
    FromTheBeginning(how, interval_ms, [&](Debugged& d) {
      const uint64_t value = kind == WatchKind::kWrite ? 7 : 0;
      d.engine().watches.push_back({kind, d.symbols().at("target"), 8});
      StopReply stop = d.Continue();
      ExpectTouch(d, "live", stop, place);
      d.Expect("live", d.engine().live());
      d.Expect("by another thread", d.engine().present_tid() != d.engine().pid());
      d.Equal("after", value, d.Word("target"));
      const uint64_t touched_at = d.pc();
      stop = d.ReverseContinue();
      d.Expect("backwards: a watchpoint", stop.kind == StopKind::kWatchpoint);
      d.Expect("before the touch", d.pc() < touched_at && touched_at - d.pc() < 16);
      d.Equal("before", 0u, d.Word("target"));
      d.Expect("nothing before", d.ReverseContinue().kind == StopKind::kHistoryBegin);
      stop = d.Continue();
      ExpectTouch(d, "again", stop, place);
      d.Equal("after, again", value, d.Word("target"));
      stop = d.Continue();
      d.Expect(std::string("to the end: ") + NameOf(stop.kind), stop.kind == StopKind::kHistoryEnd);
    });
  }
}

TEST_CASE("watch: a thread that waits when the watch is set") {
  TouchedByAnother("waits", WatchKind::kWrite, "mark_written");
  TouchedByAnother("waits, reads", WatchKind::kAccess, "mark_read");
}

TEST_CASE("watch: a thread that was stopped where it stood when the watch is set") {
  TouchedByAnother("spins", WatchKind::kWrite, "mark_written");
  TouchedByAnother("spins, reads", WatchKind::kAccess, "mark_read");
}

TEST_CASE("watch: a thread that is made later") {
  TouchedByAnother("later", WatchKind::kWrite, "mark_written");
  TouchedByAnother("later, reads", WatchKind::kAccess, "mark_read");
}

TEST_CASE("watch: a thread that is stopped by it again and again leaves the others their turn") {
  FromTheBeginning("insists", 0, [](Debugged& d) {
    d.Break("mark_end");
    d.engine().watches.push_back({WatchKind::kWrite, d.symbols().at("target"), 8});
    // Some thousands of touches go into a slice; a thread that is never preempted makes them for ever.
    uint64_t touches = 0;
    StopReply stop = d.Continue();
    for (; stop.kind == StopKind::kWatchpoint && touches < 300'000; ++touches) stop = d.Continue();
    ExpectBreak(d, stop, "mark_end");
    d.Expect("touched more than once", touches > 1);
    d.Equal("each was seen", touches, d.Word("target"));
    for (uint64_t before = touches - 1; before + 3 > touches; --before) {
      d.Expect("back at a touch", d.ReverseContinue().kind == StopKind::kWatchpoint);
      d.Equal("before it", before, d.Word("target"));
    }
    d.Expect("and forwards", d.Continue().kind == StopKind::kWatchpoint);
    d.Equal("after it", touches - 1, d.Word("target"));
  });
}

TEST_CASE("watch: a thread that outlives the first") {
  TouchedByAnother("survives", WatchKind::kWrite, "mark_written");
}

TEST_CASE("watch: to and from a touch that is the present's last instruction, by steps, too") {
  FromTheBeginning("later", 0, [](Debugged& d) {
    d.Watch("target");
    ExpectTouch(d, "live", d.Continue(), "mark_written");
    d.Expect("a checkpoint there", d.engine().CreateCheckpoint(CheckpointReason::kUser, "here").ok());
    for (int i = 0; i < 2; ++i) {
      d.Expect("back", d.ReverseContinue().kind == StopKind::kWatchpoint);
      ExpectTouch(d, "by a step", d.Step(), "mark_written");
      d.Expect("back again", d.ReverseContinue().kind == StopKind::kWatchpoint);
      const uint64_t before = d.pc();
      const StopReply stop =
          d.engine().Resume({ResumeKind::kStepRange, 0, {TraceeAddress(before), TraceeAddress(before + 64)}});
      ExpectTouch(d, "by a step through a range", stop, "mark_written");
      // Once more, when the program has gone on from there.
      if (i == 0) d.Expect("to the end", d.Continue().kind == StopKind::kHistoryEnd);
    }
  });
}

// Of three copies of 64 bytes over the watched one, one after the other.
TEST_CASE("watch: a repeated string instruction is finished, live and in the past, forwards and backwards") {
  for (double interval_ms : {0.0, 2.0}) {
    for (const bool by_steps : {false, true}) {
      CAPTURE(interval_ms);
      CAPTURE(by_steps);
      FromTheBeginning("copies", interval_ms, [by_steps](Debugged& d) {
        const TraceeAddress watched = d.symbols().at("room") + 24;
        auto value = [&] { return d.engine().process().memory().ReadValue<uint64_t>(watched).value(); };
        auto all = [&] { return d.engine().process().memory().ReadValue<uint64_t>(watched + 32).value(); };
        constexpr uint64_t kOnes = 0x0101010101010101;
        d.engine().watches.push_back({WatchKind::kWrite, watched, 8});
        auto to_touch = [&](bool steps) {
          if (!steps) return d.Continue();
          const auto watches = std::exchange(d.engine().watches, {});
          d.Break("mark_copy");
          ExpectBreak(d, d.Continue(), "mark_copy");
          d.Clear();
          d.engine().watches = watches;
          return d.Step();
        };
        std::vector<NotedState> noted;
        for (uint64_t round = 1; round <= 3; ++round) {
          ExpectTouch(d, "live", to_touch(by_steps), "mark_copied");
          d.Equal("copied", round * kOnes, value());
          d.Equal("all of it", round * kOnes, all());
          noted.push_back(d.Note());
        }
        for (uint64_t round = 3; round >= 1; --round) {
          const StopReply stop = d.ReverseContinue();
          d.Expect("back: a watchpoint", stop.kind == StopKind::kWatchpoint);
          d.Equal("before the instruction", d.symbols().at("mark_copy").value, d.pc());
          d.Equal("before", (round - 1) * kOnes, value());
          // There and back, on a way of one instruction.
          ExpectTouch(d, "a step", d.Step(), "mark_copied");
          d.Expect("the same state", d.Note() == noted[round - 1]);
          d.Expect("a step back", d.ReverseStep().kind == StopKind::kSignal);
          d.Equal("before again", d.symbols().at("mark_copy").value, d.pc());
          d.Equal("the value before again", (round - 1) * kOnes, value());
        }
        d.Expect("nothing before", d.ReverseContinue().kind == StopKind::kHistoryBegin);
        for (uint64_t round = 1; round <= 3; ++round) {
          ExpectTouch(d, "again", to_touch(by_steps), "mark_copied");
          d.Equal("copied again", round * kOnes, value());
          d.Expect("the same state again", d.Note() == noted[round - 1]);
        }
        // At a breakpoint on the instruction itself, whose probe is one that traps.
        d.Expect("back", d.ReverseContinue().kind == StopKind::kWatchpoint);
        d.Break("mark_copy");
        ExpectTouch(d, "from a breakpoint there", d.Continue(), "mark_copied");
        d.Clear();
        const StopReply stop = d.Continue();
        d.Expect("to the end", stop.kind == StopKind::kHistoryEnd);
      });
    }
  }
}

TEST_CASE("watch: the last round of a repeated string instruction, with another behind it") {
  FromTheBeginning("fills", 0, [](Debugged& d) {
    d.engine().watches.push_back({WatchKind::kWrite, d.symbols().at("room") + 8, 8});
    auto after_fill = [&] {
      return d.pc() == d.symbols().at("mark_other_fill").value || d.pc() == d.symbols().at("mark_filled").value;
    };
    for (int i = 0; i < 2; ++i) {
      d.Expect("a watchpoint", d.Continue().kind == StopKind::kWatchpoint);
      d.Expect("behind it", after_fill());
      d.Expect("back", d.ReverseContinue().kind == StopKind::kWatchpoint);
      d.Equal("at it", d.symbols().at("mark_fill").value, d.pc());
    }
  });
}

}  // namespace
}  // namespace chronofork
