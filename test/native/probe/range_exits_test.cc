// Blocks of code in bytes, and where they can be left.
#include "probe/range_exits.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <vector>

namespace chronofork {
namespace {

constexpr TraceeAddress kStart(0x1000);

std::optional<RangeExits> ExitsOfBytes(std::initializer_list<int> bytes, uint64_t length = 0) {
  std::vector<std::byte> code;
  for (const int byte : bytes) code.push_back(static_cast<std::byte>(byte));
  return ExitsOf(code, {kStart, kStart + (length != 0 ? length : code.size())});
}

std::set<TraceeAddress> At(std::initializer_list<uint64_t> addresses) {
  std::set<TraceeAddress> set;
  for (const uint64_t address : addresses) set.insert(TraceeAddress(address));
  return set;
}

TEST_CASE("range exits: a loop that waits is left at its end alone") {
  // mov (%rdi),%eax; test %eax,%eax; je back
  const auto exits = ExitsOfBytes({0x8b, 0x07, 0x85, 0xc0, 0x74, 0xfa});
  REQUIRE(exits);
  CHECK(exits->outside == At({0x1006}));
  CHECK(exits->inside.empty());
}

TEST_CASE("range exits: jumps out of it, and calls, that say where they lead") {
  // jne +0x10; call +0x100; jmp -2 (itself)
  const auto exits = ExitsOfBytes({0x75, 0x10, 0xe8, 0x00, 0x01, 0x00, 0x00, 0xeb, 0xfe});
  REQUIRE(exits);
  CHECK(exits->outside == At({0x1012, 0x1107}));
  CHECK(exits->inside.empty());
}

TEST_CASE("range exits: what only executing it tells") {
  // call *%rax; jmp *%rax; ret; int3; call to the start
  const auto exits = ExitsOfBytes({0xff, 0xd0, 0xff, 0xe0, 0xc3, 0xcc, 0xe8, 0xf5, 0xff, 0xff, 0xff});
  REQUIRE(exits);
  CHECK(exits->outside.empty());
  CHECK(exits->inside == At({0x1000, 0x1002, 0x1004, 0x1005, 0x1006}));
}

TEST_CASE("range exits: an instruction that reaches over the end leads behind it") {
  const auto exits = ExitsOfBytes({0x90, 0x0f, 0x1f, 0x44, 0x00, 0x00}, 3);
  REQUIRE(exits);
  CHECK(exits->outside == At({0x1006}));
}

TEST_CASE("range exits: unknown where it cannot be decoded, is not there, or is a far transfer") {
  CHECK(!ExitsOfBytes({0x90, 0x06}));        // no instruction of 64-bit code
  CHECK(!ExitsOfBytes({0x90}, 2));           // the memory ends
  CHECK(!ExitsOfBytes({0x48, 0xcf, 0x90}));  // iretq
}

}  // namespace
}  // namespace chronofork
