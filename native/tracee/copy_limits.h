// What limits of the program mean for its copies.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/result.h"

namespace chronofork {

// A copy could not be made: what the kernel answered to clone, and what helps.
Error ForkRefused(int64_t result, pid_t pid);
// A copy's processor time begins at 0 and is spent on replays: the program's limit of it (RLIMIT_CPU, RLIMIT_RTTIME)
// would send it signals that the recording has not. The hard limit stays where it may not be raised.
void LiftTimeLimits(pid_t copy);

}  // namespace chronofork
