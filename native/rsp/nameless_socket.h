// A listening Unix socket that leaves nothing in the file system: not even when
// this process is killed.
//
//     mkdtemp (0700) ─▶ bind ─▶ open(O_PATH) ─▶ unlink, rmdir
//
// A socket can only be reached by a path; the descriptor that is kept of its
// file gives it one, /proc/PID/fd/N, which goes with the process, and which only
// processes of the same user may follow.
#pragma once

#include <string>

#include "base/result.h"
#include "base/scoped_fd.h"

namespace chronofork {

struct NamelessSocket {
  ScopedFd listener;
  ScopedFd file;  // O_PATH
  // Where clients connect: works with connect() as any socket's path does.
  std::string address;

  // In the folder for temporary files. Error: "socketFailed".
  static Result<NamelessSocket> Listen();
};

}  // namespace chronofork
