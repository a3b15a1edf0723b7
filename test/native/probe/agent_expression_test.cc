// Conditions as gdb sends them: what they are worth, and that nothing
// malformed does harm.
#include "probe/agent_expression.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>

#include "rsp/packet_cursor.h"
#include "rsp/register_layout.h"

namespace chronofork {
namespace {

Result<void> ReadTable(TraceeAddress address, std::span<std::byte> out) {
  // One page at 0x1000 whose bytes are their own offsets.
  if (address.value < 0x1000 || address.value + out.size() > 0x2000) return Error{"memoryUnreadable", "", "", 0, 0};
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(address.value + i);
  return {};
}

Result<int64_t> Evaluate(std::string_view hex) {
  GeneralRegisters registers{};
  registers.rax = 7;
  registers.rbp = 0x1010;
  registers.rip = 0x401000;
  registers.eflags = 0xfffffff000000246;  // only 32 bits of it are the register
  registers.fs_base = 99;
  auto code = PacketCursor(hex).HexBytes();
  REQUIRE(code);
  return EvaluateAgentCode(*code, registers, ReadTable);
}

TEST_CASE("probe condition: registers have the numbers of the target description") {
  GeneralRegisters registers{};
  for (size_t i = 0; i < sizeof registers / 8; ++i)
    reinterpret_cast<unsigned long long*>(&registers)[i] = 0x0101010101010101u * (i + 1);
  const RegisterLayout layout(0);
  size_t general = 0;
  for (size_t number = 0; number < layout.registers().size() + 3; ++number) {
    CAPTURE(number);
    const bool known = number < layout.registers().size();
    const bool is_general = known && layout.registers()[number].place == RegisterPlace::kGeneral;
    const std::optional<uint64_t> value = AgentRegisterValue(number, registers);
    CHECK(value.has_value() == is_general);
    if (!is_general) continue;
    ++general;
    uint64_t shown = 0;
    const std::span<std::byte> out(reinterpret_cast<std::byte*>(&shown), layout.registers()[number].length_bytes());
    CHECK(layout.Read(number, registers, {}, out));
    CHECK(value == shown);
  }
  CHECK(general == 27);
}

TEST_CASE("probe condition: values") {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  const std::pair<const char*, int64_t> table[] = {
      {"22ff27", 255},                 // const8
      {"23012327", 0x123},             // const16, most significant first
      {"240000000127", 1},             // const32
      {"25800000000000000027", kMin},  // const64
      {"26000027", 7},                 // rax
      {"26001027", 0x401000},          // rip
      {"26001127", 0x246},             // eflags
      {"26003a27", 99},                // fs_base
      {"2203220502"
       "27",
       8},  // add
      {"2203220503"
       "27",
       -2},  // sub
      {"2203220504"
       "27",
       15},  // mul
      {"22fb16082203"
       "0527",
       -1},                      // -5 / 3
      {"22fb160822030727", -2},  // -5 % 3
      {"2207220306"
       "27",
       2},  // 7 / 3 unsigned
      {"2207220308"
       "27",
       1},  // 7 % 3 unsigned
      {"258000000000000000"
       "22ff160805"
       "27",
       kMin},  // least / -1 wraps
      {"258000000000000000"
       "22ff160807"
       "27",
       0},
      {"2201223f09"
       "27",
       kMin},  // 1 << 63
      {"2201224009"
       "27",
       0},  // 1 << 64
      {"22ff160822040a"
       "27",
       -1},  // arithmetic shift
      {"22ff160822ff0a"
       "27",
       -1},
      {"22ff1608223c0b"
       "27",
       15},             // logical shift
      {"22000e27", 1},  // log_not
      {"22050e27", 0},
      {"220c220a0f27", 8},      // and
      {"220c220a1027", 14},     // or
      {"220c220a1127", 6},      // xor
      {"22001227", -1},         // not
      {"220522051327", 1},      // equal
      {"22ff160822011427", 1},  // -1 < 1 signed
      {"22ff160822011527", 0},  // but not unsigned
      {"2280160827", -128},     // ext 8
      {"22ff16082a0827", 255},  // zero_ext 8
      {"2201162027", 1},
      {"22ff164027", 255},                 // ext 64 changes nothing
      {"2310101727", 0x10},                // ref8
      {"2310101827", 0x1110},              // ref16, little endian
      {"2310101927", 0x13121110},          // ref32
      {"2310101a27", 0x1716151413121110},  // ref64
      {"26000622080218"
       "27",
       0x1918},  // *(short *)($rbp + 8)
      {"22012000082205272209"
       "27",
       9},  // if_goto taken
      {"22002000082205272209"
       "27",
       5},                      // and not
      {"2100052207220327", 3},  // goto
      {"2205280227", 10},       // dup, add
      {"22052206"
       "2927",
       5},                    // pop
      {"220522062b0327", 1},  // swap, sub: 6 - 5
      {"220522063201"
       "27",
       5},                        // pick 1
      {"220122022203332927", 1},  // rotate: 1 2 3 → 3 1 2, pop
  };
  for (auto [code, value] : table) {
    CAPTURE(code);
    Result<int64_t> result = Evaluate(code);
    REQUIRE(result.ok());
    CHECK(*result == value);
  }
}

// The bytes that gdb 13.1 sends for `if i == 2 && total < 7` in a function
// compiled with -O0: i at rbp - 4, total at 0x555555558024.
TEST_CASE("probe condition: what gdb makes of an expression with a local and a global") {
  constexpr const char* kCode =
      "26000622100222ec16080219162022021320001721003125000055555555802419162022071420002c2100312201210033220027";
  constexpr uint64_t kTotal = 0x555555558024, kBase = 0x7fffffffe000;
  for (int32_t i : {-2, 1, 2, 3}) {
    for (int32_t total : {-1, 6, 7}) {
      MemoryReader read = [&](TraceeAddress address, std::span<std::byte> out) -> Result<void> {
        REQUIRE(out.size() == 4);
        REQUIRE((address.value == kTotal || address.value == kBase - 4));
        std::memcpy(out.data(), address.value == kTotal ? &total : &i, 4);
        return {};
      };
      GeneralRegisters registers{};
      registers.rbp = kBase;
      const AgentCode code = *PacketCursor(kCode).HexBytes();
      CAPTURE(i);
      CAPTURE(total);
      CHECK(AnyHolds({&code, 1}, registers, read) == (i == 2 && total < 7));
    }
  }
}

TEST_CASE("probe condition: what is malformed is an error") {
  const char* const table[] = {
      "",              // no end
      "22",            // cut
      "2301",          // cut
      "27",            // no value
      "0227",          // empty stack
      "22010227",      // one operand
      "220022000527",  // divides by zero
      "220022000627",
      "220022000727",
      "220022000827",
      "22001727",    // no memory at 0
      "2201160027",  // ext 0
      "2201164127",  // ext 65
      "26ffff27",    // no such register
      "26002827",    // xmm0
      "21ffff27",    // jumps out
      "210000",      // jumps to itself for ever
      "2803210000",  // pushes for ever on nothing
      "22012803"
      "210002",
      "2201210000",  // overflows its stack
      "3227",
      "220132ff27",
      "3327",
      "2b27",
      "2827",
      "2927",
      "0127",
      "0c27",
      "1b27",
      "2c000027",
      "3427",
      "ff27",
  };
  for (const char* hex : table) {
    CAPTURE(hex);
    CHECK_FALSE(Evaluate(hex).ok());
  }
}

TEST_CASE("probe condition: random bytecode neither crashes nor hangs") {
  std::mt19937 random(20240711);
  GeneralRegisters registers{};
  int values = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> code(random() % 40);
    // Mostly known operations, so that the interesting ones are reached.
    for (std::byte& b : code) b = static_cast<std::byte>(random() % 4 == 0 ? random() : random() % 0x35);
    if (random() % 2 == 0 && !code.empty()) code.back() = std::byte{0x27};
    values += EvaluateAgentCode(code, registers, ReadTable).ok();
  }
  CHECK(values > 0);
}

TEST_CASE("probe condition: any of them, unless it is zero") {
  GeneralRegisters registers{};
  const AgentCode zero{std::byte{0x22}, std::byte{0}, std::byte{0x27}};
  const AgentCode one{std::byte{0x22}, std::byte{1}, std::byte{0x27}};
  const AgentCode invalid;
  const auto any = [&](std::vector<AgentCode> conditions) { return AnyHolds(conditions, registers, ReadTable); };
  CHECK_FALSE(any({zero}));
  CHECK_FALSE(any({zero, zero}));
  CHECK(any({one}));
  CHECK(any({zero, one}));
  CHECK(any({invalid}));
  CHECK(any({zero, invalid}));
  CHECK(any({}));
}

}  // namespace
}  // namespace chronofork
