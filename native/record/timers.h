// Timers that send signals: alarm, setitimer, timer_create. A fork has none of
// its parent's, so that a branch must make them anew, with what was left of them.
//
// What the program asked for is kept with its call's event. What was left at a
// later moment is computed: by the clock at each event for real time, by the run
// time for CPU time. It is as exact as events are close to each other.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "record/event_log.h"
#include "record/syscall_table.h"

namespace chronofork {

// The kernel's struct sigevent.
struct TimerEvent {
  uint64_t value = 0;
  int32_t signal = 0;
  int32_t notify = 0;
  int32_t thread = 0;  // SIGEV_THREAD_ID
  int32_t unused[11] = {};
};
static_assert(sizeof(TimerEvent) == 64);

struct TimerSetting {
  int32_t clock = 0;  // CLOCK_…
  bool has_event = false;
  TimerEvent event;          // timer_create
  uint64_t left_ns = 0;      // from the call on; 0: it is stopped
  uint64_t interval_ns = 0;  // 0: it comes once
};

// nullptr: the call sets no timer. To be asked before it is made.
std::shared_ptr<const TimerSetting> TimerSettingOf(const SyscallArguments& call, const MemoryReaderFn& read);

// ITIMER_REAL, ITIMER_VIRTUAL and ITIMER_PROF by their number; those of timer_create
// by kFirstTimer and the identifier that the program knows them by.
inline constexpr int64_t kFirstTimer = 100;
// All that exist after the first `event` events, with what is left of them there.
std::map<int64_t, TimerSetting> TimersAt(const EventLog& log, size_t event);

}  // namespace chronofork
