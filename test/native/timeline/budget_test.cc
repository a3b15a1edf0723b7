// The memory budget while the program suddenly writes to everything: measured
// at the processes, not by what the engine believes.
#include <dirent.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "core_child.h"
#include "debugged.h"
#include "debuggee.h"
#include "tracee/memory.h"

namespace chronofork {
namespace {

using namespace timeline_test;

constexpr uint64_t kMiB = 1 << 20;

// Memory of all children of this process, what they share counted once.
uint64_t ChildrenBytes() {
  uint64_t total = 0;
  DIR* folder = ::opendir("/proc");
  while (const dirent* entry = ::readdir(folder)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid <= 0) continue;
    const std::string stat = ReadProcText(pid, "stat");
    const size_t name_end = stat.rfind(") ");
    if (name_end == std::string::npos || std::atoi(stat.c_str() + name_end + 4) != ::getpid()) continue;
    const std::string rollup = ReadProcText(pid, "smaps_rollup");
    const size_t at = rollup.find("Pss_Anon:");
    if (at != std::string::npos) total += std::strtoull(rollup.c_str() + at + 9, nullptr, 10) * 1024;
  }
  ::closedir(folder);
  return total;
}

TEST_CASE("budget: it holds when the program suddenly writes to everything") {
  constexpr uint64_t kProgram = 256 * kMiB, kBudget = 32 * kMiB;
  // What is written between two looks, on a machine that is busy with other things, and until copies have ended.
  constexpr uint64_t kSlack = 96 * kMiB;
  const std::string program = BuildDebuggee("rewrites.c", "-g -O1 -no-pie");
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(120), [&] {
    Debugged::Options options;
    options.interval_ms = 20;
    options.budget_bytes = kBudget;
    Debugged d(program, {"256", "3", "100"}, options);
    d.Break("mark_end");
    std::atomic<bool> over{false};
    uint64_t most = 0;
    std::thread sampler([&] {
      while (!over.load()) {
        most = std::max(most, ChildrenBytes());
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
    const StopReply stop = d.Continue();
    over.store(true);
    sampler.join();
    d.Expect("stopped at mark_end", stop.kind == StopKind::kBreakpoint);
    d.Expect("the program has its memory", most >= kProgram);
    d.Expect("no more than the program and the budget: " + std::to_string(most / kMiB) + " MiB",
             most <= kProgram + kBudget + kSlack);
    d.Expect("the core knows: " + std::to_string(d.engine().UsedBytes() / kMiB) + " MiB",
             d.engine().UsedBytes() <= kBudget + kSlack);
    // And what is left of the past is true.
    d.Clear();
    const NotedState here = d.Note();
    TimeOperation begin;
    d.Do(begin);
    d.Break("mark_end");
    d.Expect("forwards to the same stop", d.Continue().kind == StopKind::kBreakpoint);
    d.Expect("in the same state", d.Note() == here);
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

TEST_CASE("budget: with room for everything nothing is given up") {
  const std::string program = BuildDebuggee("rewrites.c", "-g -O1 -no-pie");
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(120), [&] {
    Debugged::Options options;
    options.interval_ms = 20;
    options.budget_bytes = 2048 * kMiB;
    Debugged d(program, {"64", "2", "100"}, options);
    d.Break("mark_end");
    d.Expect("stopped at mark_end", d.Continue().kind == StopKind::kBreakpoint);
    d.Expect("checkpoints on the way: " + std::to_string(d.engine().branch().line.size()),
             d.engine().branch().line.size() >= 3);
    for (const std::string& notice : d.notices)
      if (!notice.starts_with("info")) d.problems += notice + "\n";
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

}  // namespace
}  // namespace chronofork
