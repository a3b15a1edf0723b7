// Small programs for the core's tests: compiled on first use from
// test/programs/native, and run natively to learn what they do by themselves.
//
// Executables are kept in build/test-programs/native, or, where that cannot be
// written (another user runs the tests), in a temporary folder.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace chronofork::timeline_test {

// The executable made from test/programs/native/SOURCE; fails the test if it cannot be compiled.
std::string BuildDebuggee(const std::string& source, const std::string& flags = "-g -O1");

// A fresh empty folder, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string ReadWholeFile(const std::string& path);
void WriteWholeFile(const std::string& path, const std::string& text);

struct NativeRun {
  int exit_code = -1;  // -1: ended by `signal`
  int signal = 0;
  bool hung = false;
  std::string output;
};
// command[0] is an absolute path. Killed when it takes longer than `patience`.
NativeRun RunNatively(const std::vector<std::string>& command, const std::string& input, std::chrono::seconds patience);

// The names that a program of situations.h answers to --list.
std::vector<std::string> SituationsOf(const std::string& program);

// What both native and recorded runs get.
std::vector<std::string> TestEnvironment();

}  // namespace chronofork::timeline_test
