// forbid CALL COMMAND…: runs COMMAND where the kernel answers one system call
// with EPERM, as a container's seccomp profile does. `filter` forbids further
// filters.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int forbid(unsigned call, unsigned argument) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, argument, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ~0u, 0, argument == ~0u ? 0 : 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    unsigned call, argument;
  } known[] = {
      {"ptrace", SYS_ptrace, ~0u},
      {"userfaultfd", SYS_userfaultfd, ~0u},
      {"filter", SYS_prctl, PR_SET_SECCOMP},
  };
  for (unsigned i = 0; argc > 2 && i < sizeof known / sizeof *known; i++) {
    if (strcmp(argv[1], known[i].name) != 0) continue;
    if (forbid(known[i].call, known[i].argument) != 0) break;
    execvp(argv[2], argv + 2);
  }
  perror("forbid");
  return 127;
}
