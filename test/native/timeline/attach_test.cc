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

#include <string>
#include <thread>

#include "attached.h"
#include "core_child.h"
#include "debuggee.h"

namespace chronofork {
namespace {

using namespace timeline_test;

constexpr std::chrono::seconds kPatience{40};

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

}  // namespace
}  // namespace chronofork
