/*
 * A heap of MIB, of which the first WORKING_MIB are written, round after round:
 * the first word of each page, then some arithmetic, so that a round takes
 * about as long as a program needs that does something with its data.
 *
 *     heap MIB WORKING_MIB ROUNDS [PAUSE_LOOPS]
 *
 * A huge page would be copied as a whole, or not; ordinary programs have small ones.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static uint64_t mix(uint64_t x, long loops) {
  for (long i = 0; i < loops; i++) x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
  return x;
}

static uint64_t round_over(char *heap, size_t pages, long loops, uint64_t x) {
  for (size_t page = 0; page < pages; page++) {
    uint64_t *word = (uint64_t *)(heap + page * PAGE);
    x = mix(x + *word, loops);
    *word = x;
  }
  return x;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  size_t bytes = (size_t)atol(argv[1]) << 20, working_pages = ((size_t)atol(argv[2]) << 20) / PAGE;
  long rounds = atol(argv[3]), loops = argc > 4 ? atol(argv[4]) : 200;
  char *heap = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (heap == MAP_FAILED) return 1;
  madvise(heap, bytes, MADV_NOHUGEPAGE);
  memset(heap, 1, bytes);
  uint64_t x = 1;
  for (long i = 0; i < rounds; i++) x = round_over(heap, working_pages, loops, x);
  printf("%llu\n", (unsigned long long)x);
  return 0;
}
