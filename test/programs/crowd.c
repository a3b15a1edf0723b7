// Threads that hand work to each other: locks, condition variables, a bounded
// queue, a semaphore, a barrier. Its digest depends on whose turn it was when.
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { kRoom = 8, kStripes = 7, kMost = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static struct { uint32_t from, work; } queue[kRoom];
static unsigned head, tail, open_producers;

static pthread_mutex_t stripes[kStripes];
static uint64_t sums[kStripes];
static pthread_barrier_t begin;
static sem_t licences;
static uint64_t order = 0xcbf29ce484222325, raced;
static __thread uint32_t seed;

static void mix(uint64_t *digest, uint64_t value) { *digest = (*digest ^ value) * 0x100000001b3; }

static uint32_t next_random(void) {
  seed = seed * 1664525 + 1013904223;
  return seed >> 8;
}

static void *produce(void *argument) {
  const uint32_t me = (uint32_t)(uintptr_t)argument;
  seed = me;
  pthread_barrier_wait(&begin);
  for (int i = 0; i < 40; i++) {
    const uint32_t work = next_random() % 400;
    pthread_mutex_lock(&lock);
    while (tail - head == kRoom) pthread_cond_wait(&emptied, &lock);
    queue[tail % kRoom].from = me;
    queue[tail++ % kRoom].work = work;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&lock);
    raced += work;  // without a lock: whose update is lost is decided by turns alone
  }
  pthread_mutex_lock(&lock);
  if (--open_producers == 0) pthread_cond_broadcast(&filled);
  pthread_mutex_unlock(&lock);
  return NULL;
}

static void *consume(void *argument) {
  const uint32_t me = (uint32_t)(uintptr_t)argument;
  uint64_t done = 0;
  pthread_barrier_wait(&begin);
  for (;;) {
    pthread_mutex_lock(&lock);
    while (head == tail && open_producers > 0) pthread_cond_wait(&filled, &lock);
    if (head == tail) {
      pthread_mutex_unlock(&lock);
      return (void *)(uintptr_t)done;
    }
    const uint32_t from = queue[head % kRoom].from, work = queue[head++ % kRoom].work;
    mix(&order, (uint64_t)me << 32 | from);
    pthread_cond_signal(&emptied);
    pthread_mutex_unlock(&lock);

    sem_wait(&licences);
    volatile uint64_t computed = 0;
    for (uint32_t i = 0; i < work * 20; i++) computed += i;
    const unsigned stripe = work % kStripes;
    pthread_mutex_lock(&stripes[stripe]);
    sums[stripe] += computed;
    pthread_mutex_unlock(&stripes[stripe]);
    sem_post(&licences);
    done++;
  }
}

int main(int argc, char **argv) {
  const unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
  pthread_t made[kMost];
  uint64_t done = 0, total = 0;
  if (threads < 2 || threads > kMost) return 2;
  open_producers = threads / 2;
  sem_init(&licences, 0, threads / 4 + 1);
  pthread_barrier_init(&begin, NULL, threads);
  for (int i = 0; i < kStripes; i++) pthread_mutex_init(&stripes[i], NULL);
  for (unsigned i = 0; i < threads; i++)
    pthread_create(&made[i], NULL, i < threads / 2 ? produce : consume, (void *)(uintptr_t)(i + 1));
  for (unsigned i = 0; i < threads; i++) {
    void *result;
    pthread_join(made[i], &result);
    done += (uintptr_t)result;
  }
  for (int i = 0; i < kStripes; i++) total += sums[i];
  printf("%u threads, %lu handed over, sum %lu, order %016lx, raced %lu\n", threads, (unsigned long)done,
         (unsigned long)total, (unsigned long)order, (unsigned long)raced);
  return done == threads / 2 * 40 ? 0 : 1;
}
