// OutRanges() against the kernel: the calls are made for real, and every byte
// that changed must have been foretold. About files, descriptors and time;
// sockets, processes and System V objects are in out_ranges_world_test.cc.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "../test/native/record/call_checker.h"
#include "base/scoped_fd.h"

namespace chronofork {
namespace {

using testing::CallChecker;
using enum testing::Expect;

uint64_t U(int value) { return static_cast<uint64_t>(static_cast<int64_t>(value)); }

// A file of 8 KiB with an extended attribute where the file system has them.
struct TestFile {
  TestFile() {
    path = "/tmp/chronofork-out-XXXXXX";
    fd = ScopedFd(mkstemp(path.data()));
    REQUIRE(fd.valid());
    std::string text(8192, 'f');
    REQUIRE(write(fd.get(), text.data(), text.size()) == 8192);
    lseek(fd.get(), 0, SEEK_SET);
  }
  ~TestFile() { unlink(path.c_str()); }
  std::string path;
  ScopedFd fd;
};

struct TestPipe {
  TestPipe() {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    out = ScopedFd(ends[0]);
    in = ScopedFd(ends[1]);
  }
  void Fill(size_t bytes) {
    std::string text(bytes, 'p');
    REQUIRE(write(in.get(), text.data(), bytes) == static_cast<ssize_t>(bytes));
  }
  ScopedFd out, in;
};

TEST_CASE("out ranges, real calls: files") {
  CallChecker c;
  TestFile file;
  uint64_t fd = U(file.fd.get()), path = c.Text(file.path), cwd = U(AT_FDCWD);
  c.Call(SYS_read, {fd, c.Buffer(500), 400}, kWrites);
  c.Call(SYS_pread64, {fd, c.Buffer(500), 300, 8000}, kWrites);  // 192 bytes only
  c.Call(SYS_stat, {path, c.Buffer(144)}, kWrites);
  c.Call(SYS_lstat, {path, c.Buffer(144)}, kWrites);
  c.Call(SYS_fstat, {fd, c.Buffer(144)}, kWrites);
  c.Call(SYS_newfstatat, {cwd, path, c.Buffer(144), 0}, kWrites);
  c.Call(SYS_statx, {cwd, path, 0, 0xfff, c.Buffer(256)}, kWrites);
  c.Call(SYS_statfs, {path, c.Buffer(120)}, kWrites);
  c.Call(SYS_fstatfs, {fd, c.Buffer(120)}, kWrites);
  c.Call(SYS_stat, {c.Text("/nonexistent"), c.Buffer(144)}, kSilent);
  c.Call(SYS_readlink, {c.Text("/proc/self/exe"), c.Buffer(300), 300}, kWrites);
  c.Call(SYS_readlinkat, {cwd, c.Text("/proc/self/cwd"), c.Buffer(300), 5}, kWrites);
  c.Call(SYS_getcwd, {c.Buffer(4096), 4096}, kWrites);
  c.Call(SYS_getcwd, {c.Buffer(2), 1}, kSilent);
  ScopedFd folder(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  c.Call(SYS_getdents64, {U(folder.get()), c.Buffer(8192), 200}, kWrites);
  c.Call(SYS_getdents64, {U(folder.get()), c.Buffer(8192), 8192}, kWrites);
  lseek(folder.get(), 0, SEEK_SET);
  c.Call(SYS_getdents, {U(folder.get()), c.Buffer(8192), 300}, kWrites);
  uint64_t name = c.Text("user.color");
  bool attributes = syscall(SYS_setxattr, path, name, "blue", 4, 0) == 0;
  for (long number : {SYS_getxattr, SYS_lgetxattr}) {
    c.Call(number, {path, name, c.Buffer(64), 64}, attributes ? kWrites : kSilent);
  }
  c.Call(SYS_fgetxattr, {fd, name, c.Buffer(64), 64}, attributes ? kWrites : kSilent);
  c.Call(SYS_getxattr, {path, name, c.Buffer(64), 2}, kSilent);  // ERANGE
  for (long number : {SYS_listxattr, SYS_llistxattr}) c.Call(number, {path, c.Buffer(64), 64}, kPerhaps);
  c.Call(SYS_flistxattr, {fd, c.Buffer(64), 64}, kPerhaps);
  struct {
    uint32_t room;
    int32_t type;
    char bytes[128];
  } handle{128, 0, {}};
  c.Call(SYS_name_to_handle_at, {cwd, path, c.Put(handle), c.Buffer(4), 0}, kPerhaps);
  handle.room = 0;
  c.Call(SYS_name_to_handle_at, {cwd, path, c.Put(handle), c.Buffer(4), 0}, kPerhaps);  // EOVERFLOW
  uint64_t range[2] = {0, 8192};
  c.Call(451, {fd, c.Put(range), c.Buffer(40), 0}, kPerhaps);  // cachestat
  CHECK(c.seen_writing().size() >= 14);
}

TEST_CASE("out ranges, real calls: vectors") {
  CallChecker c;
  TestFile file;
  TestPipe pipe;
  uint64_t fd = U(file.fd.get());
  // Fresh buffers for each call, or the same bytes would come again and change nothing.
  auto array = [&c] {
    iovec vectors[3];
    for (size_t i = 0; i < 3; ++i) vectors[i] = {reinterpret_cast<void*>(c.Buffer(100 * (i + 1))), 100 * (i + 1)};
    return c.Put(vectors);
  };
  c.Call(SYS_readv, {fd, array(), 3}, kWrites);
  c.Call(SYS_preadv, {fd, array(), 3, 7900, 0}, kWrites);  // 292 bytes: ends inside the second
  c.Call(SYS_preadv2, {fd, array(), 2, 8000, 0, 0}, kWrites);
  c.Call(SYS_readv, {fd, array(), 5000}, kSilent);  // EINVAL
  pipe.Fill(250);
  c.Call(SYS_readv, {U(pipe.out.get()), array(), 3}, kWrites);
  pipe.Fill(150);
  c.Call(SYS_vmsplice, {U(pipe.out.get()), array(), 3, 0}, kWrites);
  char source[128] = "read from here";
  iovec remote{source, sizeof source};
  c.Call(SYS_process_vm_readv, {U(getpid()), array(), 3, c.Put(remote), 1, 0}, kWrites);
  // the data lie over the array that says where they go
  iovec self{nullptr, 64};
  uint64_t here = c.Put(self);
  self.iov_base = reinterpret_cast<void*>(here);
  std::memcpy(reinterpret_cast<void*>(here), &self, sizeof self);
  c.Call(SYS_preadv, {fd, here, 1, 0, 0}, kWrites);
}

TEST_CASE("out ranges, real calls: descriptors") {
  CallChecker c;
  TestFile file, other;
  TestPipe pipe;
  int64_t made = 0;
  for (long number : {SYS_pipe, SYS_pipe2}) {
    uint64_t ends = c.Buffer(8);
    made += c.Call(number, {ends, 0}, kWrites);
    close(c.Get<int>(ends));
    close(c.Get<int>(ends + 4));
  }
  CHECK(made == 0);
  pipe.Fill(64);
  c.Call(SYS_sendfile, {U(pipe.in.get()), U(file.fd.get()), c.Put(uint64_t{16}), 64}, kWrites);
  c.Call(SYS_splice, {U(file.fd.get()), c.Put(uint64_t{32}), U(pipe.in.get()), 0, 64, 0}, kWrites);
  c.Call(SYS_splice, {U(pipe.out.get()), 0, U(other.fd.get()), c.Put(uint64_t{4}), 32, 0}, kWrites);
  c.Call(SYS_copy_file_range, {U(file.fd.get()), c.Put(uint64_t{0}), U(other.fd.get()), c.Put(uint64_t{4096}), 512, 0},
         kPerhaps);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  c.Call(SYS_fcntl, {U(file.fd.get()), F_GETLK, c.Put(lock)}, kWrites);
  c.Call(SYS_fcntl, {U(file.fd.get()), 36, c.Put(lock)}, kWrites);  // F_OFD_GETLK
  c.Call(SYS_fcntl, {U(file.fd.get()), 16, c.Buffer(8)}, kWrites);  // F_GETOWN_EX
  c.Call(SYS_fcntl, {U(file.fd.get()), 1024 + 11, c.Buffer(8)}, kPerhaps);
  c.Call(SYS_fcntl, {U(file.fd.get()), F_GETFL, c.Buffer(64)}, kSilent);
  ScopedFd event(eventfd(3, 0)), timer(timerfd_create(CLOCK_MONOTONIC, 0)), watch(inotify_init1(0));
  c.Call(SYS_read, {U(event.get()), c.Buffer(16), 16}, kWrites);
  itimerspec soon{{0, 0}, {0, 1000000}};
  c.Call(SYS_timerfd_settime, {U(timer.get()), 0, c.Put(soon), c.Buffer(32)}, kWrites);
  c.Call(SYS_timerfd_gettime, {U(timer.get()), c.Buffer(32)}, kWrites);
  c.Call(SYS_read, {U(timer.get()), c.Buffer(8), 8}, kWrites);
  inotify_add_watch(watch.get(), file.path.c_str(), IN_ALL_EVENTS);
  CHECK(write(file.fd.get(), "x", 1) == 1);
  c.Call(SYS_read, {U(watch.get()), c.Buffer(512), 512}, kWrites);
  c.Call(SYS_mincore, {c.Buffer(1) & ~uint64_t{4095}, 16384, c.Buffer(16)}, kWrites);
}

TEST_CASE("out ranges, real calls: ioctl") {
  CallChecker c;
  TestFile file;
  TestPipe pipe;
  int master = -1, slave = -1;
  REQUIRE(openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  ScopedFd master_end(master), slave_end(slave);
  pipe.Fill(77);
  c.Call(SYS_ioctl, {U(pipe.out.get()), FIONREAD, c.Buffer(4)}, kWrites);
  c.Call(SYS_ioctl, {U(slave), TCGETS, c.Buffer(60)}, kWrites);
  c.Call(SYS_ioctl, {U(slave), 0x802c542a, c.Buffer(60)}, kWrites);  // TCGETS2
  c.Call(SYS_ioctl, {U(slave), TCGETA, c.Buffer(60)}, kWrites);
  c.Call(SYS_ioctl, {U(slave), TIOCGWINSZ, c.Buffer(8)}, kWrites);
  c.Call(SYS_ioctl, {U(slave), TIOCOUTQ, c.Buffer(4)}, kWrites);
  c.Call(SYS_ioctl, {U(slave), TIOCGETD, c.Buffer(4)}, kWrites);
  c.Call(SYS_ioctl, {U(slave), TIOCGSOFTCAR, c.Buffer(4)}, kPerhaps);
  c.Call(SYS_ioctl, {U(slave), TIOCGEXCL, c.Buffer(4)}, kWrites);
  c.Call(SYS_ioctl, {U(slave), TIOCGPGRP, c.Buffer(4)}, kPerhaps);
  c.Call(SYS_ioctl, {U(master), TIOCGPTN, c.Buffer(4)}, kWrites);
  c.Call(SYS_ioctl, {U(master), 0x80045439, c.Buffer(4)}, kWrites);          // TIOCGPTLCK
  c.Call(SYS_ioctl, {U(file.fd.get()), 0x80086601, c.Buffer(8)}, kPerhaps);  // FS_IOC_GETFLAGS
  c.Call(SYS_ioctl, {U(file.fd.get()), 2, c.Buffer(4)}, kWrites);            // FIGETBSZ
  c.Call(SYS_ioctl, {U(file.fd.get()), 0x5460, c.Buffer(8)}, kWrites);       // FIOQSIZE
  c.Call(SYS_ioctl, {U(file.fd.get()), TCGETS, c.Buffer(60)}, kSilent);      // ENOTTY
  ScopedFd random(open("/dev/urandom", O_RDONLY | O_CLOEXEC));
  c.Call(SYS_ioctl, {U(random.get()), 0x80045200, c.Buffer(4)}, kWrites);  // RNDGETENTCNT
}

void Nothing(int) {}

// Interrupts the calling thread after 20 ms.
struct Interruption {
  Interruption() {
    struct sigaction action {};
    action.sa_handler = Nothing;
    sigaction(SIGALRM, &action, &before);
    itimerval soon{{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &soon, nullptr);
  }
  ~Interruption() {
    itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before, nullptr);
  }
  struct sigaction before {};
};

TEST_CASE("out ranges, real calls: waiting, also when interrupted") {
  CallChecker c;
  TestPipe pipe;
  pipe.Fill(1);
  pollfd polled[2] = {{pipe.out.get(), POLLIN, 0}, {pipe.in.get(), POLLOUT, 0}};
  timespec short_time{0, 1000000}, long_time{5, 0};
  c.Call(SYS_poll, {c.Put(polled), 2, 0}, kWrites);
  c.Call(SYS_ppoll, {c.Put(polled), 2, c.Put(short_time), 0, 8}, kWrites);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(pipe.out.get(), &set);
  FD_SET(pipe.in.get(), &set);
  timeval short_timeval{0, 1000};
  auto count = static_cast<uint64_t>(std::max(pipe.out.get(), pipe.in.get()) + 1);
  c.Call(SYS_select, {count, c.Put(set), c.Put(set), c.Put(set), c.Put(short_timeval)}, kWrites);
  c.Call(SYS_pselect6, {count, c.Put(set), c.Put(set), c.Put(set), c.Put(short_time), 0}, kWrites);
  ScopedFd epoll(epoll_create1(0));
  epoll_event interest{EPOLLIN, {}};
  REQUIRE(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, pipe.out.get(), &interest) == 0);
  c.Call(SYS_epoll_wait, {U(epoll.get()), c.Buffer(12 * 4), 4, 0}, kWrites);
  c.Call(SYS_epoll_pwait, {U(epoll.get()), c.Buffer(12 * 4), 4, 0, 0, 8}, kWrites);
  c.Call(441, {U(epoll.get()), c.Buffer(12 * 4), 4, 0, 0, 8}, kPerhaps);  // epoll_pwait2
  TestPipe empty;
  pollfd waiting[1] = {{empty.out.get(), POLLIN, 77}};
  {
    Interruption soon;
    CHECK(c.Call(SYS_nanosleep, {c.Put(long_time), c.Buffer(16)}, kPerhaps) == -EINTR);
  }
  {
    Interruption soon;
    CHECK(c.Call(SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0, c.Put(long_time), c.Buffer(16)}, kPerhaps) == -EINTR);
  }
  {
    Interruption soon;
    CHECK(c.Call(SYS_poll, {c.Put(waiting), 1, 5000}, kPerhaps) == -EINTR);
  }
  {
    Interruption soon;
    CHECK(c.Call(SYS_ppoll, {c.Put(waiting), 1, c.Put(long_time), 0, 8}, kPerhaps) == -EINTR);
  }
  {
    Interruption soon;
    FD_ZERO(&set);
    FD_SET(empty.out.get(), &set);
    timeval long_timeval{5, 0};
    CHECK(c.Call(SYS_select, {U(empty.out.get() + 1), c.Put(set), 0, 0, c.Put(long_timeval)}, kPerhaps) == -EINTR);
  }
}

TEST_CASE("out ranges, real calls: clocks and timers") {
  CallChecker c;
  c.Call(SYS_gettimeofday, {c.Buffer(16), c.Buffer(8)}, kWrites);
  c.Call(SYS_clock_gettime, {CLOCK_REALTIME, c.Buffer(16)}, kWrites);
  c.Call(SYS_clock_getres, {CLOCK_MONOTONIC, c.Buffer(16)}, kWrites);
  c.Call(SYS_time, {c.Buffer(8)}, kWrites);
  c.Call(SYS_times, {c.Buffer(32)}, kWrites);
  c.Call(SYS_getitimer, {ITIMER_VIRTUAL, c.Buffer(32)}, kWrites);
  c.Call(SYS_setitimer, {ITIMER_VIRTUAL, c.Put(itimerval{}), c.Buffer(32)}, kWrites);
  timex ask{};
  c.Call(SYS_adjtimex, {c.Put(ask)}, kPerhaps);
  c.Call(SYS_clock_adjtime, {CLOCK_REALTIME, c.Put(ask)}, kPerhaps);
  sigevent quiet{};
  quiet.sigev_notify = SIGEV_NONE;
  uint64_t id_at = c.Buffer(4);
  REQUIRE(c.Call(SYS_timer_create, {CLOCK_MONOTONIC, c.Put(quiet), id_at}, kWrites) == 0);
  uint64_t id = U(c.Get<int>(id_at));
  itimerspec later{{0, 0}, {50, 0}};
  c.Call(SYS_timer_settime, {id, 0, c.Put(later), c.Buffer(32)}, kWrites);
  c.Call(SYS_timer_gettime, {id, c.Buffer(32)}, kWrites);
  c.Call(SYS_timer_delete, {id}, kSilent);
  c.Call(SYS_sched_rr_get_interval, {0, c.Buffer(16)}, kWrites);
}

}  // namespace
}  // namespace chronofork
