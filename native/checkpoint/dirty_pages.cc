// Chooses among the three ways; each is in a file of its own.
#include "checkpoint/dirty_pages.h"

#include <errno.h>

#include <cstdlib>
#include <string>

#include "base/assert.h"
#include "base/log.h"
#include "checkpoint/dirty_ways.h"
#include "kernel/dirty_page_trials.h"

namespace chronofork {
namespace {

const Log& Logger() {
  static const Log log("checkpoint");
  return log;
}

constexpr DirtyWay kBestFirst[] = {DirtyWay::kUffd, DirtyWay::kExclusive, DirtyWay::kSoftDirty};

bool Works(DirtyWay way) {
  switch (way) {
    case DirtyWay::kUffd: return TryUffdWriteProtection().ok;
    case DirtyWay::kExclusive: return TryExclusivePages().ok;
    case DirtyWay::kSoftDirty: return TrySoftDirty().ok;
  }
  return false;
}

Result<DirtyWay> ForcedWay(const std::string& name) {
  for (DirtyWay way : kBestFirst) {
    if (name != DirtyWayName(way)) continue;
    if (Works(way)) return way;
    return Error{"dirtyWayMissing", "CHRONOFORK_DIRTY asks for \"" + name + "\", which does not work on this kernel.",
                 "Unset CHRONOFORK_DIRTY."};
  }
  return Error{"dirtyWayUnknown", "CHRONOFORK_DIRTY is \"" + name + "\", which is no way of finding dirty pages.",
               "Set it to uffd, exclusive or softdirty, or unset it."};
}

Result<DirtyWay> BestWay() {
  for (DirtyWay way : kBestFirst) {
    if (!Works(way)) continue;
    CF_LOG(Logger(), kInfo, "dirty pages are found by %s", DirtyWayName(way));
    return way;
  }
  return Error{
      "dirtyPagesImpossible", "This kernel shows no way of finding out which memory a program has written.",
      "Use a kernel with /proc/PID/pagemap (any of Linux 4.2 or later, not gVisor), or 6.7 for the fastest way."};
}

}  // namespace

const char* DirtyWayName(DirtyWay way) {
  switch (way) {
    case DirtyWay::kUffd: return "uffd";
    case DirtyWay::kExclusive: return "exclusive";
    case DirtyWay::kSoftDirty: return "softdirty";
  }
  return "?";
}

Result<DirtyWay> ChooseDirtyWay() {
  // The environment is looked at each time: tests change it. A trial takes a
  // few milliseconds; that of the best way is made once.
  const char* forced = std::getenv("CHRONOFORK_DIRTY");
  if (forced != nullptr && *forced != '\0') return ForcedWay(forced);
  static const Result<DirtyWay> best = BestWay();
  return best;
}

Result<std::unique_ptr<DirtyPages>> DirtyPages::Attach(DirtyWay way, DirtyPagesHost& host) {
  switch (way) {
    case DirtyWay::kUffd: {
      Result<std::unique_ptr<DirtyPages>> watched = AttachUffd(host);
      // Of a process whose first thread has ended, kernels before 6.9 give no descriptor away.
      if (!watched.ok() && watched.error().error_number == EINVAL) return AttachExclusive(host.pid());
      return watched;
    }
    case DirtyWay::kExclusive: return AttachExclusive(host.pid());
    case DirtyWay::kSoftDirty: return AttachSoftDirty(host.pid());
  }
  CHRONOFORK_ASSERT(!"a way of finding dirty pages that does not exist");
}

}  // namespace chronofork
