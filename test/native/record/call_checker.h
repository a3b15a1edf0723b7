// Makes real system calls with all their buffers in one arena full of noise, and
// checks that every byte that changed was foretold by OutRanges().
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "record/syscall_table.h"

namespace chronofork::testing {

enum class Expect {
  kWrites,   // it succeeds and changes memory
  kSilent,   // it succeeds or fails and changes nothing
  kPerhaps,  // depends on the machine; whatever it does must have been foretold
};

class CallChecker {
 public:
  CallChecker();
  ~CallChecker();
  CallChecker(const CallChecker&) = delete;
  CallChecker& operator=(const CallChecker&) = delete;

  // Memory for an argument, noise inside and around it.
  uint64_t Buffer(size_t bytes);
  template <typename T>
  uint64_t Put(const T& value) {
    uint64_t address = Buffer(sizeof(T));
    std::memcpy(reinterpret_cast<void*>(address), &value, sizeof(T));
    return address;
  }
  uint64_t Text(const std::string& text);
  template <typename T>
  static T Get(uint64_t address) {
    T value;
    std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof(T));
    return value;
  }

  // The raw result. Fails the test if a byte changed that was not foretold.
  int64_t Call(long number, std::initializer_list<uint64_t> values, Expect expect);

  // Numbers of the calls that succeeded and wrote.
  const std::set<long>& seen_writing() const { return seen_writing_; }
  // The same of all checkers that are gone, and how many these were.
  static const std::set<long>& seen_by_all() { return Total(); }
  static size_t checkers_made() { return checkers_made_; }

 private:
  static std::set<long>& Total();
  static inline size_t checkers_made_ = 0;

  std::byte* arena_;
  size_t used_ = 0;
  std::set<long> seen_writing_;
};

}  // namespace chronofork::testing
