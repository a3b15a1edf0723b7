// The machine code of probes: count a transition, compare a known stop,
// evaluate conditions, note values.
//
// Uses no stack. rax, rcx (and rdx) and the status flags are kept in scratch slots
// while it runs and put back before the moved instruction, or a trap, executes.
//
// Easy to get wrong: most of it must not change flags at all. lea computes and
// jrcxz decides without them; only the rsp range, the match and what is evaluated
// need flags, which are saved by lahf and seto (add al, 0x7f brings OF back).
// What may fail comes before anything is counted, so that the tracer can do
// the whole probe instead.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/tracee_address.h"
#include "probe/code_buffer.h"
#include "probe/expression_compiler.h"
#include "probe/probe_set.h"

namespace chronofork {

// Counting state, shared by all probes of a set; lies anywhere in the process.
// transitions = limit − remaining, modulo 2^64.
struct SharedCounters {
  uint64_t remaining = 0;
  uint32_t last_group = 0;
  uint32_t last_counted = kNoneCounted;
  // Where the next entry of the log goes, and where its room ends.
  uint64_t log_next = 0;
  uint64_t log_end = 0;
  static constexpr uint32_t kNoneCounted = UINT32_MAX;
};

// An entry of the log in the process: this, and then the values.
struct LoggedHit {
  uint64_t probe = 0;
  uint64_t remaining = 0;  // with this hit counted
};
inline constexpr uint64_t kLogAreaBytes = uint64_t{1} << 20;
uint64_t LogEntryBytes(const ProbeSpec& spec);

// The trap in a probe's code: the int3 itself, and where execution goes on as
// if there had been none.
struct EmittedTrap {
  CodeBuffer::Label int3;
  CodeBuffer::Label resume;
};

inline constexpr uint64_t kMaxMatchCodeBytes = 4096;

// The traps of a transition probe; those that it does not have are not bound.
struct EmittedTransition {
  std::optional<EmittedTrap> limit;  // it has counted up to the limit
  std::optional<EmittedTrap> ask;    // nothing is done yet: the tracer is to do it
  std::optional<EmittedTrap> full;   // no room in the log: to be emptied, then once more from the probe's beginning
  // A fault between these goes on at `no_value`, which may be entered with any rax, rcx, rdx, flags.
  std::optional<CodeBuffer::Label> evaluation, no_value;
};

// What is the same for all probes of a set.
struct TransitionContext {
  TraceeAddress counters;
  std::span<const AddressRange> patched;  // where bytes of ours may lie
};

// Counts an execution, or, if it IsAsked(), traps so that the tracer does it;
// falls through to what is emitted next.
EmittedTransition EmitTransition(const ProbeSpec& spec, uint32_t probe, const TransitionContext& context,
                                 const ScratchSlots& slots, CodeBuffer& to);

// How many bytes that takes, literals included.
uint64_t TransitionCodeBytes(const ProbeSpec& spec, const TransitionContext& context);

// Adds one to the number at `tally`; falls through. Changes no flags and uses rax alone.
void EmitTally(TraceeAddress tally, const ScratchSlots& slots, CodeBuffer& to);

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
