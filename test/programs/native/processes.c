// Children: they run for themselves, and what they tell us is recorded.
#include "situations.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

SITUATION(fork_and_wait) {
  for (int i = 0; i < 5; ++i) {
    pid_t child = fork();
    if (child == 0) {
      compute(2);
      _exit(i + 10);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == i + 10);
    compute(1);
  }
  struct rusage usage;
  int status;
  EXPECT(wait4(-1, &status, 0, &usage) == -1 && errno == ECHILD);
}

SITUATION(child_killed) {
  pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  kill(child, SIGTERM);
  int status;
  EXPECT(wait(&status) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  siginfo_t info;
  EXPECT(waitid(P_ALL, 0, &info, WEXITED) == -1);
  compute(2);
}

static volatile sig_atomic_t children_gone;
static void reap(int signal) {
  (void)signal;
  while (waitpid(-1, NULL, WNOHANG) > 0) ++children_gone;
}

SITUATION(child_signal_handler) {
  signal(SIGCHLD, reap);
  for (int i = 0; i < 4; ++i)
    if (fork() == 0) _exit(0);
  while (children_gone < 4) compute(1);
}

SITUATION(vfork_exec) {
  for (int i = 0; i < 3; ++i) {
    pid_t child = vfork();
    if (child == 0) {
      execl("/bin/true", "true", (char *)NULL);
      _exit(127);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    compute(1);
  }
}

SITUATION(spawned) {
  char *arguments[] = {"sh", "-c", "exit 7", NULL};
  for (int i = 0; i < 3; ++i) {
    pid_t child;
    EXPECT(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) == 0);
    int status;
    EXPECT(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
    compute(1);
  }
  pid_t none;
  EXPECT(posix_spawn(&none, "/no/such/program", NULL, NULL, arguments, environ) == ENOENT);
}

SITUATION(shell) {
  EXPECT(system("true") == 0);
  EXPECT(WEXITSTATUS(system("exit 5")) == 5);
  fflush(stdout);
  EXPECT(system("echo from the shell") == 0);
  compute(2);
}

SITUATION(shell_output) {
  FILE *p = popen("seq 1 2000", "r");
  EXPECT(p);
  char line[32];
  int sum = 0;
  while (fgets(line, sizeof line, p)) sum += atoi(line);
  EXPECT(pclose(p) == 0 && sum == 2001000);
  p = popen("cat >/dev/null", "w");
  for (int i = 0; i < 1000; ++i) fprintf(p, "%d\n", i);
  EXPECT(pclose(p) == 0);
}

SITUATION(pipes_both_ways) {
  int to[2], from[2];
  EXPECT(pipe(to) == 0 && pipe(from) == 0);
  pid_t child = fork();
  if (child == 0) {
    close(to[1]);
    int x;
    while (read(to[0], &x, sizeof x) == sizeof x) {
      x *= 2;
      if (write(from[1], &x, sizeof x) != sizeof x) _exit(1);
    }
    _exit(0);
  }
  close(to[0]);
  for (int i = 0; i < 50; ++i) {
    int x = i;
    EXPECT(write(to[1], &x, sizeof x) == sizeof x && read(from[0], &x, sizeof x) == sizeof x && x == 2 * i);
    if (i % 20 == 0) compute(1);
  }
  close(to[1]);
  EXPECT(waitpid(child, NULL, 0) == child);
}

// Checkpoints are made while the pipe is open; its end must come nevertheless.
SITUATION(end_of_pipe) {
  for (int i = 0; i < 3; ++i) {
    int ends[2];
    EXPECT(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
      close(ends[1]);
      char c;
      ssize_t n;
      while ((n = read(ends[0], &c, 1)) > 0) continue;
      _exit(n == 0 ? 0 : 1);
    }
    close(ends[0]);
    compute(15);
    EXPECT(write(ends[1], "x", 1) == 1);
    close(ends[1]);
    int status;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
  }
}

SITUATION(sockets_with_child) {
  int pair[2];
  EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  if (fork() == 0) {
    close(pair[0]);
    char buffer[200];
    ssize_t n;
    while ((n = recv(pair[1], buffer, sizeof buffer, 0)) > 0) send(pair[1], buffer, (size_t)n, 0);
    _exit(0);
  }
  close(pair[1]);
  char buffer[200];
  for (int i = 0; i < 20; ++i) {
    memset(buffer, i, 100);
    struct iovec part = {buffer, 100};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    EXPECT(sendmsg(pair[0], &message, 0) == 100);
    EXPECT(recvmsg(pair[0], &message, MSG_WAITALL) == 100 && buffer[99] == i);
  }
  close(pair[0]);
  wait(NULL);
  compute(2);
}

SITUATION(exec_fails) {
  char *none[] = {"none", NULL};
  EXPECT(execv("/no/such/program", none) == -1 && errno == ENOENT);
  compute(2);
  EXPECT(execv("/etc/passwd", none) == -1 && errno == EACCES);
  EXPECT(execvp("no-such-program-here", none) == -1);
}

SITUATION(becomes_another_program) {
  compute(2);
  puts("before");
  fflush(stdout);
  execl("/bin/echo", "echo", "after", (char *)NULL);
}

SITUATION(becomes_itself) {
  const char *round = getenv("ROUND");
  int n = round ? atoi(round) : 0;
  printf("round %d\n", n);
  fflush(stdout);
  compute(2);
  if (n == 3) exit(5);
  char next[16];
  snprintf(next, sizeof next, "%d", n + 1);
  setenv("ROUND", next, 1);
  execl("/proc/self/exe", "self", "becomes_itself", (char *)NULL);
}

SITUATION(orphan_left_behind) {
  int ends[2];
  EXPECT(pipe(ends) == 0);
  if (fork() == 0) {
    if (fork() == 0) {
      usleep(3000);
      if (write(ends[1], "g", 1) != 1) _exit(1);
      _exit(0);
    }
    _exit(0);
  }
  wait(NULL);
  char c = 0;
  EXPECT(read(ends[0], &c, 1) == 1 && c == 'g');
  compute(2);
}

SITUATION(exits_without_flush) {
  puts("never seen when stdout is a file");
  compute(1);
  _exit(4);
}

static void farewell(void) { puts("farewell"); }

SITUATION(exits_with_handlers) {
  atexit(farewell);
  printf("main ");
  compute(1);
  exit(9);
}

SITUATION(clone_with_tids) {
  pid_t parent_tid = 0, child_tid = 0;
  long child = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0, &parent_tid, &child_tid, 0);
  if (child == 0) _exit(0);
  EXPECT(child > 0 && parent_tid == child);
  EXPECT(waitpid((pid_t)child, NULL, 0) == child);
  compute(2);
}

SITUATION(child_descriptor) {
  pid_t child = fork();
  if (child == 0) _exit(6);
  int fd = (int)syscall(SYS_pidfd_open, child, 0);
  EXPECT(fd >= 0);
  siginfo_t info = {0};
  EXPECT(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 && info.si_status == 6);
  compute(2);
}

// Our copies must have what the program keeps out of its children.
SITUATION(memory_not_for_children) {
  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *hidden = pages, *wiped = pages + 4096;
  int ends[2];
  EXPECT(pipe(ends) == 0);
  memset(pages, 7, 8192);
  EXPECT(madvise(hidden, 4096, MADV_DONTFORK) == 0);
  EXPECT(madvise(wiped, 4096, MADV_WIPEONFORK) == 0);
  EXPECT(madvise(pages + 1, 4096, MADV_DONTFORK) == -1 && errno == EINVAL);
  compute(3);
  pid_t child = fork();
  if (child == 0) _exit(write(ends[1], hidden, 1) == -1 && errno == EFAULT && wiped[0] == 0 ? 5 : 6);
  int status;
  EXPECT(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5);
  EXPECT(madvise(hidden, 4096, MADV_DOFORK) == 0);
  compute(3);
  hidden[1] += wiped[1];
  compute(3);
  child = fork();
  if (child == 0) _exit(hidden[1]);
  EXPECT(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 14);
  printf("%d %d\n", hidden[1], wiped[1]);
}
