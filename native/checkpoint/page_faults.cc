// Reads two fields of /proc/PID/stat.
#include "checkpoint/page_faults.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "tracee/memory.h"

namespace chronofork {

FaultCounts ReadFaultCounts(pid_t pid) {
  const std::string stat = ReadProcText(pid, "stat");
  // The second field, the name, may hold blanks and parentheses; the third follows the last of these.
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return {};
  constexpr int kMinorFaults = 10, kResident = 24;  // proc(5)
  std::istringstream fields(stat.substr(name_end + 2));
  FaultCounts counts;
  std::string field;
  for (int number = 3; number <= kResident && fields >> field; ++number) {
    if (number == kMinorFaults) counts.minor_faults = std::stoull(field);
    if (number == kResident) counts.resident_pages = std::stoull(field);
  }
  return counts;
}

uint64_t CopiedPages(const FaultCounts& then, const FaultCounts& now) {
  const uint64_t faults = now.minor_faults - std::min(now.minor_faults, then.minor_faults);
  const uint64_t grown = now.resident_pages - std::min(now.resident_pages, then.resident_pages);
  return std::min(faults - std::min(faults, grown), then.resident_pages);
}

}  // namespace chronofork
