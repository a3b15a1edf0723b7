/*
 * A past to search in:
 *
 *     guilty is written, once
 *     a million hits of one line
 *     seconds of computing, in which nothing of interest happens
 *
 *     history HITS MILLIONS_OF_ROUNDS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static volatile long guilty;
static volatile uint64_t result;

__attribute__((noinline)) static uint64_t hit(long i, uint64_t x) {
  return x * 31 + (uint64_t)i;  //@ hit
}

__attribute__((noinline)) static uint64_t compute(long millions) {
  uint64_t x = 88172645463325252u;
  for (long i = 0; i < millions * 1000000; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  long hits = atol(argv[1]), millions = atol(argv[2]);
  guilty = 42;  //@ begin
  uint64_t x = 1;
  for (long i = 0; i < hits; i++) x = hit(i, x);
  result = x;  //@ after-hits
  result += compute(millions);
  printf("%llu %ld\n", (unsigned long long)result, guilty);  //@ end
  return 0;
}
