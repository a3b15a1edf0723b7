// What the code inside the debuggee believes of a call is what the table says.
#include "record/call_rules.h"

#include <doctest/doctest.h>
#include <sys/syscall.h>

#include <algorithm>

#include "record/event_log.h"
#include "record/syscall_table.h"

namespace chronofork {
namespace {

std::vector<AddressRange> RangesOf(const CallRule& rule, const SyscallArguments& call, int64_t result) {
  std::vector<AddressRange> ranges;
  for (int i = 0; i < rule.out_count; ++i) {
    const CallRule::Out& out = rule.out[i];
    if (result < 0 && (!out.always || out.length == CallRule::kResult)) continue;
    uint64_t items = 1;
    if (out.length != CallRule::kFixed) items = call.values[out.other];
    if (out.length == CallRule::kResult) items = std::min(items, static_cast<uint64_t>(result));
    const TraceeAddress at(call.values[out.argument]);
    if (at.value != 0 && items > 0) ranges.push_back({at, at + items * out.bytes});
  }
  return ranges;
}

TEST_CASE("call rules: they write what the table says, and what goes to the world is digested") {
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
      if (rule.condition == kIfPlainFcntl) call.values[1] = 3;
      if (rule.condition == kIfWake) call.values[1] = 1;
      if (rule.condition == kIfNoFourth) call.values[3] = 0;
      if (rule.condition == kIfNoFifth) call.values[4] = 0;
      if (rule.condition == kIfSmallSets || rule.condition == kIfSmallSetsNoSixth) call.values[0] = 64;
      if (rule.condition == kIfSmallSetsNoSixth) call.values[5] = 0;
      if (number == SYS_getrandom || number == SYS_getcwd) call.values[1] = 0x60;
      const SyscallClass cls = ClassFor(call);
      if (rule.again)
        CHECK(cls == SyscallClass::kExecute);
      else
        CHECK((cls == SyscallClass::kEmulate || cls == SyscallClass::kSwallow || cls == SyscallClass::kSchedule));
      const MemoryReaderFn nothing = [](TraceeAddress, std::span<std::byte>) -> Result<void> {
        FAIL("what it writes cannot depend on memory");
        return {};
      };
      const MemoryReaderFn ones = [](TraceeAddress, std::span<std::byte> out) -> Result<void> {
        std::ranges::fill(out, std::byte{1});
        return {};
      };
      for (const int64_t result : {int64_t{0}, int64_t{5}, int64_t{0x50}, int64_t{0x1000}}) {
        const auto expected = OutRanges(call, result, nothing, {});
        REQUIRE(expected.has_value());
        CHECK(RangesOf(rule, call, result) == *expected);
      }
      CHECK(OutRanges(call, -11, nothing, {}) == RangesOf(rule, call, -11));
      CHECK((rule.output != kOutputNone) == (OutputDigest(call, 5, ones) != 0));
    }
  }
  CHECK(allowed > 150);
  CHECK_FALSE(CallRulesFor(true)[SYS_getpid].allowed);
  CHECK_FALSE(CallRulesFor(false)[SYS_rt_sigreturn].allowed);
  CHECK(CallRulesFor(false)[SYS_openat].opens);
  CHECK(CallRulesFor(false)[SYS_rt_sigprocmask].again);
  CHECK(CallRulesFor(false)[SYS_rt_sigaction].again);
  CHECK_FALSE(CallRulesFor(false)[SYS_mmap].allowed);
}

}  // namespace
}  // namespace chronofork
