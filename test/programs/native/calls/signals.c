// Signals in every situation: how they come, what they interrupt, what handlers do.
#include "calls.h"

#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int caught, nested, last_code, last_value, order;
static void count(int signal) { ++caught; }
static void inform(int signal, siginfo_t *info, void *context) {
  ++caught;
  last_code = info->si_code;
  last_value = info->si_value.sival_int;
  order = order * 10 + signal % 10;
}
static void catch(int signal, int flags) {
  struct sigaction a = {.sa_flags = flags};
  if (flags & SA_SIGINFO) a.sa_sigaction = inform;
  else a.sa_handler = count;
  OK(sigaction(signal, &a, NULL));
}
static sigset_t set_of(int a, int b) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, a);
  if (b) sigaddset(&set, b);
  return set;
}
static void block(int signal) {
  sigset_t set = set_of(signal, 0);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
}
static void soon(void) { ualarm(1500, 0); }
// A call that waits for ever is ended by SIGALRM; and again later: on a busy
// machine the first may come before the call has begun.
#define INTERRUPTED(CALLED)    \
  do {                         \
    catch(SIGALRM, 0);         \
    ualarm(1500, 30000);       \
    FAILS(CALLED, EINTR);      \
    ualarm(0, 0);              \
    EXPECT(caught >= 1);       \
  } while (0)
static int ends[2];

SITUATION(raised) {
  catch(SIGUSR1, SA_SIGINFO);
  OK(raise(SIGUSR1));
  EXPECT(caught == 1 && last_code == SI_TKILL);
}
SITUATION(killed_itself) {
  catch(SIGUSR1, SA_SIGINFO);
  OK(CALL(kill, getpid(), SIGUSR1));
  EXPECT(caught == 1 && last_code == SI_USER);
  OK(CALL(tkill, getpid(), SIGUSR1));
  OK(CALL(tgkill, getpid(), getpid(), SIGUSR1));
  OK(CALL(kill, 0, 0));
  EXPECT(caught == 3);
}
SITUATION(every_signal) {
  for (int s = 1; s < 65; ++s) {
    if (s == SIGKILL || s == SIGSTOP || s == 32 || s == 33) continue;
    catch(s, SA_SIGINFO);
    OK(raise(s));
  }
  EXPECT(caught == 60);
}
SITUATION(queued_with_values) {
  union sigval v = {.sival_int = 31};
  catch(SIGRTMIN, SA_SIGINFO);
  OK(sigqueue(getpid(), SIGRTMIN, v));
  EXPECT(last_value == 31 && last_code == SI_QUEUE);
  siginfo_t info = {.si_signo = SIGRTMIN, .si_code = -9, .si_value.sival_int = 8};
  OK(CALL(rt_sigqueueinfo, getpid(), SIGRTMIN, &info));
  EXPECT(last_value == 8 && last_code == -9);
  OK(CALL(rt_tgsigqueueinfo, getpid(), getpid(), SIGRTMIN, &info));
  EXPECT(caught == 3);
}
SITUATION(many_queued) {
  union sigval v;
  block(SIGRTMIN);
  catch(SIGRTMIN, SA_SIGINFO);
  for (v.sival_int = 0; v.sival_int < 30; ++v.sival_int) OK(sigqueue(getpid(), SIGRTMIN, v));
  sigset_t set = set_of(SIGRTMIN, 0);
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  EXPECT(caught == 30 && last_value == 29);
}
SITUATION(in_order_of_number) {
  catch(SIGUSR1, SA_SIGINFO), catch(SIGUSR2, SA_SIGINFO), catch(SIGRTMIN + 3, SA_SIGINFO);
  sigset_t all, old;
  sigfillset(&all);
  OK(sigprocmask(SIG_SETMASK, &all, &old));
  raise(SIGRTMIN + 3), raise(SIGUSR2), raise(SIGUSR1);
  OK(sigprocmask(SIG_SETMASK, &old, NULL));
  EXPECT(caught == 3);
}
SITUATION(pending_asked) {
  sigset_t set;
  block(SIGUSR1);
  raise(SIGUSR1);
  OK(CALL(rt_sigpending, &set, 8L));
  EXPECT(sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2));
}
SITUATION(standard_signals_merge) {
  block(SIGUSR1);
  catch(SIGUSR1, 0);
  for (int i = 0; i < 5; ++i) raise(SIGUSR1);
  sigset_t set = set_of(SIGUSR1, 0);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  EXPECT(caught == 1);
}
SITUATION(actions_asked) {
  struct sigaction a, old;
  OK(sigaction(SIGUSR1, NULL, &old));
  EXPECT(old.sa_handler == SIG_DFL);
  catch(SIGUSR1, SA_SIGINFO | SA_RESTART | SA_NODEFER);
  OK(sigaction(SIGUSR1, NULL, &a));
  EXPECT(a.sa_sigaction == inform && (a.sa_flags & SA_NODEFER));
  FAILS(sigaction(SIGKILL, &a, NULL), EINVAL);
}
SITUATION(reset_after_the_first) {
  catch(SIGCHLD, SA_RESETHAND);
  raise(SIGCHLD), raise(SIGCHLD);
  EXPECT(caught == 1);
}
SITUATION(ignored) {
  signal(SIGUSR1, SIG_IGN);
  raise(SIGUSR1);
  OK(kill(getpid(), SIGUSR1));
  signal(SIGUSR1, SIG_DFL);
  signal(SIGURG, SIG_DFL);
  raise(SIGURG), raise(SIGWINCH), raise(SIGCONT);
}
static void raise_the_other(int signal) {
  ++caught;
  if (signal == SIGUSR1) {
    raise(SIGUSR2);
    nested = caught;
  }
}
SITUATION(nested_handlers) {
  signal(SIGUSR1, raise_the_other), signal(SIGUSR2, raise_the_other);
  raise(SIGUSR1);
  EXPECT(caught == 2 && nested == 2);
}
static void again(int signal) {
  if (++caught < 20) raise(signal);
}
SITUATION(deeply_nested) {
  struct sigaction a = {.sa_handler = again, .sa_flags = SA_NODEFER};
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  EXPECT(caught == 20);
}
SITUATION(deferred_while_handled) {
  signal(SIGUSR1, again);
  raise(SIGUSR1);
  EXPECT(caught == 20);
}
SITUATION(mask_of_an_action) {
  struct sigaction a = {.sa_handler = raise_the_other};
  sigaddset(&a.sa_mask, SIGUSR2);
  sigaction(SIGUSR1, &a, NULL);
  signal(SIGUSR2, raise_the_other);
  raise(SIGUSR1);
  EXPECT(nested == 1 && caught == 2);
}
static sigjmp_buf home;
static void jump(int signal) { siglongjmp(home, signal); }
SITUATION(jumped_out_of) {
  signal(SIGUSR1, jump);
  for (volatile int i = 0; i < 5; ++i)
    if (sigsetjmp(home, 1) == 0) {
      raise(SIGUSR1);
      EXPECT(0);
    }
}
SITUATION(jumped_out_of_a_fault) {
  signal(SIGSEGV, jump), signal(SIGFPE, jump), signal(SIGILL, jump);
  volatile int zero = 0;
  if (sigsetjmp(home, 1) == 0) *(volatile int *)16 = 1;
  if (sigsetjmp(home, 1) == 0) zero = 5 / zero;
  if (sigsetjmp(home, 1) == 0) __builtin_trap();
  EXPECT(sigsetjmp(home, 1) == 0);
}
SITUATION(jumped_out_of_a_call) {
  OK(pipe(ends));
  signal(SIGALRM, jump);
  if (sigsetjmp(home, 1) == 0) {
    soon();
    OK(read(ends[0], noise, 1));
    EXPECT(0);
  }
}
SITUATION(jumped_out_of_computing) {
  signal(SIGALRM, jump);
  if (sigsetjmp(home, 1) == 0) {
    ualarm(3000, 0);
    for (;;) computed++;
  }
}
static char *page;
static void repair(int signal, siginfo_t *info, void *context) {
  ++caught;
  EXPECT((char *)info->si_addr == page + 5);
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
}
SITUATION(fault_repaired) {
  struct sigaction a = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL);
  page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 5; ++i) {
    page[5] = (char)i;
    OK(mprotect(page, 4096, PROT_READ));
  }
  EXPECT(caught == 5 && page[5] == 4);
}
static void skip_instruction(int signal, siginfo_t *info, void *context) {
  ++caught;
  last_code = info->si_code;
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}
SITUATION(instruction_skipped) {
  struct sigaction a = {.sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO};
  sigaction(SIGILL, &a, NULL);
  __asm__ volatile("ud2");
  EXPECT(caught == 1 && last_code == ILL_ILLOPN);
}
SITUATION(beyond_a_file) {
  signal(SIGBUS, jump);
  int fd = file_of("f", 10);
  char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
  if (sigsetjmp(home, 1) == 0) {
    computed += (uint64_t)p[5000];
    EXPECT(0);
  }
}
SITUATION(floating_point_fault) {
  signal(SIGFPE, jump);
  unsigned mode;
  __asm__ volatile("stmxcsr %0" : "=m"(mode));
  mode &= ~0x200u;
  if (sigsetjmp(home, 1) == 0) {
    volatile double zero = 0;
    __asm__ volatile("ldmxcsr %0" ::"m"(mode));
    zero = 1 / zero;
  }
  mode |= 0x200u;
  __asm__ volatile("ldmxcsr %0" ::"m"(mode));
}
SITUATION(own_breakpoint) {
  catch(SIGTRAP, SA_SIGINFO);
  __asm__ volatile("int3");
  __asm__ volatile("int3; nop");
  EXPECT(caught == 2);
}
static char other_stack[32768];
static void where(int signal) {
  char here;
  caught += &here >= other_stack && &here < other_stack + sizeof other_stack;
}
SITUATION(on_another_stack) {
  stack_t s = {.ss_sp = other_stack, .ss_size = sizeof other_stack}, got;
  struct sigaction a = {.sa_handler = where, .sa_flags = SA_ONSTACK};
  OK(CALL(sigaltstack, &s, NULL));
  OK(CALL(sigaltstack, NULL, &got));
  EXPECT(got.ss_sp == other_stack);
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  EXPECT(caught == 1);
  s.ss_flags = SS_DISABLE;
  OK(CALL(sigaltstack, &s, NULL));
  raise(SIGUSR1);
  EXPECT(caught == 1);
}
SITUATION(stack_disarmed_while_handled) {
  stack_t s = {.ss_sp = other_stack, .ss_size = sizeof other_stack, .ss_flags = 1 << 31 /* SS_AUTODISARM */};
  struct sigaction a = {.sa_handler = where, .sa_flags = SA_ONSTACK};
  OK(CALL(sigaltstack, &s, NULL));
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1), raise(SIGUSR1);
  EXPECT(caught == 2);
}
SITUATION(stack_overflow_survived) {
  stack_t s = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
  struct sigaction a = {.sa_handler = jump, .sa_flags = SA_ONSTACK};
  struct rlimit small = {1 << 20, 1 << 20};
  OK(setrlimit(RLIMIT_STACK, &small));
  OK(sigaltstack(&s, NULL));
  sigaction(SIGSEGV, &a, NULL);
  if (sigsetjmp(home, 1) == 0)
    for (;;) *(volatile char *)__builtin_alloca(4096) = 1;
}
SITUATION(suspended_until_one) {
  sigset_t none;
  sigemptyset(&none);
  block(SIGUSR1);
  catch(SIGUSR1, 0);
  raise(SIGUSR1);
  FAILS(CALL(rt_sigsuspend, &none, 8L), EINTR);
  EXPECT(caught == 1);
}
SITUATION(suspended_until_an_alarm) {
  sigset_t none;
  sigemptyset(&none);
  block(SIGALRM);
  catch(SIGALRM, 0);
  for (int i = 1; i <= 5; ++i) {
    soon();
    FAILS(sigsuspend(&none), EINTR);
    EXPECT(caught == i);
  }
}
SITUATION(paused) { INTERRUPTED(CALL(pause)); }
SITUATION(waited_for_with_information) {
  siginfo_t info;
  sigset_t set = set_of(SIGUSR1, SIGRTMIN);
  union sigval v = {.sival_int = 99};
  struct timespec t = {0, 2000000};
  sigprocmask(SIG_BLOCK, &set, NULL);
  OK(sigqueue(getpid(), SIGRTMIN, v));
  EXPECT(CALL(rt_sigtimedwait, &set, &info, NULL, 8L) == SIGRTMIN && info.si_value.sival_int == 99);
  FAILS(CALL(rt_sigtimedwait, &set, &info, &t, 8L), EAGAIN);
  raise(SIGUSR1);
  EXPECT(CALL(rt_sigtimedwait, &set, NULL, &t, 8L) == SIGUSR1);
}
SITUATION(waited_for_from_a_child) {
  siginfo_t info;
  sigset_t set = set_of(SIGUSR1, SIGCHLD);
  pid_t me = getpid();
  sigprocmask(SIG_BLOCK, &set, NULL);
  pid_t child = CHILD({
    nap(1500);
    kill(me, SIGUSR1);
  });
  EXPECT(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == child);
  EXPECT(sigwaitinfo(&set, &info) == SIGCHLD && end_of(child) == 0);
}
SITUATION(waiting_for_one_interrupted_by_another) {
  siginfo_t info;
  sigset_t set = set_of(SIGUSR1, 0);
  block(SIGUSR1);
  INTERRUPTED(sigwaitinfo(&set, &info));
}
SITUATION(told_of_children) {
  catch(SIGCHLD, SA_SIGINFO);
  pid_t child = CHILD(_exit(3));
  while (!caught) nap(200);
  EXPECT(last_code == CLD_EXITED && end_of(child) == 3);
}
SITUATION(told_of_stopped_children) {
  int status;
  catch(SIGCHLD, SA_SIGINFO | SA_RESTART);
  pid_t child = CHILD(raise(SIGSTOP));
  EXPECT(waitpid(child, &status, WUNTRACED) == child);
  OK(kill(child, SIGCONT));
  EXPECT(end_of(child) == 0 && caught >= 1);
}
SITUATION(told_only_of_ends) {
  int status;
  catch(SIGCHLD, SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP);
  pid_t child = CHILD(raise(SIGSTOP));
  EXPECT(waitpid(child, &status, WUNTRACED) == child);
  OK(kill(child, SIGCONT));
  EXPECT(end_of(child) == 0);
}
SITUATION(no_zombies) {
  int status;
  catch(SIGCHLD, SA_NOCLDWAIT | SA_RESTART);
  CHILD(_exit(0));
  while (!(waitpid(-1, &status, 0) == -1 && errno == ECHILD)) continue;
}
SITUATION(reaped_by_the_handler) {
  static volatile int reaped;
  void reap(int signal) {
    int status;
    while (waitpid(-1, &status, WNOHANG) > 0) ++reaped;
  }
  signal(SIGCHLD, reap);
  for (int i = 0; i < 8; ++i) CHILD(_exit(0));
  while (reaped < 8) nap(300);
}
SITUATION(children_that_send_many) {
  pid_t me = getpid();
  catch(SIGRTMIN + 2, SA_SIGINFO);
  pid_t child = CHILD(for (int i = 0; i < 30; ++i) {
    union sigval v = {.sival_int = i};
    sigqueue(me, SIGRTMIN + 2, v);
  });
  while (caught < 30) computed += 1;
  EXPECT(end_of(child) == 0 && last_value == 29);
}
SITUATION(children_that_send_while_computing) {
  pid_t me = getpid();
  catch(SIGUSR1, 0);
  pid_t child = CHILD(for (int i = 0; i < 5; ++i) {
    nap(1000);
    kill(me, SIGUSR1);
  });
  compute(12);
  EXPECT(end_of(child) == 0 && caught >= 1);
}
SITUATION(handlers_that_call_much) {
  struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
  void work(int signal) {
    int saved = errno;
    close(file_of("g", 300));
    ++caught;
    errno = saved;
  }
  struct sigaction a = {.sa_handler = work, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  setitimer(ITIMER_REAL, &often, NULL);
  while (caught < 5) {
    int fd = open("/dev/null", O_RDWR);
    EXPECT(fd >= 0 && write(fd, noise, 100) == 100 && close(fd) == 0);
  }
  setitimer(ITIMER_REAL, &never, NULL);
}
SITUATION(vectors_kept_by_handlers) {
  void spoil(int signal) {
    ++caught;
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7" ::: "xmm0", "xmm7");
  }
  signal(SIGALRM, spoil);
  ualarm(1000, 1000);
  double sum = 0;
  for (long i = 1; caught < 4; ++i) sum += 1.0 / (double)(i % 1000 + 1) - sum / 1e6;
  ualarm(0, 0);
  EXPECT(sum > 0);
}
SITUATION(direction_and_flags_in_handlers) {
  static volatile unsigned long flags = ~0ul;
  void look(int signal) { __asm__ volatile("pushfq; popq %0" : "=r"(flags)); }
  signal(SIGUSR1, look);
  __asm__ volatile("std");
  CALL(kill, getpid(), SIGUSR1);
  __asm__ volatile("cld");
  EXPECT(!(flags & 0x400));
}
SITUATION(masks_in_all_ways) {
  sigset_t set = set_of(SIGUSR1, SIGUSR2), old;
  OK(CALL(rt_sigprocmask, SIG_BLOCK, &set, &old, 8L));
  OK(CALL(rt_sigprocmask, SIG_UNBLOCK, &set, &old, 8L));
  EXPECT(sigismember(&old, SIGUSR2));
  OK(CALL(rt_sigprocmask, SIG_SETMASK, &set, NULL, 8L));
  OK(CALL(rt_sigprocmask, 0, NULL, &old, 8L));
  FAILS(CALL(rt_sigprocmask, 99, &set, NULL, 8L), EINVAL);
  FAILS(CALL(rt_sigprocmask, 0, &set, NULL, 4L), EINVAL);
}
SITUATION(contexts_swapped) {
  static ucontext_t first, second;
  static char stack[32768];
  void other(void) {
    ++caught;
    swapcontext(&second, &first);
    ++caught;
  }
  getcontext(&second);
  second.uc_stack.ss_sp = stack, second.uc_stack.ss_size = sizeof stack, second.uc_link = &first;
  makecontext(&second, other, 0);
  swapcontext(&first, &second);
  EXPECT(caught == 1);
  swapcontext(&first, &second);
  EXPECT(caught == 2);
}
SITUATION(limits_that_signal) {
  struct rlimit files = {1000, 1000}, cpu = {1, 2};
  catch(SIGXFSZ, 0);
  OK(setrlimit(RLIMIT_FSIZE, &files));
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  EXPECT(write(fd, noise, 2000) == 1000);
  FAILS(write(fd, noise, 10), EFBIG);
  EXPECT(caught == 1);
  OK(setrlimit(RLIMIT_CPU, &cpu));
}
// A replay spends processor time of its own, and has as much of it.
SITUATION(time_used_up) {
  struct rlimit cpu = {1, RLIM_INFINITY}, more = {3, RLIM_INFINITY};
  catch(SIGXCPU, 0);
  OK(setrlimit(RLIMIT_CPU, &cpu));
  for (unsigned long i = 0; caught == 0; ++i)
    if (i % 100000000 == 0) OK(getppid());
  OK(setrlimit(RLIMIT_CPU, &more));
  for (volatile unsigned long i = 0; i < 300000000; ++i)
    if (i % 100000000 == 0) OK(getppid());
  EXPECT(caught == 1);
}
// Continues the process after a while, and says before that it will.
static pid_t continuing(int pipe_end) {
  pid_t me = getpid();
  return CHILD({
    nap(3000);
    OK(write(pipe_end, "x", 1));
    OK(kill(me, SIGCONT));
  });
}
SITUATION(stopped_until_continued) {
  // In a group without a shell the terminal's three do nothing; SIGSTOP stops anybody.
  const int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
  OK(pipe(ends));
  for (int i = 0; i < 4; ++i) {
    int said = 0;
    pid_t child = continuing(ends[1]);
    OK(raise(signals[i]));
    OK(ioctl(ends[0], FIONREAD, &said));
    EXPECT(signals[i] != SIGSTOP || said == 1);
    EXPECT(end_of(child) == 0 && read(ends[0], noise, 10) == 1);
  }
}
SITUATION(stopped_while_computing_and_waiting) {
  OK(pipe(ends));
  catch(SIGCONT, SA_RESTART);
  pid_t me = getpid();
  for (int i = 0; i < 6; ++i) {
    int told = caught;
    pid_t child = CHILD({
      nap(1000);
      OK(kill(me, SIGSTOP));
      nap(2000);
      OK(write(ends[1], "x", 1));
      OK(kill(me, SIGCONT));
    });
    if (i % 2) EXPECT(read(ends[0], noise, 1) == 1);
    while (caught == told) compute(1);
    if (i % 2 == 0) EXPECT(read(ends[0], noise, 1) == 1);
    EXPECT(end_of(child) == 0);
  }
  EXPECT(caught == 6);
}
SITUATION(stopped_by_a_child_and_continued) {
  pid_t me = getpid();
  catch(SIGCONT, 0);
  pid_t child = CHILD({
    kill(me, SIGCONT);
    nap(500);
  });
  EXPECT(end_of(child) == 0);
  CALL(getppid);
  EXPECT(caught == 1);
}
