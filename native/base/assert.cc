// Says which invariant broke, then aborts: no wrong past is shown.
#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace chronofork {

void AssertionFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "chronofork: internal error: %s does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace chronofork
