// The table: one row for every system call of x86-64 Linux 6.12, by number.
//
//     Row(number, name, class, what it writes …)
//
// Outs name the argument that is the pointer, counted from 0:
//     Fixed(1, 144)      on success, 144 bytes at argument 1
//     Always(1, 16)      the same, whatever the result (remaining times)
//     Result(1, 2)       result bytes at argument 1, at most argument 2's value
//     Result(1, 2, 12)   result items of 12 bytes, at most argument 2's value of them
//     Count(0, 1, 8)     argument 1's value times 8 bytes at argument 0
//     a rule             a function of out_rules.h
//
// Sizes are the kernel's own structures on x86-64 (include/uapi), which differ
// from glibc's for some (sigset_t: 8 bytes, termios: 36). Classes of calls that
// are many calls in one are made precise by ClassFor() in syscall_classes.cc.
#include "record/syscall_rows.h"

#include <errno.h>

#include "record/out_rules.h"

namespace chronofork {
namespace {

using enum SyscallClass;

constexpr OutParameter Fixed(int argument, uint32_t bytes) {
  return {OutParameter::Size::kFixed, static_cast<int8_t>(argument), -1, false, bytes};
}
constexpr OutParameter Always(int argument, uint32_t bytes) {
  return {OutParameter::Size::kFixed, static_cast<int8_t>(argument), -1, true, bytes};
}
constexpr OutParameter Result(int argument, int limit = -1, uint32_t unit = 1) {
  return {OutParameter::Size::kResult, static_cast<int8_t>(argument), static_cast<int8_t>(limit), false, unit};
}
constexpr OutParameter Count(int argument, int count, uint32_t unit = 1) {
  return {OutParameter::Size::kArgument, static_cast<int8_t>(argument), static_cast<int8_t>(count), false, unit};
}
constexpr OutParameter CountAlways(int argument, int count, uint32_t unit) {
  return {OutParameter::Size::kArgument, static_cast<int8_t>(argument), static_cast<int8_t>(count), true, unit};
}

struct MayBlockMark {};
constexpr MayBlockMark kMayBlock;
struct Answer {
  int error_number;
};

constexpr void Add(SyscallRow& row, size_t& used, OutParameter out) { row.out.list[used++] = out; }
constexpr void Add(SyscallRow& row, size_t&, OutRule rule) { row.out.rule = rule; }
constexpr void Add(SyscallRow& row, size_t&, SnapshotRule rule) { row.out.snapshot = rule; }
constexpr void Add(SyscallRow& row, size_t&, MayBlockMark) { row.may_block = true; }
constexpr void Add(SyscallRow& row, size_t&, const char* refusal) { row.refusal = refusal; }
constexpr void Add(SyscallRow& row, size_t&, Answer answer) { row.answer_errno = answer.error_number; }

template <typename... Parts>
constexpr SyscallRow Row(long number, const char* name, SyscallClass cls, Parts... parts) {
  SyscallRow row;
  row.number = number;
  row.name = name;
  row.cls = cls;
  [[maybe_unused]] size_t used = 0;
  (Add(row, used, parts), ...);
  return row;
}

// struct sizes, x86-64
constexpr uint32_t kStat = 144, kStatfs = 120, kStatx = 256, kTimespec = 16, kTimeval = 16, kItimer = 32;
constexpr uint32_t kRusage = 144, kSiginfo = 128, kTimex = 208, kRlimit = 16, kPollfd = 8, kEpollEvent = 12;

constexpr char kAioRefusal[] =
    "The program uses Linux native asynchronous I/O (io_setup), whose results appear in memory at any time. Make it "
    "use ordinary reads and writes, often an option such as \"aio=threads\".";
constexpr char kUringRefusal[] =
    "The program uses io_uring, whose results appear in memory at any time. Make it use another way of input and "
    "output, often an option or an environment variable (for libuv: UV_USE_IO_URING=0).";
constexpr char kRemapRefusal[] =
    "The program maps the pages of a file in another order (remap_file_pages), a call that is deprecated and not "
    "recorded. Make it use mmap.";
constexpr char kPortRefusal[] =
    "The program asks for direct access to hardware ports, whose values cannot be recorded. Run it without.";

using namespace out_rules;

constexpr SyscallRow kRows[] = {
    Row(0, "read", kEmulate, Result(1, 2), kMayBlock),
    Row(1, "write", kSwallow, kMayBlock),
    Row(2, "open", kEmulate, kMayBlock),  // creating or truncating: kSwallow, see ClassFor
    Row(3, "close", kEmulate),
    Row(4, "stat", kEmulate, Fixed(1, kStat)),
    Row(5, "fstat", kEmulate, Fixed(1, kStat)),
    Row(6, "lstat", kEmulate, Fixed(1, kStat)),
    Row(7, "poll", kSchedule, CountAlways(0, 1, kPollfd), kMayBlock),
    Row(8, "lseek", kEmulate),
    Row(9, "mmap", kExecute),
    Row(10, "mprotect", kExecute),
    Row(11, "munmap", kExecute),
    Row(12, "brk", kExecute),
    Row(13, "rt_sigaction", kExecute, Fixed(2, 32)),
    Row(14, "rt_sigprocmask", kExecute, Count(2, 3)),
    Row(15, "rt_sigreturn", kExecute),
    Row(16, "ioctl", kSwallow, Ioctl, kMayBlock),
    Row(17, "pread64", kEmulate, Result(1, 2), kMayBlock),
    Row(18, "pwrite64", kSwallow, kMayBlock),
    Row(19, "readv", kEmulate, ReadIovec, SnapshotIovec, kMayBlock),
    Row(20, "writev", kSwallow, kMayBlock),
    Row(21, "access", kEmulate),
    Row(22, "pipe", kEmulate, Fixed(0, 8)),
    Row(23, "select", kSchedule, Select, kMayBlock),
    Row(24, "sched_yield", kSchedule),
    Row(25, "mremap", kExecute),
    Row(26, "msync", kSwallow),
    Row(27, "mincore", kEmulate, Mincore),
    Row(28, "madvise", kExecute),
    Row(29, "shmget", kSwallow),
    Row(30, "shmat", kExecute),
    Row(31, "shmctl", kSwallow, Shmctl),
    Row(32, "dup", kEmulate),
    Row(33, "dup2", kEmulate),
    Row(34, "pause", kSchedule, kMayBlock),
    Row(35, "nanosleep", kSchedule, Always(1, kTimespec), kMayBlock),
    Row(36, "getitimer", kEmulate, Fixed(1, kItimer)),
    Row(37, "alarm", kEmulate),
    Row(38, "setitimer", kEmulate, Fixed(2, kItimer)),
    Row(39, "getpid", kEmulate),
    Row(40, "sendfile", kSwallow, Always(2, 8), kMayBlock),
    Row(41, "socket", kEmulate),
    Row(42, "connect", kSwallow, kMayBlock),
    Row(43, "accept", kEmulate, SocketName, SnapshotSocketName, kMayBlock),
    Row(44, "sendto", kSwallow, kMayBlock),
    Row(45, "recvfrom", kEmulate, Recvfrom, SnapshotRecvfrom, kMayBlock),
    Row(46, "sendmsg", kSwallow, kMayBlock),
    Row(47, "recvmsg", kEmulate, Recvmsg, SnapshotRecvmsg, kMayBlock),
    Row(48, "shutdown", kSwallow),
    Row(49, "bind", kSwallow),
    Row(50, "listen", kSwallow),
    Row(51, "getsockname", kEmulate, SocketName, SnapshotSocketName),
    Row(52, "getpeername", kEmulate, SocketName, SnapshotSocketName),
    Row(53, "socketpair", kEmulate, Always(3, 8)),
    Row(54, "setsockopt", kSwallow),
    Row(55, "getsockopt", kEmulate, Getsockopt, SnapshotGetsockopt),
    Row(56, "clone", kProcess, Fixed(2, 4), Fixed(3, 4)),
    Row(57, "fork", kProcess),
    Row(58, "vfork", kProcess),
    Row(59, "execve", kProcess),
    Row(60, "exit", kProcess),
    Row(61, "wait4", kSchedule, Always(1, 4), Always(3, kRusage), kMayBlock),
    Row(62, "kill", kSwallow),
    Row(63, "uname", kEmulate, Fixed(0, 390)),
    Row(64, "semget", kSwallow),
    Row(65, "semop", kSwallow, kMayBlock),
    Row(66, "semctl", kSwallow, Semctl),
    Row(67, "shmdt", kExecute),
    Row(68, "msgget", kSwallow),
    Row(69, "msgsnd", kSwallow, kMayBlock),
    Row(70, "msgrcv", kSwallow, Msgrcv, kMayBlock),
    Row(71, "msgctl", kSwallow, Msgctl),
    Row(72, "fcntl", kEmulate, Fcntl),  // locks: kSwallow or kSchedule, see ClassFor
    Row(73, "flock", kSwallow, kMayBlock),
    Row(74, "fsync", kSwallow),
    Row(75, "fdatasync", kSwallow),
    Row(76, "truncate", kSwallow),
    Row(77, "ftruncate", kSwallow),
    Row(78, "getdents", kEmulate, Result(1, 2)),
    Row(79, "getcwd", kEmulate, Result(0, 1)),
    Row(80, "chdir", kEmulate),
    Row(81, "fchdir", kEmulate),
    Row(82, "rename", kSwallow),
    Row(83, "mkdir", kSwallow),
    Row(84, "rmdir", kSwallow),
    Row(85, "creat", kSwallow),
    Row(86, "link", kSwallow),
    Row(87, "unlink", kSwallow),
    Row(88, "symlink", kSwallow),
    Row(89, "readlink", kEmulate, Result(1, 2)),
    Row(90, "chmod", kSwallow),
    Row(91, "fchmod", kSwallow),
    Row(92, "chown", kSwallow),
    Row(93, "fchown", kSwallow),
    Row(94, "lchown", kSwallow),
    Row(95, "umask", kExecute),
    Row(96, "gettimeofday", kEmulate, Fixed(0, kTimeval), Fixed(1, 8)),
    Row(97, "getrlimit", kEmulate, Fixed(1, kRlimit)),
    Row(98, "getrusage", kEmulate, Fixed(1, kRusage)),
    Row(99, "sysinfo", kEmulate, Fixed(0, 112)),
    Row(100, "times", kEmulate, Fixed(0, 32)),
    Row(101, "ptrace", kRefuse, ByDirtyPages,
        "The program traces another one (ptrace), and a traced program cannot be a tracer's recording. Debug the other "
        "program directly, or turn the tracing off."),
    Row(102, "getuid", kEmulate),
    Row(103, "syslog", kEmulate, Result(1, 2), kMayBlock),
    Row(104, "getgid", kEmulate),
    Row(105, "setuid", kEmulate),
    Row(106, "setgid", kEmulate),
    Row(107, "geteuid", kEmulate),
    Row(108, "getegid", kEmulate),
    Row(109, "setpgid", kSwallow),
    Row(110, "getppid", kEmulate),
    Row(111, "getpgrp", kEmulate),
    Row(112, "setsid", kSwallow),
    Row(113, "setreuid", kEmulate),
    Row(114, "setregid", kEmulate),
    Row(115, "getgroups", kEmulate, Result(1, 0, 4)),
    Row(116, "setgroups", kEmulate),
    Row(117, "setresuid", kEmulate),
    Row(118, "getresuid", kEmulate, Fixed(0, 4), Fixed(1, 4), Fixed(2, 4)),
    Row(119, "setresgid", kEmulate),
    Row(120, "getresgid", kEmulate, Fixed(0, 4), Fixed(1, 4), Fixed(2, 4)),
    Row(121, "getpgid", kEmulate),
    Row(122, "setfsuid", kEmulate),
    Row(123, "setfsgid", kEmulate),
    Row(124, "getsid", kEmulate),
    Row(125, "capget", kEmulate, Always(0, 8), Fixed(1, 24)),  // EINVAL writes the version that it wants
    Row(126, "capset", kEmulate, Always(0, 8)),
    Row(127, "rt_sigpending", kEmulate, Count(0, 1)),
    Row(128, "rt_sigtimedwait", kSchedule, Fixed(1, kSiginfo), kMayBlock),
    Row(129, "rt_sigqueueinfo", kSwallow),
    Row(130, "rt_sigsuspend", kSchedule, kMayBlock),
    Row(131, "sigaltstack", kExecute, Fixed(1, 24)),
    Row(132, "utime", kSwallow),
    Row(133, "mknod", kSwallow),
    Row(134, "uselib", kEmulate),  // always ENOSYS in these kernels
    Row(135, "personality", kExecute),
    Row(136, "ustat", kEmulate, Fixed(1, 32)),
    Row(137, "statfs", kEmulate, Fixed(1, kStatfs)),
    Row(138, "fstatfs", kEmulate, Fixed(1, kStatfs)),
    Row(139, "sysfs", kEmulate, ByDirtyPages),  // a name without a length
    Row(140, "getpriority", kEmulate),
    Row(141, "setpriority", kEmulate),
    Row(142, "sched_setparam", kEmulate),
    Row(143, "sched_getparam", kEmulate, Fixed(1, 4)),
    Row(144, "sched_setscheduler", kEmulate),
    Row(145, "sched_getscheduler", kEmulate),
    Row(146, "sched_get_priority_max", kEmulate),
    Row(147, "sched_get_priority_min", kEmulate),
    Row(148, "sched_rr_get_interval", kEmulate, Fixed(1, kTimespec)),
    Row(149, "mlock", kEmulate),
    Row(150, "munlock", kEmulate),
    Row(151, "mlockall", kEmulate),
    Row(152, "munlockall", kEmulate),
    Row(153, "vhangup", kSwallow),
    Row(154, "modify_ldt", kExecute, Result(1, 2)),  // errors come as positive 32-bit numbers: the limit matters
    Row(155, "pivot_root", kSwallow),
    Row(156, "_sysctl", kEmulate),  // always ENOSYS in these kernels
    Row(157, "prctl", kEmulate, Prctl),
    Row(158, "arch_prctl", kExecute, ArchPrctl),
    Row(159, "adjtimex", kSwallow, Fixed(0, kTimex)),
    Row(160, "setrlimit", kEmulate),
    Row(161, "chroot", kSwallow),
    Row(162, "sync", kSwallow),
    Row(163, "acct", kSwallow),
    Row(164, "settimeofday", kSwallow),
    Row(165, "mount", kSwallow),
    Row(166, "umount2", kSwallow),
    Row(167, "swapon", kSwallow),
    Row(168, "swapoff", kSwallow),
    Row(169, "reboot", kSwallow),
    Row(170, "sethostname", kSwallow),
    Row(171, "setdomainname", kSwallow),
    Row(172, "iopl", kRefuse, Answer{EPERM}, kPortRefusal),
    Row(173, "ioperm", kRefuse, Answer{EPERM}, kPortRefusal),
    Row(174, "create_module", kEmulate),  // always ENOSYS in these kernels
    Row(175, "init_module", kSwallow),
    Row(176, "delete_module", kSwallow),
    Row(177, "get_kernel_syms", kEmulate),  // always ENOSYS in these kernels
    Row(178, "query_module", kEmulate),     // always ENOSYS in these kernels
    Row(179, "quotactl", kByDirtyPages),
    Row(180, "nfsservctl", kEmulate),   // always ENOSYS in these kernels
    Row(181, "getpmsg", kEmulate),      // always ENOSYS in these kernels
    Row(182, "putpmsg", kEmulate),      // always ENOSYS in these kernels
    Row(183, "afs_syscall", kEmulate),  // always ENOSYS in these kernels
    Row(184, "tuxcall", kEmulate),      // always ENOSYS in these kernels
    Row(185, "security", kEmulate),     // always ENOSYS in these kernels
    Row(186, "gettid", kEmulate),
    Row(187, "readahead", kEmulate),
    Row(188, "setxattr", kSwallow),
    Row(189, "lsetxattr", kSwallow),
    Row(190, "fsetxattr", kSwallow),
    Row(191, "getxattr", kEmulate, Result(2, 3)),
    Row(192, "lgetxattr", kEmulate, Result(2, 3)),
    Row(193, "fgetxattr", kEmulate, Result(2, 3)),
    Row(194, "listxattr", kEmulate, Result(1, 2)),
    Row(195, "llistxattr", kEmulate, Result(1, 2)),
    Row(196, "flistxattr", kEmulate, Result(1, 2)),
    Row(197, "removexattr", kSwallow),
    Row(198, "lremovexattr", kSwallow),
    Row(199, "fremovexattr", kSwallow),
    Row(200, "tkill", kSwallow),
    Row(201, "time", kEmulate, Fixed(0, 8)),
    Row(202, "futex", kSchedule, Futex, kMayBlock),
    Row(203, "sched_setaffinity", kEmulate),
    Row(204, "sched_getaffinity", kEmulate, Result(2, 1)),
    Row(205, "set_thread_area", kEmulate),  // always ENOSYS for 64-bit programs
    Row(206, "io_setup", kRefuse, Answer{ENOSYS}, kAioRefusal, Fixed(1, 8)),
    Row(207, "io_destroy", kRefuse, Answer{ENOSYS}, kAioRefusal),
    Row(208, "io_getevents", kRefuse, Answer{ENOSYS}, kAioRefusal, Result(3, 2, 32)),
    Row(209, "io_submit", kRefuse, Answer{ENOSYS}, kAioRefusal),
    Row(210, "io_cancel", kRefuse, Answer{ENOSYS}, kAioRefusal, Fixed(2, 32)),
    Row(211, "get_thread_area", kEmulate),  // always ENOSYS for 64-bit programs
    Row(212, "lookup_dcookie", kEmulate, Result(1, 2)),
    Row(213, "epoll_create", kEmulate),
    Row(214, "epoll_ctl_old", kEmulate),   // always ENOSYS in these kernels
    Row(215, "epoll_wait_old", kEmulate),  // always ENOSYS in these kernels
    Row(216, "remap_file_pages", kRefuse, Answer{ENOSYS}, kRemapRefusal),
    Row(217, "getdents64", kEmulate, Result(1, 2)),
    Row(218, "set_tid_address", kExecute),
    // Writes what the interrupted call would: the recorder asks for that one if it knows it.
    Row(219, "restart_syscall", kSchedule, ByDirtyPages, kMayBlock),
    Row(220, "semtimedop", kSwallow, kMayBlock),
    Row(221, "fadvise64", kEmulate),
    Row(222, "timer_create", kEmulate, Always(2, 4)),
    Row(223, "timer_settime", kEmulate, Fixed(3, kItimer)),
    Row(224, "timer_gettime", kEmulate, Fixed(1, kItimer)),
    Row(225, "timer_getoverrun", kEmulate),
    Row(226, "timer_delete", kEmulate),
    Row(227, "clock_settime", kSwallow),
    Row(228, "clock_gettime", kEmulate, Fixed(1, kTimespec)),
    Row(229, "clock_getres", kEmulate, Fixed(1, kTimespec)),
    Row(230, "clock_nanosleep", kSchedule, Always(3, kTimespec), kMayBlock),
    Row(231, "exit_group", kProcess),
    Row(232, "epoll_wait", kSchedule, Result(1, 2, kEpollEvent), kMayBlock),
    Row(233, "epoll_ctl", kEmulate),
    Row(234, "tgkill", kSwallow),
    Row(235, "utimes", kSwallow),
    Row(236, "vserver", kEmulate),  // always ENOSYS in these kernels
    Row(237, "mbind", kEmulate),
    Row(238, "set_mempolicy", kEmulate),
    Row(239, "get_mempolicy", kEmulate, GetMempolicy),
    Row(240, "mq_open", kSwallow),
    Row(241, "mq_unlink", kSwallow),
    Row(242, "mq_timedsend", kSwallow, kMayBlock),
    Row(243, "mq_timedreceive", kSwallow, Result(1, 2), Fixed(3, 4), kMayBlock),
    Row(244, "mq_notify", kEmulate),
    Row(245, "mq_getsetattr", kSwallow, Fixed(2, 64)),
    Row(246, "kexec_load", kSwallow),
    Row(247, "waitid", kSchedule, Always(2, kSiginfo), Always(4, kRusage), kMayBlock),  // siginfo even on errors
    Row(248, "add_key", kSwallow),
    Row(249, "request_key", kSwallow, kMayBlock),
    Row(250, "keyctl", kSwallow, Keyctl),
    Row(251, "ioprio_set", kEmulate),
    Row(252, "ioprio_get", kEmulate),
    Row(253, "inotify_init", kEmulate),
    Row(254, "inotify_add_watch", kEmulate),
    Row(255, "inotify_rm_watch", kEmulate),
    Row(256, "migrate_pages", kEmulate),
    Row(257, "openat", kEmulate, kMayBlock),  // creating or truncating: kSwallow, see ClassFor
    Row(258, "mkdirat", kSwallow),
    Row(259, "mknodat", kSwallow),
    Row(260, "fchownat", kSwallow),
    Row(261, "futimesat", kSwallow),
    Row(262, "newfstatat", kEmulate, Fixed(2, kStat)),
    Row(263, "unlinkat", kSwallow),
    Row(264, "renameat", kSwallow),
    Row(265, "linkat", kSwallow),
    Row(266, "symlinkat", kSwallow),
    Row(267, "readlinkat", kEmulate, Result(2, 3)),
    Row(268, "fchmodat", kSwallow),
    Row(269, "faccessat", kEmulate),
    Row(270, "pselect6", kSchedule, Select, kMayBlock),
    Row(271, "ppoll", kSchedule, CountAlways(0, 1, kPollfd), Always(2, kTimespec), kMayBlock),
    Row(272, "unshare", kSwallow),
    Row(273, "set_robust_list", kExecute),
    Row(274, "get_robust_list", kEmulate, Always(1, 8), Always(2, 8)),  // the length is written first
    Row(275, "splice", kSwallow, Always(1, 8), Always(3, 8), kMayBlock),
    Row(276, "tee", kSwallow, kMayBlock),
    Row(277, "sync_file_range", kSwallow),
    Row(278, "vmsplice", kSwallow, ReadIovec, SnapshotIovec, kMayBlock),  // from a pipe it reads into memory
    Row(279, "move_pages", kEmulate, CountAlways(4, 1, 4)),
    Row(280, "utimensat", kSwallow),
    Row(281, "epoll_pwait", kSchedule, Result(1, 2, kEpollEvent), kMayBlock),
    Row(282, "signalfd", kEmulate),
    Row(283, "timerfd_create", kEmulate),
    Row(284, "eventfd", kEmulate),
    Row(285, "fallocate", kSwallow),
    Row(286, "timerfd_settime", kEmulate, Fixed(3, kItimer)),
    Row(287, "timerfd_gettime", kEmulate, Fixed(1, kItimer)),
    Row(288, "accept4", kEmulate, SocketName, SnapshotSocketName, kMayBlock),
    Row(289, "signalfd4", kEmulate),
    Row(290, "eventfd2", kEmulate),
    Row(291, "epoll_create1", kEmulate),
    Row(292, "dup3", kEmulate),
    Row(293, "pipe2", kEmulate, Fixed(0, 8)),
    Row(294, "inotify_init1", kEmulate),
    Row(295, "preadv", kEmulate, ReadIovec, SnapshotIovec, kMayBlock),
    Row(296, "pwritev", kSwallow, kMayBlock),
    Row(297, "rt_tgsigqueueinfo", kSwallow),
    Row(298, "perf_event_open", kByDirtyPages),
    Row(299, "recvmmsg", kEmulate, Recvmmsg, SnapshotRecvmmsg, kMayBlock),
    Row(300, "fanotify_init", kEmulate),
    Row(301, "fanotify_mark", kSwallow),
    Row(302, "prlimit64", kEmulate, Fixed(3, kRlimit)),
    Row(303, "name_to_handle_at", kEmulate, NameToHandleAt, SnapshotNameToHandleAt),
    Row(304, "open_by_handle_at", kEmulate),
    Row(305, "clock_adjtime", kSwallow, Fixed(1, kTimex)),
    Row(306, "syncfs", kSwallow),
    Row(307, "sendmmsg", kSwallow, Result(1, 2, 64), kMayBlock),
    Row(308, "setns", kSwallow),
    Row(309, "getcpu", kEmulate, Fixed(0, 4), Fixed(1, 4)),
    Row(310, "process_vm_readv", kEmulate, ReadIovec, SnapshotIovec),
    Row(311, "process_vm_writev", kSwallow, ByDirtyPages),  // the other process may be this one
    Row(312, "kcmp", kEmulate),
    Row(313, "finit_module", kSwallow),
    Row(314, "sched_setattr", kEmulate, Always(1, 4)),  // E2BIG writes the size that it wants
    Row(315, "sched_getattr", kEmulate, Count(1, 2)),
    Row(316, "renameat2", kSwallow),
    Row(317, "seccomp", kEmulate, Seccomp),
    Row(318, "getrandom", kEmulate, Result(0, 1), kMayBlock),
    Row(319, "memfd_create", kEmulate),
    Row(320, "kexec_file_load", kSwallow),
    Row(321, "bpf", kByDirtyPages),
    Row(322, "execveat", kProcess),
    Row(323, "userfaultfd", kRefuse, Answer{ENOSYS},
        "The program handles its own page faults (userfaultfd), whose moments cannot be recorded. Run it with that "
        "feature turned off."),
    Row(324, "membarrier", kEmulate),
    Row(325, "mlock2", kEmulate),
    Row(326, "copy_file_range", kSwallow, Always(1, 8), Always(3, 8)),
    Row(327, "preadv2", kEmulate, ReadIovec, SnapshotIovec, kMayBlock),
    Row(328, "pwritev2", kSwallow, kMayBlock),
    Row(329, "pkey_mprotect", kExecute),
    Row(330, "pkey_alloc", kExecute),
    Row(331, "pkey_free", kExecute),
    Row(332, "statx", kEmulate, Fixed(4, kStatx)),
    Row(333, "io_pgetevents", kRefuse, Answer{ENOSYS}, kAioRefusal, Result(3, 2, 32)),
    Row(334, "rseq", kRefuse, Answer{ENOSYS},
        "The program registers restartable sequences (rseq), which the kernel writes to at any time. It is answered as "
        "by a kernel without them."),
    Row(335, "uretprobe", kRefuse, ByDirtyPages,
        "Another tool (perf, bpftrace …) has put return probes into the program. Stop that tool first."),
    Row(424, "pidfd_send_signal", kSwallow),
    Row(425, "io_uring_setup", kRefuse, Answer{ENOSYS}, kUringRefusal),
    Row(426, "io_uring_enter", kRefuse, Answer{ENOSYS}, kUringRefusal),
    Row(427, "io_uring_register", kRefuse, Answer{ENOSYS}, kUringRefusal),
    Row(428, "open_tree", kSwallow),
    Row(429, "move_mount", kSwallow),
    Row(430, "fsopen", kEmulate),
    Row(431, "fsconfig", kSwallow),
    Row(432, "fsmount", kSwallow),
    Row(433, "fspick", kEmulate),
    Row(434, "pidfd_open", kEmulate),
    Row(435, "clone3", kProcess, ByDirtyPages),
    Row(436, "close_range", kEmulate),
    Row(437, "openat2", kSwallow, kMayBlock),  // whether it creates a file is in memory: assume so
    Row(438, "pidfd_getfd", kEmulate),
    Row(439, "faccessat2", kEmulate),
    Row(440, "process_madvise", kEmulate, ProcessMadvise, SnapshotIovec),
    Row(441, "epoll_pwait2", kSchedule, Result(1, 2, kEpollEvent), kMayBlock),
    Row(442, "mount_setattr", kSwallow),
    Row(443, "quotactl_fd", kByDirtyPages),
    Row(444, "landlock_create_ruleset", kEmulate),
    Row(445, "landlock_add_rule", kEmulate),
    Row(446, "landlock_restrict_self", kSwallow),
    Row(447, "memfd_secret", kRefuse, Answer{ENOSYS},
        "The program keeps memory that not even a debugger may read (memfd_secret). Run it with that feature turned "
        "off."),
    Row(448, "process_mrelease", kSwallow),
    Row(449, "futex_waitv", kSchedule, kMayBlock),
    Row(450, "set_mempolicy_home_node", kEmulate),
    Row(451, "cachestat", kEmulate, Fixed(2, 40)),
    Row(452, "fchmodat2", kSwallow),
    Row(453, "map_shadow_stack", kExecute),
    Row(454, "futex_wake", kEmulate),
    Row(455, "futex_wait", kSchedule, kMayBlock),
    Row(456, "futex_requeue", kEmulate),
    Row(457, "statmount", kEmulate, Count(1, 2)),
    Row(458, "listmount", kEmulate, Result(1, 2, 8)),
    Row(459, "lsm_get_self_attr", kEmulate, ByDirtyPages),
    Row(460, "lsm_set_self_attr", kSwallow),
    Row(461, "lsm_list_modules", kEmulate, ByDirtyPages),
    Row(462, "mseal", kExecute),
};

constexpr bool Sorted() {
  for (size_t i = 1; i < std::size(kRows); ++i) {
    if (kRows[i - 1].number >= kRows[i].number) return false;
  }
  return true;
}
static_assert(Sorted(), "RowFor() finds rows by number");

}  // namespace

std::span<const SyscallRow> SyscallRows() { return kRows; }

}  // namespace chronofork
