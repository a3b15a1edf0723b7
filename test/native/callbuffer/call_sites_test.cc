// Which call instructions are patched, and what with.
#include "callbuffer/call_sites.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "callbuffer/digest.h"

namespace chronofork {
namespace {

constexpr TraceeAddress kCode{0x7ffff7e00000};

struct Program {
  std::vector<uint8_t> bytes;

  bool Add(CallSites& sites, uint64_t offset, size_t event, const char** why) const {
    return sites.Add(
        kCode + offset, event,
        [this](TraceeAddress at, std::span<std::byte> out) {
          const uint64_t from = at - kCode;
          const size_t length = std::min<size_t>(out.size(), bytes.size() - from);
          std::memcpy(out.data(), bytes.data() + from, length);
          return length;
        },
        [this] {
          return std::vector<AddressRange>{{kCode, kCode + bytes.size()}};
        },
        why);
  }
};

TEST_CASE("call sites: the boundaries inside a patch are int3, and lead to the moved instruction") {
  const std::vector<std::vector<uint8_t>> programs = {
      {0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0xc3, 0x90},  // cmp rax, -4096
      {0x0f, 0x05, 0xc3, 0x90, 0x90, 0x90, 0x90, 0x90},              // ret, padding
      {0x0f, 0x05, 0x89, 0xc2, 0x31, 0xc0, 0xc3, 0x90},              // mov edx, eax; xor eax, eax
      {0x0f, 0x05, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00, 0xc3, 0x90},  // mov eax, [rip + 16]
  };
  CallSites sites;
  for (const auto& bytes : programs) {
    const char* why = "";
    Program program{bytes};
    program.bytes.resize(64, 0x90);
    REQUIRE(program.Add(sites, 0, 3, &why));
    const CallSite& site = sites.all().back();
    CHECK(site.patch[0] == std::byte{0xe9});
    REQUIRE(site.redirected.contains(kCode + 2));
    for (const auto& [boundary, moved] : site.redirected) {
      if (boundary - kCode < site.patch.size()) CHECK(site.patch[boundary - kCode] == std::byte{0xcc});
      CHECK(site.OriginalOf(moved) == boundary);
    }
    int32_t displacement = 0;
    std::memcpy(&displacement, site.patch.data() + 1, sizeof displacement);
    CHECK(kCode.value + 5 + static_cast<uint64_t>(int64_t{displacement}) == site.stub.value);
    CHECK(site.IsBeforeCall(site.stub));
    CHECK(site.IsBeforeCall(site.body));
    CHECK_FALSE(site.IsBeforeCall(site.after));
    sites.End({kCode, kCode + 64}, 7);  // the next program takes its place
    CHECK(sites.all().back().ActiveAt(6));
    CHECK_FALSE(sites.all().back().ActiveAt(7));
    CHECK_FALSE(sites.all().back().ActiveAt(2));
  }
  for (size_t i = 0; i < sites.all().size(); ++i)
    for (size_t j = 0; j < i; ++j) CHECK(sites.all()[i].body != sites.all()[j].body);
}

TEST_CASE("call sites: what cannot be moved is refused") {
  const std::vector<std::vector<uint8_t>> programs = {
      {0x0f, 0x05, 0xc3, 0x55, 0x48, 0x89, 0xe5},  // ret, and another function begins
      {0x0f, 0x05, 0x0f, 0x05, 0xc3},              // another call
      {0x0f, 0x05, 0xd9, 0xee, 0xc3},              // x87
      {0x0f, 0x05, 0xff, 0xd0, 0xc3},              // an indirect call
      {0x0f, 0x34, 0x90, 0x90, 0x90},              // sysenter
  };
  for (const auto& bytes : programs) {
    CallSites sites;
    const char* why = "";
    Program program{bytes};
    program.bytes.resize(64, 0x55);
    CHECK_FALSE(program.Add(sites, 0, 0, &why));
    CHECK(std::strlen(why) > 0);
    CHECK(sites.all().empty());
  }
}

TEST_CASE("call sites: a branch has those of its past") {
  CallSites sites;
  const char* why = "";
  Program program{{0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff}};
  program.bytes.resize(128, 0x90);
  std::copy_n(program.bytes.begin(), 8, program.bytes.begin() + 64);
  REQUIRE(program.Add(sites, 0, 10, &why));
  REQUIRE(program.Add(sites, 64, 20, &why));
  sites.End({kCode, kCode + 8}, 30);
  CHECK(CallSites(sites, 5).all().empty());
  CHECK(CallSites(sites, 15).all().size() == 1);
  const CallSites both(sites, 25);
  REQUIRE(both.all().size() == 2);
  CHECK(both.all()[0].ActiveAt(40));  // its end is of the other line's future
  CHECK_FALSE(CallSites(sites, 35).all()[0].ActiveAt(40));
}

TEST_CASE("digest: blocks give what the whole gives, and every byte counts") {
  std::vector<unsigned char> bytes(1000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 37);
  for (const size_t length : {0u, 1u, 7u, 8u, 31u, 32u, 33u, 64u, 999u}) {
    const uint64_t whole = DigestLast(kBytesDigestSeed, bytes.data(), length);
    const size_t blocks = length / 64;
    const uint64_t parts = DigestLast(DigestBlocks(kBytesDigestSeed, bytes.data(), blocks * 2),
                                      bytes.data() + blocks * 64, length - blocks * 64);
    CHECK(whole == parts);
    for (size_t i = 0; i < length; ++i) {
      bytes[i] ^= 0x80;
      CHECK(DigestLast(kBytesDigestSeed, bytes.data(), length) != whole);
      bytes[i] ^= 0x80;
    }
  }
}

}  // namespace
}  // namespace chronofork
