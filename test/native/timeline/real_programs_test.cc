// Programs that are on every machine, recorded and replayed: they end and print
// as they do natively, and no replay differs.
#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

#include "debuggee.h"
#include "verified_run.h"

namespace chronofork {
namespace {

using namespace timeline_test;

struct Command {
  std::vector<std::string> words;
  std::string input = "";
};

std::string Lines(int count) {
  std::string text;
  unsigned x = 7;
  for (int i = 0; i < count; ++i)
    text += std::to_string((x = x * 1103515245 + 12345) >> 8) + " line " + std::to_string(i) + "\n";
  return text;
}

void VerifyCommands(const std::vector<Command>& commands, double interval_ms) {
  int skipped = 0;
  for (const Command& command : commands) {
    if (::access(command.words[0].c_str(), X_OK) != 0) {
      ++skipped;
      continue;
    }
    const NativeRun native = RunNatively(command.words, command.input, std::chrono::seconds(20));
    VerifyRequest request{command.words, command.input, interval_ms, {}, std::chrono::seconds(60)};
    const VerifiedRun run = RunVerified(request);
    INFO(CommandFor(request));
    CHECK_FALSE(native.hung);
    CHECK((native.exit_code == 0 || native.exit_code == 3));
    CHECK(ProblemsOf(run) == "");
    CHECK(run.report.exit_code == native.exit_code);
    CHECK(run.report.signal == native.signal);
    CHECK(run.output == native.output);
  }
  if (skipped > 0) MESSAGE(skipped, " programs skipped: they are not installed");
}

TEST_CASE("verify: small tools") {
  VerifyCommands(
      {
          {{"/bin/ls", "-R", "/etc/apt"}},
          {{"/bin/grep", "-c", "7", "-"}, Lines(5000)},
          {{"/usr/bin/sort"}, Lines(5000)},
          {{"/bin/sed", "s/line \\([0-9]*\\)/\\1 times/"}, Lines(2000)},
          {{"/usr/bin/awk", "{ sum += $1; n[$3 % 10]++ } END { print sum, n[3] }"}, Lines(5000)},
          {{"/bin/gzip", "-9", "-n", "-c"}, Lines(5000)},
          {{"/usr/bin/xz", "-T1", "-c"}, Lines(2000)},
          {{"/usr/bin/find", "/etc/apt", "-name", "*.d"}},
          {{"/bin/date", "-d", "@86400", "+%F"}},
          {{"/usr/bin/md5sum"}, Lines(3000)},
      },
      5);
}

TEST_CASE("verify: shells and pipelines") {
  VerifyCommands(
      {
          {{"/bin/bash", "-c", "seq 1 300 | sort -n | tail -3; for i in 1 2 3; do echo $((i * i)); done"}},
          {{"/bin/bash", "-c",
            "x=$(echo inner | tr a-z A-Z); trap 'echo trapped' USR1; kill -USR1 $$; echo $x; exit 3"}},
          {{"/bin/sh", "-c", "sleep 0.01 & wait; ls /nonexistent 2>/dev/null || echo none; cat <<X\nhere\nX"}},
      },
      5);
}

TEST_CASE("verify: interpreters and a compiler") {
  VerifyCommands(
      {
          {{"/usr/bin/python3", "-c",
            "import json, random, time, subprocess\n"
            "random.seed(1)\n"
            "data = {str(i): random.random() for i in range(300)}\n"
            "assert json.loads(json.dumps(data)) == data\n"
            "time.sleep(0.002)\n"
            "random.seed(); random.random(); time.time()\n"
            "print(subprocess.run(['echo', 'child'], capture_output=True).stdout, len(data))"}},
          {{"/usr/bin/perl", "-e",
            "my %h; $h{$_ % 97} .= chr(65 + $_ % 26) for 1..20000; print length(join '', values %h), qq(\\n); rand; "
            "time"}},
          {{"/usr/bin/sqlite3", ":memory:"},
           "create table t(a,b); insert into t values(1,random()),(2,'two'); select a, count(*) from t group by a;\n"
           "with recursive n(i) as (select 1 union all select i+1 from n where i<5000) select sum(i) from n;\n"},
          {{"/usr/bin/gcc", "-x", "c", "-O1", "-c", "-o", "made.o", "-"}, "int f(int x) { return x * x; }\n"},
      },
      20);
}

}  // namespace
}  // namespace chronofork
