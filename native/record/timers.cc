// Reads what a program asks of a timer, and goes through the log for what was left of it.
#include "record/timers.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

namespace chronofork {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

uint64_t NsOf(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * kSecond + static_cast<uint64_t>(time.tv_usec) * 1000;
}
uint64_t NsOf(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * kSecond + static_cast<uint64_t>(time.tv_nsec);
}

template <typename T>
bool ReadInto(const MemoryReaderFn& read, uint64_t address, T& value) {
  return address != 0 && read(TraceeAddress(address), std::as_writable_bytes(std::span(&value, 1))).ok();
}

// The clock is that of timer_create, which timer_settime does not say: TIMER_ABSTIME is made relative by TimersAt().
constexpr int32_t kAbsolute = -1;

bool OfRunTime(const TimerSetting& timer) { return timer.clock == CLOCK_PROCESS_CPUTIME_ID; }

struct Known {
  TimerSetting setting;
  uint64_t passed_ns = 0;  // since it was set
  bool fired = false;
};

int SignalOf(int64_t key, const TimerSetting& setting) {
  switch (key) {
    case ITIMER_REAL: return SIGALRM;
    case ITIMER_VIRTUAL: return SIGVTALRM;
    case ITIMER_PROF: return SIGPROF;
    default: return setting.has_event ? setting.event.signal : SIGALRM;
  }
}

bool IsOf(const Event& signal, int64_t key, const TimerSetting& setting) {
  if (signal.number != SignalOf(key, setting)) return false;
  if (key < kFirstTimer) return signal.siginfo && signal.siginfo->si_code == SI_KERNEL;
  return signal.siginfo && signal.siginfo->si_code == SI_TIMER && signal.siginfo->si_timerid == key - kFirstTimer;
}

// The identifier that timer_create has given.
std::optional<int32_t> IdentifierOf(const Event& event) {
  for (const MemoryWrite& write : event.writes) {
    if (write.address.value != event.arguments[2] || write.bytes.size() < sizeof(int32_t)) continue;
    int32_t id;
    std::memcpy(&id, write.bytes.data(), sizeof id);
    return id;
  }
  return std::nullopt;
}

// What a clock showed when the event was recorded.
uint64_t ClockAt(const Event& event, int32_t clock) {
  if (clock == CLOCK_PROCESS_CPUTIME_ID) return event.time_ns;
  timespec now{}, monotonic{};
  ::clock_gettime(CLOCK_MONOTONIC, &monotonic);
  ::clock_gettime(clock, &now);
  return event.clock_ns + NsOf(now) - NsOf(monotonic);
}

void Note(const Event& event, std::map<int64_t, Known>& timers) {
  const bool ok = event.result >= 0;
  switch (event.number) {
    case SYS_alarm:
    case SYS_setitimer: {
      const int64_t which = event.number == SYS_alarm ? int64_t{ITIMER_REAL} : static_cast<int64_t>(event.arguments[0]);
      if (event.timer) timers[which] = {*event.timer, 0, false};
      break;
    }
    case SYS_timer_create:
      if (std::optional<int32_t> id = IdentifierOf(event); ok && id && event.timer)
        timers[kFirstTimer + *id] = {*event.timer, 0, false};
      break;
    case SYS_timer_settime: {
      auto timer = timers.find(kFirstTimer + static_cast<int32_t>(event.arguments[0]));
      if (timer == timers.end() || !event.timer) break;
      uint64_t left = event.timer->left_ns;
      if (event.timer->clock == kAbsolute && left != 0) {
        const uint64_t then = ClockAt(event, timer->second.setting.clock);
        left = left > then ? left - then : 1;
      }
      timer->second.setting.left_ns = left;
      timer->second.setting.interval_ns = event.timer->interval_ns;
      timer->second.passed_ns = 0;
      timer->second.fired = false;
      break;
    }
    case SYS_timer_delete:
      if (ok) timers.erase(kFirstTimer + static_cast<int32_t>(event.arguments[0]));
      break;
    default: break;
  }
}

// With what is left now.
TimerSetting Now(const Known& known) {
  TimerSetting timer = known.setting;
  if (timer.left_ns == 0) return timer;
  if (known.passed_ns < timer.left_ns) {
    timer.left_ns -= known.passed_ns;
  } else if (timer.interval_ns > 0) {
    timer.left_ns = timer.interval_ns - (known.passed_ns - timer.left_ns) % timer.interval_ns;
  } else {
    timer.left_ns = known.fired ? 0 : 1;  // its signal is still to come
  }
  return timer;
}

}  // namespace

std::shared_ptr<const TimerSetting> TimerSettingOf(const SyscallArguments& call, const MemoryReaderFn& read) {
  TimerSetting made;
  switch (call.number) {
    case SYS_alarm: made.left_ns = (call.values[0] & 0xffffffff) * kSecond; break;
    case SYS_setitimer: {
      itimerval wanted{};
      // Without one the kernel stops the timer.
      if (call.values[1] != 0 && !ReadInto(read, call.values[1], wanted)) return nullptr;
      made.left_ns = NsOf(wanted.it_value);
      made.interval_ns = NsOf(wanted.it_interval);
      if (call.values[0] != ITIMER_REAL) made.clock = CLOCK_PROCESS_CPUTIME_ID;
      break;
    }
    case SYS_timer_create:
      made.clock = static_cast<int32_t>(call.values[0]);
      made.has_event = ReadInto(read, call.values[1], made.event);
      break;
    case SYS_timer_settime: {
      itimerspec wanted{};
      if (!ReadInto(read, call.values[2], wanted)) return nullptr;
      made.left_ns = NsOf(wanted.it_value);
      made.interval_ns = NsOf(wanted.it_interval);
      if (call.values[1] & TIMER_ABSTIME) made.clock = kAbsolute;
      break;
    }
    default: return nullptr;
  }
  return std::make_shared<const TimerSetting>(made);
}

std::map<int64_t, TimerSetting> TimersAt(const EventLog& log, size_t event) {
  std::map<int64_t, Known> timers;
  uint64_t clock_ns = 0, run_ns = 0;
  for (size_t i = 0; i < event; ++i) {
    const Event& e = log.at(i);
    const bool began = std::find(log.began_at.begin(), log.began_at.end(), i) != log.began_at.end();
    const uint64_t passed = clock_ns != 0 && e.clock_ns > clock_ns && !began ? e.clock_ns - clock_ns : 0;
    const uint64_t ran = e.time_ns > run_ns ? e.time_ns - run_ns : 0;
    if (e.clock_ns != 0) clock_ns = e.clock_ns;
    run_ns = std::max(run_ns, e.time_ns);
    for (auto& [key, timer] : timers) {
      timer.passed_ns += OfRunTime(timer.setting) ? ran : passed;
      if (e.kind == EventKind::kSignal && IsOf(e, key, timer.setting)) timer.fired = true;
    }
    if (e.kind == EventKind::kSyscall) Note(e, timers);
  }
  std::map<int64_t, TimerSetting> left;
  for (const auto& [key, timer] : timers) left[key] = Now(timer);
  return left;
}

}  // namespace chronofork
