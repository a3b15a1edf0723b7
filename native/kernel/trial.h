// Runs a trial of a kernel feature in a forked child, so that nothing of it
// sticks to this process, and brings back what happened.
//
// Easy to get wrong: we live in a process with threads (Node's). Between fork and
// _exit the child may only make system calls: no malloc, no stdio, no locks.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <new>

namespace chronofork {

// Lives in memory shared by parent and child.
struct TrialReport {
  bool ok = false;
  int step = 0;          // how far it got; meaning is the trial's own
  int error_number = 0;  // errno of the failed step, 0 if it "succeeded" wrongly
  int64_t value = 0;     // whatever the trial found
  int signal = 0;        // the child was killed by it; set by the parent

  // Used as `return report.Fail(2, errno);`
  void Fail(int at_step, int error) {
    step = at_step;
    error_number = error;
  }
};

// `trial(TrialReport&)` runs in the child. If no child can be made, step is -1.
template <typename Trial>
TrialReport RunTrial(Trial trial) {
  constexpr unsigned kGiveUpSeconds = 5;  // a trial takes milliseconds; nothing may hang the start
  TrialReport failed;
  void* memory = mmap(nullptr, sizeof(TrialReport), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    failed.Fail(-1, errno);
    return failed;
  }
  auto* shared = new (memory) TrialReport;
  pid_t child = fork();
  if (child == 0) {
    alarm(kGiveUpSeconds);
    trial(*shared);
    _exit(0);
  }
  if (child < 0) {
    shared->Fail(-1, errno);
  } else {
    int status = 0;
    while (waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
      shared->ok = false;
      shared->signal = WTERMSIG(status);
    }
  }
  TrialReport report = *shared;
  munmap(memory, sizeof(TrialReport));
  return report;
}

}  // namespace chronofork
