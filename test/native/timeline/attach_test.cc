// Attaching to programs that run: what they do meanwhile is recorded and can be
// gone back through, and when they are let go nothing tells that we were there.
//
// CHRONOFORK_SITUATION=NAME runs only the situation with that name.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "attached.h"
#include "core_child.h"
#include "debugged.h"
#include "debuggee.h"
#include "tracee/memory.h"

namespace chronofork {
namespace {

using namespace timeline_test;

constexpr std::chrono::seconds kPatience{40};

// A target in the middle of what it does.
std::unique_ptr<Target> Begin(const std::string& situation, const std::string& flags = "-g -O1",
                              const std::vector<std::string>& added = {}) {
  auto target =
      std::make_unique<Target>(std::vector<std::string>{BuildDebuggee("attachable.c", flags), situation}, added);
  REQUIRE(target->WaitUntilReady());
  ::usleep(100'000);
  return target;
}

// Attaches, records `slices` stretches of time, goes back and forth, proves all of it, lets go.
std::string AttachRecordAndLetGo(pid_t pid, int slices, int slice_ms) {
  AttachedRun run(pid);
  for (int i = 0; i < slices && run.problems.empty(); ++i) run.RunFor(slice_ms);
  run.StepBackAndForth();
  run.VerifyAll();
  run.Detach();
  return run.problems;
}

TEST_CASE("attach: programs go on as if nobody had come") {
  const std::string program = BuildDebuggee("attachable.c");
  for (const std::string& situation : SituationsOf(program)) {
    if (situation == "sandboxed" || situation == "parent_of_two" || situation == "replaces_itself")
      continue;  // for tests of their own
    const char* only = std::getenv("CHRONOFORK_SITUATION");
    if (only && situation != only) continue;
    INFO(situation);
    Target target({program, situation});
    REQUIRE(target.WaitUntilReady());
    ::usleep(300'000);
    const bool same_threads = situation != "threads_come_and_go" && situation != "waits_for_futex";
    const std::string before = target.Traces(same_threads);
    const ChildEnd end = RunInCoreChild(kPatience, [&] { return AttachRecordAndLetGo(target.pid(), 4, 100); });
    CHECK(TroubleOf(end) + end.text == "");
    if (!target.ended()) CHECK(target.Traces(same_threads) == before);
    target.Write("first\nsecond\n");
    CHECK(target.WaitForEnd(kPatience) == "exit 0");
    const NativeRun native = RunNatively({program, situation}, "first\nsecond\n", kPatience);
    CHECK(target.output() == native.output);
  }
}

TEST_CASE("attach: a hundred times in a row") {
  for (const char* situation : {"four_threads", "asks_the_clock", "timer"}) {
    INFO(std::string(situation));
    auto target = Begin(situation, "-g -O1", {"ATTACHABLE_SCALE=4"});
    const std::string before = target->Traces();
    const ChildEnd end = RunInCoreChild(kPatience, [&] {
      std::string problems;
      for (int i = 0; i < 100 && problems.empty(); ++i) {
        AttachedRun run(target->pid());
        if (i % 10 == 0 && run.problems.empty()) run.RunFor(2);
        run.Detach();
        problems = run.problems;
        if (!problems.empty()) problems += "the " + std::to_string(i + 1) + "th time\n";
      }
      return problems;
    });
    CHECK(TroubleOf(end) + end.text == "");
    if (!target->ended()) CHECK(target->Traces() == before);
    CHECK(target->WaitForEnd(kPatience) == "exit 0");
  }
}

TEST_CASE("attach: neither the program nor its parent ever sees a process of ours") {
  auto family = Begin("parent_of_two", "-g -O1", {"ATTACHABLE_SCALE=4"});
  const pid_t child = std::atoi(family->output().c_str() + std::string("ready\n").size());
  REQUIRE(child > 0);
  for (pid_t attached : {child, family->pid()}) {
    const ChildEnd end = RunInCoreChild(kPatience, [attached] { return AttachRecordAndLetGo(attached, 5, 50); });
    CHECK(TroubleOf(end) + end.text == "");
  }
  CHECK(family->WaitForEnd(kPatience) == "exit 0");
}

TEST_CASE("attach: from the past the live program goes on, and that is said") {
  auto target = Begin("asks_the_clock");
  const ChildEnd end = RunInCoreChild(kPatience, [&] {
    AttachedRun run(target->pid());
    run.RunFor(100);
    TimeOperation to_begin;
    run.Do(to_begin);
    run.Expect("the present is in the past", !run.engine().live());
    run.Detach();
    run.Expect("it is said", run.notices.size() == 1 && run.notices[0].find("really was") != std::string::npos);
    return run.problems;
  });
  CHECK(TroubleOf(end) + end.text == "");
  CHECK(target->WaitForEnd(kPatience) == "exit 0");
}

TEST_CASE("attach: on a branch of its past the program runs on as a copy, and is itself let go") {
  for (const char* situation : {"own_state", "four_threads", "sleeps"}) {
    INFO(std::string(situation));
    auto target = Begin(situation);
    const std::string before = target->Traces();
    const ChildEnd end = RunInCoreChild(kPatience, [&] {
      AttachedRun run(target->pid());
      run.RunFor(100);
      TimeOperation to_begin;
      run.Do(to_begin);
      Result<Engine::BranchResult> branch = run.engine().StartBranch("");
      run.Expect("there is a branch", branch.ok());
      run.RunFor(150);
      run.Expect("it is live", run.engine().live() && run.engine().process().pid() != target->pid());
      run.VerifyAll();
      run.Detach();
      return run.problems;
    });
    CHECK(TroubleOf(end) + end.text == "");
    if (!target->ended()) CHECK(target->Traces() == before);
    CHECK(target->WaitForEnd(kPatience) == "exit 0");
  }
}

TEST_CASE("attach: the program that replaces it is recorded, and let go") {
  auto target = Begin("replaces_itself");
  const ChildEnd end = RunInCoreChild(kPatience, [&] {
    AttachedRun run(target->pid());
    run.Expect("it is replaced", run.RunFor(5000).kind == StopKind::kExec);
    run.RunFor(200);
    run.VerifyAll();
    run.Detach();
    return run.problems;
  });
  CHECK(TroubleOf(end) + end.text == "");
  const std::string traces = target->Traces();
  for (const char* line : {"TracerPid:\t0\n", "Seccomp:\t0\n", "NoNewPrivs:\t0\n"})
    CHECK(traces.find(line) != std::string::npos);
  CHECK(traces.find("7e8000000000-") == std::string::npos);
  CHECK(target->WaitForEnd(kPatience) == "exit 0");
  CHECK(target->output() == "ready\nready\nsaid\n");
}

// A shell stands still, is attached to as it is, and becomes the program: all of
// that one's run is recorded, its calls stopped by tracing.
TEST_CASE("attach: whatever a program does is recorded without a filter") {
  constexpr char kInput[] = "first line\nsecond\nthird\n";
  constexpr int kCannotPlay = 77;
  for (const char* source : {"clocks.c", "memory.c", "files.c", "signals.c", "threads.c", "waiting.c", "processes.c",
                             "computing.c", "own_state.c"}) {
    const std::string program = BuildDebuggee(source);
    for (const std::string& situation : SituationsOf(program)) {
      const char* only = std::getenv("CHRONOFORK_SITUATION");
      if (only && situation != only) continue;
      if (situation == "vsyscall") continue;  // is not seen without a filter, see attach.cc
      const NativeRun native = RunNatively({program, situation}, kInput, kPatience);
      if (native.exit_code == kCannotPlay) continue;
      INFO(std::string(source), " ", situation);
      TemporaryFolder folder;
      Target target(
          {"/bin/sh", "-c", "cd " + folder.path() + "; kill -STOP $$; exec \"$0\" \"$1\"", program, situation});
      for (int i = 0; i < 1000 && ReadProcText(target.pid(), "status").find("State:\tT") == std::string::npos; ++i)
        ::usleep(1000);
      target.Write(kInput);
      const ChildEnd end = RunInCoreChild(kPatience, [&] {
        AttachedRun run(target.pid(), 5);
        StopReply reply = run.engine().Resume({ResumeKind::kContinue, 0, {}});
        run.Expect("the shell is replaced", reply.kind == StopKind::kExec);
        while (reply.kind == StopKind::kExec || reply.kind == StopKind::kSignal)
          reply = run.engine().Resume({ResumeKind::kContinue, reply.kind == StopKind::kSignal ? reply.signal : 0, {}});
        run.Expect("it comes to its end", reply.kind == StopKind::kHistoryEnd);
        run.VerifyAll();
        run.Detach();
        return run.problems;
      });
      CHECK(TroubleOf(end) + end.text == "");
      // As it was before it was attached to, it is stopped.
      ::kill(target.pid(), SIGCONT);
      const std::string ended =
          native.signal ? "signal " + std::to_string(native.signal) : "exit " + std::to_string(native.exit_code);
      const std::string how = target.WaitForEnd(kPatience);
      CHECK(how.substr(0, how.find(':')) == ended);
      CHECK(target.output() == native.output);
    }
  }
}

TEST_CASE("attach: a breakpoint stops it, and is gone when it is let go") {
  auto target = Begin("says_so_at_its_end", "-g -O1 -no-pie");
  const Symbols symbols(BuildDebuggee("attachable.c", "-g -O1 -no-pie"));
  const ChildEnd end = RunInCoreChild(kPatience, [&] {
    AttachedRun run(target->pid());
    run.engine().breakpoints[symbols.at("compute")] = {};
    for (int i = 0; i < 3; ++i)
      run.Expect("it stops there", run.engine().Resume({ResumeKind::kContinue, 0, {}}).kind == StopKind::kBreakpoint);
    run.Expect("and again on the way back",
               run.engine().Resume({ResumeKind::kReverseContinue, 0, {}}).kind == StopKind::kBreakpoint);
    run.Detach();
    return run.problems;
  });
  CHECK(TroubleOf(end) + end.text == "");
  CHECK(target->WaitForEnd(kPatience) == "exit 0");
  CHECK(target->output() == "ready\nsaid\n");
}

TEST_CASE("attach: a watch stops whichever thread writes there, and is gone from all when they are let go") {
  auto target = Begin("four_threads", "-g -O1 -no-pie");
  const Symbols symbols(BuildDebuggee("attachable.c", "-g -O1 -no-pie"));
  const ChildEnd end = RunInCoreChild(kPatience, [&] {
    AttachedRun run(target->pid());
    run.engine().watches.push_back({WatchKind::kWrite, symbols.at("total"), 8});
    auto total = [&] { return run.engine().process().memory().ReadValue<uint64_t>(symbols.at("total")).value(); };
    std::set<pid_t> writers;
    uint64_t before = total();
    for (int i = 0; i < 500 && writers.size() < 4 && run.problems.empty(); ++i) {
      if (i % 5 == 4) {
        // A thread that is stopped so often is never left for another one: without the watch it is.
        const auto watches = std::exchange(run.engine().watches, {});
        run.RunFor(70);
        run.engine().watches = watches;
        before = total();
      }
      const StopReply stop = run.engine().Resume({ResumeKind::kContinue, 0, {}});
      run.Expect(std::string("a watchpoint, not ") + NameOf(stop.kind), stop.kind == StopKind::kWatchpoint);
      run.Expect("no write was missed", total() == ++before);
      writers.insert(run.engine().present_tid());
    }
    run.Expect("all four write: " + std::to_string(writers.size()), writers.size() == 4);
    run.Detach();
    return run.problems;
  });
  CHECK(TroubleOf(end) + end.text == "");
  CHECK(target->WaitForEnd(kPatience) == "exit 0");
  CHECK(target->output() == "ready\n12000 12000\n");
}

// Not own_state: until the guardian has come, it sees the one CPU of its tracer.
TEST_CASE("attach: the program survives that we are killed, wherever it stands") {
  for (const char* situation : {"asks_the_clock", "four_threads", "sleeps", "epolls", "timer", "says_so_at_its_end"}) {
    for (const bool while_it_runs : {false, true}) {
      INFO(std::string(situation), std::string(while_it_runs ? ", while it runs" : ", while it stands"));
      auto target = Begin(situation, "-g -O1 -no-pie");
      const Symbols symbols(BuildDebuggee("attachable.c", "-g -O1 -no-pie"));
      const std::string before = target->Traces();
      const ChildEnd end = RunInCoreChild(kPatience, [&]() -> std::string {
        AttachedRun run(target->pid());
        run.engine().breakpoints[symbols.at("says_so")] = {};
        run.RunFor(100);
        if (!run.problems.empty()) return run.problems;
        std::thread killer([&] {
          if (while_it_runs) ::usleep(100'000);
          ::kill(::getpid(), SIGKILL);
        });
        if (while_it_runs) run.RunFor(30'000);
        killer.join();
        return "not killed";
      });
      CHECK(end.text == "");
      CHECK(end.crashed == SIGKILL);
      ::usleep(200'000);  // the guardian comes
      if (!target->ended()) CHECK(target->Traces() == before);
      CHECK(target->WaitForEnd(kPatience) == "exit 0");
    }
  }
}

}  // namespace
}  // namespace chronofork
