// Records a program to its end, then replays every interval between checkpoints,
// and from the checkpoints to the end, and compares: registers at every event,
// memory at every checkpoint and at the end.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "tracee/tracee.h"

namespace chronofork {

struct VerifyOptions {
  LaunchSpec launch;
  double interval_ms = 100;
  size_t interval_events = 0;  // a checkpoint after so many events as well; 0: none
  // From so many checkpoints, evenly spread, the replay goes on to the end; 0: from all of them.
  size_t most_replays = 0;
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
  uint64_t replays = 0;                    // from a checkpoint to the end
  uint64_t intervals = 0;                  // replayed from one checkpoint to the next
  uint64_t threads = 0;                    // all that ever were
  std::map<int32_t, uint64_t> calls;       // how often each system call was recorded
  std::map<long, uint64_t> stopped_calls;  // how often each has stopped the recording
  uint64_t refused_calls = 0;
  std::vector<Divergence> diverged;
  std::vector<std::string> notices;
  double record_ms = 0;
  double replay_ms = 0;    // all replays together
  double one_pass_ms = 0;  // all intervals, each once
  uint64_t record_stops = 0;
  uint64_t replay_stops = 0;
};

// Must run on a thread of its own, which becomes the tracer thread. An Error
// means that the program could not be recorded.
Result<VerifyReport> Verify(const VerifyOptions& options);

}  // namespace chronofork
