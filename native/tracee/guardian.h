// Lets an attached process go properly even when we are killed.
//
// The kernel then takes our trace off and lets it run on; but rdtsc would still
// be fatal to it, and so would an int3 of ours. The guardian is a process of
// ours that does nothing until that moment: it waits for the end of a socket,
// and then attaches, changes back what is noted in memory that it shares with
// us, and ends. Between our end and its coming the debuggee runs unguarded for
// about a millisecond.
//
// Nothing remains of it when the debuggee is let go in the ordinary way.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/scoped_fd.h"
#include "base/tracee_address.h"

namespace chronofork {

// In shared memory, so that it is there when we are not: no pointers.
struct Leftovers {
  static constexpr size_t kMostThreads = 4096;
  static constexpr size_t kMostBytes = 65536;
  static constexpr size_t kMostPatches = 16;
  static constexpr size_t kPatchBytes = 8;
  struct Thread {
    pid_t tid;
    bool has_cpus;
    bool rseq_removed;
    int tsc_mode;
    cpu_set_t cpus;
    uint64_t rseq_address;
    uint32_t rseq_length, rseq_signature;
  };
  struct Byte {
    uint64_t address;
    std::byte original;
  };
  struct Patch {
    uint64_t address;
    std::byte original[kPatchBytes];
    std::byte code[kPatchBytes];
  };
  // Two tables, of which one is whole at any time.
  struct Table {
    size_t count;
    Thread threads[kMostThreads];
  };
  Table tables[2];
  std::atomic<unsigned> table;
  std::atomic<size_t> byte_count;
  Byte bytes[kMostBytes];
  size_t patch_count;
  Patch patches[kMostPatches];
  uint64_t vdso_start, vdso_end, vdso_return;
  int cpu;
};

class Guardian {
 public:
  // Null if it cannot be made: what it is for is then not had.
  static std::unique_ptr<Guardian> Start(pid_t pid);
  ~Guardian();  // it ends without doing anything

  Leftovers& leftovers() { return *leftovers_; }
  void NoteByte(TraceeAddress address, std::byte original);
  void ForgetByte(TraceeAddress address);

 private:
  Guardian(Leftovers* leftovers, ScopedFd socket) : leftovers_(leftovers), socket_(std::move(socket)) {}
  Leftovers* leftovers_;
  ScopedFd socket_;
};

}  // namespace chronofork
