/*
 * Measures a bare fork() of a process with MIB, prints the median, and then
 * computes, so that checkpoints are made of the very same process. It writes to
 * one page only: the fork is to be compared, not the copying. It computes between
 * its own forks as well: one right after another would find all caches warm.
 *
 *     fork_cost MIB [ROUNDS_AFTERWARDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FORKS = 11 };

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void compute(volatile char *memory, double until_ms) {
  while (now_ms() < until_ms)
    for (int i = 0; i < 100000; i++) memory[i % 4096]++;
}

int main(int argc, char **argv) {
  size_t size = (size_t)(argc > 1 ? atol(argv[1]) : 512) << 20;
  volatile char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  madvise((void *)memory, size, MADV_NOHUGEPAGE);
  memset((void *)memory, 1, size);
  double took_ms[FORKS];
  for (int i = 0; i < FORKS; i++) {
    compute(memory, now_ms() + 50);
    double started = now_ms();
    pid_t child = fork();
    if (child == 0) _exit(0);
    took_ms[i] = now_ms() - started;
    if (child < 0 || waitpid(child, NULL, 0) < 0) return 1;
  }
  qsort(took_ms, FORKS, sizeof took_ms[0], compare);
  printf("fork: %f ms\n", took_ms[FORKS / 2]);
  fflush(stdout);
  /* Natively, without a second argument, that is all. */
  long rounds = argc > 2 ? atol(argv[2]) : 0;
  for (long i = 0; i < rounds; i++) memory[i % 4096]++;
  return 0;
}
