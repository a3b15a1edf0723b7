// One line that takes as long as another thread does: it looks at a flag until that is set.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int ready;
static volatile long worked;

static void *works(void *unused) {
  (void)unused;
  for (int i = 0; i < 4; i++) {                 //@ works-loop
    for (long n = 0; n < 10000000; n++) worked++;   //@ work
  }
  ready = 1;                                    //@ works-ready
  return NULL;                                  //@ works-end
}

static long waits(void) {
  long looked = 0;                              //@ waits
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
  pthread_create(&thread, NULL, works, NULL);   //@ create
  const int waited = waits() >= 0;              //@ call
  pthread_join(thread, NULL);                   //@ join
  const long sum = counts(3000000);             //@ call-counts
  printf("%d %ld %ld\n", waited, worked, sum);  //@ print
  return 0;
}
