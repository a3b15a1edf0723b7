// Code that asks for a random number is unmapped, and data lies where it was.
#define _GNU_SOURCE
#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static const unsigned char random_code[] = {0x48, 0x0f, 0xc7, 0xf0, 0xc3}; // rdrand rax; ret
static unsigned char *place;
static unsigned long long number;

static unsigned char *map_at(void *address) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (address ? MAP_FIXED : 0);
  return mmap(address, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
}

static int has_random_numbers(void) {
  unsigned a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_RDRND);
}

int main(void) {
  place = map_at(NULL);
  memcpy(place, random_code, sizeof random_code);
  mprotect(place, 4096, PROT_READ | PROT_EXEC);
  if (has_random_numbers()) number = ((unsigned long long (*)(void))(uintptr_t)place)();
  puts("as code"); //@ code
  place = map_at(place);
  memset(place, 7, 4096);
  puts("as data"); //@ data
  mprotect(place, 4096, PROT_READ);
  puts("protected"); //@ protected
  return 0;
}
