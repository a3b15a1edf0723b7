// Files: whatever the kernel reads into memory, and whatever leaves it.
#include "situations.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void fill(const char *name, int lines) {
  FILE *f = fopen(name, "w");
  EXPECT(f);
  for (int i = 0; i < lines; ++i) fprintf(f, "line %d of a file\n", i);
  EXPECT(fclose(f) == 0);
}

SITUATION(open_read) {
  fill("a.txt", 2000);
  int fd = open("a.txt", O_RDONLY);
  EXPECT(fd >= 0);
  char buffer[777];
  unsigned sum = 0;
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) {
    for (ssize_t i = 0; i < n; ++i) sum = sum * 31 + (unsigned char)buffer[i];
    compute(0);
  }
  close(fd);
  printf("%u\n", sum);
}

SITUATION(write_seek_read) {
  int fd = open("b.txt", O_RDWR | O_CREAT | O_TRUNC, 0600);
  EXPECT(write(fd, "0123456789", 10) == 10);
  EXPECT(lseek(fd, 3, SEEK_SET) == 3);
  compute(3);
  char c[4] = {0};
  EXPECT(read(fd, c, 3) == 3 && strcmp(c, "345") == 0);
  EXPECT(lseek(fd, 0, SEEK_END) == 10);
  compute(3);
  EXPECT(ftruncate(fd, 5) == 0);
  EXPECT(lseek(fd, 0, SEEK_END) == 5);
  close(fd);
}

SITUATION(positioned) {
  fill("c.txt", 100);
  int fd = open("c.txt", O_RDWR);
  char a[16] = {0}, b[16] = {0};
  EXPECT(pread(fd, a, 10, 100) == 10);
  EXPECT(pwrite(fd, "HELLO", 5, 100) == 5);
  compute(2);
  struct iovec parts[2] = {{a, 5}, {b, 5}};
  EXPECT(preadv(fd, parts, 2, 100) == 10);
  EXPECT(memcmp(a, "HELLO", 5) == 0);
  EXPECT(pwritev(fd, parts, 2, 200) == 10);
  EXPECT(preadv2(fd, parts, 2, 0, 0) == 10);
  compute(2);
  puts(a);
}

SITUATION(vectors) {
  int fd = open("d.txt", O_RDWR | O_CREAT, 0600);
  char x[3] = "abc", y[5] = "defgh", in1[4], in2[8];
  struct iovec out[2] = {{x, 3}, {y, 5}}, in[3] = {{in1, 4}, {NULL, 0}, {in2, 8}};
  EXPECT(writev(fd, out, 2) == 8);
  EXPECT(lseek(fd, 0, SEEK_SET) == 0);
  compute(2);
  EXPECT(readv(fd, in, 3) == 8);
  EXPECT(memcmp(in1, "abcd", 4) == 0 && memcmp(in2, "efgh", 4) == 0);
}

SITUATION(directories) {
  EXPECT(mkdir("dir", 0700) == 0);
  for (int i = 0; i < 50; ++i) {
    char name[32];
    snprintf(name, sizeof name, "dir/file%02d", i);
    close(open(name, O_CREAT | O_WRONLY, 0600));
  }
  compute(2);
  DIR *d = opendir("dir");
  int count = 0;
  while (readdir(d)) ++count;
  EXPECT(count == 52);
  rewinddir(d);
  EXPECT(readdir(d));
  compute(2);
  closedir(d);
  struct dirent **list;
  EXPECT(scandir("dir", &list, NULL, alphasort) == 52);
  puts(list[51]->d_name);
}

SITUATION(status) {
  fill("e.txt", 3);
  struct stat s;
  EXPECT(stat("e.txt", &s) == 0 && s.st_size == 51);
  EXPECT(lstat("e.txt", &s) == 0 && fstatat(AT_FDCWD, "e.txt", &s, 0) == 0);
  struct statx x;
  EXPECT(statx(AT_FDCWD, "e.txt", 0, STATX_ALL, &x) == 0 && x.stx_size == 51);
  struct statvfs v;
  EXPECT(statvfs(".", &v) == 0);
  EXPECT(access("e.txt", R_OK) == 0 && access("none", F_OK) == -1 && errno == ENOENT);
  compute(3);
  EXPECT(chmod("e.txt", 0600) == 0 && utimensat(AT_FDCWD, "e.txt", NULL, 0) == 0);
  EXPECT(stat("none", &s) == -1);
}

SITUATION(names) {
  fill("f.txt", 1);
  EXPECT(symlink("f.txt", "g") == 0 && link("f.txt", "h") == 0 && rename("h", "i") == 0);
  char target[32] = {0};
  EXPECT(readlink("g", target, sizeof target) == 5 && strcmp(target, "f.txt") == 0);
  char *real = realpath("g", NULL);
  EXPECT(real && strstr(real, "f.txt"));
  compute(2);
  EXPECT(unlink("i") == 0 && unlink("g") == 0 && rmdir("none") == -1);
  char temporary[] = "tmpXXXXXX";
  int fd = mkstemp(temporary);
  EXPECT(fd >= 0 && unlink(temporary) == 0);
  compute(2);
}

SITUATION(mapped_privately) {
  fill("j.txt", 1000);
  int fd = open("j.txt", O_RDONLY);
  char *p = mmap(NULL, 16000, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  EXPECT(p != MAP_FAILED);
  close(fd);
  p[5000] = 'X';
  compute(3);
  EXPECT(unlink("j.txt") == 0);
  unsigned sum = 0;
  for (int i = 0; i < 16000; ++i) sum = sum * 31 + (unsigned char)p[i];
  compute(3);
  EXPECT(p[5000] == 'X');
  printf("%u\n", sum);
}

SITUATION(mapped_shared_readonly) {
  fill("k.txt", 1000);
  int fd = open("k.txt", O_RDONLY);
  char *p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
  EXPECT(p != MAP_FAILED);
  unsigned sum = 0;
  for (int i = 0; i < 8192; ++i) sum = sum * 31 + (unsigned char)p[i];
  compute(3);
  EXPECT(munmap(p, 8192) == 0);
  printf("%u\n", sum);
}

SITUATION(copied_by_kernel) {
  fill("l.txt", 500);
  int in = open("l.txt", O_RDONLY), out = open("m.txt", O_RDWR | O_CREAT, 0600);
  off_t offset = 10;
  EXPECT(sendfile(out, in, &offset, 1000) == 1000 && offset == 1010);
  compute(2);
  EXPECT(lseek(out, 0, SEEK_SET) == 0);
  loff_t from = 0, to = 2000;
  ssize_t copied = copy_file_range(in, &from, out, &to, 500, 0);
  EXPECT(copied == 500 || copied == -1);
  int ends[2];
  EXPECT(pipe(ends) == 0);
  EXPECT(splice(in, NULL, ends[1], NULL, 100, 0) == 100);
  char buffer[100];
  EXPECT(read(ends[0], buffer, 100) == 100 && memcmp(buffer, "line 0", 6) == 0);
  compute(2);
}

SITUATION(descriptors) {
  fill("n.txt", 5);
  int a = open("n.txt", O_RDONLY), b = dup(a), c = fcntl(a, F_DUPFD_CLOEXEC, 20);
  EXPECT(dup2(a, 30) == 30 && c >= 20);
  EXPECT(lseek(a, 7, SEEK_SET) == 7 && lseek(b, 0, SEEK_CUR) == 7);
  EXPECT(fcntl(a, F_GETFL) == (O_RDONLY | 0100000) && fcntl(c, F_GETFD) == FD_CLOEXEC);
  EXPECT(flock(a, LOCK_EX) == 0 && flock(a, LOCK_UN) == 0);
  struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
  EXPECT(fcntl(a, F_SETLK, &lock) == 0);
  compute(2);
  lock.l_type = F_WRLCK;
  EXPECT(fcntl(a, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
  close_range(a, 50, 0);
  EXPECT(read(a, &lock, 1) == -1 && errno == EBADF);
}

SITUATION(memory_file) {
  int fd = memfd_create("scratch", MFD_CLOEXEC);
  EXPECT(fd >= 0 && write(fd, "hello", 5) == 5);
  compute(3);
  char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  EXPECT(p != MAP_FAILED && memcmp(p, "hello", 5) == 0);
  compute(2);
}

SITUATION(standard_input) {
  char line[100];
  int count = 0;
  while (fgets(line, sizeof line, stdin)) {
    fputs(line, stdout);
    ++count;
    compute(1);
  }
  EXPECT(count == 3);
}

SITUATION(closed_input) {
  close(0);
  char c;
  EXPECT(read(0, &c, 1) == -1 && errno == EBADF);
  int fd = open("/dev/null", O_RDONLY);
  EXPECT(fd == 0);
  compute(2);
  EXPECT(getchar() == EOF);
}

SITUATION(buffered_output) {
  for (int i = 0; i < 3000; ++i) printf("%d squared is %d\n", i, i * i);
  compute(2);
}

SITUATION(bad_addresses) {
  void *volatile nowhere = (void *)8;
  int fd = open("/dev/zero", O_RDONLY);
  char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(p, 1, 8192);
  EXPECT(mprotect(p + 4096, 4096, PROT_NONE) == 0);
  EXPECT(read(fd, nowhere, 100) == -1 && errno == EFAULT);
  ssize_t n = read(fd, p + 4000, 200);  // part of it may have been written
  EXPECT(n == 96 || n == -1);
  compute(2);
  struct iovec parts[2] = {{p, 100}, {p + 4096, 100}};
  n = readv(fd, parts, 2);
  EXPECT(n == 100 || n == -1);
  EXPECT(write(1, nowhere, 4) == -1 && errno == EFAULT);
  compute(2);
}
