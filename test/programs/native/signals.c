// Signals: raised, sent by timers, caused by faults; at every kind of place.
#include "situations.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t seen;
static volatile uint64_t trace;

static void count(int signal) {
  ++seen;
  trace = trace * 31 + (uint64_t)signal;
}

static void handle_with(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {0};
  action.sa_handler = handler;
  action.sa_flags = flags;
  EXPECT(sigaction(signal, &action, NULL) == 0);
}

static void every(int us) {
  struct itimerval timer = {{0, us}, {0, us}};
  EXPECT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void timer_off(void) {
  struct itimerval timer = {{0, 0}, {0, 0}};
  EXPECT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

SITUATION(raised) {
  handle_with(SIGUSR1, count, 0);
  for (int i = 0; i < 20; ++i) {
    raise(SIGUSR1);
    if (i % 5 == 0) compute(1);
  }
  kill(getpid(), SIGUSR1);
  EXPECT(seen == 21);
}

SITUATION(alarm_interrupts_read) {
  handle_with(SIGALRM, count, 0);
  int ends[2];
  EXPECT(pipe(ends) == 0);
  every(3000);
  char c;
  for (int i = 0; i < 3; ++i) EXPECT(read(ends[0], &c, 1) == -1 && errno == EINTR);
  timer_off();
  EXPECT(seen >= 3);
  compute(2);
}

static int restart_pipe[2];
static void write_on_third(int signal) {
  count(signal);
  if (seen == 3) EXPECT(write(restart_pipe[1], "x", 1) == 1);
}

SITUATION(alarm_restarts_read) {
  handle_with(SIGALRM, write_on_third, SA_RESTART);
  EXPECT(pipe(restart_pipe) == 0);
  every(2000);
  char c = 0;
  EXPECT(read(restart_pipe[0], &c, 1) == 1 && c == 'x');
  timer_off();
  compute(2);
}

SITUATION(alarm_interrupts_pause) {
  handle_with(SIGALRM, count, SA_RESTART);
  every(2000);
  for (int i = 0; i < 4; ++i) EXPECT(pause() == -1 && errno == EINTR);
  timer_off();
  EXPECT(seen >= 4);
}

SITUATION(alarm_interrupts_sleep) {
  handle_with(SIGALRM, count, 0);
  every(3000);
  struct timespec wanted = {0, 50000000}, left = {9, 9};
  EXPECT(nanosleep(&wanted, &left) == -1 && errno == EINTR && left.tv_sec == 0);
  EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &wanted, &left) == EINTR);
  timer_off();
  compute(2);
}

SITUATION(ignored_signal_leaves_sleep_alone) {
  signal(SIGALRM, SIG_IGN);
  every(2000);
  struct timespec wanted = {0, 15000000};
  EXPECT(nanosleep(&wanted, NULL) == 0);
  timer_off();
  signal(SIGCHLD, SIG_DFL);
  kill(getpid(), SIGCHLD);
  kill(getpid(), SIGWINCH);
  compute(2);
}

SITUATION(alarm_interrupts_computing) {
  handle_with(SIGALRM, count, 0);
  every(4000);
  while (seen < 5) compute(1);
  timer_off();
  EXPECT(trace != 0);
}

static volatile uint64_t registers_of_interrupted;
static void look_around(int signal, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  count(signal);
  EXPECT(info->si_signo == signal);
  registers_of_interrupted ^= (uint64_t)u->uc_mcontext.gregs[REG_RIP] + (uint64_t)u->uc_mcontext.gregs[REG_RAX] +
                              (uint64_t)u->uc_mcontext.gregs[REG_EFL];
}

// The handler makes no system call at which the next one could come: each has to be recorded
// where the program stands, and together they may not keep it from going on.
static jmp_buf again;
static void jump_again(int signal) {
  count(signal);
  longjmp(again, 1);
}

SITUATION(alarms_too_fast_for_computing) {
  static volatile long rounds;
  handle_with(SIGALRM, jump_again, SA_NODEFER);
  if (_setjmp(again) == 0) every(200);
  while (rounds < 30000000) ++rounds;
  timer_off();
  signal(SIGALRM, SIG_IGN);  // what is still pending may not jump into a function that has ended
  EXPECT(seen > 0);
}

SITUATION(alarm_looks_around) {
  struct sigaction action = {0};
  action.sa_sigaction = look_around;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  EXPECT(sigaction(SIGALRM, &action, NULL) == 0);
  every(7000);
  double sum = 1;
  while (seen < 4)
    for (int i = 1; i < 100000; ++i) sum += 1.0 / i;
  timer_off();
  registers_of_interrupted += (uint64_t)sum;
}

SITUATION(other_stack) {
  static char room[65536];
  stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
  EXPECT(sigaltstack(&stack, NULL) == 0);
  handle_with(SIGUSR1, count, SA_ONSTACK);
  handle_with(SIGALRM, count, SA_ONSTACK);
  every(3000);
  for (int i = 0; i < 5; ++i) {
    raise(SIGUSR1);
    compute(2);
  }
  while (seen < 7) compute(1);
  timer_off();
}

static void nest(int signal) {
  count(signal);
  if (signal == SIGUSR1) raise(SIGUSR2);
  if (signal == SIGUSR2 && seen < 30) raise(SIGUSR1);
  compute(0);
}

SITUATION(nested) {
  handle_with(SIGUSR1, nest, SA_NODEFER);
  handle_with(SIGUSR2, nest, SA_NODEFER);
  raise(SIGUSR1);
  compute(2);
  EXPECT(seen >= 30);
}

static char *guarded;
static void repair(int signal, siginfo_t *info, void *context) {
  (void)context;
  count(signal);
  EXPECT((char *)info->si_addr >= guarded && (char *)info->si_addr < guarded + 16 * 4096);
  char *page = (char *)((uintptr_t)info->si_addr & ~4095ul);
  EXPECT(mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
}

SITUATION(fault_repaired) {
  guarded = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {0};
  action.sa_sigaction = repair;
  action.sa_flags = SA_SIGINFO;
  EXPECT(sigaction(SIGSEGV, &action, NULL) == 0);
  for (int i = 0; i < 16; ++i) {
    guarded[i * 4096 + 5] = (char)i;
    if (i % 4 == 0) compute(1);
  }
  EXPECT(seen == 16 && guarded[5 * 4096 + 5] == 5);
}

static sigjmp_buf back;
static void jump(int signal) {
  count(signal);
  siglongjmp(back, 1);
}

SITUATION(jump_out_of_handler) {
  handle_with(SIGSEGV, jump, 0);
  handle_with(SIGFPE, jump, 0);
  handle_with(SIGILL, jump, 0);
  for (volatile int i = 0; i < 12; ++i) {
    if (sigsetjmp(back, 1)) continue;
    volatile int zero = 0;
    if (i % 3 == 0) *(volatile int *)8 = 1;
    if (i % 3 == 1) seen = 7 / zero;
    if (i % 3 == 2) __builtin_trap();
    EXPECT(0);
  }
  compute(2);
  EXPECT(seen == 12);
}

SITUATION(blocked_and_pending) {
  handle_with(SIGUSR1, count, 0);
  handle_with(SIGUSR2, count, 0);
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  raise(SIGUSR1);
  raise(SIGUSR2);
  compute(2);
  EXPECT(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) && seen == 0);
  EXPECT(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
  EXPECT(seen == 2);
  compute(2);
  EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  raise(SIGUSR1);
  sigset_t none;
  sigemptyset(&none);
  EXPECT(sigsuspend(&none) == -1 && seen == 3);
  raise(SIGUSR2);
  siginfo_t info;
  EXPECT(sigwaitinfo(&set, &info) == SIGUSR2 && info.si_pid == getpid());
  struct timespec soon = {0, 1000000};
  EXPECT(sigtimedwait(&set, &info, &soon) == -1 && errno == EAGAIN);
}

static int values[8];
static int value_count;
static void take_value(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  EXPECT(info->si_code == SI_QUEUE && info->si_pid == getpid());
  values[value_count++] = info->si_value.sival_int;
}

SITUATION(queued_values) {
  struct sigaction action = {0};
  action.sa_sigaction = take_value;
  action.sa_flags = SA_SIGINFO;
  EXPECT(sigaction(SIGRTMIN + 3, &action, NULL) == 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &set, NULL);
  for (int i = 0; i < 5; ++i) {
    union sigval value = {.sival_int = 100 + i};
    EXPECT(sigqueue(getpid(), SIGRTMIN + 3, value) == 0);
  }
  compute(2);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  EXPECT(value_count == 5 && values[0] == 100 && values[4] == 104);
}

static void write_info(int signal, siginfo_t *info, void *context) {
  (void)context;
  count(signal);
  trace += (uint64_t)info->si_value.sival_int + (uint64_t)info->si_timerid;
}

SITUATION(posix_timer) {
  struct sigaction action = {0};
  action.sa_sigaction = write_info;
  action.sa_flags = SA_SIGINFO;
  EXPECT(sigaction(SIGRTMIN + 2, &action, NULL) == 0);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2};
  event.sigev_value.sival_int = 77;
  timer_t timer;
  EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  struct itimerspec spec = {{0, 3000000}, {0, 3000000}};
  EXPECT(timer_settime(timer, 0, &spec, NULL) == 0);
  while (seen < 4) compute(1);
  EXPECT(timer_delete(timer) == 0);
}

SITUATION(virtual_timer) {
  handle_with(SIGVTALRM, count, 0);
  handle_with(SIGPROF, count, SA_RESTART);
  struct itimerval timer = {{0, 4000}, {0, 4000}};
  EXPECT(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0 && setitimer(ITIMER_PROF, &timer, NULL) == 0);
  while (seen < 4) compute(1);
  memset(&timer, 0, sizeof timer);
  EXPECT(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0 && setitimer(ITIMER_PROF, &timer, NULL) == 0);
}

SITUATION(broken_pipe) {
  int ends[2];
  EXPECT(pipe(ends) == 0);
  close(ends[0]);
  signal(SIGPIPE, SIG_IGN);
  EXPECT(write(ends[1], "x", 1) == -1 && errno == EPIPE);
  handle_with(SIGPIPE, count, 0);
  EXPECT(write(ends[1], "x", 1) == -1 && errno == EPIPE && seen == 1);
  compute(2);
}

SITUATION(ends_by_broken_pipe) {
  int ends[2];
  EXPECT(pipe(ends) == 0);
  close(ends[0]);
  compute(2);
  if (write(ends[1], "x", 1)) abort();
}

SITUATION(ends_by_abort) {
  puts("about to abort");
  fflush(stdout);
  compute(3);
  abort();
}

SITUATION(ends_by_null) {
  compute(3);
  *(volatile int *)0 = 1;
}

SITUATION(ends_by_division) {
  volatile int zero = 0;
  compute(3);
  seen = 7 / zero;
}

SITUATION(ends_by_alarm) {
  alarm(1);
  struct itimerval timer = {{0, 0}, {0, 5000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  for (;;) compute(1);
}

SITUATION(ends_by_illegal_instruction) {
  compute(2);
  __builtin_trap();
}

SITUATION(ends_by_stack_overflow) {
  struct rlimit limit = {1 << 20, 1 << 20};
  setrlimit(RLIMIT_STACK, &limit);
  char *volatile p = __builtin_frame_address(0);
  for (;;) *(p -= 1024) = 1;
}

static void count_trap(int signal, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  count(signal);
  trace += (uint64_t)info->si_code + (uint64_t)u->uc_mcontext.gregs[REG_RIP];
}

SITUATION(own_breakpoints) {
  struct sigaction action = {0};
  action.sa_sigaction = count_trap;
  action.sa_flags = SA_SIGINFO;
  EXPECT(sigaction(SIGTRAP, &action, NULL) == 0);
  for (int i = 0; i < 10; ++i) {
    __asm__ volatile("int3");
    if (i % 4 == 0) compute(1);
  }
  raise(SIGTRAP);
  EXPECT(seen == 11);
}

static void turn_off_stepping(int signal, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  count(signal);
  EXPECT(info->si_code == TRAP_TRACE);
  if (seen == 20) u->uc_mcontext.gregs[REG_EFL] &= ~0x100l;
}

// A program that steps itself by the trap flag.
SITUATION(steps_itself) {
  struct sigaction action = {0};
  action.sa_sigaction = turn_off_stepping;
  action.sa_flags = SA_SIGINFO;
  EXPECT(sigaction(SIGTRAP, &action, NULL) == 0);
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n"
      "mov $1000, %%ecx\n 1: dec %%ecx\n jnz 1b\n lea 128(%%rsp), %%rsp\n" ::
          : "rcx", "cc", "memory");
  compute(2);
  EXPECT(seen == 20);
}

static void change_context(int signal, siginfo_t *info, void *context) {
  (void)info;
  ucontext_t *u = context;
  count(signal);
  u->uc_mcontext.gregs[REG_RIP] += 2;  // over ud2
  u->uc_mcontext.gregs[REG_RAX] = 4711;
}

SITUATION(handler_changes_registers) {
  struct sigaction action = {0};
  action.sa_sigaction = change_context;
  action.sa_flags = SA_SIGINFO;
  EXPECT(sigaction(SIGILL, &action, NULL) == 0);
  for (int i = 0; i < 10; ++i) {
    long result = 0;
    __asm__ volatile("ud2" : "+a"(result)::"memory");
    EXPECT(result == 4711);
    if (i % 4 == 0) compute(1);
  }
}

SITUATION(stopped_and_continued) {
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 3; ++i) {
      usleep(2000);
      kill(getppid(), SIGCONT);
    }
    _exit(0);
  }
  handle_with(SIGCONT, count, SA_RESTART);
  int status;
  while (waitpid(child, &status, 0) == -1) EXPECT(errno == EINTR);
  compute(2);
}

SITUATION(many_short_alarms) {
  handle_with(SIGALRM, count, SA_RESTART);
  every(300);
  struct timespec now;
  while (seen < 40) EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  timer_off();
  compute(2);
}

SITUATION(child_sends_signals) {
  handle_with(SIGUSR1, count, 0);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 20; ++i) {
      kill(getppid(), SIGUSR1);
      usleep(500);
    }
    _exit(3);
  }
  int status = 0;
  while (waitpid(child, &status, 0) == -1) EXPECT(errno == EINTR);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 3 && seen > 0);
  compute(1);
}

// Where the signal strikes there is no code that could be looked at.
SITUATION(calls_nothing) {
  void (*volatile nothing)(void) = 0;
  compute(3);
  nothing();
}

static sigjmp_buf before_nothing;
static void jump_back(int signal) { siglongjmp(before_nothing, signal); }
SITUATION(calls_nothing_and_recovers) {
  void (*volatile nothing)(void) = 0;
  signal(SIGSEGV, jump_back);
  for (volatile int i = 0; i < 5; ++i) {
    if (sigsetjmp(before_nothing, 1) == 0) {
      compute(2);
      nothing();
    }
  }
  puts("recovered");
}
