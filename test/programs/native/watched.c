// Writes and reads of `target` by threads that do not run yet when somebody
// begins to watch it, or are not even there; and by repeated string
// instructions, of which it is in the middle. Each mark is the instruction after
// the touch.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MARK(NAME) __asm__ volatile(".globl " #NAME "\n" #NAME ": nop" ::: "memory")

volatile long target, seen;
static atomic_int go, done;
static int channel[2];

__attribute__((noinline)) static void begin(void) { MARK(mark_begin); }
__attribute__((noinline)) static void end(void) { MARK(mark_end); }

__attribute__((noinline)) static void touch(int reads) {
  if (reads) {
    const long value = target;
    MARK(mark_read);
    seen = value;
  } else {
    target = 7;
    MARK(mark_written);
  }
  done = 1;
}

static void *after_a_call(void *reads) {
  char byte;
  if (read(channel[0], &byte, 1) != 1) return NULL;
  touch(reads != NULL);
  return NULL;
}

static void *after_spinning(void *reads) {
  while (!go) continue;
  touch(reads != NULL);
  return NULL;
}

static void *after_main(void *main_thread) {
  pthread_join(*(pthread_t *)main_thread, NULL);
  touch(0);
  end();
  return NULL;
}

static void *at_once(void *reads) {
  touch(reads != NULL);
  return NULL;
}

static char source[64], room[256] __attribute__((aligned(64)));

__attribute__((noinline)) static void copies(void) {
  for (int round = 1; round <= 3; round++) {
    memset(source, round, sizeof source);
    char *to = room, *from = source;
    unsigned long count = sizeof source;
    __asm__ volatile(
        ".globl mark_copy\nmark_copy: rep movsb\n.globl mark_copied\nmark_copied: nop"
        : "+D"(to), "+S"(from), "+c"(count)::"memory");
  }
}

// The touch is the last round of one instruction, and the next is one, too.
__attribute__((noinline)) static void fills(void) {
  char *to = room;
  unsigned long count = 16;
  __asm__ volatile(
      ".globl mark_fill\nmark_fill: rep stosb\n"
      ".globl mark_other_fill\nmark_other_fill: rep stosb\n"
      ".globl mark_filled\nmark_filled: nop"
      : "+D"(to), "+c"(count)
      : "a"(5)
      : "memory");
}

static void *releases(void *unused) {
  (void)unused;
  go = 1;
  return NULL;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  void *reads = strstr(how, "reads") ? source : NULL;
  pthread_t thread, self = pthread_self();
  if (pipe(channel) != 0) return 1;
  if (strstr(how, "waits")) {
    pthread_create(&thread, NULL, after_a_call, reads);
    usleep(1000);
    begin();
    if (write(channel[1], "x", 1) != 1) return 1;
  } else if (strstr(how, "spins")) {
    pthread_create(&thread, NULL, after_spinning, reads);
    while (clock_gettime(0, &(struct timespec){0}) != 0) continue;
    begin();
    go = 1;
    while (!done) continue;
  } else if (strstr(how, "insists")) {
    begin();
    pthread_create(&thread, NULL, releases, NULL);
    while (!go) target++;
  } else if (strstr(how, "survives")) {
    pthread_create(&thread, NULL, after_main, &self);
    begin();
    pthread_exit(NULL);
  } else if (strstr(how, "later")) {
    begin();
    pthread_create(&thread, NULL, at_once, reads);
  } else {
    begin();
    if (strstr(how, "fills")) fills();
    copies();
    end();
    return 0;
  }
  pthread_join(thread, NULL);
  end();
  return 0;
}
