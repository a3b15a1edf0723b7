// First the depth of the stack at each operation, then the operations one after the other.
#include "probe/expression_compiler.h"

#include <array>
#include <map>
#include <set>

#include "base/assert.h"

namespace chronofork {
namespace {

using enum AgentOperation;

// The number in machine code of gdb's registers 0 … 15.
constexpr std::array<int, 16> kMachineNumbers = {0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};
constexpr uint64_t kRip = 16;

struct Operation {
  AgentOperation code = kEnd;
  uint64_t operand = 0;
  size_t next = 0;   // where the one behind it is
  size_t depth = 0;  // before it
};
using Operations = std::map<size_t, Operation>;

size_t OperandLength(AgentOperation operation) {
  switch (operation) {
    case kConst8:
    case kSignExtend:
    case kZeroExtend:
    case kPick: return 1;
    case kConst16:
    case kIfGoto:
    case kGoto:
    case kReg: return 2;
    case kConst32: return 4;
    case kConst64: return 8;
    default: return 0;
  }
}

// How many values it needs, and how many more there are behind it. nullopt: unknown.
struct Effect {
  size_t needed;
  int change;
};
std::optional<Effect> EffectOf(const Operation& operation) {
  switch (operation.code) {
    case kConst8:
    case kConst16:
    case kConst32:
    case kConst64: return Effect{0, 1};
    case kReg: return operation.operand <= kRip ? std::optional(Effect{0, 1}) : std::nullopt;
    case kDup: return Effect{1, 1};
    case kPick: return Effect{operation.operand + 1, 1};
    case kSwap: return Effect{2, 0};
    case kRotate: return Effect{3, 0};
    case kPop:
    case kIfGoto: return Effect{1, -1};
    case kGoto: return Effect{0, 0};
    case kEnd: return Effect{1, 0};
    case kSignExtend:
    case kZeroExtend:
      return operation.operand >= 1 && operation.operand <= 64 ? std::optional(Effect{1, 0}) : std::nullopt;
    default: break;
  }
  if (IsUnary(operation.code)) return Effect{1, 0};
  if (IsBinary(operation.code)) return Effect{2, -1};
  return std::nullopt;
}

std::optional<Operation> Decode(std::span<const std::byte> code, size_t at) {
  if (at >= code.size()) return std::nullopt;
  Operation operation;
  operation.code = static_cast<AgentOperation>(code[at]);
  const size_t length = OperandLength(operation.code);
  operation.next = at + 1 + length;
  if (operation.next > code.size()) return std::nullopt;
  for (size_t i = at + 1; i < operation.next; ++i)
    operation.operand = operation.operand << 8 | static_cast<uint8_t>(code[i]);
  return operation;
}

// All operations that execution can come to, by where they are. nullopt: not to be compiled.
std::optional<Operations> Analyse(std::span<const std::byte> code) {
  Operations operations;
  std::vector<std::pair<size_t, size_t>> to_do{{0, 0}};  // where, depth
  while (!to_do.empty()) {
    const auto [at, depth] = to_do.back();
    to_do.pop_back();
    if (const auto known = operations.find(at); known != operations.end()) {
      if (known->second.depth != depth) return std::nullopt;
      continue;
    }
    std::optional<Operation> operation = Decode(code, at);
    if (!operation) return std::nullopt;
    const std::optional<Effect> effect = EffectOf(*operation);
    if (!effect || depth < effect->needed) return std::nullopt;
    operation->depth = depth;
    operations[at] = *operation;
    const size_t after = depth + static_cast<size_t>(effect->change);
    if (after > kMaxExpressionDepth) return std::nullopt;
    if (operation->code == kEnd) continue;
    if (operation->code == kGoto || operation->code == kIfGoto) {
      if (operation->operand < operation->next) return std::nullopt;
      to_do.emplace_back(operation->operand, after);
    }
    if (operation->code != kGoto) to_do.emplace_back(operation->next, after);
  }
  return operations;
}

class Compiler {
 public:
  Compiler(const ExpressionSite& site, CodeBuffer& to) : site_(site), to_(to) {}

  void Compile(const Operations& operations) {
    for (const auto& [at, operation] : operations) labels_.emplace(at, to_.NewLabel());
    done_ = to_.NewLabel();
    for (auto each = operations.begin(); each != operations.end(); ++each) {
      const Operation& operation = each->second;
      to_.Bind(labels_.at(each->first));
      depth_ = operation.depth;
      Emit(operation);
      const auto following = std::next(each);
      if (operation.code == kGoto) continue;
      if (operation.code == kEnd) {
        if (following != operations.end()) Jump(done_);
      } else if (following == operations.end() || following->first != operation.next) {
        Jump(labels_.at(operation.next));
      }
    }
    to_.Bind(done_);
  }

 private:
  // `opcode` with the memory slot of stack entry `index` as its rip-relative operand.
  void WithSlot(std::initializer_list<int> opcode, size_t index) {
    to_.Emit(opcode);
    to_.EmitRelative32(site_.slots.Stack(index));
  }
  // The same with the entry below the top.
  void WithSecond(std::initializer_list<int> opcode) { WithSlot(opcode, depth_ - 2); }
  void StoreTop(size_t index) { WithSlot({0x48, 0x89, 0x05}, index); }  // mov [slot], rax
  void LoadTop(size_t index) { WithSlot({0x48, 0x8B, 0x05}, index); }   // mov rax, [slot]
  void LoadRcx(size_t index) { WithSlot({0x48, 0x8B, 0x0D}, index); }   // mov rcx, [slot]
  void StoreRcx(size_t index) { WithSlot({0x48, 0x89, 0x0D}, index); }  // mov [slot], rcx
  void CopyTopToRcx() { to_.Emit({0x48, 0x89, 0xC1}); }                 // mov rcx, rax
  void Spill() {
    if (depth_ > 0) StoreTop(depth_ - 1);
  }
  void Jump(CodeBuffer::Label label) {
    to_.Emit({0xE9});
    to_.EmitRelative32(label);
  }
  void JumpIf(int condition, CodeBuffer::Label label) {  // as in jcc: 4 zero, 5 not zero …
    to_.Emit({0x0F, 0x80 | condition});
    to_.EmitRelative32(label);
  }
  void Constant(uint64_t value) {
    if (value == static_cast<uint32_t>(value)) {
      to_.Emit({0xB8});  // mov eax, imm32
      to_.Emit32(static_cast<uint32_t>(value));
    } else {
      to_.Emit({0x48, 0xB8});  // mov rax, imm64
      to_.Emit64(value);
    }
  }
  void SetTop(int condition) { to_.Emit({0x0F, 0x90 | condition, 0xC0, 0x0F, 0xB6, 0xC0}); }  // setcc al; movzx eax, al

  void Register(uint64_t number) {
    if (number == kRip) return Constant(site_.place.value);
    const int machine = kMachineNumbers[number];
    const auto from_slot = [&](TraceeAddress slot) {
      to_.Emit({0x48, 0x8B, 0x05});  // mov rax, [slot]
      to_.EmitRelative32(slot);
    };
    if (machine == 0) return from_slot(site_.slots.rax());
    if (machine == 1) return from_slot(site_.slots.rcx());
    if (machine == 2) return from_slot(site_.slots.rdx());
    to_.Emit({machine >= 8 ? 0x4C : 0x48, 0x89, 0xC0 | (machine & 7) << 3});  // mov rax, register
  }

  void Emit(const Operation& operation) {
    switch (operation.code) {
      case kEnd: return;
      case kConst8:
      case kConst16:
      case kConst32:
      case kConst64: Spill(); return Constant(operation.operand);
      case kReg: Spill(); return Register(operation.operand);
      case kDup: return Spill();
      case kPick: Spill(); return LoadTop(depth_ - 1 - operation.operand);
      case kPop:
        if (depth_ > 1) LoadTop(depth_ - 2);
        return;
      case kSwap:
        LoadRcx(depth_ - 2);
        StoreTop(depth_ - 2);
        to_.Emit({0x48, 0x89, 0xC8});  // mov rax, rcx
        return;
      case kRotate:
        LoadRcx(depth_ - 3);
        StoreTop(depth_ - 3);
        LoadTop(depth_ - 2);
        return StoreRcx(depth_ - 2);
      case kGoto: return Jump(labels_.at(operation.operand));
      case kIfGoto:
        to_.Emit({0x48, 0x85, 0xC0});  // test rax, rax
        if (depth_ > 1) LoadTop(depth_ - 2);
        return JumpIf(5, labels_.at(operation.operand));
      default: break;
    }
    if (IsUnary(operation.code)) return Unary(operation);
    Binary(operation.code);
  }

  void Unary(const Operation& operation) {
    switch (operation.code) {
      case kLogNot: to_.Emit({0x48, 0x85, 0xC0}); return SetTop(4);  // test rax, rax; sete
      case kBitNot: return to_.Emit({0x48, 0xF7, 0xD0});             // not rax
      case kSignExtend:
      case kZeroExtend: {
        const int shift = static_cast<int>(64 - operation.operand);
        if (shift == 0) return;
        to_.Emit({0x48, 0xC1, 0xE0, shift});                                                // shl rax, shift
        return to_.Emit({0x48, 0xC1, operation.code == kSignExtend ? 0xF8 : 0xE8, shift});  // sar or shr
      }
      default: break;
    }
    EmitPatchedCheck(uint64_t{1} << (static_cast<int>(operation.code) - static_cast<int>(kRef8)), site_, to_);
    switch (operation.code) {
      case kRef8: return to_.Emit({0x0F, 0xB6, 0x00});   // movzx eax, byte [rax]
      case kRef16: return to_.Emit({0x0F, 0xB7, 0x00});  // movzx eax, word [rax]
      case kRef32: return to_.Emit({0x8B, 0x00});        // mov eax, [rax]
      default: return to_.Emit({0x48, 0x8B, 0x00});      // mov rax, [rax]
    }
  }

  void Binary(AgentOperation operation) {
    switch (operation) {
      case kAdd: return WithSecond({0x48, 0x03, 0x05});
      case kMul: return WithSecond({0x48, 0x0F, 0xAF, 0x05});
      case kBitAnd: return WithSecond({0x48, 0x23, 0x05});
      case kBitOr: return WithSecond({0x48, 0x0B, 0x05});
      case kBitXor: return WithSecond({0x48, 0x33, 0x05});
      case kSub:
        CopyTopToRcx();
        LoadTop(depth_ - 2);
        return to_.Emit({0x48, 0x29, 0xC8});                                   // sub rax, rcx
      case kEqual: WithSecond({0x48, 0x39, 0x05}); return SetTop(0x4);         // cmp [second], rax; sete
      case kLessSigned: WithSecond({0x48, 0x39, 0x05}); return SetTop(0xC);    // setl
      case kLessUnsigned: WithSecond({0x48, 0x39, 0x05}); return SetTop(0x2);  // setb
      case kShiftLeft:
      case kShiftRightUnsigned:
      case kShiftRightSigned: return Shift(operation);
      default: return Divide(operation);
    }
  }

  void Shift(AgentOperation operation) {
    const CodeBuffer::Label in_range = to_.NewLabel();
    CopyTopToRcx();
    LoadTop(depth_ - 2);
    if (operation == kShiftRightSigned) {
      to_.Emit({0x48, 0x83, 0xF9, 63, 0x76});  // cmp rcx, 63; jbe
      to_.EmitRelative8(in_range);
      to_.Emit({0xB9, 63, 0, 0, 0});  // mov ecx, 63
      to_.Bind(in_range);
      return to_.Emit({0x48, 0xD3, 0xF8});  // sar rax, cl
    }
    to_.Emit({0x48, 0xD3, operation == kShiftLeft ? 0xE0 : 0xE8});  // shl or shr rax, cl
    to_.Emit({0x48, 0x83, 0xF9, 63, 0x76});                         // cmp rcx, 63; jbe
    to_.EmitRelative8(in_range);
    to_.Emit({0x31, 0xC0});  // xor eax, eax
    to_.Bind(in_range);
  }

  void Divide(AgentOperation operation) {
    const bool is_remainder = operation == kRemSigned || operation == kRemUnsigned;
    to_.Emit({0x48, 0x85, 0xC0});  // test rax, rax
    JumpIf(4, site_.no_value);
    CopyTopToRcx();
    LoadTop(depth_ - 2);
    if (operation == kDivUnsigned || operation == kRemUnsigned) {
      to_.Emit({0x31, 0xD2, 0x48, 0xF7, 0xF1});        // xor edx, edx; div rcx
      if (is_remainder) to_.Emit({0x48, 0x89, 0xD0});  // mov rax, rdx
      return;
    }
    // By −1 the processor would trap on the smallest number.
    const CodeBuffer::Label minus_one = to_.NewLabel();
    const CodeBuffer::Label done = to_.NewLabel();
    to_.Emit({0x48, 0x83, 0xF9, 0xFF, 0x74});  // cmp rcx, -1; je
    to_.EmitRelative8(minus_one);
    to_.Emit({0x48, 0x99, 0x48, 0xF7, 0xF9});        // cqo; idiv rcx
    if (is_remainder) to_.Emit({0x48, 0x89, 0xD0});  // mov rax, rdx
    to_.Emit({0xEB});
    to_.EmitRelative8(done);
    to_.Bind(minus_one);
    if (is_remainder) {
      to_.Emit({0x31, 0xC0});  // xor eax, eax
    } else {
      to_.Emit({0x48, 0xF7, 0xD8});  // neg rax
    }
    to_.Bind(done);
  }

  const ExpressionSite& site_;
  CodeBuffer& to_;
  size_t depth_ = 0;
  std::map<size_t, CodeBuffer::Label> labels_;
  CodeBuffer::Label done_;
};

}  // namespace

bool CanCompile(std::span<const std::byte> code) { return Analyse(code).has_value(); }

void EmitExpression(std::span<const std::byte> code, const ExpressionSite& site, CodeBuffer& to) {
  const std::optional<Operations> operations = Analyse(code);
  CHRONOFORK_ASSERT(operations.has_value());
  Compiler(site, to).Compile(*operations);
}

void EmitPatchedCheck(uint64_t length_bytes, const ExpressionSite& site, CodeBuffer& to) {
  for (const AddressRange& range : site.patched) {
    // One comparison: address − (start − (length − 1)) < range length + (length − 1).
    to.Emit({0x48, 0xB9});  // mov rcx, first address that reaches in
    to.Emit64(range.start.value - (length_bytes - 1));
    to.Emit({0x48, 0x89, 0xC2, 0x48, 0x29, 0xCA});  // mov rdx, rax; sub rdx, rcx
    to.Emit({0x48, 0x81, 0xFA});                    // cmp rdx, imm32
    to.Emit32(static_cast<uint32_t>(range.length() + length_bytes - 1));
    to.Emit({0x0F, 0x82});  // jb
    to.EmitRelative32(site.no_value);
  }
}

}  // namespace chronofork
