// The debuggee's open files at a moment, as far as they can be given back:
// which regular file, how opened, at which offset.
//
// A table is read from /proc at each checkpoint and carried forward through the
// events after it. Pipes, sockets and terminals are only remembered as such:
// what went through them is gone.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/event_log.h"
#include "tracee/tracee.h"

namespace chronofork {

struct Descriptor {
  std::string path;
  int flags = 0;  // as of open(2)
  int64_t offset = 0;
  bool regular = false;
  bool locked = false;
};

using DescriptorTable = std::map<int, Descriptor>;

DescriptorTable ReadDescriptors(pid_t pid);
// Applies one event to the table.
void CarryForward(DescriptorTable& table, const Event& event);
// Names of regular files that the events [from, to) of `log` wrote to.
std::set<std::string> FilesWritten(DescriptorTable table, const EventLog& log, size_t from, size_t to);

// Lets go in a frozen copy of what others would feel that it holds. Pipes,
// sockets and terminals that the program has made are closed: whoever has the
// other end would never see it closed. What it was started with (`inherited`)
// stays. Files that it writes or has locked are only pointed at (O_PATH): their
// locks would outlive the program's own, and nobody could execute them.
Result<void> LetGoOfDescriptors(Tracee& copy, const DescriptorTable& table, const DescriptorTable& inherited);

// Makes the descriptors of a stopped copy what `wanted` says: regular files are
// opened again by their path and set to their offset, surplus ones closed.
// Returns what could not be given back, in words ("descriptor 5, a socket").
Result<std::vector<std::string>> RestoreDescriptors(Tracee& process, const DescriptorTable& wanted);

}  // namespace chronofork
