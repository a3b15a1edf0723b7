// The instructions whose result differs each time are made to trap: an int3
// lies over their first byte. What becomes of it when the program unmaps,
// moves, protects or rewrites its code.
//
// Recorder and replay keep the same map of them, call by call.
#pragma once

#include <map>
#include <vector>

#include "base/result.h"
#include "record/out_parameters.h"
#include "tracee/memory.h"

namespace chronofork {

// By address; the value is what the int3 hides.
using TrapBytes = std::map<TraceeAddress, std::byte>;

// `call` has been made, with `result`: takes the int3s out of what it has moved
// or made data of, and forgets those that are no more: they would be shown, and
// given back, in whatever lies there then. Returns the addresses that are
// forgotten; code may stand there again, and is the caller's to look through.
Result<std::vector<TraceeAddress>> ForgetTraps(const SyscallArguments& call, int64_t result, const TraceeMemory& memory,
                                               TrapBytes& traps);

}  // namespace chronofork
