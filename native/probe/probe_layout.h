// Lays out everything that a set of probes puts into a process: which pages to
// map, what to write there, which bytes to patch, and the tables by which a
// stop in all this is understood. Computes only; ProbeSet carries it out.
//
//     region near some sites   [counters, scratch slots][tallies][match code …][site code …]
//     chunks of stubs          jmp to the site code, where a constrained jump leads
//     log                      [entry][entry] …
#pragma once

#include <map>
#include <span>
#include <vector>

#include "base/tracee_address.h"
#include "probe/address_room.h"
#include "probe/instrumentation.h"
#include "probe/probe_set.h"
#include "probe/site_plan.h"

namespace chronofork {

struct Patch {
  TraceeAddress address;
  std::vector<std::byte> original;
  std::vector<std::byte> patched;
};

// What is true from an address in our pages up to the next one in the table.
enum class PointState {
  kBefore,  // all as before `original`, whose probes have not been evaluated
  kInside,  // registers are ours
  kAfter,   // all as before `original`, whose probes have been evaluated
  kPlain,   // all as before `original`, which has no probes or is about to be jumped to
};

struct CodePoint {
  TraceeAddress original;
  PointState state = PointState::kPlain;
};

enum class TrapKind {
  kLimit,  // it has counted up to the limit
  kMatch,  // its match holds
  kAsk,    // nothing is done yet: the tracer is to count
  kFull,   // no room in the log: the tracer is to empty it
};

struct TrapPoint {
  size_t probe = 0;
  TrapKind kind = TrapKind::kLimit;
  TraceeAddress address;  // the original place
  TraceeAddress resume;
};

// A whole instruction under a patch.
struct Place {
  ProbeKind kind = ProbeKind::kJump;
  const char* reason = "";
  TraceeAddress copy;  // where its moved form lies; 0 if there is none
  bool is_rep_string = false;
  std::vector<size_t> probes;
};

struct MatchBlock {
  ScratchSlots slots;
  TraceeAddress block;  // kMaxMatchCodeBytes long
  TraceeAddress next;   // where it goes on
  TraceeAddress place;
  TraceeAddress mismatch;  // changes with the condition
};

// Code of ours that reads the debuggee's memory: where it goes on if that faults.
struct Evaluation {
  TraceeAddress end;
  TraceeAddress no_value;
};

// Numbers that lie one behind the other.
struct TallyRange {
  TraceeAddress start;
  std::vector<size_t> probes;
};

struct ProbeLayout {
  TraceeAddress counters;
  AddressRange log;                   // empty if no probe needs it
  std::vector<AddressRange> regions;  // to map
  std::map<TraceeAddress, std::vector<std::byte>> contents;
  std::vector<Patch> patches;                       // in the order of their addresses
  std::map<TraceeAddress, CodePoint> points;        // by address in our pages
  std::map<TraceeAddress, TrapPoint> traps;         // by the address of the int3 in our pages
  std::map<TraceeAddress, Evaluation> evaluations;  // by their start
  std::map<TraceeAddress, TraceeAddress> interior;  // original address under a jump → where to go on
  std::map<TraceeAddress, Place> places;            // by original address
  std::map<size_t, MatchBlock> matches;             // by probe; only those that are compared in the process
  std::vector<TallyRange> tallies;                  // of probes that count in the process
};

// `code` as it is without any of the patches. Fails when there is not even room for the counters.
Result<ProbeLayout> LayOutProbes(std::span<const ProbeSpec> specs, std::vector<Site> sites, CodeReader& code,
                                 AddressRoom& room);

// The code of a match, at its block; updates the layout's tables. For
// LayOutProbes and for a condition that is replaced later.
std::vector<std::byte> LayOutMatch(size_t probe, const MatchCondition& condition, ProbeLayout& layout);

}  // namespace chronofork
