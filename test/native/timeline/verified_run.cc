// Runs a program through Verify() and states what must hold.
#include "verified_run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <sstream>

#include "debuggee.h"

namespace chronofork::timeline_test {
namespace {

// The report on its way through a pipe: one line for each value, text last on its line.
std::string ToText(const Result<VerifyReport>& result) {
  std::ostringstream text;
  if (!result.ok()) {
    text << "error " << result.error().code << ": " << result.error().message << '\n';
    return text.str();
  }
  const VerifyReport& r = result.value();
  text << "end " << r.exit_code << ' ' << r.signal << '\n'
       << "counts " << r.events << ' ' << r.checkpoints << ' ' << r.replays << ' ' << r.refused_calls << ' '
       << r.record_stops << ' ' << r.record_ms << ' ' << r.replay_ms << '\n';
  for (const auto& [number, times] : r.calls) text << "call " << number << ' ' << times << '\n';
  for (const Divergence& d : r.diverged) text << "diverged " << d.moment << " | " << d.what << '\n';
  for (const std::string& notice : r.notices) text << "notice " << notice << '\n';
  return text.str();
}

void FromText(const std::string& text, VerifiedRun& run) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, rest;
    words >> kind;
    VerifyReport& r = run.report;
    if (kind == "end") words >> r.exit_code >> r.signal;
    if (kind == "counts")
      words >> r.events >> r.checkpoints >> r.replays >> r.refused_calls >> r.record_stops >> r.record_ms >>
          r.replay_ms;
    if (kind == "call") {
      int32_t number = 0;
      words >> number;
      words >> r.calls[number];
    }
    std::getline(words >> std::ws, rest);
    if (kind == "error") run.error = rest;
    if (kind == "notice") r.notices.push_back(rest);
    if (kind != "diverged") continue;
    const size_t bar = rest.find(" | ");
    r.diverged.push_back({rest.substr(0, bar), rest.substr(bar + 3)});
  }
}

std::string VerifyHere(const VerifyRequest& request, const std::string& files, const std::string& folder) {
  for (const std::string& entry : request.environment) ::putenv(::strdup(entry.c_str()));
  VerifyOptions options;
  options.interval_ms = request.interval_ms;
  options.interval_events = request.interval_events;
  options.launch.program = request.command[0];
  options.launch.arguments.assign(request.command.begin() + 1, request.command.end());
  options.launch.working_directory = folder;
  options.launch.environment = TestEnvironment();
  options.launch.stdio = {::open((files + "/in").c_str(), O_RDONLY),
                          ::open((files + "/out").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600),
                          ::open((files + "/err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)};
  return ToText(Verify(options));
}

}  // namespace

VerifiedRun RunVerified(const VerifyRequest& request) {
  TemporaryFolder files, folder;
  WriteWholeFile(files.path() + "/in", request.input);
  VerifiedRun run;
  run.core = RunInCoreChild(request.patience, [&] { return VerifyHere(request, files.path(), folder.path()); });
  FromText(run.core.text, run);
  run.output = ReadWholeFile(files.path() + "/out");
  run.error_output = ReadWholeFile(files.path() + "/err");
  return run;
}

std::string ProblemsOf(const VerifiedRun& run) {
  std::string problems = TroubleOf(run.core);
  if (!run.error.empty()) problems += run.error + "\n";
  for (const Divergence& d : run.report.diverged) problems += "diverged at " + d.moment + ": " + d.what + "\n";
  if (!problems.empty() && !run.error_output.empty()) problems += "it said: " + run.error_output.substr(0, 400) + "\n";
  return problems;
}

std::string CommandFor(const VerifyRequest& request) {
  std::ostringstream text;
  for (const std::string& entry : request.environment) text << entry << ' ';
  text << "chronofork verify --interval " << request.interval_ms;
  if (request.interval_events > 0) text << " --events " << request.interval_events;
  text << " --";
  for (const std::string& word : request.command) text << ' ' << word;
  return text.str();
}

}  // namespace chronofork::timeline_test
