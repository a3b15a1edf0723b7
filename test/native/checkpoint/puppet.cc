// The puppet's loop, and its strings.
#include "../test/native/checkpoint/puppet.h"

#include <doctest/doctest.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

namespace chronofork::testing {
namespace {

constexpr long kStore = -1, kLoad = -2, kForkHolder = -3;

struct CommandMessage {
  long number;
  std::array<uint64_t, 6> arguments;
};

pid_t ForkHolderInPuppet(pid_t previous) {
  pid_t holder = fork();
  if (holder == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) raise(SIGSTOP);
  }
  // Not before it stands still: a puppet that dies earlier would leave it behind.
  waitpid(holder, nullptr, WUNTRACED);
  if (previous > 0) {  // after the new one exists, as checkpoints come and go
    kill(previous, SIGKILL);
    waitpid(previous, nullptr, 0);
  }
  return holder;
}

[[noreturn]] void Obey(int socket) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pid_t holder = -1;
  CommandMessage command;
  while (recv(socket, &command, sizeof command, 0) == sizeof command) {
    const auto& a = command.arguments;
    int64_t result = 0;
    if (command.number == kStore) {
      *reinterpret_cast<volatile uint8_t*>(a[0]) = static_cast<uint8_t>(a[1]);
    } else if (command.number == kLoad) {
      result = *reinterpret_cast<volatile uint8_t*>(a[0]);
    } else if (command.number == kForkHolder) {
      holder = ForkHolderInPuppet(holder);
      result = holder;
    } else {
      result = syscall(command.number, a[0], a[1], a[2], a[3], a[4], a[5]);
      if (result == -1) result = -errno;
    }
    send(socket, &result, sizeof result, MSG_NOSIGNAL);
  }
  _exit(0);
}

}  // namespace

Puppet::Puppet() {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    close(ends[0]);
    Obey(ends[1]);
  }
  close(ends[1]);
  socket_ = ScopedFd(ends[0]);
  scratch_ = Map(1);
}

Puppet::~Puppet() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

int64_t Puppet::Command(long number, const std::array<uint64_t, 6>& arguments) {
  CommandMessage command{number, arguments};
  int64_t result = -1;
  REQUIRE(send(socket_.get(), &command, sizeof command, MSG_NOSIGNAL) == sizeof command);
  REQUIRE(recv(socket_.get(), &result, sizeof result, 0) == sizeof result);
  return result;
}

Result<int64_t> Puppet::Syscall(long number, std::array<uint64_t, 6> arguments) { return Command(number, arguments); }

Result<void> Puppet::Read(TraceeAddress address, std::span<std::byte> out) {
  iovec local{out.data(), out.size()};
  iovec remote{reinterpret_cast<void*>(address.value), out.size()};
  if (process_vm_readv(pid_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(out.size())) return {};
  return SystemError("memoryFailed", "The puppet's memory cannot be read", errno, pid_);
}

Result<void> Puppet::Write(TraceeAddress address, std::span<const std::byte> bytes) {
  iovec local{const_cast<std::byte*>(bytes.data()), bytes.size()};
  iovec remote{reinterpret_cast<void*>(address.value), bytes.size()};
  if (process_vm_writev(pid_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(bytes.size())) return {};
  return SystemError("memoryFailed", "The puppet's memory cannot be written", errno, pid_);
}

TraceeAddress Puppet::Map(uint64_t page_count) {
  uint64_t bytes = page_count * kPageBytes;
  int64_t address =
      Call(SYS_mmap, {0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, static_cast<uint64_t>(-1), 0});
  Call(SYS_madvise, {static_cast<uint64_t>(address), bytes, MADV_NOHUGEPAGE});
  return TraceeAddress(static_cast<uint64_t>(address));
}

void Puppet::Store(TraceeAddress address, uint8_t value) { Command(kStore, {address.value, value}); }

uint8_t Puppet::Load(TraceeAddress address) { return static_cast<uint8_t>(Command(kLoad, {address.value})); }

int64_t Puppet::Call(long number, std::array<uint64_t, 6> arguments) {
  int64_t result = Command(number, arguments);
  INFO("system call " << number);
  REQUIRE(result >= 0);
  return result;
}

void Puppet::ForkHolder() { REQUIRE(Command(kForkHolder, {}) > 0); }

}  // namespace chronofork::testing
