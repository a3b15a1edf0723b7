// Moves in time that the control channel arms and gdb's next `bc` carries out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tracee_address.h"
#include "probe/probe_set.h"

namespace chronofork {

struct TimeOperation {
  enum class Kind {
    kSeekMoment,      // `id`
    kSeekCheckpoint,  // `id`
    kSeekBegin,
    kSeekEvent,  // `event` of branch `id`
    kSeekTime,   // `time_ns`, on branch `id`
    kSeekEnd,
    kLastTransition,       // `places`
    kStepInstructionBack,  // `functions`
    kLastWrite,            // `range`
  };
  Kind kind = Kind::kSeekBegin;
  int id = 0;  // kSeekEvent, kSeekTime: below zero, the present branch
  // kSeekMoment, kSeekEvent, kSeekTime: to look and go on; the place is not kept when it is left
  bool passing = false;
  uint64_t event = 0;
  uint64_t time_ns = 0;
  std::vector<ProbeSpec> places;
  bool stop_at_breakpoints = false;
  std::vector<AddressRange> functions;
  AddressRange range;
  pid_t tid = 0;       // whose step it is; 0: the present's
  bool alone = false;  // kLastTransition: only what this thread did counts, also of breakpoints
};

struct OperationResult {
  enum class Outcome { kFound, kBegin, kEnd, kCancelled, kBreakpoint, kWatchpoint, kFailed };
  Outcome outcome = Outcome::kFound;
  std::optional<uint32_t> group;
  std::optional<TraceeAddress> address;
  std::optional<Error> error;
};

}  // namespace chronofork
