// Sets the limits of a copy from outside, with prlimit: nothing is called in it.
#include "tracee/copy_limits.h"

#include <errno.h>
#include <sys/resource.h>

namespace chronofork {

Error ForkRefused(int64_t result, pid_t pid) {
  Error error = SystemError("forkRefused", "A checkpoint cannot be made: the kernel refuses to copy the debuggee",
                            static_cast<int>(-result), pid);
  error.remedy = -result == EAGAIN ? "Raise the limit of processes (ulimit -u) or end other programs."
                                   : "Free some memory, or lower checkpoints.memoryMb.";
  return error;
}

void LiftTimeLimits(pid_t copy) {
  for (const __rlimit_resource resource : {RLIMIT_CPU, RLIMIT_RTTIME}) {
    rlimit limit{};
    if (::prlimit(copy, resource, nullptr, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) continue;
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY}, most{limit.rlim_max, limit.rlim_max};
    if (::prlimit(copy, resource, &none, nullptr) != 0) ::prlimit(copy, resource, &most, nullptr);
  }
}

}  // namespace chronofork
