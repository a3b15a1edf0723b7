// A parent and a child that both stay: for the ends of sessions.
#include <stdio.h>
#include <unistd.h>

int main(void) {
  pid_t child = fork();                         //@ start
  if (child == 0)
    for (;;) usleep(10000);
  printf("parent of one\n");
  fflush(stdout);
  for (long i = 0;; i++) {                      //@ loop
    if (i % 1000 == 0) usleep(1000);            //@ sleep
  }
}
