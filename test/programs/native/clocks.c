// What no program can compute: time and chance.
#include "situations.h"

#include <cpuid.h>
#include <errno.h>
#include <immintrin.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static volatile uint64_t mixed;

SITUATION(clock_gettimes) {
  struct timespec before = {0}, now;
  for (int i = 0; i < 300; ++i) {
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    EXPECT(now.tv_sec > before.tv_sec || now.tv_nsec >= before.tv_nsec);
    before = now;
    mixed += (uint64_t)now.tv_nsec;
    EXPECT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0 && clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0);
    mixed ^= (uint64_t)now.tv_nsec;
  }
  EXPECT(clock_getres(CLOCK_REALTIME, &now) == 0);
  compute(2);
}

SITUATION(times_of_day) {
  struct timeval now;
  EXPECT(gettimeofday(&now, NULL) == 0);
  mixed = (uint64_t)now.tv_usec;
  time_t seconds = time(NULL);
  // time() counts by ticks: around a full second it is up to one of them behind gettimeofday().
  EXPECT(seconds + 1 >= now.tv_sec);
  struct tm *local = localtime(&seconds);
  char text[64];
  EXPECT(strftime(text, sizeof text, "%c", local) > 0);
  compute(3);
  mixed += (uint64_t)clock();
  struct tms all;
  mixed += (uint64_t)times(&all);
  struct rusage usage;
  EXPECT(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0);
  mixed += (uint64_t)usage.ru_utime.tv_usec;
  compute(2);
}

SITUATION(sleeps) {
  struct timespec two_ms = {0, 2000000}, left;
  for (int i = 0; i < 5; ++i) {
    EXPECT(nanosleep(&two_ms, &left) == 0);
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &two_ms, NULL) == 0);
    compute(1);
  }
  usleep(1000);
}

SITUATION(time_stamps) {
  uint64_t before = __rdtsc(), now;
  unsigned processor;
  for (int i = 0; i < 200; ++i) {
    now = __rdtsc();
    EXPECT(now > before);
    before = now;
    now = __rdtscp(&processor);
    mixed ^= now + processor;
    if (i % 50 == 0) compute(1);
  }
}

static int has_leaf1(unsigned bit) {
  unsigned a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit);
}
static int has_leaf7(unsigned bit) {
  unsigned a, b = 0, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit);
}

__attribute__((target("rdrnd"))) static void random_numbers(void) {
  unsigned long long wide;
  unsigned word;
  unsigned short half;
  for (int i = 0; i < 50; ++i) {
    if (_rdrand64_step(&wide)) mixed ^= wide;
    if (_rdrand32_step(&word)) mixed ^= word;
    if (_rdrand16_step(&half)) mixed ^= half;
    if (i % 20 == 0) compute(1);
  }
}
SITUATION(random_instructions) {
  if (!has_leaf1(1u << 30)) CANNOT_PLAY();
  random_numbers();
}

__attribute__((target("rdseed"))) static void random_seeds(void) {
  unsigned long long wide;
  unsigned word;
  for (int i = 0; i < 20; ++i) {
    if (_rdseed64_step(&wide)) mixed ^= wide;
    if (_rdseed32_step(&word)) mixed ^= word;
    if (i % 10 == 0) compute(1);
  }
}
SITUATION(seed_instructions) {
  if (!has_leaf7(1u << 18)) CANNOT_PLAY();
  random_seeds();
}

SITUATION(random_bytes) {
  unsigned char bytes[300];
  for (int i = 0; i < 10; ++i) {
    EXPECT(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    EXPECT(getentropy(bytes, 200) == 0);
    for (size_t j = 0; j < sizeof bytes; ++j) mixed = mixed * 31 + bytes[j];
    compute(1);
  }
}

SITUATION(timer_descriptor) {
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec spec = {{0, 1000000}, {0, 1000000}}, old;
  EXPECT(timerfd_settime(fd, 0, &spec, NULL) == 0);
  uint64_t expirations;
  for (int i = 0; i < 5; ++i) {
    EXPECT(read(fd, &expirations, 8) == 8 && expirations > 0);
    mixed += expirations;
  }
  EXPECT(timerfd_gettime(fd, &old) == 0);
  compute(2);
}

// The C library calls the kernel's vdso; a program may also look for it alone.
#include <sys/auxv.h>
SITUATION(no_vdso_behind_our_back) {
  struct timespec now;
  unsigned processor, node;
  for (int i = 0; i < 50; ++i) {
    EXPECT(clock_gettime(CLOCK_MONOTONIC_RAW, &now) == 0);
    mixed += (uint64_t)now.tv_nsec;
    EXPECT(getcpu(&processor, &node) == 0);
    mixed += processor + (unsigned)sched_getcpu();
  }
  mixed += getauxval(AT_SYSINFO_EHDR) != 0;
}

// gettimeofday at its fixed address, as very old static programs call it.
SITUATION(vsyscall) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[400];
  int there = 0;
  while (fgets(line, sizeof line, maps)) there |= strstr(line, "[vsyscall]") != NULL;
  fclose(maps);
  if (!there) CANNOT_PLAY();
  long (*old_time)(long *) = (long (*)(long *))0xffffffffff600400ul;
  for (int i = 0; i < 5; ++i) {
    long seconds = 0, result = old_time(&seconds);
    EXPECT(result == seconds && result > 1700000000);
    mixed += (uint64_t)result;
    compute(1);
  }
}
