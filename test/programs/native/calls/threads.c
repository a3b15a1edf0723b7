// Threads by the bare calls, and everything a futex can do.
#include "calls.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static volatile int word, done, caught;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void count(int signal) { ++caught; }
static pthread_t run(void *(*function)(void *), long argument) {
  pthread_t thread;
  EXPECT(pthread_create(&thread, NULL, function, (void *)argument) == 0);
  return thread;
}
static long join(pthread_t thread) {
  void *result = NULL;
  EXPECT(pthread_join(thread, &result) == 0);
  return (long)result;
}
static long futex(volatile int *at, int op, long value, void *timeout, volatile int *second, long third) {
  return CALL(futex, at, op, value, timeout, second, third);
}
static void *wake_later(void *bits) {
  nap(1500);
  word = 1;
  while (futex(&word, bits ? FUTEX_WAKE_BITSET : FUTEX_WAKE, 10, NULL, NULL, bits ? (long)bits : 0) < 1 && !done) nap(200);
  return NULL;
}

SITUATION(futex_waited_and_woken) {
  pthread_t t = run(wake_later, 0);
  while (word == 0) futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
  done = 1;
  join(t);
}
SITUATION(futex_with_bits) {
  pthread_t t = run(wake_later, 0xf0);
  struct timespec t2 = {0, 500000};
  FAILS(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 1), EAGAIN);
  while (word == 0) futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0x10);
  FAILS(futex(&word, FUTEX_WAIT, 1, &t2, NULL, 0), ETIMEDOUT);
  done = 1;
  join(t);
}
SITUATION(futex_absolute_time) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += 1000000;
  if (t.tv_nsec > 999999999) t.tv_sec++, t.tv_nsec -= 1000000000;
  FAILS(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &t, NULL, -1), ETIMEDOUT);
}
static volatile int first_word, second_word;
static void *wait_on_first(void *argument) {
  futex(&first_word, FUTEX_WAIT, 0, NULL, NULL, 0);
  ++caught;
  return NULL;
}
SITUATION(futex_requeued) {
  pthread_t t = run(wait_on_first, 0);
  while (futex(&first_word, FUTEX_CMP_REQUEUE, 0, (void *)10, &second_word, 0) < 1) nap(200);
  EXPECT(futex(&second_word, FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
  join(t);
}
SITUATION(futex_operation) {
  pthread_t t = run(wait_on_first, 0);
  nap(500);
  long n = 0;
  while (n < 1) n = futex(&first_word, FUTEX_WAKE_OP, 1, (void *)1, &second_word, FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0));
  EXPECT(second_word >= 5);
  join(t);
}
SITUATION(futex_with_owner) {
  OK(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  EXPECT(word == CALL(gettid));
  FAILS(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
  OK(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  EXPECT(word == 0);
  OK(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
  OK(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}
static void *hold_for_a_while(void *argument) {
  futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
  done = 1;
  nap(2000);
  futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
  return NULL;
}
SITUATION(futex_with_another_owner) {
  pthread_t t = run(hold_for_a_while, 0);
  while (!done) nap(200);
  ASK(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
  OK(futex(&word, 13 /* LOCK_PI2 */, 0, NULL, NULL, 0));
  EXPECT((word & FUTEX_TID_MASK) == CALL(gettid));
  OK(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  join(t);
}
static void *wait_requeued_to_owner(void *argument) {
  long n = futex(&first_word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &second_word, 0);
  if (n == 0) futex(&second_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
  return (void *)n;
}
SITUATION(futex_requeued_to_an_owner) {
  OK(futex(&second_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  pthread_t t = run(wait_requeued_to_owner, 0);
  while (futex(&first_word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &second_word, 0) < 1) nap(200);
  OK(futex(&second_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  EXPECT(join(t) == 0);
}
SITUATION(futexes_waited_for_together) {
  static int a, b = 5;
  struct { uint64_t value, address; uint32_t flags, reserved; } list[2] = {{0, (uint64_t)&a, 2 | 128, 0}, {5, (uint64_t)&word, 2 | 128, 0}};
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += 2000000;
  if (t.tv_nsec > 999999999) t.tv_sec++, t.tv_nsec -= 1000000000;
  errno = 0;
  long n = NUMBER(449, list, 2, 0, &t, CLOCK_MONOTONIC);
  NEEDS(errno != ENOSYS, "this kernel has no futex_waitv");
  EXPECT(n == -1 && errno == EAGAIN);
  list[1].value = 0;
  FAILS(NUMBER(449, list, 2, 0, &t, CLOCK_MONOTONIC), ETIMEDOUT);
  (void)b;
}
static int vector_word;
static void *wake_vector(void *argument) {
  nap(1500);
  vector_word = 1;
  while (!done) {
    CALL(futex, &vector_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    nap(200);
  }
  return NULL;
}
SITUATION(futexes_waited_for_and_woken) {
  static int a;
  struct { uint64_t value, address; uint32_t flags, reserved; } list[2] = {{0, (uint64_t)&a, 2 | 128, 0}, {0, (uint64_t)&vector_word, 2 | 128, 0}};
  pthread_t t = run(wake_vector, 0);
  errno = 0;
  long n = NUMBER(449, list, 2, 0, NULL, 0);
  EXPECT(n == 1 || errno == EAGAIN || errno == ENOSYS);
  done = 1;
  join(t);
}
SITUATION(futex_new_calls) {
  struct timespec t = {0, 1000000};
  long n = ASK(NUMBER(454, &word, 0xfffffffful, 1, 2 | 128));
  NEEDS(n == 0, "this kernel has no futex_wake");
  EXPECT(NUMBER(455, &word, 1L, 0xfffffffful, 2 | 128, &t, CLOCK_MONOTONIC) == -1 && errno == EAGAIN);
  EXPECT(NUMBER(455, &word, 0L, 0xfffffffful, 2 | 128, &t, CLOCK_MONOTONIC) == -1 && errno == ETIMEDOUT);
  struct { uint64_t value, address; uint32_t flags, reserved; } pair[2] = {{0, (uint64_t)&word, 2 | 128, 0}, {0, (uint64_t)&first_word, 2 | 128, 0}};
  OK(NUMBER(456, pair, 0, 1, 1));
}
static void *number_of_mine(void *argument) { return (void *)CALL(gettid); }
SITUATION(numbers_of_threads) {
  long first = join(run(number_of_mine, 0)), second = join(run(number_of_mine, 0));
  EXPECT(first != CALL(gettid) && first != second && CALL(getpid) == CALL(gettid));
}
static void *name_and_time(void *argument) {
  struct timespec t;
  prctl(PR_SET_NAME, "worker", 0, 0, 0);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  prctl(PR_GET_NAME, noise, 0, 0, 0);
  return (void *)(long)(strcmp(noise, "worker") == 0);
}
SITUATION(state_of_threads) { EXPECT(join(run(name_and_time, 0)) == 1); }
static void *signal_the_first(void *first) {
  nap(1000);
  pthread_kill((pthread_t)first, SIGUSR1);
  return NULL;
}
SITUATION(signalled_by_a_thread) {
  struct sigaction a = {.sa_handler = count};
  sigaction(SIGUSR1, &a, NULL);
  pthread_t t = run(signal_the_first, (long)pthread_self());
  while (!caught) CALL(pause);
  join(t);
}
static void *wait_for_a_signal(void *argument) {
  sigset_t set;
  int got = 0;
  sigemptyset(&set), sigaddset(&set, SIGUSR2);
  sigwait(&set, &got);
  return (void *)(long)got;
}
SITUATION(thread_for_signals) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  pthread_t t = run(wait_for_a_signal, 0);
  nap(1000);
  kill(getpid(), SIGUSR2);
  EXPECT(join(t) == SIGUSR2);
}
static int pipe_ends[2];
static void *feed(void *argument) {
  for (int i = 0; i < 20; ++i) {
    nap(200);
    if (write(pipe_ends[1], other_noise, 100) != 100) return (void *)1;
  }
  close(pipe_ends[1]);
  return NULL;
}
SITUATION(pipe_between_threads) {
  OK(pipe(pipe_ends));
  pthread_t t = run(feed, 0);
  long total = 0;
  for (long n; (n = read(pipe_ends[0], noise, 1000)) > 0;) total += n;
  EXPECT(total == 2000 && join(t) == 0);
}
static void *read_one(void *argument) {
  char byte = 0;
  return (void *)(read(pipe_ends[0], &byte, 1) == 1 ? (long)byte : 0L);
}
SITUATION(threads_stopped_together) {
  OK(pipe(pipe_ends));
  pthread_t reader = run(read_one, 0);
  nap(500);
  pid_t me = getpid();
  int said[2], count = 0;
  OK(pipe(said));
  pid_t child = CHILD({
    nap(3000);
    OK(write(said[1], "x", 1));
    OK(kill(me, SIGCONT));
  });
  OK(kill(me, SIGSTOP));
  while (count == 0) OK(ioctl(said[0], FIONREAD, &count));
  OK(write(pipe_ends[1], "y", 1));
  EXPECT(join(reader) == 'y' && end_of(child) == 0);
}
// The ID flag, which no call and no debugger changes, is each thread's own.
static long id_flag(void) {
  long flags;
  __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; pop %0; lea 128(%%rsp), %%rsp" : "=r"(flags));
  return flags >> 21 & 1;
}
static void *with_id_flag(void *argument) {
  __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; orq $0x200000, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::: "cc", "memory");
  for (int i = 0; i < 30; ++i) {
    nap(100);
    if (id_flag() != 1) return (void *)1;
    compute(1);
    if (id_flag() != 1) return (void *)1;
  }
  return NULL;
}
SITUATION(flags_of_their_own) {
  pthread_t other = run(with_id_flag, 0);
  for (int i = 0; i < 30; ++i) {
    EXPECT(id_flag() == 0);
    nap(70);
    EXPECT(id_flag() == 0);
    compute(1);
  }
  EXPECT(join(other) == 0);
}
static void *feed_messages(void *argument) {
  for (int i = 0; i < 10; ++i) {
    struct iovec v[2] = {{other_noise, 10}, {other_noise + 50, 20}};
    struct msghdr m = {NULL, 0, v, 2, NULL, 0, 0};
    nap(100);
    sendmsg(pipe_ends[1], &m, 0);
  }
  return NULL;
}
SITUATION(messages_between_threads) {
  OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pipe_ends));
  pthread_t t = run(feed_messages, 0);
  for (int i = 0; i < 10; ++i) {
    struct iovec v[2] = {{noise + 100 * i, 15}, {noise + 100 * i + 50, 50}};
    struct msghdr m = {NULL, 0, v, 2, noise + 5000, 100, 0};
    EXPECT(recvmsg(pipe_ends[0], &m, 0) == 30);
  }
  join(t);
}
static void *fork_here(void *argument) {
  pid_t child = fork();
  if (child == 0) _exit(5);
  return (void *)(long)end_of(child);
}
SITUATION(children_of_threads) {
  pthread_t a = run(fork_here, 0), b = run(fork_here, 0);
  EXPECT(join(a) == 5 && join(b) == 5);
}
static void *run_program(void *argument) {
  char *argv[] = {"echo", "EXIT-SUCCESS", NULL};
  execv("/bin/echo", argv);
  return NULL;
}
SITUATION(another_program_from_a_thread) {
  run(run_program, 0);
  for (;;) pause();
}
static void *run_program_after(void *first) {
  pthread_join(*(pthread_t *)first, NULL);
  return run_program(NULL);
}
SITUATION(another_program_after_the_first_thread_has_ended) {
  static pthread_t first;
  first = pthread_self();
  run(run_program_after, &first);
  pthread_exit(NULL);
}
static void *leave_all(void *argument) {
  puts("EXIT-SUCCESS");
  exit(0);
}
SITUATION(ended_by_a_thread) {
  run(leave_all, 0);
  for (;;) pause();
}
static void *wait_for_ever(void *argument) {
  for (;;) pause();
}
SITUATION(cancelled) {
  pthread_t t = run(wait_for_ever, 0);
  nap(500);
  EXPECT(pthread_cancel(t) == 0 && join(t) == (long)PTHREAD_CANCELED);
}
static void *wait_barrier(void *barrier) {
  for (int i = 0; i < 5; ++i) pthread_barrier_wait(barrier);
  return NULL;
}
SITUATION(barriers) {
  static pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, 4);
  pthread_t t[3];
  for (int i = 0; i < 3; ++i) t[i] = run(wait_barrier, (long)&barrier);
  wait_barrier(&barrier);
  for (int i = 0; i < 3; ++i) join(t[i]);
}
static void *grow(void *argument) {
  for (int i = 0; i < 100; ++i) {
    pthread_mutex_lock(&lock);
    ++word;
    pthread_mutex_unlock(&lock);
    if (i % 10 == 0) CALL(sched_yield);
  }
  return NULL;
}
SITUATION(many_threads) {
  pthread_t t[20];
  for (int i = 0; i < 20; ++i) t[i] = run(grow, 0);
  for (int i = 0; i < 20; ++i) join(t[i]);
  EXPECT(word == 2000);
}
static __thread int own = 3;
static void *use_own(void *argument) {
  own += (int)(long)argument;
  CALL(sched_yield);
  return (void *)(long)own;
}
SITUATION(variables_of_threads) {
  pthread_t a = run(use_own, 1), b = run(use_own, 2);
  EXPECT(join(a) == 4 && join(b) == 5 && own == 3);
}
static void *count_alarms(void *argument) {
  while (caught < 6) computed++;
  return NULL;
}
SITUATION(alarms_while_threads_compute) {
  signal(SIGALRM, count);
  ualarm(1000, 1000);
  pthread_t a = run(count_alarms, 0), b = run(count_alarms, 0);
  join(a), join(b);
  ualarm(0, 0);
}
