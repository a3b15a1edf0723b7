// Signals that strike in the middle of computing, in code of many kinds.
#include "calls.h"

#include <math.h>
#include <setjmp.h>
#include <sys/time.h>

static volatile int caught;
static volatile double answer;
static unsigned char large[1 << 20], copy[1 << 20];
static void count(int signal) { ++caught; }
static void often(long microseconds) {
  struct itimerval every = {{0, microseconds}, {0, microseconds}};
  struct sigaction a = {.sa_handler = count, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
}
static void no_more(void) {
  struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &never, NULL);
}
#define UNTIL(TIMES, ...)                   \
  do {                                      \
    often(7000);                            \
    while (caught < (TIMES)) { __VA_ARGS__; }       \
    no_more();                              \
  } while (0)

SITUATION(repeated_moves) {
  UNTIL(4, {
    void *to = copy, *from = large;
    size_t n = sizeof large;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
  });
}
SITUATION(repeated_stores_and_scans) {
  UNTIL(4, {
    void *to = large;
    size_t n = sizeof large / 8;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(0x0101010101010101) : "memory");
    to = large, n = sizeof large;
    __asm__ volatile("repne scasb" : "+D"(to), "+c"(n) : "a"(7) : "memory", "cc");
  });
}
SITUATION(string_functions) {
  memset(large, 'a', sizeof large - 1);
  UNTIL(4, {
    memcpy(copy, large, sizeof large);
    computed += strlen((char *)copy) + (uint64_t)memcmp(copy, large, sizeof large);
    computed += (uint64_t)(strchr((char *)copy, 'b') != NULL);
  });
}
static long fibonacci(long n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
SITUATION(recursion) { UNTIL(4, computed += (uint64_t)fibonacci(18)); }
SITUATION(floating_point) {
  double x = 1;
  UNTIL(4, for (int i = 0; i < 1000; ++i) x = sin(x) + sqrt(x * x + i));
  answer = x;
}
SITUATION(old_floating_point) {
  long double x = 1;
  UNTIL(4, for (int i = 1; i < 1000; ++i) x = x / i + sqrtl(x));
  answer = (double)x;
}
static int by_value(const void *a, const void *b) { return *(const int *)a < *(const int *)b ? -1 : 1; }
SITUATION(sorting) {
  int *list = (int *)large;
  UNTIL(4, {
    for (int i = 0; i < 3000; ++i) list[i] = (int)((unsigned)i * 2654435761u);
    qsort(list, 3000, sizeof *list, by_value);
  });
}
SITUATION(allocating) {
  UNTIL(4, {
    void *p[50];
    for (int i = 0; i < 50; ++i) p[i] = malloc((size_t)(i * 37 % 500 + 1));
    for (int i = 0; i < 50; ++i) free(p[(i * 7) % 50]);
  });
}
SITUATION(formatting) {
  UNTIL(4, {
    snprintf(noise, sizeof noise, "%d %s %g %x", caught, "text", 3.25, 77);
    computed += (uint64_t)noise[1];
  });
}
SITUATION(atomics) {
  static int word;
  UNTIL(4, {
    __atomic_fetch_add(&word, 3, __ATOMIC_SEQ_CST);
    int expected = word;
    __atomic_compare_exchange_n(&word, &expected, expected + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  });
}
SITUATION(a_tight_loop) {
  often(7000);
  __asm__ volatile("1: cmpl $4, %0; jl 1b" ::"m"(caught) : "cc");
  no_more();
}
SITUATION(a_loop_of_one_instruction) {
  static sigjmp_buf home;
  void leave(int signal) {
    if (++caught == 3) siglongjmp(home, 1);
  }
  signal(SIGALRM, leave);
  ualarm(7000, 7000);
  if (sigsetjmp(home, 1) == 0) __asm__ volatile("1: jmp 1b");
  ualarm(0, 0);
}
SITUATION(calls_through_pointers) {
  long (*volatile function)(long) = fibonacci;
  UNTIL(4, for (long i = 0; i < 12; ++i) computed += (uint64_t)function(i));
}
static int jumps(int n) {
  switch (n & 7) {
    case 0: return 5;
    case 1: return n * 3;
    case 2: return n - 1;
    case 3: return n ^ 77;
    case 4: return n << 1;
    case 5: return 9;
    case 6: return n >> 2;
    default: return 1;
  }
}
SITUATION(tables_of_jumps) { UNTIL(4, for (int i = 0; i < 500; ++i) computed += (uint64_t)jumps(i + caught)); }
SITUATION(jumps_out_of_functions) {
  static jmp_buf here;
  UNTIL(4, {
    if (setjmp(here) == 0) longjmp(here, 1);
    computed++;
  });
}
SITUATION(time_stamps_between) {
  UNTIL(4, {
    unsigned low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    for (int i = 0; i < 20000; ++i) computed += low;
  });
}
SITUATION(very_often) {
  often(300);
  while (caught < 16) computed++;
  no_more();
}
