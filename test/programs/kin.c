// Children that are more than one process of one thread.
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int work(int count) {
  int sum = 0;
  for (int i = 1; i <= count; i++)
    sum += i;
  usleep(1000);                                 //@ worked
  return sum;
}

static void *worker(void *count) {
  long sum = 0;
  for (int i = 0; i < 30; i++)
    sum += work(*(int *)count);                 //@ turn
  return (void *)sum;
}

static int threads(void) {
  int counts[3] = {1, 2, 3};
  pthread_t ids[3];
  long sum = 0;
  for (int i = 0; i < 3; i++)
    pthread_create(&ids[i], NULL, worker, &counts[i]);
  for (int i = 0; i < 3; i++) {
    void *result;
    pthread_join(ids[i], &result);              //@ join
    sum += (long)result;
  }
  return (int)(sum % 256);
}

static int grandchild(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(work(4));                 //@ in-grandchild
  int status = 0;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status) + 1;               //@ got
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  pid_t child = fork();
  if (child == 0) {
    if (strcmp(how, "threads") == 0) _exit(threads());
    if (strcmp(how, "nested") == 0) _exit(grandchild());
    for (;;) work(2);                           //@ daemon
  }
  if (strcmp(how, "daemon") == 0) return 0;
  int status = 0;
  waitpid(child, &status, 0);
  printf("%s: %d\n", how, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  return 0;
}
