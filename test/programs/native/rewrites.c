/*
 * Fills MIB of memory, computes for a while without writing, and then writes to
 * all of it again, ROUNDS times: a debugger that keeps copies of the past pays
 * for each page, all at once.
 *
 *     rewrites MIB ROUNDS MILLIONS
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

volatile uint64_t result;

__attribute__((noinline)) void mark_end(void) { result++; }

static uint64_t compute(uint64_t x, long millions) {
  for (long i = 0; i < millions * 1000000; i++) x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
  return x;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const size_t bytes = (size_t)atol(argv[1]) << 20;
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  uint64_t x = 1;
  for (long round = 0; round <= atol(argv[2]); round++) {
    for (size_t at = 0; at < bytes; at += PAGE) memory[at] = (char)(round + 1);
    x = compute(x, atol(argv[3]));
  }
  result = x + (uint64_t)memory[PAGE];
  mark_end();
  return 0;
}
