// Reading a process's memory leaves that memory as it was.
#include "tracee/memory.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

namespace chronofork {
namespace {

constexpr size_t kBytes = 16 << 20;

// What a process shares with no other, in KiB.
long PrivateKiB(pid_t pid) {
  const std::string text = ReadProcText(pid, "smaps_rollup");
  long sum = 0;
  for (const char* name : {"Private_Clean:", "Private_Dirty:"}) {
    const size_t at = text.find(name);
    REQUIRE(at != std::string::npos);
    sum += std::stol(text.substr(at + std::strlen(name)));
  }
  return sum;
}

}  // namespace

TEST_CASE("memory: what a fork shares with its parent stays shared when it is read") {
  void* mapped = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  std::memset(mapped, 42, kBytes);
  const pid_t fork_of_us = ::fork();
  REQUIRE(fork_of_us >= 0);
  if (fork_of_us == 0) {
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  ::waitpid(fork_of_us, nullptr, WUNTRACED);
  const long before = PrivateKiB(fork_of_us);
  std::vector<std::byte> bytes(kBytes);
  const TraceeMemory memory(fork_of_us);
  CHECK(memory.Read(TraceeAddress(reinterpret_cast<uint64_t>(mapped)), bytes).ok());
  CHECK(bytes == std::vector<std::byte>(kBytes, std::byte{42}));
  CHECK(PrivateKiB(fork_of_us) - before < 1024);
  ::kill(fork_of_us, SIGKILL);
  ::waitpid(fork_of_us, nullptr, 0);
  ::munmap(mapped, kBytes);
}

}  // namespace chronofork
