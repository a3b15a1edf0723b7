/*
 * Measures a bare fork() of a process with 512 MiB, prints the median, and then
 * computes for some seconds, so that checkpoints are made of the very same
 * process. It writes to one page only: the fork is to be compared, not the copying.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 512, ROUNDS = 11 };

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
  size_t size = (size_t)MIB << 20;
  volatile char *memory = malloc(size);
  if (memory == NULL) return 1;
  memset((void *)memory, 1, size);
  double took_ms[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    double started = now_ms();
    pid_t child = fork();
    if (child == 0) _exit(0);
    took_ms[i] = now_ms() - started;
    if (child < 0 || waitpid(child, NULL, 0) < 0) return 1;
  }
  qsort(took_ms, ROUNDS, sizeof took_ms[0], compare);
  printf("fork: %f ms\n", took_ms[ROUNDS / 2]);
  fflush(stdout);
  /* Natively, without an argument, that is all. */
  for (long i = 0; argc > 1 && i < atol(argv[1]); i++) memory[i % 4096]++;
  free((void *)memory);
  return 0;
}
