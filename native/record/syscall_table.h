// What recording must know of each system call of x86-64 Linux (0 … 462, as
// of 6.12): what a replay does with it, and which memory of the debuggee the
// kernel wrote.
//
//     at entry:  row = RowFor(n); RefusalFor(call, …); snapshot = SnapshotAtEntry(call, read)
//     at exit:   ranges = OutRanges(call, result, read, snapshot)
//                known:   log the bytes of these ranges
//                nullopt: log the dirty pages since the entry
//
// Ranges never leave out a byte that the kernel wrote; they may hold bytes that
// it did not write (harmless: those read the same in the replay), and even
// bytes that are not mapped, where the program gave a length beyond its buffer:
// log the readable part. A result of -EFAULT is always answered with nullopt.
//
// Not here: performing or answering calls, and the calls of class kProcess,
// which the recorder handles by hand.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tracee_address.h"
#include "record/out_parameters.h"

namespace chronofork {

enum class SyscallClass {
  kExecute,       // performed again in the replay: memory layout, signal actions, the thread's own state
  kEmulate,       // result and memory from the log; no effect on the world
  kSwallow,       // as kEmulate in the replay, but when recorded the world saw it (write, unlink, kill)
  kSchedule,      // as kEmulate in the replay; waits, so it is where threads are switched
  kProcess,       // makes, changes or ends processes and threads: by hand
  kRefuse,        // cannot be recorded: `refusal` says so
  kByDirtyPages,  // not known in detail: as kSwallow, its memory recorded as dirty pages
};

const char* SyscallClassName(SyscallClass cls);

struct SyscallRow {
  long number = -1;
  const char* name = "unknown";
  SyscallClass cls = SyscallClass::kByDirtyPages;
  OutParameters out;              // the memory that it writes; see out_parameters.h
  const char* refusal = nullptr;  // kRefuse: a sentence for the user, with what can be done
  // kRefuse: not 0 if programs have a fallback: answer this errno instead of
  // ending the recording (io_uring_setup: ENOSYS, as on an older kernel).
  int answer_errno = 0;
  // May sleep until something outside happens (read from a pipe, accept).
  bool may_block = false;
};

// Also for numbers that no kernel knows: kByDirtyPages, "unknown". Cheap.
const SyscallRow& RowFor(long number);

// The row's class, made precise for calls that are many calls in one (prctl,
// fcntl, ioctl, futex, arch_prctl, shmctl …).
SyscallClass ClassFor(const SyscallArguments& call);

// What must be read at entry, because the kernel overwrites it: in-out length
// words, message headers, iovec arrays. Empty, and without reading, for most calls.
EntrySnapshot SnapshotAtEntry(const SyscallArguments& call, const MemoryReaderFn& read);

// What the kernel wrote, once the result is known; `read` reads the debuggee's
// memory after the call. nullopt: not known by the table: record its dirty pages.
std::optional<std::vector<AddressRange>> OutRanges(const SyscallArguments& call, int64_t result,
                                                   const MemoryReaderFn& read, const EntrySnapshot& at_entry);

// What a descriptor of the debuggee is: the text of /proc/PID/fd/N
// ("/dev/dri/card0", "anon_inode:[perf_event]", "socket:[1234]"); empty if it is not open.
using DescriptorPathFn = std::function<std::string(int descriptor)>;

// Why this call cannot be recorded, as a sentence with a remedy; nullopt: it
// can. Covers kRefuse rows and calls that are refused for their arguments (the
// ioctls of a GPU, a shared mapping of a device).
std::optional<std::string> RefusalFor(const SyscallArguments& call, const DescriptorPathFn& descriptor_path);

}  // namespace chronofork
