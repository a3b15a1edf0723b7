// A stack machine on 64-bit integers. All arithmetic is done unsigned, where
// overflow is defined; divisions that a CPU would trap on are errors.
#include "probe/agent_expression.h"

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <string>

namespace chronofork {
namespace {

// gdb's own stub allows as much.
constexpr size_t kMaxStack = 100;
// Conditions have no loops; a corrupt one must not hang the debugger.
constexpr size_t kMaxOperations = 100'000;

using enum AgentOperation;

Error Invalid(std::string what) {
  return Error{"badCondition", "A breakpoint condition sent by gdb cannot be evaluated: " + what + ".", "", 0, 0};
}

int64_t Signed(uint64_t value) { return std::bit_cast<int64_t>(value); }
uint64_t Unsigned(int64_t value) { return std::bit_cast<uint64_t>(value); }

class Machine {
 public:
  Machine(std::span<const std::byte> code, const GeneralRegisters& registers, const MemoryReader& read)
      : code_(code), registers_(registers), read_(read) {}

  Result<int64_t> Run() {
    for (size_t operations = 0; operations < kMaxOperations; ++operations) {
      CF_TRY_ASSIGN(uint64_t operation, Operand(1));
      if (operation == static_cast<uint64_t>(kEnd)) {
        if (depth_ == 0) return Invalid("it has no value");
        return Signed(stack_[depth_ - 1]);
      }
      CF_TRY(Execute(static_cast<AgentOperation>(operation)));
    }
    return Invalid("it does not end");
  }

 private:
  // The next `count` bytes of code, most significant first.
  Result<uint64_t> Operand(size_t count) {
    if (code_.size() - pc_ < count) return Invalid("it ends in the middle");
    uint64_t value = 0;
    for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<uint8_t>(code_[pc_++]);
    return value;
  }

  Result<void> Push(uint64_t value) {
    if (depth_ == kMaxStack) return Invalid("it needs too much stack");
    stack_[depth_++] = value;
    return {};
  }

  Result<void> Require(size_t count) {
    if (depth_ < count) return Invalid("its stack is empty");
    return {};
  }

  Result<void> Jump(bool taken) {
    CF_TRY_ASSIGN(uint64_t target, Operand(2));
    if (target >= code_.size()) return Invalid("it jumps out of itself");
    if (taken) pc_ = target;
    return {};
  }

  Result<void> Execute(AgentOperation operation) {
    switch (operation) {
      case kConst8: return PushOperand(1);
      case kConst16: return PushOperand(2);
      case kConst32: return PushOperand(4);
      case kConst64: return PushOperand(8);
      case kReg: return PushRegister();
      case kGoto: return Jump(true);
      case kPick: return Pick();
      case kDup: {
        CF_TRY(Require(1));
        return Push(stack_[depth_ - 1]);
      }
      default: break;
    }
    if (operation == kRotate) {
      CF_TRY(Require(3));
      uint64_t a = stack_[depth_ - 3], b = stack_[depth_ - 2], c = stack_[depth_ - 1];
      stack_[depth_ - 3] = c, stack_[depth_ - 2] = a, stack_[depth_ - 1] = b;
      return {};
    }
    CF_TRY(Require(1));
    if (operation == kSwap) {
      CF_TRY(Require(2));
      std::swap(stack_[depth_ - 1], stack_[depth_ - 2]);
      return {};
    }
    if (operation == kPop || operation == kIfGoto) {
      uint64_t top = stack_[--depth_];
      return operation == kPop ? Result<void>() : Jump(top != 0);
    }
    if (IsUnary(operation)) return Unary(operation);
    return Binary(operation);
  }

  Result<void> PushOperand(size_t count) {
    CF_TRY_ASSIGN(uint64_t value, Operand(count));
    return Push(value);
  }

  Result<void> PushRegister() {
    CF_TRY_ASSIGN(uint64_t number, Operand(2));
    std::optional<uint64_t> value = AgentRegisterValue(number, registers_);
    if (!value) return Invalid("register " + std::to_string(number) + " is not a general one");
    return Push(*value);
  }

  Result<void> Pick() {
    CF_TRY_ASSIGN(uint64_t index, Operand(1));
    CF_TRY(Require(index + 1));
    return Push(stack_[depth_ - 1 - index]);
  }

  Result<void> Unary(AgentOperation operation) {
    uint64_t& top = stack_[depth_ - 1];
    switch (operation) {
      case kLogNot: top = top == 0; return {};
      case kBitNot: top = ~top; return {};
      case kSignExtend:
      case kZeroExtend: {
        CF_TRY_ASSIGN(uint64_t bits, Operand(1));
        if (bits == 0 || bits > 64) return Invalid("it extends from no possible width");
        uint64_t shift = 64 - bits;
        top = operation == kSignExtend ? Unsigned(Signed(top << shift) >> shift) : top << shift >> shift;
        return {};
      }
      default: {
        uint64_t value = 0;
        size_t length_bytes = size_t{1} << (static_cast<int>(operation) - static_cast<int>(kRef8));
        CF_TRY(read_(TraceeAddress(top), {reinterpret_cast<std::byte*>(&value), length_bytes}));
        top = value;
        return {};
      }
    }
  }

  Result<void> Binary(AgentOperation operation) {
    // A known operation is told from an unknown one before its operands are looked at.
    if (!IsBinary(operation))
      return Invalid("operation " + std::to_string(static_cast<int>(operation)) + " is not supported");
    CF_TRY(Require(2));
    uint64_t right = stack_[depth_ - 1], left = stack_[depth_ - 2];
    CF_TRY_ASSIGN(uint64_t value, Compute(operation, left, right));
    stack_[--depth_ - 1] = value;
    return {};
  }

  static Result<uint64_t> Compute(AgentOperation operation, uint64_t left, uint64_t right) {
    switch (operation) {
      case kAdd: return left + right;
      case kSub: return left - right;
      case kMul: return left * right;
      case kDivSigned:
      case kDivUnsigned:
      case kRemSigned:
      case kRemUnsigned: return Divide(operation, left, right);
      case kShiftLeft: return right < 64 ? left << right : 0;
      case kShiftRightSigned: return Unsigned(Signed(left) >> (right < 64 ? right : 63));
      case kShiftRightUnsigned: return right < 64 ? left >> right : 0;
      case kBitAnd: return left & right;
      case kBitOr: return left | right;
      case kBitXor: return left ^ right;
      case kEqual: return uint64_t{left == right};
      case kLessSigned: return uint64_t{Signed(left) < Signed(right)};
      default: return uint64_t{left < right};  // kLessUnsigned
    }
  }

  static Result<uint64_t> Divide(AgentOperation operation, uint64_t left, uint64_t right) {
    if (right == 0) return Invalid("it divides by zero");
    if (operation == kDivUnsigned) return left / right;
    if (operation == kRemUnsigned) return left % right;
    if (Signed(right) == -1) return operation == kDivSigned ? 0 - left : uint64_t{0};
    return Unsigned(operation == kDivSigned ? Signed(left) / Signed(right) : Signed(left) % Signed(right));
  }

  std::span<const std::byte> code_;
  const GeneralRegisters& registers_;
  const MemoryReader& read_;
  size_t pc_ = 0;
  size_t depth_ = 0;
  std::array<uint64_t, kMaxStack> stack_;
};

}  // namespace

bool IsUnary(AgentOperation operation) {
  return operation == kLogNot || operation == kBitNot || operation == kSignExtend || operation == kZeroExtend ||
         (operation >= kRef8 && operation <= kRef64);
}

bool IsBinary(AgentOperation operation) {
  return (operation >= kAdd && operation <= kShiftRightUnsigned) || (operation >= kBitAnd && operation <= kBitXor) ||
         (operation >= kEqual && operation <= kLessUnsigned);
}

std::optional<uint64_t> AgentRegisterValue(uint64_t number, const GeneralRegisters& registers) {
  const GeneralRegisters& r = registers;
  // Those from eflags to gs are 32 bits.
  const uint64_t core[] = {r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi,    r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11,
                           r.r12, r.r13, r.r14, r.r15, r.rip, r.eflags, r.cs,  r.ss,  r.ds, r.es, r.fs,  r.gs};
  constexpr uint64_t kFirstOf32Bits = 17, kOrigRax = 57, kFsBase = 58, kGsBase = 59;
  if (number < std::size(core)) return number < kFirstOf32Bits ? core[number] : core[number] & 0xFFFFFFFF;
  if (number == kOrigRax) return r.orig_rax;
  if (number == kFsBase) return r.fs_base;
  if (number == kGsBase) return r.gs_base;
  return std::nullopt;
}

Result<int64_t> EvaluateAgentCode(std::span<const std::byte> code, const GeneralRegisters& registers,
                                  const MemoryReader& read) {
  return Machine(code, registers, read).Run();
}

bool AnyHolds(std::span<const AgentCode> conditions, const GeneralRegisters& registers, const MemoryReader& read) {
  for (const AgentCode& condition : conditions) {
    const Result<int64_t> value = EvaluateAgentCode(condition, registers, read);
    if (!value.ok() || value.value() != 0) return true;  // what cannot be evaluated, gdb looks at itself
  }
  return conditions.empty();
}

}  // namespace chronofork
