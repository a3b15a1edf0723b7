// The entry into a signal handler, made the same each time.
//
// What the kernel puts into the frame on the stack is not all a function of the
// program: the thread's last trap (often one of ours), and which parts of the
// vector state the processor believes to be in use. So the recording keeps the
// frame, and a replay puts it in place of the one that the kernel made for it.
#pragma once

#include <signal.h>

#include <optional>

#include "base/result.h"
#include "tracee/tracee.h"

namespace chronofork {

// From a stop where a signal can be given: delivers it, with the process
// stopped at the first instruction of its handler. nullopt: done; else the stop
// that came instead.
Result<std::optional<Stop>> EnterHandler(Tracee& process, const siginfo_t& info);

// At a handler's first instruction: where the frame lies.
Result<AddressRange> SignalFrame(Tracee& process);

// An alternate stack that a handler runs without (SS_AUTODISARM): what holds
// within the handler, and, at its rt_sigreturn, what that puts back if it is such a one.
inline constexpr int kAutodisarm = 1 << 31;
stack_t StackInHandler(const stack_t& stack);
std::optional<stack_t> StackAfterReturn(Tracee& process);

}  // namespace chronofork
