// Opening, reading and describing files for gdb.
#include "rsp/debuggee_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace chronofork {
namespace {

// gdb has a handful open at most; a client gone wrong must not use up our descriptors.
constexpr size_t kMaxOpenFiles = 64;

}  // namespace

std::optional<std::string> DebuggeeFiles::ProcName(const std::string& path) const {
  std::string prefix = "/proc/" + std::to_string(target_.pid()) + "/";
  if (!path.starts_with(prefix)) return std::nullopt;
  std::string name = path.substr(prefix.size());
  // /proc/PID/task/TID/NAME: the same but for what is the thread's own.
  for (const TargetThread& thread : target_.Threads()) {
    std::string task = "task/" + std::to_string(thread.tid) + "/";
    if (thread.tid == target_.pid() && name.starts_with(task)) name = name.substr(task.size());
  }
  return name;
}

int DebuggeeFiles::Open(const std::string& path) {
  if (open_.size() >= kMaxOpenFiles) return -EMFILE;
  if (path.find('\0') != std::string::npos) return -EINVAL;
  OpenFile file;
  if (std::optional<std::string> name = ProcName(path)) {
    // What is as large as the address space is read with `m`.
    if (name->find("..") != std::string::npos || *name == "mem" || *name == "pagemap") return -EACCES;
    Result<std::string> content = target_.ReadProcFile(*name);
    if (!content) return content.error().error_number != 0 ? -content.error().error_number : -ENOENT;
    file.content = std::move(content).value();
  } else {
    // O_NONBLOCK: a FIFO must not hang us.
    file.fd = ScopedFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!file.fd.valid()) return -errno;
    struct stat status;
    if (::fstat(file.fd.get(), &status) != 0) return -errno;
    if (S_ISDIR(status.st_mode)) return -EISDIR;
    if (!S_ISREG(status.st_mode)) return -EACCES;
  }
  uint64_t number = 0;
  while (open_.contains(number)) ++number;
  open_.emplace(number, std::move(file));
  return static_cast<int>(number);
}

int DebuggeeFiles::Close(uint64_t file) { return open_.erase(file) == 1 ? 0 : -EBADF; }

ssize_t DebuggeeFiles::Read(uint64_t file, uint64_t offset, std::span<std::byte> out) {
  auto found = open_.find(file);
  if (found == open_.end()) return -EBADF;
  if (offset > LLONG_MAX) return -EINVAL;
  if (found->second.fd.valid()) {
    ssize_t count;
    do count = ::pread(found->second.fd.get(), out.data(), out.size(), static_cast<off_t>(offset));
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
  }
  const std::string& content = found->second.content;
  if (offset >= content.size()) return 0;
  size_t count = std::min(out.size(), content.size() - static_cast<size_t>(offset));
  std::memcpy(out.data(), content.data() + offset, count);
  return static_cast<ssize_t>(count);
}

int DebuggeeFiles::Stat(uint64_t file, struct stat& out) {
  auto found = open_.find(file);
  if (found == open_.end()) return -EBADF;
  if (found->second.fd.valid()) return ::fstat(found->second.fd.get(), &out) == 0 ? 0 : -errno;
  out = {};
  out.st_mode = S_IFREG | 0444;
  out.st_nlink = 1;
  out.st_size = static_cast<off_t>(found->second.content.size());
  return 0;
}

int DebuggeeFiles::ReadLink(const std::string& path, std::string& out) {
  if (path.find('\0') != std::string::npos) return -EINVAL;
  if (std::optional<std::string> name = ProcName(path)) {
    if (*name == "exe") {
      out = target_.ExecutablePath();
      return 0;
    }
    if (*name != "cwd" && *name != "root") return -EINVAL;
    Result<std::string> link = target_.ReadProcFile(*name);
    if (!link) return -ENOENT;
    out = std::move(link).value();
    return 0;
  }
  char buffer[PATH_MAX];
  ssize_t length = ::readlink(path.c_str(), buffer, sizeof buffer);
  if (length < 0) return -errno;
  out.assign(buffer, static_cast<size_t>(length));
  return 0;
}

}  // namespace chronofork
