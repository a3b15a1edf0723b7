// Programs that run for a few seconds, to be attached to meanwhile: each says
// "ready", goes on, and says at its end what it would say had nobody come.
#include "situations.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static void ready(void) {
  puts("ready");
  fflush(stdout);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

// How long the long ones last; being stopped for a while makes none shorter.
// ATTACHABLE_SCALE: so many times as long.
static long scale = 1;
static double kSeconds = 2.5;
__attribute__((constructor)) static void read_scale(void) {
  const char *text = getenv("ATTACHABLE_SCALE");
  if (text) scale = atol(text);
  kSeconds *= scale;
}

SITUATION(computes) {
  ready();
  uint64_t x = 88172645463325252, sum = 0;
  for (long i = 0; i < 1200000000; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    sum += x;
  }
  printf("%llx\n", (unsigned long long)sum);
}

// What it shares, and has at two addresses, was mapped before anybody came.
SITUATION(shares_memory) {
  int fd = memfd_create("object", 0);
  EXPECT(fd >= 0 && ftruncate(fd, 8192) == 0);
  volatile uint64_t *here = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  volatile uint64_t *there = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  volatile uint64_t *alone = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(here != MAP_FAILED && there != MAP_FAILED && alone != MAP_FAILED);
  ready();
  double begun = now();
  for (uint64_t i = 1; i < 4000000 || now() - begun < kSeconds; ++i) {
    here[i % 1000] += i;
    alone[i % 500] += there[i % 1000];
    if (i % 1000 == 0) now();
    EXPECT(there[i % 1000] == here[i % 1000]);
    if (i == 3999999) printf("%llx %llx\n", (unsigned long long)there[77], (unsigned long long)alone[77]);
  }
}

SITUATION(reads) {
  ready();
  char line[100];
  long bytes = 0, reads = 0;
  for (ssize_t n; (n = read(0, line, sizeof line)) != 0; ++reads) {
    EXPECT(n > 0);
    bytes += n;
  }
  printf("%ld bytes\n", bytes);
}

SITUATION(sleeps) {
  ready();
  double begun = now();
  struct timespec time = {2, 500000000};
  EXPECT(nanosleep(&time, 0) == 0);
  double slept = now() - begun;
  EXPECT(slept >= 2.5);
  EXPECT(slept < 4);  // it does not begin anew
  printf("slept\n");
}

SITUATION(polls) {
  int ends[2];
  EXPECT(pipe(ends) == 0);
  ready();
  double begun = now();
  struct pollfd wanted = {ends[0], POLLIN, 0};
  EXPECT(poll(&wanted, 1, 2500) == 0);
  double waited = now() - begun;
  EXPECT(waited >= 2.4);
  EXPECT(waited < 4);
  printf("nothing came\n");
}

SITUATION(epolls) {
  int epoll = epoll_create1(0);
  ready();
  struct epoll_event event;
  int n = epoll_wait(epoll, &event, 1, 1500);
  EXPECT(n == 0);  // and not EINTR
  printf("nothing came\n");
}

static uint32_t word;

static void *wakes(void *unused) {
  (void)unused;
  struct timespec time = {2, 0};
  EXPECT(nanosleep(&time, 0) == 0);
  __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  return 0;
}

SITUATION(waits_for_futex) {
  pthread_t thread;
  EXPECT(pthread_create(&thread, 0, wakes, 0) == 0);
  ready();
  while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0) {
    long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
    EXPECT(result == 0 || errno == EAGAIN);
  }
  EXPECT(pthread_join(thread, 0) == 0);
  printf("woken\n");
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counts[4], total;

static void *counter(void *mine) {
  uint64_t x = 88172645463325252;
  for (int i = 0; i < 3000 * scale; ++i) {
    pthread_mutex_lock(&mutex);
    ++total;
    pthread_mutex_unlock(&mutex);
    for (int j = 0; j < 100000; ++j) {
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
    }
    ++*(long *)mine;
  }
  return (void *)x;
}

SITUATION(four_threads) {
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) EXPECT(pthread_create(&threads[i], 0, counter, &counts[i]) == 0);
  ready();
  for (int i = 0; i < 4; ++i) EXPECT(pthread_join(threads[i], 0) == 0);
  printf("%ld %ld\n", total, counts[0] + counts[1] + counts[2] + counts[3]);
}

static pthread_t two[2];

static void *reports(void *unused) {
  (void)unused;
  for (int i = 0; i < 2; ++i) EXPECT(pthread_join(two[i], 0) == 0);
  printf("%ld %ld\n", total, counts[0] + counts[1]);
  return 0;
}

SITUATION(first_thread_ended) {
  pthread_t reporter;
  for (int i = 0; i < 2; ++i) EXPECT(pthread_create(&two[i], 0, counter, &counts[i]) == 0);
  EXPECT(pthread_create(&reporter, 0, reports, 0) == 0);
  ready();
  pthread_exit(0);
}

SITUATION(threads_come_and_go) {
  ready();
  double begun = now();
  long made = 0;
  for (; now() - begun < kSeconds; ++made) {
    pthread_t thread;
    long mine = 0;
    EXPECT(pthread_create(&thread, 0, (void *(*)(void *))sched_yield, &mine) == 0);
    EXPECT(pthread_join(thread, 0) == 0);
  }
  EXPECT(made > 10);
  printf("all gone\n");
}

SITUATION(asks_the_clock) {
  ready();
  double begun = now(), last = begun;
  long asked = 0;
  for (; last - begun < kSeconds; ++asked) {
    double next = now();
    EXPECT(next >= last);
    last = next;
    struct timeval day;
    EXPECT(gettimeofday(&day, 0) == 0);
    EXPECT(labs(day.tv_sec - time(0)) <= 1);
  }
  EXPECT(asked > 100);
  printf("time goes on\n");
}

SITUATION(asks_the_counter) {
  ready();
  double begun = now();
  uint64_t last = __rdtsc();
  while (now() - begun < kSeconds) {
    uint64_t next = __rdtsc();
    EXPECT(next > last);
    last = next;
    usleep(1000);
  }
  printf("the counter goes on\n");
}

// Code that asks for random numbers comes and goes, and data lies in its place.
SITUATION(code_gives_way_to_data) {
  static const unsigned char random_code[] = {0x48, 0x0f, 0xc7, 0xf0, 0xc3};  // rdrand rax; ret
  static unsigned char expected[4096];
  memset(expected, 0xcc, sizeof expected);
  const int has_random_numbers = __builtin_cpu_supports("rdrnd");
  unsigned char *place = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int rounds = 0, wrong = 0;
  ready();
  for (double end = now() + kSeconds; now() < end; ++rounds) {
    const int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
    EXPECT(mmap(place, 4096, PROT_READ | PROT_WRITE, flags, -1, 0) == place);
    memcpy(place, random_code, sizeof random_code);
    EXPECT(mprotect(place, 4096, PROT_READ | PROT_EXEC) == 0);
    if (has_random_numbers) ((void (*)(void))(uintptr_t)place)();
    EXPECT(mmap(place, 4096, PROT_READ | PROT_WRITE, flags, -1, 0) == place);
    memset(place, 0xcc, 4096);
    usleep(1000);
    wrong += memcmp(place, expected, 4096) != 0;
  }
  usleep(300000);
  wrong += memcmp(place, expected, 4096) != 0;
  printf("%d wrong\n", wrong);
}

// Private memory of a file shows what is written to the file.
SITUATION(writes_to_a_mapped_file) {
  char name[] = "/tmp/attachableXXXXXX";
  int fd = mkstemp(name);
  EXPECT(fd >= 0 && ftruncate(fd, 8192) == 0);
  volatile unsigned char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
  EXPECT(p != MAP_FAILED);
  int wrong = 0;
  unsigned long sum = 0;
  ready();
  int i = 1;
  for (double end = now() + kSeconds; now() < end; ++i) {
    unsigned char byte = (unsigned char)i;
    EXPECT(pwrite(fd, &byte, 1, 4100) == 1);
    for (int k = 0; k < 2000; ++k) sum = sum * 31 + p[4100];
    wrong += p[4100] != byte;
    usleep(1000);
  }
  unlink(name);
  printf("%d wrong%s\n", wrong, sum == 1 ? "!" : "");
}

SITUATION(own_state) {
  cpu_set_t wanted, set;
  CPU_ZERO(&wanted);
  EXPECT(sched_getaffinity(0, sizeof wanted, &wanted) == 0);
  ready();
  double begun = now();
  while (now() - begun < kSeconds) {
    CPU_ZERO(&set);
    EXPECT(sched_getaffinity(0, sizeof set, &set) == 0);
    EXPECT(CPU_EQUAL(&set, &wanted));
    int cpu = sched_getcpu();
    EXPECT(cpu >= 0 && CPU_ISSET(cpu, &wanted));
    EXPECT(getpid() == gettid());
    usleep(1000);
  }
  // By now it was let go.
  struct rseq *mine = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
  if (__rseq_size > 0) EXPECT((int)mine->cpu_id >= 0 && CPU_ISSET(mine->cpu_id, &wanted));
  printf("itself\n");
}

static volatile long ticks, on_its_stack;
static char stack[65536];

static void tick(int signal) {
  (void)signal;
  char here;
  if (&here >= stack && &here < stack + sizeof stack) ++on_its_stack;
  ++ticks;
}

SITUATION(timer) {
  stack_t mine = {.ss_sp = stack, .ss_size = sizeof stack};
  EXPECT(sigaltstack(&mine, 0) == 0);
  struct sigaction action = {.sa_handler = tick, .sa_flags = SA_ONSTACK | SA_RESTART};
  EXPECT(sigaction(SIGALRM, &action, 0) == 0);
  struct itimerval every = {{0, 20000}, {0, 20000}};
  EXPECT(setitimer(ITIMER_REAL, &every, 0) == 0);
  ready();
  while (ticks < 100 * scale) {
    if (ticks & 1)
      pause();
    else
      compute(1);
  }
  EXPECT(on_its_stack == ticks);
  printf("it ticks\n");
}

static volatile int came;
static void comes(int signal) { came = signal; }

SITUATION(suspended) {
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGALRM);
  EXPECT(sigprocmask(SIG_BLOCK, &blocked, 0) == 0);
  signal(SIGALRM, comes);
  alarm(2);
  ready();
  EXPECT(sigsuspend(&none) == -1 && errno == EINTR);
  EXPECT(came == SIGALRM);
  sigset_t now_blocked;
  EXPECT(sigprocmask(SIG_BLOCK, 0, &now_blocked) == 0 && sigismember(&now_blocked, SIGALRM));
  printf("alarmed\n");
}

SITUATION(makes_children) {
  ready();
  double begun = now();
  int made = 0;
  while (now() - begun < kSeconds) {
    pid_t pid = made & 1 ? vfork() : fork();
    if (pid == 0) {
      if (!(made & 1)) {
        // In the child nothing is left of a tracer.
        uint64_t before = __rdtsc();
        if (sched_getcpu() < 0 || __rdtsc() <= before) _exit(1);
        double t = now();
        if (t < begun) _exit(2);
        _exit(42);
      }
      execl("/bin/true", "true", (char *)0);
      _exit(3);
    }
    EXPECT(pid > 0);
    int status;
    EXPECT(waitpid(-1, &status, __WALL) == pid);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == (made & 1 ? 0 : 42));
    ++made;
    usleep(10000);
  }
  EXPECT(waitpid(-1, 0, __WALL) == -1 && errno == ECHILD);
  EXPECT(made > 3);
  printf("all well\n");
}

// Its calls may end it: nothing that could is forbidden, but who knows.
SITUATION(sandboxed) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {1, &allow};
  EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  ready();
  usleep(100000);
  printf("alone\n");
}

static volatile int children_told;
static void child_ended(int signal) {
  (void)signal;
  ++children_told;
}

// Prints its children's numbers, so it is not among those whose output is compared.
SITUATION(parent_of_two) {
  struct sigaction action = {.sa_handler = child_ended, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
  EXPECT(sigaction(SIGCHLD, &action, 0) == 0);
  pid_t children[2];
  for (int i = 0; i < 2; ++i) {
    if ((children[i] = fork()) != 0) continue;
    double begun = now();
    while (now() - begun < kSeconds + i) compute(1);
    _exit(40 + i);
  }
  ready();
  printf("%d %d\n", children[0], children[1]);
  fflush(stdout);
  for (int i = 0; i < 2; ++i) {
    int status;
    pid_t ended = waitpid(-1, &status, __WALL);
    EXPECT(ended == children[0] || ended == children[1]);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == (ended == children[0] ? 40 : 41));
  }
  EXPECT(waitpid(-1, 0, __WALL) == -1 && errno == ECHILD);
  EXPECT(children_told == 2);
}

__attribute__((noinline)) void says_so(double time) {
  if (time < 0) abort();
  printf("said\n");
}

SITUATION(says_so_at_its_end) {
  ready();
  double begun = now(), time = 0;
  while (time < kSeconds) {
    compute(1);
    time = now() - begun;
  }
  says_so(time);
}

SITUATION(replaces_itself) {
  ready();
  usleep(500000);
  execl("/proc/self/exe", "attachable", "says_so_at_its_end", (char *)0);
}
