/*
 * Computes for more than a second without asking the kernel for anything: what
 * recording costs here is the price of the checkpoints alone. It writes to
 * 16 MiB all the time, so that they are not free.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS = 2 << 20, ROUNDS = 900 };

int main(void) {
  uint64_t *words = malloc(WORDS * sizeof *words);
  if (words == NULL) return 1;
  for (uint64_t i = 0; i < WORDS; i++) words[i] = i * 0x9e3779b97f4a7c15u;
  uint64_t sum = 0;
  for (int round = 0; round < ROUNDS; round++) {
    for (uint64_t i = 0; i < WORDS; i++) {
      words[i] = (words[i] ^ (words[i] >> 31)) * 0xbf58476d1ce4e5b9u + (uint64_t)round;
      sum += words[i] >> 60;
    }
  }
  printf("%llu\n", (unsigned long long)sum);
  free(words);
  return 0;
}
