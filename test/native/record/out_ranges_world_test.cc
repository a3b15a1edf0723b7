// OutRanges() against the kernel, as in out_ranges_test.cc: sockets, processes,
// signals, limits, System V and POSIX queues; and how much was covered.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "../test/native/record/call_checker.h"
#include "base/scoped_fd.h"

namespace chronofork {
namespace {

using testing::CallChecker;
using enum testing::Expect;

uint64_t U(int64_t value) { return static_cast<uint64_t>(value); }

struct SocketPair {
  explicit SocketPair(int type) {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, type, 0, ends) == 0);
    a = ScopedFd(ends[0]);
    b = ScopedFd(ends[1]);
  }
  void Send(size_t bytes) {
    std::string text(bytes, 's');
    REQUIRE(send(a.get(), text.data(), bytes, 0) == static_cast<ssize_t>(bytes));
  }
  ScopedFd a, b;
};

// A UDP socket on the loopback interface that has been sent `count` messages by itself.
ScopedFd UdpWithMail(size_t count, size_t bytes) {
  ScopedFd udp(socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof here;
  REQUIRE(bind(udp.get(), reinterpret_cast<sockaddr*>(&here), length) == 0);
  REQUIRE(getsockname(udp.get(), reinterpret_cast<sockaddr*>(&here), &length) == 0);
  std::string text(bytes, 'u');
  for (size_t i = 0; i < count; ++i) {
    REQUIRE(sendto(udp.get(), text.data(), bytes, 0, reinterpret_cast<sockaddr*>(&here), length) > 0);
  }
  return udp;
}

// A message header with two buffers, a name and control data, all noise.
msghdr MakeMessage(CallChecker& c, size_t name_bytes) {
  iovec vectors[2] = {{reinterpret_cast<void*>(c.Buffer(40)), 40}, {reinterpret_cast<void*>(c.Buffer(60)), 60}};
  msghdr message{};
  message.msg_iov = reinterpret_cast<iovec*>(c.Put(vectors));
  message.msg_iovlen = 2;
  message.msg_name = reinterpret_cast<void*>(c.Buffer(128));
  message.msg_namelen = static_cast<socklen_t>(name_bytes);
  message.msg_control = reinterpret_cast<void*>(c.Buffer(256));
  message.msg_controllen = 256;
  return message;
}

TEST_CASE("out ranges, real calls: sockets") {
  CallChecker c;
  SocketPair pair(SOCK_STREAM);
  uint64_t fds = c.Buffer(8);
  REQUIRE(c.Call(SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, fds}, kWrites) == 0);
  close(c.Get<int>(fds));
  close(c.Get<int>(fds + 4));
  pair.Send(100);
  c.Call(SYS_recvfrom, {U(pair.b.get()), c.Buffer(200), 60, 0, 0, 0}, kWrites);
  ScopedFd udp = UdpWithMail(3, 90);
  c.Call(SYS_recvfrom, {U(udp.get()), c.Buffer(90), 90, 0, c.Buffer(128), c.Put(socklen_t{128})}, kWrites);
  c.Call(SYS_recvfrom, {U(udp.get()), c.Buffer(90), 10, MSG_TRUNC, c.Buffer(128), c.Put(socklen_t{4})}, kWrites);
  c.Call(SYS_ioctl, {U(udp.get()), FIONREAD, c.Buffer(4)}, kWrites);
  c.Call(SYS_getsockname, {U(udp.get()), c.Buffer(128), c.Put(socklen_t{128})}, kWrites);
  c.Call(SYS_getpeername, {U(pair.a.get()), c.Buffer(128), c.Put(socklen_t{128})}, kWrites);
  for (int option : {SO_TYPE, SO_RCVBUF, SO_LINGER, SO_PEERCRED, SO_RCVTIMEO}) {
    c.Call(SYS_getsockopt, {U(pair.a.get()), SOL_SOCKET, U(option), c.Buffer(64), c.Put(socklen_t{64})}, kWrites);
  }
  c.Call(SYS_getsockopt, {U(pair.a.get()), SOL_SOCKET, U(SO_PEERCRED), c.Buffer(64), c.Put(socklen_t{5})}, kWrites);
  c.Call(SYS_getsockopt, {U(udp.get()), IPPROTO_IP, 2, c.Buffer(64), c.Put(socklen_t{64})}, kWrites);  // IP_TTL
  ScopedFd listener(socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(listen(listener.get(), 4) == 0);
  sockaddr_in there{};
  socklen_t length = sizeof there;
  REQUIRE(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&there), &length) == 0);
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (long number : {SYS_accept, SYS_accept4}) {
    ScopedFd client(socket(AF_INET, SOCK_STREAM, 0));
    REQUIRE(connect(client.get(), reinterpret_cast<sockaddr*>(&there), length) == 0);
    ScopedFd accepted(
        static_cast<int>(c.Call(number, {U(listener.get()), c.Buffer(128), c.Put(socklen_t{10}), 0}, kWrites)));
    CHECK(accepted.valid());
    if (number == SYS_accept) {
      c.Call(SYS_getsockopt, {U(accepted.get()), IPPROTO_TCP, 11, c.Buffer(300), c.Put(socklen_t{300})},
             kWrites);  // TCP_INFO
    }
  }
}

TEST_CASE("out ranges, real calls: messages with control data, one and many") {
  CallChecker c;
  SocketPair pair(SOCK_DGRAM);
  int on = 1;
  setsockopt(pair.b.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  setsockopt(pair.b.get(), SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
  pair.Send(70);
  c.Call(SYS_recvmsg, {U(pair.b.get()), c.Put(MakeMessage(c, 128)), 0}, kWrites);
  ScopedFd udp = UdpWithMail(5, 55);
  setsockopt(udp.get(), SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
  c.Call(SYS_recvmsg, {U(udp.get()), c.Put(MakeMessage(c, 6)), 0}, kWrites);  // a name cut off
  mmsghdr many[6] = {};
  for (mmsghdr& message : many) message.msg_hdr = MakeMessage(c, 128);
  timespec patience{1, 0};
  CHECK(c.Call(SYS_recvmmsg, {U(udp.get()), c.Put(many), 6, MSG_DONTWAIT, c.Put(patience)}, kWrites) == 4);
  CHECK(c.Call(SYS_recvmmsg, {U(udp.get()), c.Put(many), 6, MSG_DONTWAIT, 0}, kSilent) == -EAGAIN);
  char text[] = "text";
  iovec vector{text, sizeof text};
  mmsghdr to_send[2] = {};
  for (mmsghdr& message : to_send) {
    message.msg_hdr.msg_iov = &vector;
    message.msg_hdr.msg_iovlen = 1;
  }
  CHECK(c.Call(SYS_sendmmsg, {U(pair.a.get()), c.Put(to_send), 2, 0}, kWrites) == 2);
}

TEST_CASE("out ranges, real calls: network interfaces") {
  CallChecker c;
  ScopedFd udp(socket(AF_INET, SOCK_DGRAM, 0));
  ifconf list{};
  list.ifc_len = 400;
  list.ifc_buf = reinterpret_cast<char*>(c.Buffer(400));
  c.Call(SYS_ioctl, {U(udp.get()), SIOCGIFCONF, c.Put(list)}, kWrites);
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  for (uint64_t request : {SIOCGIFFLAGS, SIOCGIFMTU, SIOCGIFINDEX, SIOCGIFHWADDR}) {
    c.Call(SYS_ioctl, {U(udp.get()), request, c.Put(loopback)}, kPerhaps);
  }
}

TEST_CASE("out ranges, real calls: signals and processes") {
  CallChecker c;
  uint64_t set = c.Put(uint64_t{1} << (SIGUSR1 - 1));
  c.Call(SYS_rt_sigprocmask, {SIG_BLOCK, set, c.Buffer(8), 8}, kWrites);
  c.Call(SYS_rt_sigaction, {SIGUSR2, 0, c.Buffer(32), 8}, kWrites);
  c.Call(SYS_sigaltstack, {0, c.Buffer(24)}, kWrites);
  raise(SIGUSR1);
  c.Call(SYS_rt_sigpending, {c.Buffer(8), 8}, kWrites);
  c.Call(SYS_rt_sigtimedwait, {set, c.Buffer(128), c.Put(timespec{}), 8}, kWrites);
  c.Call(SYS_rt_sigtimedwait, {set, c.Buffer(128), c.Put(timespec{}), 8}, kSilent);  // EAGAIN
  c.Call(SYS_rt_sigprocmask, {SIG_UNBLOCK, set, c.Buffer(8), 8}, kWrites);
  for (int i = 0; i < 2; ++i) {
    pid_t child = fork();
    if (child == 0) _exit(3);
    if (i == 0) {
      CHECK(c.Call(SYS_wait4, {U(child), c.Buffer(4), 0, c.Buffer(144)}, kWrites) == child);
    } else {
      CHECK(c.Call(SYS_waitid, {P_PID, U(child), c.Buffer(128), WEXITED, c.Buffer(144)}, kWrites) == 0);
    }
  }
  c.Call(SYS_waitid, {P_PID, 1, c.Buffer(128), WEXITED, c.Buffer(144)}, kPerhaps);  // ECHILD, and writes
  c.Call(SYS_wait4, {1, c.Buffer(4), 0, c.Buffer(144)}, kPerhaps);
  c.Call(SYS_getresuid, {c.Buffer(4), c.Buffer(4), c.Buffer(4)}, kWrites);
  c.Call(SYS_getresgid, {c.Buffer(4), c.Buffer(4), c.Buffer(4)}, kWrites);
  c.Call(SYS_getgroups, {0, c.Buffer(64)}, kSilent);
  c.Call(SYS_getgroups, {64, c.Buffer(256)}, kPerhaps);
  uint32_t header[2] = {0x20080522, 0};
  c.Call(SYS_capget, {c.Put(header), c.Buffer(24)}, kWrites);
  header[0] = 1;
  c.Call(SYS_capget, {c.Put(header), c.Buffer(24)}, kPerhaps);  // EINVAL, and writes the version
  c.Call(SYS_sched_getparam, {0, c.Buffer(4)}, kWrites);
  c.Call(SYS_sched_getaffinity, {0, 128, c.Buffer(128)}, kWrites);
  c.Call(SYS_sched_getattr, {0, c.Buffer(56), 56, 0}, kWrites);
  c.Call(SYS_getcpu, {c.Buffer(4), c.Buffer(4), 0}, kWrites);
  c.Call(SYS_get_robust_list, {0, c.Buffer(8), c.Buffer(8)}, kWrites);
  c.Call(SYS_getpid, {c.Buffer(64), c.Buffer(64)}, kSilent);
}

TEST_CASE("out ranges, real calls: limits, names and random numbers") {
  CallChecker c;
  c.Call(SYS_uname, {c.Buffer(390)}, kWrites);
  c.Call(SYS_getrlimit, {RLIMIT_NOFILE, c.Buffer(16)}, kWrites);
  c.Call(SYS_prlimit64, {0, RLIMIT_STACK, 0, c.Buffer(16)}, kWrites);
  c.Call(SYS_getrusage, {RUSAGE_SELF, c.Buffer(144)}, kWrites);
  c.Call(SYS_sysinfo, {c.Buffer(112)}, kWrites);
  c.Call(SYS_getrandom, {c.Buffer(100), 77, 0}, kWrites);
  c.Call(SYS_syslog, {3, c.Buffer(2000), 2000}, kPerhaps);
  c.Call(SYS_syslog, {10, c.Buffer(64), 64}, kPerhaps);  // the size only
  c.Call(SYS_prctl, {PR_GET_NAME, c.Buffer(16)}, kWrites);
  c.Call(SYS_prctl, {PR_GET_PDEATHSIG, c.Buffer(4)}, kWrites);
  c.Call(SYS_prctl, {PR_GET_TSC, c.Buffer(4)}, kWrites);
  c.Call(SYS_prctl, {PR_GET_CHILD_SUBREAPER, c.Buffer(4)}, kWrites);
  c.Call(SYS_prctl, {PR_GET_TID_ADDRESS, c.Buffer(8)}, kPerhaps);
  c.Call(SYS_prctl, {0x41555856, c.Buffer(600), 600, 0, 0}, kPerhaps);  // PR_GET_AUXV
  c.Call(SYS_prctl, {0x41555856, c.Buffer(600), 50, 0, 0}, kPerhaps);
  c.Call(SYS_prctl, {PR_GET_DUMPABLE, c.Buffer(16)}, kSilent);
  for (uint64_t code : {0x1003, 0x1004, 0x1021, 0x1022, 0x4001, 0x4003, 0x5005}) {
    c.Call(SYS_arch_prctl, {code, c.Buffer(8)}, kPerhaps);
  }
  c.Call(SYS_get_mempolicy, {c.Buffer(4), c.Buffer(128), 1024, 0, 0}, kPerhaps);
  uint64_t own_page = c.Put(reinterpret_cast<uint64_t>(&c));
  c.Call(SYS_move_pages, {0, 1, own_page, 0, c.Buffer(4), 0}, kPerhaps);
  c.Call(SYS_modify_ldt, {0, c.Buffer(4096), 4096}, kPerhaps);
  c.Call(SYS_modify_ldt, {2, c.Buffer(4096), 128}, kPerhaps);
  c.Call(SYS_seccomp, {3, 0, c.Buffer(6)}, kPerhaps);
  uint64_t keyring = U(-4);  // KEY_SPEC_USER_KEYRING
  c.Call(SYS_keyctl, {6, keyring, c.Buffer(200), 200}, kPerhaps);
  c.Call(SYS_keyctl, {6, keyring, c.Buffer(200), 5}, kPerhaps);
  c.Call(SYS_keyctl, {11, keyring, c.Buffer(200), 200}, kPerhaps);
  struct {
    uint32_t size = 24, spare = 0;
    uint64_t mount = ~uint64_t{0}, parameter = 0;
  } all_mounts;
  uint64_t mounts = c.Buffer(64);
  if (c.Call(458, {c.Put(all_mounts), mounts, 8, 0}, kPerhaps) > 0) {  // listmount
    all_mounts.mount = c.Get<uint64_t>(mounts);
    all_mounts.parameter = 0x3f;
    c.Call(457, {c.Put(all_mounts), c.Buffer(2000), 2000, 0}, kPerhaps);  // statmount
  }
  uint32_t one = 1;
  c.Call(SYS_futex, {c.Put(one), FUTEX_WAKE_OP, 1, 1, c.Put(one), FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 1)},
         kWrites);
  c.Call(SYS_futex, {c.Put(uint32_t{0}), FUTEX_TRYLOCK_PI, 0, 0, 0, 0}, kPerhaps);
  c.Call(SYS_futex, {c.Put(one), FUTEX_WAKE, 1, 0, 0, 0}, kSilent);
}

TEST_CASE("out ranges, real calls: System V objects") {
  CallChecker c;
  int queue = msgget(IPC_PRIVATE, 0600), memory = shmget(IPC_PRIVATE, 4096, 0600),
      semaphores = semget(IPC_PRIVATE, 3, 0600);
  if (queue < 0 || memory < 0 || semaphores < 0) {
    std::printf("skipped: System V objects are not to be had here\n");
  } else {
    struct {
      long type = 5;
      char text[64] = "message";
    } message;
    REQUIRE(msgsnd(queue, &message, 64, 0) == 0);
    c.Call(SYS_msgrcv, {U(queue), c.Buffer(200), 100, 0, 0}, kWrites);
    c.Call(SYS_msgrcv, {U(queue), c.Buffer(200), 100, 0, IPC_NOWAIT}, kSilent);
    c.Call(SYS_msgctl, {U(queue), IPC_STAT, c.Buffer(120)}, kWrites);
    c.Call(SYS_msgctl, {0, IPC_INFO, c.Buffer(32)}, kWrites);
    c.Call(SYS_shmctl, {U(memory), IPC_STAT, c.Buffer(112)}, kWrites);
    c.Call(SYS_shmctl, {0, IPC_INFO, c.Buffer(72)}, kWrites);
    c.Call(SYS_shmctl, {0, SHM_INFO, c.Buffer(48)}, kWrites);
    c.Call(SYS_semctl, {U(semaphores), 0, IPC_STAT, c.Buffer(104)}, kWrites);
    c.Call(SYS_semctl, {0, 0, SEM_INFO, c.Buffer(40)}, kWrites);
    c.Call(SYS_semctl, {U(semaphores), 0, GETVAL, c.Buffer(64)}, kSilent);
  }
  msgctl(queue, IPC_RMID, nullptr);
  shmctl(memory, IPC_RMID, nullptr);
  semctl(semaphores, 0, IPC_RMID);
}

TEST_CASE("out ranges, real calls: POSIX message queues") {
  CallChecker c;
  std::string name = "/chronofork-test-" + std::to_string(getpid());
  mq_attr attributes{};
  attributes.mq_maxmsg = 2;
  attributes.mq_msgsize = 64;
  auto queue = static_cast<int>(mq_open(name.c_str(), O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attributes));
  if (queue < 0) {
    std::printf("skipped: POSIX message queues are not to be had here\n");
    return;
  }
  mq_unlink(name.c_str());
  REQUIRE(mq_send(queue, "letter", 6, 9) == 0);
  c.Call(SYS_mq_timedreceive, {U(queue), c.Buffer(64), 64, c.Buffer(4), 0}, kWrites);
  c.Call(SYS_mq_timedreceive, {U(queue), c.Buffer(64), 64, c.Buffer(4), 0}, kSilent);
  c.Call(SYS_mq_getsetattr, {U(queue), 0, c.Buffer(64)}, kWrites);
  mq_close(queue);
}

// The last of the two files' cases: only meaningful when all of them have run.
TEST_CASE("out ranges, real calls: enough of the table was tried") {
  constexpr size_t kCasesInBothFiles = 13;
  constexpr size_t kEnough = 80;  // 105 with all that a usual kernel has
  if (CallChecker::checkers_made() < kCasesInBothFiles) return;
  CHECK(CallChecker::seen_by_all().size() >= kEnough);
}

}  // namespace
}  // namespace chronofork
