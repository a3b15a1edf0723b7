// About two hundred events of every kind that a replay answers or repeats: for
// the sweep, which goes back to each of them.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long mixed = 1;
static void count(int signal) { mixed = mixed * 31 + (unsigned long)signal; }

int main(void) {
  signal(SIGUSR1, count);
  char buffer[512];
  char *kept[64] = {0};
  for (int i = 0; i < 25; ++i) {
    int fd = open("/proc/self/exe", O_RDONLY);
    if (pread(fd, buffer, sizeof buffer, i * 100) > 0) mixed += (unsigned char)buffer[i];
    close(fd);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    mixed ^= (unsigned long)now.tv_nsec;
    kept[i] = mmap(NULL, 20000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(kept[i], i, 10000);
    if (i > 3) munmap(kept[i - 3], 20000);
    if (i % 5 == 0) raise(SIGUSR1);
    char *text = malloc(50000);
    memset(text, i, 50000);
    mixed += (unsigned char)text[i * 10];
    if (i % 2) free(text);
    printf("round %d\n", i);
    fflush(stdout);
    for (volatile int j = 0; j < 2000; ++j) mixed += (unsigned long)j;
  }
  return (int)(mixed & 1) * 0;
}
