// Code to put probes into: all in one section, so that every instruction of it
// is known. Compiled at -O0 and at -O2, and by hand where compilers would not.
#include "probed_code.h"

#include <cstddef>

namespace chronofork::probed {

#define PROBED __attribute__((section("probed_code"), noinline, used, noclone))
#define AT_O0 __attribute__((optimize("O0")))
#define AT_O2 __attribute__((optimize("O2")))

uint64_t words[64];
uint64_t volatile sink;

#define SORT_BODY                                               \
  for (size_t i = 1; i < count; ++i) {                          \
    for (size_t j = i; j > 0 && words[j - 1] > words[j]; --j) { \
      const uint64_t held = words[j];                           \
      words[j] = words[j - 1];                                  \
      words[j - 1] = held;                                      \
    }                                                           \
  }                                                             \
  return words[count / 2];

PROBED AT_O0 uint64_t SortSlow(uint64_t count){SORT_BODY} PROBED AT_O2 uint64_t SortFast(uint64_t count){SORT_BODY}

PROBED AT_O0 uint64_t FibonacciSlow(uint64_t n) {
  return n < 2 ? n : FibonacciSlow(n - 1) + FibonacciSlow(n - 2);
}
PROBED AT_O2 uint64_t FibonacciFast(uint64_t n) { return n < 2 ? n : FibonacciFast(n - 1) + FibonacciFast(n - 2); }

#define STATE_BODY                                               \
  uint64_t state = seed, result = 0;                             \
  for (int i = 0; i < 60; ++i) {                                 \
    state = state * 6364136223846793005u + 1442695040888963407u; \
    switch ((state >> 60) & 7) {                                 \
      case 0: result += i; break;                                \
      case 1: result ^= state; break;                            \
      case 2: result = result << 3 | result >> 61; break;        \
      case 3: result -= words[state >> 58]; break;               \
      case 4: words[state >> 58] = result; break;                \
      case 5: result *= 3; break;                                \
      case 6: sink = result; break;                              \
      default: result = ~result; break;                          \
    }                                                            \
  }                                                              \
  return result;

PROBED AT_O0 uint64_t StateSlow(uint64_t seed){STATE_BODY} PROBED AT_O2 uint64_t StateFast(uint64_t seed){STATE_BODY}

PROBED AT_O0 static uint64_t AddOne(uint64_t x) {
  return x + 1;
}
PROBED AT_O2 static uint64_t Triple(uint64_t x) { return x * 3; }
static uint64_t (*const volatile steps[])(uint64_t) = {AddOne, Triple};

PROBED AT_O2 uint64_t Indirect(uint64_t n) {
  uint64_t value = n;
  for (uint64_t i = 0; i < n; ++i) value = steps[i & 1](value);
  return value;
}

PROBED AT_O2 uint64_t Floating(uint64_t n) {
  double sum = 0;
  long double more = 1;
  for (uint64_t i = 1; i <= n; ++i) {
    sum += 1.0 / static_cast<double>(i);
    more *= 1.25L;
  }
  return static_cast<uint64_t>(sum * 1e9) + static_cast<uint64_t>(more);
}

// Short instructions, jumps that no scan can see into the middle of patched
// bytes, loop and jrcxz, a skipped lock prefix, the red zone, string
// instructions both ways, and flags that live over many instructions.
asm(R"(
  .pushsection probed_code, "ax"
  .globl chronofork_probed_tricky
  .hidden chronofork_probed_tricky
  .type chronofork_probed_tricky, @function
chronofork_probed_tricky:
  push %rbx
  push %rbp
  push %r12
  mov %rdi, %r12
  xor %eax, %eax
  mov %rax, -8(%rsp)            # the red zone
  mov %rdi, -16(%rsp)
  mov %edi, %ecx
1:
  lea 3f(%rip), %rdx
  test $1, %ecx
  jz 2f
  lea 4f(%rip), %rdx
2:
  jmp *%rdx
3:
  inc %eax
  dec %eax
4:
  add %ecx, %eax
  nop
  nop
  cmp $5, %eax
  seta %bl
  movzbl %bl, %ebx
  adc $0, %rbx
  add %rbx, -8(%rsp)
  loop 1b
  mov %r12d, %ecx
5:
  clc
  cmc
  adc $1, %rax
  dec %rcx
  jrcxz 6f
  jmp 5b
6:
  mov -16(%rsp), %rcx
  cmp $3, %rcx
  je 7f
  lock
7:
  xadd %rcx, -8(%rsp)
  stc
  jmp 8f
8:
  jc 9f
  ud2
9:
  lea chronofork_probed_bytes(%rip), %rdi
  mov $16, %ecx
  rep stosb
  std
  mov $4, %ecx
  dec %rdi
  lea chronofork_probed_bytes(%rip), %rsi
  add $9, %rsi
  rep movsb
  cld
  mov -8(%rsp), %rbx
  add %rbx, %rax
  call 10f
10:
  pop %rdx
  sub chronofork_probed_bytes+24(%rip), %rax
  xchg %rax, chronofork_probed_bytes(%rip)
  mov chronofork_probed_bytes(%rip), %rax
  incl chronofork_probed_bytes+16(%rip)
  cmpb $7, chronofork_probed_bytes+16(%rip)
  setb %dl
  movzbl %dl, %edx
  add %rdx, %rax
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .size chronofork_probed_tricky, . - chronofork_probed_tricky

  .globl chronofork_probed_fault
  .hidden chronofork_probed_fault
  .type chronofork_probed_fault, @function
chronofork_probed_fault:          # faults in the middle of what a jump displaces
  stc
  nop
  mov (%rdi), %rcx
  cmc
  nop
  mov $0, %edx
  div %edx
  call 2f
2:
  ret
  .size chronofork_probed_fault, . - chronofork_probed_fault
  .popsection
  .pushsection .bss
  .globl chronofork_probed_bytes
  .hidden chronofork_probed_bytes
chronofork_probed_bytes:
  .zero 64
  .popsection
)");

void ResetData() {
  for (size_t i = 0; i < 64; ++i) words[i] = (i * 0x9E3779B97F4A7C15u) >> 40;
  sink = 0;
  for (size_t i = 0; i < 64; ++i) chronofork_probed_bytes[i] = static_cast<unsigned char>(i);
}

}  // namespace chronofork::probed
