// What the waiting calls write: select's bit sets, futex words.
#include <linux/futex.h>

#include <algorithm>

#include "record/out_rules.h"

namespace chronofork::out_rules {

Ranges Select(const OutContext& context) {
  // The kernel looks at no more descriptors than the process can have open.
  constexpr int32_t kMostDescriptors = 1 << 20;
  RangeList ranges;
  int32_t descriptors = std::clamp(static_cast<int32_t>(context.argument(0)), 0, kMostDescriptors);
  uint64_t set_bytes = (static_cast<uint64_t>(descriptors) + 63) / 64 * 8;
  for (int set = 1; set <= 3; ++set) {
    if (context.succeeded()) ranges.Add(context.argument(set), set_bytes);
  }
  ranges.Add(context.argument(4), 16);  // the remaining time, whatever the result; timeval and timespec alike
  return ranges.Take();
}

Ranges Futex(const OutContext& context) {
  RangeList ranges;
  constexpr uint64_t kWord = 4;
  switch (context.argument(1) & FUTEX_CMD_MASK & 0xffffffff) {
    case FUTEX_LOCK_PI:
    case FUTEX_UNLOCK_PI:
    case FUTEX_TRYLOCK_PI:
    case 13:  // FUTEX_LOCK_PI2, Linux 5.14
      ranges.Add(context.argument(0), kWord);
      break;
    case FUTEX_WAKE_OP: ranges.Add(context.argument(4), kWord); break;
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_CMP_REQUEUE_PI:
      ranges.Add(context.argument(0), kWord);
      ranges.Add(context.argument(4), kWord);
      break;
    default: break;  // waits, wakes and requeues only look
  }
  return ranges.Take();
}

}  // namespace chronofork::out_rules
