// The machine code of probes: count a transition, compare a known stop.
//
// Uses no stack. rax, rcx and the status flags are kept in scratch slots while
// it runs and put back before the moved instruction, or the trap, executes.
//
// Easy to get wrong: most of it must not change flags at all. lea computes and
// jrcxz decides without them; only the rsp range and the match need flags,
// which are saved by lahf and seto (add al, 0x7f brings OF back).
#pragma once

#include <cstdint>
#include <vector>

#include "base/tracee_address.h"
#include "probe/code_buffer.h"
#include "probe/probe_set.h"

namespace chronofork {

// Counting state, shared by all probes of a set; lies anywhere in the process.
// transitions = limit − remaining, modulo 2^64.
struct SharedCounters {
  uint64_t remaining = 0;
  uint32_t last_group = 0;
  uint32_t last_counted = kNoneCounted;
  static constexpr uint32_t kNoneCounted = UINT32_MAX;
};

// Where registers are kept; within reach of the code that uses them.
struct ScratchSlots {
  TraceeAddress base;
  TraceeAddress rax() const { return base; }
  TraceeAddress rcx() const { return base + 8; }
  TraceeAddress flags() const { return base + 16; }
  TraceeAddress rdi() const { return base + 24; }
  static constexpr uint64_t kLengthBytes = 32;
};

// The trap in a probe's code: the int3 itself, and where execution goes on as
// if there had been none.
struct EmittedTrap {
  CodeBuffer::Label int3;
  CodeBuffer::Label resume;
};

// At most this many bytes, literals included.
inline constexpr uint64_t kMaxTransitionCodeBytes = 192;
inline constexpr uint64_t kMaxMatchCodeBytes = 4096;

// Whether a probe's conditions and log are evaluated by the tracer: its code is nothing but a trap.
bool IsAsked(const ProbeSpec& spec);

// Counts an execution, or, if it IsAsked(), traps so that the tracer does it;
// falls through to what is emitted next.
EmittedTrap EmitTransition(const ProbeSpec& spec, uint32_t probe, TraceeAddress counters, const ScratchSlots& slots,
                           CodeBuffer& to);

struct EmittedMatch {
  EmittedTrap trap;
  CodeBuffer::Label mismatch;  // may be entered at any time with any rax, rcx, flags
};

// Compares, traps if all agrees, and jumps to `next`. Flushes its literals.
EmittedMatch EmitMatch(const MatchCondition& condition, const ScratchSlots& slots, TraceeAddress next, CodeBuffer& to);

// The same semantics in C++, for int3 probes. Reads and writes nothing else.
inline constexpr uint64_t kComparedFlags = 0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x400 | 0x800;  // CF PF AF ZF SF DF OF
bool CountTransition(const ProbeSpec& spec, uint32_t probe, uint64_t rsp, SharedCounters& counters);
bool RegistersAgree(const GeneralRegisters& expected, const GeneralRegisters& actual);

}  // namespace chronofork
