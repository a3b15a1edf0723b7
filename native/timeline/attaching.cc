// Beginning with a process that runs already, and letting it go on alone.
//
// It is the tip of the first branch for as long as it is attached; whatever
// else there is (copies, other branches) is ours and ends here.
#include <algorithm>

#include "base/log.h"
#include "timeline/engine.h"

namespace chronofork {
namespace {

Log logger("timeline");

}  // namespace

Result<pid_t> Engine::Attach(pid_t pid) {
  BecomeTracerThread();
  PinToOneCpu(pid);
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> live, Tracee::Attach(pid, cpu_));
  visible_cpus_ = live->AffinityOf(live->tid());
  if (visible_cpus_.empty()) visible_cpus_ = OriginalCpus();
  attached_ = true;
  Result<void> begun = BeginRecording(std::move(live));
  if (!begun.ok()) {
    if (!branches_.empty()) static_cast<void>(Detach());
    return std::move(begun).error();
  }
  return pid_;
}

Result<bool> Engine::Detach() {
  if (branches_.empty() || !branches_[0]->tip || !branches_[0]->tip->attached())
    return Error{"notAttached",
                 "A program that Chronofork has started cannot be let go: its calls are caught for good.",
                 "End the session instead; or start the program elsewhere, and attach to it.", 0, pid_};
  Branch& first = *branches_[0];
  if (first.tip->gone()) return false;
  const bool parked = first.tip->has_filter();
  const bool elsewhere = replay_ || branch_ != 0;
  const bool changed = std::any_of(first.line.begin(), first.line.end(), [](const auto& c) { return c->barrier; }) ||
                       (!elsewhere && barrier_wanted_);
  replay_.reset();
  pristine_.reset();
  // A descriptor of its own watches the written pages.
  first.dirty.reset();
  TrapBytes patched = first.recorder->patched();
  if (inserted_in_live_)
    for (const auto& [address, original] : inserted_) patched.insert_or_assign(address, original);
  std::map<pid_t, std::vector<siginfo_t>> signals = first.recorder->SignalsToGiveBack();
  if (parked) first.recorder->ForgetRestarts();
  CF_TRY(first.tip->Detach(signals, patched, options_.guard));
  CF_LOG(logger, kInfo, "detached from %d", pid_);
  if (elsewhere)
    options_.notice("info", "The program goes on where it really was, not at the moment in the past that was shown.");
  if (changed) options_.notice("info", "What was changed by hand in the live program stays changed.");
  return parked;
}

}  // namespace chronofork
