// System calls recorded inside the debuggee, and answered inside a replay,
// without a stop: patches, ring and mode of one process, seen from outside.
//
//     PutIn() … Record() or Feed() … the process runs … Settle() at each stop … TakeOut()
//
// The patches are there only while the process runs: whoever is shown a stopped
// process, or copies it, finds none. Settle() makes each stop look as it would
// without them: no pc in our code, the program's own registers, and whether the
// call was made. So recorder, scheduler, signals and probes know nothing of it.
//
// What is in the ring was made before whatever stopped the process: one thread
// runs at a time, and it is in the runtime or it is not.
//
// Easy to get wrong:
//  - nothing may be single-stepped, and no other patch written, while these are in;
//  - of a call that was made, but whose event is not written, the caller writes it;
//  - a copy (fork) has the code but neither ring nor mode; a patch in it traps.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "callbuffer/call_sites.h"
#include "callbuffer/runtime_layout.h"
#include "tracee/stop.h"
#include "tracee/tracee.h"

namespace chronofork {

using CallRules = std::array<CallRule, kMostCalls>;

struct SettledCall {
  enum class Place {
    kElsewhere,  // no call of ours is under way
    kAtSite,     // at the call's instruction, which was not executed; as after AbandonSyscall()
    kEntry,      // at a kSyscallEntry stop, as if the site's own instruction had made it
    kExecuted,   // the call was made: `number` has returned `result`; its event is not in the ring
    kEventEnd,   // right after the ring's last event (or, with none, where the process was resumed)
  };
  Place place = Place::kElsewhere;
  bool consumed = false;  // the stop was ours alone: nothing to report, resume
  long number = -1;
  int64_t result = 0;
};

class CallBuffer {
 public:
  // `renew_rules`: of a copy that has those of another process.
  CallBuffer(Tracee& process, std::shared_ptr<CallSites> sites, const CallRules& rules, bool renew_rules);

  ~CallBuffer() { TakeOut(); }
  CallBuffer(const CallBuffer&) = delete;
  CallBuffer& operator=(const CallBuffer&) = delete;

  // Whether this processor and kernel can, and it is wanted: CHRONOFORK_PATCH=0 switches it off.
  static bool Usable();
  // Stops at a site before it is patched: CHRONOFORK_PATCH=N, or 8.
  static unsigned StopsBeforePatch();

  // -- Patches ---------------------------------------------------------------------
  // The process must be where a call can be made on its behalf. False: not this one.
  bool Add(TraceeAddress site, size_t event);
  // All that belong to `event`; not those whose bytes are not the original ones (a breakpoint).
  // An error (no memory, a limit): the process can do without, patches are out.
  Result<void> PutIn(size_t event);
  void TakeOut();
  // In a copy of the process that was made while they were in.
  Result<void> RemoveFrom(Tracee& copy) const;
  bool in() const { return !in_.empty(); }
  // If the call of `event`, which returns to `pc`, is made from a patch: the event as of which it is not.
  std::optional<size_t> ServesUntil(uint64_t pc, size_t event) const;
  // The memory of `range` is about to be changed by `event`: what is there goes.
  // True if there was something, and the patches are out.
  Result<bool> Leave(const AddressRange& range, size_t event, bool forever);
  // A thread that goes on inside a patch goes on in its moved code instead.
  void Redirect();
  const std::shared_ptr<CallSites>& sites() const { return sites_; }

  // -- Before a resume ---------------------------------------------------------------
  Result<void> Record(bool may_not_wait, uint64_t most_calls);
  Result<void> Feed(std::span<const std::byte> records, std::vector<size_t> ends);
  Result<void> Trap();  // every call stops
  void TrapNextCall();  // also while it runs
  bool feed_empty() const { return fed_ >= feed_ends_.size(); }

  // -- After a stop --------------------------------------------------------------------
  Result<SettledCall> Settle(const Stop& stop);
  // The ring's events that the last Settle() has found, in order: to be read before the next resume.
  size_t recorded_bytes() const { return drained_ - drained_before_; }
  Result<void> ReadRecorded(std::span<std::byte> out);
  // Of what was fed: events that passed since the last time.
  size_t TakeReplayed() { return std::exchange(replayed_, 0); }

 private:
  Result<void> MapRuntime();
  Result<bool> MapArea(const AddressRange& pages);
  Result<void> WriteCode();
  Result<void> WriteMode(RuntimeMode mode);
  const CallSite* SiteOf(TraceeAddress pc) const;
  void SetAtSite(GeneralRegisters r, TraceeAddress site);
  void SettleInRuntime(const Stop& stop, const RuntimeState& state, SettledCall& settled);
  GeneralRegisters FromFrame(const RuntimeState& state);

  Tracee& process_;
  std::shared_ptr<CallSites> sites_;
  const CallRules& rules_;
  bool rules_written_;
  std::set<size_t> in_;          // indices of sites
  std::set<size_t> written_;     // … whose code is there
  std::set<size_t> lost_areas_;  // where something else is in this process
  bool mapped_ = false;
  RuntimeState mode_{};  // as last written
  bool mode_known_ = false;
  uint64_t drained_ = 0;         // offset in the ring
  uint64_t drained_before_ = 0;  // … at the stop before
  std::vector<size_t> feed_ends_;
  size_t fed_ = 0;  // of these, how many have passed
  size_t replayed_ = 0;
};

}  // namespace chronofork
