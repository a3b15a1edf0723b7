// A parked process waits, untraced, for another tracer.
//
// A process with our seccomp filter and without a tracer would have every call
// fail. So whoever lets go of one that another shall trace parks it first: its
// threads sleep in a loop in the core page, whose calls pass the filter, with
// every signal blocked. Their true registers and signal masks lie in the
// scratch area, and whoever takes it over puts them back (Tracee::Unpark).
//
//     tracer A  ──Park──▶ sleeps, is the guard alive? sleeps …  ──Unpark──▶  tracer B
//                                        └─no─▶ kills itself
//
// Nobody may come: the guard (a process, A's) takes it back then, or is gone,
// and the parked process ends by its own hand within a second. So nothing is
// ever left behind.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "tracee/core_page.h"
#include "tracee/registers.h"

namespace chronofork {

inline constexpr TraceeAddress kParkedState = kScratchArea + 2048;

struct ParkedThread {
  GeneralRegisters registers;
  uint64_t signal_mask;
  int64_t tid;
};

// At kParkedState.
struct ParkedState {
  uint64_t magic;
  int32_t pid;
  uint32_t filtered;  // 1: it has our seccomp filter
  uint64_t thread_count;
  uint64_t threads;  // address of so many ParkedThread
};

// How many threads fit behind the state; more are kept in memory mapped for them.
inline constexpr uint64_t kParkedThreadsBeside = 8;

// Whether it waits for a tracer. May be asked before seizing it, by whoever may trace it.
bool IsParked(pid_t pid);
// The tracer of a process: 0 none, -1 it is gone (or a zombie).
pid_t TracerOf(pid_t pid);

}  // namespace chronofork
