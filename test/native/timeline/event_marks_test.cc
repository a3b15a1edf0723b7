// What of a recording becomes marks, from events made by hand.
#include "timeline/event_marks.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

#include <memory>
#include <string>

namespace chronofork {
namespace {

using Kind = EventMark::Kind;

class Recorded {
 public:
  EventLog log{std::make_shared<EventLog::Arena>()};

  Event& Call(long number, std::array<uint64_t, 6> arguments, int64_t result, uint64_t output_digest = 0) {
    Event event;
    event.number = static_cast<int32_t>(number);
    event.arguments = arguments;
    event.result = result;
    event.output_digest = output_digest;
    event.thread = 10;
    event.time_ns = 1000 * log.size();
    return log.Append(std::move(event));
  }
  Event& Write(uint64_t descriptor, int64_t result = 3) { return Call(SYS_write, {descriptor, 0, 9}, result, 77); }
  Event& Other(EventKind kind, int32_t number) {
    Event event;
    event.kind = kind;
    event.number = number;
    event.thread = 10;
    return log.Append(std::move(event));
  }
};

// "1:3" is output to stream 1 of three bytes.
std::string OutputsOf(const std::vector<EventMark>& marks) {
  std::string text;
  for (const EventMark& mark : marks)
    if (mark.kind == Kind::kOutput) text += " " + std::to_string(mark.stream) + ":" + std::to_string(mark.bytes);
  return text;
}

std::vector<EventMark> MarksOf(const EventLog& log, size_t inherited = 0) {
  EventMarks marks(inherited);
  marks.Update(log, log.size());
  return marks.Take();
}

}  // namespace

TEST_CASE("event marks: what is written to the standard streams, with its event, time and thread") {
  Recorded r;
  r.Call(SYS_openat, {}, 3);
  r.Write(1, 5);
  r.Write(3);
  r.Write(2, 4);
  r.Write(1, -EAGAIN);
  const std::vector<EventMark> marks = MarksOf(r.log);
  CHECK(OutputsOf(marks) == " 1:5 2:4");
  REQUIRE(marks.size() == 2);
  CHECK(marks[1].event == 3);
  CHECK(marks[1].time_ns == 3000);
  CHECK(marks[1].thread == 10);
  CHECK(marks[1].digest == 77);
  CHECK_FALSE(marks[1].in_pieces);
}

TEST_CASE("event marks: of writev it is said that its digest is not that of the whole") {
  Recorded r;
  r.Call(SYS_writev, {1, 0, 2}, 8, 5);
  REQUIRE(MarksOf(r.log).size() == 1);
  CHECK(MarksOf(r.log)[0].in_pieces);
}

TEST_CASE("event marks: a copy of an output's descriptor is that output, until something else has its number") {
  Recorded r;
  r.Call(SYS_dup, {1}, 5);
  r.Write(5, 1);
  r.Call(SYS_fcntl, {2, F_DUPFD_CLOEXEC, 10}, 10);
  r.Write(10, 2);
  r.Call(SYS_dup2, {3, 1}, 1);  // a file in the place of standard output
  r.Write(1, 3);
  r.Write(5, 4);
  r.Call(SYS_dup3, {5, 1, 0}, 1);  // and that back
  r.Write(1, 5);
  r.Call(SYS_dup2, {1, 1}, 1);
  r.Write(1, 6);
  r.Call(SYS_close, {10}, 0);
  r.Write(10, 7);
  r.Call(SYS_fcntl, {2, F_GETFD}, 1);
  r.Write(1, 8);
  r.Call(SYS_close_range, {2, 5, 0}, 0);
  r.Write(5, 9);
  r.Write(2, 10);
  r.Write(1, 11);
  CHECK(OutputsOf(MarksOf(r.log)) == " 1:1 2:2 1:4 1:5 1:6 1:8 1:11");
}

TEST_CASE("event marks: signals, and threads that begin, end and take turns") {
  Recorded r;
  r.Call(SYS_clone3, {}, 11).thread_made = 11;
  r.Other(EventKind::kSwitch, 11);
  r.Other(EventKind::kSignal, SIGUSR1).handled = true;
  r.Other(EventKind::kTimeStamp, 0);
  r.Call(SYS_exit, {}, 0).thread_ended = true;
  const std::vector<EventMark> marks = MarksOf(r.log);
  REQUIRE(marks.size() == 4);
  CHECK((marks[0].kind == Kind::kThreadBegin && marks[0].number == 11));
  CHECK((marks[1].kind == Kind::kSwitch && marks[1].number == 11 && marks[1].thread == 10));
  CHECK((marks[2].kind == Kind::kSignal && marks[2].number == SIGUSR1 && marks[2].handled));
  CHECK((marks[3].kind == Kind::kThreadEnd && marks[3].number == 10 && marks[3].event == 4));
}

TEST_CASE("event marks: a branch has its own, and knows from its parent's events what is output") {
  Recorded r;
  r.Call(SYS_dup, {1}, 5);
  r.Write(1, 1);
  r.Other(EventKind::kSignal, SIGUSR1);
  r.Write(5, 2);
  const std::vector<EventMark> marks = MarksOf(r.log, 3);
  CHECK(marks.size() == 1);
  CHECK(OutputsOf(marks) == " 1:2");
}

TEST_CASE("event marks: in portions they are the same, each once, while the recording grows") {
  Recorded r;
  EventMarks marks(0);
  std::string outputs;
  for (int i = 1; i <= 20; ++i) {
    r.Write(1, i);
    if (i % 3 == 0) marks.Update(r.log, 2);
    outputs += OutputsOf(marks.Take());
  }
  CHECK(marks.looked_at() == 12);
  marks.Update(r.log, 1000);
  outputs += OutputsOf(marks.Take());
  std::string expected;
  for (int i = 1; i <= 20; ++i) expected += " 1:" + std::to_string(i);
  CHECK(outputs == expected);
  CHECK(marks.looked_at() == r.log.size());
}

}  // namespace chronofork
