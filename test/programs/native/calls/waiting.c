// Waiting for several things: poll, select, epoll, their masks and limits.
#include "calls.h"

#include <aio.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

static volatile int caught;
static void count(int signal) { ++caught; }
static void catch(int signal, int flags) {
  struct sigaction a = {.sa_handler = count, .sa_flags = flags};
  OK(sigaction(signal, &a, NULL));
}
static int ends[2];
static void pipe_with(const char *text) {
  OK(pipe(ends));
  if (text) OK(write(ends[1], text, strlen(text)));
}
static pid_t writer_after(long microseconds) {
  return CHILD({
    nap(microseconds);
    if (write(ends[1], "x", 1) != 1) _exit(1);
  });
}
static sigset_t only(int signal) {
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, signal);
  return set;
}
struct { const sigset_t *set; size_t size; } packed;

SITUATION(polled) {
  pipe_with("x");
  struct pollfd p[4] = {{ends[0], POLLIN, 77}, {ends[1], POLLOUT, 77}, {-1, POLLIN, 77}, {99, POLLIN, 77}};
  EXPECT(CALL(poll, p, 4, 0) == 3 && p[0].revents == POLLIN && p[2].revents == 0 && p[3].revents == POLLNVAL);
}
SITUATION(polled_in_time) {
  pipe_with(NULL);
  struct pollfd p = {ends[0], POLLIN, 0};
  EXPECT(CALL(poll, &p, 1, 2) == 0 && CALL(poll, NULL, 0, 1) == 0);
  pid_t child = writer_after(2000);
  EXPECT(CALL(poll, &p, 1, -1) == 1 && end_of(child) == 0);
}
SITUATION(poll_interrupted) {
  pipe_with(NULL);
  struct pollfd p = {ends[0], POLLIN, 0};
  catch(SIGALRM, SA_RESTART);
  ualarm(2000, 0);
  FAILS(CALL(poll, &p, 1, 2000), EINTR);
}
SITUATION(poll_of_a_closed_end) {
  pipe_with(NULL);
  close(ends[1]);
  struct pollfd p = {ends[0], POLLIN, 0};
  EXPECT(CALL(poll, &p, 1, -1) == 1 && p.revents == POLLHUP);
}
SITUATION(ppolled) {
  pipe_with("x");
  struct pollfd p = {ends[0], POLLIN, 0};
  struct timespec t = {1, 0};
  EXPECT(CALL(ppoll, &p, 1, &t, NULL, 8L) == 1 && t.tv_sec == 0);
  OK(read(ends[0], noise, 1));
  t.tv_sec = 0, t.tv_nsec = 2000000;
  EXPECT(CALL(ppoll, &p, 1, &t, NULL, 8L) == 0 && t.tv_nsec == 0);
}
SITUATION(ppoll_with_mask) {
  sigset_t blocked, waiting = only(SIGUSR1);
  sigemptyset(&blocked), sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  catch(SIGUSR1, 0);
  raise(SIGUSR1);
  EXPECT(caught == 0);
  struct timespec t = {1, 0};
  FAILS(CALL(ppoll, NULL, 0, &t, &waiting, 8L), EINTR);
  EXPECT(caught == 1);
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  EXPECT(sigismember(&now, SIGUSR1));
}
SITUATION(ppoll_with_mask_and_no_signal) {
  sigset_t waiting = only(SIGUSR1);
  pipe_with("x");
  struct pollfd p = {ends[0], POLLIN, 0};
  EXPECT(CALL(ppoll, &p, 1, NULL, &waiting, 8L) == 1);
}
SITUATION(ppoll_keeps_the_signal_for_later) {
  sigset_t all;
  sigfillset(&all);
  catch(SIGALRM, 0);
  ualarm(1000, 0);
  struct timespec t = {0, 4000000};
  EXPECT(CALL(ppoll, NULL, 0, &t, &all, 8L) == 0);
  CALL(getppid);
  EXPECT(caught == 1);
}
SITUATION(selected) {
  pipe_with("x");
  fd_set in, out, bad;
  struct timeval t = {1, 0};
  FD_ZERO(&in); FD_ZERO(&out); FD_ZERO(&bad);
  FD_SET(ends[0], &in); FD_SET(ends[1], &out); FD_SET(ends[0], &bad);
  EXPECT(CALL(select, ends[1] + 1, &in, &out, &bad, &t) == 2 && FD_ISSET(ends[0], &in) && !FD_ISSET(ends[0], &bad));
}
SITUATION(selected_in_time) {
  pipe_with(NULL);
  fd_set in;
  struct timeval t = {0, 2000};
  FD_ZERO(&in); FD_SET(ends[0], &in);
  EXPECT(CALL(select, ends[0] + 1, &in, NULL, NULL, &t) == 0 && t.tv_usec == 0 && !FD_ISSET(ends[0], &in));
  pid_t child = writer_after(1000);
  FD_SET(ends[0], &in);
  EXPECT(CALL(select, ends[0] + 1, &in, NULL, NULL, NULL) == 1 && end_of(child) == 0);
}
SITUATION(select_interrupted) {
  struct timeval t = {1, 0};
  catch(SIGALRM, 0);
  ualarm(2000, 0);
  FAILS(CALL(select, 0, NULL, NULL, NULL, &t), EINTR);
  EXPECT(t.tv_sec == 0 && t.tv_usec > 0);
}
SITUATION(select_of_high_descriptors) {
  pipe_with("x");
  static unsigned char bits[130];
  int high = dup2(ends[0], 1000);
  OK(high);
  bits[125] = 1;
  EXPECT(CALL(select, 1001, bits, NULL, NULL, NULL) == 1 && bits[125] == 1);
  FAILS(CALL(select, -1, NULL, NULL, NULL, NULL), EINVAL);
}
SITUATION(pselected_with_mask) {
  sigset_t blocked, waiting = only(SIGUSR2);
  sigemptyset(&blocked), sigaddset(&blocked, SIGUSR2);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  catch(SIGUSR2, 0);
  raise(SIGUSR2);
  packed.set = &waiting, packed.size = 8;
  struct timespec t = {1, 0};
  FAILS(CALL(pselect6, 0, NULL, NULL, NULL, &t, &packed), EINTR);
  EXPECT(caught == 1);
}
SITUATION(pselected_in_time) {
  pipe_with("x");
  fd_set in;
  struct timespec t = {1, 0};
  FD_ZERO(&in); FD_SET(ends[0], &in);
  EXPECT(CALL(pselect6, ends[0] + 1, &in, NULL, NULL, &t, NULL) == 1 && t.tv_nsec > 0);
}
SITUATION(epolled) {
  pipe_with("x");
  int e = (int)CALL(epoll_create1, EPOLL_CLOEXEC), old = (int)CALL(epoll_create, 5);
  struct epoll_event add = {EPOLLIN, {.u64 = 0x1234567890}}, got[8];
  OK(old);
  OK(CALL(epoll_ctl, e, EPOLL_CTL_ADD, ends[0], &add));
  FAILS(CALL(epoll_ctl, e, EPOLL_CTL_ADD, ends[0], &add), EEXIST);
  EXPECT(CALL(epoll_wait, e, got, 8, 0) == 1 && got[0].data.u64 == 0x1234567890);
  add.events = EPOLLIN | EPOLLET;
  OK(CALL(epoll_ctl, e, EPOLL_CTL_MOD, ends[0], &add));
  EXPECT(CALL(epoll_wait, e, got, 8, 0) == 1 && CALL(epoll_wait, e, got, 8, 0) == 0);
  OK(CALL(epoll_ctl, e, EPOLL_CTL_DEL, ends[0], NULL));
}
SITUATION(epolled_many) {
  int e = epoll_create1(0);
  struct epoll_event got[20];
  for (int i = 0; i < 16; ++i) {
    int fd = eventfd((unsigned)(i % 2), 0);
    struct epoll_event add = {EPOLLIN | EPOLLOUT | EPOLLONESHOT, {.u32 = (uint32_t)i}};
    OK(epoll_ctl(e, EPOLL_CTL_ADD, fd, &add));
  }
  EXPECT(epoll_wait(e, got, 5, 0) == 5 && epoll_wait(e, got, 20, 0) == 11);
}
SITUATION(epoll_waited_for) {
  pipe_with(NULL);
  int e = epoll_create1(0);
  struct epoll_event add = {EPOLLIN, {.fd = 5}}, got;
  OK(epoll_ctl(e, EPOLL_CTL_ADD, ends[0], &add));
  EXPECT(epoll_wait(e, &got, 1, 2) == 0);
  pid_t child = writer_after(1500);
  EXPECT(epoll_wait(e, &got, 1, -1) == 1 && got.data.fd == 5 && end_of(child) == 0);
}
SITUATION(epoll_interrupted) {
  struct epoll_event got;
  int e = epoll_create1(0);
  catch(SIGALRM, SA_RESTART);
  ualarm(1500, 0);
  FAILS(CALL(epoll_wait, e, &got, 1, 1000), EINTR);
}
SITUATION(epoll_with_mask) {
  sigset_t blocked, waiting = only(SIGUSR1);
  struct epoll_event got;
  struct timespec t = {1, 0};
  int e = epoll_create1(0);
  sigemptyset(&blocked), sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  catch(SIGUSR1, 0);
  raise(SIGUSR1);
  FAILS(CALL(epoll_pwait, e, &got, 1, 1000, &waiting, 8L), EINTR);
  EXPECT(caught == 1);
  raise(SIGUSR1);
  FAILS(CALL(epoll_pwait2, e, &got, 1, &t, &waiting, 8L), EINTR);
  EXPECT(caught == 2);
}
SITUATION(epoll_in_nanoseconds) {
  struct epoll_event got;
  struct timespec t = {0, 1500000};
  int e = epoll_create1(0);
  EXPECT(TRY(CALL(epoll_pwait2, e, &got, 1, &t, NULL, 8L)) == 0);
  EXPECT(CALL(epoll_pwait, e, &got, 1, 1, NULL, 8L) == 0);
}
SITUATION(epoll_in_epoll) {
  pipe_with("x");
  int inner = epoll_create1(0), outer = epoll_create1(0);
  struct epoll_event add = {EPOLLIN, {.u64 = 1}}, got;
  OK(epoll_ctl(inner, EPOLL_CTL_ADD, ends[0], &add));
  add.data.u64 = 2;
  OK(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &add));
  EXPECT(epoll_wait(outer, &got, 1, 100) == 1 && got.data.u64 == 2);
  FAILS(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &add), ELOOP);
}
SITUATION(epoll_parameters) {
  struct { uint32_t usecs; uint16_t budget; uint8_t prefer, pad; } p = {0, 0, 0, 0};
  int e = epoll_create1(0);
  ASK(CALL(ioctl, e, 0x80088a02 /* EPIOCGPARAMS */, &p));
  FAILS(CALL(epoll_wait, e, noise, 0, 0), EINVAL);
  FAILS(CALL(epoll_wait, 0, noise, 1, 0), EINVAL);
}
SITUATION(event_loop) {
  int e = epoll_create1(0), s[2], turns = 0;
  struct epoll_event add = {EPOLLIN, {.u32 = 1}}, got[4];
  OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
  OK(epoll_ctl(e, EPOLL_CTL_ADD, s[0], &add));
  pid_t child = CHILD(for (int i = 0; i < 30; ++i) {
    nap(200);
    if (write(s[1], other_noise, 50) != 50) _exit(1);
  });
  for (long total = 0; total < 1500; ++turns) {
    EXPECT(epoll_wait(e, got, 4, -1) == 1);
    for (long n; (n = read(s[0], noise, 64)) > 0;) total += n;
  }
  EXPECT(turns >= 1 && end_of(child) == 0);
}
SITUATION(asynchronous_input) {
  int s[2];
  catch(SIGIO, 0);
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  OK(fcntl(s[0], F_SETOWN, getpid()));
  OK(fcntl(s[0], F_SETFL, O_ASYNC | O_NONBLOCK));
  OK(write(s[1], "x", 1));
  while (!caught) CALL(getppid);
  EXPECT(read(s[0], noise, 10) == 1);
}
static volatile int signalled_descriptor;
static void which(int signal, siginfo_t *info, void *context) { signalled_descriptor = info->si_fd; }
SITUATION(asynchronous_input_with_descriptor) {
  int s[2];
  struct sigaction a = {.sa_sigaction = which, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN, &a, NULL);
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  OK(fcntl(s[0], F_SETOWN, getpid()));
  OK(fcntl(s[0], F_SETSIG, SIGRTMIN));
  OK(fcntl(s[0], F_SETFL, O_ASYNC | O_NONBLOCK));
  OK(write(s[1], "x", 1));
  while (!signalled_descriptor) CALL(getppid);
  EXPECT(signalled_descriptor == s[0]);
}
SITUATION(native_asynchronous_io_refused) {
  unsigned long context = 0;
  void *none[1] = {NULL};
  FAILS(CALL(io_setup, 8, &context), ENOSYS);
  FAILS(CALL(io_submit, context, 1L, none), ENOSYS);
  FAILS(CALL(io_getevents, context, 1L, 1L, noise, NULL), ENOSYS);
  FAILS(CALL(io_cancel, context, noise, noise), ENOSYS);
  FAILS(CALL(io_destroy, context), ENOSYS);
  FAILS(NUMBER(333, context, 1L, 1L, noise, NULL, NULL), ENOSYS);
}
SITUATION(rings_refused) {
  FAILS(NUMBER(425, 8, noise), ENOSYS);
  FAILS(NUMBER(426, 3, 0, 0, 0, NULL, 0L), ENOSYS);
  FAILS(NUMBER(427, 3, 0, NULL, 0), ENOSYS);
}
SITUATION(posix_asynchronous_io) {  // the library makes a thread of it
  int fd = file_of("f", 100);
  struct aiocb read_it = {.aio_fildes = fd, .aio_buf = noise, .aio_nbytes = 50, .aio_offset = 25};
  const struct aiocb *list[] = {&read_it};
  OK(aio_read(&read_it));
  while (aio_error(&read_it) == EINPROGRESS) aio_suspend(list, 1, NULL);
  EXPECT(aio_return(&read_it) == 50 && noise[0] == other_noise[25]);
}
