// Each situation of test/programs/native/calls, with a checkpoint after every
// few events: the program is content with what it was answered, and replays
// from its start, between checkpoints and from each to the end are identical.
// Together they make every call of the system call table.
//
// CHRONOFORK_SITUATION=NAME runs only the situations with that name.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "debuggee.h"
#include "record/syscall_rows.h"
#include "verified_run.h"

namespace chronofork {
namespace {

using namespace timeline_test;

constexpr int kCannotPlay = 77;  // calls.h
constexpr char kContent[] = "EXIT-SUCCESS\n";
// A situation makes 20 to 200 events: some checkpoints in each, and short replays.
constexpr size_t kEventsBetweenCheckpoints = 7;

struct Coverage {
  int families = 0;
  int situations = 0;
  std::map<int32_t, uint64_t> calls;
};
Coverage& Seen() {
  static Coverage coverage;
  return coverage;
}

// What is asked for by these calls is never done in this way, or the program
// is no more when it is: they are seen by other means than an event.
const std::map<std::string, const char*> kNoEvent = {
    {"execve", "the program that called it is gone"},
    {"exit_group", "ends every program; there is no event after it"},
    {"uretprobe", "the kernel lets it pass by every filter, and kills who calls it outside a return probe"},
    {"vhangup", "would hang up the terminal of whoever runs the tests"},
    {"sync", "waits for all disks of the machine"},
};

// Static: a tenth of the events of a dynamic one before it begins.
void VerifySituations(const std::string& source, const std::string& flags = "-g -O1 -static") {
  const std::string program = BuildDebuggee("calls/" + source, flags);
  const std::vector<std::string> situations = SituationsOf(program);
  REQUIRE(!situations.empty());
  const char* only = std::getenv("CHRONOFORK_SITUATION");
  ++Seen().families;
  for (const std::string& situation : situations) {
    if (only && situation != only) continue;
    VerifyRequest request{{program, situation}, "first line\n", 0, {}};
    request.interval_events = kEventsBetweenCheckpoints;
    const VerifiedRun run = RunVerified(request);
    const bool refused = situation.ends_with("_refused");
    INFO(CommandFor(request));
    INFO(run.output);
    CHECK(ProblemsOf(run) == "");
    if (run.report.exit_code == kCannotPlay) {
      std::printf("skipped: %s/%s: %s", source.c_str(), situation.c_str(), run.output.c_str());
    } else {
      CHECK(run.report.exit_code == 0);
      CHECK(run.output == kContent);
    }
    CHECK((run.report.refused_calls > 0) == refused);
    CHECK(run.report.replays == run.report.checkpoints);
    ++Seen().situations;
    for (const auto& [number, times] : run.report.calls) Seen().calls[number] += times;
  }
}

TEST_CASE("calls: files") { VerifySituations("files.c"); }
TEST_CASE("calls: descriptors") { VerifySituations("descriptors.c"); }
TEST_CASE("calls: memory") { VerifySituations("memory.c"); }
TEST_CASE("calls: code that is made") { VerifySituations("code.c"); }
TEST_CASE("calls: processes") { VerifySituations("processes.c"); }
TEST_CASE("calls: sockets") { VerifySituations("sockets.c"); }
TEST_CASE("calls: queues, semaphores, segments") { VerifySituations("ipc.c"); }
TEST_CASE("calls: clocks and timers") { VerifySituations("timers.c"); }
TEST_CASE("calls: signals") { VerifySituations("signals.c"); }
TEST_CASE("calls: interruptions") { VerifySituations("interruptions.c"); }
TEST_CASE("calls: signals anywhere") { VerifySituations("anywhere.c"); }
TEST_CASE("calls: signals anywhere, in a shared library, too") { VerifySituations("anywhere.c", "-g -O2"); }
TEST_CASE("calls: waiting") { VerifySituations("waiting.c"); }
TEST_CASE("calls: users, limits, scheduling") { VerifySituations("identity.c"); }
TEST_CASE("calls: threads and futexes") { VerifySituations("threads.c"); }
TEST_CASE("calls: the system") { VerifySituations("system.c"); }

TEST_CASE("calls: every row of the table is made by a situation") {
  constexpr int kFamilies = 16;
  if (Seen().families < kFamilies || std::getenv("CHRONOFORK_SITUATION")) return;  // only some were asked for
  CHECK(Seen().situations >= 300);
  for (const SyscallRow& row : SyscallRows()) {
    CAPTURE(std::string(row.name));
    if (kNoEvent.contains(row.name)) continue;
    CHECK(Seen().calls.contains(static_cast<int32_t>(row.number)));
  }
}

}  // namespace
}  // namespace chronofork
