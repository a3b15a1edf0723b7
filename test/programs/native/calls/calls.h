// One situation for one call or one way of using it. A situation that comes to
// its end prints EXIT-SUCCESS; one that this kernel or user cannot play says why.
#pragma once

#define SAYS_SUCCESS
#include "../situations.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// The call itself, not what the library makes of it.
#define CALL(NAME, ...) syscall(SYS_##NAME, ##__VA_ARGS__)
#define NUMBER(N, ...) syscall((long)(N), ##__VA_ARGS__)

#define OK(CALLED)                                                                         \
  do {                                                                                     \
    errno = 0;                                                                             \
    if ((long)(CALLED) < 0) {                                                              \
      printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #CALLED, strerror(errno));             \
      exit(99);                                                                            \
    }                                                                                      \
  } while (0)
#define FAILS(CALLED, WHY)                                                                 \
  do {                                                                                     \
    errno = 0;                                                                             \
    long answer_ = (long)(CALLED);                                                         \
    int errno_ = errno;                                                                    \
    if (answer_ != -1 || errno_ != (WHY)) {                                                \
      printf("%s:%d: %s = %ld, errno %d, not %s\n", __FILE__, __LINE__, #CALLED, answer_, errno_, #WHY); \
      exit(99);                                                                            \
    }                                                                                      \
  } while (0)
#define CANNOT(REASON)                 \
  do {                                 \
    printf("cannot: %s\n", (REASON));  \
    exit(77);                          \
  } while (0)
#define NEEDS(CONDITION, REASON)   \
  do {                             \
    if (!(CONDITION)) CANNOT(REASON); \
  } while (0)
// The call fails on kernels that lack it, or for users who may not: then the situation ends.
#define TRY(CALLED)                                                          \
  ({                                                                         \
    errno = 0;                                                               \
    long tried_ = (long)(CALLED);                                            \
    if (tried_ == -1 && (errno == ENOSYS || errno == EPERM || errno == EACCES || errno == EOPNOTSUPP)) { \
      printf("cannot: %s: %s\n", #CALLED, strerror(errno));                  \
      exit(77);                                                              \
    }                                                                        \
    if (tried_ < 0) {                                                        \
      printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #CALLED, strerror(errno)); \
      exit(99);                                                              \
    }                                                                        \
    tried_;                                                                  \
  })
// What it answers depends on kernel and user; that it is replayed is what counts.
#define ASK(CALLED) ((void)(errno = 0), (long)(CALLED))

static char noise[65536], other_noise[65536];

// A file with `length` bytes that say where they are.
__attribute__((unused)) static int file_of(const char *name, int length) {
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  OK(fd);
  for (int i = 0; i < length; ++i) other_noise[i] = (char)(i * 7 + (i >> 8));
  EXPECT(write(fd, other_noise, (size_t)length) == length);
  OK(lseek(fd, 0, SEEK_SET));
  return fd;
}

// A child that does this and ends with 0; its pid.
#define CHILD(...)          \
  ({                          \
    pid_t child_ = fork();    \
    OK(child_);               \
    if (child_ == 0) {        \
      __VA_ARGS__;            \
      _exit(0);               \
    }                         \
    child_;                   \
  })
__attribute__((unused)) static int end_of(pid_t child) {
  int status = -1;
  pid_t ended;
  do ended = waitpid(child, &status, 0);
  while (ended < 0 && errno == EINTR);
  EXPECT(ended == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

__attribute__((unused)) static void nap(long microseconds) {
  struct timespec t = {microseconds / 1000000, microseconds % 1000000 * 1000};
  nanosleep(&t, NULL);
}
