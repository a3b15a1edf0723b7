// Pure computing across checkpoints: every register file, every way to jump.
#include "situations.h"

#include <cpuid.h>
#include <fenv.h>
#include <immintrin.h>
#include <math.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <unistd.h>

SITUATION(loop) { printf("%d\n", (int)(compute(30) != 0)); }

static volatile double sink;

SITUATION(floating) {
  double sum = 0;
  for (int i = 1; i < 2000000; ++i) sum += 1.0 / i * (i % 3 ? 1 : -1);
  printf("%.12f\n", sum);
}

SITUATION(x87) {
  long double x = 1, sum = 0;
  for (int i = 1; i < 1500000; ++i) {
    x = x * 1.0000001L + 1e-9L;
    sum += x / i;
  }
  printf("%.15Lf\n", sum);
}

// Values stay on the x87 stack for the whole of a long loop.
SITUATION(x87_stack) {
  double result;
  long rounds = 3000000;
  __asm__ volatile(
      "fldpi\n fldl2e\n fld1\n"
      "1: fadd %%st(1), %%st(0)\n fsub %%st(2), %%st(0)\n dec %1\n jnz 1b\n"
      "fstp %%st(1)\n fstp %%st(1)\n fstpl %0\n"
      : "=m"(result), "+r"(rounds)::"st", "st(1)", "st(2)", "cc");
  printf("%.9f\n", result);
}

__attribute__((target("avx2"))) static void avx2(void) {
  __m256i x = _mm256_set_epi64x(1, 2, 3, 4), add = _mm256_set1_epi64x(0x123456789abcdefll);
  for (int i = 0; i < 4000000; ++i) {
    x = _mm256_add_epi64(_mm256_xor_si256(x, _mm256_slli_epi64(x, 13)), add);
    x = _mm256_permute4x64_epi64(x, 0x39);
  }
  uint64_t out[4];
  _mm256_storeu_si256((__m256i *)out, x);
  printf("%lx %lx\n", out[0] ^ out[1], out[2] ^ out[3]);
}
SITUATION(vectors) {
  if (!__builtin_cpu_supports("avx2")) CANNOT_PLAY();
  avx2();
}

__attribute__((target("avx512f"))) static void avx512(void) {
  __m512i x = _mm512_set1_epi64(7), add = _mm512_set1_epi64(0x123456789abcdefll);
  __mmask8 mask = 0x5a;
  for (int i = 0; i < 3000000; ++i) {
    x = _mm512_mask_add_epi64(x, mask, x, add);
    x = _mm512_rol_epi64(x, 7);
    mask = (__mmask8)(mask * 5 + 1);
  }
  uint64_t out[8], all = 0;
  _mm512_storeu_si512(out, x);
  for (int i = 0; i < 8; ++i) all = all * 31 + out[i];
  printf("%lx\n", all);
}
SITUATION(wide_vectors) {
  if (!__builtin_cpu_supports("avx512f")) CANNOT_PLAY();
  avx512();
}

SITUATION(rounding_modes) {
  static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  double sum = 0;
  for (int i = 0; i < 400; ++i) {
    fesetround(modes[i % 4]);
    for (int j = 1; j < 3000; ++j) sum += 1.0 / (j + i);
  }
  fesetround(FE_TONEAREST);
  EXPECT(fetestexcept(FE_INEXACT));
  printf("%.17g\n", sum);
}

SITUATION(strings_copied) {
  static char a[3 << 20], b[3 << 20];
  for (int i = 0; i < 20; ++i) {
    memset(a, i, sizeof a);
    void *from = a, *to = b;
    size_t n = sizeof a;
    __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n)::"memory");
    from = b;
    n = sizeof b / 8;
    uint64_t value = (uint64_t)i;
    __asm__ volatile("rep stosq" : "+D"(from), "+c"(n) : "a"(value) : "memory");
    EXPECT(b[77 * 8] == (char)i);
  }
}

SITUATION(strings_backwards) {
  static char a[100000], b[100000];
  for (int i = 0; i < 300; ++i) {
    char *from = a + sizeof a - 1, *to = b + sizeof b - 1;
    size_t n = sizeof a;
    a[50000] = (char)i;
    __asm__ volatile("std\n rep movsb\n cld" : "+S"(from), "+D"(to), "+c"(n)::"memory");
    EXPECT(b[50000] == (char)i);
  }
}

static jmp_buf there;
static int jumps;
__attribute__((noinline)) static void jump_down(int depth) {
  if (depth == 0) longjmp(there, 1);
  if (depth > 0) jump_down(depth - 1);
  ++jumps;
}
SITUATION(long_jumps) {
  for (volatile int i = 0; i < 3000; ++i)
    if (setjmp(there) == 0) jump_down(i % 50);
  compute(2);
  EXPECT(jumps == 0);
}

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
SITUATION(sorting) {
  static int numbers[100000];
  unsigned x = 1;
  for (int i = 0; i < 100000; ++i) numbers[i] = (int)((x = x * 1103515245 + 12345) >> 8);
  qsort(numbers, 100000, sizeof(int), compare);
  for (int i = 1; i < 100000; ++i) EXPECT(numbers[i - 1] <= numbers[i]);
}

static int ackermann(int m, int n) {
  if (m == 0) return n + 1;
  return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}
SITUATION(recursion) { printf("%d\n", ackermann(2, 300)); }

SITUATION(processor_questions) {
  unsigned a, b, c, d;
  uint64_t sum = 0;
  for (int i = 0; i < 30; ++i) {
    __cpuid_count(7, 0, a, b, c, d);
    sum += a + b + c + d;
    __cpuid(0, a, b, c, d);
    sum += a + b;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    sum += low + high;
  }
  sink = (double)sum;
  compute(2);
}

SITUATION(flags) {
  uint64_t all = 0;
  for (int i = 0; i < 100000; ++i) {
    uint64_t f, x = (uint64_t)i * 0x987654321ull;
    __asm__ volatile("lea -128(%%rsp), %%rsp\n add %1, %1\n pushfq\n pop %0\n lea 128(%%rsp), %%rsp"
                     : "=&r"(f), "+r"(x)::"cc", "memory");
    all = all * 31 + f;
  }
  sink = (double)all;
}

SITUATION(text) {
  char buffer[200];
  int total = 0;
  for (int i = 0; i < 20000; ++i) total += snprintf(buffer, sizeof buffer, "%d %s %.3f %p", i, "text", i / 7.0, (void *)0);
  printf("%d\n", total);
}

// The syscall instruction in a loop of our own, with its registers watched.
SITUATION(bare_calls) {
  for (long i = 0; i < 100; ++i) {
    long result, rcx, r11;
    __asm__ volatile("syscall" : "=a"(result), "=c"(rcx), "=r"(r11) : "a"(39L) : "r11", "memory");
    EXPECT(result == getpid());
    __asm__ volatile("mov %%r11, %0" : "=r"(r11));
    sink = (double)(rcx & 0xfff);
  }
  compute(2);
}

// All addresses that a jump from here can reach are reserved, as by programs that keep room for the code that they
// make, but for a piece to which only a jump of free choice can lead: of the loop's instructions one is long enough.
SITUATION(reserved_addresses) {
  extern const char __ehdr_start[];
  const uint64_t reach = 1ull << 31, free_bytes = 2 << 20;
  uint64_t program = (uint64_t)__ehdr_start & ~4095ull, lowest = program > reach + 65536 ? program - reach : 65536;
  free(malloc(1));
  uint64_t heap_end = ((uint64_t)sbrk(0) + 4095) & ~4095ull, hole = (program + (reach >> 2)) & ~0xffffffull;
  const uint64_t reserved[][2] = {{lowest, program}, {heap_end, hole}, {hole + free_bytes, program + reach}};
  for (int i = 0; i < 3; ++i)
    mmap((void *)reserved[i][0], reserved[i][1] - reserved[i][0], PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  uint32_t a = 1, b = 2;
  uint32_t rounds = 60000000;
  __asm__ volatile(
      "1: add %%edx, %%ecx\n xor %2, %%edx\n add %%ecx, %%edx\n mov %%edx, %%eax\n"
      "mov $0x12345678, %%eax\n"
      "add %%eax, %%ecx\n xor %%ecx, %%edx\n dec %2\n jnz 1b\n"
      : "+c"(a), "+d"(b), "+S"(rounds)::"eax", "cc");
  printf("%x\n", a ^ b);
}
