// Building the one-sentence messages of system errors.
#include "base/result.h"

#include <cstring>

namespace chronofork {

Error SystemError(std::string code, std::string doing, int error_number, pid_t tid) {
  char buffer[128];
  const char* text = strerror_r(error_number, buffer, sizeof buffer);
  return Error{std::move(code), std::move(doing) + ": " + text + ".", "", error_number, tid};
}

}  // namespace chronofork
