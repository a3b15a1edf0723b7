// Finds a moment at nearly native speed: code of our own inside a replay
// process counts how often places are reached, or compares registers and
// memory there, and traps only when the wanted hit has come.
//
//     place:  jmp ─────▶ [count; trap if it is the one] [moved instructions] ─▶ back behind the place
//
// Made true here:
// - An execution of a place counts exactly once, however the place is reached,
//   also by a jump into the middle of the patched bytes: at each instruction
//   boundary inside them lies an int3, because the trampoline's address is
//   chosen so that the jump's displacement has the byte CC there.
// - Nothing of the debuggee is written but the patched code: no stack, no red
//   zone; registers and flags are kept on pages of our own. x87 and vector
//   state are not touched.
// - Where no jump is possible, a plain int3 does the same with the help of the
//   owner (HandleTrap), only slower.
//
// Not here: ptrace, breakpoints of gdb, more than one thread (one runs at a
// time, and never while another is inside a trampoline).
//
// Easy to get wrong: a pc inside a trampoline must not be shown or compared
// before Translate(), and an asynchronous stop there must be stepped out of
// first (StepOutNeeded). The same probes must not be installed over
// breakpoints: take those out before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/tracee_address.h"
#include "probe/agent_expression.h"
#include "probe/probe_host.h"
#include "tracee/registers.h"

namespace chronofork {

struct MemoryWord {
  TraceeAddress address;  // need not be aligned
  uint64_t value = 0;
};

// Holds when the 16 general registers, the flags CF PF AF ZF SF DF OF, and all
// words agree. A word that cannot be read does not agree. rip is not compared.
struct MatchCondition {
  GeneralRegisters registers{};
  std::vector<MemoryWord> words;  // at most kMaxMatchWords
};
inline constexpr size_t kMaxMatchWords = 48;

// A value that is noted at each counted hit.
struct LogItem {
  AgentCode code;             // the value; with `length_bytes`, the address of a block of memory
  uint32_t length_bytes = 0;  // of the block, at most kMaxLoggedBlock; 0: the value itself is noted
};
inline constexpr uint32_t kMaxLoggedBlock = 4096;
inline constexpr size_t kMaxLogItems = 64;
// What an item takes of an entry's values: a block is filled up to whole words.
inline constexpr size_t LoggedBytesOf(const LogItem& item) {
  return item.length_bytes == 0 ? 8 : (size_t{item.length_bytes} + 7) / 8 * 8;
}

// What a probe has noted at one hit.
struct ProbeLogEntry {
  size_t probe = 0;
  uint64_t count = 0;                 // transitions, this hit included
  uint64_t failed = 0;                // bit i: item i cannot be evaluated at this hit; its bytes are 0
  std::span<const std::byte> values;  // LoggedBytesOf() each item, in their order
};

// Something to do each time *before* the instruction at `address` executes.
//
// With `tally` it counts each execution in a number of its own, never stops,
// and does nothing else: the cheapest of all.
//
// The file that the code at an address is of. At another time another library
// may lie there. All 0: nobody asks.
struct CodeHome {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t start = 0;  // the address where its first byte lies, or would lie
  bool operator==(const CodeHome&) const = default;
};

// Without `match` it is a transition probe. If rsp is outside `rsp_range`:
// nothing. If there are conditions, and all can be evaluated and are 0:
// nothing. If group == last_group: nothing. Else last_group = group,
// ++transitions, `log` is noted, and if transitions == limit: stop there.
// Group 0 counts every execution, and leaves last_group alone.
//
// With `match` it stops when the condition holds, and counts nothing. Match
// probes are tested before transition probes at the same address; otherwise
// probes at one address act in the order in which they were given.
struct ProbeSpec {
  TraceeAddress address;
  uint32_t group = 0;
  std::optional<AddressRange> rsp_range = {};  // [start, end)
  std::optional<MatchCondition> match = {};
  std::vector<AgentCode> conditions = {};
  std::vector<LogItem> log = {};
  bool tally = false;
  CodeHome home = {};  // it is only put where that is mapped
};

// Whether its conditions and log items are evaluated by the tracer, because they
// cannot be compiled: a trap for each execution. Else they cost some nanoseconds.
bool IsAsked(const ProbeSpec& spec);

enum class ProbeKind {
  kJump,    // nanoseconds for each execution
  kInt3,    // a trap for each execution; the moved instruction follows without a step
  kInPlace  // a trap and a single step for each: the instruction cannot be moved
};

enum class TrapAction {
  kNotOurs,   // registers unchanged
  kStop,      // `probe` wants to stop; registers.rip is the original address
  kResume,    // nothing to stop for: go on with registers.rip
  kStepOver,  // nothing to stop for: LiftInt3(registers.rip), step while StepAgain(), LowerInt3()
};

struct TrapOutcome {
  TrapAction action = TrapAction::kNotOurs;
  size_t probe = 0;       // kStop: index of the ProbeSpec
  bool is_match = false;  // kStop: a match holds; else the limit is reached
  TraceeAddress address;  // the original pc: of the place, or the interior boundary
  TraceeAddress resume;   // kStop at a jump probe: where GoOn continues; 0: evaluate on
  size_t next = 0;        // kStop at an int3 probe: what GoOn looks at next
};

enum class FaultAction {
  kNotOurs,   // the fault is outside of our pages
  kDebuggee,  // a moved instruction faulted: registers are now as at the original one
  kResume,    // a probe's own code read unmapped memory: go on with registers.rip, signal dropped
};

// Probes installed in one process. Not copyable; dropping it without
// Uninstall() leaves the process patched (right when the process is thrown away).
class ProbeSet {
 public:
  // Puts in all probes, or none (the process is then unchanged). Counting
  // begins with transitions 0, last_group 0, no limit. About 10 µs a probe and
  // a few Map() calls.
  static Result<std::unique_ptr<ProbeSet>> Install(ProbeHost& host, std::span<const ProbeSpec> specs);
  // What a probe would be if it were installed alone. Changes nothing.
  static Result<ProbeKind> KindAlone(ProbeHost& host, const ProbeSpec& spec);
  ~ProbeSet();
  ProbeSet(const ProbeSet&) = delete;
  ProbeSet& operator=(const ProbeSet&) = delete;

  // Restores every byte and unmaps our pages. pc must not be inside a
  // trampoline: Translate() it first.
  Result<void> Uninstall(ProbeHost& host);

  // -- Counting: one shared state for all probes, in the process ---------------
  // The stop comes when `transitions` becomes equal to `limit`; 0: never.
  Result<void> SetLimit(ProbeHost& host, uint64_t limit);
  Result<void> SetLastGroup(ProbeHost& host, uint32_t group);
  Result<void> SetTransitions(ProbeHost& host, uint64_t transitions);
  Result<uint64_t> Transitions(ProbeHost& host);
  Result<uint32_t> LastGroup(ProbeHost& host);
  // The probe that counted last; nullopt if none has.
  Result<std::optional<size_t>> LastCounted(ProbeHost& host);
  // What was noted since the last time, in the order of the hits; valid until
  // the next call. To be asked for when LogWaits(), and before Uninstall().
  Result<std::vector<ProbeLogEntry>> TakeLog(ProbeHost& host);
  bool LogWaits() const;
  // The executions that each tally probe has counted, by probe; 0 for others.
  Result<std::vector<uint64_t>> Tallies(ProbeHost& host);
  // Replaces the condition of match probe `probe`. One Write().
  Result<void> SetMatch(ProbeHost& host, size_t probe, const MatchCondition& condition);

  // -- Stops ---------------------------------------------------------------------
  // To be called for every SIGTRAP caused by an int3 (not after a single
  // step), with the registers of the stop (rip behind the int3). Says what it
  // was, evaluates int3 probes, and sets registers.rip; the caller writes the
  // registers back.
  Result<TrapOutcome> HandleTrap(ProbeHost& host, GeneralRegisters& registers);
  // Goes on from a kStop, as if it had not been asked for: the place's further
  // probes are evaluated, the stopped one does not count again.
  Result<TrapOutcome> GoOn(ProbeHost& host, const TrapOutcome& stop, GeneralRegisters& registers);
  // To be called when SIGSEGV, SIGBUS, SIGFPE or SIGILL stops the process. The
  // siginfo's si_addr may still be an address in our pages: Translate() it. Not
  // for signals that somebody sent (si_code <= 0): those are interruptions.
  Result<FaultAction> HandleFault(ProbeHost& host, GeneralRegisters& registers);

  // Where to set pc to execute the instruction at `address` (a place of a
  // probe) without its probes: nullopt means `address` itself, after LiftInt3.
  // An address that has no probe but lies inside patched bytes is answered too.
  std::optional<TraceeAddress> ResumeAddress(TraceeAddress address) const;
  // For kInPlace, to execute the instruction at home: take the int3 out, step
  // once, and again while StepAgain (a rep string takes a step for each round,
  // and is one execution), put the int3 back.
  Result<void> LiftInt3(ProbeHost& host, TraceeAddress address);
  bool StepAgain(TraceeAddress address, TraceeAddress pc_after_step) const;
  Result<void> LowerInt3(ProbeHost& host, TraceeAddress address);

  // If `pc` is an instruction boundary inside patched bytes (not their start),
  // where to go on instead; probes there still count. Else `pc` itself.
  TraceeAddress Redirect(TraceeAddress pc) const;
  // A pc in our pages as the original instruction's address; `pc` itself
  // elsewhere. Exact where StepOutNeeded(pc) is false.
  TraceeAddress Translate(TraceeAddress pc) const;
  // True while registers do not hold the debuggee's values: single-step first.
  // Such a step may execute the int3 of a probe that wants to stop: that
  // SIGTRAP (si_code SI_KERNEL, not TRAP_TRACE) belongs to HandleTrap, or the
  // stop is lost.
  bool StepOutNeeded(TraceeAddress pc) const;
  // True if the instruction at `pc` in our pages comes after the probes of its
  // place were evaluated: going on from the translated pc would count twice.
  bool IsAfterProbes(TraceeAddress pc) const;

  // Puts original bytes over our patches in `bytes`, read from `address`.
  void Conceal(TraceeAddress address, std::span<std::byte> bytes) const;
  // The pages that are ours: not the debuggee's memory.
  std::vector<AddressRange> OwnRanges() const;

  ProbeKind KindOf(size_t probe) const;
  // Why `probe` is not a jump, in a few words; empty for kJump.
  const char* ReasonOf(size_t probe) const;

 private:
  struct Parts;
  explicit ProbeSet(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace chronofork
