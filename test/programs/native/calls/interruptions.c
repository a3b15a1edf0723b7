// Calls that a signal interrupts: ended with EINTR, or begun again (SA_RESTART).
#include "calls.h"

#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/time.h>

static volatile int caught;
static void count(int signal) { ++caught; }
static void catch(int signal, int flags) {
  struct sigaction a = {.sa_handler = count, .sa_flags = flags};
  OK(sigaction(signal, &a, NULL));
}
// And again later: on a busy machine the first may come before the call has begun.
static void soon(void) { ualarm(1500, 30000); }
static void no_more(void) { ualarm(0, 0); }
// A call that waits for ever is ended by SIGALRM.
#define INTERRUPTED(CALLED)    \
  do {                         \
    catch(SIGALRM, 0);         \
    soon();                    \
    FAILS(CALLED, EINTR);      \
    no_more();                 \
    EXPECT(caught >= 1);       \
  } while (0)
static int ends[2];
// A call that a child satisfies after the handler has run: it is begun again.
static pid_t restarted_by(void) {
  OK(pipe(ends));
  catch(SIGALRM, SA_RESTART);
  soon();
  return CHILD({
    nap(5000);
    if (write(ends[1], "late", 4) != 4) _exit(1);
  });
}

SITUATION(read_interrupted) {
  OK(pipe(ends));
  INTERRUPTED(CALL(read, ends[0], noise, 10));
}
SITUATION(write_interrupted) {
  OK(pipe(ends));
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  while (write(ends[1], noise, sizeof noise) > 0) continue;
  fcntl(ends[1], F_SETFL, 0);
  INTERRUPTED(CALL(write, ends[1], noise, 4096L));
}
SITUATION(write_interrupted_in_its_middle) {
  OK(pipe(ends));
  catch(SIGALRM, 0);
  soon();
  long n = write(ends[1], memset(malloc(1 << 20), 5, 1 << 20), 1 << 20);
  EXPECT(n > 0 && n < 1 << 20 && caught >= 1);
}
SITUATION(wait_interrupted) {
  pid_t child = CHILD(for (;;) pause());
  int status;
  INTERRUPTED(CALL(wait4, child, &status, 0, NULL));
  siginfo_t info;
  caught = 0;
  INTERRUPTED(CALL(waitid, P_PID, child, &info, WEXITED, NULL));
  kill(child, SIGKILL);
  EXPECT(end_of(child) == -SIGKILL);
}
SITUATION(accept_and_receive_interrupted) {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  INTERRUPTED(recv(s[0], noise, 10, 0));
  caught = 0;
  struct iovec v = {noise, 10};
  struct msghdr m = {NULL, 0, &v, 1, NULL, 0, 0};
  INTERRUPTED(recvmsg(s[0], &m, 0));
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  struct { sa_family_t f; char name[9]; } a = {AF_UNIX, "listener"};
  OK(bind(l, (struct sockaddr *)&a, sizeof a));
  OK(listen(l, 1));
  caught = 0;
  INTERRUPTED(accept(l, NULL, NULL));
}
SITUATION(lock_interrupted) {
  int ready[2];
  OK(pipe(ready));
  close(file_of("f", 10));
  pid_t child = CHILD({
    struct flock l = {.l_type = F_WRLCK};
    int own = open("f", O_RDWR);
    fcntl(own, F_SETLK, &l);
    flock(own, LOCK_EX);
    if (write(ready[1], "x", 1) == 1)
      for (;;) pause();
  });
  EXPECT(read(ready[0], noise, 1) == 1);
  struct flock l = {.l_type = F_WRLCK};
  int fd = open("f", O_RDWR);
  INTERRUPTED(fcntl(fd, F_SETLKW, &l));
  caught = 0;
  INTERRUPTED(flock(fd, LOCK_EX));
  kill(child, SIGKILL);
  EXPECT(end_of(child) == -SIGKILL);
}
SITUATION(queues_interrupted) {
  int q = msgget(IPC_PRIVATE, 0600);
  NEEDS(q >= 0, "no System V messages");
  INTERRUPTED(msgrcv(q, noise, 10, 0, 0));
  msgctl(q, IPC_RMID, NULL);
}
SITUATION(futex_interrupted) {
  static int word = 1;
  INTERRUPTED(CALL(futex, &word, FUTEX_WAIT, 1, NULL, NULL, 0));
  struct timespec t = {1, 0};
  caught = 0;
  INTERRUPTED(CALL(futex, &word, FUTEX_WAIT, 1, &t, NULL, 0));
}
SITUATION(semaphore_interrupted) {
  sem_t s;
  sem_init(&s, 0, 0);
  INTERRUPTED(sem_wait(&s));
}
SITUATION(named_pipe_interrupted) {
  OK(mkfifo("p", 0600));
  INTERRUPTED(open("p", O_RDONLY));
}
SITUATION(read_restarted) {
  pid_t child = restarted_by();
  EXPECT(read(ends[0], noise, 10) == 4 && caught >= 1 && end_of(child) == 0);
}
SITUATION(readv_restarted) {
  pid_t child = restarted_by();
  struct iovec v[2] = {{noise, 2}, {noise + 5, 2}};
  EXPECT(readv(ends[0], v, 2) == 4 && caught >= 1 && noise[6] == 'e' && end_of(child) == 0);
}
SITUATION(wait_restarted) {
  pid_t child = restarted_by();
  int status;
  EXPECT(CALL(wait4, child, &status, 0, NULL) == child && caught >= 1);
}
SITUATION(futex_restarted) {
  static int *word;
  word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  catch(SIGALRM, SA_RESTART);
  soon();
  struct timespec t = {0, 6000000};
  long n = CALL(futex, word, FUTEX_WAIT, 0, &t, NULL, 0);
  EXPECT(n == -1 && (errno == ETIMEDOUT || errno == EINTR) && caught >= 1);
}
SITUATION(sleep_goes_on_after_an_ignored_signal) {
  struct timespec t = {0, 6000000};
  signal(SIGALRM, SIG_IGN);
  soon();
  OK(nanosleep(&t, NULL));
}
SITUATION(poll_goes_on_after_an_ignored_signal) {
  signal(SIGCHLD, SIG_DFL);
  pid_t child = CHILD(nap(1000));
  EXPECT(poll(NULL, 0, 5) == 0 && end_of(child) == 0);
}
