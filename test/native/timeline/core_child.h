// The core in a process of its own, with a watchdog: a hang or an assertion
// fails one case and leaves nothing behind (debuggees die with their tracer).
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace chronofork::timeline_test {

struct ChildEnd {
  bool hung = false;
  int crashed = 0;   // the signal that ended it
  std::string text;  // what `body` returned
};

// `body` runs in a forked child, on a thread that may become the tracer thread.
ChildEnd RunInCoreChild(std::chrono::seconds patience, const std::function<std::string()>& body);

// "" if the child came to its end, else why not.
std::string TroubleOf(const ChildEnd& end);

}  // namespace chronofork::timeline_test
