// One small program, many situations: `PROGRAM --list` names them, and
// `PROGRAM NAME` runs one. A situation checks its own results with EXPECT, so
// that it is right natively, recorded and (by the core's comparison) replayed.
//
// Nothing that differs from run to run may be printed: the tests compare what a
// recorded run prints with what a native one does.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct situation {
  const char *name;
  void (*run)(void);
  struct situation *next;
};
static struct situation *first_situation;

#define SITUATION(NAME)                                                  \
  static void NAME(void);                                                \
  __attribute__((constructor)) static void add_##NAME(void) {            \
    static struct situation entry = {#NAME, NAME, 0};                    \
    entry.next = first_situation;                                        \
    first_situation = &entry;                                            \
  }                                                                      \
  static void NAME(void)

#define EXPECT(CONDITION)                                                     \
  do {                                                                        \
    if (!(CONDITION)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #CONDITION); \
      _Exit(99);                                                              \
    }                                                                         \
  } while (0)

// A situation that this machine cannot play ends with this status, and is counted as skipped.
#define CANNOT_PLAY() exit(77)

static volatile uint64_t computed = 1;

// About `ms` milliseconds of computing without a system call: room for checkpoints.
__attribute__((unused)) static uint64_t compute(int ms) {
  uint64_t x = computed | 1;
  for (long i = 0; i < ms * 400000L; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    if ((i & 1023) == 0) computed += x;
  }
  computed += x;
  return x;
}

int main(int argc, char **argv) {
  for (struct situation *s = first_situation; s; s = s->next) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) puts(s->name);
    if (argc == 2 && strcmp(argv[1], s->name) == 0) {
      s->run();
#ifdef SAYS_SUCCESS
      puts("EXIT-SUCCESS");
#endif
      return 0;
    }
  }
  return argc == 2 && strcmp(argv[1], "--list") == 0 ? 0 : 98;
}

#ifdef __cplusplus
}
#endif
