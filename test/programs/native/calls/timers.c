// Clocks and timers of all kinds.
#include "calls.h"

#include <poll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>

static volatile int alarms, value_seen, overruns;
static void count(int signal) { ++alarms; }
static void note(int signal, siginfo_t *info, void *context) {
  ++alarms;
  value_seen = info->si_value.sival_int;
  if (info->si_code == SI_TIMER) overruns += info->si_overrun;
}
static void catch(int signal, int flags) {
  struct sigaction a = {.sa_flags = flags};
  if (flags & SA_SIGINFO) a.sa_sigaction = note;
  else a.sa_handler = count;
  OK(sigaction(signal, &a, NULL));
}
static long spin_until(int wanted) {
  long turns = 0;
  while (alarms < wanted) ++turns, computed += (uint64_t)turns;
  return turns;
}

SITUATION(clocks) {
  struct timespec t;
  for (int clock = 0; clock < 12; ++clock) {
    ASK(CALL(clock_gettime, clock, &t));
    ASK(CALL(clock_getres, clock, &t));
  }
  OK(CALL(clock_gettime, -6 /* this process's */, &t));
  FAILS(CALL(clock_gettime, 99, &t), EINVAL);
}
SITUATION(time_of_day) {
  struct timeval v;
  struct timezone z;
  time_t t;
  OK(CALL(gettimeofday, &v, &z));
  EXPECT(CALL(time, &t) == t && CALL(time, NULL) >= t && v.tv_sec <= t + 1);
}
SITUATION(library_clocks) {
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  time_t now = time(NULL);
  clock_gettime(CLOCK_MONOTONIC, &b);
  EXPECT(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
  computed += (uint64_t)now + (uint64_t)clock();
}
SITUATION(naps) {
  struct timespec t = {0, 1500000}, left = {9, 9};
  OK(CALL(nanosleep, &t, &left));
  OK(CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, &t, &left));
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += 1000000;
  if (t.tv_nsec > 999999999) t.tv_sec++, t.tv_nsec -= 1000000000;
  OK(CALL(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL));
  t.tv_nsec = -1;
  FAILS(CALL(nanosleep, &t, NULL), EINVAL);
}
SITUATION(nap_interrupted) {
  struct timespec t = {2, 0}, left = {0, 0};
  catch(SIGALRM, 0);
  ualarm(2000, 0);
  FAILS(CALL(nanosleep, &t, &left), EINTR);
  EXPECT(left.tv_sec == 1 && alarms == 1);
  ualarm(2000, 0);
  EXPECT(CALL(clock_nanosleep, CLOCK_REALTIME, 0, &t, &left) != 0 && left.tv_sec == 1);
}
SITUATION(alarm_once) {
  catch(SIGALRM, 0);
  EXPECT(CALL(alarm, 100) == 0 && CALL(alarm, 0) == 100);
  CALL(alarm, 1);
  CALL(pause);
  EXPECT(alarms == 1);
}
SITUATION(real_interval) {
  struct itimerval often = {{0, 1500}, {0, 1500}}, never = {{0, 0}, {0, 0}}, got;
  catch(SIGALRM, SA_RESTART);
  OK(CALL(setitimer, ITIMER_REAL, &often, NULL));
  spin_until(4);
  OK(CALL(getitimer, ITIMER_REAL, &got));
  EXPECT(got.it_interval.tv_usec == 1500);
  OK(CALL(setitimer, ITIMER_REAL, &never, &got));
  EXPECT(got.it_interval.tv_usec == 1500);
}
SITUATION(no_alarm_after_it_was_turned_off) {
  struct itimerval often = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
  catch(SIGALRM, 0);
  for (int round = 0; round < 15; ++round) {
    alarms = 0;
    OK(setitimer(ITIMER_REAL, &often, NULL));
    if (round & 1) spin_until(2);
    else while (alarms < 2) computed += (uint64_t)CALL(getppid);
    OK(setitimer(ITIMER_REAL, &never, NULL));
    int then = alarms;
    for (int i = 0; i < 20; ++i) CALL(getppid);
    EXPECT(alarms == then);
  }
}
SITUATION(virtual_and_profiling_intervals) {
  struct itimerval once = {{0, 0}, {0, 1000}};
  catch(SIGVTALRM, 0);
  catch(SIGPROF, 0);
  OK(setitimer(ITIMER_VIRTUAL, &once, NULL));
  spin_until(1);
  OK(setitimer(ITIMER_PROF, &once, NULL));
  spin_until(2);
}
SITUATION(timer_with_signal) {
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 1234};
  struct itimerspec when = {{0, 0}, {0, 2000000}}, got;
  catch(SIGUSR1, SA_SIGINFO);
  OK(timer_create(CLOCK_MONOTONIC, &e, &t));
  OK(timer_settime(t, 0, &when, &got));
  OK(timer_gettime(t, &got));
  while (!alarms) nap(400);
  EXPECT(value_seen == 1234 && timer_getoverrun(t) >= 0);
  OK(timer_delete(t));
  FAILS(CALL(timer_gettime, 12345, noise), EINVAL);
}
SITUATION(timer_at_an_absolute_time) {
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 5};
  struct itimerspec when = {{0, 0}, {0, 0}};
  catch(SIGRTMIN + 1, SA_SIGINFO);
  OK(timer_create(CLOCK_REALTIME, &e, &t));
  clock_gettime(CLOCK_REALTIME, &when.it_value);
  when.it_value.tv_sec -= 1;
  OK(timer_settime(t, TIMER_ABSTIME, &when, NULL));
  while (!alarms) CALL(getppid);
  EXPECT(value_seen == 5);
}
SITUATION(timer_that_overruns) {
  timer_t t;
  sigset_t set;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  struct itimerspec often = {{0, 300000}, {0, 300000}}, never = {{0, 0}, {0, 0}};
  sigemptyset(&set), sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  catch(SIGUSR1, SA_SIGINFO);
  OK(timer_create(CLOCK_MONOTONIC, &e, &t));
  OK(timer_settime(t, 0, &often, NULL));
  nap(3000);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  EXPECT(alarms >= 1 && overruns > 0 && timer_getoverrun(t) >= 0);
  OK(timer_settime(t, 0, &never, NULL));
}
SITUATION(timer_without_signal) {
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_NONE};
  struct itimerspec when = {{0, 0}, {5, 0}}, got;
  OK(timer_create(CLOCK_BOOTTIME, &e, &t));
  OK(timer_settime(t, 0, &when, NULL));
  OK(timer_gettime(t, &got));
  EXPECT(got.it_value.tv_sec == 4);
}
SITUATION(timer_of_used_time) {
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
  struct itimerspec when = {{0, 0}, {0, 1000000}};
  catch(SIGUSR2, SA_SIGINFO);
  OK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &e, &t));
  OK(timer_settime(t, 0, &when, NULL));
  spin_until(1);
}
SITUATION(many_timers) {
  timer_t t[20];
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  catch(SIGRTMIN, SA_SIGINFO);
  for (int i = 0; i < 20; ++i) {
    struct itimerspec when = {{0, 0}, {0, 100000 * (i + 1)}};
    OK(timer_create(CLOCK_MONOTONIC, &e, &t[i]));
    OK(timer_settime(t[i], 0, &when, NULL));
  }
  while (alarms < 20) nap(100);
  for (int i = 0; i < 20; ++i) OK(timer_delete(t[i]));
}
SITUATION(timer_descriptor) {
  uint64_t times = 0;
  int fd = (int)CALL(timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec often = {{0, 500000}, {0, 500000}}, got;
  OK(fd);
  FAILS(read(fd, &times, 8), EAGAIN);
  OK(CALL(timerfd_settime, fd, 0, &often, &got));
  OK(CALL(timerfd_gettime, fd, &got));
  nap(3000);
  EXPECT(read(fd, &times, 8) == 8 && times >= 2);
  struct pollfd p = {fd, POLLIN, 0};
  EXPECT(poll(&p, 1, 1000) == 1);
}
SITUATION(timer_descriptor_waited_for) {
  uint64_t times = 0;
  int fd = timerfd_create(CLOCK_REALTIME, 0);
  struct itimerspec once = {{0, 0}, {0, 2000000}};
  OK(timerfd_settime(fd, 0, &once, NULL));
  EXPECT(read(fd, &times, 8) == 8 && times == 1);
}
SITUATION(clock_asked_how_it_is_adjusted) {
  struct timex x;
  memset(&x, 0, sizeof x);
  ASK(CALL(adjtimex, &x));
  memset(&x, 0, sizeof x);
  ASK(CALL(clock_adjtime, CLOCK_REALTIME, &x));
  struct timespec bad = {0, -1};
  EXPECT(CALL(clock_settime, CLOCK_MONOTONIC, &bad) == -1);
  struct timeval worse = {-1, -1};
  EXPECT(CALL(settimeofday, &worse, NULL) == -1);
}
SITUATION(time_stamp_counter) {
  unsigned low, high, processor;
  uint64_t before = 0;
  for (int i = 0; i < 10; ++i) {
    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(processor));
    uint64_t now = (uint64_t)high << 32 | low;
    EXPECT(now > before);
    before = now;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
    EXPECT(((uint64_t)high << 32 | low) > before);
  }
}
SITUATION(processor_time_of_a_child) {
  pid_t child = CHILD(compute(2));
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(child, &clock) == 0) ASK(clock_gettime(clock, &t));
  EXPECT(end_of(child) == 0);
}
