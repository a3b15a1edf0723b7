// The arena and the comparison.
#include "../test/native/record/call_checker.h"

#include <doctest/doctest.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <random>

namespace chronofork::testing {
namespace {

constexpr size_t kArenaBytes = size_t{1} << 20;
constexpr size_t kGuardBytes = 128;

Result<void> ReadOwnMemory(TraceeAddress address, std::span<std::byte> out) {
  iovec local{out.data(), out.size()};
  iovec remote{reinterpret_cast<void*>(address.value), out.size()};
  if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(out.size())) return {};
  return SystemError("memoryFailed", "Memory cannot be read", EFAULT);
}

}  // namespace

CallChecker::CallChecker() {
  void* memory = mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  arena_ = static_cast<std::byte*>(memory);
  std::mt19937 random(3);
  // Never 0: most of what the kernel writes is zeros.
  for (size_t i = 0; i < kArenaBytes; ++i) arena_[i] = static_cast<std::byte>(1 + random() % 255);
}

CallChecker::~CallChecker() {
  Total().insert(seen_writing_.begin(), seen_writing_.end());
  ++checkers_made_;
  munmap(arena_, kArenaBytes);
}

std::set<long>& CallChecker::Total() {
  static std::set<long> total;
  return total;
}

uint64_t CallChecker::Buffer(size_t bytes) {
  used_ = (used_ + kGuardBytes + 15) & ~size_t{15};
  REQUIRE(used_ + bytes + kGuardBytes <= kArenaBytes);
  auto address = reinterpret_cast<uint64_t>(arena_ + used_);
  used_ += bytes;
  return address;
}

uint64_t CallChecker::Text(const std::string& text) {
  uint64_t address = Buffer(text.size() + 1);
  std::memcpy(reinterpret_cast<void*>(address), text.c_str(), text.size() + 1);
  return address;
}

int64_t CallChecker::Call(long number, std::initializer_list<uint64_t> values, Expect expect) {
  SyscallArguments call{number, {}};
  std::copy(values.begin(), values.end(), call.values.begin());
  INFO("call " << std::string(RowFor(number).name));
  MemoryReaderFn read = ReadOwnMemory;
  size_t compared = std::min(used_ + kGuardBytes, kArenaBytes);
  EntrySnapshot snapshot = SnapshotAtEntry(call, read);
  std::vector<std::byte> before(arena_, arena_ + compared);
  const auto& a = call.values;
  int64_t result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (result == -1) result = -errno;
  auto ranges = OutRanges(call, result, read, snapshot);

  CAPTURE(result);
  bool foretold = ranges.has_value();
  CHECK(foretold);
  size_t changed = 0, surprises = 0;
  for (size_t i = 0; i < compared; ++i) {
    if (arena_[i] == before[i]) continue;
    ++changed;
    TraceeAddress address(reinterpret_cast<uint64_t>(arena_ + i));
    bool known = foretold && std::any_of(ranges->begin(), ranges->end(),
                                         [&](const AddressRange& range) { return range.Contains(address); });
    if (!known) ++surprises;
  }
  CHECK(surprises == 0);
  if (expect == Expect::kWrites) CHECK((result >= 0 && changed > 0));
  if (expect == Expect::kSilent) CHECK(changed == 0);
  if (result >= 0 && changed > 0) seen_writing_.insert(number);
  return result;
}

}  // namespace chronofork::testing
