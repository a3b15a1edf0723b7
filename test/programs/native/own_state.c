// What a program can ask about itself, and must be told as if nobody watched.
#include "situations.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

static volatile uint64_t mixed;

SITUATION(machine) {
  struct utsname name;
  EXPECT(uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0);
  struct sysinfo info;
  EXPECT(sysinfo(&info) == 0);
  mixed = info.freeram;
  char host[256];
  EXPECT(gethostname(host, sizeof host) == 0);
  mixed += (uint64_t)sysconf(_SC_NPROCESSORS_ONLN) + (uint64_t)get_nprocs();
  double load[3];
  EXPECT(getloadavg(load, 3) == 3);
  compute(3);
}

SITUATION(folder) {
  char path[PATH_MAX];
  EXPECT(getcwd(path, sizeof path) && path[0] == '/');
  mkdir("inner", 0700);
  EXPECT(chdir("inner") == 0 && getcwd(path, sizeof path) && strstr(path, "/inner"));
  compute(2);
  mode_t old = umask(077);
  EXPECT(umask(old) == 077);
}

SITUATION(identity) {
  mixed = (uint64_t)getpid() + (uint64_t)getppid() + (uint64_t)getsid(0) + (uint64_t)getpgrp();
  EXPECT(getpid() == gettid());
  mixed += getuid() + geteuid() + getgid() + getegid();
  gid_t groups[100];
  EXPECT(getgroups(100, groups) >= 0);
  compute(2);
  EXPECT(getpid() == gettid());
}

SITUATION(own_name) {
  EXPECT(prctl(PR_SET_NAME, "renamed") == 0);
  char name[16];
  EXPECT(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "renamed") == 0);
  compute(3);
  EXPECT(prctl(PR_SET_PDEATHSIG, 0) == 0 && prctl(PR_GET_DUMPABLE) >= 0);
}

SITUATION(processors) {
  cpu_set_t set;
  EXPECT(sched_getaffinity(0, sizeof set, &set) == 0);
  printf("%d\n", CPU_COUNT(&set));
  for (int i = 0; i < 20; ++i) {
    sched_yield();
    mixed += (uint64_t)sched_getcpu();
  }
  compute(2);
  EXPECT(sched_setaffinity(0, sizeof set, &set) == 0);
  EXPECT(getpriority(PRIO_PROCESS, 0) >= -20);
}

SITUATION(own_maps) {
  for (int round = 0; round < 2; ++round) {
    FILE *f = fopen("/proc/self/maps", "r");
    char line[400];
    int stack = 0, program = 0;
    while (fgets(line, sizeof line, f)) {
      stack |= strstr(line, "[stack]") != NULL;
      program |= strstr(line, "own_state") != NULL;
      mixed += strlen(line);
    }
    fclose(f);
    EXPECT(stack && program);
    compute(2);
  }
}

static void read_whole(const char *name, char *buffer, size_t size) {
  FILE *f = fopen(name, "r");
  EXPECT(f);
  size_t n = fread(buffer, 1, size - 1, f);
  buffer[n] = 0;
  fclose(f);
}

SITUATION(own_status) {
  char text[4096];
  read_whole("/proc/self/stat", text, sizeof text);
  EXPECT(atoi(text) == getpid());
  read_whole("/proc/self/cmdline", text, sizeof text);
  read_whole("/proc/self/status", text, sizeof text);
  for (char *p = text; *p; ++p) mixed = mixed * 31 + (unsigned char)*p;
  compute(2);
}

SITUATION(terminal_questions) {
  struct winsize size;
  EXPECT(ioctl(0, TIOCGWINSZ, &size) == -1 && errno == ENOTTY);
  struct termios settings;
  EXPECT(tcgetattr(0, &settings) == -1 && !isatty(0) && isatty(99) == 0);
  int waiting = -1;
  int ends[2];
  EXPECT(pipe(ends) == 0 && write(ends[1], "abc", 3) == 3 && ioctl(ends[0], FIONREAD, &waiting) == 0 && waiting == 3);
  compute(2);
}

SITUATION(limits) {
  struct rlimit limit;
  EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 64;
  EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  compute(2);
  EXPECT(prlimit(0, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur == 64);
}

SITUATION(start_values) {
  EXPECT(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_RANDOM) && getauxval(AT_PHDR));
  mixed = *(uint64_t *)getauxval(AT_RANDOM);
  EXPECT(getenv("PATH"));
  setenv("ADDED", "value", 1);
  EXPECT(strcmp(getenv("ADDED"), "value") == 0);
  compute(2);
}
