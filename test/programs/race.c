// An update that is lost: one thread reads a number, another adds to it, and the
// first writes what it has computed from what it read.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static volatile long counter;
static sem_t was_read, was_added;

static void *loses(void *unused) {
  (void)unused;
  long seen = counter;                          //@ read
  sem_post(&was_read);
  sem_wait(&was_added);
  counter = seen + 1;                           //@ overwrite
  return NULL;                                  //@ loses-end
}

static void *adds(void *unused) {
  (void)unused;
  sem_wait(&was_read);
  counter += 10;                                //@ add
  sem_post(&was_added);                         //@ adds-post
  return NULL;
}

int main(void) {
  pthread_t one, other;
  sem_init(&was_read, 0, 0);
  sem_init(&was_added, 0, 0);
  pthread_create(&one, NULL, loses, NULL);
  pthread_create(&other, NULL, adds, NULL);
  pthread_join(one, NULL);
  pthread_join(other, NULL);
  printf("%ld\n", counter);                     //@ print
  return 0;
}
