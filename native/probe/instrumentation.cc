// The machine code that counts, compares and traps, without a stack.
#include "probe/instrumentation.h"

#include <cstddef>

#include "base/assert.h"
#include "probe/instruction.h"

namespace chronofork {
namespace {

static_assert(offsetof(SharedCounters, remaining) == 0);
static_assert(offsetof(SharedCounters, last_group) == 8);
static_assert(offsetof(SharedCounters, last_counted) == 12);

constexpr uint64_t kOverflowFlag = 0x800;
constexpr uint64_t kDirectionFlag = 0x400;
constexpr uint64_t kLahfFlags = 0xD5;  // SF ZF AF PF CF, as they lie in ah
constexpr int kAlwaysOneInAh = 0x02;

void EmitSave(const ScratchSlots& slots, bool keeps_flags, CodeBuffer& to) {
  to.Emit({0x48, 0x89, 0x05});  // mov [rax slot], rax
  to.EmitRelative32(slots.rax());
  to.Emit({0x48, 0x89, 0x0D});  // mov [rcx slot], rcx
  to.EmitRelative32(slots.rcx());
  if (!keeps_flags) return;
  to.Emit({0x9F, 0x0F, 0x90, 0xC0});  // lahf; seto al
  to.Emit({0x48, 0x89, 0x05});        // mov [flags slot], rax
  to.EmitRelative32(slots.flags());
}

void EmitRestore(const ScratchSlots& slots, bool keeps_flags, CodeBuffer& to) {
  to.Emit({0x48, 0x8B, 0x0D});  // mov rcx, [rcx slot]
  to.EmitRelative32(slots.rcx());
  if (keeps_flags) {
    to.Emit({0x48, 0x8B, 0x05});  // mov rax, [flags slot]
    to.EmitRelative32(slots.flags());
    to.Emit({0x04, 0x7F, 0x9E});  // add al, 0x7f; sahf
  }
  to.Emit({0x48, 0x8B, 0x05});  // mov rax, [rax slot]
  to.EmitRelative32(slots.rax());
}

// Jumps to `outside` unless rsp is in the range. Clobbers rcx and flags.
void EmitRspCheck(const AddressRange& range, CodeBuffer::Label outside, CodeBuffer& to) {
  to.Emit({0x48, 0xB9});  // mov rcx, start
  to.Emit64(range.start.value);
  to.Emit({0x48, 0x39, 0xCC, 0x72});  // cmp rsp, rcx; jb
  to.EmitRelative8(outside);
  to.Emit({0x48, 0xB9});  // mov rcx, end
  to.Emit64(range.end.value);
  to.Emit({0x48, 0x39, 0xCC, 0x73});  // cmp rsp, rcx; jae
  to.EmitRelative8(outside);
}

void EmitJumpIfNotEqual(CodeBuffer::Label target, CodeBuffer& to) {
  to.Emit({0x0F, 0x85});
  to.EmitRelative32(target);
}

// cmp `number`, [literal]; registers other than rax, which holds flags by now.
void EmitCompareRegister(int number, uint64_t value, CodeBuffer::Label mismatch, CodeBuffer& to) {
  to.Emit({number >= 8 ? 0x4C : 0x48, 0x3B, 0x05 | ((number & 7) << 3)});
  to.EmitRelative32(to.Literal(value));
  EmitJumpIfNotEqual(mismatch, to);
}

void EmitCompareWord(const MemoryWord& word, CodeBuffer::Label mismatch, CodeBuffer& to) {
  to.Emit({0x48, 0xB9});  // mov rcx, address
  to.Emit64(word.address.value);
  to.Emit({0x48, 0x8B, 0x09});  // mov rcx, [rcx]: may fault, see ProbeSet::HandleFault
  EmitCompareRegister(kRcx, word.value, mismatch, to);
}

// The direction flag shows in what a string instruction does to rdi.
void EmitCompareDirection(bool is_down, const ScratchSlots& slots, CodeBuffer::Label mismatch, CodeBuffer& to) {
  to.Emit({0x48, 0x89, 0x3D});  // mov [rdi slot], rdi
  to.EmitRelative32(slots.rdi());
  to.Emit({0x48, 0x8D, 0x3D});  // lea rdi, [slots]
  to.EmitRelative32(slots.base);
  to.Emit({0xAE});              // scasb
  to.Emit({0x48, 0x8D, 0x0D});  // lea rcx, [slots]
  to.EmitRelative32(slots.base);
  to.Emit({0x48, 0x29, 0xF9});  // sub rcx, rdi: -1 up, 1 down
  to.Emit({0x48, 0x8B, 0x3D});  // mov rdi, [rdi slot]
  to.EmitRelative32(slots.rdi());
  to.Emit({0x48, 0x83, 0xF9, is_down ? 0x01 : 0xFF});  // cmp rcx, ±1
  EmitJumpIfNotEqual(mismatch, to);
}

}  // namespace

bool IsAsked(const ProbeSpec& spec) { return !spec.conditions.empty() || !spec.log.empty(); }

EmittedTrap EmitTransition(const ProbeSpec& spec, uint32_t probe, TraceeAddress counters, const ScratchSlots& slots,
                           CodeBuffer& to) {
  const bool keeps_flags = spec.rsp_range.has_value();
  const CodeBuffer::Label done = to.NewLabel();
  const CodeBuffer::Label limit = to.NewLabel();
  const EmittedTrap trap{to.NewLabel(), to.NewLabel()};
  if (IsAsked(spec)) {
    to.Bind(trap.int3);
    to.Emit({0xCC});
    to.Bind(trap.resume);
    return trap;
  }

  EmitSave(slots, keeps_flags, to);
  if (spec.rsp_range) EmitRspCheck(*spec.rsp_range, done, to);
  to.Emit({0x48, 0xB8});  // mov rax, counters
  to.Emit64(counters.value);
  if (spec.group != 0) {
    to.Emit({0x8B, 0x48, 0x08});  // mov ecx, [rax + last_group]
    to.Emit({0x8D, 0x89});        // lea ecx, [rcx - group]
    to.Emit32(0u - spec.group);
    to.Emit({0xE3});  // jrcxz done
    to.EmitRelative8(done);
    to.Emit({0xC7, 0x40, 0x08});  // mov [rax + last_group], group
    to.Emit32(spec.group);
  }
  to.Emit({0xC7, 0x40, 0x0C});  // mov [rax + last_counted], probe
  to.Emit32(probe);
  to.Emit({0x48, 0x8B, 0x08});        // mov rcx, [rax + remaining]
  to.Emit({0x48, 0x8D, 0x49, 0xFF});  // lea rcx, [rcx - 1]
  to.Emit({0x48, 0x89, 0x08});        // mov [rax + remaining], rcx
  to.Emit({0xE3});                    // jrcxz limit
  to.EmitRelative8(limit);
  to.Bind(done);
  EmitRestore(slots, keeps_flags, to);
  to.Emit({0xEB});  // jmp resume
  to.EmitRelative8(trap.resume);
  to.Bind(limit);
  EmitRestore(slots, keeps_flags, to);
  to.Bind(trap.int3);
  to.Emit({0xCC});
  to.Bind(trap.resume);
  return trap;
}

EmittedMatch EmitMatch(const MatchCondition& condition, const ScratchSlots& slots, TraceeAddress next, CodeBuffer& to) {
  CHRONOFORK_ASSERT(condition.words.size() <= kMaxMatchWords);
  const CodeBuffer::Label mismatch = to.NewLabel();
  const EmittedTrap trap{to.NewLabel(), to.NewLabel()};
  EmitSave(slots, true, to);
  // Registers that change most often come first; memory, which can be slow and can fault, last.
  for (int number : {1, 2, 6, 7, 8, 9, 10, 11, 3, 12, 13, 14, 15, 5, 4}) {
    EmitCompareRegister(number, RegisterValue(condition.registers, number), mismatch, to);
  }
  to.Emit({0x48, 0x8B, 0x0D});  // mov rcx, [rax slot]
  to.EmitRelative32(slots.rax());
  EmitCompareRegister(kRcx, condition.registers.rax, mismatch, to);

  const uint64_t flags = condition.registers.eflags;
  const int low = static_cast<int>(flags & kLahfFlags) | kAlwaysOneInAh;
  const int overflow = (flags & kOverflowFlag) ? 1 : 0;
  to.Emit({0x0F, 0xB7, 0x0D});  // movzx ecx, word [flags slot]: al, ah
  to.EmitRelative32(slots.flags());
  to.Emit({0x81, 0xF9});  // cmp ecx, flags
  to.Emit32(static_cast<uint32_t>(low << 8 | overflow));
  EmitJumpIfNotEqual(mismatch, to);
  for (const MemoryWord& word : condition.words) EmitCompareWord(word, mismatch, to);
  EmitCompareDirection((flags & kDirectionFlag) != 0, slots, mismatch, to);

  EmitRestore(slots, true, to);
  to.Bind(trap.int3);
  to.Emit({0xCC});
  to.Bind(trap.resume);
  to.Emit({0xE9});
  to.EmitRelative32(next);
  to.Bind(mismatch);
  EmitRestore(slots, true, to);
  to.Emit({0xE9});
  to.EmitRelative32(next);
  to.FlushLiterals();
  return {trap, mismatch};
}

bool CountTransition(const ProbeSpec& spec, uint32_t probe, uint64_t rsp, SharedCounters& counters) {
  if (spec.rsp_range && !spec.rsp_range->Contains(TraceeAddress(rsp))) return false;
  if (spec.group != 0) {
    if (spec.group == counters.last_group) return false;
    counters.last_group = spec.group;
  }
  counters.last_counted = probe;
  return --counters.remaining == 0;
}

bool RegistersAgree(const GeneralRegisters& expected, const GeneralRegisters& actual) {
  for (int number = 0; number < 16; ++number) {
    if (RegisterValue(expected, number) != RegisterValue(actual, number)) return false;
  }
  return ((expected.eflags ^ actual.eflags) & kComparedFlags) == 0;
}

}  // namespace chronofork
