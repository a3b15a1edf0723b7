// Memory that the program shares: what cannot be is refused, and what a
// mapping or unmapping did to it is noted.
#include <errno.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/uapi.h"
#include "record/recorder.h"

namespace chronofork {
namespace {

bool IsSharedType(uint64_t flags) {
  return (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
}

// /proc/PID/fd/N is as accessible as the descriptor is (its owner's bits).
bool IsOpenForWriting(const std::string& link) {
  struct stat status {};
  return ::lstat(link.c_str(), &status) == 0 && (status.st_mode & S_IWUSR);
}

}  // namespace

// Of mmap and shmat: the error that they are answered with because a copy
// could not have such memory.
std::optional<int64_t> Recorder::RefuseSharing(const SyscallArguments& call) {
  uint64_t inode = 0, offset = 0, length = 0;
  std::string what;
  bool only_read = false;
  if (call.number == SYS_shmat) {
    shmid_ds segment{};
    const int id = static_cast<int>(call.values[0]);
    if (::shmctl(id, IPC_STAT, &segment) != 0) return std::nullopt;  // the kernel says why
    inode = call.values[0];
    length = segment.shm_segsz;
    what = "a segment of System V shared memory";
  } else {
    if (!IsSharedType(call.values[3]) || (call.values[3] & MAP_ANONYMOUS)) return std::nullopt;
    const std::string link =
        "/proc/" + std::to_string(live_.pid()) + "/fd/" + std::to_string(static_cast<int>(call.values[4]));
    const std::string path = ReadProcLink(live_.pid(), "fd/" + std::to_string(static_cast<int>(call.values[4])));
    struct stat status {};
    if (path.empty() || ::stat(link.c_str(), &status) != 0) return std::nullopt;
    // Files that live in memory are there for others to write, and a file that was opened for writing may be mapped for
    // it later, or be written by calls.
    const bool in_memory = path.starts_with("/dev/shm/") || path.starts_with("/memfd:");
    only_read = !(call.values[2] & PROT_WRITE);
    if (only_read && !in_memory && !IsOpenForWriting(link)) return std::nullopt;
    what = "the file " + path;
    if (!S_ISREG(status.st_mode)) {
      if (only_read) return std::nullopt;
      Tell("The program maps " + path +
           " for writing (MAP_SHARED), which is no file and is not recorded: mmap was answered with ENODEV.");
      ++refused_calls;
      return -ENODEV;
    }
    inode = status.st_ino;
    offset = call.values[5];
    length = (call.values[1] + 4095) & ~uint64_t{4095};
  }
  const bool is_attach = call.number == SYS_shmat;
  const std::string consequence = only_read   ? "in the past its contents are shown as they are now."
                                  : is_attach ? "shmat was answered with ENOMEM."
                                              : "mmap was answered with ENODEV.";
  if (TotalBytes(shared_.pages()) + length > SharedMemory::kMostBytes) {
    Tell("The program shares more than 64 MiB of memory (" + what +
         "), which every checkpoint would have to copy: " + consequence);
  } else if (shared_.HasMapped(inode, offset, length)) {
    Tell("The program maps " + what + " twice, and in a copy these would be two memories: " + consequence);
  } else {
    if (!is_attach) shared_.Add(inode);
    return std::nullopt;
  }
  if (only_read) return std::nullopt;
  ++refused_calls;
  return is_attach ? -ENOMEM : -ENODEV;
}

// As a call begins, and as it ends: both, because shared memory may be set
// back to what it was before the program changed it.
void Recorder::LookAtShared(const SyscallArguments& call) {
  // Of much, only where the call may wait for others, or may itself change it.
  constexpr uint64_t kLittleBytes = 256 << 10;
  if (shared_.empty()) return;
  const bool all = TotalBytes(shared_.pages()) <= kLittleBytes || RowFor(call.number).may_block ||
                   ClassFor(call) != SyscallClass::kEmulate;
  if (!all) return;
  for (MemoryWrite& write : shared_.Changes()) shared_changes_.push_back(std::move(write));
}

void Recorder::NoteSharing(const SyscallArguments& call, int64_t result, Event& event) {
  const TraceeAddress first(call.values[0]), made(static_cast<uint64_t>(result));
  auto pages = [](TraceeAddress start, uint64_t length) { return MakePageSet({{start, start + length}}); };
  switch (call.number) {
    case SYS_mmap: {
      const PageSet range = pages(made, call.values[1]);
      const bool stands_for_shared = (call.values[3] & MAP_TYPE) == MAP_SHARED && (call.values[3] & MAP_ANONYMOUS);
      alone_ = stands_for_shared ? Union(alone_, range) : Subtract(alone_, range);
      break;
    }
    case SYS_munmap: alone_ = Subtract(alone_, pages(first, call.values[1])); break;
    case SYS_mremap: {
      const PageSet from = pages(first, call.values[1]);
      const bool moved = !Intersect(alone_, from).empty();
      alone_ = Subtract(alone_, from);
      if (moved) alone_ = Union(alone_, pages(made, call.values[2]));
      break;
    }
    case SYS_shmdt: event.mapped = shared_.PieceAt(first); break;
    default: break;
  }
  const bool shares = call.number == SYS_shmat ||
                      (call.number == SYS_mmap && IsSharedType(call.values[3]) && !(call.values[3] & MAP_ANONYMOUS));
  if (!shares && shared_.empty()) return;
  shared_.Refresh();
  // What was found as the call began, and is unmapped by it, can be written nowhere.
  std::erase_if(shared_changes_, [this](const MemoryWrite& w) { return !Contains(shared_.pages(), w.address); });
  switch (call.number) {
    case SYS_mmap:
      // A replay gets the contents from the event.
      if (!shared_.PieceAt(made).length()) break;
      event.file.reset();
      Tell(
          "The program shares memory with other programs or a file. What they write there is seen in the past as of "
          "the program's next system call.");
      break;
    case SYS_shmat:
      event.mapped = shared_.PieceAt(made);
      Tell(
          "The program shares memory with other programs. What they write there is seen in the past as of the "
          "program's next system call.");
      break;
    case SYS_madvise:
      // Where it drops the contents of private memory, it drops them in a replay alone.
      if (call.values[2] == MADV_DONTNEED || call.values[2] == uapi::kAdviceDontNeedLocked)
        shared_.Forget(pages(first, call.values[1]));
      break;
    default: break;
  }
}

}  // namespace chronofork
