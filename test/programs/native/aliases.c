// The same memory at several addresses: what is written at one is read at the others.
#include "situations.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096, kWritten = PROT_READ | PROT_WRITE };

static int object(long length) {
  int fd = memfd_create("object", MFD_CLOEXEC);
  EXPECT(fd >= 0 && ftruncate(fd, length) == 0);
  return fd;
}

static char *map(void *at, long length, int protection, int fd, long offset) {
  char *p = mmap(at, (size_t)length, protection, MAP_SHARED | (at ? MAP_FIXED : 0), fd, offset);
  EXPECT(p != MAP_FAILED);
  return p;
}

// Writes in one place and reads in the other, both ways, with nothing between that a replay could be told.
static uint64_t back_and_forth(volatile char *a, volatile char *b, int length) {
  uint64_t sum = 0;
  for (int i = 0; i < length; i += 7) {
    a[i] = (char)(a[i] + 1);
    sum = sum * 31 + (unsigned char)b[i];
    b[i] = (char)(b[i] * 3);
    sum = sum * 31 + (unsigned char)a[i];
  }
  return sum;
}

static void both_ways(volatile char *a, volatile char *b, int length) {
  for (int round = 0; round < 12; ++round) {
    printf("%llx\n", (unsigned long long)back_and_forth(a, b, length));
    if (round % 3 == 0) compute(2);
  }
  fflush(stdout);
}

SITUATION(memory_file) {
  int fd = object(2 * kPage);
  char *a = map(NULL, 2 * kPage, kWritten, fd, 0);
  a[5000] = 17;
  compute(3);
  char *b = map(NULL, 2 * kPage, kWritten, fd, 0);
  EXPECT(b[5000] == 17);
  both_ways(a, b, 2 * kPage);
}

SITUATION(file) {
  char name[] = "/tmp/aliases-XXXXXX";
  int fd = mkstemp(name);
  EXPECT(fd >= 0 && unlink(name) == 0 && ftruncate(fd, 2 * kPage) == 0);
  char *a = map(NULL, 2 * kPage, kWritten, fd, 0), *b = map(NULL, 2 * kPage, kWritten, fd, 0);
  both_ways(a, b, 2 * kPage);
  EXPECT(pwrite(fd, "by a call", 10, 100) == 10);
  EXPECT(strcmp(a + 100, "by a call") == 0 && strcmp(b + 100, "by a call") == 0);
  compute(3);
  b[100] = 'B';
  char text[10];
  EXPECT(pread(fd, text, 10, 100) == 10 && strcmp(text, "By a call") == 0 && a[100] == 'B');
  both_ways(b, a, 2 * kPage);
}

SITUATION(system_v) {
  int id = shmget(IPC_PRIVATE, 2 * kPage, IPC_CREAT | 0600);
  if (id < 0) CANNOT_PLAY();
  char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, 0), *c = shmat(id, NULL, SHM_RDONLY);
  EXPECT(a != (void *)-1 && b != (void *)-1 && c != (void *)-1 && shmctl(id, IPC_RMID, NULL) == 0);
  both_ways(a, b, 2 * kPage);
  EXPECT(c[7] == a[7] && shmdt(a) == 0);
  b[7]++;
  EXPECT(c[7] == b[7]);
  both_ways(b, b + kPage, kPage);
}

// A record that begins near the end goes on at the beginning, and is still in one piece.
SITUATION(ring) {
  enum { kRing = 3 * kPage };
  int fd = object(kRing);
  char *ring = mmap(NULL, 2 * kRing, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(ring != MAP_FAILED);
  map(ring, kRing, kWritten, fd, 0);
  map(ring + kRing, kRing, kWritten, fd, 0);
  close(fd);
  unsigned long long sum = 0;
  for (int written = 0, i = 0; i < 400; ++i) {
    char *record = ring + written % kRing;
    int length = 100 + i * 37 % 900;
    for (int k = 0; k < length; ++k) record[k] = (char)(i + k);
    written += length;
    for (int k = 0; k < length; ++k) sum = sum * 7 + (unsigned char)ring[(written - length + k) % kRing];
    if (i % 100 == 0) compute(2);
    if (i % 40 == 0) printf("%llx\n", sum);
    if (i % 40 == 0) fflush(stdout);
  }
}

// mov eax, N; ret
static void write_function(char *at, uint32_t answer) {
  at[0] = (char)0xb8;
  memcpy(at + 1, &answer, 4);
  at[5] = (char)0xc3;
}

typedef uint32_t (*function)(void);

SITUATION(code) {
  int fd = object(4 * kPage);
  char *writable = map(NULL, 4 * kPage, kWritten, fd, 0);
  char *executable = map(NULL, 4 * kPage, PROT_READ | PROT_EXEC, fd, 0);
  uint64_t sum = 0;
  for (uint32_t round = 0; round < 300; ++round) {
    const uint32_t at = round * 16 * 37 % (4 * kPage - 16);
    write_function(writable + at, round * 1000);
    EXPECT(((function)(executable + at))() == round * 1000);
    sum = sum * 3 + (unsigned char)executable[at + 2];
    if (round % 60 == 0) compute(2);
    if (round % 20 == 0) printf("%llx\n", (unsigned long long)sum);
    if (round % 20 == 0) fflush(stdout);
  }
}

static volatile sig_atomic_t struck;
static void on_signal(int signal) { struck += signal == SIGALRM; }

// Signals that strike in code which is mapped for execution alone: a replay looks for their places there.
SITUATION(code_interrupted) {
  int fd = object(kPage);
  char *writable = map(NULL, kPage, kWritten, fd, 0);
  char *executable = map(NULL, kPage, PROT_READ | PROT_EXEC, fd, 0);
  // mov eax, 0; mov ecx, edi; 1: lea eax, [rax + rcx * 4 + 0]; dec ecx; jnz 1b; ret
  static const unsigned char code[] = {0xb8, 0,    0, 0, 0, 0x89, 0xf9, 0x8d, 0x84, 0x88, 0,
                                       0,    0,    0, 0xff, 0xc9, 0x75, 0xf5, 0xc3};
  memcpy(writable, code, sizeof code);
  struct sigaction action = {.sa_handler = on_signal};
  EXPECT(sigaction(SIGALRM, &action, NULL) == 0);
  struct itimerval every = {{0, 15000}, {0, 15000}}, never = {{0, 0}, {0, 0}};
  EXPECT(setitimer(ITIMER_REAL, &every, NULL) == 0);
  uint32_t sum = 0;
  while (struck < 5) sum += ((uint32_t(*)(uint32_t))executable)(20000000);
  EXPECT(setitimer(ITIMER_REAL, &never, NULL) == 0);
  EXPECT(memcmp(writable, code, sizeof code) == 0 && sum % 2 == 0);
  compute(2);
}

SITUATION(protections) {
  int fd = object(3 * kPage);
  char *a = map(NULL, 3 * kPage, kWritten, fd, 0), *b = map(NULL, 3 * kPage, PROT_NONE, fd, 0);
  strcpy(a + kPage, "seen later");
  compute(2);
  EXPECT(mprotect(b + kPage, kPage, PROT_READ) == 0 && strcmp(b + kPage, "seen later") == 0);
  compute(2);
  EXPECT(mprotect(a, 3 * kPage, PROT_READ) == 0 && mprotect(b, 3 * kPage, kWritten) == 0);
  strcpy(b + kPage, "and changed");
  EXPECT(strcmp(a + kPage, "and changed") == 0);
  compute(2);
  EXPECT(mprotect(a, 3 * kPage, PROT_NONE) == 0);
  b[0] = 1;
  compute(2);
  EXPECT(mprotect(a, 3 * kPage, kWritten) == 0 && a[0] == 1);
  both_ways(a, b, 3 * kPage);
}

SITUATION(parts) {
  int fd = object(8 * kPage);
  char *a = map(NULL, 5 * kPage, kWritten, fd, 0), *b = map(NULL, 5 * kPage, kWritten, fd, 3 * kPage);
  char *c = map(NULL, kPage, kWritten, fd, 4 * kPage);
  a[0] = b[4 * kPage] = 1;
  for (int i = 0; i < 20; ++i) {
    a[4 * kPage + i] = (char)i;
    b[kPage + i]++;
    c[i]++;
    EXPECT(a[4 * kPage + i] == i + 2 && c[i] == i + 2);
    if (i % 5 == 0) compute(2);
  }
  both_ways(a + 3 * kPage, b, 2 * kPage);
  EXPECT(munmap(a + 4 * kPage, kPage) == 0);
  both_ways(b + kPage, c, kPage);
}

SITUATION(unmapped_and_again) {
  int fd = object(2 * kPage);
  for (int round = 0; round < 4; ++round) {
    char *a = map(NULL, 2 * kPage, kWritten, fd, 0), *b = map(NULL, 2 * kPage, kWritten, fd, 0);
    EXPECT(a[9] == 0 && b[kPage] == 0);
    a[9] = b[kPage] = (char)(round + 1);
    EXPECT(b[9] == a[kPage]);
    compute(2);
    EXPECT(munmap(a, 2 * kPage) == 0);
    EXPECT(b[9] == round + 1);
    b[10] = 1;
    compute(2);
    EXPECT(munmap(b, 2 * kPage) == 0 && ftruncate(fd, 0) == 0 && ftruncate(fd, 2 * kPage) == 0);
  }
}

SITUATION(moved) {
  int fd = object(4 * kPage);
  char *a = map(NULL, 2 * kPage, kWritten, fd, 0), *b = map(NULL, 2 * kPage, kWritten, fd, 0);
  strcpy(a + 10, "moved");
  char *room = mmap(NULL, 4 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(room != MAP_FAILED);
  compute(2);
  char *far = mremap(a, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, room);
  EXPECT(far == room && strcmp(far + 10, "moved") == 0);
  far[3 * kPage] = 'x';
  both_ways(far, b, 2 * kPage);
  // Growing, it comes to hold what is mapped elsewhere.
  char *last = map(NULL, kPage, kWritten, fd, 3 * kPage);
  EXPECT(last[0] == 'x');
  far = mremap(far, 4 * kPage, kPage, 0);
  EXPECT(far == room);
  compute(2);
  last[1] = 'y';
  far = mremap(far, kPage, 4 * kPage, MREMAP_MAYMOVE);
  EXPECT(far != MAP_FAILED && far[3 * kPage + 1] == 'y');
  both_ways(far + 3 * kPage, last, kPage);
}

SITUATION(doubled) {
  int fd = object(2 * kPage);
  char *a = map(NULL, 2 * kPage, kWritten, fd, 0);
  a[1] = 'f';
  compute(2);
  char *b = mremap(a, 0, 2 * kPage, MREMAP_MAYMOVE);
  EXPECT(b != MAP_FAILED && b != a && b[1] == 'f');
  both_ways(a, b, 2 * kPage);
  char *c = mremap(a, 0, kPage, MREMAP_MAYMOVE);
  EXPECT(c != MAP_FAILED);
  both_ways(c, b, kPage);
}

SITUATION(anonymous_doubled) {
  char *a = mmap(NULL, 2 * kPage, kWritten, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(a != MAP_FAILED);
  strcpy(a + 50, "of nobody else");
  compute(2);
  char *b = mremap(a, 0, 2 * kPage, MREMAP_MAYMOVE);
  EXPECT(b != MAP_FAILED && b != a && strcmp(b + 50, "of nobody else") == 0);
  both_ways(a, b, 2 * kPage);
  char *c = mremap(a, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
  if (c == MAP_FAILED) return;  // not every kernel does that with shared memory
  both_ways(a, c, 2 * kPage);
  both_ways(b, c, 2 * kPage);
}

// Shared memory keeps what private memory loses.
SITUATION(anonymous_advised) {
  char *a = mmap(NULL, 2 * kPage, kWritten, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(a != MAP_FAILED);
  a[0] = a[kPage] = 'k';
  compute(2);
  EXPECT(madvise(a, kPage, MADV_DONTNEED) == 0 && a[0] == 'k');
  compute(2);
  EXPECT(madvise(a + kPage, kPage, MADV_REMOVE) == 0 && a[kPage] == 0 && a[0] == 'k');
  compute(2);
}

SITUATION(child) {
  int fd = object(2 * kPage);
  volatile char *a = map(NULL, 2 * kPage, kWritten, fd, 0), *b = map(NULL, 2 * kPage, kWritten, fd, 0);
  for (int round = 0; round < 4; ++round) {
    pid_t child = fork();
    if (child == 0) {
      a[round] = (char)(b[100 + round] + 1);
      _exit(0);
    }
    EXPECT(waitpid(child, NULL, 0) == child);
    EXPECT(b[round] == round + 1);
    a[101 + round] = b[round];
    compute(2);
  }
  both_ways(a, b, 2 * kPage);
}

static volatile int *there;
static void *writer(void *here) {
  for (int i = 1; i <= 6; ++i) {
    compute(3);
    *(volatile int *)here = i;
    while (there[1] != i) continue;
  }
  return NULL;
}

// Threads that wait for each other's memory, without a call.
SITUATION(threads) {
  int fd = object(kPage);
  volatile int *here = (int *)map(NULL, kPage, kWritten, fd, 0);
  there = (int *)map(NULL, kPage, kWritten, fd, 0);
  pthread_t thread;
  EXPECT(pthread_create(&thread, NULL, writer, (void *)here) == 0);
  for (int i = 1; i <= 6; ++i) {
    while (there[0] != i) continue;
    here[1] = i;
  }
  EXPECT(pthread_join(thread, NULL) == 0 && here[0] == 6);
}
