// Is the memory of two stopped processes the same? Asked for the pages that
// either has written since they were one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/tracee_address.h"
#include "checkpoint/page_set.h"
#include "probe/probe_set.h"
#include "tracee/tracee.h"

namespace chronofork {

struct MemoryDifference {
  TraceeAddress address;  // of an aligned 8-byte word
  uint64_t expected = 0;  // in `reference`
  bool mapping_differs = false;
};

// Compares `pages` of `process` (its probes concealed) with `reference`;
// returns up to `limit` differing words. Our own pages are left out. About
// 1 GiB/s.
std::vector<MemoryDifference> CompareMemory(const Tracee& process, const ProbeSet* probes, const Tracee& reference,
                                            const PageSet& pages, size_t limit);

// All pages of private writable memory of a process that were ever touched:
// what to compare when nothing better is known.
PageSet WritablePages(pid_t pid);

// What lies below the red zone on the stacks of the program's threads: left over,
// and no part of its state. ld.so puts vector registers there when it binds a function,
// with the processor's idea of which are in use, and that differs from run to run.
PageSet DeadStack(pid_t pid, const std::vector<TraceeAddress>& stack_pointers);

}  // namespace chronofork
