// Which events are marks, and which descriptors are the program's output.
#include "timeline/event_marks.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>

namespace chronofork {

EventMark& EventMarks::Found(const EventLog& log, EventMark::Kind kind) {
  EventMark& mark = found_.emplace_back();
  mark.kind = kind;
  mark.event = next_;
  mark.time_ns = log.TimeOf(next_);
  mark.thread = log.ThreadOf(next_);
  return mark;
}

void EventMarks::LookAtCall(const EventLog& log, long number, std::span<const uint64_t> arguments, int64_t result,
                            uint64_t output_digest) {
  if (result < 0) return;
  const int descriptor = static_cast<int>(arguments[0]);
  const auto output = outputs_.find(descriptor);
  if (output_digest != 0 && output != outputs_.end() && next_ >= inherited_) {
    EventMark& mark = Found(log, EventMark::Kind::kOutput);
    mark.stream = output->second;
    mark.in_pieces = number == SYS_writev || number == SYS_pwritev || number == SYS_pwritev2;
    mark.bytes = static_cast<uint64_t>(result);
    mark.digest = output_digest;
    return;
  }
  const auto copied_to = [&](int copy) {
    if (output == outputs_.end())
      outputs_.erase(copy);
    else if (copy != descriptor)
      outputs_[copy] = output->second;
  };
  switch (number) {
    case SYS_dup:
    case SYS_dup2:
    case SYS_dup3: return copied_to(static_cast<int>(result));
    case SYS_fcntl:
      if (arguments[1] == F_DUPFD || arguments[1] == F_DUPFD_CLOEXEC) copied_to(static_cast<int>(result));
      return;
    case SYS_close: outputs_.erase(descriptor); return;
    case SYS_close_range:
      std::erase_if(outputs_, [&](const auto& one) {
        const auto open = static_cast<uint32_t>(one.first);
        return open >= static_cast<uint32_t>(arguments[0]) && open <= static_cast<uint32_t>(arguments[1]);
      });
      return;
    default: return;
  }
}

void EventMarks::Update(const EventLog& log, size_t most) {
  const size_t end = next_ + std::min(most, log.size() - std::min(log.size(), next_));
  for (; next_ < end; ++next_) {
    if (log.IsRecord(next_)) {
      const CallRecord& record = log.RecordAt(next_);
      LookAtCall(log, record.number, record.arguments, record.result, record.output_digest);
      continue;
    }
    const Event& event = log.at(next_);
    const bool own = next_ >= inherited_;
    switch (event.kind) {
      case EventKind::kSyscall:
        if (event.restarted) break;
        LookAtCall(log, event.number, event.arguments, event.result, event.output_digest);
        if (own && event.thread_made != 0) Found(log, EventMark::Kind::kThreadBegin).number = event.thread_made;
        if (own && event.thread_ended) Found(log, EventMark::Kind::kThreadEnd).number = event.thread;
        break;
      case EventKind::kSignal:
        if (!own) break;
        Found(log, EventMark::Kind::kSignal).number = event.number;
        found_.back().handled = event.handled;
        break;
      case EventKind::kSwitch:
        if (own) Found(log, EventMark::Kind::kSwitch).number = event.number;
        break;
      case EventKind::kTimeStamp:
      case EventKind::kRandom:
      case EventKind::kVectorSave: break;
    }
  }
}

}  // namespace chronofork
