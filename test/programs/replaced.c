// Becomes another program of the same source, whose function begins where this one's does.
#include <stdio.h>
#include <unistd.h>

#ifdef SECOND
static long work(int n) {
  volatile long many[600];
  for (int i = 0; i < 600; i++) many[i] = n;
  return many[n];
}
#else
static long work(int n) { return n; }
#endif

int main(int argc, char **argv) {
  long sum = 0;
  for (int i = 0; i < 5; i++) sum += work(i);
  if (argc > 1) execl(argv[1], argv[1], (char *)0); //@ replaced
  printf("%ld\n", sum);
  return 0;
}
