// Memory that the program shares: what cannot be is refused, and what a
// mapping or unmapping did to it is noted.
#include <errno.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "kernel/uapi.h"
#include "record/recorder.h"

namespace chronofork {
namespace {

bool IsSharedType(uint64_t flags) {
  return (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
}

// When the pool is used up, the kernel takes huge pages from a fork as its parent
// writes to them. Without a pool it refuses them by itself.
bool HasHugePages() {
  std::error_code failed;
  for (const auto& size : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", failed))
    for (const char* count : {"nr_hugepages", "nr_overcommit_hugepages"}) {
      uint64_t pages = 0;
      if (!(std::ifstream(size.path() / count) >> pages) || pages > 0) return true;
    }
  return static_cast<bool>(failed);
}

// Where others find it by its name, or were given its descriptor.
bool LivesInMemory(const std::string& path) {
  return path.starts_with("/dev/shm/") || path.starts_with("/memfd:") || path.starts_with("/dev/zero");
}

// Where memory of the file faults, and a copy's own memory would not.
bool EndsBehind(int64_t size_bytes, uint64_t offset) {
  return offset > ((static_cast<uint64_t>(size_bytes) + 4095) & ~uint64_t{4095});
}

// The file that a process has mapped privately when it is attached to; null where there is none, or it has no name.
std::shared_ptr<const MappedFile> FileOf(pid_t pid, const Mapping& mapping) {
  if (mapping.shared || mapping.inode == 0 || !mapping.path.starts_with("/")) return nullptr;
  std::shared_ptr<MappedFile> file =
      MappedFile::Open("/proc/" + std::to_string(pid) + "/root" + mapping.path, mapping.path);
  return file->is_regular && file->inode == mapping.inode ? file : nullptr;
}

// /proc/PID/fd/N is as accessible as the descriptor is (its owner's bits).
bool IsOpenForWriting(const std::filesystem::path& link) {
  struct stat status {};
  return ::lstat(link.c_str(), &status) == 0 && (status.st_mode & S_IWUSR);
}

}  // namespace

// The files that the process can write to: by a call, or by mapping them later.
std::set<uint64_t> Recorder::InodesHeldForWriting() const {
  std::set<uint64_t> inodes;
  std::error_code failed;
  const std::string folder = "/proc/" + std::to_string(live_.pid()) + "/fd";
  for (const auto& link : std::filesystem::directory_iterator(folder, failed)) {
    struct stat status {};
    if (IsOpenForWriting(link.path()) && ::stat(link.path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      inodes.insert(status.st_ino);
  }
  return inodes;
}

// Of mmap and shmat: the error that they are answered with because a copy
// could not have such memory.
std::optional<int64_t> Recorder::RefuseSharing(const SyscallArguments& call) {
  uint64_t inode = 0, offset = 0, length = 0;
  std::string what;
  bool only_read = false;
  maps_shared_ = false;
  if (call.number == SYS_shmat) {
    shmid_ds segment{};
    const int id = static_cast<int>(call.values[0]);
    if (::shmctl(id, IPC_STAT, &segment) != 0) return std::nullopt;  // the kernel says why
    inode = call.values[0];
    length = segment.shm_segsz;
    what = "a segment of System V shared memory";
  } else {
    if ((call.values[3] & MAP_HUGETLB) && HasHugePages()) {
      Tell(
          "The program asks for memory from the pool of huge pages (MAP_HUGETLB), of which each checkpoint would need "
          "its own: mmap was answered with ENOMEM, as where the pool is empty. madvise(MADV_HUGEPAGE) is recorded.");
      ++refused_calls;
      return -ENOMEM;
    }
    if (call.values[3] & MAP_ANONYMOUS) return std::nullopt;
    const std::string link =
        "/proc/" + std::to_string(live_.pid()) + "/fd/" + std::to_string(static_cast<int>(call.values[4]));
    const std::string path = ReadProcLink(live_.pid(), "fd/" + std::to_string(static_cast<int>(call.values[4])));
    struct stat status {};
    if (path.empty() || ::stat(link.c_str(), &status) != 0) return std::nullopt;
    // Files that live in memory are there for others to write, and a file that is open for writing may be written by
    // calls, or be mapped for it. Private memory shows what is written to its file, too, until the program writes
    // there.
    const bool is_private = !IsSharedType(call.values[3]);
    only_read = is_private || !(call.values[2] & PROT_WRITE);
    const bool is_written_by_others = !is_private && LivesInMemory(path);
    // Code is left to those who patch it, and trap its instructions.
    if (is_private && (call.values[2] & PROT_EXEC)) return std::nullopt;
    if (is_private && EndsBehind(status.st_size, call.values[5] + call.values[1])) return std::nullopt;
    if (only_read && !is_written_by_others && !InodesHeldForWriting().contains(status.st_ino)) return std::nullopt;
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
  maps_shared_ = !is_attach && shared_.BytesWith(inode, offset, length) <= SharedMemory::kMostBytes;
  if (maps_shared_ || shared_.BytesWith(inode, offset, length) <= SharedMemory::kMostBytes) return std::nullopt;
  Tell("The program shares more than 64 MiB of memory (" + what + "), which every checkpoint would have to copy: " +
       (only_read   ? "in the past its contents are shown as they are now."
        : is_attach ? "shmat was answered with ENOMEM."
                    : "mmap was answered with ENODEV."));
  if (only_read) return std::nullopt;
  ++refused_calls;
  return is_attach ? -ENOMEM : -ENODEV;
}

void Recorder::NoteMappedFile(const std::shared_ptr<const MappedFile>& file) {
  if (!file || !file->is_regular) return;
  // A library is mapped in pieces, one after another.
  if (!mapped_files_.empty() && mapped_files_.back()->inode == file->inode) return;
  mapped_files_.push_back(file);
}

// A copy, and a replay that maps the file again, see it as it is now.
void Recorder::TellOfChangedFiles() {
  std::erase_if(mapped_files_, [this](const std::shared_ptr<const MappedFile>& file) {
    if (!file->WasChanged()) return false;
    Tell("The file " + file->path +
         ", which the program has mapped, was changed later: what the past shows of its contents may be newer than it "
         "should be.");
    return true;
  });
}

// What a process that is attached to, or was another's child, shares already.
void Recorder::TakeOverSharing() {
  uint64_t bytes = 0;
  const std::set<uint64_t> held = InodesHeldForWriting();
  shared_.TakeOver([&](const Mapping& mapping) {
    if (!mapping.shared) {
      const std::shared_ptr<const MappedFile> file = FileOf(live_.pid(), mapping);
      const uint64_t length = mapping.range.length();
      if (file && !mapping.executable && held.contains(mapping.inode) && bytes + length <= SharedMemory::kMostBytes &&
          !EndsBehind(file->size_bytes, mapping.offset + length)) {
        bytes += length;
        return false;
      }
      NoteMappedFile(file);
      return true;
    }
    const bool has_no_file = mapping.path.starts_with("/SYSV") || mapping.path.starts_with("/dev/zero");
    const bool in_memory = has_no_file || LivesInMemory(mapping.path);
    if (!mapping.writable && !in_memory) return true;
    const bool is_device = !mapping.path.starts_with("/") || (mapping.path.starts_with("/dev/") && !in_memory);
    if (!is_device && !has_no_file) bytes += mapping.range.length();
    const bool refused = is_device || (!has_no_file && bytes > SharedMemory::kMostBytes);
    if (is_device)
      Tell("The program has mapped " + mapping.path +
           ", which is not recorded: what it reads there in the past is what is there now, and a replay that depends "
           "on it ends with an error.");
    else if (refused)
      Tell("The program shares more than 64 MiB of memory (" + mapping.path +
           "), which every checkpoint would have to copy: in the past its contents are shown as they are now.");
    else
      Tell(
          "The program shares memory with other programs or a file. What they write there is seen in the past as of "
          "the program's next system call.");
    return refused;
  });
}

// Private memory stands for shared memory as long as nobody else has it. Before
// a call that would show the difference, it becomes what it stands for.
bool Recorder::ShowsStandIn(const SyscallArguments& call) const {
  const bool doubles = call.number == SYS_mremap && (call.values[1] == 0 || (call.values[3] & MREMAP_DONTUNMAP));
  const bool drops =
      call.number == SYS_madvise && (call.values[2] == MADV_DONTNEED || call.values[2] == MADV_REMOVE ||
                                     call.values[2] == MADV_FREE || call.values[2] == uapi::kAdviceDontNeedLocked);
  const TraceeAddress first(call.values[0]);
  return (doubles || drops) && Overlaps(alone_, {first, first + (doubles ? 1 : call.values[1])});
}

Result<void> Recorder::ShareStandIn() {
  if (alone_.empty()) return {};
  CF_TRY(shared_.Share(std::exchange(alone_, {})));
  if (dirty_pages) dirty_pages->MappingsChanged();
  return {};
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

namespace {

// What `call` does to the memory that stands for shared memory.
void FollowStandIn(PageSet& alone, const SyscallArguments& call, int64_t result, bool any_shared) {
  const TraceeAddress first(call.values[0]), made(static_cast<uint64_t>(result));
  auto pages = [](TraceeAddress start, uint64_t length) { return MakePageSet({{start, start + length}}); };
  switch (call.number) {
    case SYS_mmap: {
      const PageSet range = pages(made, call.values[1]);
      const bool stands_for_shared = IsSharedType(call.values[3]) && (any_shared || (call.values[3] & MAP_ANONYMOUS));
      alone = stands_for_shared ? Union(alone, range) : Subtract(alone, range);
      break;
    }
    case SYS_munmap: alone = Subtract(alone, pages(first, call.values[1])); break;
    case SYS_mremap: {
      const PageSet from = pages(first, call.values[1]);
      const bool moved = !Intersect(alone, from).empty();
      alone = Subtract(alone, from);
      if (moved) alone = Union(alone, pages(made, call.values[2]));
      break;
    }
    default: break;
  }
}

}  // namespace

// A branch has for itself what the program has shared until `count` events had passed.
void Recorder::AdoptSharing(size_t count) {
  shared_.Refresh();
  static_cast<void>(shared_.Changes());
  for (size_t i = 0; i < count; ++i) {
    if (log_.IsRecord(i)) continue;  // nothing is mapped without a stop
    const Event& event = log_.at(i);
    if (event.kind != EventKind::kSyscall || event.syscall_class != SyscallClass::kExecute || event.result < 0)
      continue;
    NoteMappedFile(event.file);
    const SyscallArguments call{event.number, event.arguments};
    if (call.number == SYS_shmat) alone_ = Union(alone_, MakePageSet({event.mapped}));
    if (call.number == SYS_shmdt) alone_ = Subtract(alone_, MakePageSet({event.mapped}));
    FollowStandIn(alone_, call, event.result, !event.file);
  }
  alone_ = Subtract(alone_, shared_.pages());
}

void Recorder::NoteSharing(const SyscallArguments& call, int64_t result, Event& event) {
  const TraceeAddress first(call.values[0]), made(static_cast<uint64_t>(result));
  FollowStandIn(alone_, call, result, false);
  if (call.number == SYS_shmdt) event.mapped = shared_.PieceAt(first);
  const bool shares = call.number == SYS_shmat || (call.number == SYS_mmap && !(call.values[3] & MAP_ANONYMOUS) &&
                                                   (maps_shared_ || IsSharedType(call.values[3])));
  const auto touches = [&](TraceeAddress start, uint64_t length) {
    return Overlaps(shared_.pages(), {start, start + std::max<uint64_t>(length, 1)});
  };
  const bool concerned = touches(first, call.values[1]) || call.number == SYS_shmdt ||
                         (call.number == SYS_mmap && touches(made, call.values[1])) ||
                         (call.number == SYS_mremap && touches(made, call.values[2]));
  if (!shares && !concerned) return;
  shared_.Refresh(call.number == SYS_mmap && maps_shared_ ? std::optional(made) : std::nullopt);
  // What was found as the call began, and is unmapped by it, can be written nowhere.
  std::erase_if(shared_changes_, [this](const MemoryWrite& w) { return !Contains(shared_.pages(), w.address); });
  switch (call.number) {
    case SYS_mmap:
      // A replay gets the contents from the event.
      if (!Contains(shared_.pages(), made)) break;
      event.file.reset();
      event.joined = shared_.PartsWith(made);
      Tell(
          "The program shares memory with other programs or a file. What they write there is seen in the past as of "
          "the program's next system call.");
      break;
    case SYS_shmat:
      event.mapped = shared_.PieceAt(made);
      event.joined = shared_.PartsWith(made);
      Tell(
          "The program shares memory with other programs. What they write there is seen in the past as of the "
          "program's next system call.");
      break;
    case SYS_mremap: event.joined = shared_.PartsWith(made); break;
    case SYS_madvise:
      // Where it drops the contents of private memory, it drops them in a replay alone.
      if (call.values[2] == MADV_DONTNEED || call.values[2] == uapi::kAdviceDontNeedLocked)
        shared_.Forget(MakePageSet({{first, first + call.values[1]}}));
      break;
    default: break;
  }
}

}  // namespace chronofork
