// Registers: where their bytes are, and how gdb is told.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "../test/native/rsp/fake_target.h"
#include "rsp/register_layout.h"
#include "rsp/session.h"
#include "rsp/target_description.h"

namespace chronofork {
namespace {

size_t NumberOf(const RegisterLayout& layout, std::string_view name) {
  for (size_t i = 0; i < layout.registers().size(); ++i) {
    if (layout.registers()[i].name == name) return i;
  }
  FAIL("no register ", name);
  return 0;
}

ExtendedRegisters Area(uint64_t xcr0, size_t length_bytes = 4096) {
  ExtendedRegisters area(length_bytes);
  for (size_t i = 0; i < area.size(); ++i) area[i] = static_cast<std::byte>(i * 7 + i / 256);
  std::memcpy(area.data() + 464, &xcr0, 8);
  return area;
}

constexpr uint64_t kEverything = ~uint64_t{0};

TEST_CASE("rsp registers: gdb's well-known numbers") {
  RegisterLayout layout(3);
  CHECK(NumberOf(layout, "rax") == 0);
  CHECK(NumberOf(layout, "rbp") == kRbpNumber);
  CHECK(NumberOf(layout, "rsp") == kRspNumber);
  CHECK(NumberOf(layout, "rip") == kRipNumber);
  CHECK(NumberOf(layout, "st0") == 24);
  CHECK(NumberOf(layout, "xmm0") == 40);
  CHECK(NumberOf(layout, "mxcsr") == 56);
  CHECK(NumberOf(layout, "gs_base") == layout.registers().size() - 1);
}

TEST_CASE("rsp registers: each can be written and read back, and leaves the others alone") {
  RegisterLayout layout(kEverything);
  ExtendedRegisters area = Area(kEverything);
  GeneralRegisters general{};
  // No register empty, or its tag would hide what is written.
  area[4] = std::byte{0xff};
  for (size_t number = 0; number < layout.registers().size(); ++number) {
    const RegisterSpec& spec = layout.registers()[number];
    if (spec.place == RegisterPlace::kTagWord) continue;
    CAPTURE(spec.name);
    std::vector<std::byte> value(spec.length_bytes());
    size_t stored = std::min<size_t>(value.size(), spec.stored_bytes);
    for (size_t i = 0; i < stored; ++i) value[i] = static_cast<std::byte>(number + i + 1);
    ExtendedRegisters written = area;
    GeneralRegisters general_written = general;
    REQUIRE(layout.Write(number, value, general_written, written));
    std::vector<std::byte> back(spec.length_bytes());
    REQUIRE(layout.Read(number, general_written, written, back));
    CHECK(back == value);
    for (size_t other = 0; other < layout.registers().size(); ++other) {
      if (other == number || layout.registers()[other].place == RegisterPlace::kTagWord) continue;
      std::vector<std::byte> before(layout.registers()[other].length_bytes()), after(before.size());
      REQUIRE(layout.Read(other, general, area, before));
      REQUIRE(layout.Read(other, general_written, written, after));
      if (before != after) FAIL_CHECK(spec.name, " changes ", layout.registers()[other].name);
    }
  }
}

TEST_CASE("rsp registers: a component that is written is marked as in use") {
  RegisterLayout layout(kEverything);
  ExtendedRegisters area(4096);
  GeneralRegisters general{};
  std::vector<std::byte> value(16, std::byte{1});
  REQUIRE(layout.Write(NumberOf(layout, "xmm3"), value, general, area));
  CHECK(area[512] == std::byte{2});
  REQUIRE(layout.Write(NumberOf(layout, "st1"), std::span(value).first(10), general, area));
  CHECK(area[512] == std::byte{3});
  CHECK_FALSE(layout.Write(NumberOf(layout, "xmm3"), std::span(value).first(15), general, area));
}

TEST_CASE("rsp registers: this processor's upper halves are where it puts them") {
  if (!__builtin_cpu_supports("avx")) {
    MESSAGE("skipped: no AVX here");
    return;
  }
  RegisterLayout layout(7);
  const RegisterSpec& ymm = layout.registers()[NumberOf(layout, "ymm5h")];
  // The first component behind the header, on every processor so far.
  CHECK(ymm.offset == 576 + 5 * 16);
  CHECK(layout.registers().back().name == "ymm15h");
}

TEST_CASE("rsp registers: x87 tags are expanded from the stack they belong to") {
  RegisterLayout layout(3);
  GeneralRegisters general{};
  ExtendedRegisters area(576);
  auto tags = [&] {
    uint32_t word = 0;
    REQUIRE(layout.Read(NumberOf(layout, "ftag"), general, area, std::as_writable_bytes(std::span(&word, 1))));
    return word;
  };
  CHECK(tags() == 0xffff);
  // Two values pushed: physical registers 7 (1.0, now st1) and 6 (0.0, st0); top is 6.
  area[3] = std::byte{6 << 3};
  area[4] = std::byte{0xc0};
  area[32 + 16 + 7] = std::byte{0x80};
  area[32 + 16 + 8] = std::byte{0xff};
  area[32 + 16 + 9] = std::byte{0x3f};
  CHECK(tags() == 0x1fff);
  uint32_t only_first = 0xfffc;
  REQUIRE(layout.Write(NumberOf(layout, "ftag"), std::as_bytes(std::span(&only_first, 1)), general, area));
  CHECK(area[4] == std::byte{1});
}

TEST_CASE("rsp registers: an area that is too short has no value, and does no harm") {
  RegisterLayout layout(kEverything);
  GeneralRegisters general{};
  std::vector<std::byte> value(kMaxRegisterBytes);
  for (size_t length : {0u, 3u, 24u, 200u, 511u, 600u}) {
    ExtendedRegisters area(length);
    for (size_t i = 24; i < layout.registers().size(); ++i) {
      const RegisterSpec& spec = layout.registers()[i];
      std::span<std::byte> bytes(value.data(), spec.length_bytes());
      bool held = layout.Read(i, general, area, bytes);
      CHECK(held == layout.Write(i, bytes, general, area));
    }
  }
  CHECK(RegisterLayout::Xcr0Of(ExtendedRegisters(100)) == 3);
  CHECK(RegisterLayout::Xcr0Of(Area(0xe7)) == 0xe7);
}

TEST_CASE("rsp registers: all at once, and one by one, are the same") {
  rsp_test::FakeTarget target;
  target.extended = Area(kEverything);
  Session session(target);
  Reply reply;
  session.Handle("g", reply);
  std::string all(reply.payload()), single;
  for (size_t i = 0; i < RegisterLayout(kEverything).registers().size(); ++i) {
    Reply name;
    session.Handle("p" + std::string(name.Hex(i).payload()), reply);
    single += reply.payload();
  }
  CHECK(all == single);

  // Written back as they are, with one changed.
  all.replace(0, 16, "0102030405060708");
  session.Handle("G" + all, reply);
  CHECK(reply.payload() == "OK");
  CHECK(target.registers.rax == 0x0807060504030201);
  session.Handle("g", reply);
  CHECK(reply.payload() == all);
  for (std::string_view bad : {"", "00", "zz"}) {
    session.Handle("G" + std::string(bad), reply);
    CHECK(reply.payload() == "E22");
  }
  session.Handle("G" + all + "00", reply);
  CHECK(reply.payload() == "E22");
}

TEST_CASE("rsp registers: what cannot be read is shown as unavailable") {
  rsp_test::FakeTarget target;  // no extended registers at all
  Session session(target);
  Reply reply;
  session.Handle("p28", reply);
  CHECK(reply.payload() == std::string(32, 'x'));
  session.Handle("P28=" + std::string(32, '0'), reply);
  CHECK(reply.payload() == "E01");
}

TEST_CASE("rsp registers: the description names them all, in their order") {
  RegisterLayout layout(kEverything);
  std::string xml = TargetDescription(layout);
  size_t at = 0;
  for (const RegisterSpec& spec : layout.registers()) {
    size_t found = xml.find("<reg name=\"" + spec.name + "\" bitsize=\"" + std::to_string(spec.bits) + "\"", at);
    CAPTURE(spec.name);
    REQUIRE(found != std::string::npos);
    at = found + 1;
  }
  CHECK(xml.find("<reg", at) == std::string::npos);
}

}  // namespace
}  // namespace chronofork
