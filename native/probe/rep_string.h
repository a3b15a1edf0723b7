// Repeated string instructions (rep movsb …) execute round by round under
// single steps and interrupts. A replay that is not interrupted passes them in
// one go, so no stop may be left in their middle.
#pragma once

#include "base/result.h"
#include "tracee/tracee.h"

namespace chronofork {

// If pc is at a repeated string instruction, executes all of its rounds: true.
// false: it is another instruction, or it faulted (nothing is wrong then: the
// fault comes again when the process is resumed). Signals that come meanwhile
// are left pending; watches that are touched are noted (Tracee::NoteDebugHits).
Result<bool> FinishRepString(Tracee& process);

// A watch of `touched` was hit, perhaps by a round of the instruction at pc:
// then its other rounds are executed as well.
Result<void> FinishTouchingString(Tracee& process, AddressRange touched);

}  // namespace chronofork
