// FNSTENV, FNSAVE and FXSAVE, executed on the program's behalf, so that what
// they write is a function of its registers alone.
//
// Beside the registers they write the addresses of the last x87 instruction and
// of its operand. AMD's processors put these into the image of XSAVE only while
// an exception is pending, and so the kernel does not keep them: they are 0 as
// soon as another process has run (seen on family 25, in a plain program, too). A
// replay is switched away from at other times than the recording. Here they are
// 0 unless an exception is pending, which a program must expect there at any time.
#pragma once

#include <vector>

#include "base/result.h"
#include "probe/instruction.h"
#include "tracee/tracee.h"

namespace chronofork {

// Whether this processor forgets these addresses: found out by trying, once.
bool X87AddressesAreForgotten();

// Executes `instruction`, at which `process` stands. False: nothing has happened,
// for it would fault: the processor is to do that. `code`: its bytes.
Result<bool> SaveX87State(Tracee& process, const Instruction& instruction, std::span<const std::byte> code);

enum class X87Image { kEnvironment, kState, kFxsave };

// What is written over `former`. `state` is what ReadExtended() gives; `small`:
// with the prefix 66 (16-bit form), of no meaning to kFxsave. Pure.
std::vector<std::byte> MakeX87Image(const ExtendedRegisters& state, X87Image kind, bool small,
                                    std::vector<std::byte> former);
size_t X87ImageBytes(X87Image kind, bool small);

}  // namespace chronofork
