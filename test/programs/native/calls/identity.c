// Who a process is and what it may: users, groups, capabilities, limits, priorities, processors.
#include "calls.h"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/resource.h>

struct scheduling {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t least, most;
};

SITUATION(users) {
  uid_t r = 9, e = 9, s = 9;
  OK(CALL(getresuid, &r, &e, &s));
  EXPECT(CALL(getuid) == r && CALL(geteuid) == e);
  OK(CALL(setuid, r));
  OK(CALL(setreuid, r, e));
  OK(CALL(setresuid, r, e, s));
  EXPECT(CALL(setfsuid, e) == e);
}
SITUATION(groups) {
  gid_t r = 9, e = 9, s = 9, list[200];
  OK(CALL(getresgid, &r, &e, &s));
  EXPECT(CALL(getgid) == r && CALL(getegid) == e);
  OK(CALL(setgid, r));
  OK(CALL(setregid, r, e));
  OK(CALL(setresgid, r, e, s));
  EXPECT(CALL(setfsgid, e) == e);
  long n = CALL(getgroups, 0, list);
  EXPECT(n >= 0 && CALL(getgroups, 200, list) == n);
  if (n > 1) FAILS(CALL(getgroups, 1, list), EINVAL);
}
SITUATION(groups_set) {
  gid_t list[3] = {5, 6, 7}, got[3];
  TRY(CALL(setgroups, 3, list));
  EXPECT(CALL(getgroups, 3, got) == 3 && got[0] + got[1] + got[2] == 18);
}
SITUATION(another_user) {
  TRY(setresuid(1234, 1234, 1234));
  EXPECT(getuid() == 1234);
  FAILS(setuid(0), EPERM);
  close(open("/proc/self/status", O_RDONLY));
}
SITUATION(another_user_for_a_while) {
  TRY(setresuid(-1, 1234, 0));
  EXPECT(geteuid() == 1234);
  int fd = open("/etc/shadow", O_RDONLY);
  EXPECT(fd < 0);
  OK(setresuid(-1, 0, 0));
}
SITUATION(capabilities) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  OK(CALL(capget, &h, d));
  OK(CALL(capset, &h, d));
  h.version = 12345;
  FAILS(CALL(capget, &h, d), EINVAL);
  EXPECT(h.version == _LINUX_CAPABILITY_VERSION_3);
}
SITUATION(capabilities_dropped) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2], got[2];
  memset(none, 0, sizeof none);
  OK(CALL(capset, &h, none));
  OK(CALL(capget, &h, got));
  EXPECT(got[0].effective == 0);
  close(file_of("f", 10));
}
SITUATION(limits) {
  struct rlimit l, got;
  for (int which = 0; which < 16; ++which) {
    OK(CALL(getrlimit, which, &l));
    OK(CALL(setrlimit, which, &l));
  }
  FAILS(CALL(getrlimit, 99, &l), EINVAL);
  OK(CALL(prlimit64, 0, RLIMIT_NOFILE, NULL, &got));
  got.rlim_cur = 100;
  OK(CALL(prlimit64, 0, RLIMIT_NOFILE, &got, &l));
  FAILS(dup2(0, 150), EBADF);
}
SITUATION(descriptors_run_out) {
  struct rlimit l = {10, 100};
  OK(setrlimit(RLIMIT_NOFILE, &l));
  int last = 0;
  for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0;) last = fd;
  EXPECT(errno == EMFILE && last == 9);
}
SITUATION(memory_runs_out) {
  struct rlimit l = {64 << 20, 64 << 20};
  OK(setrlimit(RLIMIT_AS, &l));
  EXPECT(mmap(NULL, 1 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
  EXPECT(malloc(1 << 30) == NULL);
}
SITUATION(break_runs_out) {
  struct rlimit l = {1 << 20, 1 << 20};
  OK(setrlimit(RLIMIT_DATA, &l));
  char *before = sbrk(0);
  EXPECT(sbrk(16 << 20) == (void *)-1 && sbrk(0) == before);
  char *p = malloc(200000);
  if (p) p[100] = 1;
}
SITUATION(priorities) {
  long nice = CALL(getpriority, PRIO_PROCESS, 0);
  EXPECT(nice >= 1 && nice <= 40);
  OK(CALL(setpriority, PRIO_PROCESS, 0, 5));
  EXPECT(CALL(getpriority, PRIO_PROCESS, 0) == 15);
  ASK(CALL(getpriority, PRIO_PGRP, 0));
  FAILS(CALL(getpriority, 9, 0), EINVAL);
}
SITUATION(input_priorities) {
  ASK(CALL(ioprio_get, 1, 0));
  ASK(CALL(ioprio_set, 1, 0, 2 << 13 | 4));
  EXPECT(CALL(ioprio_get, 1, 0) >= 0);
}
SITUATION(scheduling_asked) {
  struct sched_param p;
  struct timespec t;
  OK(CALL(sched_getparam, 0, &p));
  OK(CALL(sched_setparam, 0, &p));
  EXPECT(CALL(sched_getscheduler, 0) == SCHED_OTHER);
  OK(CALL(sched_setscheduler, 0, SCHED_BATCH, &p));
  EXPECT(CALL(sched_get_priority_max, SCHED_FIFO) == 99 && CALL(sched_get_priority_min, SCHED_FIFO) == 1);
  OK(CALL(sched_rr_get_interval, 0, &t));
  OK(CALL(sched_yield));
}
SITUATION(scheduling_attributes) {
  struct scheduling a, big[3];
  OK(CALL(sched_getattr, 0, &a, sizeof a, 0));
  EXPECT(a.size >= 48 && a.policy == 0);
  OK(CALL(sched_getattr, 0, big, sizeof big, 0));
  OK(CALL(sched_setattr, 0, &a, 0));
  memset(big, 1, sizeof big);
  big[0].size = sizeof big;
  FAILS(CALL(sched_setattr, 0, big, 0), E2BIG);
  EXPECT(big[0].size < sizeof big);
  FAILS(CALL(sched_getattr, 0, &a, 5, 0), EINVAL);
}
SITUATION(scheduled_in_real_time) {
  struct sched_param p = {.sched_priority = 1};
  TRY(CALL(sched_setscheduler, 0, SCHED_FIFO, &p));
  compute(1);
  p.sched_priority = 0;
  OK(CALL(sched_setscheduler, 0, SCHED_OTHER, &p));
}
SITUATION(processors) {
  cpu_set_t set;
  unsigned processor = 99, node = 99;
  EXPECT(CALL(sched_getaffinity, 0, sizeof set, &set) > 0 && CPU_COUNT(&set) >= 1);
  OK(CALL(sched_setaffinity, 0, sizeof set, &set));
  OK(CALL(getcpu, &processor, &node, NULL));
  EXPECT(processor < 4096 && sysconf(_SC_NPROCESSORS_ONLN) >= 1);
  FAILS(CALL(sched_getaffinity, 0, 1L, &set), EINVAL);
}
SITUATION(one_processor) {
  cpu_set_t set, got;
  EXPECT(sched_getaffinity(0, sizeof set, &set) == 0);
  int first = 0;
  while (!CPU_ISSET(first, &set)) ++first;
  CPU_ZERO(&set);
  CPU_SET(first, &set);
  OK(sched_setaffinity(0, sizeof set, &set));
  EXPECT(sched_getaffinity(0, sizeof got, &got) == 0 && CPU_EQUAL(&set, &got));
}
SITUATION(rules_of_a_landlock) {
  struct { uint64_t files, net, scoped; } rules = {1 << 1 /* WRITE_FILE */, 0, 0};
  EXPECT(TRY(NUMBER(444, NULL, 0L, 1)) >= 1);
  int fd = (int)TRY(NUMBER(444, &rules, 8L, 0));
  struct __attribute__((packed)) { uint64_t access; int32_t parent; } under = {1 << 1, open("/dev", O_PATH)};
  OK(NUMBER(445, fd, 1, &under, 0));
  OK(CALL(prctl, 38 /* NO_NEW_PRIVS */, 1L, 0L, 0L, 0L));
  close(file_of("f", 10));
  OK(NUMBER(446, fd, 0));
  FAILS(open("f", O_WRONLY), EACCES);
  EXPECT(open("f", O_RDONLY) >= 0);
}
SITUATION(keys) {
  long id = ASK(CALL(add_key, "user", "name", "secret", 6L, -3 /* SESSION */));
  NEEDS(id > 0, "this kernel or user has no keys");
  EXPECT(CALL(keyctl, 11 /* READ */, id, noise, 100L, 0L) == 6 && memcmp(noise, "secret", 6) == 0);
  EXPECT(CALL(keyctl, 6 /* DESCRIBE */, id, noise, 200L, 0L) > 0);
  ASK(CALL(keyctl, 0 /* GET_KEYRING_ID */, -3L, 0L, 0L, 0L));
  ASK(CALL(keyctl, 17 /* GET_SECURITY */, id, noise, 100L, 0L));
  ASK(CALL(keyctl, 10 /* SEARCH */, -3L, "user", "name", 0L));
  ASK(CALL(request_key, "user", "name", NULL, -3));
  OK(CALL(keyctl, 9 /* UNLINK */, id, -3L, 0L, 0L));
}
SITUATION(keys_that_are_missing) {
  EXPECT(CALL(request_key, "user", "none of this name", NULL, 0) == -1);
  EXPECT(CALL(keyctl, 11, 0x7ffffff0L, noise, 100L, 0L) == -1);
  EXPECT(CALL(keyctl, 31 /* CAPABILITIES */, noise, 8L, 0L, 0L) >= -1);
  EXPECT(CALL(add_key, "none", "x", NULL, 0L, 0) == -1);
}
SITUATION(security_modules) {
  uint32_t size = 4096;
  uint64_t ids[32];
  ASK(NUMBER(461, ids, &size, 0));
  size = sizeof noise;
  ASK(NUMBER(459, 100 /* CURRENT */, noise, &size, 0));
  ASK(NUMBER(460, 100, noise, 0, 0));
}
SITUATION(filters_refused) {
  struct { unsigned short length; void *code; } program = {0, NULL};
  EXPECT(CALL(seccomp, 0 /* STRICT */, 0, NULL) == -1);
  EXPECT(CALL(seccomp, 1 /* FILTER */, 0, &program) == -1);
  EXPECT(CALL(prctl, 22 /* SET_SECCOMP */, 1L, 0L, 0L, 0L) == -1);
}
SITUATION(filters_asked) {
  uint32_t action = 0x7fff0000;
  struct { uint16_t a, b, c; } sizes;
  OK(CALL(seccomp, 2 /* ACTION_AVAIL */, 0, &action));
  OK(CALL(seccomp, 3 /* NOTIF_SIZES */, 0, &sizes));
  EXPECT(sizes.a > 0);
  ASK(CALL(prctl, 21 /* GET_SECCOMP */, 0L, 0L, 0L, 0L));
}
