// Where one of several threads has executed something last. The others may have
// had many turns since: those are passed over, not stepped through.
//
// Easy to get wrong: a thread that has its turn again may not have executed
// anything yet, and then what counts is where it was left before. A call's
// instruction is one place, though rcx and r11 may be those of before the call or
// those that a call that was taken back has left (Position::kAtSyscall).
#include "timeline/search.h"

namespace chronofork {

// The position is where its thread took over from another one.
bool Search::NothingSinceSwitch(const Position& position) const {
  const EventLog& log = *engine_.branches_[static_cast<size_t>(engine_.branch_)]->log;
  if (position.event == 0) return false;
  const Event& last = log.at(position.event - 1);
  if (last.kind != EventKind::kSwitch) return false;
  if (position.kind == Position::Kind::kEventEnd) return true;
  return position.kind == Position::Kind::kAtSyscall && DigestOf(position.registers) == last.registers_digest;
}

// Whether the thread was made by the recorded program.
bool Search::BeganWithin(pid_t tid) const {
  const EventLog& log = *engine_.branches_[static_cast<size_t>(engine_.branch_)]->log;
  for (size_t i = 0; i < log.size(); ++i)
    if (!log.IsRecord(i) && log.at(i).thread_made == tid) return true;
  return false;
}

// From the checkpoint before the switch that is event `event` up to it, where the
// thread that is left has `registers`.
std::optional<Search::Interval> Search::UpToSwitch(size_t event, const GeneralRegisters& registers) {
  auto& line = engine_.branch().line;
  const Event& left = engine_.branch().log->at(event);
  const bool at_call = left.place == SignalPlace::kBeforeSyscall;
  EndMarker end;
  end.position.kind = at_call                                ? Position::Kind::kAtSyscall
                      : left.place == SignalPlace::kAnywhere ? Position::Kind::kComputing
                                                             : Position::Kind::kEventEnd;
  end.position.event = event;
  end.position.thread = left.thread;
  end.position.registers = registers;
  size_t start = line.size();
  for (size_t i = 0; i < line.size() && line[i]->position.event <= event; ++i) {
    const Position& position = line[i]->position;
    if (position.event == event) {
      const bool same_place = DigestOf(position.registers) == DigestOf(registers);
      if (left.place == SignalPlace::kAnywhere && same_place && position.kind == Position::Kind::kComputing) {
        end = engine_.MarkerOf(i);
        start = i;
      }
      if (!at_call || position.registers.rip == registers.rip) continue;
    }
    if (left.place != SignalPlace::kAnywhere) start = i;
  }
  if (left.place == SignalPlace::kAnywhere) return start < line.size() ? Before(start) : std::nullopt;
  return start < line.size() ? std::optional(Interval{start, std::move(end)}) : std::nullopt;
}

// The interval at whose end the thread's last instruction before the present
// was executed. nullopt: it has executed nothing since the beginning of the
// recording. Error: "threadBegins".
Result<std::optional<Search::Interval>> Search::LastTurnOf(pid_t tid) {
  const Position now = engine_.edited_ && engine_.pristine_ ? engine_.pristine_position_ : engine_.PresentPosition();
  if (now.thread == tid && !NothingSinceSwitch(now)) return Before(std::nullopt);
  Position at = now;
  if (now.thread != tid) {
    auto other = now.others.find(tid);
    if (other == now.others.end())
      return Error{"noSuchThread", "There is no thread " + std::to_string(tid) + " at this moment.", "", 0, tid};
    at.registers = other->second->registers;
  }
  const EventLog& log = *engine_.branch().log;
  for (size_t event = now.event; event-- > 0;) {
    const Event& left = log.at(event);
    if (left.thread_made == tid) break;
    if (left.kind != EventKind::kSwitch || left.thread != tid) continue;
    at.event = event;
    at.kind = left.place == SignalPlace::kBeforeSyscall ? Position::Kind::kAtSyscall
              : left.place == SignalPlace::kAfterEvent  ? Position::Kind::kEventEnd
                                                        : Position::Kind::kComputing;
    if (NothingSinceSwitch(at)) continue;
    std::optional<Interval> interval = UpToSwitch(event, at.registers);
    if (interval) return interval;
    return Error{"momentForgotten", "The checkpoint where the thread was left for another one was deleted.",
                 "Step back by lines, or in the other thread.", 0, tid};
  }
  if (BeganWithin(tid))
    return Error{"threadBegins", "Thread " + std::to_string(tid) + " begins here: it has executed nothing before.",
                 "Step back in the thread that has made it.", 0, tid};
  return std::optional<Interval>();
}

// Whether `replay`, which steps towards `end`, stands there.
Result<bool> Search::Arrived(Replayer& replay, const EndMarker& end) {
  if (end.position.kind != Position::Kind::kAtSyscall) return replay.StandsAt(end);
  return replay.event() == end.position.event && replay.thread() == end.position.thread &&
         replay.process().registers().rip == end.position.registers.rip;
}

}  // namespace chronofork
