// Every situation of test/programs/native, recorded and replayed from each of
// its checkpoints: the program ends as it does natively, writes the same, and
// no replay differs from the recording.
//
// CHRONOFORK_SITUATION=NAME runs only the situations with that name.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "debuggee.h"
#include "verified_run.h"

namespace chronofork {
namespace {

using namespace timeline_test;

constexpr char kInput[] = "first line\nsecond\nthird\n";
constexpr int kCannotPlay = 77;  // situations.h

struct Table {
  const char* source;
  const char* flags = "-g -O1";
};

bool Wanted(const std::string& situation) {
  const char* only = std::getenv("CHRONOFORK_SITUATION");
  return !only || situation == only;
}

void VerifyAll(const Table& table, double interval_ms, std::vector<std::string> environment = {}) {
  const std::string program = BuildDebuggee(table.source, table.flags);
  const std::vector<std::string> situations = SituationsOf(program);
  REQUIRE(!situations.empty());
  int skipped = 0;
  for (const std::string& situation : situations) {
    if (!Wanted(situation)) continue;
    const NativeRun native = RunNatively({program, situation}, kInput, std::chrono::seconds(10));
    if (native.exit_code == kCannotPlay) {
      ++skipped;
      continue;
    }
    VerifyRequest request{{program, situation}, kInput, interval_ms, environment};
    const VerifiedRun run = RunVerified(request);
    INFO(CommandFor(request));
    CHECK_FALSE(native.hung);
    CHECK(native.exit_code != 99);  // an EXPECT of the situation
    CHECK(ProblemsOf(run) == "");
    CHECK(run.report.exit_code == native.exit_code);
    CHECK(run.report.signal == native.signal);
    CHECK(run.output == native.output);
    CHECK(run.report.replays == run.report.checkpoints);
    CHECK(run.report.refused_calls == 0);
  }
  if (skipped > 0) MESSAGE(table.source, ": ", skipped, " situations skipped, this processor cannot play them");
}

TEST_CASE("verify: files") { VerifyAll({"files.c"}, 1); }
TEST_CASE("verify: files, rare checkpoints") { VerifyAll({"files.c"}, 10); }
TEST_CASE("verify: memory") { VerifyAll({"memory.c"}, 1); }
TEST_CASE("verify: memory, rare checkpoints") { VerifyAll({"memory.c"}, 10); }
TEST_CASE("verify: clocks and chance") { VerifyAll({"clocks.c"}, 1); }
TEST_CASE("verify: clocks and chance, rare checkpoints") { VerifyAll({"clocks.c"}, 10); }
TEST_CASE("verify: signals") { VerifyAll({"signals.c"}, 1); }
TEST_CASE("verify: signals, rare checkpoints") { VerifyAll({"signals.c"}, 10); }
TEST_CASE("verify: processes") { VerifyAll({"processes.c"}, 1); }
TEST_CASE("verify: processes, rare checkpoints") { VerifyAll({"processes.c"}, 10); }
TEST_CASE("verify: computing") { VerifyAll({"computing.c"}, 1); }
TEST_CASE("verify: computing, rare checkpoints") { VerifyAll({"computing.c"}, 10); }
TEST_CASE("verify: waiting") { VerifyAll({"waiting.c"}, 1); }
TEST_CASE("verify: shared memory") { VerifyAll({"sharing.c"}, 1); }
TEST_CASE("verify: shared memory, rare checkpoints") { VerifyAll({"sharing.c"}, 10); }
TEST_CASE("verify: memory at several addresses") { VerifyAll({"aliases.c", "-g -O1 -pthread"}, 1); }
TEST_CASE("verify: memory at several addresses, rare checkpoints") { VerifyAll({"aliases.c", "-g -O1 -pthread"}, 10); }
TEST_CASE("verify: threads") { VerifyAll({"threads.c"}, 1); }
TEST_CASE("verify: threads, rare checkpoints") { VerifyAll({"threads.c"}, 10); }
TEST_CASE("verify: own state") { VerifyAll({"own_state.c"}, 1); }
TEST_CASE("verify: C++") { VerifyAll({"exceptions.cc"}, 1); }

// The same code, as other builds make it.
TEST_CASE("verify: static executable") { VerifyAll({"clocks.c", "-g -O2 -static"}, 1); }
TEST_CASE("verify: executable at a fixed address") { VerifyAll({"computing.c", "-g -O0 -no-pie"}, 10); }
TEST_CASE("verify: data that looks like instructions") {
  VerifyAll({"data_in_code.c", "-g -O1 -Wl,-z,noseparate-code"}, 1);
}

// Once with each way of finding the written pages that this kernel has beside the usual one.
TEST_CASE("verify: pages found by exclusive mapping") {
  VerifyAll({"memory.c"}, 1, {"CHRONOFORK_DIRTY=exclusive"});
  VerifyAll({"signals.c"}, 1, {"CHRONOFORK_DIRTY=exclusive"});
  VerifyAll({"files.c"}, 1, {"CHRONOFORK_DIRTY=exclusive"});
  VerifyAll({"processes.c"}, 1, {"CHRONOFORK_DIRTY=exclusive"});
  VerifyAll({"computing.c"}, 1, {"CHRONOFORK_DIRTY=exclusive"});
}

TEST_CASE("verify: what cannot be recorded is refused with a notice, and the program goes on") {
  struct Limit {
    const char* situation;
    const char* notice;
  };
  const std::string program = BuildDebuggee("limits.c");
  for (const Limit& limit : {Limit{"much_shared", "more than 64 MiB"}, Limit{"ring", "io_uring"},
                             Limit{"sandbox", "seccomp"}, Limit{"old_entry", "32-bit"}}) {
    if (!Wanted(limit.situation)) continue;
    VerifyRequest request{{program, limit.situation}, "", 1, {}};
    const VerifiedRun run = RunVerified(request);
    INFO(CommandFor(request));
    CHECK(ProblemsOf(run) == "");
    CHECK(run.report.exit_code == 0);
    CHECK(run.report.refused_calls == 1);
    CHECK(run.output == "1\n");
    REQUIRE(!run.report.notices.empty());
    CHECK(run.report.notices.back().find(limit.notice) != std::string::npos);
  }
}

}  // namespace
}  // namespace chronofork
