// Three threads, each with an errno, a variable and a depth of stack of its own.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

static pthread_barrier_t was_set, may_change, deep, end;
static __thread int own;

static void deeper(int levels) {
  if (levels > 0) {
    deeper(levels - 1);                         //@ deeper
  } else {
    pthread_barrier_wait(&deep);
    pthread_barrier_wait(&end);                 //@ deepest
  }
}

static void *lives(void *number) {
  const int which = (int)(long)number;
  errno = 10 + which;
  own = which;
  pthread_barrier_wait(&was_set);
  pthread_barrier_wait(&may_change);
  errno = 20 + which;                           //@ change
  own = 100 * which;                            //@ change-own
  deeper(which);
  return NULL;
}

int main(void) {
  pthread_t threads[2];
  pthread_barrier_t *all[] = {&was_set, &may_change, &deep, &end};
  for (int i = 0; i < 4; i++) pthread_barrier_init(all[i], NULL, 3);
  errno = 1;                                    //@ begin
  for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, lives, (void *)(i + 1));
  pthread_barrier_wait(&was_set);
  errno = 2;                                    //@ set
  pthread_barrier_wait(&may_change);            //@ let-change
  pthread_barrier_wait(&deep);
  errno = 3;                                    //@ deep
  pthread_barrier_wait(&end);                   //@ let-end
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  errno = 4;                                    //@ joined
  printf("%d\n", errno);                        //@ print
  return 0;
}
