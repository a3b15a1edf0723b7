// A short list of frequent calls, each with the memory that its row says it writes.
#include "record/call_rules.h"

#include <sys/syscall.h>

#include "base/assert.h"
#include "record/syscall_table.h"

namespace chronofork {
namespace {

// Not here: what changes memory's layout, signals or threads, opens files (a
// branch must know which), or waits for more than one descriptor.
constexpr int kFrequent[] = {
    SYS_read,      SYS_write,      SYS_pread64,    SYS_pwrite64, SYS_lseek,        SYS_close,         SYS_stat,
    SYS_fstat,     SYS_lstat,      SYS_newfstatat, SYS_statx,    SYS_access,       SYS_faccessat,     SYS_faccessat2,
    SYS_readlink,  SYS_readlinkat, SYS_getdents64, SYS_getcwd,   SYS_fcntl,        SYS_futex,         SYS_fsync,
    SYS_fdatasync, SYS_ftruncate,  SYS_unlink,     SYS_time,     SYS_gettimeofday, SYS_clock_gettime, SYS_clock_getres,
    SYS_times,     SYS_getrusage,  SYS_getrandom,  SYS_uname,    SYS_sysinfo,      SYS_statfs,        SYS_fstatfs,
    SYS_getpid,    SYS_gettid,     SYS_getppid,    SYS_getuid,   SYS_geteuid,      SYS_getgid,        SYS_getegid,
    SYS_getpgrp,   SYS_dup,        SYS_umask,      SYS_sendto,
};

// Answered by the recorder, or given the real numbers by it.
bool ConcernsNumbers(int number) { return number == SYS_getpid || number == SYS_gettid; }

bool Describe(const SyscallRow& row, CallRule& rule) {
  if (row.out.rule != nullptr && row.number != SYS_fcntl && row.number != SYS_futex) return false;
  if (row.out.snapshot != nullptr || row.refusal != nullptr) return false;
  for (const OutParameter& out : row.out.list) {
    if (out.size == OutParameter::Size::kNone) break;
    if (rule.out_count == kMostOuts || out.always) return false;
    CallRule::Out& to = rule.out[rule.out_count++];
    to.argument = static_cast<uint8_t>(out.argument);
    if (out.size == OutParameter::Size::kFixed) {
      to.bytes = static_cast<uint16_t>(out.bytes);
    } else if (out.size == OutParameter::Size::kResult && out.bytes == 1 && out.other >= 0) {
      to.limit = static_cast<uint8_t>(out.other);
    } else {
      return false;
    }
  }
  return true;
}

CallRules MakeRules(bool renamed) {
  CallRules rules{};
  for (const int number : kFrequent) {
    if (renamed && ConcernsNumbers(number)) continue;
    const SyscallRow& row = RowFor(number);
    const bool executed_again = row.cls == SyscallClass::kExecute || row.cls == SyscallClass::kProcess;
    CallRule rule{};
    if (executed_again || !Describe(row, rule)) continue;
    rule.allowed = 1;
    const bool sends = number == SYS_write || number == SYS_pwrite64 || number == SYS_sendto;
    rule.writes = sends;
    rule.reads = !sends && row.may_block;
    if (number == SYS_getrandom) rule.reads = 0;  // no descriptor
    if (number == SYS_fcntl) rule.check = kCheckFcntl;
    if (number == SYS_futex) {
      rule.check = kCheckFutex;
      rule.reads = 0;
    }
    rules[static_cast<size_t>(number)] = rule;
  }
  return rules;
}

}  // namespace

const CallRules& CallRulesFor(bool renamed) {
  static const CallRules rules = MakeRules(false), of_branches = MakeRules(true);
  return renamed ? of_branches : rules;
}

}  // namespace chronofork
