// Broken invariants are loud, in release builds too: our bugs, not the world's.
#pragma once

namespace chronofork {

[[noreturn]] void AssertionFailed(const char* condition, const char* file, int line);

}  // namespace chronofork

#define CHRONOFORK_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::chronofork::AssertionFailed(#condition, __FILE__, __LINE__))
