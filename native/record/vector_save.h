// XSAVE, XSAVEC and XSAVEOPT, executed on the program's behalf, so that what
// they write is a function of its registers alone.
//
// The processor writes only the parts of the vector state that it believes to
// be in use, and any interrupt may change that belief. ld.so saves the vector
// registers around the binding of each function: what lies on the stack after
// it would differ from replay to replay. Here all parts that were asked for are
// written and said to be in use, which a processor may always do (Intel SDM
// vol. 1, 13.6); those in their initial state with the initial values.
//
// Only what must be allowed before its use (AMX) is in use if it is.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "probe/instruction.h"
#include "tracee/tracee.h"

namespace chronofork {

// Executes the instruction at `address`, where `process` stands, and whose first
// byte `original` an int3 hides; one of x87_save.h, too. False: nothing has happened,
// for it is none of them, or would fault: the processor is to do that.
Result<bool> SaveVectorState(Tracee& process, TraceeAddress address, std::byte original);

// The image that it writes over `former`, which lies where the image begins.
// `state` is what ReadExtended() gives, `asked` edx:eax. Pure, but that it asks
// the processor for the places of the components.
std::vector<std::byte> VectorImage(const ExtendedRegisters& state, uint64_t asked, bool compact, bool wide,
                                   std::vector<std::byte> former);
// How many bytes of it may be written, at the most.
size_t VectorImageBytes(const ExtendedRegisters& state, uint64_t asked, bool compact);

}  // namespace chronofork
