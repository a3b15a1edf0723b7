// Tries the three ways of finding written pages, each on a few pages of a child.
//
// A way works only if it reports exactly the pages that the trial wrote: some
// kernels accept the requests and do nothing.
#pragma once

#include "kernel/trial.h"

namespace chronofork {

// Steps at which the trial of userfaultfd write protection can fail.
enum UffdTrialStep { kUffdOpen = 1, kUffdFeatures, kUffdRegister, kUffdScan, kUffdWrongPages };
TrialReport TryUffdWriteProtection();

enum PagemapTrialStep { kPagemapOpen = 1, kPagemapRead, kPagemapClear, kPagemapWrongPages };
// Whether pagemap shows a page that a fork does not share (bit 56).
TrialReport TryExclusivePages();
// Whether clear_refs makes pagemap's soft-dirty bit (55) follow writes.
TrialReport TrySoftDirty();

}  // namespace chronofork
