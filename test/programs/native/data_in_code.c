// Data in an executable segment, as linkers laid it out for long (-z noseparate-code):
// relocations and tables whose bytes look like instructions that are made to trap.
#include "situations.h"

#include <stdint.h>

struct relocation {
  uint64_t offset, kind, value;
};

// Like libLLVM's relocations: dd 77 06 is fnsave 6(%rdi).
#define ONE(I) {0x677dd00ull + 8 * (I), 8, 0xda5f00ull + 0x40 * (I)}
#define EIGHT(I) ONE(I), ONE(I + 1), ONE(I + 2), ONE(I + 3), ONE(I + 4), ONE(I + 5), ONE(I + 6), ONE(I + 7)
#define SIXTY_FOUR(I) \
  EIGHT(I), EIGHT(I + 8), EIGHT(I + 16), EIGHT(I + 24), EIGHT(I + 32), EIGHT(I + 40), EIGHT(I + 48), EIGHT(I + 56)
static const struct relocation relocations[] = {SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192)};

// rdrand, rdseed, cpuid, xsave, fxsave, fnstenv, rdpid, among what may stand beside them in code.
#define PIECES                                                                                              \
  0x90, 0x48, 0x89, 0xc3, 0x0f, 0xc7, 0xf0, 0x90, 0x90, 0x0f, 0xc7, 0xf8, 0x90, 0x0f, 0xa2, 0x90, 0x0f, 0xae, 0x27, \
      0x90, 0x0f, 0xae, 0x07, 0xd9, 0x37, 0x90, 0xf3, 0x0f, 0xc7, 0xf8, 0x90, 0xdd, 0x37, 0x90, 0x90
static const unsigned char bytes[] = {PIECES, PIECES, PIECES, PIECES, PIECES, PIECES, PIECES, PIECES};

static uint64_t sum_of(const void *data, size_t length) {
  const volatile unsigned char *at = data;
  uint64_t sum = 14695981039346656037ull;
  for (size_t i = 0; i < length; ++i) sum = (sum ^ at[i]) * 1099511628211ull;
  return sum;
}

SITUATION(read_as_it_is) {
  for (int i = 0; i < 3; ++i) {
    printf("%llx %llx\n", (unsigned long long)sum_of(relocations, sizeof relocations),
           (unsigned long long)sum_of(bytes, sizeof bytes));
    compute(1);
  }
  for (uint64_t i = 0; i < sizeof relocations / sizeof relocations[0]; ++i)
    EXPECT(relocations[i].offset == 0x677dd00 + 8 * i && relocations[i].value == 0xda5f00 + 0x40 * i);
}
