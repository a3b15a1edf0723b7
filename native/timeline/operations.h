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
    kSeekEnd,
    kLastTransition,       // `places`
    kStepInstructionBack,  // `functions`
    kLastWrite,            // `range`
  };
  Kind kind = Kind::kSeekBegin;
  int id = 0;
  bool passing = false;  // kSeekMoment: to look and go on; the place is not kept when it is left
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
