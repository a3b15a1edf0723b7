// The files that gdb reads through us (vFile): programs and libraries as the
// debuggee sees them, and its /proc. Read only: whatever could write, create
// or block is refused.
//
// Files under /proc/PID come from the target, because the process that is
// shown may be a copy with another pid; they are read whole when opened.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/scoped_fd.h"
#include "timeline/debug_target.h"

namespace chronofork {

class DebuggeeFiles {
 public:
  explicit DebuggeeFiles(DebugTarget& target) : target_(target) {}

  // All return a non-negative number, or -errno.
  int Open(const std::string& path);
  int Close(uint64_t file);
  ssize_t Read(uint64_t file, uint64_t offset, std::span<std::byte> out);
  int Stat(uint64_t file, struct stat& out);
  int ReadLink(const std::string& path, std::string& out);

 private:
  struct OpenFile {
    ScopedFd fd;
    std::string content;  // when there is no fd
  };

  // The part of `path` behind /proc/PID/, if it is the debuggee's.
  std::optional<std::string> ProcName(const std::string& path) const;

  DebugTarget& target_;
  std::map<uint64_t, OpenFile> open_;
};

}  // namespace chronofork
