// Processes: begun in every way, waited for, asked about, and their ends.
#include "calls.h"

#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <ucontext.h>

extern char **environ;

SITUATION(forked) { EXPECT(end_of(CHILD(_exit(7))) == 7); }
SITUATION(forked_by_the_old_call) {
  long child = CALL(fork);
  if (child == 0) _exit(4);
  EXPECT(end_of((pid_t)child) == 4);
}
SITUATION(vforked) {
  volatile int shared = 1;
  pid_t child = vfork();
  if (child == 0) {
    shared = 2;
    _exit(3);
  }
  EXPECT(end_of(child) == 3 && shared == 2);
}
SITUATION(vforked_program) {
  char *argv[] = {"true", NULL};
  pid_t child = vfork();
  if (child == 0) {
    execv("/bin/true", argv);
    _exit(9);
  }
  EXPECT(end_of(child) == 0);
}
SITUATION(spawned) {
  char *argv[] = {"sh", "-c", "exit 5", NULL};
  pid_t child;
  EXPECT(posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ) == 0 && end_of(child) == 5);
  EXPECT(posix_spawn(&child, "/none", NULL, NULL, argv, environ) == ENOENT);
}
SITUATION(spawned_with_actions) {
  char *argv[] = {"cat", NULL};
  pid_t child;
  int in[2], out[2];
  OK(pipe(in));
  OK(pipe(out));
  posix_spawn_file_actions_t a;
  posix_spawn_file_actions_init(&a);
  posix_spawn_file_actions_adddup2(&a, in[0], 0);
  posix_spawn_file_actions_adddup2(&a, out[1], 1);
  posix_spawn_file_actions_addclose(&a, in[1]);
  EXPECT(posix_spawnp(&child, "cat", &a, NULL, argv, environ) == 0);
  EXPECT(write(in[1], "through cat", 11) == 11);
  close(in[1]), close(out[1]);
  EXPECT(read(out[0], noise, 100) == 11 && end_of(child) == 0);
}
SITUATION(cloned_plainly) {
  int child_tid = 0, parent_tid = 0;
  long child = CALL(clone, SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, 0L, &parent_tid, &child_tid, 0L);
  if (child == 0) _exit(child_tid == getpid() ? 6 : 1);
  EXPECT(parent_tid == child && child_tid == 0 && end_of((pid_t)child) == 6);
}
static int run_on_its_stack(void *argument) {
  *(volatile int *)argument = 55;
  return 8;
}
SITUATION(cloned_sharing_memory) {
  static char stack[65536];
  volatile int shared = 0;
  int child = clone(run_on_its_stack, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)&shared);
  OK(child);
  EXPECT(end_of(child) == 8 && shared == 55);
}
SITUATION(cloned_with_descriptor) {
  int fd = -1;
  long child = CALL(clone, CLONE_PIDFD | SIGCHLD, 0L, &fd, 0L, 0L);
  if (child == 0) _exit(2);
  EXPECT(fd >= 0 && end_of((pid_t)child) == 2);
}
SITUATION(cloned_by_structure) {
  int fd = -1, parent_tid = 0;
  struct clone_args a = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (uint64_t)&fd, .parent_tid = (uint64_t)&parent_tid, .exit_signal = SIGCHLD};
  long child = CALL(clone3, &a, sizeof a);
  if (child == 0) _exit(12);
  NEEDS(child > 0, "this kernel has no clone3");
  EXPECT(fd >= 0 && parent_tid == child && end_of((pid_t)child) == 12);
}
SITUATION(cloned_with_clean_handlers) {
  struct clone_args a = {.flags = 0x100000000ull /* CLEAR_SIGHAND */, .exit_signal = SIGCHLD};
  signal(SIGUSR1, SIG_IGN);
  long child = CALL(clone3, &a, sizeof a);
  if (child == 0) _exit(0);
  NEEDS(child > 0, "this kernel has no clone3");
  EXPECT(end_of((pid_t)child) == 0);
}
SITUATION(clone_fails) {
  FAILS(CALL(clone, CLONE_THREAD, 0L, 0L, 0L, 0L), EINVAL);
  struct clone_args a = {.flags = CLONE_THREAD};
  EXPECT(CALL(clone3, &a, sizeof a) == -1);
  EXPECT(CALL(clone3, &a, 3L) == -1);
}
SITUATION(program_fails_to_begin) {
  char *argv[] = {"x", NULL};
  FAILS(CALL(execve, "/none", argv, environ), ENOENT);
  FAILS(CALL(execve, "/", argv, environ), EACCES);
  FAILS(CALL(execveat, AT_FDCWD, "/none", argv, environ, 0), ENOENT);
  close(file_of("text", 20));
  chmod("text", 0755);
  FAILS(CALL(execve, "text", argv, environ), ENOEXEC);
}
SITUATION(child_begins_by_descriptor) {
  char *argv[] = {"true", NULL};
  int fd = open("/bin/true", O_PATH);
  EXPECT(end_of(CHILD({
           CALL(execveat, fd, "", argv, environ, AT_EMPTY_PATH);
           _exit(1);
         })) == 0);
}
SITUATION(another_program_instead) {
  char *argv[] = {"echo", "EXIT-SUCCESS", NULL};
  execv("/bin/echo", argv);
}
SITUATION(another_program_by_descriptor) {
  char *argv[] = {"echo", "EXIT-SUCCESS", NULL};
  int fd = open("/bin/echo", O_PATH);
  CALL(execveat, fd, "", argv, environ, AT_EMPTY_PATH);
}
SITUATION(waited_with_usage) {
  struct rusage usage;
  int status;
  pid_t child = CHILD(compute(1));
  EXPECT(CALL(wait4, child, &status, 0, &usage) == child && WIFEXITED(status));
  FAILS(CALL(wait4, -1, &status, 0, NULL), ECHILD);
}
SITUATION(waited_without_hanging) {
  int go[2], status;
  OK(pipe(go));
  pid_t child = CHILD({
    if (read(go[0], noise, 1) != 1) _exit(1);
  });
  EXPECT(CALL(wait4, child, &status, WNOHANG, NULL) == 0);
  EXPECT(write(go[1], "x", 1) == 1 && end_of(child) == 0);
}
SITUATION(waited_by_id) {
  siginfo_t info;
  struct rusage usage;
  memset(&info, 0, sizeof info);
  pid_t child = CHILD(_exit(21));
  OK(CALL(waitid, P_PID, child, &info, WEXITED | WNOWAIT, NULL));
  EXPECT(info.si_status == 21 && info.si_code == CLD_EXITED);
  OK(CALL(waitid, P_ALL, 0, &info, WEXITED, &usage));
  FAILS(CALL(waitid, P_ALL, 0, &info, WEXITED, NULL), ECHILD);
}
SITUATION(waited_by_id_without_hanging) {
  siginfo_t info;
  int go[2];
  OK(pipe(go));
  memset(&info, 1, sizeof info);
  pid_t child = CHILD({
    if (read(go[0], noise, 1) != 1) _exit(1);
  });
  OK(CALL(waitid, P_ALL, 0, &info, WEXITED | WNOHANG, NULL));
  EXPECT(info.si_pid == 0 && write(go[1], "x", 1) == 1 && end_of(child) == 0);
}
SITUATION(stopped_and_continued) {
  int status;
  pid_t child = CHILD({
    raise(SIGSTOP);
    _exit(3);
  });
  EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
  OK(kill(child, SIGCONT));
  EXPECT(waitpid(child, &status, WCONTINUED) == child);
  if (WIFCONTINUED(status)) EXPECT(end_of(child) == 3);
}
SITUATION(killed_children) {
  const int signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGRTMIN};
  for (int i = 0; i < 4; ++i) {
    pid_t child = CHILD(for (;;) pause());
    OK(kill(child, signals[i]));
    EXPECT(end_of(child) == -signals[i]);
  }
}
SITUATION(many_children) {
  pid_t children[20];
  for (int i = 0; i < 20; ++i) children[i] = CHILD(_exit(i));
  for (int i = 19; i >= 0; --i) EXPECT(end_of(children[i]) == i);
}
SITUATION(grandchildren) {
  EXPECT(end_of(CHILD({ _exit(end_of(CHILD(_exit(9)))); })) == 9);
}
SITUATION(children_collected_automatically) {
  int status;
  signal(SIGCHLD, SIG_IGN);
  pid_t child = CHILD(_exit(1));
  FAILS(waitpid(child, &status, 0), ECHILD);
}
SITUATION(subreaper) {
  int p[2], is = 0;
  OK(pipe(p));
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
  OK(prctl(PR_GET_CHILD_SUBREAPER, &is, 0, 0, 0));
  EXPECT(is == 1);
  EXPECT(end_of(CHILD({
           if (fork() == 0) {
             nap(1500);
             _exit(17);
           }
         })) == 0);
  int status;
  pid_t orphan = wait(&status);
  EXPECT(orphan < 0 || WEXITSTATUS(status) == 17);
}
SITUATION(shell_pipeline) {
  FILE *f = popen("printf 'b\\na\\nc\\n' | sort | head -2", "r");
  EXPECT(fgets(noise, 100, f) && noise[0] == 'a' && fgets(noise, 100, f) && noise[0] == 'b' && pclose(f) == 0);
}
SITUATION(shell_command) { EXPECT(WEXITSTATUS(system("exit 42")) == 42); }
SITUATION(who_am_i) {
  EXPECT(CALL(getpid) > 0 && CALL(gettid) == CALL(getpid) && CALL(getppid) >= 0 && CALL(getpgrp) == CALL(getpgid, 0));
  OK(CALL(getsid, 0));
  FAILS(CALL(getpgid, 0x3ffffff), ESRCH);
}
SITUATION(groups_of_processes) {
  pid_t child = CHILD({
    if (CALL(setpgid, 0, 0) != 0 || getpgrp() != getpid()) _exit(1);
    if (CALL(setsid) >= 0) _exit(2);
  });
  EXPECT(end_of(child) == 0);
  ASK(CALL(setpgid, 0, 0));
  EXPECT(end_of(CHILD({
           if (setsid() != getpid()) _exit(1);
         })) == 0);
}
SITUATION(own_session) {
  ASK(CALL(setpgid, 0, 0));
  ASK(CALL(setsid));
  EXPECT(CALL(getpgrp) > 0);
}
SITUATION(settings_of_a_process) {
  static const int getters[] = {PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_TIMING, PR_GET_SECUREBITS, PR_GET_TIMERSLACK,
                                PR_GET_NO_NEW_PRIVS, PR_GET_THP_DISABLE, 47 /* CAP_AMBIENT */, 54, 65, 71, 74, 76, 900};
  for (size_t i = 0; i < sizeof getters / sizeof *getters; ++i) ASK(CALL(prctl, getters[i], 0L, 0L, 0L, 0L));
  int word = 0;
  unsigned long address = 0;
  ASK(CALL(prctl, PR_GET_PDEATHSIG, &word, 0L, 0L, 0L));
  ASK(CALL(prctl, PR_GET_TSC, &word, 0L, 0L, 0L));
  ASK(CALL(prctl, PR_GET_TID_ADDRESS, &address, 0L, 0L, 0L));
  ASK(CALL(prctl, PR_GET_UNALIGN, &word, 0L, 0L, 0L));
  ASK(CALL(prctl, PR_CAPBSET_READ, 1L, 0L, 0L, 0L));
  ASK(CALL(prctl, PR_MCE_KILL_GET, 0L, 0L, 0L, 0L));
  ASK(CALL(prctl, PR_GET_SPECULATION_CTRL, 0L, 0L, 0L, 0L));
  ASK(CALL(prctl, PR_SCHED_CORE, 0L, 0L, 0L, noise));
  ASK(CALL(prctl, 0x41555856 /* GET_AUXV */, noise, 4096L, 0L, 0L));
}
SITUATION(name_of_a_process) {
  OK(CALL(prctl, PR_SET_NAME, "renamed", 0L, 0L, 0L));
  OK(CALL(prctl, PR_GET_NAME, noise, 0L, 0L, 0L));
  EXPECT(strcmp(noise, "renamed") == 0);
  int fd = open("/proc/self/comm", O_RDWR);
  EXPECT(read(fd, noise, 100) == 8 && write(fd, "again", 5) == 5);
  OK(prctl(PR_GET_NAME, noise));
}
SITUATION(settings_changed) {
  OK(CALL(prctl, PR_SET_PDEATHSIG, SIGTERM, 0L, 0L, 0L));
  OK(CALL(prctl, PR_SET_DUMPABLE, 1L, 0L, 0L, 0L));
  OK(CALL(prctl, PR_SET_TIMERSLACK, 1000L, 0L, 0L, 0L));
  OK(CALL(prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L));
  EXPECT(CALL(prctl, PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1);
}
static volatile int faults;
static void count_and_skip(int signal, siginfo_t *info, void *context) {
  ++faults;
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}
SITUATION(time_stamps_forbidden) {
  int mode = 0;
  OK(prctl(PR_GET_TSC, &mode));
  OK(prctl(PR_SET_TSC, PR_TSC_ENABLE));
  unsigned low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  computed += low;
  OK(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
  OK(prctl(PR_GET_TSC, &mode));
  EXPECT(mode == PR_TSC_SIGSEGV);
  struct sigaction a = {.sa_sigaction = count_and_skip, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL);
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  EXPECT(faults == 1);
  OK(prctl(PR_SET_TSC, PR_TSC_ENABLE));
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  FAILS(prctl(PR_SET_TSC, 7), EINVAL);
}
SITUATION(personalities) {
  long before = CALL(personality, 0xffffffffL);
  OK(before);
  OK(CALL(personality, before | ADDR_NO_RANDOMIZE));
  OK(CALL(personality, before));
}
SITUATION(names_of_the_system) {
  struct utsname u;
  OK(CALL(uname, &u));
  EXPECT(strcmp(u.sysname, "Linux") == 0);
  OK(CALL(sysinfo, noise));
  computed += (uint64_t)noise[3];
}
SITUATION(used_time) {
  struct rusage r;
  struct tms t;
  compute(1);
  OK(CALL(getrusage, RUSAGE_SELF, &r));
  OK(CALL(getrusage, RUSAGE_CHILDREN, &r));
  OK(CALL(getrusage, RUSAGE_THREAD, &r));
  OK(CALL(times, &t));
}
SITUATION(unshared) {
  EXPECT(end_of(CHILD({ CALL(unshare, CLONE_FILES | CLONE_FS); })) == 0);
  OK(CALL(unshare, CLONE_FILES));
  OK(CALL(unshare, CLONE_FS));
}
SITUATION(unshared_user) {
  ASK(CALL(unshare, CLONE_NEWUSER));
  computed += (uint64_t)getuid();
}
SITUATION(namespaces_entered) {
  int fd = open("/proc/self/ns/uts", O_RDONLY);
  ASK(CALL(setns, fd, 0));
  ASK(CALL(unshare, CLONE_NEWUTS));
  ASK(CALL(sethostname, "host", 4L));
  FAILS(CALL(setns, 99, 0), EBADF);
}
SITUATION(tracing_refused) {
  EXPECT(CALL(ptrace, PTRACE_TRACEME, 0L, 0L, 0L) == -1);
}
SITUATION(child_address_cleared) {
  static int word = 5;
  OK(CALL(set_tid_address, &word));
  struct { void *next; long offset; void *pending; } head = {&head, 0, NULL}, *got = NULL;
  size_t length = 0;
  OK(CALL(set_robust_list, &head, 24L));
  OK(CALL(get_robust_list, 0, &got, &length));
  EXPECT((void *)got == (void *)&head && length == 24);
}
SITUATION(restartable_sequences_missing) {
  static struct { char bytes[32]; } area __attribute__((aligned(32)));
  EXPECT(NUMBER(334, &area, 32L, 0, 0x53053053) == -1);
}
SITUATION(released) {
  pid_t child = CHILD(for (;;) pause());
  int fd = (int)TRY(CALL(pidfd_open, child, 0));
  ASK(NUMBER(448, fd, 0));
  OK(kill(child, SIGKILL));
  EXPECT(end_of(child) == -SIGKILL);
}
SITUATION(ends_with_status) {
  puts("EXIT-SUCCESS");
  exit(0);
}
static void said_at_exit(void) { puts("EXIT-SUCCESS"); }
SITUATION(ends_with_handlers) {
  atexit(said_at_exit);
  exit(0);
}
SITUATION(ends_by_the_call_of_one_thread) {
  puts("EXIT-SUCCESS");
  fflush(stdout);
  CALL(exit, 0);
}
SITUATION(pid_reserved_for_a_child) {
  pid_t wanted[1] = {30000};
  struct clone_args a = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)wanted, .set_tid_size = 1};
  long child = CALL(clone3, &a, sizeof a);
  if (child == 0) _exit(0);
  NEEDS(child > 0, "this user may not choose pids");
  EXPECT(child == 30000 && end_of((pid_t)child) == 0);
}
