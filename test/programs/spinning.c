// One line that takes as long as another thread does: it looks at a flag until that is set.
#include <pthread.h>
#include <stdatomic.h>
#include <semaphore.h>
#include <stdio.h>

static sem_t begin;
static atomic_int ready;
static volatile long worked;

static void *works(void *unused) {
  (void)unused;
  sem_wait(&begin);
  for (int i = 0; i < 4; i++) {                 //@ works-loop
    for (long n = 0; n < 10000000; n++) worked++;   //@ work
  }
  ready = 1;                                    //@ works-ready
  return NULL;                                  //@ works-end
}

static long waits(void) {
  long looked = 0;                              //@ waits
  sem_post(&begin);                             //@ let-begin
  while (!ready) looked++;                      //@ spin
  return looked;                                //@ spun
}

static long counts(long to) {
  long sum = 0;                                 //@ counts
  for (long i = 1; i <= to; i++) sum += i;      //@ count
  return sum;                                   //@ counted
}

int main(void) {
  pthread_t thread;
  sem_init(&begin, 0, 0);
  pthread_create(&thread, NULL, works, NULL);   //@ create
  const int waited = waits() >= 0;              //@ call
  pthread_join(thread, NULL);                   //@ join
  const long sum = counts(3000000);             //@ call-counts
  printf("%d %ld %ld\n", waited, worked, sum);  //@ print
  return 0;
}
