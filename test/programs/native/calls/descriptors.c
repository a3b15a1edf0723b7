// Descriptors of every kind, and what fcntl and ioctl say of them.
#include "calls.h"

#include <linux/fs.h>
#include <linux/sockios.h>
#include <linux/random.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pty.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>

SITUATION(dups) {
  int fd = file_of("f", 10);
  int a = (int)CALL(dup, fd), b = (int)CALL(dup2, fd, 50), c = (int)CALL(dup3, fd, 51, O_CLOEXEC);
  EXPECT(a > fd && b == 50 && c == 51 && CALL(dup2, fd, fd) == fd);
  FAILS(CALL(dup3, fd, fd, 0), EINVAL);
  EXPECT(read(a, noise, 3) == 3 && lseek(b, 0, SEEK_CUR) == 3);
  EXPECT(CALL(fcntl, fd, F_DUPFD, 60) == 60 && CALL(fcntl, fd, F_DUPFD_CLOEXEC, 60) == 61);
  FAILS(CALL(close, 99), EBADF);
}
SITUATION(closed_ranges) {
  for (int i = 20; i < 30; ++i) OK(dup2(0, i));
  TRY(CALL(close_range, 20, 24, 0));
  FAILS(fcntl(22, F_GETFD), EBADF);
  ASK(CALL(close_range, 25, 29, 4 /* CLOEXEC */));
  EXPECT(fcntl(26, F_GETFD) == FD_CLOEXEC);
}
SITUATION(flags) {
  int p[2];
  OK(CALL(pipe2, p, O_NONBLOCK | O_CLOEXEC));
  EXPECT(CALL(fcntl, p[0], F_GETFL) == (O_RDONLY | O_NONBLOCK) && CALL(fcntl, p[0], F_GETFD) == FD_CLOEXEC);
  OK(CALL(fcntl, p[0], F_SETFD, 0));
  FAILS(read(p[0], noise, 1), EAGAIN);
  OK(CALL(fcntl, p[0], F_SETFL, 0));
  EXPECT(CALL(fcntl, p[0], F_GETFL) == O_RDONLY);
}
SITUATION(pipe_sizes) {
  int p[2];
  OK(CALL(pipe, p));
  EXPECT(CALL(fcntl, p[1], F_GETPIPE_SZ) > 0 && CALL(fcntl, p[1], F_SETPIPE_SZ, 8192) >= 8192);
  fcntl(p[1], F_SETFL, O_NONBLOCK);
  long total = 0;
  for (long n; (n = write(p[1], noise, 3000)) > 0;) total += n;
  EXPECT(errno == EAGAIN && total >= 6000);
}
SITUATION(packet_pipe) {
  int p[2];
  OK(CALL(pipe2, p, O_DIRECT));
  EXPECT(write(p[1], "one", 3) == 3 && write(p[1], "three", 5) == 5);
  EXPECT(read(p[0], noise, 100) == 3 && read(p[0], noise, 2) == 2);
}
SITUATION(pipe_without_reader) {
  int p[2];
  signal(SIGPIPE, SIG_IGN);
  OK(pipe(p));
  close(p[0]);
  FAILS(write(p[1], "x", 1), EPIPE);
}
SITUATION(pipe_larger_than_its_room) {
  int p[2];
  OK(pipe(p));
  pid_t child = CHILD({
    close(p[0]);
    for (int i = 0; i < 50; ++i)
      if (write(p[1], other_noise, 10000) != 10000) _exit(1);
  });
  close(p[1]);
  long total = 0;
  for (long n; (n = read(p[0], noise, sizeof noise)) > 0;) total += n;
  EXPECT(total == 500000 && end_of(child) == 0);
}
SITUATION(named_pipe) {
  OK(mkfifo("p", 0600));
  pid_t child = CHILD({
    int w = open("p", O_WRONLY);
    if (write(w, "through", 7) != 7) _exit(1);
  });
  int fd = open("p", O_RDONLY);
  EXPECT(read(fd, noise, 100) == 7 && end_of(child) == 0);
}
SITUATION(owners) {
  int p[2];
  struct {
    int type, pid;
  } owner = {1 /* F_OWNER_PID */, getpid()}, got = {0, 0};
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
  OK(CALL(fcntl, p[0], F_SETOWN, getpid()));
  EXPECT(CALL(fcntl, p[0], F_GETOWN) == getpid());
  OK(CALL(fcntl, p[0], 15 /* F_SETOWN_EX */, &owner));
  OK(CALL(fcntl, p[0], 16 /* F_GETOWN_EX */, &got));
  EXPECT(got.pid == getpid() && got.type == 1);
  OK(CALL(fcntl, p[0], F_SETSIG, SIGUSR1));
  EXPECT(CALL(fcntl, p[0], F_GETSIG) == SIGUSR1);
  uint32_t uids[2];
  ASK(CALL(fcntl, p[0], 17 /* F_GETOWNER_UIDS */, uids));
}
SITUATION(hints) {
  uint64_t hint = 3, got = 0;
  int fd = file_of("f", 1);
  ASK(CALL(fcntl, fd, 1036 /* F_SET_RW_HINT */, &hint));
  ASK(CALL(fcntl, fd, 1035 /* F_GET_RW_HINT */, &got));
  ASK(CALL(fcntl, fd, 1037 /* F_GET_FILE_RW_HINT */, &got));
  ASK(CALL(fcntl, fd, 1027 /* F_DUPFD_QUERY */, fd));
  FAILS(CALL(fcntl, fd, 9999, 0), EINVAL);
}
SITUATION(memory_file_with_seals) {
  int fd = (int)TRY(CALL(memfd_create, "name", 3 /* CLOEXEC | ALLOW_SEALING */));
  OK(ftruncate(fd, 4096));
  EXPECT(write(fd, "text", 4) == 4 && CALL(fcntl, fd, F_GET_SEALS) == 0);
  OK(CALL(fcntl, fd, F_ADD_SEALS, 6 /* SHRINK | GROW */));
  FAILS(ftruncate(fd, 8192), EPERM);
  EXPECT(CALL(fcntl, fd, F_GET_SEALS) == 6 && pread(fd, noise, 10, 0) == 10);
}
SITUATION(event_counter) {
  uint64_t value = 5;
  int fd = (int)CALL(eventfd2, 3, EFD_NONBLOCK);
  EXPECT(write(fd, &value, 8) == 8 && read(fd, &value, 8) == 8 && value == 8);
  FAILS(read(fd, &value, 8), EAGAIN);
  int many = (int)CALL(eventfd2, 2, EFD_SEMAPHORE), old = (int)CALL(eventfd, 1);
  EXPECT(read(many, &value, 8) == 8 && value == 1 && read(old, &value, 8) == 8 && value == 1);
}
SITUATION(event_counter_waited_for) {
  int fd = eventfd(0, 0);
  uint64_t value = 9;
  pid_t child = CHILD({
    nap(2000);
    if (write(fd, &value, 8) != 8) _exit(1);
  });
  value = 0;
  EXPECT(read(fd, &value, 8) == 8 && value == 9 && end_of(child) == 0);
}
SITUATION(signals_read) {
  sigset_t set;
  struct signalfd_siginfo info[4];
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = (int)CALL(signalfd4, -1, &set, 8, SFD_NONBLOCK), old = (int)CALL(signalfd, -1, &set, 8);
  union sigval v = {.sival_int = 42};
  OK(kill(getpid(), SIGUSR1));
  OK(sigqueue(getpid(), SIGRTMIN, v));
  OK(old);
  EXPECT(read(fd, info, sizeof info) == 2 * sizeof *info && info[0].ssi_signo == SIGUSR1 && info[1].ssi_int == 42);
  FAILS(read(fd, info, sizeof info), EAGAIN);
}
SITUATION(signals_read_as_they_come) {
  sigset_t set;
  struct signalfd_siginfo info;
  sigemptyset(&set), sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, 0);
  pid_t child = CHILD({ nap(1000); });
  EXPECT(read(fd, &info, sizeof info) == sizeof info && info.ssi_pid == (uint32_t)child && end_of(child) == 0);
}
SITUATION(watched_files) {
  OK(mkdir("d", 0700));
  int fd = (int)CALL(inotify_init1, IN_NONBLOCK), old = (int)CALL(inotify_init);
  OK(old);
  int w = (int)CALL(inotify_add_watch, fd, "d", IN_ALL_EVENTS);
  OK(w);
  close(file_of("d/one", 10));
  OK(rename("d/one", "d/two"));
  OK(unlink("d/two"));
  EXPECT(read(fd, noise, 20) > 0 || errno == EINVAL);
  int more = 0, pending = 0;
  OK(ioctl(fd, FIONREAD, &pending));
  for (long n; (n = read(fd, noise, 200)) > 0;)
    for (long at = 0; at < n; ++more) at += (long)sizeof(struct inotify_event) + ((struct inotify_event *)(noise + at))->len;
  EXPECT(more >= 6 && pending > 0);
  OK(CALL(inotify_rm_watch, fd, w));
  EXPECT(read(fd, noise, 100) == 16);
}
SITUATION(watched_by_all) {
  int fd = (int)TRY(CALL(fanotify_init, FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY));
  TRY(CALL(fanotify_mark, fd, FAN_MARK_ADD, (uint64_t)(FAN_CLOSE_WRITE | FAN_OPEN), AT_FDCWD, "."));
  OK(mkdir("d", 0700));
  TRY(CALL(fanotify_mark, fd, FAN_MARK_ADD, (uint64_t)(FAN_CLOSE_WRITE | FAN_OPEN | FAN_EVENT_ON_CHILD), AT_FDCWD, "."));
  close(file_of("f", 5));
  struct fanotify_event_metadata event;
  EXPECT(read(fd, &event, sizeof event) == sizeof event && event.vers == FANOTIFY_METADATA_VERSION);
  if (event.fd >= 0) close(event.fd);
  ASK(read(fd, noise, sizeof noise));
}
SITUATION(watched_by_all_with_names) {
  int fd = (int)TRY(CALL(fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_NONBLOCK, O_RDONLY));
  TRY(CALL(fanotify_mark, fd, FAN_MARK_ADD, (uint64_t)(FAN_CREATE | FAN_DELETE), AT_FDCWD, "."));
  close(file_of("f", 5));
  OK(unlink("f"));
  EXPECT(read(fd, noise, sizeof noise) > 24);
}
SITUATION(process_descriptors) {
  int fd = (int)TRY(CALL(pidfd_open, getpid(), 0));
  OK(CALL(pidfd_send_signal, fd, 0, NULL, 0));
  int file = file_of("f", 3), copy = (int)ASK(CALL(pidfd_getfd, fd, file, 0));
  if (copy >= 0) EXPECT(read(copy, noise, 10) == 3);
  FAILS(CALL(pidfd_open, 0x3ffffff, 0), ESRCH);
}
SITUATION(process_descriptor_of_a_child) {
  pid_t child = CHILD({ nap(1000); });
  int fd = (int)TRY(CALL(pidfd_open, child, 0));
  struct pollfd p = {fd, POLLIN, 0};
  EXPECT(poll(&p, 1, -1) == 1);
  siginfo_t info;
  OK(CALL(waitid, P_PIDFD, fd, &info, WEXITED, NULL));
  EXPECT(info.si_pid == child);
}
SITUATION(same_things) {
  int fd = file_of("f", 1), same = dup(fd), other = open("f", O_RDONLY);
  TRY(CALL(kcmp, getpid(), getpid(), 0, fd, same));
  EXPECT(CALL(kcmp, getpid(), getpid(), 0, fd, same) == 0 && CALL(kcmp, getpid(), getpid(), 0, fd, other) != 0);
}
SITUATION(bytes_waiting) {
  int p[2], n = 0, on = 1;
  OK(pipe(p));
  EXPECT(write(p[1], "12345", 5) == 5);
  OK(ioctl(p[0], FIONREAD, &n));
  EXPECT(n == 5);
  OK(ioctl(p[0], FIONBIO, &on));
  OK(ioctl(p[0], FIOCLEX));
  OK(ioctl(p[0], FIONCLEX));
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  OK(ioctl(s[0], FIOASYNC, &on));
  OK(ioctl(s[0], SIOCOUTQ, &n));
  ASK(ioctl(0, TIOCGWINSZ, noise));
}
SITUATION(file_requests) {
  long flags = 0;
  int fd = file_of("f", 5000), block = 0, version = 0;
  int64_t bytes = 0;
  ASK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
  ASK(ioctl(fd, FIGETBSZ, &block));
  ASK(ioctl(fd, FS_IOC_GETVERSION, &version));
  ASK(ioctl(fd, FIOQSIZE, &bytes));
  ASK(ioctl(fd, FS_IOC_FSGETXATTR, noise));
  ASK(ioctl(fd, FS_IOC_GETFSLABEL, noise));
  ASK(ioctl(fd, FIBMAP, &block));
  ASK(ioctl(fd, 0xc020660b /* FS_IOC_FIEMAP */, memset(noise, 0, 4096)));
  struct fsmap { uint64_t start, length; uint32_t flags, mapped, count, reserved; char rest[2000]; } *map = (void *)other_noise;
  memset(map, 0, sizeof *map);
  map->length = ~0ull, map->count = 20;
  ASK(ioctl(fd, 0xc020660b, map));
  FAILS(ioctl(fd, 0x12345678, noise), ENOTTY);
}
SITUATION(cloned_ranges) {
  int a = file_of("a", 8192), b = open("b", O_RDWR | O_CREAT, 0600);
  ASK(ioctl(b, FICLONE, a));
  struct file_clone_range r = {a, 0, 4096, 0};
  ASK(ioctl(b, FICLONERANGE, &r));
  struct { struct file_dedupe_range r; struct file_dedupe_range_info i; } d = {{0, 4096, 1, 0, 0}, {b, 0, 0, 0, 0}};
  ASK(ioctl(a, FIDEDUPERANGE, &d));
}
SITUATION(block_device_requests) {
  int fd = open("/dev/vda", O_RDONLY);
  if (fd < 0) fd = open("/dev/sda", O_RDONLY);
  NEEDS(fd >= 0, "no disk that this user may read");
  uint64_t bytes = 0;
  unsigned long sectors = 0;
  int size = 0;
  unsigned short shorter = 0;
  OK(ioctl(fd, BLKGETSIZE64, &bytes));
  OK(ioctl(fd, BLKGETSIZE, &sectors));
  OK(ioctl(fd, BLKSSZGET, &size));
  OK(ioctl(fd, BLKPBSZGET, &size));
  OK(ioctl(fd, BLKROGET, &size));
  OK(ioctl(fd, BLKSECTGET, &shorter));
  OK(ioctl(fd, BLKROTATIONAL, &shorter));
  OK(ioctl(fd, BLKRAGET, &sectors));
  EXPECT(bytes / 512 == sectors);
}
SITUATION(random_device_requests) {
  int fd = open("/dev/random", O_RDONLY), bits = 0;
  OK(ioctl(fd, RNDGETENTCNT, &bits));
  EXPECT(CALL(getrandom, noise, 300L, 0) == 300 && CALL(getrandom, noise, 100L, 1 /* NONBLOCK */) == 100);
  FAILS(CALL(getrandom, noise, 10L, 99), EINVAL);
}
SITUATION(terminal_pair) {
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), number = -1, lock = 0;
  NEEDS(master >= 0, "no pseudo-terminals");
  OK(ioctl(master, TIOCGPTN, &number));
  OK(ioctl(master, TIOCSPTLCK, &lock));
  char name[40];
  snprintf(name, sizeof name, "/dev/pts/%d", number);
  int slave = open(name, O_RDWR | O_NOCTTY);
  NEEDS(slave >= 0, "no /dev/pts here");
  struct termios t;
  struct winsize w = {24, 80, 0, 0}, got;
  OK(tcgetattr(slave, &t));
  cfmakeraw(&t);
  OK(tcsetattr(slave, TCSANOW, &t));
  OK(tcsetattr(slave, TCSADRAIN, &t));
  OK(ioctl(master, TIOCSWINSZ, &w));
  OK(ioctl(slave, TIOCGWINSZ, &got));
  EXPECT(got.ws_col == 80 && write(master, "typed", 5) == 5 && read(slave, noise, 100) == 5);
  int n = 0;
  OK(ioctl(slave, TIOCOUTQ, &n));
  OK(ioctl(slave, FIONREAD, &n));
  OK(ioctl(slave, TIOCGETD, &n));
  ASK(ioctl(slave, TIOCMGET, &n));
  ASK(ioctl(slave, TIOCGSID, &n));
  ASK(ioctl(slave, TIOCGPGRP, &n));
  ASK(ioctl(slave, 0x802c542a /* TCGETS2 */, noise));
  OK(ioctl(slave, 0x5405 /* TCGETA */, noise));
  OK(ioctl(slave, TCFLSH, TCIOFLUSH));
  OK(ioctl(slave, TIOCEXCL));
  OK(ioctl(slave, TIOCNXCL));
  OK(ioctl(slave, TCSBRK, 1));
  ASK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  ASK(ioctl(slave, TIOCGSERIAL, noise));
  ASK(ioctl(slave, TIOCGICOUNT, noise));
  ASK(ioctl(slave, TIOCGLCKTRMIOS, noise));
  ASK(ioctl(slave, TIOCGSOFTCAR, &n));
  ASK(ioctl(slave, TIOCGRS485, noise));
}
SITUATION(terminal_hung_up) {
  int master, slave;
  NEEDS(openpty(&master, &slave, NULL, NULL, NULL) == 0, "no pseudo-terminals");
  for (int i = 0; i < 8; ++i) CALL(getppid);
  pid_t child = CHILD({ OK(write(slave, "bye", 3)); });
  close(slave);
  EXPECT(read(master, noise, 100) == 3 && end_of(child) == 0);
  FAILS(read(master, noise, 100), EIO);
}
SITUATION(terminal_in_packets) {
  int master, slave, on = 1;
  NEEDS(openpty(&master, &slave, NULL, NULL, NULL) == 0, "no pseudo-terminals");
  OK(ioctl(master, TIOCPKT, &on));
  EXPECT(write(slave, "out\n", 4) == 4);
  long n = read(master, noise, 100);
  EXPECT(n == 6 && noise[0] == 0);
  EXPECT(write(master, "line\n", 5) == 5 && read(slave, noise, 100) == 5);
}
SITUATION(terminal_of_a_session) {
  pid_t child = CHILD({
    int master, slave;
    pid_t group = 0;
    if (setsid() < 0 || openpty(&master, &slave, NULL, NULL, NULL) != 0) _exit(77);
    if (ioctl(slave, TIOCSCTTY, 0) != 0 || ioctl(slave, TIOCGPGRP, &group) != 0 || group != getpid()) _exit(1);
    if (ioctl(slave, TIOCNOTTY) != 0) _exit(2);
  });
  EXPECT(end_of(child) != 1);
}
SITUATION(jobs_of_a_terminal) {
  pid_t shell = CHILD({
    int master, slave, status;
    if (setsid() < 0 || openpty(&master, &slave, NULL, NULL, NULL) != 0 || ioctl(slave, TIOCSCTTY, 0) != 0) _exit(77);
    signal(SIGTTOU, SIG_IGN);
    pid_t job = CHILD({
      char byte = 0;
      setpgid(0, 0);
      _exit(read(slave, &byte, 1) == 1 ? byte : 99);
    });
    setpgid(job, job);
    if (waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTTIN) _exit(1);
    if (tcsetpgrp(slave, job) != 0 || write(master, "a\n", 2) != 2 || kill(-job, SIGCONT) != 0) _exit(2);
    _exit(end_of(job) == 'a' && tcsetpgrp(slave, getpid()) == 0 ? 0 : 3);
  });
  int end = end_of(shell);
  NEEDS(end != 77, "no terminals");
  EXPECT(end == 0);
}
SITUATION(interfaces) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq all[16], one = {0};
  struct ifconf list = {.ifc_len = sizeof all, .ifc_req = all};
  OK(fd);
  OK(ioctl(fd, SIOCGIFCONF, &list));
  list.ifc_req = NULL, list.ifc_len = 0;
  OK(ioctl(fd, SIOCGIFCONF, &list));
  strcpy(one.ifr_name, "lo");
  OK(ioctl(fd, SIOCGIFINDEX, &one));
  OK(ioctl(fd, SIOCGIFNAME, &one));
  OK(ioctl(fd, SIOCGIFFLAGS, &one));
  ASK(ioctl(fd, SIOCGIFADDR, &one));
  ASK(ioctl(fd, SIOCGIFNETMASK, &one));
  OK(ioctl(fd, SIOCGIFMTU, &one));
  OK(ioctl(fd, SIOCGIFHWADDR, &one));
  OK(ioctl(fd, SIOCGIFTXQLEN, &one));
  ASK(ioctl(fd, SIOCGIFMAP, &one));
  ASK(ioctl(fd, SIOCGIFMETRIC, &one));
  struct arpreq arp = {.arp_pa = {AF_INET}};
  strcpy(arp.arp_dev, "lo");
  ASK(ioctl(fd, SIOCGARP, &arp));
  uint32_t info[2] = {0xa /* ETHTOOL_GLINK */, 0};
  one.ifr_data = (char *)info;
  ASK(ioctl(fd, 0x8946 /* SIOCETHTOOL */, &one));
  static struct { uint32_t cmd; char rest[200]; } driver = {3 /* ETHTOOL_GDRVINFO */, {0}};
  one.ifr_data = (char *)&driver;
  ASK(ioctl(fd, 0x8946, &one));
}
SITUATION(interface_names_by_netlink) {
  struct if_nameindex *list = if_nameindex();
  NEEDS(list != NULL, "no interfaces to list");
  int found = 0;
  for (int i = 0; list[i].if_index; ++i) found |= strcmp(list[i].if_name, "lo") == 0;
  if_freenameindex(list);
  EXPECT(found && if_nametoindex("lo") > 0);
}
SITUATION(namespace_descriptors) {
  int fd = open("/proc/self/ns/user", O_RDONLY), uid = 0;
  NEEDS(fd >= 0, "no namespaces");
  ASK(ioctl(fd, 0xb703 /* NS_GET_NSTYPE */));
  ASK(ioctl(fd, 0xb704 /* NS_GET_OWNER_UID */, &uid));
  ASK(ioctl(fd, 0xb702 /* NS_GET_PARENT */));
}
SITUATION(performance_counter) {
  static uint32_t attr[32] = {1 /* SOFTWARE */, 128, 1 /* TASK_CLOCK */};
  int fd = (int)TRY(CALL(perf_event_open, attr, 0, -1, -1, 0L));
  uint64_t value = 0;
  EXPECT(read(fd, &value, 8) == 8);
  ASK(ioctl(fd, 0x2400 /* ENABLE */, 0));
  ASK(ioctl(fd, 0x80082407 /* ID */, &value));
}
SITUATION(program_for_the_kernel) {
  static struct { uint32_t type, key, value, entries; char rest[100]; } map = {2 /* ARRAY */, 4, 8, 4, {0}};
  int fd = (int)TRY(CALL(bpf, 0 /* MAP_CREATE */, &map, 48));
  uint32_t key = 1;
  uint64_t value = 77, got = 0;
  struct { uint32_t fd, pad; void *key, *value; uint64_t flags; } element = {(uint32_t)fd, 0, &key, &value, 0};
  OK(CALL(bpf, 2 /* UPDATE */, &element, sizeof element));
  element.value = &got;
  OK(CALL(bpf, 1 /* LOOKUP */, &element, sizeof element));
  EXPECT(got == 77);
}
SITUATION(faults_of_its_own_refused) {
  FAILS(CALL(userfaultfd, O_CLOEXEC | 1), ENOSYS);
}
