// The system as a whole: mounts, modules, accounting, and calls that are only
// there to be refused. Arguments are such that nothing happens even to root.
#include "calls.h"

#include <sys/mount.h>

SITUATION(mounts_that_fail) {
  EXPECT(CALL(mount, "none", "/none", "none", 0L, NULL) == -1);
  EXPECT(CALL(umount2, "/none", 0) == -1);
  EXPECT(CALL(pivot_root, "/none", "/none") == -1);
  EXPECT(CALL(chroot, "/none") == -1);
  EXPECT(CALL(swapon, "/none", 0) == -1 && CALL(swapoff, "/none") == -1);
}
SITUATION(mounts_by_new_calls_that_fail) {
  struct { uint64_t set, clear, propagation, user; } attributes = {~0ull, 0, 0, 0};
  EXPECT(NUMBER(428, AT_FDCWD, "/none", 0) == -1);
  EXPECT(NUMBER(429, AT_FDCWD, "/none", AT_FDCWD, "/none", 0) == -1);
  EXPECT(NUMBER(430, "none", 0) == -1);
  EXPECT(NUMBER(431, 99, 0, NULL, NULL, 0) == -1);
  EXPECT(NUMBER(432, 99, 0, 0) == -1);
  EXPECT(NUMBER(433, AT_FDCWD, "/none", 0) == -1);
  EXPECT(NUMBER(442, AT_FDCWD, "/none", 0, &attributes, sizeof attributes) == -1);
}
SITUATION(file_system_mounted) {
  EXPECT(end_of(CHILD({
           if (unshare(0x20000 /* NEWNS */) != 0) _exit(0);
           if (mount("none", "/", NULL, 0x44000 /* REC | PRIVATE */, NULL) != 0) _exit(0);
           mkdir("m", 0700);
           mount("tmpfs", "m", "tmpfs", 0, "size=64k");
         })) == 0);
}
SITUATION(file_system_mounted_by_itself) {
  NEEDS(CALL(unshare, 0x20000L) == 0, "this user has no mounts of its own");
  OK(mount("none", "/", NULL, 0x44000, NULL));
  OK(mkdir("m", 0700));
  OK(mount("tmpfs", "m", "tmpfs", 0, "size=64k"));
  close(file_of("m/f", 1000));
  OK(CALL(umount2, "m", 0));
}
SITUATION(mounts_asked) {
  struct { uint32_t size, spare; uint64_t id, param, ns; } ask = {32, 0, ~0ull, 0, 0};
  uint64_t ids[64];
  struct statx x;
  long n = NUMBER(458, &ask, ids, 64L, 0);
  NEEDS(n > 0, "this kernel or user has no listmount");
  ask.id = ids[0], ask.param = 0x1 | 0x2 | 0x8 | 0x10;
  EXPECT(NUMBER(457, &ask, noise, sizeof noise, 0) == 0);
  ask.size = 3;
  EXPECT(NUMBER(457, &ask, noise, sizeof noise, 0) == -1);
  (void)x;
}
SITUATION(machine_turned_off_by_nobody) {
  EXPECT(CALL(reboot, 1, 2, 3, NULL) == -1);
  EXPECT(CALL(kexec_load, 0L, 99L, NULL, 0xffff0000L) == -1);
  EXPECT(CALL(kexec_file_load, -1, -1, 0L, NULL, 0xffL) == -1);
  EXPECT(CALL(init_module, NULL, 0L, "") == -1 && CALL(finit_module, -1, "", 0) == -1);
  EXPECT(CALL(delete_module, "none of this name", 0x800) == -1);
}
SITUATION(names_of_the_machine_kept) {
  EXPECT(CALL(sethostname, (char *)8, 3000L) == -1 && CALL(setdomainname, (char *)8, 3000L) == -1);
  EXPECT(CALL(acct, "/none/none") == -1);
  ASK(CALL(quotactl, 0x80000700, "/none", 0, noise));
  EXPECT(NUMBER(443, 99, 0x80000700, 0, noise) == -1);
}
SITUATION(ports_refused) {
  EXPECT(CALL(iopl, 3) == -1 && CALL(ioperm, 0L, 8L, 1) == -1);
}
SITUATION(messages_of_the_kernel) {
  ASK(CALL(syslog, 10 /* SIZE_BUFFER */, NULL, 0));
  ASK(CALL(syslog, 3 /* READ_ALL */, noise, 5000));
}
SITUATION(terminal_hung_up_by_nobody) {
  EXPECT(end_of(CHILD({ CALL(setsid); })) == 0);
  if (geteuid() != 0) ASK(CALL(vhangup));
  else EXPECT(end_of(CHILD({
                CALL(setsid);
                CALL(vhangup);
              })) == 0);
}
SITUATION(everything_flushed) {
  int fd = open(".", O_RDONLY);
  OK(CALL(syncfs, fd));
}
SITUATION(calls_that_no_kernel_has_any_more) {
  static const int numbers[] = {SYS_uselib, SYS__sysctl, SYS_create_module, SYS_get_kernel_syms, SYS_query_module,
                                SYS_nfsservctl, SYS_getpmsg, SYS_putpmsg, SYS_afs_syscall, SYS_tuxcall, SYS_security,
                                SYS_epoll_ctl_old, SYS_epoll_wait_old, SYS_vserver, SYS_set_thread_area,
                                SYS_get_thread_area, SYS_lookup_dcookie, SYS_ustat};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) ASK(CALL(getpid) + syscall(numbers[i], 0, 0, 0, 0, 0));
}
SITUATION(calls_that_no_kernel_has_yet) {
  FAILS(syscall(600L, 1, 2, 3), ENOSYS);
  FAILS(syscall(99999L), ENOSYS);
  FAILS(syscall(-5L), ENOSYS);
}
SITUATION(calls_after_the_table) {
  for (long number = 467; number < 475; ++number) ASK(syscall(number, -1, -1, -1, -1, -1));
}
SITUATION(call_of_32_bits_refused) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
  EXPECT(result == -ENOSYS);
}
SITUATION(call_of_the_x32_way) { FAILS(syscall(0x40000000L + 39), ENOSYS); }
SITUATION(restart_out_of_nowhere) { FAILS(CALL(restart_syscall), EINTR); }
SITUATION(bad_pointers_everywhere) {
  FAILS(CALL(uname, (void *)8), EFAULT);
  FAILS(CALL(stat, ".", (void *)8), EFAULT);
  FAILS(CALL(pipe, (void *)8), EFAULT);
  FAILS(CALL(clock_gettime, 0, (void *)8), EFAULT);
  FAILS(CALL(gettimeofday, (void *)8, NULL), EFAULT);
  FAILS(CALL(nanosleep, (void *)8, NULL), EFAULT);
  FAILS(CALL(poll, (void *)8, 3, 0), EFAULT);
  FAILS(CALL(rt_sigaction, SIGUSR1, (void *)8, NULL, 8L), EFAULT);
  FAILS(CALL(readv, 0, (void *)8, 2), EFAULT);
  FAILS(CALL(getrandom, (void *)8, 100L, 0), EFAULT);
  FAILS(CALL(sysinfo, (void *)8), EFAULT);
  FAILS(CALL(times, (void *)8), EFAULT);
}
