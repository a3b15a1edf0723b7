// The system call instructions of a program that are patched, and the code that
// each patch leads to. Bookkeeping: reads code, writes nothing.
//
//     site:  syscall; cmp rax, …     ──▶  site:  jmp stub (5 bytes)
//     stub:  jmp body
//     body:  lea rcx, [site + 2]; lea r11, [after]; jmp [the runtime's entry]
//     after: cmp rax, …; jmp behind what was displaced
//
// The list belongs to a line of events (EventLog) and only grows: a replay
// patches what was patched then (`from_event`, `until_event`).
//
// Easy to get wrong: the byte of each instruction boundary inside a patch is an
// int3, by the choice of the stub's address (as for probes), because the kernel
// returns to site + 2: from a call that was begun before, or out of a handler.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/tracee_address.h"
#include "probe/relocate.h"
#include "tracee/memory.h"

namespace chronofork {

struct CallSite {
  TraceeAddress address;  // of the `syscall`
  TraceeMemory::PatchBytes original{}, patch{};
  TraceeAddress stub, body, after;
  std::vector<std::byte> stub_code, body_code;
  std::vector<MovedPoint> points;                     // from `after` on
  std::map<TraceeAddress, TraceeAddress> redirected;  // boundaries inside the patch → where they are now
  size_t area = 0;
  size_t from_event = 0, until_event = SIZE_MAX;

  AddressRange patched() const { return {address, address + original.size()}; }
  bool ActiveAt(size_t event) const { return from_event <= event && event < until_event; }
  // Where the program is if it stands at `pc`, which is in the stub or the body.
  bool IsBeforeCall(TraceeAddress pc) const { return pc < after || pc >= body + body_code.size(); }
  TraceeAddress OriginalOf(TraceeAddress pc) const;
};

// Pages of ours near a program's code.
struct CallArea {
  AddressRange pages;
  std::map<uint64_t, uint64_t> used;  // start → end
};

class CallSites {
 public:
  CallSites() = default;
  // Those of the first `events` events, for a branch.
  CallSites(const CallSites& other, size_t events);

  using Reader = std::function<size_t(TraceeAddress, std::span<std::byte>)>;
  using Mappings = std::function<std::vector<AddressRange>()>;
  // Adds the `syscall` at `address`, patched from `event` on. False: it cannot be; `why` says so in a few words.
  bool Add(TraceeAddress address, size_t event, const Reader& read, const Mappings& occupied, const char** why);
  // What lies in `range` is changed by event `event`.
  void End(const AddressRange& range, size_t event);

  const std::deque<CallSite>& all() const { return sites_; }
  // The indices of those whose call returns to `pc`: more than one if its code has gone and come.
  const std::vector<size_t>& ReturningTo(TraceeAddress pc) const;
  const std::vector<CallArea>& areas() const { return areas_; }

 private:
  bool Place(CallSite& site, uint32_t mask, uint32_t value, const Mappings& occupied);
  bool PlaceIn(size_t area, CallSite& site, uint32_t mask, uint32_t value);

  void Insert(CallSite site);

  std::deque<CallSite> sites_;
  std::unordered_map<uint64_t, std::vector<size_t>> returning_to_;
  std::vector<CallArea> areas_;
};

}  // namespace chronofork
