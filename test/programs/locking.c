// Two threads with a loop each: each looks at a flag of the other's until it is set.
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int allowed, done;
static volatile long here, there;

static void *other(void *unused) {
  (void)unused;
  errno = EDOM;
  while (!allowed) there++;                     //@ other-spin
  for (int i = 0; i < 3; i++) {                 //@ other-loop
    there = 1000 + i;                           //@ other-step
  }
  done = 1;                                     //@ other-done
  return NULL;                                  //@ other-end
}

int main(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, other, NULL);   //@ create
  errno = ERANGE;
  here = 1;                                     //@ first
  here = 2;                                     //@ second
  here = 3;                                     //@ third
  allowed = 1;                                  //@ allow
  while (!done) here++;                         //@ main-spin
  here = -1;                                    //@ spun
  pthread_join(thread, NULL);                   //@ join
  printf("%ld %ld\n", here, there);             //@ print
  return 0;
}
