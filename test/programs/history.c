// Something of everything that a picture of a run shows: lines on both streams,
// one of them in pieces, a signal, a thread, memory that is filled, time that passes.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static char *filled;

static void on_signal(int number) {
  caught += number;                             //@ handler
}

static void *worker(void *argument) {
  printf("worker %s\n", (const char *)argument);   //@ worker
  fflush(stdout);
  return NULL;
}

static void fill(size_t megabytes) {
  filled = malloc(megabytes << 20);
  memset(filled, 7, megabytes << 20);           //@ fill
}

static long compute(long rounds) {
  volatile long sum = 0;
  for (long i = 0; i < rounds; i++) sum += i;   //@ compute
  return sum;
}

int main(int argc, char **argv) {
  long rounds = argc > 1 ? atol(argv[1]) : 5;   //@ start
  pthread_t thread;
  signal(SIGUSR1, on_signal);
  for (long i = 1; i <= rounds; i++) {
    printf("round %ld", i);                     //@ say
    fflush(stdout);
    printf(" of %ld\n", rounds);
    compute(i * 1000);                          //@ computed
  }
  fill(4);
  fprintf(stderr, "to error\n");                //@ error
  raise(SIGUSR1);                               //@ raise
  pthread_create(&thread, NULL, worker, "one"); //@ create
  pthread_join(thread, NULL);                   //@ join
  printf("caught %d\n", (int)caught);           //@ print
  return 0;                                     //@ return
}
