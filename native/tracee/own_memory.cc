// Remote memfd_create and mmap; contents go from memfd to memfd by what the holes leave.
#include "tracee/own_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "tracee/core_page.h"
#include "tracee/tracee.h"

namespace chronofork {
namespace {

constexpr char kName[] = "chronofork-own";
constexpr uint64_t kPage = 4096;
// Offsets are anywhere below this, and what is not written takes no room.
constexpr off_t kMostBytes = std::numeric_limits<off_t>::max() & ~static_cast<off_t>(kPage - 1);
constexpr size_t kChunkBytes = 256 * 1024;

Error Impossible(const char* doing, int error_number, pid_t pid) {
  Error error = SystemError(
      "forkRefused", std::string("A copy of the program's shared memory cannot be made: ") + doing, error_number, pid);
  if (error_number == EMFILE) error.remedy = "Raise the limit of open files (ulimit -n).";
  return error;
}

Result<void> WriteAt(int fd, uint64_t offset, std::span<const std::byte> bytes, pid_t pid) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n <= 0) return Impossible("write", errno, pid);
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += static_cast<size_t>(n);
  }
  return {};
}

bool IsZero(std::span<const std::byte> bytes) {
  return bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// The pages of `range` that hold anything, to `offset` of the memfd.
Result<void> CopyFromMemory(const Tracee& process, const AddressRange& range, int fd, uint64_t offset) {
  std::vector<std::byte> chunk(kChunkBytes);
  for (TraceeAddress at = range.start; at < range.end; at = at + kChunkBytes) {
    const std::span<std::byte> wanted(chunk.data(), std::min<uint64_t>(kChunkBytes, range.end - at));
    for (uint64_t page = 0; page < wanted.size(); page += kPage) {
      // What cannot be read lies beyond the end of a file.
      const std::span<std::byte> bytes = wanted.subspan(page, kPage);
      std::fill(bytes.begin() + static_cast<long>(process.memory().ReadSome(at + page, bytes)), bytes.end(),
                std::byte{0});
      if (!IsZero(bytes)) CF_TRY(WriteAt(fd, offset + (at + page - range.start), bytes, process.pid()));
    }
  }
  return {};
}

// [from, to) of one memfd to the same place in another, which is empty.
Result<void> CopyObject(int source, int target, uint64_t from, uint64_t to, pid_t pid) {
  std::vector<std::byte> chunk(kChunkBytes);
  while (from < to) {
    const off_t data = ::lseek(source, static_cast<off_t>(from), SEEK_DATA);
    if (data < 0) return errno == ENXIO ? Result<void>() : Impossible("seek", errno, pid);
    const off_t hole = ::lseek(source, data, SEEK_HOLE);
    if (hole < 0) return Impossible("seek", errno, pid);
    const uint64_t end = std::min(to, static_cast<uint64_t>(hole));
    for (from = static_cast<uint64_t>(data); from < end;) {
      const ssize_t n =
          ::pread(source, chunk.data(), std::min<uint64_t>(kChunkBytes, end - from), static_cast<off_t>(from));
      if (n <= 0) return Impossible("read", errno, pid);
      CF_TRY(WriteAt(target, from, std::span(chunk.data(), static_cast<size_t>(n)), pid));
      from += static_cast<uint64_t>(n);
    }
  }
  return {};
}

// Offsets of an object as a set of pages.
AddressRange OffsetsOf(uint64_t offset, uint64_t length) {
  return {TraceeAddress(offset), TraceeAddress(offset + length)};
}

bool CoversAll(const std::vector<AddressRange>& ranges, AddressRange wanted) {
  for (bool found = true; found && wanted.start < wanted.end;) {
    found = false;
    for (const AddressRange& range : ranges) {
      if (!range.Contains(wanted.start)) continue;
      wanted.start = range.end;
      found = true;
    }
  }
  return wanted.start >= wanted.end;
}

}  // namespace

bool IsOwnMemory(const Mapping& mapping) {
  return mapping.shared && mapping.path.starts_with(std::string("/memfd:") + kName + " ");
}

bool Tracee::Owns(const Mapping& mapping) const {
  return own_memory_.fd.valid() && mapping.shared && mapping.inode == own_memory_.inode &&
         mapping.device == own_memory_.device;
}

// Makes the object; its descriptor in the process, where it is still open.
Result<int64_t> Tracee::MakeOwnMemory() {
  CF_TRY(memory_.Write(kScratchArea, std::as_bytes(std::span(kName))));
  CF_TRY_ASSIGN(const int64_t remote, Syscall(SYS_memfd_create, {kScratchArea.value, MFD_CLOEXEC}));
  if (remote < 0) return Impossible("memfd_create", static_cast<int>(-remote), pid_);
  const std::string link = "/proc/" + std::to_string(pid_) + "/fd/" + std::to_string(remote);
  ScopedFd fd(::open(link.c_str(), O_RDWR | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || ::ftruncate(fd.get(), kMostBytes) != 0 || ::fstat(fd.get(), &status) != 0) {
    const int error_number = errno;
    CF_TRY(Syscall(SYS_close, {static_cast<uint64_t>(remote)}));
    return Impossible("open", error_number, pid_);
  }
  own_memory_ = {std::move(fd), uint64_t{major(status.st_dev)} << 32 | minor(status.st_dev), status.st_ino};
  memory_.write_else = [this](TraceeAddress at, std::span<const std::byte> bytes) -> size_t {
    for (const Mapping& mapping : ReadMappings(pid_)) {
      if (!mapping.range.Contains(at) || !Owns(mapping)) continue;
      const ssize_t n =
          ::pwrite(own_memory_.fd.get(), bytes.data(), std::min<uint64_t>(bytes.size(), mapping.range.end - at),
                   static_cast<off_t>(mapping.offset + (at - mapping.range.start)));
      return n > 0 ? static_cast<size_t>(n) : 0;
    }
    return 0;
  };
  return remote;
}

Result<void> Tracee::MapOwnMemory(const Mapping& place, uint64_t offset, int64_t descriptor) {
  const uint64_t protection =
      (place.readable ? PROT_READ : 0) | (place.writable ? PROT_WRITE : 0) | (place.executable ? PROT_EXEC : 0);
  CF_TRY_ASSIGN(const int64_t mapped,
                Syscall(SYS_mmap, {place.range.start.value, place.range.length(), protection, MAP_SHARED | MAP_FIXED,
                                   static_cast<uint64_t>(descriptor), offset}));
  if (static_cast<uint64_t>(mapped) == place.range.start.value) return {};
  return Impossible("mmap", static_cast<int>(-mapped), pid_);
}

Result<void> Tracee::JoinMemory(std::span<const JoinedPart> parts) {
  if (parts.empty()) return {};
  int64_t remote = -1;
  const bool is_new = !own_memory_.fd.valid();
  if (!is_new) {
    const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(own_memory_.fd.get());
    CF_TRY(memory_.Write(kScratchArea, std::as_bytes(std::span(path.c_str(), path.size() + 1))));
    CF_TRY_ASSIGN(remote,
                  Syscall(SYS_openat, {static_cast<uint64_t>(AT_FDCWD), kScratchArea.value, O_RDWR | O_CLOEXEC}));
    if (remote < 0) return Impossible("open", static_cast<int>(-remote), pid_);
  } else {
    CF_TRY_ASSIGN(remote, MakeOwnMemory());
  }
  const std::vector<Mapping> mappings = ReadMappings(pid_);
  std::vector<AddressRange> filled;  // what of the object is its contents, and not left over
  for (const Mapping& mapping : mappings)
    if (Owns(mapping)) filled.push_back(OffsetsOf(mapping.offset, mapping.range.length()));
  for (const JoinedPart& part : parts) {
    for (Mapping place : mappings) {
      if (!place.range.Overlaps(part.range) || Owns(place)) continue;
      place.range = {std::max(place.range.start, part.range.start), std::min(place.range.end, part.range.end)};
      const uint64_t offset = part.offset + (place.range.start - part.range.start), length = place.range.length();
      for (uint64_t page = 0; page < length; page += kPage)
        if (!is_new && !CoversAll(filled, OffsetsOf(offset + page, kPage)) &&
            ::fallocate(own_memory_.fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        static_cast<off_t>(offset + page), kPage) != 0)
          return Impossible("fallocate", errno, pid_);
      filled.push_back(OffsetsOf(offset, length));
      // A page that is empty here may be one that is mapped elsewhere already: it keeps what it has.
      CF_TRY(CopyFromMemory(*this, place.range, own_memory_.fd.get(), offset));
      CF_TRY(MapOwnMemory(place, offset, remote));
    }
  }
  CF_TRY(Syscall(SYS_close, {static_cast<uint64_t>(remote)}));
  return {};
}

// To a fork of this process, just made.
Result<void> Tracee::GiveOwnMemory(Tracee& copy) const {
  if (!own_memory_.fd.valid()) return {};
  int64_t remote = -1;
  std::vector<AddressRange> copied;
  for (const Mapping& mapping : ReadMappings(copy.pid_)) {
    if (!Owns(mapping)) continue;
    if (remote < 0) {
      CF_TRY_ASSIGN(remote, copy.MakeOwnMemory());
    }
    const AddressRange there = OffsetsOf(mapping.offset, mapping.range.length());
    if (!CoversAll(copied, there))
      CF_TRY(CopyObject(own_memory_.fd.get(), copy.own_memory_.fd.get(), there.start.value, there.end.value, pid_));
    copied.push_back(there);
    CF_TRY(copy.MapOwnMemory(mapping, mapping.offset, remote));
  }
  if (remote >= 0) CF_TRY(copy.Syscall(SYS_close, {static_cast<uint64_t>(remote)}));
  return {};
}

}  // namespace chronofork
