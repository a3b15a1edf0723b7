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
#include <span>
#include <vector>

#include "base/result.h"
#include "timeline/debug_target.h"

namespace chronofork {

class AgentExpression {
 public:
  explicit AgentExpression(std::vector<std::byte> code) : code_(std::move(code)) {}

  // The value on top of the stack at `end`. Costs some nanoseconds per
  // operation and one `read` per reference to memory.
  Result<int64_t> Evaluate(const GeneralRegisters& registers, const MemoryReader& read) const;

  // Holds when the value is not 0.
  static BreakpointCondition Condition(std::vector<std::byte> code);

 private:
  std::vector<std::byte> code_;
};

}  // namespace chronofork
