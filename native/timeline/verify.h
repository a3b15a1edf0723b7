// Records a program to its end, then replays it from every kept checkpoint and
// compares: registers at every event, memory at every checkpoint and at the end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "tracee/tracee.h"

namespace chronofork {

struct VerifyOptions {
  LaunchSpec launch;
  double interval_ms = 100;
  uint64_t budget_bytes = 0;
};

struct Divergence {
  std::string moment;
  std::string what;
};

struct VerifyReport {
  int exit_code = -1;  // -1: ended by `signal`
  int signal = 0;
  uint64_t events = 0;
  uint64_t checkpoints = 0;
  uint64_t replays = 0;
  uint64_t refused_calls = 0;
  uint64_t refused_threads = 0;  // of them: what ran is not what runs without us
  std::vector<Divergence> diverged;
  std::vector<std::string> notices;
  double record_ms = 0;
  double replay_ms = 0;
  uint64_t record_stops = 0;
  uint64_t replay_stops = 0;
};

// Must run on a thread of its own, which becomes the tracer thread. An Error
// means that the program could not be recorded.
Result<VerifyReport> Verify(const VerifyOptions& options);

}  // namespace chronofork
