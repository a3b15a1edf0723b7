// Computes for some seconds (of processor time), for searches that take long.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// In one page, so that no search for the first can skip what writes to the second.
static struct {
  volatile long first;
  volatile long sum;
} shared;

static long spin(void) {
  for (;;) shared.sum++;                             //@ spin
}

int main(int argc, char **argv) {
  clock_t wanted = (argc > 1 ? atol(argv[1]) : 3) * CLOCKS_PER_SEC;
  long batches = 0;
  shared.first = 7;                                  //@ first
  while (clock() < wanted) {                         //@ loop
    batches++;                                       //@ batch
    for (int i = 0; i < 1000000; i++) shared.sum++;  //@ work
  }
  printf("computed\n");                              //@ done
  fflush(stdout);                                    //@ flush
  return batches > 0 ? 0 : (int)spin();              //@ return
}                                                    //@ end
