// A run with something of everything in it, for the Timeline view: lines of
// output, memory that is filled, two threads, a signal; about a second.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t caught;

static void on_signal(int number) {
  caught += number;
}

static long compute(long rounds) {
  volatile long sum = 0;
  for (long i = 0; i < rounds; i++) sum += i;
  return sum;
}

static void *worker(void *argument) {
  for (int i = 1; i <= 3; i++) {
    compute(20000000);
    printf("%s has done part %d\n", (const char *)argument, i);
  }
  return NULL;
}

int main(void) {
  pthread_t one, other;
  signal(SIGUSR1, on_signal);                   //@ begin
  for (int round = 1; round <= 4; round++) {
    size_t length = (size_t)round << 20;
    memset(malloc(length), round, length);
    compute(20000000);
    printf("round %d of 4\n", round);           //@ say
  }
  raise(SIGUSR1);
  pthread_create(&one, NULL, worker, "one");
  pthread_create(&other, NULL, worker, "other");
  pthread_join(one, NULL);
  pthread_join(other, NULL);
  fprintf(stderr, "caught %d\n", (int)caught);
  return 0;                                     //@ done
}
