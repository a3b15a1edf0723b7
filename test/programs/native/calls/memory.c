// Memory: mapped, moved, advised, locked, asked about, shared with nobody.
#include "calls.h"

#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <sys/prctl.h>
#include <sys/shm.h>

static char *pages(int count) {
  char *p = mmap(NULL, (size_t)count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(p != MAP_FAILED);
  for (int i = 0; i < count; ++i) p[i * 4096] = (char)(i + 1);
  return p;
}

SITUATION(mapped_and_unmapped_in_pieces) {
  char *p = pages(8);
  OK(CALL(munmap, p + 4096, 8192L));
  EXPECT(p[0] == 1 && p[3 * 4096] == 4);
  OK(CALL(munmap, p, 8 * 4096L));
}
SITUATION(fixed_over_old) {
  char *p = pages(4);
  EXPECT(mmap(p + 4096, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p + 4096);
  EXPECT(p[4096] == 0 && p[8192] == 3);
}
SITUATION(fixed_without_replacing) {
  char *p = pages(2);
  void *q = mmap(p, 4096, PROT_READ, MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(q == MAP_FAILED && errno == EEXIST && p[0] == 1);
  OK(munmap(p, 8192));
  EXPECT(mmap(p, 4096, PROT_READ, MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p);
}
SITUATION(populated_and_unreserved) {
  char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  char *q = mmap(NULL, 1L << 33, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EXPECT(p != MAP_FAILED && q != MAP_FAILED);
  q[1L << 32] = 7;
  EXPECT(q[1L << 32] == 7 && p[100] == 0);
}
SITUATION(low_addresses) {
  char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  EXPECT(p != MAP_FAILED && (uint64_t)p < 1ull << 32);
  p[5] = 5;
}
SITUATION(stack_like) {
  char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK, -1, 0);
  EXPECT(p != MAP_FAILED);
  p[65535] = 1;
}
SITUATION(huge_pages_asked_for) {
  char *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  if (p != MAP_FAILED) p[100] = 1;
  char *q = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASK(madvise(q, 4 << 20, MADV_HUGEPAGE));
  memset(q, 3, 3 << 20);
  ASK(madvise(q, 4 << 20, 25 /* MADV_COLLAPSE */));
  ASK(madvise(q, 4 << 20, MADV_NOHUGEPAGE));
}
SITUATION(file_private_written) {
  int fd = file_of("f", 10000);
  char *p = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  EXPECT(p[9999] == other_noise[9999] && p[10001] == 0);
  p[0] = 99;
  EXPECT(pread(fd, noise, 1, 0) == 1 && noise[0] != 99);
  char *q = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
  EXPECT(q[0] == other_noise[4096]);
}
SITUATION(file_shared_read_only) {
  int fd = file_of("f", 4096);
  char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  EXPECT(p != MAP_FAILED && p[77] == other_noise[77]);
  OK(CALL(msync, p, 4096L, MS_SYNC));
}
SITUATION(beyond_the_end_of_a_file) {
  int fd = file_of("f", 100);
  char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
  EXPECT(p[200] == 0);
  FAILS(CALL(write, 1, p + 4096, 10L), EFAULT);
}
SITUATION(shared_anonymous) {
  char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(p != MAP_FAILED);
  strcpy(p, "mine");
  OK(CALL(msync, p, 8192L, MS_ASYNC));
  EXPECT(p[0] == 'm');
}
SITUATION(mapping_fails) {
  EXPECT(CALL(mmap, 0L, 0L, 3L, 0x22L, -1L, 0L) == -1 && errno == EINVAL);
  EXPECT(CALL(mmap, 0L, 4096L, 3L, 2L, 99L, 0L) == -1 && errno == EBADF);
  EXPECT(CALL(mmap, 0L, 4096L, 3L, 0x22L, -1L, 17L) == -1);
  EXPECT(CALL(mmap, 0L, 1L << 60, 3L, 0x22L, -1L, 0L) == -1 && errno == ENOMEM);
  FAILS(CALL(munmap, 5L, 4096L), EINVAL);
}
SITUATION(protected_in_pieces) {
  char *p = pages(4);
  OK(CALL(mprotect, p + 4096, 4096L, PROT_READ));
  OK(CALL(mprotect, p + 8192, 4096L, PROT_NONE));
  EXPECT(p[4096] == 2);
  FAILS(CALL(read, 0, p + 8192, 10L), EFAULT);
  OK(CALL(mprotect, p, 4 * 4096L, PROT_READ | PROT_WRITE));
  p[8192] = 8;
  FAILS(CALL(mprotect, p + 1, 4096L, PROT_READ), EINVAL);
}
SITUATION(protection_keys) {
  char *p = pages(1);
  int key = (int)CALL(pkey_alloc, 0, 0);
  NEEDS(key >= 0, "this processor has no protection keys");
  OK(CALL(pkey_mprotect, p, 4096L, 3, key));
  p[0] = 5;
  OK(CALL(pkey_mprotect, p, 4096L, 3, -1));
  OK(CALL(pkey_free, key));
}
SITUATION(protection_keys_fail) {
  char *p = pages(1);
  OK(CALL(pkey_mprotect, p, 4096L, PROT_READ, -1));
  FAILS(CALL(pkey_mprotect, p, 4096L, PROT_READ, 14), EINVAL);
  FAILS(CALL(pkey_free, 15), EINVAL);
  FAILS(CALL(pkey_alloc, 1, 0), EINVAL);
}
SITUATION(grown_in_place_and_moved) {
  char *p = pages(16);
  OK(munmap(p + 8 * 4096, 8 * 4096));
  char *q = (char *)CALL(mremap, p, 8 * 4096L, 12 * 4096L, 0);
  EXPECT(q == p && q[7 * 4096] == 8);
  q = (char *)CALL(mremap, p, 12 * 4096L, 4000 * 4096L, MREMAP_MAYMOVE);
  EXPECT(q != MAP_FAILED && q[4096] == 2);
  q[3999 * 4096L] = 1;
}
SITUATION(shrunk) {
  char *p = pages(8);
  EXPECT((char *)CALL(mremap, p, 8 * 4096L, 2 * 4096L, 0) == p && p[4096] == 2);
  FAILS(CALL(mremap, p, 2 * 4096L, 0L, 0), EINVAL);
}
SITUATION(moved_to_a_place) {
  char *p = pages(2), *q = pages(4);
  EXPECT((char *)CALL(mremap, p, 8192L, 8192L, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
  EXPECT(q[0] == 1 && q[4096] == 2 && q[8192] == 3);
  FAILS(CALL(madvise, p, 4096L, MADV_NORMAL), ENOMEM);
}
SITUATION(moved_without_unmapping) {
  char *p = pages(2);
  char *q = (char *)CALL(mremap, p, 8192L, 8192L, MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */, 0L);
  NEEDS(q != MAP_FAILED, "this kernel has no MREMAP_DONTUNMAP");
  EXPECT(q != p && q[4096] == 2 && p[4096] == 0);
  p[0] = 9;
}
SITUATION(moved_part_of_a_mapping) {
  char *p = pages(6);
  char *q = (char *)CALL(mremap, p + 4096, 8192L, 16384L, MREMAP_MAYMOVE);
  EXPECT(q != MAP_FAILED && q[0] == 2 && q[4096] == 3 && p[0] == 1 && p[3 * 4096] == 4);
}
SITUATION(program_break_grown_and_shrunk) {
  char *start = sbrk(0);
  EXPECT(sbrk(20000) == start);
  memset(start, 4, 20000);
  OK(brk(start + 5000));
  EXPECT((char *)CALL(brk, 0L) == start + 5000 && start[4999] == 4);
  sbrk(20000);
  EXPECT(start[10000] == 0 || 1);
  computed += (uint64_t)start[12000];
}
SITUATION(forgotten) {
  char *p = pages(8);
  OK(CALL(madvise, p, 4 * 4096L, MADV_DONTNEED));
  EXPECT(p[0] == 0 && p[5 * 4096] == 6);
  ASK(CALL(madvise, p + 4 * 4096, 4 * 4096L, MADV_FREE));
  p[4 * 4096] = 1;
  EXPECT(p[4 * 4096] == 1);
}
SITUATION(advised_in_all_forms) {
  char *p = pages(16);
  static const int forms[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_MERGEABLE, MADV_UNMERGEABLE,
                              MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_DONTFORK, MADV_DOFORK,
                              20 /* COLD */, 21 /* PAGEOUT */, 22 /* POPULATE_READ */, 23 /* POPULATE_WRITE */,
                              9 /* REMOVE */, 24 /* DONTNEED_LOCKED */, 100 /* HWPOISON */, 77};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; ++i) {
    if (forms[i] == 100) continue;  // as root it would really poison the page
    ASK(CALL(madvise, p, 4 * 4096L, forms[i]));
    p[0] = (char)i;
  }
  EXPECT(p[5 * 4096] == 6);
}
SITUATION(guarded) {
  char *p = pages(4);
  TRY(CALL(madvise, p + 4096, 4096L, 102 /* MADV_GUARD_INSTALL */) == 0 ? 0 : (errno == EINVAL ? (errno = ENOSYS, -1) : -1));
  FAILS(CALL(write, 1, p + 4096, 1L), EFAULT);
  OK(CALL(madvise, p + 4096, 4096L, 103 /* MADV_GUARD_REMOVE */));
  EXPECT(p[4096] == 0 && p[8192] == 3);
}
static volatile int caught;
static char *guard;
static void open_guard(int signal, siginfo_t *info, void *context) {
  caught++;
  EXPECT(info->si_addr == guard + 10);
  madvise(guard, 4096, 103);
}
SITUATION(guard_touched_and_repaired) {
  char *p = pages(4);
  guard = p + 4096;
  NEEDS(CALL(madvise, guard, 4096L, 102) == 0, "this kernel has no MADV_GUARD_INSTALL");
  struct sigaction a = {.sa_sigaction = open_guard, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL);
  guard[10] = 5;
  EXPECT(caught == 1 && guard[10] == 5);
}
SITUATION(advised_by_descriptor) {
  char *p = pages(4);
  struct iovec v[2] = {{p, 4096}, {p + 8192, 4096}};
  int fd = (int)TRY(CALL(pidfd_open, getpid(), 0));
  TRY(NUMBER(440, fd, v, 2L, 20 /* COLD */, 0));
  ASK(NUMBER(440, fd, v, 2L, 4 /* DONTNEED */, 0));
  computed += (uint64_t)p[0];
}
SITUATION(forgotten_by_descriptor) {
  char *p = pages(4);
  struct iovec v = {p, 8192};
  int fd = (int)TRY(CALL(pidfd_open, getpid(), 0));
  long n = NUMBER(440, fd, &v, 1L, MADV_DONTNEED, 0);
  NEEDS(n == 8192, "this kernel does not forget by descriptor");
  EXPECT(p[0] == 0 && p[4096] == 0 && p[8192] == 3);
}
SITUATION(resident) {
  char *p = pages(8);
  unsigned char present[8];
  OK(CALL(mincore, p, 8 * 4096L, present));
  EXPECT(present[0] & 1);
  FAILS(CALL(mincore, p + 1, 4096L, present), EINVAL);
  OK(munmap(p + 4096, 4096));
  FAILS(CALL(mincore, p, 8 * 4096L, present), ENOMEM);
}
SITUATION(locked) {
  char *p = pages(4);
  OK(CALL(mlock, p, 4096L));
  OK(CALL(mlock2, p + 4096, 4096L, 1));
  OK(CALL(munlock, p, 8192L));
  ASK(CALL(mlockall, MCL_CURRENT | MCL_FUTURE));
  p = pages(2);
  OK(CALL(munlockall));
  FAILS(CALL(mlock, 4096L, 4096L), ENOMEM);
}
SITUATION(barriers) {
  long known = TRY(CALL(membarrier, MEMBARRIER_CMD_QUERY, 0, 0));
  if (known & MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
    OK(CALL(membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    OK(CALL(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  }
  ASK(CALL(membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
}
SITUATION(policies) {
  char *p = pages(4);
  int mode = -1;
  unsigned long nodes[16] = {1}, got[16];
  TRY(CALL(get_mempolicy, &mode, got, 1024L, 0L, 0L));
  ASK(CALL(set_mempolicy, MPOL_PREFERRED, nodes, 64L));
  ASK(CALL(get_mempolicy, &mode, got, 1024L, p, MPOL_F_ADDR));
  ASK(CALL(get_mempolicy, &mode, NULL, 0L, p, MPOL_F_ADDR | MPOL_F_NODE));
  ASK(CALL(mbind, p, 4096L, MPOL_BIND, nodes, 64L, 0));
  ASK(NUMBER(450, p, 4096L, 0L, 0L));
  ASK(CALL(set_mempolicy, MPOL_DEFAULT, NULL, 0L));
  ASK(CALL(migrate_pages, 0, 64L, nodes, nodes));
}
SITUATION(pages_asked_and_moved) {
  char *p = pages(4);
  void *list[4] = {p, p + 4096, p + 8192, (void *)0x1000};
  int status[4] = {9, 9, 9, 9}, nodes[4] = {0, 0, 0, 0};
  TRY(CALL(move_pages, 0, 4L, list, NULL, status, 0));
  EXPECT(status[0] == 0 && status[3] < 0);
  ASK(CALL(move_pages, 0, 3L, list, nodes, status, 2));
}
SITUATION(pages_of_a_file_in_another_order_refused) {
  int fd = file_of("f", 16384);
  char *p = mmap(NULL, 16384, PROT_READ, MAP_SHARED, fd, 0);
  FAILS(CALL(remap_file_pages, p, 4096L, 0, 2L, 0), ENOSYS);
  EXPECT(p[0] == other_noise[0] && p[4096] == other_noise[4096]);
}
SITUATION(sealed) {
  char *p = pages(1);
  TRY(NUMBER(462, p, 4096L, 0L));
  FAILS(mprotect(p, 4096, PROT_READ), EPERM);
  p[0] = 4;
}
SITUATION(shadow_stack) {
  ASK(NUMBER(453, 0L, 4096L, 0L));
  ASK(CALL(arch_prctl, 0x5001 /* ARCH_SHSTK_ENABLE */, 0L));
}
SITUATION(secret_refused) { FAILS(NUMBER(447, 0), ENOSYS); }
SITUATION(named_mappings) {
  char *p = pages(1);
  ASK(prctl(0x53564d41 /* PR_SET_VMA */, 0L, p, 4096L, "pool"));
  ASK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
  ASK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}
SITUATION(segment_bases) {
  uint64_t fs = 0, gs = 1;
  OK(CALL(arch_prctl, 0x1003 /* GET_FS */, &fs));
  OK(CALL(arch_prctl, 0x1001 /* SET_GS */, noise));
  OK(CALL(arch_prctl, 0x1004 /* GET_GS */, &gs));
  EXPECT(gs == (uint64_t)noise && fs != 0);
  noise[8] = 33;
  char got;
  __asm__ volatile("movb %%gs:8, %0" : "=r"(got));
  EXPECT(got == 33);
  ASK(CALL(arch_prctl, 0x1021 /* XCOMP_SUPP */, &fs));
  ASK(CALL(arch_prctl, 0x1022 /* XCOMP_PERM */, &fs));
  ASK(CALL(arch_prctl, 0x1011 /* GET_CPUID */));
}
SITUATION(local_descriptor_table) {
  struct { uint32_t entry, base, limit, flags; } d = {0, 0x10000, 0xfff, 1 | 2 | 0x10};
  long n = CALL(modify_ldt, 0, noise, 64L);
  NEEDS(n >= 0 || errno != ENOSYS, "this kernel has no modify_ldt");
  ASK(CALL(modify_ldt, 1, &d, sizeof d));
  ASK(CALL(modify_ldt, 0, noise, 64L));
  ASK(CALL(modify_ldt, 2, noise, 64L));
}
SITUATION(other_process_read_and_written) {
  static char text[32] = "child's";
  int ready[2];
  OK(pipe(ready));
  pid_t child = CHILD({
    strcpy(text, "of the child");
    if (write(ready[1], "x", 1) != 1) _exit(1);
    while (text[0] != 'W') nap(300);
  });
  EXPECT(read(ready[0], noise, 1) == 1);
  struct iovec local[2] = {{noise, 5}, {noise + 100, 20}}, remote = {text, 13};
  EXPECT(CALL(process_vm_readv, child, local, 2L, &remote, 1L, 0L) == 13 && strcmp(noise + 100, "e child") == 0);
  struct iovec one = {"W", 1}, there = {text, 1};
  EXPECT(CALL(process_vm_writev, child, &one, 1L, &there, 1L, 0L) == 1);
  EXPECT(end_of(child) == 0);
}
SITUATION(own_memory_written_as_anothers) {
  static char target[64];
  struct iovec local = {"written", 8}, remote = {target, 8};
  EXPECT(CALL(process_vm_writev, getpid(), &local, 1L, &remote, 1L, 0L) == 8 && strcmp(target, "written") == 0);
}
SITUATION(code_written_and_run) {
  unsigned char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(p, "\xb8\x2a\0\0\0\xc3", 6);  // mov eax, 42; ret
  OK(mprotect(p, 4096, PROT_READ | PROT_EXEC));
  EXPECT(((int (*)(void))p)() == 42);
}
SITUATION(large_memory_touched_here_and_there) {
  char *p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (long i = 0; i < 64; ++i) p[i << 20] = (char)i;
  long sum = 0;
  for (long i = 0; i < 64; ++i) sum += p[i << 20];
  EXPECT(sum == 64 * 63 / 2);
}
SITUATION(allocated_and_freed) {
  char *kept[100];
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) memset(kept[i] = malloc((size_t)(i * 997 % 70000 + 1)), i, 1);
    for (int i = 0; i < 100; ++i) free(kept[(i * 37) % 100]);
  }
}
