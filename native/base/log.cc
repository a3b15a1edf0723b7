// The switch, the clock and the one write() per line of the log.
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

namespace chronofork {
namespace {

LogLevel ParseLevel(std::string_view text) {
  if (text == "error") return LogLevel::kError;
  if (text == "info") return LogLevel::kInfo;
  if (text == "debug") return LogLevel::kDebug;
  if (text == "trace") return LogLevel::kTrace;
  return LogLevel::kOff;
}

LogLevel LevelFor(std::string_view layer) {
  const char* setting = std::getenv("CHRONOFORK_LOG");
  if (!setting) return LogLevel::kOff;
  LogLevel level = LogLevel::kOff;
  std::string_view rest = setting;
  while (!rest.empty()) {
    std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(item.size() < rest.size() ? item.size() + 1 : rest.size());
    size_t colon = item.find(':');
    if (colon == std::string_view::npos)
      level = ParseLevel(item);
    else if (item.substr(0, colon) == layer)
      level = ParseLevel(item.substr(colon + 1));
  }
  return level;
}

int LogFd() {
  static const int fd = [] {
    const char* path = std::getenv("CHRONOFORK_LOG_FILE");
    int opened = path ? ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    return opened >= 0 ? opened : STDERR_FILENO;
  }();
  return fd;
}

}  // namespace

Log::Log(const char* layer) : layer_(layer), level_(LevelFor(layer)) {}

void Log::Write(LogLevel level, const char* format, ...) const {
  static const char* const kNames[] = {"off", "error", "info", "debug", "trace"};
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  char line[2048];
  int n = std::snprintf(line, sizeof line, "%ld.%06ld %s %s: ", static_cast<long>(now.tv_sec), now.tv_nsec / 1000,
                        layer_, kNames[static_cast<int>(level)]);
  va_list arguments;
  va_start(arguments, format);
  int m = std::vsnprintf(line + n, sizeof line - static_cast<size_t>(n) - 1, format, arguments);
  va_end(arguments);
  size_t length = static_cast<size_t>(n) + static_cast<size_t>(m < 0 ? 0 : m);
  if (length > sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  ssize_t ignored = ::write(LogFd(), line, length);
  static_cast<void>(ignored);
}

}  // namespace chronofork
