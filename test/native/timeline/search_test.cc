// Backwards through programs whose truth is known (test/programs/native/moves.c):
// breakpoints, conditions, writers of every kind, frames of a recursion, single steps.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core_child.h"
#include "debugged.h"
#include "debuggee.h"

namespace chronofork {
namespace {

using namespace timeline_test;

std::string Moves() { return BuildDebuggee("moves.c", "-g -O0 -no-pie"); }

// Runs `body` with the program at mark_end; reports what it found wrong.
void FromTheEnd(const std::vector<std::string>& arguments, double interval_ms,
                const std::function<void(Debugged&)>& body) {
  const std::string program = Moves();
  const TemporaryFolder folder;
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(40), [&] {
    Debugged d(program, arguments, {interval_ms, folder.path(), "/dev/null"});
    d.Break("mark_end");
    const StopReply stop = d.Continue();
    d.Expect("stopped at mark_end", stop.kind == StopKind::kBreakpoint && d.pc() == d.symbols().at("mark_end").value);
    d.Clear();
    body(d);
    for (const std::string& notice : d.notices)
      if (!notice.starts_with("info")) d.problems += notice + "\n";
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

AgentCode WhenWordIs(TraceeAddress address, uint64_t value) {
  AgentCode code;
  auto push = [&](uint64_t constant) {
    code.push_back(std::byte{0x25});  // const64
    for (int shift = 56; shift >= 0; shift -= 8) code.push_back(static_cast<std::byte>(constant >> shift));
  };
  push(address.value);
  code.push_back(std::byte{0x1a});  // ref64
  push(value);
  code.push_back(std::byte{0x13});  // equal
  code.push_back(std::byte{0x27});  // end
  return code;
}

void ExpectBreak(Debugged& d, const StopReply& stop, const std::string& symbol) {
  if (stop.kind != StopKind::kBreakpoint || d.pc() != d.symbols().at(symbol).value) {
    char text[120];
    std::snprintf(text, sizeof text, "%s at 0x%llx, not at %s\n", NameOf(stop.kind),
                  static_cast<unsigned long long>(d.pc()), symbol.c_str());
    d.problems += text;
  }
}

TEST_CASE("search: reverse-continue to a breakpoint, again and again, and forward") {
  for (double interval_ms : {0.0, 2.0}) {
    FromTheEnd({"loops"}, interval_ms, [](Debugged& d) {
      d.Break("mark_visit");
      for (uint64_t i = 19999; i > 19990; --i) {
        ExpectBreak(d, d.ReverseContinue(), "mark_visit");
        d.Equal("current", i, d.Word("current"));
        d.Equal("total", (i - 1) * i / 2, d.Word("total"));
      }
      for (uint64_t i = 19992; i < 20000; ++i) {
        ExpectBreak(d, d.Continue(), "mark_visit");
        d.Equal("current on the way forward", i, d.Word("current"));
      }
      d.Clear();
      d.Expect("back to the end", d.Continue().kind == StopKind::kHistoryEnd && d.engine().live());
    });
  }
}

// Copies are made on the way wherever the clock falls, also within the code that counts.
TEST_CASE("search: copies made while counting do not change what is counted") {
  const std::string program = Moves();
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] {
    Debugged d(program, {"loops"}, {0, "", "/dev/null", 0.06});
    const uint64_t rounds = 600'000;
    d.Break("mark_begin");
    d.Continue();
    const Result<void> longer = d.engine().WriteMemory(d.symbols().at("rounds"), std::as_bytes(std::span(&rounds, 1)));
    d.Expect("more rounds", longer.ok());
    d.Clear();
    d.Break("mark_end");
    d.Continue();
    d.Clear();
    // Two places side by side, which share the code that counts them.
    const TraceeAddress visit = d.symbols().at("mark_visit");
    d.engine().breakpoints[visit] = {};
    d.engine().breakpoints[visit + 1] = {};
    // From the end again and again, so that the way is long.
    for (int round = 0; round < 60 && d.problems.empty(); ++round) {
      for (uint64_t i = rounds - 1; i > rounds - 4; --i)
        for (const TraceeAddress place : {visit + 1, visit}) {
          d.Expect("a breakpoint", d.ReverseContinue().kind == StopKind::kBreakpoint);
          d.Equal("the place", place.value, d.pc());
          d.Equal("current", i, d.Word("current"));
        }
      TimeOperation to_end;
      to_end.kind = TimeOperation::Kind::kSeekEnd;
      d.Do(to_end);
    }
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

// While nobody waits, copies are made on the way to the present.
TEST_CASE("search: a step back that was prepared finds what one finds without") {
  const std::string program = Moves();
  // How often the preparation may ask whether somebody waits until somebody does.
  for (const size_t patience : {1000000, 1, 7}) {
    CAPTURE(patience);
    const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] {
      Debugged d(program, {"loops"}, {0, "", "/dev/null", 1});
      const uint64_t rounds = 30'000'000;
      d.Break("mark_begin");
      d.Continue();
      d.Expect("more rounds",
               d.engine().WriteMemory(d.symbols().at("rounds"), std::as_bytes(std::span(&rounds, 1))).ok());
      d.Clear();
      d.Break("mark_end");
      d.Continue();
      d.Clear();
      d.Break("mark_visit");
      const size_t before = d.engine().branch().line.size();
      size_t interruptions = 0;
      for (bool done = false; !done;) {
        size_t asked = 0;
        done = d.engine().Prepare([&] { return ++asked > patience; });
        interruptions += done ? 0 : 1;
        d.Expect("no checkpoint yet", d.engine().branch().line.size() == before);
      }
      // How often it asks before it is done depends on the clock.
      if (patience == 1) d.Expect("interrupted, for somebody waits", interruptions > 0);
      if (patience > 1000) d.Expect("not interrupted, for nobody waits", interruptions == 0);
      ExpectBreak(d, d.ReverseContinue(), "mark_visit");
      d.Equal("current", rounds - 1, d.Word("current"));
      d.Equal("total", (rounds - 2) * (rounds - 1) / 2, d.Word("total"));
      d.Expect("started near by", d.engine().base() >= before);
      ExpectBreak(d, d.ReverseContinue(), "mark_visit");
      d.Equal("the one before", rounds - 2, d.Word("current"));
      return d.problems;
    });
    CHECK(TroubleOf(end) == "");
    CHECK(end.text == "");
  }
}

TEST_CASE("search: what was prepared for one moment is not taken for another") {
  FromTheEnd({"loops"}, 0, [](Debugged& d) {
    d.Expect("prepared", d.engine().Prepare([] { return false; }));
    const size_t before = d.engine().branch().line.size();
    TimeOperation to_begin;
    to_begin.kind = TimeOperation::Kind::kSeekBegin;
    d.Do(to_begin);
    d.Expect("nothing was added", d.engine().branch().line.size() == before);
    d.Expect("at a checkpoint there is nothing to do", d.engine().Prepare([] { return false; }));
    d.Break("mark_visit");
    ExpectBreak(d, d.Continue(), "mark_visit");
    d.Equal("current", 0u, d.Word("current"));
    d.Expect("prepared again", d.engine().Prepare([] { return false; }));
    d.Clear();
    d.Expect("forwards", d.Continue().kind == StopKind::kHistoryEnd);
    d.Expect("still nothing", d.engine().branch().line.size() == before);
  });
}

TEST_CASE("search: the nearest of two breakpoints, and conditions") {
  for (double interval_ms : {0.0, 2.0}) {
    FromTheEnd({"loops"}, interval_ms, [](Debugged& d) {
      d.Break("mark_visit", WhenWordIs(d.symbols().at("current"), 12345));
      d.Break("mark_tenth", WhenWordIs(d.symbols().at("even_seen"), 15000));
      ExpectBreak(d, d.ReverseContinue(), "mark_tenth");
      d.Equal("even_seen", 15000u, d.Word("even_seen"));
      ExpectBreak(d, d.ReverseContinue(), "mark_visit");
      d.Equal("current", 12345u, d.Word("current"));
      ExpectBreak(d, d.Continue(), "mark_tenth");
      d.Clear();
      d.Break("mark_tenth");
      ExpectBreak(d, d.ReverseContinue(), "mark_tenth");
      d.Equal("even_seen before", 14990u, d.Word("even_seen"));
      d.Clear();
      d.Break("mark_visit", WhenWordIs(d.symbols().at("current"), 99999));
      d.Expect("nothing before: the beginning", d.ReverseContinue().kind == StopKind::kHistoryBegin);
      d.Equal("current at the beginning", 0u, d.Word("current"));
      d.Clear();
      d.Break("mark_visit");
      ExpectBreak(d, d.Continue(), "mark_visit");
      d.Equal("first visit", 0u, d.Word("current"));
      d.Equal("first total", 0u, d.Word("total"));
    });
  }
}

// A million rounds, whose hits are false but for two. Evaluated by traps these would be some 20 s each way.
TEST_CASE("search: a million false hits of conditions, backwards and forward") {
  const std::string program = Moves();
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] {
    Debugged d(program, {"loops"}, {100, "", "/dev/null"});
    const uint64_t rounds = 1'000'000;
    d.Break("mark_begin");
    d.Continue();
    const Result<void> longer = d.engine().WriteMemory(d.symbols().at("rounds"), std::as_bytes(std::span(&rounds, 1)));
    d.Expect("more rounds", longer.ok());
    d.Clear();
    d.Break("mark_end");
    d.Continue();
    d.Clear();
    const auto timed = [&](const char* what, const std::function<StopReply()>& go) {
      const auto begun = std::chrono::steady_clock::now();
      const StopReply reply = go();
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
      std::fprintf(stderr, "a million false hits %s: %.3f s\n", what, seconds);
      d.Expect("in a fraction of a trap for each", seconds < 8);
      return reply;
    };
    d.Break("mark_visit", WhenWordIs(d.symbols().at("current"), 31));
    ExpectBreak(d, timed("backwards", [&] { return d.ReverseContinue(); }), "mark_visit");
    d.Equal("current", 31u, d.Word("current"));
    d.Clear();
    d.Break("mark_visit", WhenWordIs(d.symbols().at("current"), 999'990));
    ExpectBreak(d, timed("forward", [&] { return d.Continue(); }), "mark_visit");
    d.Equal("current", 999'990u, d.Word("current"));
    d.Expect("in the past", !d.engine().live());
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

TEST_CASE("search: a condition that reads what is not there, or what is watched") {
  FromTheEnd({"loops"}, 2, [](Debugged& d) {
    // What is watched is read by the condition at each hit: that is no access of the program.
    d.engine().watches.push_back({WatchKind::kAccess, d.symbols().at("outcome"), 8});
    d.Break("mark_tenth", WhenWordIs(d.symbols().at("outcome"), 1));
    const StopReply stop = d.ReverseContinue();
    d.Expect("nothing touches it", stop.kind == StopKind::kHistoryBegin);
    d.engine().watches.clear();
    d.Clear();
    d.Break("mark_tenth", WhenWordIs(TraceeAddress(8), 1));
    ExpectBreak(d, d.Continue(), "mark_tenth");
    d.Equal("even_seen", 0u, d.Word("even_seen"));
    ExpectBreak(d, d.Continue(), "mark_tenth");
    d.Equal("even_seen", 10u, d.Word("even_seen"));
    // The flags are not compiled: this condition is asked.
    d.Clear();
    const AgentCode never{std::byte{0x26}, std::byte{0},    std::byte{17},  std::byte{0x22},
                          std::byte{0},    std::byte{0x0f}, std::byte{0x27}};  // eflags & 0
    d.Break("mark_visit", never);
    d.Break("mark_tenth", WhenWordIs(d.symbols().at("even_seen"), 70));
    ExpectBreak(d, d.Continue(), "mark_tenth");
    d.Equal("even_seen", 70u, d.Word("even_seen"));
    d.Expect("back to the beginning", d.ReverseContinue().kind == StopKind::kHistoryBegin);
    d.Clear();
    d.Break("mark_visit", never);
    d.Break("mark_end");
    ExpectBreak(d, d.Continue(), "mark_end");
    d.Clear();
    d.Break("mark_visit", never);
    d.Break("mark_tenth", WhenWordIs(d.symbols().at("even_seen"), 19980));
    ExpectBreak(d, d.ReverseContinue(), "mark_tenth");
    d.Equal("even_seen", 19980u, d.Word("even_seen"));
  });
}

TEST_CASE("search: a condition that cannot be evaluated stops, so that gdb looks itself") {
  FromTheEnd({"loops"}, 2, [](Debugged& d) {
    d.Break("mark_tenth", WhenWordIs(TraceeAddress(8), 1));
    ExpectBreak(d, d.ReverseContinue(), "mark_tenth");
    d.Equal("even_seen", 19990u, d.Word("even_seen"));
  });
}

TEST_CASE("search: the last write, by every kind of writer") {
  struct Writer {
    const char* name;
    const char* watched;
    uint64_t offset;
    const char* place;  // nullptr: a system call
    uint64_t before;    // the value just before the write
  };
  constexpr uint64_t kElfHeaderWord18 = ~uint64_t{0};  // not compared
  for (const Writer& w : {Writer{"plain", "target", 0, "write_plain_mark", 4998},
                          Writer{"repeated", "target", 0, "write_repeated_mark", 1048},
                          Writer{"call", "other_stack", 4000, "write_call_mark", kElfHeaderWord18},
                          Writer{"push", "other_stack", 4000, "write_push_mark", 18},
                          Writer{"kernel", "target", 0, nullptr, kElfHeaderWord18}}) {
    for (double interval_ms : {0.0, 2.0}) {
      INFO(std::string(w.name));
      CAPTURE(interval_ms);
      FromTheEnd({"writers", w.name}, interval_ms, [&w](Debugged& d) {
        const TraceeAddress watched = d.symbols().at(w.watched) + w.offset;
        auto value = [&] { return d.engine().process().memory().ReadValue<uint64_t>(watched).value(); };
        const uint64_t last = value();
        d.engine().watches.push_back({WatchKind::kWrite, watched, 8});
        const StopReply stop = d.ReverseContinue();
        d.Expect("stopped by the watch", stop.kind == StopKind::kWatchpoint && stop.watch_address == watched);
        if (w.place) d.Equal("the writer", d.symbols().at(w.place).value, d.pc());
        if (w.before != kElfHeaderWord18) d.Equal("the value before", w.before, value());
        d.engine().watches.clear();
        d.Step();
        d.Equal("the value after one step", last, value());
        // The same by an armed operation, from the end again.
        d.Expect("to the end", d.Continue().kind == StopKind::kHistoryEnd);
        TimeOperation operation;
        operation.kind = TimeOperation::Kind::kLastWrite;
        operation.range = {watched, watched + 8};
        const OperationResult result = d.Do(operation);
        d.Expect("the operation found it", result.outcome == OperationResult::Outcome::kFound);
        if (w.place) d.Equal("the writer, armed", d.symbols().at(w.place).value, d.pc());
        // And of much more than the processor watches at a time.
        d.Expect("to the end again", d.Continue().kind == StopKind::kHistoryEnd);
        const TraceeAddress object = d.symbols().at(w.watched);
        operation.range = {object, object + 64};
        if (w.offset > 0) operation.range = {object + 3840, object + 4096};
        const OperationResult of_many = d.Do(operation);
        d.Expect("found among many", of_many.outcome == OperationResult::Outcome::kFound);
        d.Expect("it is one of them", of_many.address && operation.range.Contains(*of_many.address));
        const bool is_call = std::string(w.name) == "call";  // the callee pushes once more
        if (is_call) d.Expect("the callee", d.symbols().RangeOf("empty").Contains(TraceeAddress(d.pc())));
        if (w.place && !is_call) d.Equal("the writer among many", d.symbols().at(w.place).value, d.pc());
        if (w.before != kElfHeaderWord18) d.Equal("the value before, among many", w.before, value());
      });
    }
  }
}

TEST_CASE("search: of many variables the one that was written last") {
  for (double interval_ms : {0.0, 2.0}) {
    FromTheEnd({"loops"}, interval_ms, [](Debugged& d) {
      // current, even_seen, total and what lies between them; total is added to last.
      const auto at = [&](const char* symbol) { return d.symbols().at(symbol); };
      TimeOperation operation;
      operation.kind = TimeOperation::Kind::kLastWrite;
      const auto [low, high] = std::minmax({at("current"), at("even_seen"), at("total")});
      operation.range = {std::max(low, at("total") - 128), high + 64};
      OperationResult result = d.Do(operation);
      d.Expect("found", result.outcome == OperationResult::Outcome::kFound);
      d.Equal("total", at("total").value, result.address.value_or(TraceeAddress()).value);
      d.Equal("before the last round's", 19998u * 19999 / 2, d.Word("total"));
      result = d.Do(operation);
      d.Equal("current", at("current").value, result.address.value_or(TraceeAddress()).value);
      d.Equal("the round before", 19998u, d.Word("current"));
      operation.range = {low, low + 5000};
      result = d.Try(operation);
      d.Expect("too large", result.outcome == OperationResult::Outcome::kFailed && result.error &&
                                result.error->code == "tooManyWatchpoints");
    });
  }
}

TEST_CASE("search: reading is an access, though it leaves no trace") {
  FromTheEnd({"loops"}, 2, [](Debugged& d) {
    d.engine().watches.push_back({WatchKind::kAccess, d.symbols().at("rounds"), 8});
    const StopReply stop = d.ReverseContinue();
    d.Expect("stopped by the watch", stop.kind == StopKind::kWatchpoint && stop.watch == WatchKind::kAccess);
    d.Equal("the last round is over", 19999u, d.Word("current"));
    d.Equal("and counted", 19999u * 20000 / 2, d.Word("total"));
  });
}

TEST_CASE("search: nothing wrote it") {
  FromTheEnd({"loops"}, 2, [](Debugged& d) {
    TimeOperation operation;
    operation.kind = TimeOperation::Kind::kLastWrite;
    operation.range = {d.symbols().at("choice"), d.symbols().at("choice") + 8};
    const NotedState before = d.Note();
    const OperationResult result = d.Do(operation);
    d.Expect("begin", result.outcome == OperationResult::Outcome::kBegin);
    d.Expect("the present is unchanged", d.Note() == before);
  });
}

TEST_CASE("search: the frame of a recursion that one is in") {
  FromTheEnd({"recursion"}, 0, [](Debugged& d) {
    d.Break("mark_after_descent", WhenWordIs(d.symbols().at("depth"), 5));
    ExpectBreak(d, d.ReverseContinue(), "mark_after_descent");
    d.Clear();
    const uint64_t sp = d.engine().process().registers().rsp;
    TimeOperation operation;
    operation.kind = TimeOperation::Kind::kLastTransition;
    operation.places = {
        {d.symbols().at("mark_before_descent"), 1, AddressRange{TraceeAddress(sp), TraceeAddress(sp + 1)}}};
    OperationResult result = d.Do(operation);
    d.Expect("found in the same frame", result.outcome == OperationResult::Outcome::kFound && result.group == 1u);
    d.Equal("depth", 5u, d.Word("depth"));
    d.Equal("stack pointer", sp, d.engine().process().registers().rsp);
    // Without a range the deepest call is nearer.
    d.Break("mark_after_descent", WhenWordIs(d.symbols().at("depth"), 5));
    ExpectBreak(d, d.Continue(), "mark_after_descent");
    d.Clear();
    operation.places[0].rsp_range.reset();
    operation.places[0].group = 0;  // each hit by itself
    d.Do(operation);
    d.Equal("depth of the last call", 0u, d.Word("depth"));
  });
}

TEST_CASE("search: a group counts once for a run of hits") {
  for (double interval_ms : {0.0, 2.0}) {
    FromTheEnd({"loops"}, interval_ms, [](Debugged& d) {
      // From the end: visits 19991 … 19999 are one run, whose start is the first visit after a tenth one.
      TimeOperation operation;
      operation.kind = TimeOperation::Kind::kLastTransition;
      operation.places = {{d.symbols().at("mark_visit"), 1}, {d.symbols().at("mark_tenth"), 2}};
      OperationResult result = d.Do(operation);
      d.Expect("the visits are one run", result.group == 1u);
      d.Equal("its start", 19991u, d.Word("current"));
      result = d.Do(operation);
      d.Expect("before it a tenth", result.group == 2u);
      d.Equal("the tenth", 19990u, d.Word("even_seen"));
      result = d.Do(operation);
      d.Equal("the run before", 19981u, d.Word("current"));
    });
  }
}

// Each knows the number of the one before, as long as the same is asked.
TEST_CASE("search: a hundred steps back along the same places, and other ways between") {
  for (double interval_ms : {0.0, 2.0}) {
    FromTheEnd({"loops"}, interval_ms, [](Debugged& d) {
      TimeOperation same, other;
      same.kind = other.kind = TimeOperation::Kind::kLastTransition;
      same.places = {{d.symbols().at("mark_visit"), 1}, {d.symbols().at("mark_tenth"), 2}};
      other.places = {{d.symbols().at("mark_visit"), 0}};
      for (uint64_t k = 0; k < 50 && d.problems.empty(); ++k) {
        d.Expect("a run of visits", d.Do(same).group == 1u);
        d.Equal("its start", 19991 - 10 * k, d.Word("current"));
        d.Expect("before it a tenth", d.Do(same).group == 2u);
        d.Equal("the tenth", 19990 - 10 * k, d.Word("even_seen"));
        if (k % 8 != 3) continue;
        d.Do(other);
        d.Equal("the visit before the tenth", 19990 - 10 * k, d.Word("current"));
        const NotedState there = d.Note();
        TimeOperation to_end;
        to_end.kind = TimeOperation::Kind::kSeekMoment;
        to_end.id = d.engine().present_moment();
        d.Do(to_end);
        d.Expect("the same state", d.Note() == there);
      }
    });
  }
}

TEST_CASE("search: two hundred single steps back are the steps forward, reversed") {
  const std::string program = Moves();
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] {
    Debugged d(program, {"steps"});
    d.Break("mark_steps");
    ExpectBreak(d, d.Continue(), "mark_steps");
    d.Clear();
    std::vector<GeneralRegisters> forward{d.engine().process().registers()};
    for (int i = 0; i < 1200; ++i) {
      d.Expect("a step stops by SIGTRAP", d.Step().kind == StopKind::kSignal);
      forward.push_back(d.engine().process().registers());
    }
    for (int i = 1199; i >= 1000; --i) {
      d.ReverseStep();
      const std::string difference = DifferenceOf(forward[static_cast<size_t>(i)], d.engine().process().registers());
      if (difference.empty()) continue;
      d.problems += "step " + std::to_string(i) + ": " + difference + "\n";
      break;
    }
    for (int i = 1001; i <= 1100; ++i) {
      d.Step();
      const std::string difference = DifferenceOf(forward[static_cast<size_t>(i)], d.engine().process().registers());
      if (difference.empty()) continue;
      d.problems += "step " + std::to_string(i) + " forward again: " + difference + "\n";
      break;
    }
    for (const std::string& notice : d.notices) d.problems += notice + "\n";
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

TEST_CASE("search: one step back from the live end, also where that is at a system call") {
  const TemporaryFolder folder;
  const std::string program = BuildDebuggee("moves.c", "-g -O0 -no-pie");
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] {
    Debugged d(program, {"choice"}, {0, folder.path(), folder.path() + "/output"});
    d.Break("mark_choice");
    d.Expect("it stops", d.Continue().kind == StopKind::kBreakpoint);
    d.Clear();
    int calls = 0;
    for (int i = 0; i < 400 && calls < 2; ++i) {
      const uint64_t before = d.pc();
      d.Step();
      const NotedState here = d.Note();
      Result<uint16_t> code = d.engine().process().memory().ReadValue<uint16_t>(TraceeAddress(d.pc()));
      calls += code.ok() && code.value() == 0x050f;
      d.ReverseStep();
      d.Equal("one back from step " + std::to_string(i), before, d.pc());
      d.Step();
      d.Expect("and forward again, at step " + std::to_string(i), d.Note() == here && d.engine().live());
    }
    d.Expect("a system call was among them", calls >= 1);
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

// Ten times the instruction at `mark`, whose result is recorded: to each of them, one step over it and back.
void StepsAt(const char* what, const std::string& mark) {
  const std::string program = BuildDebuggee("moves.c", "-g -O0 -no-pie");
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] {
    Debugged d(program, {what});
    d.Break(mark);
    std::vector<NotedState> seen;
    StopReply stop = d.Continue();
    for (; stop.kind == StopKind::kBreakpoint; stop = d.Continue()) seen.push_back(d.Note());
    d.Expect("it ran to its end", stop.kind == StopKind::kHistoryEnd);
    d.Equal("times it stopped", size_t{10}, seen.size());
    for (size_t i = seen.size(); i-- > 0;) {
      const std::string time = " at time " + std::to_string(i);
      ExpectBreak(d, d.ReverseContinue(), mark);
      d.Expect("back" + time, d.Note() == seen[i]);
      d.Step();
      const NotedState behind = d.Note();
      d.ReverseStep();
      d.Expect("one step forth and back" + time, d.Note() == seen[i]);
      d.Step();
      d.Expect("and forth again" + time, d.Note() == behind);
      d.ReverseStep();
    }
    d.Expect("the beginning is before the first", d.ReverseContinue().kind == StopKind::kHistoryBegin);
    for (size_t i = 0; i < seen.size(); ++i) {
      ExpectBreak(d, d.Continue(), mark);
      d.Expect("forward at time " + std::to_string(i), d.Note() == seen[i]);
    }
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

TEST_CASE("search: breakpoints and steps at a time stamp") { StepsAt("stamps", "mark_stamp"); }
TEST_CASE("search: breakpoints and steps at a question about the processor") { StepsAt("identities", "mark_identity"); }
// An int3 of ours lies on it.
TEST_CASE("search: breakpoints and steps at a random number") {
  if (__builtin_cpu_supports("rdrnd"))
    StepsAt("chance", "mark_chance");
  else
    std::printf("skipped: this processor has no rdrand\n");
}

TEST_CASE("search: one step back from behind a call goes to the callee's return") {
  FromTheEnd({"returns"}, 0, [](Debugged& d) {
    d.Break("mark_returned");
    ExpectBreak(d, d.ReverseContinue(), "mark_returned");
    d.Clear();
    const AddressRange busy = d.symbols().RangeOf("busy");
    // From the mark back to the instruction behind the call: two of a -O0 build.
    for (int i = 0; i < 6 && !busy.Contains(TraceeAddress(d.pc())); ++i) d.ReverseStep();
    d.Equal("the return instruction", busy.end.value - 1, d.pc());
  });
}

TEST_CASE("search: cancelled, the present stays as it is") {
  FromTheEnd({"loops"}, 2, [](Debugged& d) {
    d.Break("mark_tenth");
    ExpectBreak(d, d.ReverseContinue(), "mark_tenth");
    d.Clear();
    const NotedState before = d.Note();
    TimeOperation operation;
    operation.kind = TimeOperation::Kind::kLastTransition;
    operation.places = {{d.symbols().at("mark_begin"), 1, {}, {}}};
    d.engine().cancel_wanted.store(true);
    const OperationResult result = d.Do(operation);
    d.Expect("it was cancelled", result.outcome == OperationResult::Outcome::kCancelled);
    d.Expect("the present is unchanged", d.Note() == before);
    d.Expect("and it can be done after all", d.Do(operation).outcome == OperationResult::Outcome::kFound);
    d.Equal("at the beginning", 0u, d.Word("total"));
  });
}

}  // namespace
}  // namespace chronofork
