// Several threads alive at the place where a branch begins, each in another
// state that a fork does not copy: `crew main` has that place in the first
// thread, `crew worker` in another. `problems` counts what a thread found wrong.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK(NAME) __asm__ volatile(".globl " #NAME "\n" #NAME ": nop" ::: "memory")

volatile long choice, outcome, problems, total, chosen;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, checked, robust;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int go, ready;
static atomic_int handled;
static __thread long mine;
static __thread char *alternate;
static pid_t first;

static void expect(int holds, const char *what) {
  if (holds) return;
  __atomic_fetch_add(&problems, 1, __ATOMIC_SEQ_CST);
  fprintf(stderr, "not so: %s\n", what);
}

static void wait_for_go(void) {
  pthread_mutex_lock(&lock);
  ready++;
  pthread_cond_broadcast(&changed);
  while (!go) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
}

static void *adds(void *argument) {
  mine = (long)argument;
  pid_t tid = gettid();
  wait_for_go();
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&lock);
    total += choice ? 2 : 1;
    pthread_mutex_unlock(&lock);
  }
  expect(mine == (long)argument, "its own variable");
  expect(gettid() == tid, "its number is what it was");
  return (void *)(mine * 10);
}

static void *sleeps(void *argument) {
  pthread_mutex_lock(&lock);
  ready++;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  while (!__atomic_load_n(&go, __ATOMIC_SEQ_CST)) usleep(2000);
  return argument;
}

static void *is_cancelled(void *argument) {
  wait_for_go();
  for (;;) pause();
  return argument;
}

static void *dies_with_lock(void *argument) {
  expect(pthread_mutex_lock(&robust) == 0, "the robust mutex is free");
  wait_for_go();
  return argument;
}

static void on_signal(int number, siginfo_t *info, void *context) {
  char here;
  (void)number, (void)context;
  expect(&here > alternate && &here < alternate + SIGSTKSZ, "the handler runs on the alternate stack");
  expect(info->si_code == SI_TKILL && info->si_pid == getpid(), "the signal's sender");
  handled++;
}

static void *is_signalled(void *argument) {
  alternate = malloc(SIGSTKSZ);
  stack_t stack = {.ss_sp = alternate, .ss_size = SIGSTKSZ};
  expect(sigaltstack(&stack, NULL) == 0, "sigaltstack");
  sigset_t masked;
  sigemptyset(&masked);
  sigaddset(&masked, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &masked, NULL);
  wait_for_go();
  while (!handled) usleep(1000);
  sigset_t now;
  pthread_sigmask(SIG_BLOCK, NULL, &now);
  expect(sigismember(&now, SIGUSR2) == 1 && sigismember(&now, SIGUSR1) == 0, "its signal mask");
  return argument;
}

static void choose(void) {
  MARK(mark_choice);
  chosen = choice;
}

static void *chooses(void *argument) {
  expect(pthread_mutex_lock(&checked) == 0, "the checked mutex is free");
  wait_for_go();
  expect(pthread_mutex_lock(&checked) == EDEADLK, "the owner of the checked mutex is known");
  expect(pthread_mutex_unlock(&checked) == 0, "its owner may free it");
  return argument;
}

static void *chooses_itself(void *argument) {
  pthread_mutex_lock(&lock);
  while (ready < 6) pthread_cond_wait(&changed, &lock);
  choose();
  go = 1;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  return argument;
}

int main(int argc, char **argv) {
  int in_worker = argc > 1 && strcmp(argv[1], "worker") == 0;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&checked, &attributes);
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGUSR1, &action, NULL);
  first = gettid();

  void *(*const runs[])(void *) = {adds, sleeps, is_cancelled, dies_with_lock, is_signalled, chooses, chooses_itself};
  enum { kAdds, kSleeps, kCancelled, kDies, kSignalled, kChecked, kWorker };
  pthread_t threads[7];
  const long count = in_worker ? 7 : 6;
  for (long i = 0; i < count; i++) pthread_create(&threads[i], NULL, runs[i], (void *)(i + 1));
  if (!in_worker) {
    pthread_mutex_lock(&lock);
    while (ready < 6) pthread_cond_wait(&changed, &lock);
    choose();
    go = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
  } else {
    expect(pthread_join(threads[kWorker], NULL) == 0, "the worker can be joined");
  }
  void *result;
  pthread_join(threads[kAdds], &result);
  expect((long)result == 10, "the adder's result");
  pthread_join(threads[kSleeps], NULL);
  pthread_cancel(threads[kCancelled]);
  pthread_join(threads[kCancelled], &result);
  expect(result == PTHREAD_CANCELED, "it was cancelled");
  pthread_join(threads[kDies], NULL);
  expect(pthread_mutex_lock(&robust) == EOWNERDEAD, "the robust mutex tells that its owner died");
  pthread_kill(threads[kSignalled], SIGUSR1);
  pthread_join(threads[kSignalled], NULL);
  pthread_join(threads[kChecked], NULL);
  expect(handled == 1, "one signal was handled");
  expect(gettid() == first && getpid() == first, "the first thread's number");
  outcome = total + (chosen ? 1000 : 2000);
  MARK(mark_outcome);
  printf("%ld, %ld problems\n", outcome, problems);
  fflush(stdout);
  MARK(mark_end);
  return 0;
}
