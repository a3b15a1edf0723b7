// Reading, carrying forward and restoring descriptor tables.
#include "timeline/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "tracee/core_page.h"

namespace chronofork {
namespace {

std::string LinkOf(pid_t pid, int fd) { return ReadProcLink(pid, "fd/" + std::to_string(fd)); }

int64_t NumberAfter(const std::string& text, const char* key, int base) {
  size_t at = text.find(key);
  return at == std::string::npos ? 0 : std::strtoll(text.c_str() + at + std::strlen(key), nullptr, base);
}

std::vector<int> OpenDescriptors(pid_t pid) {
  std::vector<int> numbers;
  std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), ::closedir);
  if (!dir) return numbers;
  while (dirent* entry = ::readdir(dir.get()))
    if (entry->d_name[0] != '.') numbers.push_back(std::atoi(entry->d_name));
  return numbers;
}

Descriptor Describe(pid_t pid, int fd) {
  Descriptor descriptor;
  descriptor.path = LinkOf(pid, fd);
  struct stat status {};
  std::string link = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd);
  descriptor.regular = ::stat(link.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  std::string info = ReadProcText(pid, "fdinfo/" + std::to_string(fd));
  descriptor.offset = NumberAfter(info, "pos:", 10);
  descriptor.flags = static_cast<int>(NumberAfter(info, "flags:", 8));
  descriptor.locked = info.find("\nlock:") != std::string::npos;
  return descriptor;
}

// One end of something whose other end tells when it is closed.
bool IsEnd(const std::string& path) {
  return path.starts_with("pipe:") || path.starts_with("socket:") || path.starts_with("/dev/pts/") ||
         path == "/dev/ptmx" || path == "/dev/pts/ptmx";
}

}  // namespace

DescriptorTable ReadDescriptors(pid_t pid) {
  DescriptorTable table;
  for (int fd : OpenDescriptors(pid)) table[fd] = Describe(pid, fd);
  return table;
}

void CarryForward(DescriptorTable& table, const Event& event) {
  if (event.kind != EventKind::kSyscall || event.result < 0 || event.restarted) return;
  int fd = static_cast<int>(event.arguments[0]);
  auto known = table.find(fd);
  auto advance = [&](int which, int64_t bytes) {
    auto found = table.find(which);
    if (found != table.end()) found->second.offset += bytes;
  };
  switch (event.number) {
    case SYS_open:
    case SYS_openat:
    case SYS_openat2:
    case SYS_creat: {
      Descriptor opened;
      opened.path = event.descriptor_path;
      opened.regular = event.descriptor_is_file;
      opened.flags = static_cast<int>(event.number == SYS_open     ? event.arguments[1]
                                      : event.number == SYS_openat ? event.arguments[2]
                                                                   : O_WRONLY);
      table[static_cast<int>(event.result)] = std::move(opened);
      break;
    }
    case SYS_close: table.erase(fd); break;
    case SYS_close_range:
      for (auto it = table.lower_bound(fd);
           it != table.end() && static_cast<uint64_t>(it->first) <= event.arguments[1];)
        it = table.erase(it);
      break;
    case SYS_dup:
      if (known != table.end()) table[static_cast<int>(event.result)] = known->second;
      break;
    case SYS_dup2:
    case SYS_dup3:
      if (known != table.end()) table[static_cast<int>(event.arguments[1])] = known->second;
      break;
    case SYS_fcntl:
      if (known == table.end()) break;
      if (event.arguments[1] == F_DUPFD || event.arguments[1] == F_DUPFD_CLOEXEC)
        table[static_cast<int>(event.result)] = known->second;
      break;
    case SYS_lseek:
      if (known != table.end()) known->second.offset = event.result;
      break;
    case SYS_read:
    case SYS_readv:
    case SYS_write:
    case SYS_writev: advance(fd, event.result); break;
    case SYS_sendfile:
      advance(fd, event.result);
      if (event.arguments[2] == 0) advance(static_cast<int>(event.arguments[1]), event.result);
      break;
    case SYS_pipe:
    case SYS_pipe2:
    case SYS_socketpair:
      if (!event.writes.empty() && event.writes[0].bytes.size() >= 8) {
        int pair[2];
        std::memcpy(pair, event.writes[0].bytes.data(), sizeof pair);
        for (int end : pair) table[end] = {event.number == SYS_socketpair ? "a socket" : "a pipe", 0, 0, false, false};
      }
      break;
    case SYS_socket:
    case SYS_accept:
    case SYS_accept4: table[static_cast<int>(event.result)] = {"a socket", 0, 0, false, false}; break;
    case SYS_epoll_create:
    case SYS_epoll_create1:
    case SYS_eventfd:
    case SYS_eventfd2:
    case SYS_timerfd_create:
    case SYS_signalfd:
    case SYS_signalfd4:
    case SYS_inotify_init:
    case SYS_inotify_init1:
    case SYS_memfd_create: table[static_cast<int>(event.result)] = {"a kernel object", 0, 0, false, false}; break;
    default: break;
  }
}

std::set<std::string> FilesWritten(DescriptorTable table, const EventLog& log, size_t from, size_t to) {
  std::set<std::string> names;
  for (size_t i = from; i < to; ++i) {
    const Event& event = log.at(i);
    if (event.kind == EventKind::kSyscall && event.result > 0) {
      switch (event.number) {
        case SYS_write:
        case SYS_pwrite64:
        case SYS_writev:
        case SYS_pwritev:
        case SYS_pwritev2:
        case SYS_sendfile: {
          auto found = table.find(static_cast<int>(event.arguments[0]));
          if (found != table.end() && found->second.regular) names.insert(found->second.path);
          break;
        }
        default: break;
      }
    }
    CarryForward(table, event);
  }
  return names;
}

Result<void> LetGoOfDescriptors(Tracee& copy, const DescriptorTable& table, const DescriptorTable& inherited) {
  for (const auto& [fd, descriptor] : table) {
    const std::string& path = descriptor.path;
    const auto number = static_cast<uint64_t>(fd);
    if (IsEnd(path)) {
      const bool was_there =
          std::any_of(inherited.begin(), inherited.end(), [&](const auto& entry) { return entry.second.path == path; });
      if (!was_there) CF_TRY(copy.Syscall(SYS_close, {number}));
      continue;
    }
    const bool writes = (descriptor.flags & (O_ACCMODE | O_PATH)) != 0 && (descriptor.flags & O_PATH) == 0;
    if (!descriptor.regular || (!writes && !descriptor.locked)) continue;
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    CF_TRY(copy.memory().Write(kScratchArea, std::as_bytes(std::span(link.c_str(), link.size() + 1))));
    CF_TRY_ASSIGN(int64_t pointer,
                  copy.Syscall(SYS_openat, {static_cast<uint64_t>(AT_FDCWD), kScratchArea.value, O_PATH}));
    if (pointer < 0) continue;  // no descriptor left, or no /proc: it stays as it is
    const uint64_t cloexec = static_cast<uint64_t>(descriptor.flags & O_CLOEXEC);
    CF_TRY(copy.Syscall(SYS_dup3, {static_cast<uint64_t>(pointer), number, cloexec}));
    CF_TRY(copy.Syscall(SYS_close, {static_cast<uint64_t>(pointer)}));
  }
  return {};
}

Result<std::vector<std::string>> RestoreDescriptors(Tracee& process, const DescriptorTable& wanted) {
  std::vector<std::string> lost;
  for (int fd : OpenDescriptors(process.pid()))
    if (!wanted.contains(fd)) CF_TRY(process.Syscall(SYS_close, {static_cast<uint64_t>(fd)}));
  for (const auto& [fd, descriptor] : wanted) {
    bool open_here = LinkOf(process.pid(), fd) == descriptor.path && !descriptor.path.empty();
    if (!descriptor.regular) {
      if (!open_here) lost.push_back("descriptor " + std::to_string(fd) + ", " + descriptor.path);
      continue;
    }
    // Opened anew, never shared with another copy: a shared open file has one offset.
    std::string path = open_here ? "/proc/self/fd/" + std::to_string(fd) : descriptor.path;
    CF_TRY(process.memory().Write(kScratchArea, std::as_bytes(std::span(path.c_str(), path.size() + 1))));
    uint64_t flags = static_cast<uint64_t>(descriptor.flags & ~(O_CREAT | O_EXCL | O_TRUNC));
    CF_TRY_ASSIGN(int64_t opened,
                  process.Syscall(SYS_openat, {static_cast<uint64_t>(AT_FDCWD), kScratchArea.value, flags}));
    if (opened < 0) {
      lost.push_back("descriptor " + std::to_string(fd) + ", " + descriptor.path);
      continue;
    }
    CF_TRY(process.Syscall(SYS_lseek,
                           {static_cast<uint64_t>(opened), static_cast<uint64_t>(descriptor.offset), SEEK_SET}));
    if (opened != fd) {
      uint64_t cloexec = static_cast<uint64_t>(descriptor.flags & O_CLOEXEC);
      CF_TRY(process.Syscall(SYS_dup3, {static_cast<uint64_t>(opened), static_cast<uint64_t>(fd), cloexec}));
      CF_TRY(process.Syscall(SYS_close, {static_cast<uint64_t>(opened)}));
    }
  }
  return lost;
}

}  // namespace chronofork
