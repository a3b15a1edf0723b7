// The table as data: complete, rightly named, and of the class that the
// recorder needs; and what its rules say of calls that are better not made here.
#include "record/syscall_table.h"

#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "record/syscall_rows.h"

namespace chronofork {
namespace {

constexpr long kLastNumber = 462;  // mseal, Linux 6.10; 6.12 added none

bool IsUnassigned(long number) { return number > 335 && number < 424; }

// name by number, from the kernel's header; empty if it is not installed.
std::map<long, std::string> NamesFromHeader() {
  std::map<long, std::string> names;
  for (const char* path : {"/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"}) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      char name[64];
      long number;
      if (std::sscanf(line.c_str(), "#define __NR_%63s %ld", name, &number) == 2) names[number] = name;
    }
    if (!names.empty()) break;
  }
  return names;
}

TEST_CASE("system call table: a row for every number, and for no other") {
  std::set<std::string> names;
  for (long number = 0; number <= kLastNumber; ++number) {
    CAPTURE(number);
    const SyscallRow& row = RowFor(number);
    if (IsUnassigned(number)) {
      CHECK(std::string(row.name) == "unknown");
      continue;
    }
    CHECK(row.number == number);
    CHECK(std::string(row.name) != "unknown");
    CHECK(names.insert(row.name).second);
    CHECK((row.cls == SyscallClass::kRefuse) == (row.refusal != nullptr));
    if (row.cls != SyscallClass::kRefuse) CHECK(row.answer_errno == 0);
  }
  for (long number : {-1L, kLastNumber + 1, 511L, 512L, 1L << 40}) {
    CAPTURE(number);
    CHECK(RowFor(number).cls == SyscallClass::kByDirtyPages);
  }
}

TEST_CASE("system call table: the names are the kernel's") {
  std::map<long, std::string> names = NamesFromHeader();
  if (names.empty()) {
    std::printf("skipped: asm/unistd_64.h is not installed\n");
    return;
  }
  CHECK(names.size() > 350);
  for (const auto& [number, name] : names) {
    CAPTURE(number);
    CHECK(std::string(RowFor(number).name) == name);
  }
}

TEST_CASE("system call table: every pointer of a row is one of six arguments") {
  for (const SyscallRow& row : SyscallRows()) {
    CAPTURE(std::string(row.name));
    for (const OutParameter& out : row.out.list) {
      CHECK(out.argument >= 0);
      CHECK(out.argument < 6);
      CHECK(out.other < 6);
      if (out.size == OutParameter::Size::kArgument) CHECK(out.other >= 0);
      if (out.size != OutParameter::Size::kNone) CHECK(out.bytes > 0);
    }
    if (row.out.rule != nullptr) CHECK(row.out.list[0].size == OutParameter::Size::kNone);
  }
}

SyscallClass Class(long number, std::array<uint64_t, 6> values) { return ClassFor({number, values}); }

TEST_CASE("system call table: calls that are many calls in one have the class of what they do") {
  using enum SyscallClass;
  CHECK(Class(SYS_openat, {0, 0, O_RDONLY}) == kEmulate);
  CHECK(Class(SYS_openat, {0, 0, O_WRONLY | O_CREAT}) == kSwallow);
  CHECK(Class(SYS_openat, {0, 0, O_RDONLY | O_DIRECTORY}) == kEmulate);
  CHECK(Class(SYS_openat, {0, 0, O_RDWR | O_TMPFILE}) == kSwallow);
  CHECK(Class(SYS_open, {0, O_WRONLY | O_TRUNC}) == kSwallow);
  CHECK(Class(SYS_fcntl, {3, F_GETFL}) == kEmulate);
  CHECK(Class(SYS_fcntl, {3, F_SETLKW}) == kSchedule);
  CHECK(Class(SYS_fcntl, {3, F_SETLK}) == kSwallow);
  CHECK(Class(SYS_ioctl, {0, TIOCGWINSZ}) == kEmulate);
  CHECK(Class(SYS_ioctl, {0, TCSETS}) == kSwallow);
  CHECK(Class(SYS_futex, {0, FUTEX_WAIT_PRIVATE}) == kSchedule);
  CHECK(Class(SYS_futex, {0, FUTEX_WAKE_PRIVATE}) == kEmulate);
  CHECK(Class(SYS_futex, {0, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME}) == kSchedule);
  CHECK(Class(SYS_prctl, {PR_SET_NAME}) == kExecute);
  CHECK(Class(SYS_prctl, {PR_SET_TSC}) == kEmulate);
  CHECK(Class(SYS_prctl, {PR_SET_SECCOMP}) == kRefuse);
  CHECK(Class(SYS_arch_prctl, {0x1002}) == kExecute);
  CHECK(Class(SYS_arch_prctl, {0x1012}) == kEmulate);
  CHECK(Class(SYS_shmctl, {0, 0}) == kSwallow);
  CHECK(Class(SYS_shmctl, {0, 2}) == kEmulate);
  CHECK(Class(SYS_semctl, {0, 0, 16}) == kSwallow);  // SETVAL
  CHECK(Class(SYS_semctl, {0, 0, 12}) == kEmulate);  // GETVAL
  CHECK(Class(SYS_read, {}) == kEmulate);
  CHECK(Class(SYS_write, {}) == kSwallow);
  CHECK(Class(SYS_mmap, {}) == kExecute);
  CHECK(Class(SYS_clone, {}) == kProcess);
  CHECK(Class(SYS_bpf, {}) == kByDirtyPages);
  CHECK(Class(9999, {}) == kByDirtyPages);
}

std::optional<std::string> Refusal(long number, std::array<uint64_t, 6> values, const std::string& path) {
  return RefusalFor({number, values}, [&](int) { return path; });
}

TEST_CASE("system call table: what cannot be recorded is said, with what helps") {
  CHECK(Refusal(SYS_io_uring_setup, {}, "").value().find("io_uring") != std::string::npos);
  CHECK(RowFor(SYS_io_uring_setup).answer_errno == ENOSYS);
  CHECK(RowFor(SYS_rseq).answer_errno == ENOSYS);
  CHECK(Refusal(SYS_ptrace, {}, "").has_value());
  CHECK(Refusal(SYS_ioctl, {3, 0x6400}, "/dev/dri/renderD128").value().find("graphics") != std::string::npos);
  CHECK_FALSE(Refusal(SYS_ioctl, {3, TIOCGWINSZ}, "/dev/pts/3").has_value());
  CHECK(Refusal(SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED, 3, 0}, "anon_inode:[perf_event]").has_value());
  CHECK(Refusal(SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED, 3, 0}, "/dev/nvidia0").has_value());
  CHECK_FALSE(Refusal(SYS_mmap, {0, 4096, PROT_READ, MAP_PRIVATE, 3, 0}, "/usr/lib/libc.so.6").has_value());
  CHECK_FALSE(Refusal(SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED, 3, 0}, "/tmp/file").has_value());
  CHECK_FALSE(Refusal(SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED, 3, 0}, "/dev/shm/thing").has_value());
  CHECK_FALSE(Refusal(SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, ~0ull, 0}, "").has_value());
  CHECK(Refusal(SYS_seccomp, {1}, "").has_value());
  CHECK_FALSE(Refusal(SYS_seccomp, {2}, "").has_value());
  CHECK(Refusal(SYS_prctl, {PR_SET_SECCOMP}, "").has_value());
  CHECK_FALSE(Refusal(SYS_prctl, {PR_SET_NAME}, "").has_value());
  for (const SyscallRow& row : SyscallRows()) {
    if (row.refusal == nullptr) continue;
    CAPTURE(std::string(row.name));
    CHECK(std::string(row.refusal).ends_with("."));
  }
}

// Memory that is only a map from addresses to bytes.
std::optional<std::vector<AddressRange>> Ranges(long number, std::array<uint64_t, 6> values, int64_t result) {
  MemoryReaderFn none = [](TraceeAddress, std::span<std::byte>) {
    return Result<void>(Error{"memoryFailed", "There is no memory here.", ""});
  };
  SyscallArguments call{number, values};
  return OutRanges(call, result, none, SnapshotAtEntry(call, none));
}

AddressRange Range(uint64_t start, uint64_t length) { return {TraceeAddress(start), TraceeAddress(start + length)}; }
using List = std::vector<AddressRange>;

TEST_CASE("out ranges: errors, null pointers and impossible numbers") {
  CHECK(Ranges(SYS_read, {0, 0x1000, 100}, 10).value() == List{Range(0x1000, 10)});
  CHECK(Ranges(SYS_read, {0, 0x1000, 100}, 0).value().empty());
  CHECK(Ranges(SYS_read, {0, 0x1000, 100}, -EAGAIN).value().empty());
  CHECK_FALSE(Ranges(SYS_read, {0, 0x1000, 100}, -EFAULT).has_value());  // a part may have been written
  CHECK(Ranges(SYS_write, {1, 0x1000, 100}, -EFAULT).value().empty());   // writes no memory
  CHECK(Ranges(SYS_wait4, {0, 0, 0, 0}, 77).value().empty());
  CHECK(Ranges(SYS_getxattr, {1, 2, 0x3000, 0}, 400).value().empty());  // asked for the size only
  CHECK(Ranges(SYS_recvfrom, {3, 0x1000, 8, MSG_TRUNC, 0, 0}, 900).value() == List{Range(0x1000, 8)});
  List huge = Ranges(SYS_poll, {0x1000, ~0ull, 0}, -EINVAL).value();
  REQUIRE(huge.size() == 1);
  CHECK(huge[0].start < huge[0].end);
}

TEST_CASE("out ranges: interrupted calls that write all the same") {
  CHECK(Ranges(SYS_nanosleep, {0x1000, 0x2000}, -516).value() == List{Range(0x2000, 16)});
  CHECK(Ranges(SYS_poll, {0x1000, 3, 50}, -EINTR).value() == List{Range(0x1000, 24)});
  CHECK(Ranges(SYS_select, {65, 0x1000, 0x2000, 0, 0x3000}, 1).value() ==
        List{Range(0x1000, 16), Range(0x2000, 16), Range(0x3000, 16)});
  CHECK(Ranges(SYS_select, {65, 0x1000, 0, 0, 0x3000}, -514).value() == List{Range(0x3000, 16)});
  CHECK(Ranges(SYS_waitid, {0, 0, 0x1000, 0, 0}, -ECHILD).value() == List{Range(0x1000, 128)});
}

TEST_CASE("out ranges: what only dirty pages can tell") {
  CHECK_FALSE(Ranges(SYS_bpf, {}, 0).has_value());
  CHECK_FALSE(Ranges(9999, {}, 0).has_value());
  CHECK_FALSE(Ranges(SYS_ioctl, {3, 0xc0106403, 0x1000}, 0).has_value());  // of a driver: pointers in it
  CHECK_FALSE(Ranges(SYS_ioctl, {3, 0xc020660b, 0x1000}, 0).has_value());  // FS_IOC_FIEMAP: a list behind it
  CHECK_FALSE(Ranges(SYS_restart_syscall, {}, 0).has_value());
  CHECK_FALSE(Ranges(SYS_readv, {3, 0x1000, 2}, 10).has_value());  // its array could not be read
  CHECK_FALSE(Ranges(SYS_prctl, {123456}, 0).has_value());
  CHECK_FALSE(Ranges(SYS_semctl, {0, 0, 13, 0x1000}, 0).has_value());  // GETALL
}

TEST_CASE("out ranges: futex words that the kernel changes") {
  CHECK(Ranges(SYS_futex, {0x1000, FUTEX_WAIT_PRIVATE, 0, 0, 0x2000, 0}, 0).value().empty());
  CHECK(Ranges(SYS_futex, {0x1000, FUTEX_WAKE_OP_PRIVATE, 0, 0, 0x2000, 0}, 1).value() == List{Range(0x2000, 4)});
  CHECK(Ranges(SYS_futex, {0x1000, FUTEX_UNLOCK_PI_PRIVATE}, 0).value() == List{Range(0x1000, 4)});
}

}  // namespace
}  // namespace chronofork
