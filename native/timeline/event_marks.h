// What of a branch's recording a person looks for, picked out of its events once:
// signals, thread switches, threads that begin and end, and what was written to
// standard output and error.
//
//     event log   … read write clock futex switch write …
//     marks             1─────────────────2──────3─────▶ handed on, and forgotten here
//
// Each event is looked at once, whoever asks how often. A mark of output has no
// text: the recording keeps a digest of it, by which whoever reads the output
// finds its place in it.
//
// Easy to get wrong: a branch has the events of its parent as its first ones.
// Those are the parent's marks, but which descriptors are output is known from them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "record/event_log.h"

namespace chronofork {

struct EventMark {
  enum class Kind : uint8_t { kSignal, kSwitch, kOutput, kThreadBegin, kThreadEnd };
  Kind kind = Kind::kSignal;
  uint8_t stream = 0;      // kOutput: 1 or 2
  bool handled = false;    // kSignal: a function of the program's was called
  bool in_pieces = false;  // kOutput: of writev, whose digest is not that of the whole
  pid_t thread = 0;        // whose event it is; kSwitch: which is left
  int32_t number = 0;      // of the signal; kSwitch, kThreadBegin, kThreadEnd: of the thread
  uint64_t event = 0;
  uint64_t time_ns = 0;
  uint64_t bytes = 0;   // kOutput
  uint64_t digest = 0;  // kOutput
};

class EventMarks {
 public:
  // Those of the first `inherited` events are another branch's.
  explicit EventMarks(size_t inherited) : inherited_(inherited) {}

  // Looks at the next events of the log, at most so many.
  void Update(const EventLog& log, size_t most);
  // The marks found since the last call.
  std::vector<EventMark> Take() { return std::exchange(found_, {}); }
  // Events looked at so far.
  size_t looked_at() const { return next_; }

 private:
  void LookAtCall(const EventLog& log, long number, std::span<const uint64_t> arguments, int64_t result,
                  uint64_t output_digest);
  EventMark& Found(const EventLog& log, EventMark::Kind kind);

  size_t inherited_;
  size_t next_ = 0;
  std::map<int, uint8_t> outputs_{{1, 1}, {2, 2}};  // descriptor → stream
  std::vector<EventMark> found_;
};

}  // namespace chronofork
