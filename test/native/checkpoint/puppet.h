// A real child process that does what it is told, so that dirty pages are
// tested without ptrace: it makes system calls, writes and reads bytes on
// command, and otherwise waits (in a read(): as good as stopped).
#pragma once

#include <array>
#include <cstdint>

#include "base/scoped_fd.h"
#include "checkpoint/dirty_pages.h"

namespace chronofork::testing {

class Puppet : public DirtyPagesHost {
 public:
  Puppet();
  ~Puppet() override;
  Puppet(const Puppet&) = delete;
  Puppet& operator=(const Puppet&) = delete;

  pid_t pid() const override { return pid_; }
  Result<int64_t> Syscall(long number, std::array<uint64_t, 6> arguments) override;
  Result<void> Read(TraceeAddress address, std::span<std::byte> out) override;
  Result<void> Write(TraceeAddress address, std::span<const std::byte> bytes) override;
  TraceeAddress ScratchArea() override { return scratch_; }

  // `page_count` fresh private anonymous pages, each an ordinary small page.
  TraceeAddress Map(uint64_t page_count);
  void Store(TraceeAddress address, uint8_t value);  // one byte, by the puppet's own hand
  uint8_t Load(TraceeAddress address);
  // A system call that must succeed.
  int64_t Call(long number, std::array<uint64_t, 6> arguments);
  // Forks a copy that shares all pages and stands still until the puppet ends
  // or forks again.
  void ForkHolder();

 private:
  int64_t Command(long number, const std::array<uint64_t, 6>& arguments);

  pid_t pid_ = -1;
  ScopedFd socket_;
  TraceeAddress scratch_;
};

}  // namespace chronofork::testing
