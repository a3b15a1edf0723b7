// Page faults of this very process: new pages are no copies, shared ones are.
#include "checkpoint/page_faults.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace chronofork {
namespace {

TEST_CASE("page faults: copies are faults beyond growth, and never more than there was") {
  CHECK(CopiedPages({100, 1000}, {100, 1000}) == 0);
  CHECK(CopiedPages({100, 1000}, {600, 1500}) == 0);    // filled in
  CHECK(CopiedPages({100, 1000}, {600, 1000}) == 500);  // copied
  CHECK(CopiedPages({100, 1000}, {600, 1200}) == 300);
  CHECK(CopiedPages({100, 1000}, {600, 700}) == 500);  // unmapped meanwhile
  CHECK(CopiedPages({100, 1000}, {9100, 1000}) == 1000);
}

TEST_CASE("page faults: a fork makes copies of what is written after it") {
  constexpr size_t kPages = 4096, kPageBytes = 4096, kTolerance = 300;
  const FaultCounts empty = ReadFaultCounts(::getpid());
  void* memory = ::mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  ::madvise(memory, kPages * kPageBytes, MADV_NOHUGEPAGE);
  std::memset(memory, 1, kPages * kPageBytes);
  const FaultCounts filled = ReadFaultCounts(::getpid());
  CHECK(filled.minor_faults - empty.minor_faults >= kPages);
  CHECK(CopiedPages(empty, filled) < kTolerance);
  const pid_t child = ::fork();
  if (child == 0)
    for (;;) ::pause();
  std::memset(memory, 2, kPages * kPageBytes);
  const uint64_t copied = CopiedPages(filled, ReadFaultCounts(::getpid()));
  CHECK(copied >= kPages - kTolerance);
  CHECK(copied <= kPages + kTolerance);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::munmap(memory, kPages * kPageBytes);
}

TEST_CASE("page faults: of a process that is gone there are none") {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  CHECK(ReadFaultCounts(child).minor_faults == 0);
}

}  // namespace
}  // namespace chronofork
