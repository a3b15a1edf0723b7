// Gives each test of the core a process of its own, with a time limit.
#include "core_child.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace chronofork::timeline_test {

ChildEnd RunInCoreChild(std::chrono::seconds patience, const std::function<std::string()>& body) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::close(ends[0]);
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // of a test that is stopped from outside nothing goes on
    std::thread tracer([&] {
      const std::string text = body();
      for (size_t done = 0; done < text.size();) {
        const ssize_t n = ::write(ends[1], text.data() + done, text.size() - done);
        if (n <= 0) ::_exit(1);
        done += static_cast<size_t>(n);
      }
      ::_exit(0);
    });
    tracer.join();
    ::_exit(1);
  }
  ::close(ends[1]);
  ChildEnd end;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd wanted{ends[0], POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wanted, 1, static_cast<int>(left.count())) == 0) {
      end.hung = true;
      break;
    }
    char buffer[4096];
    const ssize_t n = ::read(ends[0], buffer, sizeof buffer);
    if (n <= 0) break;
    end.text.append(buffer, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  if (end.hung) ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!end.hung && WIFSIGNALED(status)) end.crashed = WTERMSIG(status);
  return end;
}

std::string TroubleOf(const ChildEnd& end) {
  if (end.hung) return "it hung\n";
  return end.crashed ? "the core was ended by signal " + std::to_string(end.crashed) + "\n" : "";
}

}  // namespace chronofork::timeline_test
