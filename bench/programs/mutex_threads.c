/* Four threads that take one mutex in turn, and compute a little inside and outside of it. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t shared = 1;
static long rounds;

static uint64_t mix(uint64_t x, int loops) {
  for (int i = 0; i < loops; i++) x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
  return x;
}

static void *work(void *argument) {
  uint64_t own = (uint64_t)(uintptr_t)argument;
  for (long i = 0; i < rounds; i++) {
    own = mix(own, 400);
    pthread_mutex_lock(&mutex);
    shared = mix(shared + own, 100);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

int main(int argc, char **argv) {
  rounds = argc > 1 ? atol(argv[1]) : 1000;
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, (void *)(i + 1)) != 0) return 1;
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  puts("done");
  return 0;
}
