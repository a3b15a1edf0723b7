// Logging with a switch for each layer: CHRONOFORK_LOG=record:debug,rsp:info
// (or one level for all: CHRONOFORK_LOG=debug). Lines go to stderr, or to the
// file that CHRONOFORK_LOG_FILE names. Off by default, and then nearly free.
#pragma once

#include <string>

namespace chronofork {

enum class LogLevel { kOff, kError, kInfo, kDebug, kTrace };

// A layer's logger. Make one per layer: `static Log log("record");`.
class Log {
 public:
  explicit Log(const char* layer);
  bool Enabled(LogLevel level) const { return level <= level_; }
  void Write(LogLevel level, const char* format, ...) const __attribute__((format(printf, 3, 4)));

 private:
  const char* layer_;
  LogLevel level_;
};

}  // namespace chronofork

#define CF_LOG(log, level, ...)                                                                                \
  do {                                                                                                         \
    if ((log).Enabled(::chronofork::LogLevel::level)) (log).Write(::chronofork::LogLevel::level, __VA_ARGS__); \
  } while (false)
