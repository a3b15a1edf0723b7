// Calls that are recorded inside the debuggee and replayed there: every
// situation of test/programs/native/patched.c, with each call site patched at
// its first stop, at its eighth (as usual), and never.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "callbuffer/call_buffer.h"
#include "debuggee.h"
#include "verified_run.h"

namespace chronofork {
namespace {

using namespace timeline_test;

bool CanPatch() {
  ::setenv("CHRONOFORK_PATCH", "1", 1);
  const bool usable = CallBuffer::Usable();
  ::unsetenv("CHRONOFORK_PATCH");
  return usable;
}

void VerifyPatched(const char* setting, double interval_ms, size_t interval_events, const char* source = "patched.c",
                   const char* flags = "-g -O1") {
  const std::string program = BuildDebuggee(source, flags);
  const std::vector<std::string> situations = SituationsOf(program);
  REQUIRE(!situations.empty());
  const char* only = std::getenv("CHRONOFORK_SITUATION");
  for (const std::string& situation : situations) {
    if (only && situation != only) continue;
    const NativeRun native = RunNatively({program, situation}, "", std::chrono::seconds(10));
    VerifyRequest request{{program, situation}, "", interval_ms, {}};
    if (setting) request.environment.push_back(std::string("CHRONOFORK_PATCH=") + setting);
    request.interval_events = interval_events;
    const VerifiedRun run = RunVerified(request);
    INFO(CommandFor(request));
    CHECK_FALSE(native.hung);
    CHECK(native.exit_code == 0);
    CHECK(ProblemsOf(run) == "");
    CHECK(run.report.exit_code == native.exit_code);
    CHECK(run.report.signal == native.signal);
    CHECK(run.output == native.output);
  }
}

TEST_CASE("patched calls: from the first on") { VerifyPatched("1", 5, 0); }
TEST_CASE("patched calls: from the eighth on") { VerifyPatched("8", 20, 0); }
TEST_CASE("patched calls: as it is if nothing is said") { VerifyPatched(nullptr, 20, 0); }
TEST_CASE("patched calls: none") { VerifyPatched("0", 20, 0); }
TEST_CASE("patched calls: a checkpoint after a few") { VerifyPatched("1", 0, 97); }
TEST_CASE("patched calls: a static executable") { VerifyPatched("1", 5, 0, "patched.c", "-g -O2 -static"); }
TEST_CASE("patched calls: signals") { VerifyPatched("1", 1, 0, "calls/interruptions.c", "-g -O1"); }
TEST_CASE("patched calls: signals anywhere") { VerifyPatched("1", 1, 0, "calls/anywhere.c", "-g -O1"); }

// The figures on which all of it rests: hardly a stop, in the recording and in the replay.
TEST_CASE("patched calls: pass without a stop") {
  if (!CanPatch()) {
    std::printf("skipped: this kernel or processor cannot read the segment bases\n");
    return;
  }
  const std::string program = BuildDebuggee("patched.c", "-g -O1");
  auto verify = [&](const char* setting, const char* situation = "many_calls") {
    VerifyRequest request{{program, situation}, "", 100, {std::string("CHRONOFORK_PATCH=") + setting}};
    return RunVerified(request).report;
  };
  const VerifyReport stopping = verify("0"), patched = verify("8");
  CHECK(stopping.events == patched.events);
  CHECK(patched.events > 28000);
  CHECK(stopping.record_stops > 2 * patched.events);
  CHECK(patched.record_stops < patched.events / 20);
  CHECK(patched.replay_stops < patched.replays * patched.events / 20);
  for (const char* situation : {"many_selects", "roomy_reads"}) {
    CAPTURE(situation);
    const VerifyReport few = verify("8", situation);
    CHECK(few.events > 2000);
    CHECK(few.record_stops < few.events / 8);
    CHECK(few.replay_stops < few.replays * few.events / 8);
  }
}

}  // namespace
}  // namespace chronofork
