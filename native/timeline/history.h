// What is kept of the past: branches, and on each the checkpoints in order.
//
// A branch begins as a copy of its parent's line up to where it left it; the
// checkpoints themselves are shared. Nothing here touches a process.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/assert.h"
#include "checkpoint/dirty_pages.h"
#include "checkpoint/page_faults.h"
#include "record/event_log.h"
#include "record/made_to_trap.h"
#include "record/recorder.h"
#include "replay/replayer.h"
#include "timeline/descriptors.h"
#include "tracee/tracee.h"

namespace chronofork {

enum class CheckpointReason { kStart, kInterval, kStop, kUser, kBookmark, kSignal, kSearch, kEdit, kBranch };
const char* CheckpointReasonName(CheckpointReason reason);

struct Checkpoint {
  int id = 0;
  int moment = 0;
  int branch = 0;
  Position position;
  uint64_t time_ns = 0;  // run time
  std::chrono::steady_clock::time_point made_at = std::chrono::steady_clock::now();
  CheckpointReason reason = CheckpointReason::kInterval;
  bool pinned = false;
  std::string name;
  // Nothing replays to here from earlier: the user changed something at it.
  bool barrier = false;
  std::unique_ptr<Tracee> process;
  TrapBytes patched;
  // At least the pages written between the checkpoint before it and this one.
  PageSet pages;
  // Of these, at most, those that the checkpoint before it held: that one keeps their former contents.
  PageSet kept;
  uint64_t kept_bytes = 0;
  DescriptorTable descriptors;
};

// What the newest checkpoint keeps for the live process: so much when page
// faults were counted, and what was copied since.
struct Tail {
  uint64_t bytes = 0;
  FaultCounts faults;
};

struct EndState {
  enum class Kind { kRunning, kExited, kSignalled };
  Kind kind = Kind::kRunning;
  int exit_code = 0;
  int signal = 0;
  uint64_t fault_address = 0;
};

struct Branch {
  int id = 0;
  int parent = -1;
  int from_moment = 0;
  std::string name;
  std::unique_ptr<EventLog> log;
  std::vector<std::shared_ptr<Checkpoint>> line;
  // The live process of this line, standing at its end.
  std::unique_ptr<Tracee> tip;
  std::unique_ptr<Recorder> recorder;
  std::unique_ptr<DirtyPages> dirty;
  // Written since the last checkpoint, but already reset in `dirty`: a checkpoint that failed.
  PageSet carried;
  Tail tail;
  int tip_moment = 0;
  // The tip has not run since line.back() was taken from it.
  bool tip_at_last = false;
  EndState end;
};

}  // namespace chronofork
