// What the code inside the debuggee believes of a call is what the table says.
#include "record/call_rules.h"

#include <doctest/doctest.h>
#include <sys/syscall.h>

#include <algorithm>

#include "record/syscall_table.h"

namespace chronofork {
namespace {

std::vector<AddressRange> RangesOf(const CallRule& rule, const SyscallArguments& call, int64_t result) {
  std::vector<AddressRange> ranges;
  for (int i = 0; i < rule.out_count; ++i) {
    const CallRule::Out& out = rule.out[i];
    const uint64_t length =
        out.bytes ? out.bytes : std::min<uint64_t>(call.values[out.limit], static_cast<uint64_t>(result));
    const TraceeAddress at(call.values[out.argument]);
    if (length > 0) ranges.push_back({at, at + length});
  }
  return ranges;
}

TEST_CASE("call rules: they write what the table says, and nothing of them is made again in a replay") {
  int allowed = 0;
  for (const bool renamed : {false, true}) {
    const CallRules& rules = CallRulesFor(renamed);
    for (size_t number = 0; number < rules.size(); ++number) {
      const CallRule& rule = rules[number];
      if (!rule.allowed) continue;
      ++allowed;
      const SyscallRow& row = RowFor(static_cast<long>(number));
      CAPTURE(std::string(row.name));
      CHECK(row.refusal == nullptr);
      SyscallArguments call{static_cast<long>(number), {0x1000, 0x2000, 0x80, 0x3000, 0x4000, 0x5000}};
      if (number == SYS_fcntl) call.values[1] = 3;
      if (number == SYS_futex) call.values[1] = 1;
      if (number == SYS_getrandom || number == SYS_getcwd) call.values[1] = 0x60;
      const SyscallClass cls = ClassFor(call);
      CHECK((cls == SyscallClass::kEmulate || cls == SyscallClass::kSwallow || cls == SyscallClass::kSchedule));
      const MemoryReaderFn nothing = [](TraceeAddress, std::span<std::byte>) -> Result<void> {
        FAIL("what it writes cannot depend on memory");
        return {};
      };
      for (const int64_t result : {int64_t{0}, int64_t{5}, int64_t{0x50}, int64_t{0x1000}}) {
        const auto expected = OutRanges(call, result, nothing, {});
        REQUIRE(expected.has_value());
        CHECK(RangesOf(rule, call, result) == *expected);
      }
      CHECK(OutRanges(call, -11, nothing, {}) == std::vector<AddressRange>());
    }
  }
  CHECK(allowed > 60);
  CHECK_FALSE(CallRulesFor(true)[SYS_getpid].allowed);
  CHECK_FALSE(CallRulesFor(false)[SYS_rt_sigreturn].allowed);
  CHECK_FALSE(CallRulesFor(false)[SYS_openat].allowed);
}

}  // namespace
}  // namespace chronofork
