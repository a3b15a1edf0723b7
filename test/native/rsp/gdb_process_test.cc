// Stock gdb against the server, with a real process behind it: its libraries,
// its symbols and its thread-local variables are found. The process waits in
// pause() and is only read, so that nothing of the tracing layers is needed.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "../test/native/rsp/client.h"
#include "../test/native/rsp/fake_target.h"
#include "rsp/server.h"

namespace chronofork {
namespace {

using namespace rsp_test;

constexpr char kSource[] = R"(
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
__thread int thread_local_value = 42;
int ordinary_value = 17;
static void wait_for_ever(int argument) { for (;;) pause(); }
int main(void) {
  unsigned long thread_pointer = 0;
  syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &thread_pointer);
  // &_r_debug may be a copy of the loader's own.
  ElfW(Dyn) *entry = _DYNAMIC;
  while (entry->d_tag != DT_DEBUG) ++entry;
  printf("%lx %lx\n", thread_pointer, (unsigned long)entry->d_un.d_ptr);
  fflush(stdout);
  thread_local_value = 43;
  errno = 33;
  wait_for_ever(5);
}
)";

class WaitingProcess : public FakeTarget {
 public:
  explicit WaitingProcess(const std::string& program) {
    executable = program;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 1);
      ::close(ends[0]);
      ::execl(program.c_str(), program.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    FILE* output = ::fdopen(ends[0], "r");
    REQUIRE(std::fscanf(output, "%lx %lx", &thread_pointer_, &r_debug_) == 2);
    std::fclose(output);
    last_stop.tid = pid_;
    AwaitPause();
  }

  ~WaitingProcess() override {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const override { return pid_; }
  std::vector<TargetThread> Threads() override { return {{pid_, "waiting"}}; }
  Result<GeneralRegisters> ReadGeneralRegisters(pid_t) override { return registers; }

  Result<size_t> ReadMemory(TraceeAddress address, std::span<std::byte> out) override {
    iovec local{out.data(), out.size()}, remote{reinterpret_cast<void*>(address.value), out.size()};
    ssize_t count = ::process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    if (count <= 0) return SystemError("memoryUnreadable", "Memory cannot be read", errno, pid_);
    return static_cast<size_t>(count);
  }

  Result<std::vector<std::byte>> ReadAuxv() override {
    std::string text = ReadFile("auxv");
    auto bytes = std::as_bytes(std::span(text));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }

  Result<std::string> ReadProcFile(const std::string& name) override { return ReadFile(name); }

  Result<TargetLibraries> Libraries() override {
    TargetLibraries found;
    auto debug = Read<r_debug>(r_debug_);
    if (tells_r_debug) found.r_debug = TraceeAddress(r_debug_);
    for (auto at = reinterpret_cast<uint64_t>(debug.r_map); at != 0;) {
      auto map = Read<link_map>(at);
      if (found.main_link_map.value == 0) {
        found.main_link_map = TraceeAddress(at);
      } else {
        char path[512] = {};
        // The string may stand at the end of what is mapped.
        Result<size_t> read = ReadMemory(TraceeAddress(reinterpret_cast<uint64_t>(map.l_name)),
                                         std::as_writable_bytes(std::span(path).first(sizeof path - 1)));
        REQUIRE(read.ok());
        found.libraries.push_back(
            {path, TraceeAddress(at), map.l_addr, TraceeAddress(reinterpret_cast<uint64_t>(map.l_ld))});
      }
      at = reinterpret_cast<uint64_t>(map.l_next);
    }
    return found;
  }

  bool tells_r_debug = true;

 private:
  std::string ReadFile(const std::string& name) {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/" + name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  template <typename T>
  T Read(uint64_t address) {
    T value{};
    Result<size_t> count = ReadMemory(TraceeAddress(address), std::as_writable_bytes(std::span(&value, 1)));
    REQUIRE(count.ok());
    REQUIRE(*count == sizeof value);
    return value;
  }

  // The kernel tells where a thread that waits in a system call stands.
  void AwaitPause() {
    constexpr int kPauseNumber = 34;
    for (int i = 0; i < 5000; ++i) {
      int number = 0;
      unsigned long stack = 0, pc = 0;
      std::string line = ReadFile("syscall");
      if (std::sscanf(line.c_str(), "%d %*x %*x %*x %*x %*x %*x %lx %lx", &number, &stack, &pc) == 3 &&
          number == kPauseNumber) {
        registers = {};
        registers.rsp = stack;
        registers.rip = pc;
        registers.fs_base = thread_pointer_;
        return;
      }
      ::usleep(1000);
    }
    FAIL("the program does not arrive at pause()");
  }

  pid_t pid_ = 0;
  unsigned long thread_pointer_ = 0, r_debug_ = 0;
};

std::string RunCommand(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string output;
  std::array<char, 4096> buffer;
  while (size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), count);
  ::pclose(pipe);
  return output;
}

TEST_CASE("rsp gdb: libraries, symbols and thread-local variables of a real process") {
  if (std::system("command -v gdb >/dev/null 2>&1 && command -v cc >/dev/null 2>&1") != 0) {
    std::printf("skipped: gdb or a C compiler is not installed\n");
    return;
  }
  PrivateDirectory directory;
  std::string program = directory.path() + "/waiting";
  std::ofstream(program + ".c") << kSource;
  REQUIRE(RunCommand("cc -g -O0 -o " + program + " " + program + ".c 2>&1") == "");
  WaitingProcess target(program);
  auto server = RspServer::Listen(target);
  REQUIRE(server.ok());
  const std::string command = "timeout 60 gdb -nx -q -batch -ex 'set sysroot /' -ex 'target remote " +
                              (*server)->address() +
                              "' -ex 'info sharedlibrary' -ex 'p ordinary_value' -ex 'p thread_local_value'"
                              " -ex 'p (int)errno' -ex 'info symbol $pc' -ex 'info proc mappings' 2>&1 </dev/null";
  for (bool tells_r_debug : {true, false}) {
    CAPTURE(tells_r_debug);
    target.tells_r_debug = tells_r_debug;
    std::string output = RunCommand(command);
    INFO(output);
    CHECK(output.find("warning") == std::string::npos);
    CHECK(output.find("libc.so.6") != std::string::npos);
    CHECK(output.find("$1 = 17\n") != std::string::npos);
    CHECK(output.find("$2 = 43\n") != std::string::npos);
    CHECK(output.find("$3 = 33\n") != std::string::npos);
    CHECK(output.find("pause + ") != std::string::npos);
    CHECK(output.find("[stack]") != std::string::npos);
  }
}

}  // namespace
}  // namespace chronofork
