// A program that runs by itself, and an Engine that attaches to it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "debuggee.h"
#include "timeline/engine.h"

namespace chronofork::timeline_test {

// Started and owned by the test, not by the core. Killed at its end.
class Target {
 public:
  // `added`: to its environment.
  explicit Target(const std::vector<std::string>& command, const std::vector<std::string>& added = {});
  ~Target();
  pid_t pid() const { return pid_; }
  // Until it has said "ready".
  bool WaitUntilReady();
  void Write(const std::string& text);  // to its input, which then ends
  // "exit 0", "signal 11", "hung".
  std::string WaitForEnd(std::chrono::seconds patience);
  bool ended();
  std::string output() const;
  // What being attached changes, as /proc, the kernel and its memory tell it, of each thread: one text.
  std::string Traces(bool all_threads = true) const;

 private:
  TemporaryFolder files_;
  pid_t pid_ = 0;
  int input_ = -1;
  int status_ = 0;
  bool reaped_ = false;
};

// Made and used in the body of RunInCoreChild().
class AttachedRun {
 public:
  explicit AttachedRun(pid_t pid, double interval_ms = 20);
  Engine& engine() { return *engine_; }
  StopReply RunFor(int ms);
  void Do(TimeOperation operation);
  void StepBackAndForth();
  void VerifyAll();
  void Detach();
  void Expect(const std::string& what, bool holds) {
    if (!holds) problems += "not so: " + what + "\n";
  }

  std::string problems;
  std::vector<std::string> notices;

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace chronofork::timeline_test
