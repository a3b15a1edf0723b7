// Compiles gdb's bytecode to machine code for a probe.
//
// The value on top of the bytecode's stack is kept in rax, the others in
// memory slots, whose addresses are known since the depth at each operation
// is. Uses rax, rcx, rdx and the flags, which the probe has saved; no stack.
//
// What has no value (a division by zero, an unreadable address: a fault) goes to
// a label of the probe's, where the tracer takes over and evaluates everything
// once more. So does a read where our own patches lie.
//
// Easy to get wrong: a jump may lead into the middle of what was decoded from
// elsewhere; each byte that execution can come to is an operation of its own.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "probe/agent_expression.h"
#include "probe/code_buffer.h"

namespace chronofork {

// The longest bytecode stack that is compiled.
inline constexpr size_t kMaxExpressionDepth = 32;

// Where the debuggee's registers were saved, and room to work; within reach of the code.
struct ScratchSlots {
  TraceeAddress base;
  TraceeAddress rax() const { return base; }
  TraceeAddress rcx() const { return base + 8; }
  TraceeAddress flags() const { return base + 16; }
  TraceeAddress rdi() const { return base + 24; }
  TraceeAddress rdx() const { return base + 32; }
  TraceeAddress counter() const { return base + 40; }
  TraceeAddress Stack(size_t depth) const { return base + 48 + 8 * depth; }
  static constexpr uint64_t kLengthBytes = 48 + 8 * kMaxExpressionDepth;
};

// No loops (jumps back), no registers but the 16 general ones and rip, nothing malformed.
bool CanCompile(std::span<const std::byte> code);

struct ExpressionSite {
  TraceeAddress place;  // what rip is
  ScratchSlots slots;
  // Where bytes of ours may lie, that no read must show.
  std::span<const AddressRange> patched;
  CodeBuffer::Label no_value;
};

// Leaves the value in rax. `code` can be compiled.
void EmitExpression(std::span<const std::byte> code, const ExpressionSite& site, CodeBuffer& to);

// Jumps to `no_value` if any of `length_bytes` from rax on are patched. Changes rcx, rdx, flags.
void EmitPatchedCheck(uint64_t length_bytes, const ExpressionSite& site, CodeBuffer& to);

}  // namespace chronofork
