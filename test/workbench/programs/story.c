// Something of everything for the Timeline view: output, memory, threads, a signal.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static volatile sig_atomic_t caught;
static void on_signal(int number) { caught += number; }
static void compute(void) {
  for (volatile long i = 0; i < 20000000; i++) continue;
}
static void *worker(void *name) {
  for (int i = 1; i <= 3; i++, compute()) printf("%s has done part %d\n", (char *)name, i);
  return NULL;
}
int main(void) {
  pthread_t one, other;
  signal(SIGUSR1, on_signal);
  for (int round = 1; round <= 4; round++, compute()) {
    memset(malloc((size_t)round << 20), round, (size_t)round << 20);
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
