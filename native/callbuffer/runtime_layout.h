// Where the code and data lie that record system calls inside the debuggee, and
// what both sides, that code (runtime.cc) and the tracer (call_buffer.cc), know of them.
//
//     kRuntimeCode   read, execute   runtime.cc, copied
//     kRuntimeRules  read            a CallRule for each call
//     kRuntimeState  read, write     RuntimeState; the runtime's own stack; the ring.
//                                    MADV_WIPEONFORK: in every copy and child all zero, mode kTrap
//
// Easy to get wrong: the runtime is made of this header too; nothing in here may need a library.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace chronofork {

inline constexpr uint64_t kRuntimeCode = 0x7e8000010000;  // the core page's neighbourhood, see core_page.h
inline constexpr uint64_t kRuntimeCodeBytes = 0x2000;
inline constexpr uint64_t kRuntimeRules = kRuntimeCode + kRuntimeCodeBytes;
inline constexpr uint64_t kRuntimeRulesBytes = 0x5000;
inline constexpr uint64_t kRuntimeState = kRuntimeRules + kRuntimeRulesBytes;
inline constexpr uint64_t kRuntimeStack = kRuntimeState + 0x1000;
inline constexpr uint64_t kRuntimeStackTop = kRuntimeStack + 0x3000;
inline constexpr uint64_t kRing = kRuntimeStackTop;
// What is written before the tracer looks; so much stays in the processor's caches.
inline constexpr uint64_t kRingFull = 0x40000;
// And room behind it for a call with a large buffer, of which mostly little is filled.
inline constexpr uint64_t kRingBytes = kRingFull + 0x48000;
inline constexpr uint64_t kRuntimeEnd = kRing + kRingBytes;

// Offsets in the code, which begins with these; the seccomp filter lets calls
// from the ends of the first two pass (call_filter.h).
inline constexpr uint64_t kCallEnd = 2;       // after the program's own call
inline constexpr uint64_t kCallStored = 19;   // its result is in RuntimeState
inline constexpr uint64_t kQuestionEnd = 34;  // after a call of ours: would this one wait?
inline constexpr uint64_t kEntryOffset = 64;  // where the trampolines lead
static_assert(kRuntimeCode == 0x7e8000010000, "call_filter.h knows it");

constexpr int kMostOuts = 4;
constexpr uint32_t kMostCalls = 512;

// What a call writes, and when it may be made without a stop. All zero: never.
struct CallRule {
  enum Length : uint8_t {
    kFixed,     // `bytes`
    kResult,    // the result times `bytes`, at most argument[`other`] times `bytes`
    kArgument,  // argument[`other`] times `bytes`
  };
  struct Out {
    uint8_t argument;  // the pointer
    uint8_t other;
    Length length;
    uint8_t always;  // also by a call that fails
    uint32_t bytes;
  };
  uint8_t allowed;
  uint8_t waits;      // CallWait
  uint8_t output;     // CallOutput
  uint8_t condition;  // CallCondition
  uint8_t opens;      // the result is a descriptor, of which its path is kept
  uint8_t again;      // made again in a replay
  uint8_t out_count;
  uint8_t unused;
  Out out[kMostOuts];
};
static_assert(sizeof(CallRule) == 40);
static_assert(sizeof(CallRule) * kMostCalls <= kRuntimeRulesBytes);

// What may make it wait; of several threads it is then made with a stop.
enum CallWait : uint8_t {
  kWaitsNever,
  kWaitsToRead,   // until its descriptor (argument 0) can be read …
  kWaitsToWrite,  // … or written
  kMayWait,       // until something that cannot be asked for
};

// What of it goes to the world, and is digested.
enum CallOutput : uint8_t {
  kOutputNone,
  kOutputBytes,   // `result` bytes at argument 1
  kOutputVector,  // `result` bytes of the argument[2] pieces at argument 1
};

// Its arguments must allow it.
enum CallCondition : uint8_t {
  kAlways,
  kIfPlainFcntl,        // a command that writes nothing and does not wait
  kIfWake,              // futex: wakes only
  kIfNoFourth,          // argument 3, a signal mask, is null
  kIfNoFifth,           // argument 4, a signal mask or where a name goes, is null
  kIfSmallSets,         // select: of at most 64 descriptors; the time, if any, is on the stack
  kIfSmallSetsNoSixth,  // and argument 5, a signal mask, is null
};

enum RuntimeMode : uint32_t {
  kModeTrap,    // every call is made with a stop, as without patches
  kModeRecord,  // made here, and written to the ring
  kModeReplay,  // not made: compared with the ring, and answered from it
};

enum RuntimePhase : uint32_t {
  kPhaseNone,
  kPhaseEntered,   // the call has not been made
  kPhaseExecuted,  // it has (in a replay: it agrees, and what it wrote is being copied)
};

// An event in the ring, followed by `write_count` times {address, length, bytes padded to 8}
// and the path of what was opened.
struct CallRecord {
  uint32_t size_bytes;  // all of it
  uint16_t number;
  uint16_t write_count;
  uint64_t arguments[6];
  int64_t result;
  uint64_t pc;  // after the call
  uint64_t registers_digest;
  uint64_t output_digest;
  // Behind the writes: what was opened. The mode of the file, then its path.
  uint32_t opened_mode;
  uint32_t opened_bytes;  // of the path; 0: nothing, or nothing is known
};
static_assert(sizeof(CallRecord) == 96);

// The program's registers at its call, in the order in which the digest has them.
struct CallFrame {
  uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15;
};

struct RuntimeState {
  uint32_t mode;
  uint32_t phase;
  uint64_t resume;        // where the trampoline goes on
  int64_t result;         // of the call just made
  uint64_t ring_at;       // kModeRecord: the end of what is written; kModeReplay: what comes next. An offset
  uint64_t ring_limit;    // kModeRecord: where there is no more room; kModeReplay: the end of what is there
  uint64_t entry_at;      // ring_at when the runtime was entered: another now means that the event is written
  uint32_t trap_next;     // wanted from outside: the next call shall stop
  uint32_t may_not_wait;  // other threads could go on meanwhile
  uint64_t calls_left;    // so many may still be recorded before one must stop
  CallFrame frame;        // rcx is the pc after the call, r11 the flags
};
static_assert(offsetof(RuntimeState, frame) == 64);

}  // namespace chronofork
