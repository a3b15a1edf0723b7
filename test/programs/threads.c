// Two threads add to one number; one of them forgets the lock once.
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long balance;
static __thread long added;

static void deposit(long amount) {
  pthread_mutex_lock(&lock);
  balance += amount;                            //@ add
  added += amount;                              //@ own
  pthread_mutex_unlock(&lock);
}

static void *careful(void *argument) {
  for (int i = 0; i < 3; i++)                   //@ careful-loop
    deposit((long)argument);                    //@ careful-call
  return (void *)added;                         //@ careful-end
}

static void *careless(void *argument) {
  careful(argument);                            //@ careless-careful
  balance = added;                              //@ lost
  return (void *)added;                         //@ careless-end
}

int main(void) {
  pthread_t one, other;
  void *first, *second;
  pthread_create(&one, NULL, careful, (void *)10);     //@ create
  pthread_join(one, &first);                           //@ join-one
  pthread_create(&other, NULL, careless, (void *)100); //@ create-other
  pthread_join(other, &second);                        //@ join-other
  printf("%ld %ld %ld\n", balance, (long)first, (long)second);   //@ print
  return 0;
}
