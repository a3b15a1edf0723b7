// Verify() in a process of its own, and what came of it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core_child.h"
#include "timeline/verify.h"

namespace chronofork::timeline_test {

struct VerifiedRun {
  ChildEnd core;      // how the core itself fared
  std::string error;  // the program could not be recorded: why
  VerifyReport report;
  std::string output;        // what the debuggee wrote to stdout
  std::string error_output;  // … and to stderr
};

struct VerifyRequest {
  std::vector<std::string> command;  // command[0]: an absolute path
  std::string input;
  double interval_ms = 10;
  std::vector<std::string> environment;  // of the core: CHRONOFORK_…
  // Only to tell a hang from work: replaying a hot loop from each of twenty checkpoints takes a slow machine 20 s.
  std::chrono::seconds patience{120};
  size_t interval_events = 0;
};

VerifiedRun RunVerified(const VerifyRequest& request);

// All that went wrong, one line each; empty if nothing did.
std::string ProblemsOf(const VerifiedRun& run);

// The command by which a person repeats the run.
std::string CommandFor(const VerifyRequest& request);

}  // namespace chronofork::timeline_test
