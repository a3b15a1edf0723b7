// Each instruction is decoded once, from the start of the range on.
#include "probe/range_exits.h"

#include "probe/instruction.h"

namespace chronofork {

std::optional<RangeExits> ExitsOf(std::span<const std::byte> code, AddressRange range) {
  RangeExits exits;
  auto leads_to = [&](TraceeAddress target) {
    if (!range.Contains(target)) exits.outside.insert(target);
  };
  TraceeAddress at = range.start;
  while (at < range.end) {
    if (at - range.start >= code.size()) return std::nullopt;
    const std::optional<Instruction> instruction = DecodeInstruction(code.subspan(at - range.start), at);
    if (!instruction) return std::nullopt;
    switch (instruction->flow) {
      case FlowKind::kNext:
      case FlowKind::kSyscall: leads_to(instruction->end()); break;
      case FlowKind::kConditionalJump: leads_to(instruction->end()); [[fallthrough]];
      case FlowKind::kJump:
      case FlowKind::kCall:
        // A call that comes back into the range has been stopped at.
        if (instruction->target && !range.Contains(*instruction->target))
          exits.outside.insert(*instruction->target);
        else if (!instruction->target || instruction->is_call())
          exits.inside.insert(at);
        break;
      case FlowKind::kReturn:
      case FlowKind::kTrap: exits.inside.insert(at); break;
      case FlowKind::kOther: return std::nullopt;
    }
    at = instruction->end();
  }
  return exits;
}

}  // namespace chronofork
