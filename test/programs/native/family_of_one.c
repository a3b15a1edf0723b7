// A parent and its child, each with something to say.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  pid_t child = fork();
  if (child == 0) {
    uint64_t x = 88172645463325252;
    for (long i = 0; i < 100000000; ++i) {
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
    }
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    puts(x && getpid() != getppid() ? "the child computes" : "");
    fflush(stdout);
    _exit(42);
  }
  int status;
  if (waitpid(child, &status, 0) != child) return 1;
  printf("the parent was told %d\n", WEXITSTATUS(status));
  return 0;
}
