// Many small calls from few instructions, and what can happen to a program
// while it is in one of them: signals, threads, children, other code at its place.
#include "situations.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t struck;
static void count(int signal) {
  (void)signal;
  struck = struck + 1;
}

static void every_ms(int which, int signal, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(signal, &action, NULL);
  struct itimerval timer = {{0, 1000}, {0, 1000}};
  setitimer(which, &timer, NULL);
}

static void quiet(int which) {
  struct itimerval none = {{0, 0}, {0, 0}};
  setitimer(which, &none, NULL);
}

static long small_calls(int rounds) {
  static int zero = -1, null = -1;
  if (zero < 0) zero = open("/dev/zero", O_RDONLY);
  if (null < 0) null = open("/dev/null", O_WRONLY);
  char bytes[64];
  struct timespec now;
  struct stat status;
  long sum = 0;
  for (int i = 0; i < rounds; ++i) {
    memset(bytes, i, sizeof bytes);
    EXPECT(read(zero, bytes, 1 + (size_t)i % 40) == 1 + i % 40);
    EXPECT(bytes[i % 40] == 0);
    memset(bytes, i, sizeof bytes);
    EXPECT(write(null, bytes, 1 + (size_t)i % 64) == 1 + i % 64);
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    sum += now.tv_nsec + getppid();
    EXPECT(lseek(zero, 0, SEEK_CUR) == 0);
    EXPECT(fstat(zero, &status) == 0 && S_ISCHR(status.st_mode));
    sum += fcntl(null, F_GETFL);
  }
  return sum;
}

SITUATION(many_calls) { EXPECT(small_calls(4000) != 0); }

// Where the last x87 instruction and its operand lay: some processors forget it when
// another process has run, in a recording at other calls than in a replay.
SITUATION(last_x87_instruction) {
  static struct {
    unsigned short control, reserved, status, also_reserved, tags, rest[9];
  } environments[3000];
  const double one = 1;
  for (int i = 0; i < 3000; i++) {
    __asm__ volatile("fldl %0\n fstp %%st(0)" : : "m"(one));
    for (int j = 0; j < i % 3; j++) EXPECT(getppid() > 0);
    __asm__ volatile("fnstenv %0\n fldenv %0" : "+m"(environments[i]));
    EXPECT(environments[i].control == 0x37f && environments[i].tags == 0xffff);
  }
}

SITUATION(failing_calls) {
  char byte, *volatile nowhere = (char *)16;
  for (int i = 0; i < 60; ++i) {
    EXPECT(read(-1, &byte, 1) == -1 && errno == EBADF);
    EXPECT(read(0, nowhere, 1) <= 0);
    int null = open("/dev/zero", O_RDONLY);
    EXPECT(read(null, nowhere, 1) == -1 && errno == EFAULT);
    EXPECT(close(null) == 0 && close(null) == -1);
    EXPECT(readlink("/proc/self/none", &byte, 1) == -1 && errno == ENOENT);
  }
}

SITUATION(full_ring) {
  static char bytes[700000];
  int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
  const size_t lengths[] = {1, 4096, 30000, 60000, 200000, 262144, 700000};
  for (int round = 0; round < 12; ++round)
    for (int i = 0; i < 7; ++i) {
      memset(bytes, round + i, sizeof bytes);
      EXPECT(write(null, bytes, lengths[i]) == (ssize_t)lengths[i]);
      EXPECT(read(zero, bytes, lengths[i]) == (ssize_t)lengths[i] && bytes[lengths[i] - 1] == 0);
      EXPECT(lengths[i] == sizeof bytes || bytes[lengths[i]] == (char)(round + i));
    }
}

SITUATION(opened_files) {
  char name[] = "fileXX", text[64], target[64];
  for (int i = 0; i < 40; ++i) {
    name[4] = (char)('a' + i / 10);
    name[5] = (char)('0' + i % 10);
    int file = open(name, O_RDWR | O_CREAT, 0600);
    struct iovec pieces[] = {{name, 4}, {NULL, 0}, {&i, sizeof i}, {name + 4, 2}};
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    EXPECT(file >= 0 && writev(file, pieces, 4) == 10 && fcntl(file, F_SETLK, &lock) == 0);
    EXPECT(pread(file, text, sizeof text, 0) == 10 && memcmp(text, "file", 4) == 0);
    EXPECT(fchmod(file, 0640) == 0 && fdatasync(file) == 0 && ftruncate(file, 5) == 0);
    EXPECT(open(name, O_RDWR | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
    EXPECT(symlink(name, "link") == 0 && readlink("link", target, sizeof target) == 6);
    int again = open("link", O_RDONLY), status = open("/proc/self/stat", O_RDONLY), folder = open(".", O_DIRECTORY);
    EXPECT(again > file && status > again && folder > status && read(status, text, sizeof text) > 0);
    EXPECT(close(file) == 0 && close(again) == 0 && close(status) == 0 && close(folder) == 0);
    EXPECT(unlink("link") == 0 && rename(name, "last") == 0);
  }
  EXPECT(unlink("last") == 0);
}

SITUATION(own_memory_written) {
  static volatile int value = 1;
  for (int i = 0; i < 30; ++i) {
    int memory = open(i < 20 ? "/dev/null" : "/proc/self/mem", O_RDWR), next = i + 2;
    EXPECT(memory >= 0 && pwrite(memory, &next, sizeof next, (off_t)(uintptr_t)&value) == sizeof next);
    EXPECT(value == (i < 20 ? 1 : i + 2) && close(memory) == 0);
  }
}

SITUATION(masks) {
  sigset_t set, old, none;
  sigemptyset(&set);
  sigemptyset(&none);
  sigaddset(&set, SIGUSR1);
  signal(SIGUSR1, count);
  for (int i = 0; i < 60; ++i) {
    EXPECT(sigprocmask(SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGUSR1));
    if (i % 3 == 0) kill(getpid(), SIGUSR1);
    small_calls(2);
    const int before = struck;
    EXPECT(sigprocmask(SIG_SETMASK, &none, &old) == 0 && sigismember(&old, SIGUSR1));
    EXPECT(struck == before + (i % 3 == 0));
    EXPECT(sigprocmask(SIG_BLOCK, NULL, &old) == 0 && !sigismember(&old, SIGUSR1));
    EXPECT(sigprocmask(77, &set, NULL) == -1 && errno == EINVAL);
  }
  EXPECT(umask(022) != 077 && umask(077) == 022);
}

SITUATION(polls_and_sockets) {
  int pair[2], pipes[2], group = epoll_create1(0);
  EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(pipes) == 0 && group >= 0);
  struct epoll_event wanted = {.events = EPOLLIN, .data.fd = pair[0]}, found[4];
  EXPECT(epoll_ctl(group, EPOLL_CTL_ADD, pair[0], &wanted) == 0);
  every_ms(ITIMER_REAL, SIGALRM, count, SA_RESTART);
  char text[32];
  for (int i = 0; i < 80; ++i) {
    struct pollfd both[2] = {{pair[0], POLLIN, 0}, {pipes[0], POLLIN, 0}};
    struct timespec soon = {0, 300000};
    EXPECT(poll(both, 2, 0) == 0 || errno == EINTR);
    int ready = poll(both, 2, 1);
    EXPECT(ready == 0 || (ready == -1 && errno == EINTR));
    ready = ppoll(both, 2, &soon, NULL);
    EXPECT(ready == 0 || (ready == -1 && errno == EINTR));
    ready = epoll_wait(group, found, 4, 1);
    EXPECT(ready == 0 || (ready == -1 && errno == EINTR));
    EXPECT(send(pair[1], "some words", 10, 0) == 10 && write(pipes[1], &i, sizeof i) == sizeof i);
    while ((ready = poll(both, 2, -1)) == -1) EXPECT(errno == EINTR);
    EXPECT(ready == 2 && both[0].revents == POLLIN && both[1].revents == POLLIN);
    while ((ready = epoll_wait(group, found, 4, -1)) == -1) EXPECT(errno == EINTR);
    EXPECT(ready == 1 && found[0].data.fd == pair[0]);
    EXPECT(recv(pair[0], text, sizeof text, 0) == 10 && memcmp(text, "some words", 10) == 0);
    int back = -1;
    EXPECT(read(pipes[0], &back, sizeof back) == sizeof back && back == i);
  }
  quiet(ITIMER_REAL);
}

// With more room than they fill, as event loops read.
SITUATION(roomy_reads) {
  enum { kRoom = 256 * 1024 };
  int pair[2];
  EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  char *room = malloc(kRoom);
  char words[] = "some words";
  for (int i = 0; i < 1000; ++i) {
    const ssize_t length = 1 + i % 10;
    memset(room, i, 16);
    EXPECT(send(pair[1], words, (size_t)length, 0) == length);
    EXPECT(i % 2 ? recv(pair[0], room, kRoom, 0) == length : read(pair[0], room, kRoom) == length);
    EXPECT(memcmp(room, words, (size_t)length) == 0 && room[length] == (char)i);
  }
  free(room);
}

static int select_for(int most, int readable, int writable, struct timeval patience, int ready) {
  fd_set to_read, to_write;
  FD_ZERO(&to_read);
  FD_ZERO(&to_write);
  FD_SET(readable, &to_read);
  FD_SET(writable, &to_write);
  const int found = select(most + 1, &to_read, &to_write, NULL, &patience);
  EXPECT(found != ready || (FD_ISSET(readable, &to_read) + FD_ISSET(writable, &to_write) == ready));
  EXPECT(patience.tv_sec <= 1);
  return found;
}

SITUATION(many_selects) {
  int pipes[2], again[2];
  EXPECT(pipe(pipes) == 0 && pipe(again) == 0 && write(pipes[1], "x", 1) == 1);
  const int high = fcntl(pipes[0], F_DUPFD, 150);
  const struct timeval patience = {1, 5}, none = {0, 0};
  for (int i = 0; i < 2000; ++i) {
    EXPECT(select_for(pipes[1], pipes[0], pipes[1], patience, 2) == 2);
    EXPECT(select_for(again[1], again[0], again[0], none, 0) == 0);
    if (i % 100 != 0) continue;
    EXPECT(select_for(high, high, pipes[1], patience, 2) == 2);
    EXPECT(select_for(40, 40, 40, none, 0) == -1 && errno == EBADF);
    EXPECT(select(-1, NULL, NULL, NULL, NULL) == -1 && errno == EINVAL);
    // The kernel cannot write back how much of this time is left, and says nothing.
    static const struct timespec fixed = {5, 0};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipes[0], &set);
    EXPECT(syscall(SYS_pselect6, pipes[0] + 1, &set, NULL, NULL, &fixed, NULL) == 1 && fixed.tv_sec == 5);
  }
}

SITUATION(storm) {
  every_ms(ITIMER_REAL, SIGALRM, count, SA_RESTART);
  for (int i = 0; i < 400 && struck < 60; ++i) small_calls(60);
  quiet(ITIMER_REAL);
  EXPECT(struck > 0);
}

SITUATION(storm_of_processor_time) {
  every_ms(ITIMER_VIRTUAL, SIGVTALRM, count, 0);
  for (int i = 0; i < 100 && struck < 10; ++i) small_calls(60);
  quiet(ITIMER_VIRTUAL);
}

SITUATION(signals_of_a_child) {
  signal(SIGUSR1, count);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    for (int i = 0; i < 150; ++i) {
      kill(parent, SIGUSR1);
      usleep(300);
    }
    _exit(small_calls(30) == 0);
  }
  int status = -1;
  while (waitpid(child, &status, WNOHANG) == 0) small_calls(20);
  EXPECT(status == 0 && struck > 0);
}

static sigjmp_buf out;
static void jump(int signal) {
  (void)signal;
  struck = struck + 1;
  siglongjmp(out, 1);
}

SITUATION(jumps_out_of_handlers) {
  if (sigsetjmp(out, 1) == 0) every_ms(ITIMER_REAL, SIGALRM, jump, 0);
  while (struck < 40) small_calls(10);
  quiet(ITIMER_REAL);
}

static int ends[2];
SITUATION(interrupted_reads) {
  EXPECT(pipe(ends) == 0);
  every_ms(ITIMER_REAL, SIGALRM, count, 0);
  char byte;
  int interrupted = 0;
  for (int i = 0; i < 60; ++i) interrupted += read(ends[0], &byte, 1) == -1 && errno == EINTR;
  quiet(ITIMER_REAL);
  EXPECT(interrupted == 60);
}

SITUATION(reads_that_go_on) {
  EXPECT(pipe(ends) == 0);
  if (fork() == 0) {
    for (int i = 0; i < 40; ++i) {
      usleep(2500);
      if (write(ends[1], "w", 1) != 1) _exit(1);
    }
    _exit(0);
  }
  every_ms(ITIMER_REAL, SIGALRM, count, SA_RESTART);
  char byte;
  for (int i = 0; i < 40; ++i) EXPECT(read(ends[0], &byte, 1) == 1 && byte == 'w');
  quiet(ITIMER_REAL);
  EXPECT(struck > 0);
}

SITUATION(blocked_and_let_in) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  every_ms(ITIMER_REAL, SIGALRM, count, SA_RESTART);
  for (int i = 0; i < 40; ++i) {
    sigprocmask(SIG_BLOCK, &set, NULL);
    const int before = struck;
    small_calls(20);
    EXPECT(struck == before);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
  }
  quiet(ITIMER_REAL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long shared;
static void *work(void *argument) {
  for (int i = 0; i < 150; ++i) {
    pthread_mutex_lock(&mutex);
    shared += 1;
    small_calls(1);
    pthread_mutex_unlock(&mutex);
    if (i % 10 == 0) compute(1);
  }
  return argument;
}

SITUATION(threads_with_a_lock) {
  pthread_t threads[4];
  small_calls(20);
  for (int i = 0; i < 4; ++i) EXPECT(pthread_create(&threads[i], NULL, work, NULL) == 0);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  EXPECT(shared == 600);
}

static void *answer(void *pipes) {
  char byte;
  for (int i = 0; i < 300; ++i) EXPECT(read(((int *)pipes)[0], &byte, 1) == 1 && write(((int *)pipes)[3], &byte, 1) == 1);
  return NULL;
}

SITUATION(threads_with_pipes) {
  int pipes[4];
  EXPECT(pipe(pipes) == 0 && pipe(pipes + 2) == 0);
  pthread_t other;
  EXPECT(pthread_create(&other, NULL, answer, pipes) == 0);
  char byte = 'a';
  for (int i = 0; i < 300; ++i) EXPECT(write(pipes[1], &byte, 1) == 1 && read(pipes[2], &byte, 1) == 1);
  pthread_join(other, NULL);
}

SITUATION(children_between) {
  for (int i = 0; i < 12; ++i) {
    small_calls(20);
    pid_t child = i % 2 ? vfork() : fork();
    if (child == 0) {
      if (i % 2 == 0) small_calls(20);
      _exit(7);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
  }
}

// getppid (or getuid), and a return, as a file of code would have it.
static const unsigned char kGetppid[] = {0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0xc3};
static const unsigned char kGetuid[] = {0xb8, 102, 0, 0, 0, 0x0f, 0x05, 0x89, 0xc2, 0x31, 0xc9, 0x90, 0x90, 0xc3};

static void *load(const unsigned char *code, void *at) {
  char name[] = "codeXXXXXX";
  int file = mkstemp(name);
  static unsigned char page[4096];
  memset(page, 0xcc, sizeof page);
  memcpy(page + 64, code, sizeof kGetppid);
  EXPECT(file >= 0 && write(file, page, sizeof page) == sizeof page && unlink(name) == 0);
  void *mapped = mmap(at, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | (at ? MAP_FIXED : 0), file, 0);
  EXPECT(mapped != MAP_FAILED && close(file) == 0);
  return mapped;
}

static void call(void *code, long wanted) {
  long (*function)(void) = (long (*)(void))((char *)code + 64);
  for (int i = 0; i < 40; ++i) EXPECT(function() == wanted);
}

SITUATION(code_that_goes) {
  for (int i = 0; i < 6; ++i) {
    void *code = load(i % 2 ? kGetuid : kGetppid, NULL);
    call(code, i % 2 ? (long)getuid() : (long)getppid());
    EXPECT(munmap(code, 4096) == 0);
  }
}

SITUATION(other_code_in_its_place) {
  void *code = load(kGetppid, NULL);
  call(code, getppid());
  load(kGetuid, code);
  call(code, getuid());
  EXPECT(mprotect(code, 4096, PROT_READ | PROT_WRITE) == 0);
  EXPECT(memcmp((char *)code + 64, kGetuid, sizeof kGetuid) == 0);
  memcpy((char *)code + 64, kGetppid, sizeof kGetppid);
  EXPECT(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
  call(code, getppid());
  void *moved = mremap(code, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)mmap(NULL, 8192, 0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  EXPECT(moved != MAP_FAILED);
  call(moved, getppid());
}

SITUATION(code_made_by_the_program) {
  unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(code != MAP_FAILED);
  for (int i = 0; i < 6; ++i) {
    memcpy(code + 64, i % 2 ? kGetuid : kGetppid, sizeof kGetuid);
    call(code, i % 2 ? (long)getuid() : (long)getppid());
  }
}

// What it reads there is what this debugger has made of it, in the past as when it was recorded.
SITUATION(code_that_is_read) {
  unsigned char *code = load(kGetppid, NULL);
  uint64_t sum = 0;
  for (int round = 0; round < 8; ++round) {
    call(code, getppid());
    for (int i = 0; i < 4096; ++i) sum = sum * 31 + code[i];
    int null = open("/dev/null", O_WRONLY);
    EXPECT(write(null, &sum, sizeof sum) == sizeof sum && close(null) == 0);
  }
}

static volatile long steps;
static void stepped(int signal) {
  (void)signal;
  steps = steps + 1;
}

SITUATION(steps_of_its_own) {
  void *code = load(kGetppid, NULL);
  call(code, getppid());
  signal(SIGTRAP, stepped);
  long result;
  long (*function)(void) = (long (*)(void))((char *)code + 64);
  __asm__ volatile(
      "pushfq; orq $0x100, (%%rsp); popfq; call *%1; pushfq; andq $~0x100, (%%rsp); popfq"
      : "=a"(result)
      : "b"(function)
      : "rcx", "r11", "rdx", "memory", "cc");
  EXPECT(result == getppid() && steps >= 4);
  char text[32];
  printf("%.*s\n", snprintf(text, sizeof text, "%ld", steps), text);
}
