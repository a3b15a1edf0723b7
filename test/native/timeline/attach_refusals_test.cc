// What cannot be attached to is refused by name, with a remedy, and left as it was.
#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "attached.h"
#include "core_child.h"
#include "debuggee.h"
#include "tracee/memory.h"

namespace chronofork {
namespace {

using namespace timeline_test;

// "code: message" of the attempt; `pid` 0: the core's own process.
std::string Attempt(pid_t pid) {
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(20), [pid] {
    AttachedRun run(pid == 0 ? ::getpid() : pid);
    return run.problems.empty() ? "attached" : run.problems;
  });
  return TroubleOf(end) + end.text.substr(0, end.text.find(':'));
}

bool IsTraced(pid_t pid) { return ReadProcText(pid, "status").find("\nTracerPid:\t0\n") == std::string::npos; }

TEST_CASE("attach: no such process, ourselves, and whoever started us") {
  CHECK(Attempt(0x3fffffff) == "noSuchProcess");
  CHECK(Attempt(-1) == "noSuchProcess");
  CHECK(Attempt(0) == "attachToSelf");
  CHECK(Attempt(::getpid()) == "attachToSelf");
}

TEST_CASE("attach: a thread of the kernel") {
  if (ReadProcText(2, "status").find("Kthread:\t1") == std::string::npos) {
    std::printf("skipped: no thread of the kernel is seen here\n");
    return;
  }
  CHECK(Attempt(2) == "kernelThread");
}

TEST_CASE("attach: a process that has ended") {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  siginfo_t info;
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  CHECK(Attempt(pid) == "processEnded");
  ::waitpid(pid, nullptr, 0);
}

TEST_CASE("attach: one that another debugger has") {
  Target target({BuildDebuggee("attachable.c"), "sleeps"});
  REQUIRE(target.WaitUntilReady());
  REQUIRE(::ptrace(PTRACE_SEIZE, target.pid(), nullptr, nullptr) == 0);
  CHECK(Attempt(target.pid()) == "alreadyTraced");
  CHECK(IsTraced(target.pid()));
}

TEST_CASE("attach: one with a seccomp filter of its own") {
  Target target({BuildDebuggee("attachable.c"), "sandboxed"});
  REQUIRE(target.WaitUntilReady());
  CHECK(Attempt(target.pid()) == "sandboxed");
  CHECK(!IsTraced(target.pid()));
  CHECK(target.WaitForEnd(std::chrono::seconds(10)) == "exit 0");
}

TEST_CASE("attach: a 32-bit program") {
  TemporaryFolder folder;
  const std::string program = folder.path() + "/i386";
  REQUIRE(::system(("gcc -m32 -nostdlib -static -w -o " + program + " test/programs/native/i386.c").c_str()) == 0);
  Target target({program});
  ::usleep(100'000);
  if (target.ended()) {
    std::printf("skipped: this kernel runs no 32-bit programs\n");
    return;
  }
  CHECK(Attempt(target.pid()) == "notX64");
  CHECK(!IsTraced(target.pid()));
}

TEST_CASE("attach: a program of another user") {
  if (::geteuid() == 0) {
    std::printf("skipped: root may attach to everybody's\n");
    return;
  }
  CHECK(Attempt(1) == "attachForbidden");
}

TEST_CASE("attach: a program in a container of its own") {
  if (::geteuid() != 0) {
    std::printf("skipped: only root makes pid namespaces here\n");
    return;
  }
  Target container({"/usr/bin/unshare", "--pid", "--fork", "--kill-child", "/bin/sleep", "30"});
  ::usleep(200'000);
  const std::string children = ReadProcText(container.pid(), "task/" + std::to_string(container.pid()) + "/children");
  const pid_t inside = std::atoi(children.c_str());
  REQUIRE(inside > 0);
  CHECK(Attempt(inside) == "otherPidNamespace");
  CHECK(!IsTraced(inside));
}

}  // namespace
}  // namespace chronofork
