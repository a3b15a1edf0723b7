// How much a running process writes to, told by its page faults: cheap enough
// to be asked at every tick, while it runs.
//
// A page that a checkpoint shares is copied when it is written for the first
// time: that is one fault, and one page whose former contents the checkpoint
// keeps. Faults that fill in new pages are told apart by the growth of resident
// memory.
//
// An estimate, rather too high than too low: memory that is mapped and unmapped
// again and again makes faults without growth. It never exceeds what there was
// to copy. What exactly was written is DirtyPages's answer, of a stopped process.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace chronofork {

struct FaultCounts {
  uint64_t minor_faults = 0;  // of all its threads, since it began
  uint64_t resident_pages = 0;
};

// All zero of a process that is gone. Some 5 µs.
FaultCounts ReadFaultCounts(pid_t pid);

// How many pages of `then` were copied until `now`.
uint64_t CopiedPages(const FaultCounts& then, const FaultCounts& now);

}  // namespace chronofork
