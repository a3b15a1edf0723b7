// What the kernel says of a process as a whole: its time, its memory, whether it is ending.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tracee/tracee.h"

namespace chronofork {

uint64_t Tracee::CpuTimeNs() const {
  clockid_t clock;
  timespec t;
  if (::clock_getcpuclockid(leader_, &clock) != 0 || ::clock_gettime(clock, &t) != 0) return 0;
  return time_before_ns_ + static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

bool Tracee::IsEnding() const {
  // Of the thread that is looked at: the first one may have ended long before the others.
  const std::string text = ReadProcText(tid_, "stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return true;
  char state = 'X';
  unsigned flags = 0;
  // What follows the name: state, ppid, pgrp, session, tty, tpgid, flags (proc_pid_stat(5)).
  if (std::sscanf(text.c_str() + name_end + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2) return true;
  constexpr unsigned kExiting = 0x4;  // PF_EXITING of the kernel's sched.h
  return state == 'Z' || state == 'X' || (flags & kExiting) != 0;
}

void Tracee::CountCpuTimeFrom(uint64_t time_ns) {
  time_before_ns_ = 0;
  uint64_t own_ns = CpuTimeNs();
  time_before_ns_ = time_ns > own_ns ? time_ns - own_ns : 0;
}

uint64_t Tracee::PrivateBytes() const {
  std::string text = ReadProcText(pid_, "smaps_rollup");
  uint64_t total = 0;
  for (const char* key : {"Private_Clean:", "Private_Dirty:"}) {
    size_t at = text.find(key);
    if (at != std::string::npos) total += std::strtoull(text.c_str() + at + std::strlen(key), nullptr, 10) * 1024;
  }
  return total;
}

}  // namespace chronofork
