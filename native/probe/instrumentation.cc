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
static_assert(offsetof(SharedCounters, log_next) == 16);
static_assert(offsetof(SharedCounters, log_end) == 24);
static_assert(offsetof(LoggedHit, probe) == 0 && offsetof(LoggedHit, remaining) == 8);

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
  to.Emit({0x48, 0x39, 0xCC, 0x0F, 0x82});  // cmp rsp, rcx; jb
  to.EmitRelative32(outside);
  to.Emit({0x48, 0xB9});  // mov rcx, end
  to.Emit64(range.end.value);
  to.Emit({0x48, 0x39, 0xCC, 0x0F, 0x83});  // cmp rsp, rcx; jae
  to.EmitRelative32(outside);
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

// Counting that changes no flags on its way: nothing but what most probes are.
EmittedTransition EmitPlainTransition(const ProbeSpec& spec, uint32_t probe, TraceeAddress counters,
                                      const ScratchSlots& slots, CodeBuffer& to) {
  const bool keeps_flags = spec.rsp_range.has_value();
  const CodeBuffer::Label done = to.NewLabel();
  const CodeBuffer::Label limit = to.NewLabel();
  const EmittedTrap trap{to.NewLabel(), to.NewLabel()};
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
  EmittedTransition made;
  made.limit = trap;
  return made;
}

void EmitJump(CodeBuffer::Label target, CodeBuffer& to) {
  to.Emit({0xE9});
  to.EmitRelative32(target);
}

void EmitJumpIf(int condition, CodeBuffer::Label target, CodeBuffer& to) {  // as in jcc: 4 zero, 5 not zero, 7 above
  to.Emit({0x0F, 0x80 | condition});
  to.EmitRelative32(target);
}

// `opcode` with [slot] as its operand.
void EmitWithSlot(std::initializer_list<int> opcode, TraceeAddress slot, CodeBuffer& to) {
  to.Emit(opcode);
  to.EmitRelative32(slot);
}

// A probe that evaluates something.
class EvaluatingProbe {
 public:
  EvaluatingProbe(const ProbeSpec& spec, uint32_t probe, const TransitionContext& context, const ScratchSlots& slots,
                  CodeBuffer& to)
      : spec_(spec),
        probe_(probe),
        context_(context),
        slots_(slots),
        to_(to),
        begin_(to.NewLabel()),
        skip_(to.NewLabel()),
        at_limit_(to.NewLabel()),
        is_full_(to.NewLabel()),
        resume_(to.NewLabel()),
        evaluation_(to.NewLabel()),
        site_{spec.address, slots, context.patched, to.NewLabel()} {}

  EmittedTransition Emit() {
    to_.Bind(begin_);
    EmitSave(slots_, true, to_);
    EmitWithSlot({0x48, 0x89, 0x15}, slots_.rdx(), to_);  // mov [rdx slot], rdx
    if (spec_.rsp_range) EmitRspCheck(*spec_.rsp_range, skip_, to_);
    to_.Bind(evaluation_);
    Conditions();
    LoadCounters();
    if (spec_.group != 0) {
      to_.Emit({0x81, 0x78, 0x08});  // cmp dword [rax + last_group], group
      to_.Emit32(spec_.group);
      EmitJumpIf(4, skip_, to_);
    }
    if (!spec_.log.empty()) Log();
    Commit();
    to_.Bind(skip_);
    Restore();
    EmitJump(resume_, to_);
    EmittedTransition made;
    made.limit = Trap(at_limit_, resume_);
    EmitJump(resume_, to_);
    if (!spec_.log.empty()) {
      made.full = Trap(is_full_, begin_);
      EmitJump(begin_, to_);
    }
    made.ask = Trap(site_.no_value, resume_);
    to_.Bind(resume_);
    made.evaluation = evaluation_;
    made.no_value = site_.no_value;
    return made;
  }

 private:
  void LoadCounters() {
    to_.Emit({0x48, 0xB8});  // mov rax, counters
    to_.Emit64(context_.counters.value);
  }

  void Restore() {
    EmitWithSlot({0x48, 0x8B, 0x15}, slots_.rdx(), to_);  // mov rdx, [rdx slot]
    EmitRestore(slots_, true, to_);
  }

  EmittedTrap Trap(CodeBuffer::Label entry, CodeBuffer::Label resume) {
    const EmittedTrap trap{to_.NewLabel(), resume};
    to_.Bind(entry);
    Restore();
    to_.Bind(trap.int3);
    to_.Emit({0xCC});
    return trap;
  }

  void Conditions() {
    if (spec_.conditions.empty()) return;
    const CodeBuffer::Label holds = to_.NewLabel();
    for (const AgentCode& condition : spec_.conditions) {
      EmitExpression(condition, site_, to_);
      to_.Emit({0x48, 0x85, 0xC0});  // test rax, rax
      EmitJumpIf(5, holds, to_);
    }
    EmitJump(skip_, to_);
    to_.Bind(holds);
  }

  // Writes the values where the next entry will be; it is one when Commit() says so.
  void Log() {
    LoadCounters();
    to_.Emit({0x48, 0x8B, 0x48, 0x10});  // mov rcx, [rax + log_next]
    to_.Emit({0x48, 0x8D, 0x91});        // lea rdx, [rcx + entry]
    to_.Emit32(static_cast<uint32_t>(LogEntryBytes(spec_)));
    to_.Emit({0x48, 0x3B, 0x50, 0x18});  // cmp rdx, [rax + log_end]
    EmitJumpIf(7, is_full_, to_);
    uint32_t offset = sizeof(LoggedHit);
    for (const LogItem& item : spec_.log) {
      EmitExpression(item.code, site_, to_);
      if (item.length_bytes > 0) EmitPatchedCheck(item.length_bytes, site_, to_);
      to_.Emit({0x48, 0xB9});  // mov rcx, &log_next
      to_.Emit64(context_.counters.value + offsetof(SharedCounters, log_next));
      to_.Emit({0x48, 0x8B, 0x09});  // mov rcx, [rcx]
      to_.Emit({0x48, 0x8D, 0x89});  // lea rcx, [rcx + offset]
      to_.Emit32(offset);
      if (item.length_bytes == 0) {
        to_.Emit({0x48, 0x89, 0x01});  // mov [rcx], rax
      } else {
        Block(item.length_bytes);
      }
      offset += static_cast<uint32_t>(LoggedBytesOf(item));
    }
  }

  // Copies from rax to rcx: words, and the rest bytewise into a word that was 0.
  void Block(uint32_t length_bytes) {
    if (const uint32_t words = length_bytes / 8; words > 0) {
      const CodeBuffer::Label again = to_.NewLabel();
      to_.Emit({0xBA});  // mov edx, words
      to_.Emit32(words);
      EmitWithSlot({0x48, 0x89, 0x15}, slots_.counter(), to_);  // mov [counter], rdx
      to_.Bind(again);
      to_.Emit({0x48, 0x8B, 0x10, 0x48, 0x89, 0x11});              // mov rdx, [rax]; mov [rcx], rdx
      to_.Emit({0x48, 0x83, 0xC0, 0x08, 0x48, 0x83, 0xC1, 0x08});  // add rax, 8; add rcx, 8
      EmitWithSlot({0x48, 0xFF, 0x0D}, slots_.counter(), to_);     // dec qword [counter]
      to_.Emit({0x75});                                            // jnz again
      to_.EmitRelative8(again);
    }
    if (length_bytes % 8 == 0) return;
    to_.Emit({0x48, 0xC7, 0x01, 0, 0, 0, 0});  // mov qword [rcx], 0
    for (int i = 0; i < static_cast<int>(length_bytes % 8); ++i) {
      to_.Emit({0x8A, 0x50, i, 0x88, 0x51, i});  // mov dl, [rax + i]; mov [rcx + i], dl
    }
  }

  // From here on nothing fails.
  void Commit() {
    LoadCounters();
    if (spec_.group != 0) {
      to_.Emit({0xC7, 0x40, 0x08});  // mov [rax + last_group], group
      to_.Emit32(spec_.group);
    }
    to_.Emit({0xC7, 0x40, 0x0C});  // mov [rax + last_counted], probe
    to_.Emit32(probe_);
    to_.Emit({0x48, 0xFF, 0x08});  // dec qword [rax + remaining]; the flags stay until the jump
    if (!spec_.log.empty()) {
      to_.Emit({0x48, 0x8B, 0x10});        // mov rdx, [rax + remaining]
      to_.Emit({0x48, 0x8B, 0x48, 0x10});  // mov rcx, [rax + log_next]
      to_.Emit({0x48, 0xC7, 0x01});        // mov qword [rcx + probe], probe
      to_.Emit32(probe_);
      to_.Emit({0x48, 0x89, 0x51, 0x08});  // mov [rcx + remaining], rdx
      to_.Emit({0x48, 0x8D, 0x89});        // lea rcx, [rcx + entry]
      to_.Emit32(static_cast<uint32_t>(LogEntryBytes(spec_)));
      to_.Emit({0x48, 0x89, 0x48, 0x10});  // mov [rax + log_next], rcx
    }
    EmitJumpIf(4, at_limit_, to_);
  }

  const ProbeSpec& spec_;
  uint32_t probe_;
  const TransitionContext& context_;
  const ScratchSlots& slots_;
  CodeBuffer& to_;
  CodeBuffer::Label begin_, skip_, at_limit_, is_full_, resume_, evaluation_;
  ExpressionSite site_;
};

}  // namespace

uint64_t LogEntryBytes(const ProbeSpec& spec) {
  uint64_t bytes = sizeof(LoggedHit);
  for (const LogItem& item : spec.log) bytes += LoggedBytesOf(item);
  return bytes;
}

bool IsAsked(const ProbeSpec& spec) {
  // An entry must fit, and the area not be full all the time.
  if (!spec.log.empty() && LogEntryBytes(spec) > kLogAreaBytes / 8) return true;
  for (const AgentCode& condition : spec.conditions)
    if (!CanCompile(condition)) return true;
  for (const LogItem& item : spec.log)
    if (!CanCompile(item.code)) return true;
  return false;
}

EmittedTransition EmitTransition(const ProbeSpec& spec, uint32_t probe, const TransitionContext& context,
                                 const ScratchSlots& slots, CodeBuffer& to) {
  if (spec.conditions.empty() && spec.log.empty()) return EmitPlainTransition(spec, probe, context.counters, slots, to);
  if (!IsAsked(spec)) return EvaluatingProbe(spec, probe, context, slots, to).Emit();
  const EmittedTrap trap{to.NewLabel(), to.NewLabel()};
  to.Bind(trap.int3);
  to.Emit({0xCC});
  to.Bind(trap.resume);
  EmittedTransition made;
  made.ask = trap;
  return made;
}

uint64_t TransitionCodeBytes(const ProbeSpec& spec, const TransitionContext& context) {
  if (spec.conditions.empty() && spec.log.empty()) return 192;
  CodeBuffer measured{TraceeAddress(0)};
  EmitTransition(spec, 0, context, {TraceeAddress(0)}, measured);
  return measured.bytes().size();
}

void EmitTally(TraceeAddress tally, const ScratchSlots& slots, CodeBuffer& to) {
  to.Emit({0x48, 0x89, 0x05});  // mov [rax slot], rax
  to.EmitRelative32(slots.rax());
  to.Emit({0x48, 0x8B, 0x05});  // mov rax, [tally]
  to.EmitRelative32(tally);
  to.Emit({0x48, 0x8D, 0x40, 0x01});  // lea rax, [rax + 1]
  to.Emit({0x48, 0x89, 0x05});        // mov [tally], rax
  to.EmitRelative32(tally);
  to.Emit({0x48, 0x8B, 0x05});  // mov rax, [rax slot]
  to.EmitRelative32(slots.rax());
}

// Goes to `next` at once where the sum of the registers is another one: of a
// million executions nearly all do, and this changes no flags and waits for
// nothing that was stored. An equal sum proves nothing.
void EmitQuickMismatch(const GeneralRegisters& registers, const ScratchSlots& slots, TraceeAddress next,
                       CodeBuffer& to) {
  const CodeBuffer::Label look_closer = to.NewLabel();
  uint64_t sum = 0;
  for (int number = 0; number < 16; ++number)
    if (number != kRcx) sum += RegisterValue(registers, number);
  to.Emit({0x48, 0x89, 0x0D});  // mov [rcx slot], rcx
  to.EmitRelative32(slots.rcx());
  to.Emit({0x48, 0xB9});  // mov rcx, -sum
  to.Emit64(uint64_t{0} - sum);
  for (int number = 0; number < 16; ++number) {
    if (number == kRcx) continue;
    const bool is_rsp = number == kRsp;  // which cannot be an index
    to.Emit({number >= 8 ? 0x4A : 0x48, 0x8D, 0x0C, is_rsp ? 0x0C : (number & 7) << 3 | kRcx});  // lea rcx, [rcx + …]
  }
  to.Emit({0xE3});  // jrcxz
  to.EmitRelative8(look_closer);
  to.Emit({0x48, 0x8B, 0x0D});  // mov rcx, [rcx slot]
  to.EmitRelative32(slots.rcx());
  to.Emit({0xE9});
  to.EmitRelative32(next);
  to.Bind(look_closer);
  to.Emit({0x48, 0x8B, 0x0D});  // mov rcx, [rcx slot]
  to.EmitRelative32(slots.rcx());
}

EmittedMatch EmitMatch(const MatchCondition& condition, const ScratchSlots& slots, TraceeAddress next, CodeBuffer& to) {
  CHRONOFORK_ASSERT(condition.words.size() <= kMaxMatchWords);
  const CodeBuffer::Label mismatch = to.NewLabel();
  const EmittedTrap trap{to.NewLabel(), to.NewLabel()};
  EmitQuickMismatch(condition.registers, slots, next, to);
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
