// Known truth for searches in time: `moves loops`, `moves writers`, `moves
// recursion`, `moves choice`, `moves steps`. Compiled with -O0 -no-pie; MARK
// gives an instruction a name that the tests look up.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MARK(NAME) __asm__ volatile(".globl " #NAME "\n" #NAME ": nop" ::: "memory")

volatile long current, rounds = 20000, even_seen, total, depth, outcome, choice, offset_read;

__attribute__((noinline)) void visit(long i) {
  current = i;
  MARK(mark_visit);
  total += i;
}

__attribute__((noinline)) void visit_tenth(long i) {
  even_seen = i;
  MARK(mark_tenth);
}

__attribute__((noinline)) void the_end(void) { MARK(mark_end); }

static void loops(void) {
  MARK(mark_begin);
  for (long i = 0; i < rounds; ++i) {
    visit(i);
    if (i % 10 == 0) visit_tenth(i);
    if (i % 2000 == 0) (void)getppid();
  }
  the_end();
}

volatile long target[8] __attribute__((aligned(64)));
long source[8] = {11, 12, 13, 14, 15, 16, 17, 18};
long other_stack[512] __attribute__((aligned(64)));

__attribute__((noinline)) void empty(void) {}

// Each writes target[0] (or other_stack[500]) last by one kind of instruction.
static void write_plain(void) {
  for (long i = 0; i < 5000; ++i) __asm__ volatile(".globl write_plain_mark\nwrite_plain_mark: movq %0, target(%%rip)" ::"r"(i));
}
static void write_repeated(void) {
  for (long i = 0; i < 50; ++i) {
    source[0] = 1000 + i;
    void *from = source, *to = (void *)target;
    long n = 8;
    __asm__ volatile(".globl write_repeated_mark\nwrite_repeated_mark: rep movsq" : "+S"(from), "+D"(to), "+c"(n)::"memory");
  }
}
static void write_call(void) {
  for (long i = 0; i < 20; ++i)
    __asm__ volatile(
        "mov %%rsp, %%rbx\n lea other_stack+4008(%%rip), %%rsp\n"
        ".globl write_call_mark\nwrite_call_mark: call empty\n"
        "mov %%rbx, %%rsp" ::: "rbx", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
}
static void write_push(void) {
  for (long i = 0; i < 20; ++i)
    __asm__ volatile(
        "mov %%rsp, %%rbx\n lea other_stack+4008(%%rip), %%rsp\n"
        ".globl write_push_mark\nwrite_push_mark: push %0\n"
        "mov %%rbx, %%rsp" ::"r"(i) : "rbx", "memory");
}
static void write_kernel(void) {
  int fd = open("/proc/self/exe", O_RDONLY);
  for (long i = 0; i < 20; ++i)
    if (pread(fd, (void *)target, 16, i * 8) != 16) abort();
}

static void writers(const char *which) {
  if (!strcmp(which, "plain")) write_plain();
  if (!strcmp(which, "repeated")) write_repeated();
  if (!strcmp(which, "call")) write_call();
  if (!strcmp(which, "push")) write_push();
  if (!strcmp(which, "kernel")) write_kernel();
  for (volatile long i = 0; i < 3000000; ++i) total += i;  // a long way back
  the_end();
}

__attribute__((noinline)) long descend(long n) {
  long mine = n * n;
  depth = n;
  MARK(mark_before_descent);
  if (n > 0) mine += descend(n - 1);
  depth = n;
  MARK(mark_after_descent);
  return mine;
}

static void recursion(void) {
  total = descend(12);
  the_end();
}

// Instructions whose result is recorded.
static void chance(void) {
  for (int i = 0; i < 10; ++i) {
    unsigned long value = 0;
    __asm__ volatile("mark_chance: rdrand %0" : "=r"(value) : : "cc");
    total ^= (long)value;
    current = i;
  }
  the_end();
}

static void stamps(void) {
  for (int i = 0; i < 10; ++i) {
    unsigned low = 0, high = 0;
    __asm__ volatile("mark_stamp: rdtsc" : "=a"(low), "=d"(high));
    total ^= ((long)high << 32) | low;
    current = i;
  }
  the_end();
}

static void identities(void) {
  for (int i = 0; i < 10; ++i) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    __asm__ volatile("mark_identity: cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0), "c"(0));
    total ^= (long)(a ^ b ^ c ^ d) + i;
    current = i;
  }
  the_end();
}

// Opens and closes more than once by the same instructions, so that these calls are recorded without a stop.
static void opens_often(void) {
  char text[8] = "";
  int first = open("chosen", O_RDWR | O_CREAT | O_TRUNC, 0644);
  for (int i = 0; i < 40; ++i) {
    const int fd = open("chosen", O_RDWR);
    if (fd < 0 || write(fd, "first\n", 6) != 6) abort();
    if (i < 39) close(fd);
    else first = fd;
  }
  MARK(mark_opened);
  // On a branch the descriptor is there, at its offset.
  if (lseek(first, -2, SEEK_CUR) != 4 || read(first, text, 2) != 2) abort();
  outcome = text[0] * 256 + text[1];
  offset_read = lseek(first, 0, SEEK_CUR);
  the_end();
}

static void chooses(void) {
  int in = open("/proc/self/exe", O_RDONLY);
  int out = open("chosen", O_RDWR | O_CREAT | O_TRUNC, 0600);
  char buffer[64];
  if (read(in, buffer, 40) != 40 || write(out, "first\n", 6) != 6) abort();
  MARK(mark_choice);
  if (read(in, buffer, 10) != 10) abort();
  offset_read = lseek(in, 0, SEEK_CUR);
  for (int i = 0; i < 3; ++i) {
    outcome = choice ? 100 + i : 200 + i;
    MARK(mark_outcome);
    if (write(out, choice ? "yes\n" : "no\n", choice ? 4 : 3) < 0) abort();
  }
  the_end();
}

__attribute__((noinline)) long twice(long x) {
  total += x;
  printf("twice %ld\n", x);
  fflush(stdout);
  return 2 * x;
}

static void steps(void) {
  char text[100], copy[100];
  MARK(mark_steps);
  for (int i = 0; i < 20; ++i) {
    memset(text, 'a' + i, sizeof text);
    void *from = text, *to = copy;
    long n = sizeof text;
    __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n)::"memory");
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    total += copy[i] + now.tv_nsec % 7 + twice(i);
  }
  the_end();
}

// A callee of many instructions: one step back from behind it goes to its last one.
__attribute__((noinline)) long busy(long n) {
  long x = 1;
  for (long i = 0; i < n; ++i) x = x * 3 + i;
  return x;
}
static void returns(void) {
  total = busy(300000);
  MARK(mark_returned);
  the_end();
}

// One memory at two addresses, and one that is shared with a child.
volatile long *here, *there, *common;
static void aliases(void) {
  int fd = memfd_create("object", 0);
  if (ftruncate(fd, 8192) != 0) abort();
  here = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  there = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (current = 0; current < 2000; ++current) {
    *here = current + 10000 * choice;
    total += *there;
    if (current == 1000) MARK(mark_half);
    if (current % 500 == 0) (void)getppid();
  }
  pid_t child = fork();
  if (child == 0) {
    *common = *there + 100;
    _exit(0);
  }
  waitpid(child, NULL, 0);
  outcome = *common;
  the_end();
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  if (!strcmp(argv[1], "loops")) loops();
  if (!strcmp(argv[1], "writers")) writers(argv[2]);
  if (!strcmp(argv[1], "recursion")) recursion();
  if (!strcmp(argv[1], "choice")) chooses();
  if (!strcmp(argv[1], "opens")) opens_often();
  if (!strcmp(argv[1], "chance")) chance();
  if (!strcmp(argv[1], "stamps")) stamps();
  if (!strcmp(argv[1], "identities")) identities();
  if (!strcmp(argv[1], "steps")) steps();
  if (!strcmp(argv[1], "returns")) returns();
  if (!strcmp(argv[1], "aliases")) aliases();
  printf("%ld %ld\n", total, outcome);
  return 0;
}
