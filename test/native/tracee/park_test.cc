// Processes that wait for another tracer: what they were is what they go on
// with, and nobody waits for ever.
#include "tracee/park.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "../timeline/core_child.h"
#include "../timeline/debuggee.h"
#include "tracee/children.h"
#include "tracee/tracee.h"

namespace chronofork {
namespace {

using timeline_test::BuildDebuggee;
using timeline_test::ChildEnd;
using timeline_test::RunInCoreChild;
using timeline_test::TestEnvironment;
using timeline_test::TroubleOf;

constexpr auto kPatience = std::chrono::seconds(20);

LaunchSpec SpecOf(const std::string& situation) {
  LaunchSpec spec;
  spec.program = BuildDebuggee("processes.c");
  spec.arguments = {situation};
  spec.environment = TestEnvironment();
  return spec;
}

// Nobody here answers its time stamps.
Result<std::unique_ptr<Tracee>> LaunchSituation(const std::string& situation) {
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> tracee, Tracee::Launch(SpecOf(situation)));
  CF_TRY(tracee->Syscall(SYS_prctl, {PR_SET_TSC, PR_TSC_ENABLE}));
  return tracee;
}

// Lets it run through `calls` system calls; the end status if it ends before.
int RunThrough(Tracee& tracee, int calls) {
  int signal = 0;
  for (int i = 0; i < calls;) {
    if (!tracee.Resume(ResumeMode::kContinue, signal).ok()) return -1;
    const Stop stop = *tracee.Wait();
    if (stop.kind == Stop::Kind::kGone) return stop.status;
    if (stop.kind == Stop::Kind::kNewProcess) ChildProcesses::Adopt(stop.new_pid, {{}, stop.shares_memory, {}});
    signal = stop.kind == Stop::Kind::kSignal ? stop.siginfo.si_signo : 0;
    i += stop.kind == Stop::Kind::kSyscallEntry;
  }
  return -1;
}

int RunToItsEnd(Tracee& tracee) { return RunThrough(tracee, 1 << 20); }

bool EndsWithin(pid_t pid, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (TracerOf(pid) >= 0) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::string Failure(const std::string& what) { return what + '\n'; }

void CheckInChild(const std::function<std::string()>& body) {
  const ChildEnd end = RunInCoreChild(kPatience, [&] {
    BecomeTracerThread();
    return body();
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

TEST_CASE("park: it goes on where it was, with its registers and its signal mask") {
  // The call that it stands at, and every register, is what it goes on with.
  CheckInChild([]() -> std::string {
    Result<std::unique_ptr<Tracee>> launched = LaunchSituation("fork_and_wait");
    if (!launched.ok()) return launched.error().message;
    std::unique_ptr<Tracee> tracee = std::move(launched).value();
    const pid_t pid = tracee->pid();
    for (int round = 0; round < 5; ++round) {
      if (RunThrough(*tracee, 3) != -1) return Failure("it has ended early");
      const GeneralRegisters at_call = AtCallInstruction(tracee->registers());
      const uint64_t mask = *tracee->ReadSignalMask();
      if (Result<void> parked = tracee->Park(::getpid(), true); !parked.ok()) return parked.error().message;
      tracee.reset();
      if (TracerOf(pid) != 0 || !IsParked(pid)) return Failure("it does not wait");
      ::kill(pid, SIGUSR1);  // its action is to end the process
      std::this_thread::sleep_for(std::chrono::milliseconds(round == 0 ? 500 : 20));
      if (TracerOf(pid) != 0) return Failure("it did not go on waiting");
      Result<std::unique_ptr<Tracee>> taken = Tracee::TakeOver(pid);
      if (!taken.ok()) return taken.error().message;
      tracee = std::move(taken).value();
      Result<bool> filtered = tracee->Unpark();
      if (!filtered.ok()) return filtered.error().message;
      if (!*filtered) return Failure("it has forgotten the filter");
      if (IsParked(pid)) return Failure("it still waits");
      if (std::memcmp(&tracee->registers(), &at_call, sizeof at_call) != 0) return Failure("other registers");
      if (*tracee->ReadSignalMask() != mask) return Failure("another signal mask");
      // The signal that came meanwhile comes now, and is not passed on.
      if (!tracee->Resume(ResumeMode::kContinue).ok()) return Failure("it cannot go on");
      const Stop stop = *tracee->Wait();
      if (stop.kind != Stop::Kind::kSignal || stop.siginfo.si_signo != SIGUSR1) return Failure("no signal");
    }
    const int status = RunToItsEnd(*tracee);
    return status == 0 ? "" : Failure("it ended with status " + std::to_string(status));
  });
}

TEST_CASE("park: whose guard is gone ends by itself") {
  CheckInChild([]() -> std::string {
    Result<std::unique_ptr<Tracee>> tracee = LaunchSituation("fork_and_wait");
    if (!tracee.ok()) return tracee.error().message;
    const pid_t pid = (*tracee)->pid();
    const pid_t guard = ::fork();
    if (guard == 0)
      for (;;) ::pause();
    if (Result<void> parked = (*tracee)->Park(guard, true); !parked.ok()) return parked.error().message;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    if (TracerOf(pid) != 0) return Failure("it does not wait for its guard");
    ::kill(guard, SIGKILL);
    ::waitpid(guard, nullptr, 0);
    if (!EndsWithin(pid, std::chrono::seconds(3))) return Failure("it waits without a guard");
    return "";
  });
}

TEST_CASE("park: a process that does not wait is not taken over") {
  CheckInChild([]() -> std::string {
    const pid_t pid = ::fork();
    if (pid == 0)
      for (;;) ::pause();
    const bool refused = Tracee::TakeOver(pid).ok() == false && TracerOf(pid) == 0;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return refused ? "" : Failure("it was taken over");
  });
}

// Followed children, each let run again as soon as it is parked: what the program sees of them is the same.
TEST_CASE("children: handed over at their first place, and taken back") {
  for (const char* situation : {"fork_and_wait", "child_signal_handler", "vfork_exec", "spawned"}) {
    CAPTURE(situation);
    CheckInChild([situation]() -> std::string {
      int forked = 0, executed = 0;
      ChildProcesses::Follow({[&](pid_t pid, const std::string& program, const char* began) {
                                if (TracerOf(pid) != 0 || program.empty()) return;
                                forked += std::strcmp(began, "fork") == 0;
                                executed += std::strcmp(began, "exec") == 0;
                                ChildProcesses::WishFor(pid, ChildProcesses::Wish::kRun);
                              },
                              [](const std::string&) {}});
      Result<std::unique_ptr<Tracee>> tracee = LaunchSituation(situation);
      if (!tracee.ok()) return tracee.error().message;
      WakeTimer timer(5);
      const int status = RunToItsEnd(**tracee);
      ChildProcesses::KillAll();
      if (status != 0) return Failure("it ended with status " + std::to_string(status));
      const bool by_exec = std::strcmp(situation, "vfork_exec") == 0 || std::strcmp(situation, "spawned") == 0;
      if (by_exec ? executed < 3 : forked < 4)
        return Failure(std::to_string(forked) + " forked and " + std::to_string(executed) + " executed were parked");
      return "";
    });
  }
}

}  // namespace
}  // namespace chronofork
