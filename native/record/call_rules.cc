// A short list of frequent calls, each with the memory that its row says it writes.
#include "record/call_rules.h"

#include <sys/syscall.h>

#include "base/assert.h"
#include "record/syscall_table.h"

namespace chronofork {
namespace {

// Not here: what changes memory's layout, threads or processes, and what needs more than these words.
constexpr int kFrequent[] = {
    SYS_read,           SYS_write,        SYS_pread64,      SYS_pwrite64,      SYS_writev,
    SYS_recvfrom,       SYS_sendto,       SYS_sendmsg,      SYS_lseek,         SYS_open,
    SYS_openat,         SYS_creat,        SYS_close,        SYS_dup,           SYS_dup2,
    SYS_dup3,           SYS_pipe,         SYS_pipe2,        SYS_stat,          SYS_fstat,
    SYS_lstat,          SYS_newfstatat,   SYS_statx,        SYS_access,        SYS_faccessat,
    SYS_faccessat2,     SYS_readlink,     SYS_readlinkat,   SYS_getdents64,    SYS_getcwd,
    SYS_fcntl,          SYS_flock,        SYS_fsync,        SYS_fdatasync,     SYS_truncate,
    SYS_ftruncate,      SYS_fallocate,    SYS_fadvise64,    SYS_readahead,     SYS_unlink,
    SYS_unlinkat,       SYS_rename,       SYS_renameat,     SYS_renameat2,     SYS_link,
    SYS_linkat,         SYS_symlink,      SYS_symlinkat,    SYS_mkdir,         SYS_mkdirat,
    SYS_rmdir,          SYS_chmod,        SYS_fchmod,       SYS_fchmodat,      SYS_chown,
    SYS_fchown,         SYS_fchownat,     SYS_utimensat,    SYS_statfs,        SYS_fstatfs,
    SYS_poll,           SYS_ppoll,        SYS_epoll_wait,   SYS_epoll_pwait,   SYS_epoll_ctl,
    SYS_futex,          SYS_time,         SYS_gettimeofday, SYS_clock_gettime, SYS_clock_getres,
    SYS_times,          SYS_getrusage,    SYS_getrandom,    SYS_uname,         SYS_sysinfo,
    SYS_getpid,         SYS_gettid,       SYS_getppid,      SYS_getuid,        SYS_geteuid,
    SYS_getgid,         SYS_getegid,      SYS_getpgrp,      SYS_setsockopt,    SYS_umask,
    SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_select,       SYS_pselect6,
};

// Answered by the recorder, or given the real numbers by it.
bool ConcernsNumbers(int number) { return number == SYS_getpid || number == SYS_gettid; }

// Those that are made again in a replay, and can be made there by the process itself.
bool IsMadeAgain(int number) {
  return number == SYS_umask || number == SYS_rt_sigprocmask || number == SYS_rt_sigaction;
}

// Rules that the table has as functions, by the conditions under which they are simple.
CallCondition ConditionOf(int number) {
  switch (number) {
    case SYS_fcntl: return kIfPlainFcntl;
    case SYS_futex: return kIfWake;
    case SYS_recvfrom: return kIfNoFifth;
    case SYS_ppoll: return kIfNoFourth;
    case SYS_epoll_pwait: return kIfNoFifth;
    case SYS_select: return kIfSmallSets;
    case SYS_pselect6: return kIfSmallSetsNoSixth;
    default: return kAlways;
  }
}

CallWait WaitOf(int number, const SyscallRow& row) {
  switch (number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_sendto: return kWaitsToWrite;
    case SYS_read:
    case SYS_pread64:
    case SYS_recvfrom: return kWaitsToRead;
    case SYS_getrandom:
    case SYS_fcntl:
    case SYS_futex: return kWaitsNever;
    default: return row.may_block ? kMayWait : kWaitsNever;
  }
}

CallOutput OutputOf(int number) {
  switch (number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_sendto: return kOutputBytes;
    case SYS_writev: return kOutputVector;
    default: return kOutputNone;
  }
}

bool Describe(const SyscallRow& row, CallRule& rule) {
  if (row.refusal != nullptr) return false;
  if (row.number == SYS_recvfrom) {
    rule.out[rule.out_count++] = {1, 2, CallRule::kResult, 0, 1};
    return true;
  }
  if (row.number == SYS_select || row.number == SYS_pselect6) {
    for (uint8_t set = 1; set <= 3; ++set) rule.out[rule.out_count++] = {set, 0, CallRule::kFixed, 0, 8};
    rule.out[rule.out_count++] = {4, 0, CallRule::kFixed, 1, 16};
    return true;
  }
  const bool by_condition = row.number == SYS_fcntl || row.number == SYS_futex;
  if ((row.out.rule != nullptr && !by_condition) || row.out.snapshot != nullptr) return false;
  for (const OutParameter& out : row.out.list) {
    if (out.size == OutParameter::Size::kNone) break;
    if (rule.out_count == kMostOuts) return false;
    CallRule::Out& to = rule.out[rule.out_count++];
    to.argument = static_cast<uint8_t>(out.argument);
    to.always = out.always;
    to.bytes = out.bytes;
    if (out.size != OutParameter::Size::kFixed) {
      if (out.other < 0) return false;
      to.other = static_cast<uint8_t>(out.other);
      to.length = out.size == OutParameter::Size::kResult ? CallRule::kResult : CallRule::kArgument;
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
    if ((executed_again && !IsMadeAgain(number)) || !Describe(row, rule)) continue;
    rule.allowed = 1;
    rule.condition = ConditionOf(number);
    rule.waits = WaitOf(number, row);
    rule.output = OutputOf(number);
    rule.opens = number == SYS_open || number == SYS_openat || number == SYS_creat;
    rule.again = executed_again;
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
