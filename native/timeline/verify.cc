// == 1. Run it live to its end. == 2. Replay each interval. == 3. Replay to the end.
#include "timeline/verify.h"

#include <signal.h>

#include <algorithm>
#include <chrono>

#include "replay/memory_comparison.h"
#include "timeline/engine.h"

namespace chronofork {
namespace {

// What a replay may take beside that: much, for every trap is counted as its own time.
constexpr uint64_t kReplayPatienceNs = 60'000'000'000;
constexpr uint64_t kMostTimesTheRecording = 20;
constexpr double kLookIntervalMs = 100;

double MillisecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

std::string MomentOf(const Position& position) {
  char text[64];
  std::snprintf(text, sizeof text, "event %zu, pc 0x%llx", position.event,
                static_cast<unsigned long long>(position.registers.rip));
  return text;
}

}  // namespace

Result<void> Engine::VerifyUntil(size_t index, const EndMarker& end, std::vector<Divergence>* diverged) {
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, ReplayFrom(index));
  auto differs = [&](const std::string& what) {
    diverged->push_back({MomentOf(replay->position()), what + " (replayed from checkpoint " +
                                                           std::to_string(index + 1) + ", at event " +
                                                           std::to_string(branch().line[index]->position.event) + ")"});
  };
  // A replay that has missed the place of a signal in a loop would go round in it for ever.
  const uint64_t begun_ns = replay->process().CpuTimeNs();
  const uint64_t most_ns = kReplayPatienceNs + kMostTimesTheRecording * branch().tip->CpuTimeNs();
  WakeTimer timer(kLookIntervalMs);
  ReplayPlan plan;
  plan.end = end;
  plan.cancelled = [&] { return replay->process().CpuTimeNs() - begun_ns > most_ns; };
  Result<ReplayStop> stop = replay->Run(plan);
  if (!stop.ok()) {
    differs(stop.error().message);
    return {};
  }
  if (stop->kind == ReplayStop::Kind::kCancelled)
    differs("The replay ran much longer than the recording and did not come to its end.");
  else if (stop->kind != ReplayStop::Kind::kReachedEnd)
    differs(stop->signal == 0 ? std::string("The replay ended before the recording did.")
                              : "The program was struck by signal " + std::to_string(stop->signal) +
                                    " where the recording has none.");
  return {};
}

Result<void> Engine::VerifyFrom(size_t index, std::vector<Divergence>* diverged) {
  Branch& b = branch();
  const PageSet pages = Union(WritablePages(b.tip->pid()), b.recorder->shared_memory().pages());
  return VerifyUntil(index, {LivePosition(), b.tip.get(), pages}, diverged);
}

Result<void> Engine::VerifyInterval(size_t index, std::vector<Divergence>* diverged) {
  return VerifyUntil(index, MarkerOf(index + 1), diverged);
}

Result<VerifyReport> Verify(const VerifyOptions& options) {
  VerifyReport report;
  EngineOptions engine_options;
  engine_options.interval_ms = options.interval_ms;
  engine_options.interval_events = options.interval_events;
  engine_options.budget_bytes = options.budget_bytes;
  engine_options.notice = [&](const char* severity, const std::string& text) {
    report.notices.push_back(std::string(severity) + ": " + text);
  };
  Engine engine(std::move(engine_options));
  uint64_t stops_before = Tracee::StopCount();
  auto begun = std::chrono::steady_clock::now();
  CF_TRY(engine.Launch(options.launch));
  for (int signal = 1; signal < NSIG; ++signal) engine.passed_signals.insert(signal);

  // == 1.
  StopReply stop;
  for (;;) {
    stop = engine.Resume({ResumeKind::kContinue, stop.kind == StopKind::kSignal ? stop.signal : 0, {}});
    if (stop.kind == StopKind::kHistoryEnd || stop.kind == StopKind::kKilled || stop.kind == StopKind::kHistoryBegin)
      break;
  }
  report.record_ms = MillisecondsSince(begun);
  report.record_stops = Tracee::StopCount() - stops_before;
  Branch& b = engine.branch();
  report.refused_calls = b.recorder->refused_calls;
  report.stopped_calls = b.recorder->stopped_calls;
  if (stop.kind != StopKind::kHistoryEnd) {
    if (stop.kind == StopKind::kKilled)
      return Error{"debuggeeGone", "The program was killed from outside before it ended.", "", 0, engine.pid()};
    std::string why = report.notices.empty() ? "" : " (" + report.notices.back() + ")";
    return Error{"recordingFailed", "The recording stopped before the program ended" + why + ".", "", 0, engine.pid()};
  }
  if (b.end.kind == EndState::Kind::kExited)
    report.exit_code = b.end.exit_code;
  else
    report.signal = b.end.signal;
  report.events = b.log->size();
  report.checkpoints = b.line.size();
  report.threads = 1;
  for (size_t i = 0; i < b.log->size(); ++i) {
    if (b.log->IsRecord(i)) {
      ++report.calls[b.log->RecordAt(i).number];
      continue;
    }
    const Event& event = b.log->at(i);
    if (event.kind == EventKind::kSyscall) ++report.calls[event.number];
    if (event.thread_made != 0) ++report.threads;
  }

  // == 2. and 3.
  stops_before = Tracee::StopCount();
  begun = std::chrono::steady_clock::now();
  const size_t count = b.line.size();
  for (size_t i = 0; i + 1 < count; ++i) {
    CF_TRY(engine.VerifyInterval(i, &report.diverged));
    ++report.intervals;
  }
  CF_TRY(engine.VerifyFrom(count - 1, &report.diverged));
  ++report.replays;
  report.one_pass_ms = MillisecondsSince(begun);
  const size_t replays = options.most_replays ? std::min(options.most_replays, count) : count;
  for (size_t i = 0; i < replays && i * count / replays + 1 < count; ++i) {
    CF_TRY(engine.VerifyFrom(i * count / replays, &report.diverged));
    ++report.replays;
  }
  report.replay_ms = MillisecondsSince(begun);
  report.replay_stops = Tracee::StopCount() - stops_before;
  engine.LetGo(true);
  return report;
}

}  // namespace chronofork
