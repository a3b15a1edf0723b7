// Code that is made as the program runs, with an instruction whose result differs each time.
#include "calls.h"

#include <cpuid.h>

static unsigned char *pages(int count) {
  void *p = mmap(NULL, (size_t)count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(p != MAP_FAILED);
  return p;
}
static const unsigned char kRandom[] = {0x48, 0x0f, 0xc7, 0xf0, 0x73, 0xfa, 0xc3};  // rdrand rax; jnc again; ret
static const unsigned char kConstant[] = {0xb8, 0x2a, 0, 0, 0, 0xc3};                // mov eax, 42; ret
static volatile uint64_t numbers[16];

static void need_random_numbers(void) {
  unsigned a, b, c = 0, d;
  NEEDS(__get_cpuid(1, &a, &b, &c, &d) && (c & bit_RDRND), "the processor has no rdrand");
}
static void protect(unsigned char *p, int protection) { OK(mprotect(p, 4096, protection)); }
static void make_code(unsigned char *p, const void *code, size_t length) {
  protect(p, PROT_READ | PROT_WRITE);
  memcpy(p, code, length);
  protect(p, PROT_READ | PROT_EXEC);
}
static uint64_t call(const unsigned char *code) { return ((uint64_t (*)(void))(uintptr_t)code)(); }

SITUATION(random_code_made_anew) {
  need_random_numbers();
  unsigned char *p = pages(1);
  for (int i = 0; i < 8; i += 2) {
    make_code(p, kRandom, sizeof kRandom);
    numbers[i] = call(p);
    protect(p, PROT_READ | PROT_EXEC);
    numbers[i + 1] = call(p);
    make_code(p, kConstant, sizeof kConstant);
    EXPECT(call(p) == 42);
  }
}
SITUATION(random_code_copied) {
  need_random_numbers();
  unsigned char *p = pages(1);
  make_code(p, kRandom, sizeof kRandom);
  numbers[0] = call(p);
  protect(p, PROT_READ | PROT_WRITE);
  EXPECT(memcmp(p, kRandom, sizeof kRandom) == 0);
  memcpy(p + 64, p, sizeof kRandom);
  protect(p, PROT_READ | PROT_EXEC);
  numbers[1] = call(p + 64);
  numbers[2] = call(p);
}
SITUATION(random_code_written_over) {
  need_random_numbers();
  unsigned char *p = pages(1);
  make_code(p, kRandom, sizeof kRandom);
  numbers[0] = call(p);
  protect(p, PROT_READ | PROT_WRITE | PROT_EXEC);
  numbers[1] = call(p);
  memcpy(p, kConstant, sizeof kConstant);
  protect(p, PROT_READ | PROT_EXEC);
  EXPECT(call(p) == 42);
}
// A heap of which everything may be executed, and nothing of it is code.
SITUATION(data_that_may_be_executed) {
  enum { kPages = 64 };
  unsigned char *p = pages(kPages), *kept = pages(kPages);
  const size_t length = kPages * 4096;
  OK(mprotect(p, length, PROT_READ | PROT_WRITE | PROT_EXEC));
  uint64_t x = 88172645463325252;
  for (size_t i = 0; i < length; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    p[i] = (unsigned char)(x >> 32);
    if (i % 64 == 0 && i + sizeof kRandom < length) memcpy(p + i, kRandom, sizeof kRandom);
  }
  memcpy(kept, p, length);
  OK(mprotect(p, length, PROT_READ | PROT_EXEC));
  EXPECT(memcmp(p, kept, length) == 0);
  OK(mprotect(p, length, PROT_READ | PROT_WRITE | PROT_EXEC));
  EXPECT(memcmp(p, kept, length) == 0);
}
SITUATION(random_code_moved) {
  need_random_numbers();
  unsigned char *p = pages(2);
  unsigned char *to = pages(3);
  make_code(p + 4096, kRandom, sizeof kRandom);
  numbers[0] = call(p + 4096);
  EXPECT(mremap(p + 4096, 4096, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
  numbers[1] = call(to);
  EXPECT(mremap(to, 8192, 4096, 0) == to);
}
SITUATION(random_code_replaced_by_data) {
  need_random_numbers();
  unsigned char *p = pages(1);
  make_code(p, kRandom, sizeof kRandom);
  numbers[0] = call(p);
  OK(munmap(p, 4096));
  EXPECT(mmap(p, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p);
  memset(p, 7, 4096);
  protect(p, PROT_READ);
  EXPECT(p[0] == 7);
  make_code(p, kRandom, sizeof kRandom);
  numbers[1] = call(p);
}
