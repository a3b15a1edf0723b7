// A program whose children do its work, each begun in another way.
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int work(int count) {
  int sum = 0;                                  //@ begin
  for (int i = 1; i <= count; i++)              //@ loop
    sum += i;                                   //@ add
  return sum;                                   //@ sum
}

static void report(const char *what, pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    printf("%s: signal %d\n", what, WTERMSIG(status));
  else
    printf("%s: %d\n", what, WEXITSTATUS(status));  //@ reported
  fflush(stdout);
}

static void forked(int count) {
  pid_t child = fork();                         //@ fork
  if (child == 0) {
    int sum = work(count);                      //@ in-child
    usleep(20000);                              //@ child-exit-soon
    _exit(sum);                                 //@ child-exit
  }
  report("forked", child);                      //@ wait
}

static void executed(char *self) {
  pid_t child = fork();
  if (child == 0) {
    execl(self, self, "work", "4", (char *)NULL);
    _exit(127);
  }
  report("executed", child);
}

static void vforked(char *self) {
  pid_t child = vfork();
  if (child == 0) {
    execl(self, self, "work", "6", (char *)NULL);  //@ vfork-exec
    _exit(127);
  }
  report("vforked", child);
}

static void spawned(char *self) {
  char *arguments[] = {self, "work", "5", NULL};
  pid_t child;
  if (posix_spawn(&child, self, NULL, NULL, arguments, environ) != 0) return;
  report("spawned", child);
}

// Two children side by side, one writing to the other.
static void pipeline(void) {
  int ends[2];
  if (pipe(ends) != 0) return;
  pid_t writer = fork();
  if (writer == 0) {
    int sum = work(3);
    write(ends[1], &sum, sizeof sum);           //@ write
    _exit(sum);
  }
  pid_t reader = fork();
  if (reader == 0) {
    close(ends[1]);
    int got = 0;
    while (read(ends[0], &got, sizeof got) == sizeof got)
      got *= 2;                                 //@ got
    _exit(got + 1);
  }
  close(ends[1]);
  report("writer", writer);
  report("reader", reader);
}

static volatile sig_atomic_t told;
static void go_on(int signal) { told = signal; }

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  if (strcmp(how, "later") == 0) {
    // Until somebody says so, by a signal.
    signal(SIGUSR1, go_on);
    how = argv[2];
    printf("ready\n");
    fflush(stdout);
    while (!told) usleep(1000);
  }
  if (strcmp(how, "work") == 0) return work(atoi(argv[2]));  //@ work
  if (strcmp(how, "fork") == 0) forked(3);
  if (strcmp(how, "exec") == 0) executed(argv[0]);
  if (strcmp(how, "vfork") == 0) vforked(argv[0]);
  if (strcmp(how, "spawn") == 0) spawned(argv[0]);
  if (strcmp(how, "pipe") == 0) pipeline();
  if (strcmp(how, "twice") == 0) {
    forked(2);
    forked(4);
  }
  return 0;                                     //@ end
}
