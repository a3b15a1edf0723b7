// The list that `chronofork doctor` shows, on the kernel that runs the tests,
// and that trying leaves no trace in this process.
#include "kernel/capabilities.h"

#include <dirent.h>
#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "kernel/dirty_page_trials.h"
#include "kernel/surroundings.h"
#include "kernel/tracing_trials.h"

namespace chronofork {
namespace {

const Capability* Find(const std::vector<Capability>& list, const std::string& name) {
  auto found = std::find_if(list.begin(), list.end(), [&](const Capability& c) { return c.name == name; });
  return found != list.end() ? &*found : nullptr;
}

size_t OpenDescriptors() {
  size_t count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

std::string Children() {
  std::ifstream file("/proc/thread-self/children");
  std::string text;
  std::getline(file, text);
  return text;
}

TEST_CASE("capabilities: each has a name, a detail, and a remedy if it is missing") {
  std::vector<Capability> list = ProbeKernel([] { return Result<void>(); });
  std::set<std::string> names;
  for (const Capability& capability : list) {
    CAPTURE(capability.name);
    CHECK(names.insert(capability.name).second);
    CHECK_FALSE(capability.detail.empty());
    CHECK(capability.ok == capability.remedy.empty());
  }
  for (const char* name : {"kernel", "ptrace", "no_new_privs", "seccomp filter", "userfaultfd write protection",
                           "PAGEMAP_SCAN", "exclusive pages", "soft-dirty pages", "dirty pages", "process memory",
                           "address layout", "rdtsc", "cpuid", "CPU pinning", "free memory", "processes"}) {
    CAPTURE(name);
    CHECK(names.count(name) == 1);
  }
}

TEST_CASE("capabilities: what the ptrace trial says is passed on") {
  auto fails = [] { return Result<void>(Error{"ptraceForbidden", "Tracing is forbidden.", "Ask the administrator."}); };
  std::vector<Capability> list = ProbeKernel(fails);
  const Capability* ptrace = Find(list, "ptrace");
  REQUIRE(ptrace != nullptr);
  CHECK_FALSE(ptrace->ok);
  CHECK(ptrace->required);
  CHECK(ptrace->detail == "Tracing is forbidden.");
  CHECK(ptrace->remedy == "Ask the administrator.");
  CHECK(Find(ProbeKernel({}), "ptrace") == nullptr);
}

TEST_CASE("capabilities: dirty pages work if any of the ways does") {
  std::vector<Capability> list = ProbeKernel({});
  bool any = Find(list, "userfaultfd write protection")->ok || Find(list, "exclusive pages")->ok ||
             Find(list, "soft-dirty pages")->ok;
  CHECK(Find(list, "dirty pages")->ok == any);
  // A kernel with the trial of write protection has the scan by itself too.
  if (Find(list, "userfaultfd write protection")->ok) CHECK(Find(list, "PAGEMAP_SCAN")->ok);
}

TEST_CASE("capabilities: trying leaves nothing behind") {
  size_t descriptors = OpenDescriptors();
  std::string children = Children();
  int layout = personality(0xffffffff);
  int privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  int tsc = 0;
  prctl(PR_GET_TSC, &tsc, 0, 0, 0);
  cpu_set_t before, after;
  sched_getaffinity(0, sizeof before, &before);

  ProbeKernel({});

  CHECK(OpenDescriptors() == descriptors);
  CHECK(personality(0xffffffff) == layout);
  CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == privileges);
  int tsc_after = -1;
  prctl(PR_GET_TSC, &tsc_after, 0, 0, 0);
  CHECK(tsc_after == tsc);
  sched_getaffinity(0, sizeof after, &after);
  CHECK(CPU_EQUAL(&before, &after));
  CHECK(Children() == children);
}

TEST_CASE("capabilities: a trial that dies or cannot be done says how") {
  TrialReport killed = RunTrial([](TrialReport&) { raise(SIGKILL); });
  CHECK_FALSE(killed.ok);
  CHECK(killed.signal == SIGKILL);
  TrialReport failed = RunTrial([](TrialReport& report) { report.Fail(7, ENOTTY); });
  CHECK_FALSE(failed.ok);
  CHECK(failed.step == 7);
  CHECK(failed.error_number == ENOTTY);
}

TEST_CASE("capabilities: the room there is can be told") {
  CHECK(AvailableMemoryBytes().value_or(0) > 0);
  CHECK_FALSE(DescribeSurroundings().empty());
  if (std::optional<int> scope = YamaPtraceScope()) CHECK(*scope <= 3);
}

}  // namespace
}  // namespace chronofork
