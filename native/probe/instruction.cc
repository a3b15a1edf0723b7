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

// How long the instruction at the start of `bytes` is; 0 if it is none. Twice
// as quick as DecodeInstruction.
uint8_t LengthAt(std::span<const std::byte> bytes) {
  ZydisDecodedInstruction decoded;
  const size_t available = std::min<size_t>(bytes.size(), kMaxInstructionLength);
  const ZyanStatus status = ZydisDecoderDecodeInstruction(&Decoder(), nullptr, bytes.data(), available, &decoded);
  return ZYAN_SUCCESS(status) ? decoded.length : uint8_t{0};
}

// Decoding streams begun at every offset of a window that ends at `end`: where
// does each of them stand when it reaches or passes a given offset?
class StreamWindow {
 public:
  static constexpr size_t kReach = 192;  // begin this far before the place: real code is in step after 10–40 bytes
  static constexpr size_t kSettle = 48;  // streams begun nearer than this may still be out of step

  // `end` is the offset of the place in `code`.
  StreamWindow(std::span<const std::byte> code, size_t end)
      : begin_(end > kReach ? end - kReach : 0), end_(end), lengths_(end - begin_) {
    for (size_t i = 0; i < lengths_.size(); ++i) lengths_[i] = LengthAt(code.subspan(begin_ + i));
  }

  // Votes of the settled streams: `last_start(offset)` is called with the
  // offset of the instruction with which a stream reaches the end or passes
  // over it; returns how many streams there were.
  template <typename Visit>
  size_t ForEachStream(Visit visit) const {
    if (end_ == begin_) return 0;
    // At the very start of the code there is just one stream, and it is right.
    const size_t count = lengths_.size() > kSettle && begin_ > 0 ? lengths_.size() - kSettle : 1;
    for (size_t first = 0; first < count; ++first) {
      size_t at = first;
      while (at < lengths_.size() && lengths_[at] != 0 && at + lengths_[at] < lengths_.size()) at += lengths_[at];
      if (at < lengths_.size() && lengths_[at] != 0) visit(begin_ + at, at + lengths_[at] == lengths_.size());
    }
    return count;
  }

 private:
  size_t begin_;
  size_t end_;
  std::vector<uint8_t> lengths_;
};

std::optional<TraceeAddress> PreviousFromStart(std::span<const std::byte> code, TraceeAddress code_start,
                                               TraceeAddress address, TraceeAddress function_start) {
  size_t at = function_start - code_start;
  const size_t end = address - code_start;
  while (at < end) {
    const uint8_t length = LengthAt(code.subspan(at));
    if (length == 0 || at + length > end) return std::nullopt;
    if (at + length == end) return code_start + at;
    at += length;
  }
  return std::nullopt;
}

constexpr std::byte kEscape{0x0F};

uint8_t ByteAt(std::span<const std::byte> code, size_t offset) {
  return offset < code.size() ? static_cast<uint8_t>(code[offset]) : uint8_t{0};
}

// May the two-byte opcode at `offset` (of its 0F) be one of ours? Cheap, and never wrongly no.
bool MayBeNondeterministic(std::span<const std::byte> code, size_t offset) {
  const uint8_t second = ByteAt(code, offset + 1);
  const uint8_t third = ByteAt(code, offset + 2);
  switch (second) {
    case 0xC7:  // group 9: /6 rdrand, /7 rdseed and rdpid, with a register
      return third >= 0xF0;
    case 0x31:  // rdtsc
    case 0xA2:  // cpuid
      return true;
    case 0x01:  // rdtscp
      return third == 0xF9;
    default: return false;
  }
}

// Is `byte` a prefix that may stand before a two-byte opcode?
bool IsPrefix(uint8_t byte) {
  switch (byte) {
    case 0x26:
    case 0x2E:
    case 0x36:
    case 0x3E:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xF0:
    case 0xF2:
    case 0xF3: return true;
    default: return (byte & 0xF0) == 0x40;
  }
}

// The instruction that the opcode at `opcode` belongs to, by the votes of the
// streams that reach it; nullopt when most of them see something else there.
std::optional<NondeterministicInstruction> VoteOnOpcode(std::span<const std::byte> code, TraceeAddress base,
                                                        size_t opcode, uint32_t wanted) {
  // Most false patterns fall here: the bytes are not even one of ours when
  // decoded from some possible start.
  size_t earliest = opcode;
  while (earliest > 0 && opcode - earliest < kMaxInstructionLength && IsPrefix(ByteAt(code, earliest - 1))) --earliest;

  std::vector<std::pair<size_t, size_t>> votes;  // start, number of streams
  const auto vote = [&](size_t start) {
    auto found = std::find_if(votes.begin(), votes.end(), [&](const auto& v) { return v.first == start; });
    if (found == votes.end()) found = votes.insert(votes.end(), {start, 0});
    ++found->second;
  };
  size_t streams = 0;
  if (opcode == 0) {
    vote(0);
    streams = 1;
  } else {
    // A stream that comes to stand exactly at the opcode has it without a prefix;
    // one that passes over the opcode has it inside the instruction it stood at.
    const StreamWindow window(code, opcode);
    streams = window.ForEachStream([&](size_t last, bool ends_exactly) { vote(ends_exactly ? opcode : last); });
  }
  for (const auto& [start, count] : votes) {
    if (start < earliest || count * 2 <= streams) continue;
    const auto decoded = DecodeInstruction(code.subspan(start), base + start);
    if (!decoded || (decoded->nondeterministic & wanted) == 0) continue;
    return NondeterministicInstruction{decoded->address, decoded->length, decoded->nondeterministic};
  }
  return std::nullopt;
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

std::vector<TraceeAddress> FindInstructionStarts(std::span<const std::byte> code, TraceeAddress start) {
  std::vector<TraceeAddress> starts;
  for (size_t at = 0; at < code.size();) {
    const uint8_t length = LengthAt(code.subspan(at));
    if (length == 0) break;
    starts.push_back(start + at);
    at += length;
  }
  return starts;
}

std::optional<TraceeAddress> PreviousInstruction(std::span<const std::byte> code, TraceeAddress code_start,
                                                 TraceeAddress address, std::optional<TraceeAddress> function_start) {
  if (address <= code_start || address - code_start > code.size()) return std::nullopt;
  if (function_start && *function_start >= code_start && *function_start < address) {
    return PreviousFromStart(code, code_start, address, *function_start);
  }
  const size_t end = address - code_start;
  if (end <= StreamWindow::kReach) return std::nullopt;  // too little to see whether they agree
  std::optional<size_t> agreed;
  bool differ = false;
  size_t in_step = 0;
  const size_t streams = StreamWindow(code, end).ForEachStream([&](size_t last, bool ends_exactly) {
    if (!ends_exactly) return;
    ++in_step;
    if (agreed && *agreed != last) differ = true;
    agreed = last;
  });
  // Streams that never come to stand at `address` are out of step: a few are
  // usual, but when they are many, data lies before it and agreement means nothing.
  if (!agreed || differ || in_step * 2 <= streams) return std::nullopt;
  return code_start + *agreed;
}

std::vector<NondeterministicInstruction> FindNondeterministicInstructions(std::span<const std::byte> code,
                                                                          TraceeAddress base, uint32_t wanted) {
  std::vector<NondeterministicInstruction> found;
  const auto consider = [&](size_t opcode) {
    const auto instruction = VoteOnOpcode(code, base, opcode, wanted);
    if (instruction && (found.empty() || found.back().address < instruction->address)) found.push_back(*instruction);
  };
  for (size_t at = 0; at + 1 < code.size(); ++at) {
    const auto rest = code.subspan(at);
    if (rest[0] == kEscape && MayBeNondeterministic(code, at)) consider(at);
    if ((wanted & kXbegin) && ByteAt(code, at) == 0xC7 && ByteAt(code, at + 1) == 0xF8) consider(at);
  }
  return found;
}

}  // namespace chronofork
