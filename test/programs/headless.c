// A program whose first thread ends as soon as another one runs: so many
// rounds, one each millisecond, and their sum as its last word.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static long total;

static void tick(int round) {
  total += round;                               //@ add
}                                               //@ added

static void *tick_on(void *rounds) {
  for (int round = 1; round <= *(int *)rounds; round++) {  //@ loop
    tick(round);                                //@ call
    usleep(1000);                               //@ doze
  }
  printf("total %ld\n", total);                 //@ say
  exit(3);
}

int main(int argc, char **argv) {
  static int rounds;
  pthread_t thread;
  rounds = argc > 1 ? atoi(argv[1]) : 1000;
  printf("ready\n");
  fflush(stdout);
  pthread_create(&thread, NULL, tick_on, &rounds);
  pthread_exit(NULL);
}
