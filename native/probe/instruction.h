// What one x86-64 machine instruction is and does, and where instructions
// begin: a thin layer over Zydis, so that nothing above knows Zydis.
//
// Everything here works on bytes already read from the debuggee; conceal our
// own patches in them first (ProbeSet::Conceal). Nothing is cached.
//
// Easy to get wrong: x86 code cannot be decoded backwards. Streams begun at
// different places fall into step after a few instructions, so the instruction
// before an address is found by starting at many earlier places and asking for
// unanimity; where they differ the answer is "unknown", never a guess.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/tracee_address.h"
#include "tracee/registers.h"

namespace chronofork {

// The longest instruction that a processor accepts.
inline constexpr uint64_t kMaxInstructionLength = 15;

// How an instruction goes on.
enum class FlowKind : uint8_t {
  kNext,             // to the following instruction (also rep strings)
  kCall,             // near call, direct or indirect
  kReturn,           // near return
  kJump,             // unconditional near jump, direct or indirect
  kConditionalJump,  // jcc, loop, jrcxz
  kSyscall,          // syscall, sysenter, int 0x80
  kTrap,             // int3, int1, int n, ud2, hlt: never falls through without a signal
  kOther,            // far transfers, iret, xbegin, xabort, sysret: treat as unknown
};

// Instructions whose result is not a function of registers and memory.
// Values are bits, so that a set of them is an `or`.
enum NondeterministicKind : uint32_t {
  kDeterministic = 0,
  kRdrand = 1u << 0,
  kRdseed = 1u << 1,
  kRdtsc = 1u << 2,
  kRdtscp = 1u << 3,
  kRdpid = 1u << 4,
  kCpuid = 1u << 5,
  kXbegin = 1u << 6,  // a transaction may abort at any time
  // xsave, xsavec, xsaveopt: which parts of the vector state they write is the
  // processor's idea of what is in use, and that may change at any interrupt.
  kVectorSave = 1u << 7,
  kXgetbv = 1u << 8,  // with ecx 1 it tells just that
  // fnstenv, fnsave, fxsave: the addresses of the last x87 instruction and its operand, which some processors forget
  // whenever another process has run.
  kX87Save = 1u << 9,
};

// Registers by their number in machine code: rax 0, rcx 1, rdx 2, rbx 3,
// rsp 4, rbp 5, rsi 6, rdi 7, r8 … r15.
inline constexpr int8_t kNoRegister = -1;
inline constexpr int8_t kRax = 0;
inline constexpr int8_t kRcx = 1;
inline constexpr int8_t kRdx = 2;
inline constexpr int8_t kRsp = 4;
inline constexpr int8_t kRdi = 7;

// The value of general register `number` (0…15).
uint64_t RegisterValue(const GeneralRegisters& registers, int number);
// The same, to be written.
unsigned long long& RegisterReference(GeneralRegisters& registers, int number);

enum class SegmentBase : uint8_t { kNone, kFs, kGs };

// A memory operand whose address is a sum over the registers *before* the
// instruction executes; rip-relative ones are already absolute (no base).
struct MemoryOperand {
  SegmentBase segment = SegmentBase::kNone;
  int8_t base = kNoRegister;
  int8_t index = kNoRegister;
  uint8_t scale = 1;
  bool is_address_32_bit = false;            // prefix 67: the sum is cut to 32 bits
  int8_t bit_offset_register = kNoRegister;  // bts, btr, btc with a register reach beyond the operand
  int64_t displacement = 0;
  uint32_t length_bytes = 0;  // of one element for string instructions

  TraceeAddress Address(const GeneralRegisters& registers) const;
};

struct Instruction {
  TraceeAddress address;
  uint8_t length = 0;
  FlowKind flow = FlowKind::kNext;
  bool is_string = false;          // movs, stos, cmps, scas, lods, ins, outs
  bool is_rep_string = false;      // the same with a rep prefix: one single step is one round of it
  bool reads_own_address = false;  // rip-relative operand, call, or anything else that sees its own rip
  NondeterministicKind nondeterministic = kDeterministic;
  std::optional<TraceeAddress> target;  // of a direct call, jump or conditional jump

  // Memory that it may write: masked stores count whole. Kernel writes of a
  // system call are not included.
  std::array<MemoryOperand, 2> writes;
  uint8_t write_count = 0;
  MemoryOperand operand;          // kVectorSave, kX87Save: where it writes
  bool writes_elsewhere = false;  // writes more than `writes` says: scatter, xsave, enter with nesting, …

  TraceeAddress end() const { return address + length; }
  bool is_call() const { return flow == FlowKind::kCall; }
  bool is_return() const { return flow == FlowKind::kReturn; }
  bool is_syscall() const { return flow == FlowKind::kSyscall; }
  bool is_branch() const { return flow == FlowKind::kJump || flow == FlowKind::kConditionalJump; }
  std::span<const MemoryOperand> written() const { return {writes.data(), write_count}; }
};

// Decodes the instruction that begins with `bytes`, which lies at `address`.
// nullopt if it is not a valid instruction or `bytes` end within it. About 0.3 µs.
std::optional<Instruction> DecodeInstruction(std::span<const std::byte> bytes, TraceeAddress address);

// Only its length; 0 if it is no valid instruction. Twice as quick.
uint8_t InstructionLength(std::span<const std::byte> bytes);

// The memory that `instruction` may write when it executes with `registers`: a
// rep string is taken whole, over all its rounds. Says nothing about
// `writes_elsewhere`.
std::vector<AddressRange> WrittenRanges(const Instruction& instruction, const GeneralRegisters& registers);

// Where instructions begin in `code`, which lies at `start`, the start of a
// function: by decoding one after the other. Ends before the first thing that
// is no instruction, because nothing after it is certain.
std::vector<TraceeAddress> FindInstructionStarts(std::span<const std::byte> code, TraceeAddress start);

// The start of the instruction that ends exactly at `address`, which must be
// where an instruction begins. `code` lies at `code_start` and reaches at least
// to `address`; 256 bytes before it are enough. If `function_start` is known
// and within `code`, decodes from there; else by unanimity. nullopt: unknown.
std::optional<TraceeAddress> PreviousInstruction(std::span<const std::byte> code, TraceeAddress code_start,
                                                 TraceeAddress address,
                                                 std::optional<TraceeAddress> function_start = std::nullopt);

struct NondeterministicInstruction {
  TraceeAddress address;  // of its first byte, prefixes included
  uint8_t length = 0;
  NondeterministicKind kind = kDeterministic;
  bool operator==(const NondeterministicInstruction&) const = default;
};

// What a recording must answer itself wherever it is executed, and no setting of the kernel makes trap.
inline constexpr uint32_t kMadeToTrap = kRdrand | kRdseed | kRdpid | kVectorSave | kXgetbv | kX87Save;

// All instructions of the wanted kinds in executable bytes that lie at `base`
// (the start of a mapping or of a section, where an instruction begins), in
// the order of their addresses. Finds the byte patterns, then drops those that
// lie inside other instructions. About 1 ms per MiB.
std::vector<NondeterministicInstruction> FindNondeterministicInstructions(std::span<const std::byte> code,
                                                                          TraceeAddress base,
                                                                          uint32_t wanted = kMadeToTrap);

}  // namespace chronofork
