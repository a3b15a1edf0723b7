// What runs inside the debuggee in place of a patched `syscall`: makes the call
// and writes the event into the ring, or, in a replay, compares it with the
// ring and answers it from there. Copied to kRuntimeCode; never called here.
//
//     site: jmp ─▶ trampoline: rcx = pc after the call, r11 = where to go on ─▶ entry
//           ─▶ HandleCall() on a stack of its own ─▶ done: the registers after the call ─▶ r11
//                                                 └▶ trap: those before it, and a `syscall` with a stop
//
// The program's stack, red zone, vector registers and flags are not touched;
// rcx and r11 belong to the call. The tracer may stop it anywhere and tells
// from the pc, the phase and ring_at whether the call was made (CallBuffer::Settle).
//
// Easy to get wrong: compiled with flags of its own (native/Makefile), for it
// must hold no constant, no call into a library and no address but its own.
#include "callbuffer/digest.h"
#include "callbuffer/runtime_layout.h"

#define RUNTIME [[gnu::section("chronofork_runtime"), gnu::used]]

// Offsets in RuntimeState, checked below. S: the state as seen from the code's start.
asm(R"(
    .pushsection chronofork_runtime, "ax", @progbits
    .balign 64
chronofork_runtime_begin:
    .set S, chronofork_runtime_begin + 0x7000
    .set F, S + 64
    .hidden chronofork_runtime_begin
    .globl chronofork_runtime_begin

    # 0: the program's call
    syscall
    mov %rax, S+16(%rip)
    movl $2, S+4(%rip)
    ret

    .balign 32
    # 32: a question of ours
    syscall
    ret

    .balign 64
    # 64: from a trampoline
    mov %rsp, F+56(%rip)
    movl $1, S+4(%rip)
    mov %r11, S+8(%rip)
    lea chronofork_runtime_begin+0xb000(%rip), %rsp
    pushfq
    pop %r11
    mov %rax, F+0(%rip)
    mov %rbx, F+8(%rip)
    mov %rcx, F+16(%rip)
    mov %rdx, F+24(%rip)
    mov %rsi, F+32(%rip)
    mov %rdi, F+40(%rip)
    mov %rbp, F+48(%rip)
    mov %r8, F+64(%rip)
    mov %r9, F+72(%rip)
    mov %r10, F+80(%rip)
    mov %r11, F+88(%rip)
    mov %r12, F+96(%rip)
    mov %r13, F+104(%rip)
    mov %r14, F+112(%rip)
    mov %r15, F+120(%rip)
    call chronofork_runtime_handle
    .hidden chronofork_runtime_entered
    .globl chronofork_runtime_entered
chronofork_runtime_entered:
    mov %eax, %r8d

    # The flags that a program sees change: of the others HandleCall() has changed none.
    mov F+88(%rip), %rcx
    mov %ecx, %eax
    shr $11, %eax
    and $1, %eax
    mov %cl, %ah
    dec %r8d
    jz 1f
    add $0x7f, %al
    sahf
    mov F+0(%rip), %rax
    mov F+24(%rip), %rdx
    mov F+32(%rip), %rsi
    mov F+40(%rip), %rdi
    mov F+64(%rip), %r8
    mov F+72(%rip), %r9
    mov F+80(%rip), %r10
    mov F+88(%rip), %r11
    mov F+16(%rip), %rcx
    mov F+56(%rip), %rsp
    jmp *S+8(%rip)
1:
    add $0x7f, %al
    sahf
    mov F+0(%rip), %rax
    mov F+24(%rip), %rdx
    mov F+32(%rip), %rsi
    mov F+40(%rip), %rdi
    mov F+64(%rip), %r8
    mov F+72(%rip), %r9
    mov F+80(%rip), %r10
    mov F+56(%rip), %rsp
    syscall
    jmp *S+8(%rip)
    .popsection
)");

namespace chronofork {
namespace {

static_assert(offsetof(RuntimeState, phase) == 4 && offsetof(RuntimeState, resume) == 8 &&
              offsetof(RuntimeState, result) == 16 && offsetof(RuntimeState, frame) == 64);
static_assert(kRuntimeState - kRuntimeCode == 0x7000 && kRuntimeStackTop - kRuntimeCode == 0xb000);
static_assert(kPhaseEntered == 1 && kPhaseExecuted == 2);

constexpr int kDone = 0, kTrap = 1;
// Alignment check, direction, trap: rare, and this code is made for none of them.
constexpr uint64_t kUnusualFlags = 0x40500;
// What a pipe that can be written takes without waiting (PIPE_BUF).
constexpr uint64_t kSmallWrite = 4096;

#define INLINE [[gnu::always_inline]] inline

INLINE RuntimeState& State() { return *reinterpret_cast<RuntimeState*>(kRuntimeState); }

INLINE void Copy(unsigned char* to, const unsigned char* from, uint64_t length) {
  if (length >= 128) {
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
    return;
  }
  for (; length >= 8; to += 8, from += 8, length -= 8) {
    uint64_t word;
    __builtin_memcpy(&word, from, 8);
    __builtin_memcpy(to, &word, 8);
  }
  for (; length > 0; --length) *to++ = *from++;
}

INLINE int64_t MakeCall(const CallFrame& f) {
  register uint64_t r10 asm("r10") = f.r10;
  register uint64_t r8 asm("r8") = f.r8;
  register uint64_t r9 asm("r9") = f.r9;
  int64_t result;
  asm volatile("call chronofork_runtime_begin"
               : "=a"(result)
               : "a"(f.rax), "D"(f.rdi), "S"(f.rsi), "d"(f.rdx), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory", "cc");
  return result;
}

// A call of ours, not the program's.
INLINE int64_t Ask(long number, uint64_t a, uint64_t b, uint64_t c) {
  int64_t result;
  asm volatile("call chronofork_runtime_begin+32"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c)
               : "rcx", "r11", "memory", "cc");
  return result;
}

constexpr long kFstatNumber = 5, kPollNumber = 7, kReadlinkNumber = 89;

INLINE bool WouldNotWait(uint64_t descriptor, int16_t events) {
  struct {
    int32_t descriptor;
    int16_t events, found;
  } question{static_cast<int32_t>(descriptor), events, 0};
  return Ask(kPollNumber, reinterpret_cast<uint64_t>(&question), 1, 0) > 0;
}

INLINE bool MeetsCondition(CallCondition condition, const CallFrame& f) {
  const uint32_t command = static_cast<uint32_t>(f.rsi);
  // F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL; F_SETLK, F_OFD_SETLK; F_DUPFD_CLOEXEC
  if (condition == kIfPlainFcntl) return command <= 4 || command == 6 || command == 37 || command == 1030;
  // FUTEX_WAKE, FUTEX_WAKE_BITSET
  if (condition == kIfWake) return (command & 0x7f) == 1 || (command & 0x7f) == 10;
  if (condition == kIfNoFourth) return f.r10 == 0;
  if (condition == kIfNoFifth) return f.r8 == 0;
  // Of larger sets the kernel leaves out what cannot be open; so little of them is always there. And it does not mind
  // a time in memory that cannot be written, where a replay would.
  if (condition == kIfSmallSets || condition == kIfSmallSetsNoSixth) {
    const bool small = static_cast<uint32_t>(f.rdi) - 1 < 64, time_on_stack = f.r8 == 0 || f.r8 - f.rsp < 0x1000;
    return small && time_on_stack && (condition == kIfSmallSets || f.r9 == 0);
  }
  return true;
}

INLINE bool Allowed(const CallRule& rule, const CallFrame& f) {
  if (!rule.allowed) return false;
  if (rule.condition != kAlways && !MeetsCondition(static_cast<CallCondition>(rule.condition), f)) return false;
  if (rule.waits == kWaitsNever || !State().may_not_wait) return true;
  constexpr int16_t kPollIn = 1, kPollOut = 4;
  if (rule.waits == kWaitsToRead) return WouldNotWait(f.rdi, kPollIn);
  return rule.waits == kWaitsToWrite && f.rdx <= kSmallWrite && WouldNotWait(f.rdi, kPollOut);
}

INLINE uint64_t ArgumentOf(const CallFrame& f, unsigned index) {
  switch (index) {
    case 0: return f.rdi;
    case 1: return f.rsi;
    case 2: return f.rdx;
    case 3: return f.r10;
    case 4: return f.r8;
    default: return f.r9;
  }
}

INLINE uint64_t LengthOf(const CallRule::Out& out, const CallFrame& f, int64_t result) {
  if (out.length == CallRule::kFixed) return out.bytes;
  uint64_t items = ArgumentOf(f, out.other);
  if (out.length == CallRule::kResult && items > static_cast<uint64_t>(result)) items = static_cast<uint64_t>(result);
  return items > kRingBytes ? kRingBytes + 1 : items * out.bytes;
}

INLINE uint64_t DigestAfter(const CallFrame& f, int64_t result) {
  uint64_t fs_base, gs_base;
  asm("rdfsbase %0" : "=r"(fs_base));
  asm("rdgsbase %0" : "=r"(gs_base));
  return DigestRegisters({static_cast<uint64_t>(result),
                          f.rbx,
                          f.rcx,
                          f.rdx,
                          f.rsi,
                          f.rdi,
                          f.rbp,
                          f.rsp,
                          f.r8,
                          f.r9,
                          f.r10,
                          f.r11,
                          f.r12,
                          f.r13,
                          f.r14,
                          f.r15,
                          f.rcx,
                          f.r11 & ~kFlagsOfDebuggers,
                          fs_base,
                          gs_base});
}

INLINE uint64_t Padded(uint64_t length) { return (length + 7) & ~uint64_t{7}; }

INLINE const CallRule& RuleOf(const CallFrame& f) { return reinterpret_cast<const CallRule*>(kRuntimeRules)[f.rax]; }

INLINE uint64_t DigestOutput(CallOutput output, const CallFrame& f, int64_t result) {
  if (output == kOutputNone || result <= 0) return 0;
  uint64_t left = static_cast<uint64_t>(result), digest = kBytesDigestSeed;
  const auto* bytes = reinterpret_cast<const unsigned char*>(f.rsi);
  if (output == kOutputBytes) return DigestLast(digest, bytes, left);
  const auto* pieces = reinterpret_cast<const uint64_t*>(f.rsi);
  for (uint64_t i = 0; i < f.rdx && left > 0; ++i) {
    const uint64_t length = pieces[2 * i + 1] < left ? pieces[2 * i + 1] : left;
    digest = DigestLast(digest, reinterpret_cast<const unsigned char*>(pieces[2 * i]), length);
    left -= length;
  }
  return digest;
}

// Of a path in the ring.
constexpr uint64_t kMostPath = 4096;

// What was just opened, for a branch. False: the tracer must look.
INLINE bool NoteOpened(CallRecord& record, unsigned char* at, int64_t descriptor) {
  struct {
    uint64_t device, inode, links;
    uint32_t mode, more[29];
  } status;
  static_assert(sizeof status == 144);
  if (Ask(kFstatNumber, static_cast<uint64_t>(descriptor), reinterpret_cast<uint64_t>(&status), 0) != 0) return false;
  // "/proc/thread-self/fd/" and the number, put together here: there are no constants.
  struct {
    uint64_t words[2];
    unsigned char rest[24];
  } link;
  link.words[0] = 0x68742f636f72702f;      // /proc/th
  link.words[1] = 0x6c65732d64616572;      // read-sel
  constexpr uint64_t kEnd = 0x2f64662f66;  // f/fd/
  __builtin_memcpy(link.rest, &kEnd, 8);
  unsigned char* to = link.rest + 5;
  uint32_t divisor = 1;
  const auto number = static_cast<uint32_t>(descriptor);
  while (number / divisor >= 10) divisor *= 10;
  for (; divisor > 0; divisor /= 10) *to++ = static_cast<unsigned char>('0' + number / divisor % 10);
  *to = 0;
  const int64_t length =
      Ask(kReadlinkNumber, reinterpret_cast<uint64_t>(&link), reinterpret_cast<uint64_t>(at), kMostPath);
  if (length <= 0 || length >= static_cast<int64_t>(kMostPath)) return false;
  // Its own memory may be among what is there.
  uint64_t start;
  __builtin_memcpy(&start, at, 8);
  if (length >= 6 && (start & 0xffffffffffff) == 0x2f636f72702f) return false;  // /proc/
  record.opened_mode = status.mode;
  record.opened_bytes = static_cast<uint32_t>(length);
  return true;
}

INLINE void StopHere() { asm volatile("int3" : : : "memory"); }

INLINE int RecordCall() {
  RuntimeState& s = State();
  CallFrame& f = s.frame;
  const CallRule& rule = RuleOf(f);
  if (s.calls_left == 0) return kTrap;
  uint64_t room = sizeof(CallRecord) + (rule.opens ? kMostPath : 0);
  for (unsigned i = 0; i < rule.out_count; ++i) {
    constexpr int64_t kMost = 0x7fffffffffffffff;
    const uint64_t most = LengthOf(rule.out[i], f, kMost);
    if (most > kRingBytes) return kTrap;
    room += 16 + Padded(most);
  }
  if (s.ring_at > kRingFull || s.ring_at + room > s.ring_limit) return kTrap;
  if (!Allowed(rule, f)) return kTrap;

  const int64_t result = MakeCall(f);
  // Interrupted, or a buffer that is not there: the tracer looks what that means.
  if (result == -4 || result == -14 || (result <= -512 && result >= -517)) StopHere();
  auto* record = reinterpret_cast<CallRecord*>(kRing + s.ring_at);
  record->number = static_cast<uint16_t>(f.rax);
  record->arguments[0] = f.rdi;
  record->arguments[1] = f.rsi;
  record->arguments[2] = f.rdx;
  record->arguments[3] = f.r10;
  record->arguments[4] = f.r8;
  record->arguments[5] = f.r9;
  record->result = result;
  record->pc = f.rcx;
  record->registers_digest = DigestAfter(f, result);
  record->output_digest = DigestOutput(static_cast<CallOutput>(rule.output), f, result);
  record->opened_mode = record->opened_bytes = 0;
  auto* at = reinterpret_cast<unsigned char*>(record + 1);
  uint16_t count = 0;
  const bool succeeded = result >= 0 || result < -4095;
  for (unsigned i = 0; i < rule.out_count; ++i) {
    const CallRule::Out& out = rule.out[i];
    if (!succeeded && (!out.always || out.length == CallRule::kResult)) continue;
    const uint64_t address = ArgumentOf(f, out.argument);
    const uint64_t length = LengthOf(out, f, result);
    if (address == 0 || length == 0) continue;
    reinterpret_cast<uint64_t*>(at)[0] = address;
    reinterpret_cast<uint64_t*>(at)[1] = length;
    Copy(at + 16, reinterpret_cast<const unsigned char*>(address), length);
    at += 16 + Padded(length);
    ++count;
  }
  if (rule.opens && result >= 0) {
    if (!NoteOpened(*record, at, result)) StopHere();
    at += Padded(record->opened_bytes);
  }
  record->write_count = count;
  record->size_bytes = static_cast<uint32_t>(at - reinterpret_cast<unsigned char*>(record));
  --s.calls_left;
  asm volatile("" : : : "memory");
  // From here on the event is written.
  *const_cast<volatile uint64_t*>(&s.ring_at) = s.ring_at + record->size_bytes;
  asm volatile("" : : : "memory");
  f.rax = static_cast<uint64_t>(result);
  return kDone;
}

INLINE int ReplayCall() {
  RuntimeState& s = State();
  CallFrame& f = s.frame;
  if (s.ring_at >= s.ring_limit) return kTrap;
  const auto* record = reinterpret_cast<const CallRecord*>(kRing + s.ring_at);
  if (record->number != f.rax || record->pc != f.rcx || record->arguments[0] != f.rdi ||
      record->arguments[1] != f.rsi || record->arguments[2] != f.rdx || record->arguments[3] != f.r10 ||
      record->arguments[4] != f.r8 || record->arguments[5] != f.r9)
    return kTrap;
  const CallRule& rule = RuleOf(f);
  const int64_t result = record->result;
  if (DigestAfter(f, result) != record->registers_digest) return kTrap;
  if (record->output_digest != 0 &&
      DigestOutput(static_cast<CallOutput>(rule.output), f, result) != record->output_digest)
    return kTrap;
  if (rule.again && MakeCall(f) != result) {
    s.phase = kPhaseEntered;
    StopHere();
  }
  s.result = result;
  asm volatile("" : : : "memory");
  *const_cast<volatile uint32_t*>(&s.phase) = kPhaseExecuted;
  asm volatile("" : : : "memory");
  const auto* at = reinterpret_cast<const unsigned char*>(record + 1);
  for (unsigned i = 0; i < record->write_count; ++i) {
    const uint64_t address = reinterpret_cast<const uint64_t*>(at)[0];
    const uint64_t length = reinterpret_cast<const uint64_t*>(at)[1];
    Copy(reinterpret_cast<unsigned char*>(address), at + 16, length);
    at += 16 + Padded(length);
  }
  asm volatile("" : : : "memory");
  *const_cast<volatile uint64_t*>(&s.ring_at) = s.ring_at + record->size_bytes;
  asm volatile("" : : : "memory");
  f.rax = static_cast<uint64_t>(result);
  return kDone;
}

}  // namespace

extern "C" RUNTIME __attribute__((visibility("hidden"))) int chronofork_runtime_handle() {
  RuntimeState& s = State();
  s.entry_at = s.ring_at;
  const bool usual = s.mode != kModeTrap && !s.trap_next && !(s.frame.r11 & kUnusualFlags) && s.frame.rax < kMostCalls;
  if (!usual) return kTrap;
  return s.mode == kModeRecord ? RecordCall() : ReplayCall();
}

}  // namespace chronofork
