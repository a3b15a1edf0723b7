// Timers of each kind are set; later all of them must have come.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

volatile long once, often, mine, processor, left_us, next_us;
volatile long sink;

static void on_once(int signal) { (void)signal; once++; }
static void on_often(int signal) { (void)signal; often++; }
static void on_mine(int signal) { (void)signal; mine++; }
static void on_processor(int signal) { (void)signal; processor++; }

static void handle(int signal, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  sigaction(signal, &action, NULL);
}

static timer_t make(clockid_t clock, int signal, int notify) {
  struct sigevent event;
  timer_t timer;
  memset(&event, 0, sizeof event);
  event.sigev_notify = notify;
  event.sigev_signo = signal;
  if (notify == SIGEV_THREAD_ID) event._sigev_un._tid = (int)syscall(SYS_gettid);
  if (syscall(SYS_timer_create, clock, &event, &timer) != 0) _exit(3);
  return timer;
}

static void set(timer_t timer, long first_ms, long then_ms) {
  struct itimerspec time;
  memset(&time, 0, sizeof time);
  time.it_value.tv_sec = first_ms / 1000;
  time.it_value.tv_nsec = first_ms % 1000 * 1000000;
  time.it_interval.tv_nsec = then_ms * 1000000;
  if (syscall(SYS_timer_settime, timer, 0, &time, NULL) != 0) _exit(4);
}

__attribute__((noinline)) void mark_set(void) { sink++; }
__attribute__((noinline)) void mark_come(void) { sink++; }
__attribute__((noinline)) void mark_made(void) { sink++; }

int main(void) {
  struct itimerval soon = {{0, 0}, {3, 0}}, rest;
  handle(SIGALRM, on_once);
  handle(SIGUSR1, on_often);
  handle(SIGUSR2, on_mine);
  handle(SIGVTALRM, on_processor);
  timer_t deleted = make(CLOCK_MONOTONIC, SIGUSR1, SIGEV_SIGNAL);
  timer_t repeating = make(CLOCK_MONOTONIC, SIGUSR1, SIGEV_SIGNAL);
  timer_t own = make(CLOCK_REALTIME, SIGUSR2, SIGEV_THREAD_ID);
  syscall(SYS_timer_delete, deleted);
  setitimer(ITIMER_REAL, &soon, NULL);
  soon.it_value.tv_sec = 0;
  soon.it_value.tv_usec = 20000;
  setitimer(ITIMER_VIRTUAL, &soon, NULL);
  set(repeating, 500, 100);
  set(own, 1500, 0);
  while (often < 2) usleep(1000);
  mark_set();
  getitimer(ITIMER_REAL, &rest);
  left_us = rest.it_value.tv_sec * 1000000 + rest.it_value.tv_usec;
  while (!once || often < 5 || !mine) usleep(1000);
  while (!processor) sink++;
  mark_come();
  timer_t later = make(CLOCK_MONOTONIC, SIGUSR2, SIGEV_THREAD_ID);
  set(later, 1, 0);
  while (mine < 2) usleep(1000);
  mark_made();
  printf("%ld %ld\n", once, mine);
  return 0;
}
