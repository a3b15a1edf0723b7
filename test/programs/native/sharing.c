// Memory shared with files, children and others.
#include "situations.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096 };

static int temporary_file(long length) {
  char name[] = "/tmp/sharing-XXXXXX";
  int fd = mkstemp(name);
  EXPECT(fd >= 0 && unlink(name) == 0 && ftruncate(fd, length) == 0);
  return fd;
}

static char *map_shared(int fd, long length, long offset) {
  char *p = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
  EXPECT(p != MAP_FAILED);
  return p;
}

static void file_is_written_both_ways(int fd) {
  char text[32];
  char *p = map_shared(fd, 2 * kPage, 0);
  EXPECT(p[0] == 0 && p[2 * kPage - 1] == 0);
  compute(3);
  strcpy(p, "through memory");
  compute(3);
  EXPECT(pread(fd, text, sizeof text, 0) == sizeof text && strcmp(text, "through memory") == 0);
  EXPECT(pwrite(fd, "by a call", 10, kPage + 100) == 10);
  EXPECT(strcmp(p + kPage + 100, "by a call") == 0);
  compute(3);
  p[kPage + 100] = 'B';
  EXPECT(msync(p, 2 * kPage, MS_SYNC) == 0 && munmap(p, 2 * kPage) == 0);
  p = map_shared(fd, 2 * kPage, 0);
  EXPECT(strcmp(p, "through memory") == 0 && strcmp(p + kPage + 100, "By a call") == 0);
  puts(p);
  compute(3);
}
SITUATION(file) { file_is_written_both_ways(temporary_file(2 * kPage)); }
SITUATION(memory_file) {
  int fd = memfd_create("name", 0);
  EXPECT(fd >= 0 && ftruncate(fd, 2 * kPage) == 0);
  file_is_written_both_ways(fd);
}
SITUATION(posix_object) {
  char name[40];
  snprintf(name, sizeof name, "/sharing-%d", getpid());
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  EXPECT(fd >= 0 && shm_unlink(name) == 0 && ftruncate(fd, 2 * kPage) == 0);
  file_is_written_both_ways(fd);
}

SITUATION(unmapped_at_once) {
  int fd = temporary_file(2 * kPage);
  for (int i = 0; i < 3; ++i) {
    char *p = map_shared(fd, 2 * kPage, 0);
    EXPECT(p[kPage] == i);
    p[kPage] = (char)(i + 1);
    EXPECT(munmap(p, 2 * kPage) == 0);
    compute(1);
  }
}

SITUATION(parts_of_a_file) {
  int fd = temporary_file(4 * kPage);
  char *parts[4];
  for (int i = 0; i < 4; ++i) parts[i] = map_shared(fd, kPage, (3 - i) * kPage);
  for (int round = 0; round < 50; ++round) {
    parts[round % 4][round] = (char)('a' + round % 26);
    if (round % 10 == 0) compute(2);
  }
  char c;
  EXPECT(pread(fd, &c, 1, 3 * kPage + 48) == 1 && c == 'a' + 48 % 26);
  EXPECT(munmap(parts[1], kPage) == 0);
  EXPECT(pread(fd, &c, 1, 2 * kPage + 49) == 1 && c == 'a' + 49 % 26);
}

SITUATION(writable_later) {
  int fd = temporary_file(kPage);
  EXPECT(write(fd, "abc", 3) == 3);
  char *p = mmap(NULL, kPage, PROT_READ, MAP_SHARED, fd, 0);
  EXPECT(p != MAP_FAILED && p[1] == 'b');
  compute(3);
  EXPECT(mprotect(p, kPage, PROT_READ | PROT_WRITE) == 0);
  p[1] = 'B';
  compute(3);
  char text[3];
  EXPECT(pread(fd, text, 3, 0) == 3 && text[1] == 'B');
  compute(3);
}

SITUATION(grows) {
  int fd = temporary_file(kPage);
  char *p = map_shared(fd, kPage, 0);
  p[0] = 'x';
  EXPECT(ftruncate(fd, 3 * kPage) == 0 && pwrite(fd, "y", 1, 2 * kPage) == 1);
  p = mremap(p, kPage, 3 * kPage, MREMAP_MAYMOVE);
  EXPECT(p != MAP_FAILED && p[0] == 'x' && p[2 * kPage] == 'y');
  compute(3);
  p[kPage] = 'z';
  EXPECT(ftruncate(fd, kPage) == 0 && ftruncate(fd, 3 * kPage) == 0);
  EXPECT(p[0] == 'x' && p[kPage] == 0 && p[2 * kPage] == 0);
  compute(3);
}

SITUATION(advice) {
  int fd = memfd_create("advised", 0);
  EXPECT(ftruncate(fd, 2 * kPage) == 0);
  char *p = map_shared(fd, 2 * kPage, 0);
  p[0] = p[kPage] = 'x';
  EXPECT(madvise(p, 2 * kPage, MADV_DONTNEED) == 0);
  EXPECT(p[0] == 'x' && p[kPage] == 'x');
  compute(3);
  EXPECT(madvise(p + kPage, kPage, MADV_REMOVE) == 0);
  EXPECT(p[0] == 'x' && p[kPage] == 0);
  compute(3);
}

SITUATION(system_v) {
  int id = shmget(IPC_PRIVATE, 3 * kPage, IPC_CREAT | 0600);
  if (id < 0) CANNOT_PLAY();
  char *p = shmat(id, NULL, 0);
  EXPECT(p != (void *)-1 && shmctl(id, IPC_RMID, NULL) == 0);
  strcpy(p + kPage, "kept");
  compute(3);
  struct shmid_ds status;
  EXPECT(shmctl(id, IPC_STAT, &status) == 0 && status.shm_nattch == 1);
  pid_t child = fork();
  if (child == 0) {
    strcat(p + kPage, " and changed");
    _exit(0);
  }
  EXPECT(waitpid(child, NULL, 0) == child);
  EXPECT(strcmp(p + kPage, "kept and changed") == 0);
  puts(p + kPage);
  compute(3);
  EXPECT(shmdt(p) == 0);
  char *again = mmap(p, 3 * kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  EXPECT(again == p && p[kPage] == 0);
  compute(3);
}

struct shared {
  long value;
  char text[20000];
};

static struct shared *anonymous(void) {
  struct shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(s != MAP_FAILED);
  return s;
}

SITUATION(child) {
  struct shared *s = anonymous();
  s->value = 40;
  compute(3);
  pid_t child = fork();
  if (child == 0) {
    s->value += 2;
    strcpy(s->text + 10000, "from the child");
    _exit(0);
  }
  EXPECT(waitpid(child, NULL, 0) == child);
  EXPECT(s->value == 42);
  compute(3);
  s->value++;
  printf("%ld %s\n", s->value, s->text + 10000);
}

SITUATION(pipes_and_a_buffer) {
  struct shared *s = anonymous();
  int there[2], back[2];
  EXPECT(pipe(there) == 0 && pipe(back) == 0);
  pid_t child = fork();
  if (child == 0) {
    char c;
    while (read(there[0], &c, 1) == 1 && c != 'q') {
      for (int i = 0; i < 10000; ++i) s->text[i] = (char)(s->text[i] + i + c);
      if (write(back[1], &c, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  long sum = 0;
  for (int round = 0; round < 20; ++round) {
    char c = (char)('A' + round);
    EXPECT(write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1);
    for (int i = 0; i < 10000; ++i) sum = sum * 7 + s->text[i];
    s->text[round] = 0;
    if (round % 5 == 0) compute(2);
  }
  EXPECT(write(there[1], "q", 1) == 1);
  EXPECT(waitpid(child, NULL, 0) == child);
  printf("%ld\n", sum);
}
