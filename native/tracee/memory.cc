// Reading by /proc/PID/mem, which a tracer may use on any mapping.
//
// Not by process_vm_readv: it pins the pages that it reads, and the kernel
// (since 5.19, gup_must_unshare in mm/gup.c) gives a process a page of its own
// before that if it shares it with a fork. Each checkpoint that was compared
// would own all its memory from then on; measured, 100 MiB of shared pages take
// 111 ms and 100 MiB more, by /proc/PID/mem 47 ms and none.
#include "tracee/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "tracee/attachment.h"

namespace chronofork {
namespace {

constexpr size_t kPage = 4096;

Error Unreadable(TraceeAddress address, size_t length, int error_number, pid_t pid) {
  char text[96];
  std::snprintf(text, sizeof text, "Memory at 0x%llx (%zu bytes) cannot be read",
                static_cast<unsigned long long>(address.value), length);
  return SystemError("memoryUnreadable", text, error_number, pid);
}

}  // namespace

int TraceeMemory::MemFd() const {
  if (!mem_.valid()) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/mem", pid_);
    mem_ = ScopedFd(::open(path, O_RDWR | O_CLOEXEC));
  }
  return mem_.get();
}

size_t TraceeMemory::ReadSome(TraceeAddress address, std::span<std::byte> out) const {
  const size_t done = ReadAsItIs(address, out);
  if (hidden_.empty()) return done;
  const TraceeAddress end = address + done;
  for (auto at = hidden_.lower_bound(TraceeAddress(address.value - (sizeof(PatchBytes) - 1)));
       at != hidden_.end() && at->first < end; ++at)
    for (size_t i = 0; i < at->second.size(); ++i)
      if (const TraceeAddress byte = at->first + i; byte >= address && byte < end) out[byte - address] = at->second[i];
  return done;
}

size_t TraceeMemory::ReadAsItIs(TraceeAddress address, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    ssize_t n = ::pread(MemFd(), out.data() + done, out.size() - done, static_cast<off_t>(address.value + done));
    if (n <= 0) {
      // The vsyscall page is beyond what an offset of a file can be.
      iovec local{out.data() + done, std::min(out.size() - done, kPage - ((address.value + done) % kPage))};
      iovec remote{reinterpret_cast<void*>(address.value + done), local.iov_len};
      n = ::process_vm_readv(pid_, &local, 1, &remote, 1, 0);
      if (n <= 0) return done;
    }
    done += static_cast<size_t>(n);
  }
  return done;
}

Result<void> TraceeMemory::Read(TraceeAddress address, std::span<std::byte> out) const {
  if (ReadSome(address, out) != out.size()) return Unreadable(address, out.size(), errno ? errno : EFAULT, pid_);
  return {};
}

Result<void> TraceeMemory::Write(TraceeAddress address, std::span<const std::byte> bytes) const {
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t n = ::pwrite(MemFd(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(address.value + done));
    const int error_number = errno;
    if (n <= 0 && write_else) n = static_cast<ssize_t>(write_else(address + done, bytes.subspan(done)));
    if (n <= 0) {
      char text[96];
      std::snprintf(text, sizeof text, "Memory at 0x%llx cannot be written",
                    static_cast<unsigned long long>(address.value));
      return SystemError("memoryUnwritable", text, error_number, pid_);
    }
    done += static_cast<size_t>(n);
  }
  return {};
}

Result<std::string> TraceeMemory::ReadString(TraceeAddress address, size_t limit) const {
  std::string text;
  while (text.size() < limit) {
    std::byte chunk[256];
    size_t want = std::min({limit - text.size(), sizeof chunk, size_t{4096} - ((address.value + text.size()) & 4095)});
    size_t got = ReadSome(address + text.size(), std::span(chunk, want));
    if (got == 0) {
      if (text.empty()) return Unreadable(address, 1, EFAULT, pid_);
      break;
    }
    const char* begin = reinterpret_cast<const char*>(chunk);
    size_t length = ::strnlen(begin, got);
    text.append(begin, length);
    if (length < got) break;
  }
  return text;
}

std::string ReadProcText(pid_t pid, const std::string& name) {
  std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  ScopedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd.valid()) return text;
  char buffer[16384];
  for (ssize_t n; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  return text;
}

std::string ReadProcLink(pid_t pid, const std::string& name) {
  char target[PATH_MAX];
  const ssize_t n = ::readlink(("/proc/" + std::to_string(pid) + "/" + name).c_str(), target, sizeof target);
  return n > 0 ? std::string(target, static_cast<size_t>(n)) : std::string();
}

std::vector<Mapping> ReadMappings(pid_t pid) {
  std::vector<Mapping> mappings;
  std::string text = ReadProcText(pid, "maps");
  // A process whose first thread has ended shows its memory by the others alone.
  if (text.empty()) text = ReadProcText(LivingThreadOf(pid), "maps");
  size_t at = 0;
  while (at < text.size()) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    std::string line = text.substr(at, end - at);
    at = end + 1;
    unsigned long long start, stop, offset, major, minor, inode;
    char permissions[5];
    int path_at = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx %4s %llx %llx:%llx %llu %n", &start, &stop, permissions, &offset, &major,
                    &minor, &inode, &path_at) < 7)
      continue;
    Mapping m;
    m.range = {TraceeAddress(start), TraceeAddress(stop)};
    m.readable = permissions[0] == 'r';
    m.writable = permissions[1] == 'w';
    m.executable = permissions[2] == 'x';
    m.shared = permissions[3] == 's';
    m.offset = offset;
    m.device = major << 32 | minor;
    m.inode = inode;
    if (path_at > 0 && static_cast<size_t>(path_at) < line.size()) m.path = line.substr(static_cast<size_t>(path_at));
    mappings.push_back(std::move(m));
  }
  return mappings;
}

std::vector<AddressRange> MappedWithRoomToGrow(pid_t pid) {
  constexpr uint64_t kHeapRoomBytes = uint64_t{256} << 20, kStackRoomBytes = uint64_t{16} << 20;
  std::vector<AddressRange> ranges;
  for (const Mapping& mapping : ReadMappings(pid)) {
    AddressRange range = mapping.range;
    if (mapping.path == "[heap]") range.end = range.end + kHeapRoomBytes;
    if (mapping.path == "[stack]") range.start = range.start - kStackRoomBytes;
    ranges.push_back(range);
  }
  return ranges;
}

}  // namespace chronofork
