// A program that runs before anybody looks at it, and ends by itself: so many
// rounds, one each millisecond, and their sum as its last word.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static long total;

static void tick(int round) {
  total += round;                               //@ add
}                                               //@ added

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1000;
  printf("ready\n");
  fflush(stdout);
  for (int round = 1; round <= rounds; round++) {  //@ loop
    tick(round);                                //@ call
    usleep(1000);                               //@ doze
  }
  printf("total %ld\n", total);                 //@ say
  return 3;
}
