// Compiles the small programs that the tests debug, once.
#include "debuggee.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/scoped_fd.h"

namespace chronofork::timeline_test {
namespace {

namespace fs = std::filesystem;

constexpr char kSources[] = "test/programs/native/";

std::string ProgramsFolder() {
  static const std::string folder = [] {
    std::error_code ignored;
    const fs::path wanted = fs::absolute("build/test-programs/native");
    fs::create_directories(wanted, ignored);
    if (::access(wanted.c_str(), W_OK) == 0) return wanted.string();
    static const TemporaryFolder own;
    return own.path();
  }();
  return folder;
}

}  // namespace

std::string BuildDebuggee(const std::string& source, const std::string& flags) {
  std::string name = source + flags;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ' ' || c == '/' || c == '='; }, '_');
  const std::string program = ProgramsFolder() + "/" + name;
  const fs::path path = kSources + source;
  REQUIRE_MESSAGE(fs::exists(path), path, " is missing: the tests run from the repository's root");
  auto newest = std::max(fs::last_write_time(path), fs::last_write_time(std::string(kSources) + "situations.h"));
  const auto is_fresh = [&] { return fs::exists(program) && fs::last_write_time(program) > newest; };
  if (is_fresh()) return program;
  // Test cases run side by side: whoever comes second must not replace a program that runs already.
  const ScopedFd lock(::open((program + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  REQUIRE(lock.valid());
  REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
  if (is_fresh()) return program;
  const std::string compiler = source.ends_with(".cc") ? "g++ -std=c++20 " : "gcc ";
  const std::string made = program + "." + std::to_string(::getpid());
  const std::string command = compiler + flags + " -w -o '" + made + "' " + path.string() + " -lm -lpthread";
  REQUIRE_MESSAGE(::system(command.c_str()) == 0, command);
  fs::rename(made, program);
  return program;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "chronofork-test-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string ReadWholeFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void WriteWholeFile(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::vector<std::string> TestEnvironment() {
  return {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "HOME=/tmp", "TZ=UTC", "PYTHONDONTWRITEBYTECODE=1"};
}

NativeRun RunNatively(const std::vector<std::string>& command, const std::string& input,
                      std::chrono::seconds patience) {
  TemporaryFolder files, folder;
  WriteWholeFile(files.path() + "/in", input);
  const std::string in = files.path() + "/in", out = files.path() + "/out";
  std::vector<std::string> environment = TestEnvironment();
  std::vector<char*> argv, envp;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& entry : environment) envp.push_back(const_cast<char*>(entry.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setsid();
    ::dup2(::open(in.c_str(), O_RDONLY), 0);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 1);
    ::dup2(::open("/dev/null", O_WRONLY), 2);
    ::close_range(3, ~0u, 0);
    if (::chdir(folder.path().c_str()) != 0) ::_exit(126);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  NativeRun run;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      run.hung = true;
      ::kill(-pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      break;
    }
    ::usleep(1000);
  }
  if (WIFEXITED(status))
    run.exit_code = WEXITSTATUS(status);
  else
    run.signal = WTERMSIG(status);
  run.output = ReadWholeFile(out);
  return run;
}

std::vector<std::string> SituationsOf(const std::string& program) {
  std::istringstream lines(RunNatively({program, "--list"}, "", std::chrono::seconds(10)).output);
  std::vector<std::string> names;
  for (std::string name; std::getline(lines, name);) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace chronofork::timeline_test
