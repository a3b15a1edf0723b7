// Translates what Zydis decodes into Instruction.
#include "probe/instruction.h"

#include <Zydis/Zydis.h>

#include <algorithm>

#include "base/assert.h"

namespace chronofork {
namespace {

const ZydisDecoder& Decoder() {
  static const ZydisDecoder decoder = [] {
    ZydisDecoder made;
    const ZyanStatus status = ZydisDecoderInit(&made, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    CHRONOFORK_ASSERT(ZYAN_SUCCESS(status));
    return made;
  }();
  return decoder;
}

// The 64-bit general register that holds `reg`, as a number; kNoRegister for all others.
int8_t GeneralRegisterNumber(ZydisRegister reg) {
  if (reg == ZYDIS_REGISTER_NONE) return kNoRegister;
  const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15) return kNoRegister;
  return static_cast<int8_t>(whole - ZYDIS_REGISTER_RAX);
}

bool IsTrap(ZydisMnemonic mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_INT1:
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_HLT: return true;
    default: return false;
  }
}

FlowKind FlowOf(const ZydisDecodedInstruction& decoded, const ZydisDecodedOperand* operands) {
  const bool is_far = decoded.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
  if (decoded.mnemonic == ZYDIS_MNEMONIC_INT && operands[0].imm.value.u == 0x80) return FlowKind::kSyscall;
  if (IsTrap(decoded.mnemonic)) return FlowKind::kTrap;
  if (decoded.mnemonic == ZYDIS_MNEMONIC_XBEGIN || decoded.mnemonic == ZYDIS_MNEMONIC_XABORT) return FlowKind::kOther;
  switch (decoded.meta.category) {
    case ZYDIS_CATEGORY_CALL: return is_far ? FlowKind::kOther : FlowKind::kCall;
    case ZYDIS_CATEGORY_RET: {
      const bool is_near = decoded.mnemonic == ZYDIS_MNEMONIC_RET && (decoded.opcode == 0xC3 || decoded.opcode == 0xC2);
      return is_near ? FlowKind::kReturn : FlowKind::kOther;
    }
    case ZYDIS_CATEGORY_UNCOND_BR: return is_far ? FlowKind::kOther : FlowKind::kJump;
    case ZYDIS_CATEGORY_COND_BR: return FlowKind::kConditionalJump;
    case ZYDIS_CATEGORY_SYSCALL: return FlowKind::kSyscall;
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_INTERRUPT: return FlowKind::kOther;
    default: return FlowKind::kNext;
  }
}

NondeterministicKind NondeterminismOf(ZydisMnemonic mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_RDRAND: return kRdrand;
    case ZYDIS_MNEMONIC_RDSEED: return kRdseed;
    case ZYDIS_MNEMONIC_RDTSC: return kRdtsc;
    case ZYDIS_MNEMONIC_RDTSCP: return kRdtscp;
    case ZYDIS_MNEMONIC_RDPID: return kRdpid;
    case ZYDIS_MNEMONIC_CPUID: return kCpuid;
    case ZYDIS_MNEMONIC_XBEGIN: return kXbegin;
    case ZYDIS_MNEMONIC_XGETBV: return kXgetbv;
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64: return kVectorSave;
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64: return kX87Save;
    default: return kDeterministic;
  }
}

// Instructions that write memory which no operand describes, or not with its true extent.
bool WritesElsewhere(const ZydisDecodedInstruction& decoded) {
  switch (decoded.mnemonic) {
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_MOVDIR64B:
    case ZYDIS_MNEMONIC_ENQCMD:
    case ZYDIS_MNEMONIC_ENQCMDS:
    case ZYDIS_MNEMONIC_CLZERO:
    case ZYDIS_MNEMONIC_TILESTORED:
    case ZYDIS_MNEMONIC_STTILECFG: return true;
    default: break;
  }
  switch (decoded.meta.category) {
    case ZYDIS_CATEGORY_XSAVE:
    case ZYDIS_CATEGORY_XSAVEOPT:
    case ZYDIS_CATEGORY_SCATTER: return true;
    default: return false;
  }
}

bool IsBitOffsetStore(ZydisMnemonic mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_BTS || mnemonic == ZYDIS_MNEMONIC_BTR || mnemonic == ZYDIS_MNEMONIC_BTC;
}

MemoryOperand MakeMemoryOperand(const ZydisDecodedInstruction& decoded, const ZydisDecodedOperand& operand,
                                TraceeAddress address) {
  MemoryOperand made;
  if (operand.mem.segment == ZYDIS_REGISTER_FS) made.segment = SegmentBase::kFs;
  if (operand.mem.segment == ZYDIS_REGISTER_GS) made.segment = SegmentBase::kGs;
  made.base = GeneralRegisterNumber(operand.mem.base);
  made.index = GeneralRegisterNumber(operand.mem.index);
  made.scale = std::max<uint8_t>(operand.mem.scale, 1);
  made.is_address_32_bit = decoded.address_width == 32;
  made.displacement = operand.mem.disp.has_displacement ? operand.mem.disp.value : 0;
  made.length_bytes = operand.size / 8;
  if (operand.mem.base == ZYDIS_REGISTER_RIP || operand.mem.base == ZYDIS_REGISTER_EIP) {
    made.displacement += static_cast<int64_t>(address.value + decoded.length);
  }
  // The stack operand of push and call: the decoder names rsp as it is before.
  const bool is_hidden_stack = operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && made.base == kRsp;
  if (is_hidden_stack) {
    made.displacement -= made.length_bytes;
    made.is_address_32_bit = false;  // a prefix 67 says nothing about the stack
  }
  // pop adds to rsp before it computes where to.
  if (!is_hidden_stack && decoded.mnemonic == ZYDIS_MNEMONIC_POP && made.base == kRsp) {
    made.displacement += made.length_bytes;
  }
  return made;
}

void FillWrites(const ZydisDecodedInstruction& decoded, const ZydisDecodedOperand* operands, Instruction& out) {
  out.writes_elsewhere = WritesElsewhere(decoded);
  for (int i = 0; i < decoded.operand_count; ++i) {
    const ZydisDecodedOperand& operand = operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    if (operand.mem.base == ZYDIS_REGISTER_RIP || operand.mem.base == ZYDIS_REGISTER_EIP) out.reads_own_address = true;
    if (out.nondeterministic & (kVectorSave | kX87Save)) out.operand = MakeMemoryOperand(decoded, operand, out.address);
    if (!(operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) continue;
    if (operand.mem.type != ZYDIS_MEMOP_TYPE_MEM || operand.size == 0 || out.write_count == out.writes.size()) {
      out.writes_elsewhere = true;
      continue;
    }
    MemoryOperand& made = out.writes[out.write_count++];
    made = MakeMemoryOperand(decoded, operand, out.address);
    if (IsBitOffsetStore(decoded.mnemonic) && operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER) {
      made.bit_offset_register = GeneralRegisterNumber(operands[1].reg.value);
    }
  }
}

}  // namespace

unsigned long long& RegisterReference(GeneralRegisters& registers, int number) {
  unsigned long long* const by_number[16] = {&registers.rax, &registers.rcx, &registers.rdx, &registers.rbx,
                                             &registers.rsp, &registers.rbp, &registers.rsi, &registers.rdi,
                                             &registers.r8,  &registers.r9,  &registers.r10, &registers.r11,
                                             &registers.r12, &registers.r13, &registers.r14, &registers.r15};
  CHRONOFORK_ASSERT(number >= 0 && number < 16);
  return *by_number[number];
}

uint64_t RegisterValue(const GeneralRegisters& registers, int number) {
  return RegisterReference(const_cast<GeneralRegisters&>(registers), number);
}

TraceeAddress MemoryOperand::Address(const GeneralRegisters& registers) const {
  uint64_t sum = static_cast<uint64_t>(displacement);
  if (base != kNoRegister) sum += RegisterValue(registers, base);
  if (index != kNoRegister) sum += RegisterValue(registers, index) * scale;
  if (bit_offset_register != kNoRegister) {
    // The register counts bits, with a sign, in whole operands from here.
    const int64_t raw = static_cast<int64_t>(RegisterValue(registers, bit_offset_register));
    const int64_t bits = length_bytes == 8   ? raw
                         : length_bytes == 4 ? static_cast<int32_t>(raw)
                                             : static_cast<int16_t>(raw);
    const int shift = length_bytes == 8 ? 6 : length_bytes == 4 ? 5 : 4;
    sum += static_cast<uint64_t>((bits >> shift) * static_cast<int64_t>(length_bytes));
  }
  if (is_address_32_bit) sum &= 0xFFFFFFFFu;
  if (segment == SegmentBase::kFs) sum += registers.fs_base;
  if (segment == SegmentBase::kGs) sum += registers.gs_base;
  return TraceeAddress(sum);
}

std::optional<Instruction> DecodeInstruction(std::span<const std::byte> bytes, TraceeAddress address) {
  ZydisDecodedInstruction decoded;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  const size_t available = std::min<size_t>(bytes.size(), kMaxInstructionLength);
  const ZyanStatus status = ZydisDecoderDecodeFull(&Decoder(), bytes.data(), available, &decoded, operands);
  if (!ZYAN_SUCCESS(status)) return std::nullopt;

  Instruction made;
  made.address = address;
  made.length = decoded.length;
  made.flow = FlowOf(decoded, operands);
  made.nondeterministic = NondeterminismOf(decoded.mnemonic);
  made.is_string =
      decoded.meta.category == ZYDIS_CATEGORY_STRINGOP || decoded.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
  constexpr uint64_t kAnyRep = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
  made.is_rep_string = made.is_string && (decoded.attributes & kAnyRep) != 0;
  made.reads_own_address = made.flow == FlowKind::kCall || made.flow == FlowKind::kSyscall ||
                           made.flow == FlowKind::kOther || made.flow == FlowKind::kTrap;
  for (int i = 0; i < decoded.operand_count; ++i) {
    if (operands[i].type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !operands[i].imm.is_relative) continue;
    made.target = TraceeAddress(address.value + decoded.length + operands[i].imm.value.u);
    made.reads_own_address = true;
  }
  FillWrites(decoded, operands, made);
  return made;
}

std::vector<AddressRange> WrittenRanges(const Instruction& instruction, const GeneralRegisters& registers) {
  std::vector<AddressRange> ranges;
  for (const MemoryOperand& operand : instruction.written()) {
    const TraceeAddress at = operand.Address(registers);
    uint64_t rounds = 1;
    if (instruction.is_rep_string) rounds = operand.is_address_32_bit ? registers.rcx & 0xFFFFFFFFu : registers.rcx;
    if (rounds == 0) continue;
    constexpr uint64_t kDirectionFlag = 0x400;
    const uint64_t length = operand.length_bytes;
    if (instruction.is_rep_string && (registers.eflags & kDirectionFlag)) {
      ranges.push_back({at - (rounds - 1) * length, at + length});
    } else {
      ranges.push_back({at, at + rounds * length});
    }
  }
  return ranges;
}

uint8_t InstructionLength(std::span<const std::byte> bytes) {
  ZydisDecodedInstruction decoded;
  const size_t available = std::min<size_t>(bytes.size(), kMaxInstructionLength);
  const ZyanStatus status = ZydisDecoderDecodeInstruction(&Decoder(), nullptr, bytes.data(), available, &decoded);
  return ZYAN_SUCCESS(status) ? decoded.length : uint8_t{0};
}

}  // namespace chronofork
