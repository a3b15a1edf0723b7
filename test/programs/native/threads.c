// Threads in every way that they wait for each other, begin and end.
#include "situations.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { kMany = 16 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long total;

static void start(pthread_t *thread, void *(*run)(void *), long argument) {
  EXPECT(pthread_create(thread, NULL, run, (void *)argument) == 0);
}

static long join(pthread_t thread) {
  void *result;
  EXPECT(pthread_join(thread, &result) == 0);
  return (long)result;
}

static void *add_under_lock(void *argument) {
  for (long i = 0; i < 200; ++i) {
    pthread_mutex_lock(&lock);
    total += (long)argument;
    if (i % 50 == 0) compute(1);
    pthread_mutex_unlock(&lock);
  }
  return (void *)((long)argument * 2);
}

SITUATION(mutex) {
  pthread_t threads[4];
  long sum = 0;
  for (long i = 0; i < 4; ++i) start(&threads[i], add_under_lock, i + 1);
  for (int i = 0; i < 4; ++i) sum += join(threads[i]);
  printf("%ld %ld\n", total, sum);
}

static int ring[8], head, tail;
static void *consume(void *argument) {
  long sum = 0;
  for (;;) {
    pthread_mutex_lock(&lock);
    while (head == tail) pthread_cond_wait(&changed, &lock);
    int value = ring[head++ % 8];
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (value < 0) return (void *)sum;
    sum += value;
  }
}
SITUATION(condition) {
  pthread_t consumer;
  start(&consumer, consume, 0);
  for (int i = 0; i <= 300; ++i) {
    pthread_mutex_lock(&lock);
    while (tail - head == 8) pthread_cond_wait(&changed, &lock);
    ring[tail++ % 8] = i < 300 ? i : -1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (i % 100 == 0) usleep(500);
  }
  printf("%ld\n", join(consumer));
}

static pthread_barrier_t barrier;
static __thread long mine;
static void *meet(void *argument) {
  mine = (long)argument;
  for (int i = 0; i < 20; ++i) {
    pthread_barrier_wait(&barrier);
    errno = 0;
    close(-1);
    EXPECT(errno == EBADF);
    mine += i;
    double third = (double)mine / 3;
    EXPECT((long)(third * 3 + 0.5) == mine);
  }
  return (void *)mine;
}
SITUATION(barrier_and_own_variables) {
  pthread_t threads[kMany];
  long sum = 0;
  pthread_barrier_init(&barrier, NULL, kMany);
  for (long i = 0; i < kMany; ++i) start(&threads[i], meet, i * 100);
  for (int i = 0; i < kMany; ++i) sum += join(threads[i]);
  printf("%ld\n", sum);
}

static volatile int flag;
static volatile long spins;
static void *answer_spinning(void *argument) {
  compute(30);
  flag = 1;
  while (flag == 1) spins++;
  flag = 3;
  return argument;
}
SITUATION(spin) {
  pthread_t thread;
  start(&thread, answer_spinning, 0);
  while (!flag) spins++;
  flag = 2;
  while (flag != 3) spins++;
  join(thread);
  printf("%d\n", flag);
}

static void *yield_until(void *argument) {
  while (flag < 100) sched_yield();
  return argument;
}
SITUATION(yield) {
  pthread_t thread;
  start(&thread, yield_until, 0);
  for (int i = 0; i < 100; ++i) {
    flag++;
    sched_yield();
  }
  join(thread);
  printf("%d\n", flag);
}

static int ends[2];
static char received[64];
static void *receive(void *argument) {
  long sum = 0;
  for (;;) {
    long n = read(ends[0], received, sizeof received);
    if (n <= 0) return (void *)sum;
    for (long i = 0; i < n; ++i) sum += received[i];
  }
}
SITUATION(pipe_between) {
  pthread_t reader;
  EXPECT(pipe(ends) == 0);
  start(&reader, receive, 0);
  for (int i = 0; i < 60; ++i) {
    char bytes[10];
    for (int k = 0; k < 10; ++k) bytes[k] = (char)(i + k);
    EXPECT(write(ends[1], bytes, 10) == 10);
    compute(1);
  }
  close(ends[1]);
  printf("%ld\n", join(reader));
}

static sem_t semaphore;
static void *post(void *argument) {
  for (int i = 0; i < 50; ++i) sem_post(&semaphore);
  return argument;
}
SITUATION(semaphores) {
  pthread_t threads[3];
  sem_init(&semaphore, 0, 0);
  for (int i = 0; i < 3; ++i) start(&threads[i], post, 0);
  for (int i = 0; i < 150; ++i) EXPECT(sem_wait(&semaphore) == 0);
  for (int i = 0; i < 3; ++i) join(threads[i]);
  struct timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 3000000;
  if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
  EXPECT(sem_timedwait(&semaphore, &soon) == -1 && errno == ETIMEDOUT);
  puts("150");
}

static pthread_mutex_t robust;
static void *die_holding(void *argument) {
  pthread_mutex_lock(&robust);
  return argument;
}
SITUATION(robust_mutex) {
  pthread_mutexattr_t attributes;
  pthread_t thread;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  start(&thread, die_holding, 0);
  join(thread);
  EXPECT(pthread_mutex_lock(&robust) == EOWNERDEAD);
  EXPECT(pthread_mutex_consistent(&robust) == 0);
  EXPECT(pthread_mutex_unlock(&robust) == 0);
  puts("consistent");
}

static pthread_mutex_t inheriting;
static void *hold_inheriting(void *argument) {
  for (int i = 0; i < 20; ++i) {
    EXPECT(pthread_mutex_lock(&inheriting) == 0);
    total++;
    if (i % 5 == 0) usleep(200);
    EXPECT(pthread_mutex_unlock(&inheriting) == 0);
  }
  return argument;
}
SITUATION(priority_inheriting_mutex) {
  pthread_mutexattr_t attributes;
  pthread_t threads[3];
  pthread_mutexattr_init(&attributes);
  EXPECT(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
  pthread_mutex_init(&inheriting, &attributes);
  for (int i = 0; i < 3; ++i) start(&threads[i], hold_inheriting, 0);
  for (int i = 0; i < 3; ++i) join(threads[i]);
  printf("%ld\n", total);
}

static void *count_down(void *argument) {
  compute(1);
  __atomic_fetch_sub(&flag, 1, __ATOMIC_SEQ_CST);
  return argument;
}
SITUATION(detached) {
  flag = 8;
  for (int i = 0; i < 8; ++i) {
    pthread_t thread;
    start(&thread, count_down, 0);
    pthread_detach(thread);
  }
  while (__atomic_load_n(&flag, __ATOMIC_SEQ_CST) != 0) usleep(300);
  puts("all gone");
}

static void *recurse(void *argument) {
  long depth = (long)argument;
  if (depth == 0) return (void *)1;
  pthread_t thread;
  start(&thread, recurse, depth - 1);
  return (void *)(join(thread) * 2);
}
SITUATION(threads_make_threads) {
  pthread_t thread;
  start(&thread, recurse, 12);
  printf("%ld\n", join(thread));
}

static void *exit_first(void *argument) {
  compute(1);
  pthread_exit((void *)((long)argument + 1));
}
SITUATION(one_after_the_other) {
  long sum = 0;
  for (long i = 0; i < 40; ++i) {
    pthread_t thread;
    start(&thread, exit_first, i);
    sum += join(thread);
  }
  printf("%ld\n", sum);
}

static pthread_t first;
static void *outlive(void *argument) {
  pthread_join(first, NULL);
  compute(3);
  puts("the first thread has gone");
  fflush(stdout);
  exit(3);
}
SITUATION(first_thread_ends_first) {
  pthread_t thread;
  first = pthread_self();
  start(&thread, outlive, 0);
  pthread_exit(NULL);
}

static void *end_all(void *argument) {
  compute(2);
  exit(5);
}
SITUATION(another_thread_ends_the_program) {
  pthread_t thread;
  start(&thread, end_all, 0);
  for (;;) pause();
}

static volatile sig_atomic_t handled;
static void note(int signal) { handled = handled * 10 + 1; }
static void *wait_for_signal(void *argument) {
  while (!handled) usleep(200);
  return argument;
}
SITUATION(signal_to_a_thread) {
  pthread_t thread;
  signal(SIGUSR1, note);
  start(&thread, wait_for_signal, 0);
  usleep(500);
  EXPECT(pthread_kill(thread, SIGUSR1) == 0);
  join(thread);
  printf("%d\n", (int)handled);
}

static void *compute_on(void *argument) {
  compute(40);
  return argument;
}
SITUATION(timer_signals) {
  pthread_t threads[2];
  struct itimerval often = {{0, 7000}, {0, 7000}}, never = {{0, 0}, {0, 0}};
  signal(SIGALRM, note);
  setitimer(ITIMER_REAL, &often, NULL);
  for (int i = 0; i < 2; ++i) start(&threads[i], compute_on, 0);
  for (int i = 0; i < 2; ++i) join(threads[i]);
  setitimer(ITIMER_REAL, &never, NULL);
  printf("%d\n", handled != 0);
}

static char other_stack[2][64 * 1024];
static void on_other_stack(int signal) {
  char here;
  for (int i = 0; i < 2; ++i)
    if (&here > other_stack[i] && &here < other_stack[i] + sizeof other_stack[i]) total += i + 1;
}
static void *raise_there(void *argument) {
  stack_t stack = {.ss_sp = other_stack[(long)argument], .ss_size = sizeof other_stack[0]};
  EXPECT(sigaltstack(&stack, NULL) == 0);
  for (int i = 0; i < 5; ++i) {
    sched_yield();
    raise(SIGUSR2);
  }
  return NULL;
}
SITUATION(stacks_for_signals) {
  pthread_t threads[2];
  struct sigaction action = {.sa_handler = on_other_stack, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR2, &action, NULL);
  for (long i = 0; i < 2; ++i) start(&threads[i], raise_there, i);
  for (int i = 0; i < 2; ++i) join(threads[i]);
  printf("%ld\n", total);
}

static void *block_and_look(void *argument) {
  sigset_t set, now;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1 + (int)(long)argument);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  for (int i = 0; i < 10; ++i) {
    sched_yield();
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    EXPECT(sigismember(&now, SIGUSR1) == ((long)argument == 0));
  }
  return NULL;
}
SITUATION(masks) {
  pthread_t threads[2];
  for (long i = 0; i < 2; ++i) start(&threads[i], block_and_look, i * (SIGUSR2 - SIGUSR1));
  for (int i = 0; i < 2; ++i) join(threads[i]);
  puts("each its own");
}

static void *wait_for_child(void *argument) {
  int status;
  EXPECT(waitpid((pid_t)(long)argument, &status, 0) == (long)argument);
  return (void *)(long)WEXITSTATUS(status);
}
SITUATION(child_of_many) {
  pthread_t waiter, other;
  start(&other, compute_on, 0);
  pid_t child = fork();
  if (child == 0) {
    usleep(2000);
    _exit(7);
  }
  start(&waiter, wait_for_child, child);
  printf("%ld\n", join(waiter));
  join(other);
}

static int event_descriptor;
static void *poll_for_it(void *argument) {
  struct pollfd wanted = {event_descriptor, POLLIN, 0};
  EXPECT(poll(&wanted, 1, -1) == 1);
  uint64_t value;
  EXPECT(read(event_descriptor, &value, sizeof value) == sizeof value);
  return (void *)value;
}
SITUATION(polling) {
  pthread_t thread;
  event_descriptor = eventfd(0, 0);
  start(&thread, poll_for_it, 0);
  usleep(1000);
  compute(3);
  uint64_t value = 42;
  EXPECT(write(event_descriptor, &value, sizeof value) == sizeof value);
  compute(3);
  printf("%ld\n", join(thread));
}

static void *map_and_unmap(void *argument) {
  long sum = 0;
  for (int i = 0; i < 20; ++i) {
    char *pages = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(pages != MAP_FAILED);
    memset(pages, i, 65536);
    char *kept = malloc(3000);
    memset(kept, 1, 3000);
    sum += pages[4096 * (i % 16)] + kept[2999];
    free(kept);
    munmap(pages, 65536);
  }
  return (void *)sum;
}
SITUATION(memory_of_many) {
  pthread_t threads[6];
  long sum = 0;
  for (int i = 0; i < 6; ++i) start(&threads[i], map_and_unmap, 0);
  for (int i = 0; i < 6; ++i) sum += join(threads[i]);
  printf("%ld\n", sum);
}

static void *race(void *argument) {
  for (int i = 0; i < 2000; ++i) {
    long seen = total;
    if (i % 100 == 0) sched_yield();
    total = seen + 1;
  }
  return NULL;
}
SITUATION(lost_updates) {
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) start(&threads[i], race, 0);
  for (int i = 0; i < 2; ++i) join(threads[i]);
  printf("%d\n", total <= 4000);
}

// Waiting for each other without a call: rounds of such a loop are all alike.
static volatile int turns[2];
static void *answer(void *unused) {
  (void)unused;
  for (int i = 1; i <= 6; ++i) {
    compute(3);
    turns[0] = i;
    while (turns[1] != i) continue;
  }
  return NULL;
}
SITUATION(turns_without_a_call) {
  pthread_t thread;
  start(&thread, answer, 0);
  for (int i = 1; i <= 6; ++i) {
    while (turns[0] != i) continue;
    turns[1] = i;
  }
  join(thread);
}

static void *just_return(void *argument) { return argument; }
SITUATION(many_at_once) {
  enum { kThreads = 200 };
  static pthread_t threads[kThreads];
  pthread_attr_t attributes;
  long sum = 0;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  for (long i = 0; i < kThreads; ++i)
    EXPECT(pthread_create(&threads[i], &attributes, just_return, (void *)i) == 0);
  for (int i = 0; i < kThreads; ++i) sum += join(threads[i]);
  printf("%ld\n", sum);
}

enum { kAlive = 500 };
static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_there = PTHREAD_COND_INITIALIZER;
static int there;
static __thread long mine;
static void *wait_for_the_last(void *argument) {
  mine = (long)argument;
  pthread_mutex_lock(&door);
  if (++there == kAlive) pthread_cond_broadcast(&all_there);
  while (there < kAlive) pthread_cond_wait(&all_there, &door);
  pthread_mutex_unlock(&door);
  return (void *)mine;
}
SITUATION(five_hundred_alive) {
  static pthread_t threads[kAlive];
  pthread_attr_t attributes;
  long sum = 0;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  for (long i = 0; i < kAlive; ++i)
    EXPECT(pthread_create(&threads[i], &attributes, wait_for_the_last, (void *)i) == 0);
  for (int i = 0; i < kAlive; ++i) sum += join(threads[i]);
  EXPECT(there == kAlive);
  printf("%ld\n", sum);
}

// An alternate stack that is disarmed while a handler runs: the handler goes on
// elsewhere, other threads have their turns, and a second signal comes there.
static char own_stack[65536], elsewhere[65536];
static ucontext_t handler_context, elsewhere_context;
static volatile int inner_on_own_stack = -1, disarmed_turns;
static void *take_turns(void *argument) {
  while (disarmed_turns < 20) {
    ++disarmed_turns;
    sched_yield();
  }
  return argument;
}
static void inner_handler(int number) {
  char here;
  (void)number;
  inner_on_own_stack = &here >= own_stack && &here < own_stack + sizeof own_stack;
}
static void go_elsewhere(void) {
  for (int i = 0; i < 5; ++i) sched_yield();
  pthread_kill(pthread_self(), SIGUSR2);
}
static void outer_handler(int number) {
  (void)number;
  getcontext(&elsewhere_context);
  elsewhere_context.uc_stack.ss_sp = elsewhere;
  elsewhere_context.uc_stack.ss_size = sizeof elsewhere;
  elsewhere_context.uc_link = &handler_context;
  makecontext(&elsewhere_context, go_elsewhere, 0);
  swapcontext(&handler_context, &elsewhere_context);
}
SITUATION(disarmed_alternate_stack) {
  pthread_t other;
  struct sigaction action;
  stack_t stack = {own_stack, (int)(1u << 31), sizeof own_stack}, after;
  memset(&action, 0, sizeof action);
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = outer_handler;
  EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
  action.sa_handler = inner_handler;
  EXPECT(sigaction(SIGUSR2, &action, NULL) == 0);
  EXPECT(sigaltstack(&stack, NULL) == 0);
  start(&other, take_turns, 7);
  for (int i = 0; i < 3; ++i) {
    pthread_kill(pthread_self(), SIGUSR1);
    sched_yield();
  }
  EXPECT(join(other) == 7);
  EXPECT(inner_on_own_stack == 0);
  EXPECT(sigaltstack(NULL, &after) == 0 && after.ss_sp == own_stack);
  printf("%d\n", inner_on_own_stack);
}
