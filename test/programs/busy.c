// Runs until told otherwise: for pausing, and for breakpoints set on the way.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile long rounds;
static volatile sig_atomic_t stop;

static void on_alarm(int number) {
  (void)number;
  stop = 1;                                 //@ handler
}

static void step(long i) {
  rounds += i & 1;                          //@ step
}

int main(int argc, char **argv) {
  unsigned seconds = argc > 1 ? (unsigned)(argv[1][0] - '0') : 0;
  signal(SIGALRM, on_alarm);                //@ start
  if (seconds) alarm(seconds);
  for (long i = 0; !stop; i++) {            //@ loop
    step(i);                                //@ call
    if ((i & 1023) == 0) usleep(1000);      //@ sleep
  }
  printf("%s\n", rounds > 0 ? "stopped" : "never ran");
  return 3;                                 //@ return
}
