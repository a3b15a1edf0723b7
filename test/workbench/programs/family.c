// A parent that waits for its child, which does the work.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int work(int count) {
  int sum = 0;                                  //@ begin
  sum += count;                                 //@ once
  sum += count;                                 //@ twice
  return sum;
}

int main(void) {
  pid_t child = fork();
  if (child == 0) _exit(work(3));
  int status = 0;
  waitpid(child, &status, 0);
  printf("the child made %d\n", WEXITSTATUS(status));
  fflush(stdout);                               //@ told
  return 0;                                     //@ done
}
