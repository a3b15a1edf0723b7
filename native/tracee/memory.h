// The memory of another process, by its pid. Works on any stopped process that
// we trace; writes go through /proc/PID/mem and so reach read-only text too.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/scoped_fd.h"
#include "base/tracee_address.h"

namespace chronofork {

// A breakpoint instruction.
inline constexpr std::byte kInt3Byte{0xcc};

class TraceeMemory {
 public:
  explicit TraceeMemory(pid_t pid) : pid_(pid) {}

  // Reads all of `out`, or fails. Errors: "memoryUnreadable".
  Result<void> Read(TraceeAddress address, std::span<std::byte> out) const;
  // Reads up to the first unreadable byte; the count may be 0.
  size_t ReadSome(TraceeAddress address, std::span<std::byte> out) const;
  // The same without what patches hide: what the processor executes.
  size_t ReadAsItIs(TraceeAddress address, std::span<std::byte> out) const;
  Result<void> Write(TraceeAddress address, std::span<const std::byte> bytes) const;

  template <typename T>
  Result<T> ReadValue(TraceeAddress address) const {
    T value;
    CF_TRY(Read(address, std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }
  template <typename T>
  Result<void> WriteValue(TraceeAddress address, const T& value) const {
    return Write(address, std::as_bytes(std::span(&value, 1)));
  }
  // A zero-terminated string, cut at `limit` bytes.
  Result<std::string> ReadString(TraceeAddress address, size_t limit) const;

  // What writes where the kernel does not, and answers how many bytes: see own_memory.h.
  std::function<size_t(TraceeAddress, std::span<const std::byte>)> write_else;
  // A patch of ours at a system call: every read shows `original` there.
  using PatchBytes = std::array<std::byte, 5>;
  void Hide(TraceeAddress patch, const PatchBytes& original) { hidden_[patch] = original; }
  void Unhide(TraceeAddress patch) { hidden_.erase(patch); }

  // After execve: what was open belongs to the former address space.
  void AddressSpaceChanged() {
    mem_.Reset();
    hidden_.clear();
  }

 private:
  int MemFd() const;  // opened on first use

  pid_t pid_;
  mutable ScopedFd mem_;
  std::map<TraceeAddress, PatchBytes> hidden_;
};

// One line of /proc/PID/maps.
struct Mapping {
  AddressRange range;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;
  uint64_t offset = 0;
  uint64_t device = 0;  // of the file system that `inode` is of: major << 32 | minor
  uint64_t inode = 0;
  std::string path;  // "", a file, "[heap]", "[stack]", "[vdso]" …
};

// All mappings of a process, in order. Empty if the process is gone.
std::vector<Mapping> ReadMappings(pid_t pid);
// The addresses that are in use, and those that the heap and the stack may grow into.
std::vector<AddressRange> MappedWithRoomToGrow(pid_t pid);

// Where the link /proc/PID/NAME ("exe", "fd/3") leads; empty when it cannot be read.
std::string ReadProcLink(pid_t pid, const std::string& name);

// The whole of /proc/PID/NAME; nullopt-like empty string when it cannot be read.
std::string ReadProcText(pid_t pid, const std::string& name);

}  // namespace chronofork
