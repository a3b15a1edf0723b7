// The shape of memory: mappings that come, grow, move and go between checkpoints.
#include "situations.h"

#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char *map(size_t bytes, int protection, int flags) {
  char *p = mmap(NULL, bytes, protection, flags | MAP_ANONYMOUS, -1, 0);
  EXPECT(p != MAP_FAILED);
  return p;
}

static char large_array[8 << 20];
static int initialized[1 << 16] = {1, 2, 3};

SITUATION(static_arrays) {
  for (size_t i = 0; i < sizeof large_array; i += 4096) {
    large_array[i] = (char)i;
    if (i % (1 << 20) == 0) compute(1);
  }
  for (int i = 0; i < 1 << 16; ++i) initialized[i] += i;
  EXPECT(initialized[2] == 5);
}

SITUATION(shared_anonymous) {
  volatile char *p = map(1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 1 << 20; i += 4096) p[i] = (char)(p[i] + round + i);
    compute(2);
  }
  EXPECT(p[4096] == 6);
}

SITUATION(moved_and_grown) {
  char *p = map(1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  memset(p, 7, 1 << 16);
  compute(2);
  for (int i = 17; i < 24; ++i) {
    p = mremap(p, 1u << (i - 1), 1u << i, MREMAP_MAYMOVE);
    EXPECT(p != MAP_FAILED && p[(1 << 16) - 1] == 7);
    p[(1 << i) - 1] = (char)i;
    compute(1);
  }
  p = mremap(p, 1 << 23, 1 << 16, 0);
  EXPECT(p != MAP_FAILED);
  char *place = map(1 << 16, PROT_NONE, MAP_PRIVATE);
  p = mremap(p, 1 << 16, 1 << 16, MREMAP_MAYMOVE | MREMAP_FIXED, place);
  EXPECT(p == place && p[100] == 7);
  compute(2);
}

SITUATION(program_break) {
  char *start = sbrk(0);
  for (int i = 0; i < 20; ++i) {
    char *p = sbrk(100000);
    EXPECT(p != (void *)-1);
    memset(p, i, 100000);
    compute(1);
  }
  EXPECT(start[1999999] == 19);
  EXPECT(sbrk(-1900000) != (void *)-1);
  compute(2);
  EXPECT(start[99999] == 0);
}

SITUATION(holes) {
  char *p = map(64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (int i = 0; i < 64; ++i) p[i * 4096] = (char)i;
  for (int i = 1; i < 64; i += 2) {
    EXPECT(munmap(p + i * 4096, 4096) == 0);
    if (i % 16 == 1) compute(1);
  }
  for (int i = 0; i < 64; i += 2) EXPECT(p[i * 4096] == i);
  char *again = mmap(p + 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  EXPECT(again == p + 4096 && again[0] == 0);
  compute(2);
}

SITUATION(advice) {
  char *p = map(1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  memset(p, 9, 1 << 20);
  compute(3);
  EXPECT(madvise(p + 8192, 1 << 19, MADV_DONTNEED) == 0);
  EXPECT(p[8192] == 0 && p[0] == 9);
  p[8192] = 4;
  compute(3);
  EXPECT(madvise(p, 4096, MADV_WILLNEED) == 0 && madvise(p, 1 << 20, MADV_NOHUGEPAGE) <= 0);
  unsigned char resident[256];
  EXPECT(mincore(p, 1 << 20, resident) == 0);
  EXPECT(msync(p, 4096, MS_ASYNC) == 0);
}

SITUATION(freed_lazily) {
  char *p = map(1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  memset(p, 9, 1 << 20);
  compute(3);
  EXPECT(madvise(p, 1 << 20, MADV_FREE) == 0);
  compute(3);
  EXPECT(p[0] == 9 || p[0] == 0);
  p[0] = 1;
}

SITUATION(sparse_heap) {
  enum { kPieces = 200 };
  char *pieces[kPieces];
  for (int i = 0; i < kPieces; ++i) {
    pieces[i] = malloc(1 << 20);
    pieces[i][i * 1000] = (char)i;
    if (i % 20 == 0) compute(1);
  }
  for (int i = 0; i < kPieces; ++i) EXPECT(pieces[i][i * 1000] == (char)i);
  for (int i = 0; i < kPieces; i += 2) free(pieces[i]);
  compute(2);
}

SITUATION(allocator) {
  void *kept[500] = {0};
  uint64_t x = 88172645463325252ull;
  for (int i = 0; i < 60000; ++i) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    int slot = (int)(x % 500);
    free(kept[slot]);
    size_t size = (x >> 20) % ((x >> 60) == 0 ? 300000 : 700);
    kept[slot] = malloc(size + 8);
    memset(kept[slot], slot, size < 100 ? size : 100);
  }
  for (int i = 0; i < 500; ++i) free(kept[i]);
}

static int depth_sum(int n) {
  volatile char room[200];
  room[n % 200] = (char)n;
  if (n == 0) return room[0];
  return depth_sum(n - 1) + room[n % 200];
}

SITUATION(deep_recursion) {
  int a = depth_sum(1000);
  compute(2);
  int b = depth_sum(20000);
  compute(2);
  EXPECT(depth_sum(20000) == b && depth_sum(1000) == a);
}

SITUATION(stack_room) {
  for (int i = 1; i < 60; ++i) {
    volatile char *p = alloca((size_t)i * 1000);
    memset((char *)p, i, (size_t)i * 1000);
    EXPECT(p[i * 999] == i);
    if (i % 10 == 0) compute(1);
  }
}

SITUATION(protection) {
  char *p = map(4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  memset(p, 3, 4 * 4096);
  for (int i = 0; i < 20; ++i) {
    EXPECT(mprotect(p + 4096, 4096, PROT_READ) == 0);
    compute(i % 5 == 0);
    EXPECT(mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE) == 0);
    p[4096]++;
  }
  EXPECT(p[4096] == 23);
  EXPECT(mprotect(p, 4096, PROT_NONE) == 0);
  compute(2);
}

typedef int (*function)(int);

SITUATION(code_made_and_changed) {
  // mov eax, imm32; add eax, edi; ret
  unsigned char code[] = {0xb8, 0, 0, 0, 0, 0x01, 0xf8, 0xc3};
  unsigned char *page = (unsigned char *)map(4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  int sum = 0;
  for (int i = 0; i < 30; ++i) {
    EXPECT(mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
    code[1] = (unsigned char)i;
    memcpy(page + i * 8, code, sizeof code);
    memcpy(page, code, sizeof code);
    EXPECT(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
    for (int j = 0; j < 1000; ++j) sum += ((function)(uintptr_t)page)(j) - j;
    if (i % 10 == 0) compute(1);
  }
  EXPECT(sum == 435000);
}

SITUATION(code_written_while_executable) {
  unsigned char *page = (unsigned char *)map(4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
  unsigned char code[] = {0xb8, 0, 0, 0, 0, 0x01, 0xf8, 0xc3};
  memcpy(page, code, sizeof code);
  int sum = 0;
  for (int i = 0; i < 20000; ++i) {
    page[1] = (unsigned char)i;
    sum += ((function)(uintptr_t)page)(1);
  }
  compute(2);
  printf("%d\n", sum);
}

// Code is written, computes for some milliseconds, and is written over with other code and with data, all without a
// system call: what a checkpoint finds at the place where it was made was not there when the stretch before it began.
SITUATION(code_made_without_a_call) {
  enum { kPlaces = 16, kRoom = 64 };
  // mov ecx, rounds; xor eax, eax; again: imul eax, eax, odd; add eax, ecx; dec ecx; jnz again; ret
  unsigned char code[] = {0xb9, 0,    0,    0,    0,    0x31, 0xc0, 0x69, 0xc0, 0,    0,
                          0,    0,    0x01, 0xc8, 0xff, 0xc9, 0x75, 0xf4, 0xc3};
  const unsigned rounds = 3000000;
  unsigned char *area = (unsigned char *)map(4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
  unsigned sum = 0;
  for (unsigned i = 0; i < kPlaces; ++i) {
    unsigned char *place = area + (i * 5 % kPlaces) * kRoom;
    for (int j = 0; j < 4096; ++j) sum = sum * 31 + area[j];  // an int3 or a jump of ours would be seen
    const unsigned factor = 2 * i + 3;
    memcpy(code + 1, &rounds, 4);
    memcpy(code + 9, &factor, 4);
    memcpy(place, code, sizeof code);
    sum += ((unsigned (*)(void))(uintptr_t)place)();
    memset(place, (int)i, kRoom);
  }
  printf("%u\n", sum);
}

SITUATION(own_memory_read_by_kernel) {
  char a[100] = "far away", b[100] = {0};
  struct iovec local = {b, 9}, remote = {a, 9};
  EXPECT(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 9);
  compute(2);
  EXPECT(strcmp(b, "far away") == 0);
}

SITUATION(locked) {
  char *p = map(8192, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  int result = mlock(p, 8192);
  p[0] = 1;
  compute(2);
  EXPECT(result == -1 || munlock(p, 8192) == 0);
}

SITUATION(grows_down) {
  char *p = map(16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_GROWSDOWN | MAP_STACK);
  p[15 * 4096] = 1;
  compute(2);
  EXPECT(munmap(p, 8 * 4096) == 0);
  p[8 * 4096] = 2;
  compute(2);
}

SITUATION(tall_stack) {
  // Grows step by step with checkpoints in between.
  for (int i = 0; i < 12; ++i) {
    volatile char *p = alloca(200000);
    for (int j = 0; j < 200000; j += 4096) p[j] = (char)(i + j);
    compute(1);
  }
}

SITUATION(huge_reservation) {
  char *p = mmap(NULL, 64ull << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EXPECT(p != MAP_FAILED);
  EXPECT(mprotect(p + (10ull << 30), 1 << 20, PROT_READ | PROT_WRITE) == 0);
  p[10ull << 30] = 5;
  compute(4);
  EXPECT(p[10ull << 30] == 5);
}

// As sanitizers do: most of it is never touched.
SITUATION(reserves_a_terabyte) {
  const size_t length = (size_t)1 << 40;
  char *reserved = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) CANNOT_PLAY();
  for (size_t i = 0; i < 64; ++i) reserved[i << 34] = (char)(i + 1);
  compute(3);
  EXPECT(madvise(reserved + ((size_t)5 << 34), 4096, MADV_DONTNEED) == 0);
  compute(3);
  EXPECT(mmap(reserved + ((size_t)6 << 34), (size_t)1 << 34, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED);
  compute(3);
  long sum = 0;
  for (size_t i = 0; i < 64; ++i) sum += reserved[i << 34];
  printf("%ld\n", sum);
}

// As large heaps have them; the kernel's own limit is 65,530.
SITUATION(many_mappings) {
  enum { kMappings = 20000 };
  char *p = map(kMappings * 4096l, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (long i = 1; i < kMappings; i += 2) EXPECT(mprotect(p + i * 4096, 4096, PROT_READ) == 0);
  long sum = 0;
  for (int round = 0; round < 3; ++round) {
    for (long i = 0; i < kMappings; i += 2) p[i * 4096] = (char)(i + round);
    compute(2);
    for (long i = 0; i < kMappings; ++i) sum = sum * 3 + p[i * 4096];
  }
  printf("%lx\n", sum);
}

// The kernel makes it larger as it is touched below its end, by the program or by a call.
SITUATION(grows_down_by_itself) {
  enum { kRoom = 8 << 20 };
  char *room = map(kRoom, PROT_NONE, MAP_PRIVATE);
  EXPECT(munmap(room, kRoom) == 0);
  char *top = room + kRoom - 4 * 4096;
  char *p = mmap(top, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE,
                 -1, 0);
  EXPECT(p == top);
  for (int i = 0; i < 200; ++i) {
    p[-i * 4096] = (char)i;
    if (i % 50 == 0) compute(2);
  }
  int fd = open("/proc/self/exe", O_RDONLY);
  EXPECT(pread(fd, p - 300 * 4096, 4, 0) == 4 && memcmp(p - 300 * 4096, "\177ELF", 4) == 0);
  compute(2);
  long sum = 0;
  for (int i = 0; i < 300; ++i) sum = sum * 3 + p[-i * 4096];
  printf("%lx\n", sum);
}
