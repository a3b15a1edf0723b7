// Waiting for something to happen, with and without an end of patience.
#include "situations.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static int ends[2];
static void writer_child(int rounds) {
  EXPECT(pipe(ends) == 0);
  if (fork() == 0) {
    for (int i = 0; i < rounds; ++i) {
      usleep(1500);
      if (write(ends[1], "w", 1) != 1) _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
}

SITUATION(selects) {
  writer_child(4);
  int got = 0, timeouts = 0;
  while (got < 4) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval patience = {0, 400};
    int n = select(ends[0] + 1, &set, NULL, NULL, &patience);
    char c;
    if (n == 1 && FD_ISSET(ends[0], &set)) EXPECT(read(ends[0], &c, 1) == 1 && ++got);
    else ++timeouts;
  }
  EXPECT(timeouts > 0);
  wait(NULL);
  compute(1);
}

SITUATION(polls) {
  writer_child(4);
  int got = 0;
  char c;
  while (got < 4) {
    struct pollfd fds[2] = {{ends[0], POLLIN, 0}, {-1, POLLIN, 0}};
    int n = poll(fds, 2, 1);
    if (n == 1) EXPECT((fds[0].revents & POLLIN) && read(ends[0], &c, 1) == 1 && ++got);
    struct timespec soon = {0, 100000};
    EXPECT(ppoll(fds, 1, &soon, NULL) >= 0);
  }
  wait(NULL);
  compute(1);
}

SITUATION(epolls) {
  writer_child(4);
  int ep = epoll_create1(0), got = 0;
  struct epoll_event event = {EPOLLIN, {.u64 = 0x123456789abcull}}, out[4];
  EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event) == 0);
  char c;
  while (got < 4) {
    int n = epoll_wait(ep, out, 4, 1);
    EXPECT(n >= 0);
    if (n == 1) EXPECT(out[0].data.u64 == 0x123456789abcull && read(ends[0], &c, 1) == 1 && ++got);
  }
  EXPECT(epoll_pwait(ep, out, 4, 0, NULL) >= 0);
  wait(NULL);
  compute(1);
}

static volatile sig_atomic_t seen;
static void count(int signal) {
  (void)signal;
  ++seen;
}

SITUATION(interrupted_waits) {
  struct sigaction action = {0};
  action.sa_handler = count;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 2500}, {0, 2500}};
  setitimer(ITIMER_REAL, &timer, NULL);
  EXPECT(pipe(ends) == 0);
  struct pollfd one = {ends[0], POLLIN, 0};
  EXPECT(poll(&one, 1, -1) == -1 && errno == EINTR);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  struct timeval patience = {5, 0};
  EXPECT(select(ends[0] + 1, &set, NULL, NULL, &patience) == -1 && errno == EINTR);
  int ep = epoll_create1(0);
  struct epoll_event out;
  EXPECT(epoll_wait(ep, &out, 1, -1) == -1 && errno == EINTR);
  sigset_t none;
  sigemptyset(&none);
  struct timespec five = {5, 0};
  EXPECT(pselect(0, NULL, NULL, NULL, &five, &none) == -1 && errno == EINTR);
  memset(&timer, 0, sizeof timer);
  setitimer(ITIMER_REAL, &timer, NULL);
  compute(1);
}

SITUATION(event_descriptor) {
  int fd = eventfd(3, EFD_SEMAPHORE);
  uint64_t value = 0;
  for (int i = 0; i < 3; ++i) EXPECT(read(fd, &value, 8) == 8 && value == 1);
  value = 2;
  EXPECT(write(fd, &value, 8) == 8);
  compute(2);
  EXPECT(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
  EXPECT(read(fd, &value, 8) == 8 && read(fd, &value, 8) == 8 && read(fd, &value, 8) == -1 && errno == EAGAIN);
}

SITUATION(signal_descriptor) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, 0);
  kill(getpid(), SIGUSR1);
  struct signalfd_siginfo info;
  compute(2);
  EXPECT(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1);
}

SITUATION(watched_folder) {
  int fd = inotify_init1(0);
  EXPECT(inotify_add_watch(fd, ".", IN_CREATE) >= 0);
  close(open("made", O_CREAT | O_WRONLY, 0600));
  char buffer[500];
  ssize_t n = read(fd, buffer, sizeof buffer);
  EXPECT(n > 0 && strcmp(((struct inotify_event *)buffer)->name, "made") == 0);
  compute(2);
}

SITUATION(local_server) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT(bind(server, (struct sockaddr *)&address, sizeof address) == 0 && listen(server, 4) == 0);
  if (fork() == 0) {
    for (int i = 0; i < 3; ++i) {
      int s = socket(AF_UNIX, SOCK_STREAM, 0);
      if (connect(s, (struct sockaddr *)&address, sizeof address) != 0) _exit(1);
      if (send(s, "hello", 5, 0) != 5) _exit(2);
      close(s);
    }
    _exit(0);
  }
  for (int i = 0; i < 3; ++i) {
    struct sockaddr_un peer;
    socklen_t length = sizeof peer;
    int s = accept(server, (struct sockaddr *)&peer, &length);
    char text[10] = {0};
    EXPECT(s >= 0 && recvfrom(s, text, 10, MSG_WAITALL, NULL, NULL) == 5 && strcmp(text, "hello") == 0);
    struct ucred who;
    length = sizeof who;
    EXPECT(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0);
    close(s);
    compute(1);
  }
  wait(NULL);
}

SITUATION(passed_descriptor) {
  int pair[2];
  EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
  int given = open("/dev/null", O_RDONLY);
  char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'd';
  struct iovec part = {&byte, 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &given, sizeof given);
  EXPECT(sendmsg(pair[0], &m, 0) == 1);
  compute(2);
  memset(control, 0, sizeof control);
  EXPECT(recvmsg(pair[1], &m, 0) == 1);
  int received = -1;
  memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof received);
  EXPECT(received > given && lseek(received, 0, SEEK_SET) == 0);
}
