// The bytecode in which gdb sends breakpoint conditions (`Z0,…;X LEN,CODE`),
// and its evaluation at a stop.
//
// Only what a condition can contain is known: no tracing, no trace variables,
// no printf, no floating point. Anything else, and everything malformed, is an
// error when it is evaluated; an error means "stop", and then gdb looks for
// itself, so that a wrong refusal costs time and never a missed stop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/tracee_address.h"
#include "tracee/registers.h"

namespace chronofork {

using AgentCode = std::vector<std::byte>;

// Operands are most significant byte first. gdb manual, appendix F.2.
enum class AgentOperation : uint8_t {
  kAdd = 0x02,
  kSub,
  kMul,
  kDivSigned,
  kDivUnsigned,
  kRemSigned,
  kRemUnsigned,
  kShiftLeft,
  kShiftRightSigned,
  kShiftRightUnsigned,
  kLogNot = 0x0e,
  kBitAnd,
  kBitOr,
  kBitXor,
  kBitNot,
  kEqual,
  kLessSigned,
  kLessUnsigned,
  kSignExtend,
  kRef8,
  kRef16,
  kRef32,
  kRef64,
  kIfGoto = 0x20,
  kGoto,
  kConst8,
  kConst16,
  kConst32,
  kConst64,
  kReg,
  kEnd,
  kDup,
  kPop,
  kZeroExtend,
  kSwap,
  kPick = 0x32,
  kRotate,
};

// What needs one operand of the stack and leaves one: kLogNot, the extensions, the references.
bool IsUnary(AgentOperation operation);
// Two, and leaves one.
bool IsBinary(AgentOperation operation);

// Registers by gdb's numbers (those of our target description). nullopt: none that GeneralRegisters holds.
std::optional<uint64_t> AgentRegisterValue(uint64_t number, const GeneralRegisters& registers);

// `read` gives memory of the stopped debuggee.
using MemoryReader = std::function<Result<void>(TraceeAddress, std::span<std::byte>)>;

// The value on top of the stack at `end`. Costs some nanoseconds per operation
// and one `read` per reference to memory.
Result<int64_t> EvaluateAgentCode(std::span<const std::byte> code, const GeneralRegisters& registers,
                                  const MemoryReader& read);

// Whether to stop where `conditions` are: one of them is not 0 or cannot be evaluated, or there is none.
bool AnyHolds(std::span<const AgentCode> conditions, const GeneralRegisters& registers, const MemoryReader& read);

}  // namespace chronofork
