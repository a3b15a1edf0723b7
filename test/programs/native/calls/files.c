// Files: what is in them, what they are called, what is known of them.
#include "calls.h"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

struct kernel_dirent {
  unsigned long ino, off;
  unsigned short length;
  char name[];
};

SITUATION(read_short_and_at_end) {
  int fd = file_of("f", 100);
  EXPECT(CALL(read, fd, noise, 64) == 64 && CALL(read, fd, noise, 64) == 36 && CALL(read, fd, noise, 64) == 0);
  EXPECT(noise[0] == other_noise[64]);
}
SITUATION(read_large) {
  int fd = file_of("f", 60000);
  EXPECT(CALL(read, fd, noise, 60000) == 60000 && noise[59999] == other_noise[59999]);
}
SITUATION(read_over_two_pages_of_which_one_is_missing) {
  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  OK(munmap(pages + 4096, 4096));
  int fd = file_of("f", 8192);
  long n = CALL(read, fd, pages + 4000, 4000L);
  EXPECT(n == 96 || (n == -1 && errno == EFAULT));
}
SITUATION(read_a_folder) {
  int fd = open(".", O_RDONLY);
  FAILS(CALL(read, fd, noise, 10), EISDIR);
}
SITUATION(write_sparse) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  OK(lseek(fd, 1 << 20, SEEK_SET));
  EXPECT(CALL(write, fd, "x", 1) == 1 && lseek(fd, 0, SEEK_DATA) >= 0 && lseek(fd, 0, SEEK_HOLE) >= 0);
  EXPECT(pread(fd, noise, 4096, 100) == 4096 && noise[50] == 0);
}
SITUATION(append) {
  int fd = file_of("f", 10), end = open("f", O_WRONLY | O_APPEND);
  EXPECT(CALL(write, end, "abc", 3) == 3 && read(fd, noise, 100) == 13 && memcmp(noise + 10, "abc", 3) == 0);
}
SITUATION(pread_pwrite) {
  int fd = file_of("f", 100);
  EXPECT(CALL(pwrite64, fd, "hello", 5L, 50L) == 5 && CALL(pread64, fd, noise, 10L, 48L) == 10);
  EXPECT(memcmp(noise + 2, "hello", 5) == 0 && CALL(pread64, fd, noise, 10L, 200L) == 0);
}
SITUATION(readv_writev) {
  int fd = file_of("f", 1000);
  struct iovec v[3] = {{noise, 10}, {noise + 100, 0}, {noise + 200, 90}};
  EXPECT(CALL(readv, fd, v, 3) == 100 && noise[200] == 70);
  EXPECT(CALL(writev, fd, v, 3) == 100);
}
SITUATION(readv_over_its_own_array) {
  int fd = file_of("f", 64);
  struct iovec v[2];
  v[0].iov_base = v, v[0].iov_len = sizeof v;
  v[1].iov_base = noise, v[1].iov_len = 32;
  EXPECT(CALL(readv, fd, v, 2) == 64 && noise[0] == (char)(32 * 7));
}
SITUATION(preadv_pwritev) {
  int fd = file_of("f", 1000);
  struct iovec v[2] = {{noise, 100}, {noise + 300, 5000}};
  EXPECT(CALL(preadv, fd, v, 2L, 500L, 0L) == 500 && noise[300] == other_noise[600]);
  EXPECT(CALL(pwritev, fd, v, 1L, 990L, 0L) == 100);
}
SITUATION(preadv2_pwritev2) {
  int fd = file_of("f", 1000);
  struct iovec v[2] = {{noise, 7}, {noise + 20, 13}};
  EXPECT(CALL(preadv2, fd, v, 2L, 3L, 0L, 0L) == 20 && noise[20] == other_noise[10]);
  EXPECT(CALL(preadv2, fd, v, 2L, -1L, -1L, 0L) == 20);
  EXPECT(CALL(pwritev2, fd, v, 2L, 0L, 0L, 2L /* RWF_DSYNC */) == 20);
  ASK(CALL(preadv2, fd, v, 2L, 0L, 0L, 8L /* RWF_NOWAIT */));
}
SITUATION(many_buffers) {
  int fd = file_of("f", 5000);
  static struct iovec v[1024];
  for (int i = 0; i < 1024; ++i) v[i].iov_base = noise + 3 * i, v[i].iov_len = (size_t)(i % 3 + 1);
  EXPECT(CALL(readv, fd, v, 1024) == 2047);
  FAILS(CALL(readv, fd, v, 1025), EINVAL);
}
SITUATION(lseek_all_ways) {
  int fd = file_of("f", 100);
  EXPECT(CALL(lseek, fd, -10L, SEEK_END) == 90 && CALL(lseek, fd, 5L, SEEK_CUR) == 95);
  FAILS(CALL(lseek, fd, -1L, SEEK_SET), EINVAL);
}
SITUATION(stat_by_name_descriptor_link) {
  struct stat s;
  int fd = file_of("f", 77);
  OK(symlink("f", "l"));
  OK(CALL(stat, "l", &s));
  EXPECT(s.st_size == 77 && S_ISREG(s.st_mode));
  OK(CALL(lstat, "l", &s));
  EXPECT(S_ISLNK(s.st_mode) && s.st_size == 1);
  OK(CALL(fstat, fd, &s));
  OK(CALL(newfstatat, fd, "", &s, AT_EMPTY_PATH));
  FAILS(CALL(stat, "none", &s), ENOENT);
}
SITUATION(statx_all) {
  static struct statx x;
  close(file_of("f", 50));
  OK(CALL(statx, AT_FDCWD, "f", 0, 0xfff, &x));
  EXPECT(x.stx_size == 50 && x.stx_nlink == 1);
  OK(CALL(statx, AT_FDCWD, ".", AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &x));
  FAILS(CALL(statx, AT_FDCWD, "none", 0, 0xfff, &x), ENOENT);
}
SITUATION(access_all_ways) {
  close(file_of("f", 1));
  OK(CALL(access, "f", R_OK));
  OK(CALL(faccessat, AT_FDCWD, "f", W_OK));
  OK(TRY(CALL(faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS)));
  FAILS(CALL(access, "none", F_OK), ENOENT);
}
SITUATION(truncated) {
  int fd = file_of("f", 100);
  OK(CALL(truncate, "f", 50L));
  EXPECT(read(fd, noise, 100) == 50);
  OK(CALL(ftruncate, fd, 200L));
  EXPECT(read(fd, noise, 1000) == 150 && noise[149] == 0);
}
SITUATION(fallocate_ways) {
  int fd = file_of("f", 100);
  TRY(CALL(fallocate, fd, 0, 0L, 8192L));
  ASK(CALL(fallocate, fd, 3 /* PUNCH_HOLE | KEEP_SIZE */, 0L, 4096L));
  EXPECT(read(fd, noise, 100) == 100 && lseek(fd, 0, SEEK_END) == 8192);
}
SITUATION(renames) {
  struct stat s;
  close(file_of("a", 1)), close(file_of("b", 2));
  OK(CALL(rename, "a", "c"));
  OK(CALL(renameat, AT_FDCWD, "c", AT_FDCWD, "d"));
  ASK(CALL(renameat2, AT_FDCWD, "d", AT_FDCWD, "b", 2 /* RENAME_EXCHANGE */));
  OK(stat("b", &s));
  FAILS(CALL(renameat2, AT_FDCWD, "d", AT_FDCWD, "b", 1 /* RENAME_NOREPLACE */), EEXIST);
}
SITUATION(links) {
  struct stat s;
  close(file_of("a", 1));
  OK(CALL(link, "a", "b"));
  OK(CALL(linkat, AT_FDCWD, "a", AT_FDCWD, "c", 0));
  OK(stat("a", &s));
  EXPECT(s.st_nlink == 3);
}
SITUATION(symlinks_read) {
  OK(CALL(symlink, "where/it/leads", "l"));
  OK(CALL(symlinkat, "elsewhere", AT_FDCWD, "m"));
  EXPECT(CALL(readlink, "l", noise, 100) == 14 && CALL(readlink, "l", noise, 5) == 5);
  EXPECT(CALL(readlinkat, AT_FDCWD, "m", noise, 100) == 9);
  FAILS(CALL(readlink, ".", noise, 5), EINVAL);
  EXPECT(CALL(readlink, "/proc/self/exe", noise, sizeof noise) > 0);
}
SITUATION(folders) {
  OK(CALL(mkdir, "d", 0755));
  OK(CALL(mkdirat, AT_FDCWD, "d/e", 0700));
  OK(CALL(chdir, "d"));
  EXPECT(CALL(getcwd, noise, sizeof noise) > 2);
  FAILS(CALL(getcwd, noise, 3), ERANGE);
  int up = open("..", O_RDONLY | O_DIRECTORY);
  OK(CALL(fchdir, up));
  FAILS(CALL(rmdir, "d"), ENOTEMPTY);
  OK(CALL(unlinkat, AT_FDCWD, "d/e", AT_REMOVEDIR));
  OK(CALL(rmdir, "d"));
}
SITUATION(unlinked_but_open) {
  int fd = file_of("f", 30);
  OK(CALL(unlink, "f"));
  EXPECT(read(fd, noise, 100) == 30);
  FAILS(open("f", O_RDONLY), ENOENT);
}
SITUATION(modes) {
  struct stat s;
  int fd = file_of("f", 1);
  mode_t before = (mode_t)CALL(umask, 027);
  (void)before;
  OK(CALL(chmod, "f", 0640));
  OK(CALL(fchmod, fd, 0604));
  OK(CALL(fchmodat, AT_FDCWD, "f", 0600));
  OK(fstat(fd, &s));
  EXPECT((s.st_mode & 0777) == 0600);
  close(open("g", O_CREAT | O_WRONLY, 0666));
  OK(stat("g", &s));
  EXPECT((s.st_mode & 0777) == 0640);
  TRY(NUMBER(452 /* fchmodat2 */, AT_FDCWD, "f", 0611, AT_SYMLINK_NOFOLLOW));
}
SITUATION(owners) {
  int fd = file_of("f", 1);
  uid_t me = getuid();
  gid_t us = getgid();
  OK(CALL(chown, "f", me, us));
  OK(CALL(fchown, fd, me, us));
  OK(CALL(lchown, "f", me, us));
  OK(CALL(fchownat, AT_FDCWD, "f", me, us, 0));
}
SITUATION(times_of_files) {
  struct stat s;
  close(file_of("f", 1));
  struct utimbuf u = {1000, 2000};
  struct timeval v[2] = {{3000, 0}, {4000, 0}};
  struct timespec t[2] = {{5000, 1}, {6000, 2}};
  OK(CALL(utime, "f", &u));
  OK(CALL(utimes, "f", v));
  OK(CALL(futimesat, AT_FDCWD, "f", v));
  OK(CALL(utimensat, AT_FDCWD, "f", t, 0));
  OK(stat("f", &s));
  EXPECT(s.st_mtim.tv_sec == 6000 && s.st_atim.tv_nsec == 1);
}
SITUATION(nodes) {
  struct stat s;
  OK(CALL(mknod, "p", S_IFIFO | 0600, 0));
  OK(CALL(mknodat, AT_FDCWD, "q", S_IFREG | 0600, 0));
  OK(stat("p", &s));
  EXPECT(S_ISFIFO(s.st_mode));
  ASK(CALL(mknod, "dev", S_IFCHR | 0600, makedev(1, 3)));
}
SITUATION(listing_64) {
  for (char name[] = "f0"; name[1] < '6'; ++name[1]) close(file_of(name, 1));
  int fd = open(".", O_RDONLY | O_DIRECTORY), found = 0;
  for (long n; (n = CALL(getdents64, fd, noise, 100)) > 0;)
    for (long at = 0; at < n; at += ((struct dirent64 *)(noise + at))->d_reclen) ++found;
  EXPECT(found == 8);
  FAILS(CALL(getdents64, 99, noise, 100), EBADF);
}
SITUATION(listing_old) {
  close(file_of("one", 1));
  int fd = open(".", O_RDONLY | O_DIRECTORY), found = 0;
  for (long n; (n = CALL(getdents, fd, noise, 4096)) > 0;)
    for (long at = 0; at < n; at += ((struct kernel_dirent *)(noise + at))->length) ++found;
  EXPECT(found == 3);
}
SITUATION(created) {
  int fd = (int)CALL(creat, "f", 0600);
  OK(fd);
  EXPECT(write(fd, "x", 1) == 1);
  FAILS(read(fd, noise, 1), EBADF);
  FAILS(CALL(open, "f", O_CREAT | O_EXCL, 0600), EEXIST);
}
SITUATION(nameless_file) {
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  NEEDS(fd >= 0, "this file system has no O_TMPFILE");
  EXPECT(write(fd, "abc", 3) == 3 && pread(fd, noise, 3, 0) == 3);
}
SITUATION(open_how) {
  close(file_of("f", 9));
  struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
  int fd = (int)TRY(CALL(openat2, AT_FDCWD, "f", &how, sizeof how));
  EXPECT(read(fd, noise, 100) == 9);
  FAILS(CALL(openat2, AT_FDCWD, "../x", &how, sizeof how), EXDEV);
  struct open_how making = {.flags = O_RDWR | O_CREAT, .mode = 0600};
  OK(CALL(openat2, AT_FDCWD, "g", &making, sizeof making));
}
SITUATION(path_descriptor) {
  close(file_of("f", 9));
  int fd = open("f", O_PATH);
  FAILS(read(fd, noise, 1), EBADF);
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  int real = open(name, O_RDONLY);
  EXPECT(read(real, noise, 100) == 9);
}
SITUATION(handles) {
  struct {
    struct file_handle h;
    char bytes[128];
  } handle = {{.handle_bytes = 0}};
  int mount = 0, fd = file_of("f", 5);
  (void)fd;
  ASK(CALL(name_to_handle_at, AT_FDCWD, "f", &handle, &mount, 0));
  EXPECT(errno == EOVERFLOW || errno == EOPNOTSUPP || errno == ENOSYS);
  handle.h.handle_bytes = 128;
  TRY(CALL(name_to_handle_at, AT_FDCWD, "f", &handle, &mount, 0));
  long again = ASK(CALL(open_by_handle_at, AT_FDCWD, &handle, O_RDONLY));
  EXPECT(again >= 0 || errno == EPERM || errno == ESTALE);
}
SITUATION(attributes_by_name) {
  close(file_of("f", 1));
  TRY(CALL(setxattr, "f", "user.a", "value", 5L, 0));
  EXPECT(CALL(getxattr, "f", "user.a", NULL, 0L) == 5 && CALL(getxattr, "f", "user.a", noise, 100L) == 5);
  FAILS(CALL(getxattr, "f", "user.a", noise, 2L), ERANGE);
  EXPECT(CALL(listxattr, "f", noise, sizeof noise) >= 7);
  OK(CALL(removexattr, "f", "user.a"));
  FAILS(CALL(getxattr, "f", "user.a", noise, 100L), ENODATA);
}
SITUATION(attributes_by_descriptor_and_link) {
  int fd = file_of("f", 1);
  TRY(CALL(fsetxattr, fd, "user.b", "xyz", 3L, 0));
  EXPECT(CALL(fgetxattr, fd, "user.b", noise, 10L) == 3 && CALL(flistxattr, fd, noise, 100L) >= 7);
  OK(CALL(fremovexattr, fd, "user.b"));
  OK(CALL(lsetxattr, "f", "user.c", "1", 1L, 0));
  EXPECT(CALL(lgetxattr, "f", "user.c", noise, 10L) == 1 && CALL(llistxattr, "f", noise, 100L) >= 7);
  OK(CALL(lremovexattr, "f", "user.c"));
}
SITUATION(attributes_new_calls) {
  struct {
    void *value;
    unsigned size, flags;
  } args = {"v", 1, 0};
  close(file_of("f", 1));
  TRY(NUMBER(463, AT_FDCWD, "f", 0, "user.n", &args, sizeof args));  // setxattrat, Linux 6.13
  args.value = noise, args.size = 50;
  EXPECT(NUMBER(464, AT_FDCWD, "f", 0, "user.n", &args, sizeof args) == 1 && noise[0] == 'v');
  EXPECT(NUMBER(465, AT_FDCWD, "f", 0, noise, 100L) > 0);
  OK(NUMBER(466, AT_FDCWD, "f", 0, "user.n"));
}
SITUATION(file_systems) {
  struct statfs s;
  int fd = open(".", O_RDONLY);
  struct stat st;
  OK(CALL(statfs, "/proc", &s));
  OK(CALL(fstatfs, fd, &s));
  OK(fstat(fd, &st));
  ASK(CALL(ustat, st.st_dev, noise));
  ASK(CALL(sysfs, 3));
  ASK(CALL(sysfs, 2, 0, noise));
}
SITUATION(flushed) {
  int fd = file_of("f", 100);
  OK(CALL(fsync, fd));
  OK(CALL(fdatasync, fd));
  ASK(CALL(sync_file_range, fd, 0L, 100L, 7));
  OK(CALL(fadvise64, fd, 0L, 0L, POSIX_FADV_SEQUENTIAL));
  ASK(CALL(readahead, fd, 0L, 100L));
}
SITUATION(page_cache) {
  static struct { uint64_t pages[5]; } stat;
  struct { uint64_t off, len; } range = {0, 8192};
  int fd = file_of("f", 8192);
  TRY(NUMBER(451, fd, &range, &stat, 0));
  EXPECT(stat.pages[0] <= 2);
}
SITUATION(whole_locks) {
  int fd = file_of("f", 1), again = open("f", O_RDWR);
  OK(CALL(flock, fd, LOCK_EX));
  FAILS(CALL(flock, again, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  OK(CALL(flock, fd, LOCK_UN));
}
SITUATION(whole_lock_waited_for) {
  int ready[2];
  close(file_of("f", 1));
  OK(pipe(ready));
  pid_t child = CHILD({
    int own = open("f", O_RDWR);
    flock(own, LOCK_EX);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    nap(3000);
  });
  EXPECT(read(ready[0], noise, 1) == 1);
  int fd = open("f", O_RDWR);
  OK(CALL(flock, fd, LOCK_EX));
  EXPECT(end_of(child) == 0);
}
SITUATION(whole_lock_gone_with_its_descriptor) {
  for (int round = 0; round < 6; ++round) {
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    OK(CALL(flock, fd, LOCK_EX | LOCK_NB));
    CALL(getppid), CALL(getppid);
    OK(close(fd));
  }
}
SITUATION(written_then_executed) {
  for (int round = 0; round < 3; ++round) {
    char name[] = "script0";
    name[6] += (char)round;
    int fd = open(name, O_RDWR | O_CREAT, 0755);
    EXPECT(write(fd, "#!/bin/sh\nexit 7\n", 17) == 17);
    CALL(getppid), CALL(getppid), CALL(getppid);
    OK(close(fd));
    EXPECT(end_of(CHILD(execl(name, name, NULL))) == 7);
  }
}
SITUATION(range_locks) {
  struct flock l = {.l_type = F_WRLCK, .l_start = 10, .l_len = 20};
  int fd = file_of("f", 100);
  OK(CALL(fcntl, fd, F_SETLK, &l));
  pid_t child = CHILD({
    struct flock want = {.l_type = F_RDLCK, .l_start = 0, .l_len = 100};
    if (fcntl(fd, F_GETLK, &want) != 0 || want.l_start != 10) _exit(1);
  });
  EXPECT(end_of(child) == 0);
  struct flock look = {.l_type = F_WRLCK, .l_start = 0, .l_len = 0};
  OK(CALL(fcntl, fd, F_GETLK, &look));
  EXPECT(look.l_type == F_UNLCK);
  struct flock own = {.l_type = F_WRLCK, .l_start = 40, .l_len = 1};
  OK(CALL(fcntl, fd, F_OFD_SETLK, &own));
  own.l_type = F_RDLCK;
  OK(CALL(fcntl, fd, F_OFD_GETLK, &own));
}
SITUATION(range_lock_waited_for) {
  int ready[2], fd = file_of("f", 100);
  OK(pipe(ready));
  pid_t child = CHILD({
    struct flock l = {.l_type = F_WRLCK, .l_len = 10};
    fcntl(fd, F_SETLK, &l);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    nap(3000);
  });
  EXPECT(read(ready[0], noise, 1) == 1);
  struct flock look = {.l_type = F_WRLCK, .l_len = 5};
  OK(CALL(fcntl, fd, F_GETLK, &look));
  EXPECT(look.l_type == F_WRLCK ? look.l_pid == child : 1);
  struct flock l = {.l_type = F_WRLCK, .l_len = 5};
  OK(CALL(fcntl, fd, F_SETLKW, &l));
  EXPECT(end_of(child) == 0);
}
SITUATION(lease) {
  int fd = open("f", O_RDONLY | O_CREAT, 0600);
  TRY(CALL(fcntl, fd, F_SETLEASE, F_RDLCK));
  EXPECT(CALL(fcntl, fd, F_GETLEASE) == F_RDLCK);
  OK(CALL(fcntl, fd, F_SETLEASE, F_UNLCK));
}
SITUATION(sendfile_both_ways) {
  int in = file_of("in", 5000), out = open("out", O_RDWR | O_CREAT, 0600);
  off_t at = 1000;
  EXPECT(CALL(sendfile, out, in, &at, 3000L) == 3000 && at == 4000);
  EXPECT(CALL(sendfile, out, in, NULL, 100L) == 100);
  EXPECT(pread(out, noise, 5000, 0) == 3100 && noise[0] == other_noise[1000]);
}
SITUATION(copy_range) {
  int in = file_of("in", 5000), out = open("out", O_RDWR | O_CREAT, 0600);
  loff_t from = 10, to = 20;
  TRY(CALL(copy_file_range, in, &from, out, &to, 100L, 0));
  EXPECT(from == 110 && to == 120 && pread(out, noise, 200, 0) == 120 && noise[20] == other_noise[10]);
  EXPECT(CALL(copy_file_range, in, NULL, out, NULL, 50L, 0) == 50);
}
SITUATION(spliced) {
  int in = file_of("in", 5000), out = open("out", O_RDWR | O_CREAT, 0600), p[2];
  loff_t at = 500;
  OK(pipe(p));
  EXPECT(CALL(splice, in, &at, p[1], NULL, 1000L, 0) == 1000 && at == 1500);
  loff_t to = 7;
  EXPECT(CALL(splice, p[0], NULL, out, &to, 400L, 0) == 400 && to == 407);
  EXPECT(CALL(splice, p[0], NULL, out, NULL, 4000L, 0) == 600);
}
SITUATION(teed) {
  int p[2], q[2];
  OK(pipe(p));
  OK(pipe(q));
  EXPECT(write(p[1], "hello", 5) == 5 && CALL(tee, p[0], q[1], 100L, 0) == 5);
  EXPECT(read(p[0], noise, 100) == 5 && read(q[0], noise + 10, 100) == 5 && memcmp(noise, noise + 10, 5) == 0);
}
SITUATION(vmspliced) {
  int p[2];
  OK(pipe(p));
  struct iovec v[2] = {{"abc", 3}, {"defgh", 5}}, w[2] = {{noise, 4}, {noise + 10, 40}};
  EXPECT(CALL(vmsplice, p[1], v, 2L, 0) == 8);
  EXPECT(CALL(vmsplice, p[0], w, 2L, 0) == 8 && memcmp(noise + 10, "efgh", 4) == 0);
}
SITUATION(proc_files) {
  static const char *const names[] = {"/proc/self/stat", "/proc/self/status", "/proc/self/maps", "/proc/meminfo",
                                      "/proc/self/cmdline", "/proc/uptime", "/proc/loadavg", "/proc/self/mountinfo"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    int fd = open(names[i], O_RDONLY);
    OK(fd);
    while (read(fd, noise, sizeof noise) > 0) computed += (unsigned char)noise[3];
    close(fd);
  }
}
SITUATION(own_memory_file) {
  int fd = open("/proc/self/mem", O_RDWR);
  OK(fd);
  static char target[16] = "before";
  EXPECT(pwrite(fd, "after!", 6, (off_t)target) == 6);
  EXPECT(strcmp(target, "after!") == 0 && pread(fd, noise, 6, (off_t)target) == 6 && noise[0] == 'a');
}
SITUATION(devices) {
  int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR), full = open("/dev/full", O_RDWR);
  int chance = open("/dev/urandom", O_RDONLY);
  EXPECT(read(zero, noise, 5000) == 5000 && read(null, noise, 10) == 0 && read(chance, noise, 5000) == 5000);
  FAILS(write(full, "x", 1), ENOSPC);
  EXPECT(write(null, noise, 5000) == 5000);
}
SITUATION(names_too_long_and_bad) {
  memset(noise, 'n', 5000);
  FAILS(open(noise, O_RDONLY), ENAMETOOLONG);
  FAILS(CALL(open, (char *)1, O_RDONLY), EFAULT);
  FAILS(CALL(stat, "f/g", noise), ENOENT);
  FAILS(CALL(read, 999, noise, 1), EBADF);
  FAILS(CALL(getcwd, (char *)8, 4096), EFAULT);
}
SITUATION(stdio_read_and_written) {
  FILE *f = fopen("f", "w+");
  for (int i = 0; i < 3000; ++i) fprintf(f, "line %d\n", i);
  rewind(f);
  long lines = 0;
  while (fgets(noise, sizeof noise, f)) ++lines;
  EXPECT(lines == 3000 && fclose(f) == 0);
}
// Private memory of a file shows what is written to the file, but where the program has written to the memory.
SITUATION(mapped_file_seen_changing) {
  int fd = file_of("f", 3 * 4096);
  int other = open("f", O_RDONLY);
  char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, other, 0);
  char *q = mmap(NULL, 3 * 4096, PROT_READ, MAP_SHARED, other, 0);
  char *r = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  EXPECT(p != MAP_FAILED && q != MAP_FAILED && r != MAP_FAILED);
  p[4096] = 'm';
  for (int i = 0; i < 20; ++i) {
    char byte = (char)('a' + i);
    OK(pwrite(fd, &byte, 1, i));
    OK(pwrite(fd, &byte, 1, 4096 + i));
    EXPECT(p[i] == byte && q[i] == byte && q[4096 + i] == byte);
    EXPECT(p[4096] == 'm' && p[4096 + i] == (i == 0 ? 'm' : other_noise[4096 + i]));
    r[40] = (char)i;
    OK(getppid());
    EXPECT(p[40] == i && q[40] == i);
  }
  CHILD(int own = open("f", O_RDWR); pwrite(own, "child", 5, 8200));
  OK(wait(NULL));
  EXPECT(memcmp(p + 8200, "child", 5) == 0 && memcmp(q + 8200, "child", 5) == 0);
  OK(madvise(p + 4096, 4096, MADV_DONTNEED));
  EXPECT(p[4096] == 'a' && p[4097] == 'b');
  char *moved = mremap(p, 3 * 4096, 3 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, q);
  EXPECT(moved == q && moved[1] == 'b');
  OK(mprotect(moved, 4096, PROT_READ));
  OK(pwrite(fd, "later", 5, 0));
  EXPECT(memcmp(moved, "later", 5) == 0);
  OK(munmap(moved, 3 * 4096));
  EXPECT(memcmp(r, "later", 5) == 0 && r[40] == 19);
}
SITUATION(mapped_file_cut_and_grown) {
  int fd = file_of("f", 2 * 4096);
  char *p = mmap(NULL, 2 * 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  EXPECT(p[100] == other_noise[100] && p[5000] == other_noise[5000]);
  OK(ftruncate(fd, 50));
  EXPECT(p[49] == other_noise[49] && p[100] == 0);
  FAILS(CALL(write, 1, p + 4096, 10L), EFAULT);
  OK(ftruncate(fd, 2 * 4096));
  EXPECT(p[49] == other_noise[49] && p[100] == 0 && p[5000] == 0);
}
