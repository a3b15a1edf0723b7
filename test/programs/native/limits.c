// What cannot be recorded: the program is told no, people are told why, and nothing hangs.
#include "situations.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

SITUATION(much_shared) {
  int fd = open("shared", O_RDWR | O_CREAT, 0600);
  EXPECT(unlink("shared") == 0 && ftruncate(fd, 100 << 20) == 0);
  char *p = mmap(NULL, 100 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  compute(2);
  printf("%d\n", p == MAP_FAILED);
}

SITUATION(ring) {
  char parameters[120] = {0};
  long result = syscall(SYS_io_uring_setup, 8, parameters);
  compute(2);
  printf("%d\n", result == -1 && errno == ENOSYS);
}

SITUATION(sandbox) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  long result = prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  compute(2);
  printf("%d\n", result == -1);
  fflush(stdout);
  syscall(SYS_exit, 0);
}

static int write_beside(void *place) {
  usleep(20000);
  *(volatile int *)place = 1;
  return 0;
}

// A process in the same memory, that runs on beside this one.
SITUATION(beside) {
  static char stack[65536];
  static int written;
  int child = clone(write_beside, stack + sizeof stack, CLONE_VM | SIGCHLD, &written);
  compute(2);
  int status;
  printf("%d\n", waitpid(child, &status, 0) == child && written == 1);
}

// The 32-bit entry into the kernel.
SITUATION(old_entry) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L /* getpid */) : "memory", "r8", "r9", "r10", "r11");
  compute(2);
  printf("%d\n", result == -ENOSYS);
}
