// Re-encodes instructions for another address, form by form.
#include "probe/relocate.h"

#include <Zydis/Zydis.h>

#include <algorithm>

#include "base/assert.h"
#include "probe/instruction.h"

namespace chronofork {
namespace {

struct Decoded {
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

bool Decode(std::span<const std::byte> bytes, Decoded& out) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  const size_t available = std::min<size_t>(bytes.size(), kMaxInstructionLength);
  return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), available, &out.instruction, out.operands));
}

enum class OwnAddressUse { kNone, kRip, kEip };

OwnAddressUse OwnAddressUseOf(const Decoded& decoded) {
  for (int i = 0; i < decoded.instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    if (operand.mem.base == ZYDIS_REGISTER_RIP) return OwnAddressUse::kRip;
    if (operand.mem.base == ZYDIS_REGISTER_EIP) return OwnAddressUse::kEip;
  }
  return OwnAddressUse::kNone;
}

bool IsX87(const ZydisDecodedInstruction& instruction) {
  // MMX counts too: it marks the x87 stack, but remembers no address; so it may be moved.
  return instruction.meta.isa_ext == ZYDIS_ISA_EXT_X87 || instruction.meta.category == ZYDIS_CATEGORY_X87_ALU;
}

bool LoadsSegment(const Decoded& decoded) {
  // lfs and lgs do so without naming it.
  for (int i = 0; i < decoded.instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
    if (!(operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) continue;
    if (ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_SEGMENT) return true;
  }
  return false;
}

// Where the opcode byte of a direct branch lies: behind its prefixes.
size_t OpcodeOffset(std::span<const std::byte> bytes, const ZydisDecodedInstruction& instruction) {
  size_t offset = instruction.raw.prefix_count;
  while (offset < instruction.length && (static_cast<uint8_t>(bytes[offset]) & 0xF0) == 0x40) ++offset;
  return std::min<size_t>(offset, instruction.length - 1u);
}

void EmitBranchTarget(TraceeAddress target, const InteriorTargets& interior, CodeBuffer& to) {
  if (const auto label = interior.find(target); label != interior.end()) {
    to.EmitRelative32(label->second);
  } else {
    to.EmitRelative32(target);
  }
}

void MoveBranch(std::span<const std::byte> bytes, const Instruction& instruction, const Decoded& decoded,
                const InteriorTargets& interior, CodeBuffer& to, std::vector<MovedPoint>& points) {
  const TraceeAddress target = *instruction.target;
  switch (instruction.flow) {
    case FlowKind::kCall:
      // The callee sees the return address that it always sees.
      to.Emit({0xFF, 0x35});  // push qword [rip + literal]
      to.EmitRelative32(to.Literal(instruction.end().value));
      points.push_back({to.here(), target, false});
      to.Emit({0xE9});
      EmitBranchTarget(target, interior, to);
      return;
    case FlowKind::kJump:
      to.Emit({0xE9});
      EmitBranchTarget(target, interior, to);
      return;
    default: break;
  }
  const size_t opcode_offset = OpcodeOffset(bytes, decoded.instruction);
  const int opcode = static_cast<int>(bytes[opcode_offset]);
  if (opcode >= 0xE0 && opcode <= 0xE3) {  // loopne, loope, loop, jrcxz know only short ways
    const CodeBuffer::Label taken = to.NewLabel();
    const CodeBuffer::Label next = to.NewLabel();
    if (decoded.instruction.address_width == 32) to.Emit({0x67});  // counts in ecx
    to.Emit({opcode});
    to.EmitRelative8(taken);
    points.push_back({to.here(), instruction.end(), false});
    to.Emit({0xEB});
    to.EmitRelative8(next);
    to.Bind(taken);
    points.push_back({to.here(), target, false});
    to.Emit({0xE9});
    EmitBranchTarget(target, interior, to);
    to.Bind(next);
    return;
  }
  const int condition = opcode == 0x0F ? static_cast<int>(bytes[opcode_offset + 1]) & 0x0F : opcode & 0x0F;
  to.Emit({0x0F, 0x80 | condition});
  EmitBranchTarget(target, interior, to);
}

void MoveRipRelative(std::span<const std::byte> bytes, const Decoded& decoded, TraceeAddress from, CodeBuffer& to) {
  const ZydisDecodedInstruction& instruction = decoded.instruction;
  CHRONOFORK_ASSERT(instruction.raw.disp.size == 32);
  const size_t offset = instruction.raw.disp.offset;
  const int bytes_after = instruction.length - static_cast<int>(offset) - 4;
  to.EmitBytes(bytes.first(offset));
  to.EmitRelative32(TraceeAddress(from.value + instruction.length + static_cast<uint64_t>(instruction.raw.disp.value)),
                    bytes_after);
  to.EmitBytes(bytes.subspan(offset + 4, static_cast<size_t>(bytes_after)));
}

bool HasRepPrefix(std::span<const std::byte> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [](std::byte prefix) { return prefix == std::byte{0xF2} || prefix == std::byte{0xF3}; });
}

}  // namespace

const char* WhyNotMovable(std::span<const std::byte> bytes, TraceeAddress from) {
  Decoded decoded;
  const auto instruction = DecodeInstruction(bytes, from);
  if (!instruction || !Decode(bytes, decoded)) return "not a valid instruction";
  if (instruction->nondeterministic != kDeterministic) return "its result is recorded in place";
  switch (instruction->flow) {
    case FlowKind::kSyscall: return "a system call shows its address";
    case FlowKind::kTrap: return "a trap shows its address";
    case FlowKind::kOther: return "an unusual transfer of control";
    case FlowKind::kCall:
      if (!instruction->target) return "an indirect call";
      break;
    default: break;
  }
  if (IsX87(decoded.instruction)) return "x87 remembers its address";
  if (LoadsSegment(decoded)) return "it loads a segment register";
  if (OwnAddressUseOf(decoded) == OwnAddressUse::kEip) return "an address relative to eip";
  // jkzd, jknzd of Knights Corner; elsewhere they are invalid.
  if (instruction->target && decoded.instruction.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
    return "a branch that hardly any processor knows";
  const bool has_operand_size_prefix = (decoded.instruction.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0;
  const bool has_rex_w = decoded.instruction.raw.rex.W != 0;
  if (instruction->target && has_operand_size_prefix && !has_rex_w) {
    return "a branch whose length depends on the processor's maker";
  }
  // To AMD's (family 25), loope with the prefix of repne is loopne, and the reverse.
  const ZydisMnemonic mnemonic = decoded.instruction.mnemonic;
  const bool is_loop_while = mnemonic == ZYDIS_MNEMONIC_LOOPE || mnemonic == ZYDIS_MNEMONIC_LOOPNE;
  if (is_loop_while && HasRepPrefix(bytes.first(OpcodeOffset(bytes, decoded.instruction))))
    return "a branch whose meaning depends on the processor's maker";
  return nullptr;
}

void MoveInstruction(std::span<const std::byte> bytes, TraceeAddress from, const InteriorTargets& interior,
                     CodeBuffer& to, std::vector<MovedPoint>& points) {
  Decoded decoded;
  const auto instruction = DecodeInstruction(bytes, from);
  CHRONOFORK_ASSERT(instruction && Decode(bytes, decoded));
  const auto own = bytes.first(instruction->length);
  points.push_back({to.here(), from, true});
  // Old libraries jump over a lock prefix when they have one thread.
  if (own[0] == std::byte{0xF0}) points.push_back({to.here() + 1, from + 1, true});
  if (instruction->target) {
    MoveBranch(own, *instruction, decoded, interior, to, points);
  } else if (OwnAddressUseOf(decoded) == OwnAddressUse::kRip) {
    MoveRipRelative(own, decoded, from, to);
  } else {
    to.EmitBytes(own);
  }
}

}  // namespace chronofork
