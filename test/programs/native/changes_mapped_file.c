// Maps the file that is named, and opens it for writing and changes it only afterwards: what it mapped cannot be had
// again, so every replay from before must be reported as diverged.
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int count, char** words) {
  char* mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, count > 1 ? open(words[1], O_RDONLY) : -1, 0);
  if (mapped == MAP_FAILED || pwrite(open(words[1], O_RDWR), "changed", 7, 4500) != 7) return 1;
  return mapped[0] == 'x' ? 0 : 1;
}
