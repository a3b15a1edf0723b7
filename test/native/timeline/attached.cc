// The target's life, its traces in /proc, and the Engine in the words of the tests.
#include "attached.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <thread>

#include "timeline/verify.h"
#include "tracee/attachment.h"
#include "tracee/memory.h"

namespace chronofork::timeline_test {

Target::Target(const std::vector<std::string>& command, const std::vector<std::string>& added) {
  int input[2];
  REQUIRE(::pipe2(input, O_CLOEXEC) == 0);
  std::vector<std::string> environment = TestEnvironment();
  environment.insert(environment.end(), added.begin(), added.end());
  std::vector<char*> argv, envp;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& entry : environment) envp.push_back(const_cast<char*>(entry.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const std::string out = files_.path() + "/out", error = files_.path() + "/err";
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::setsid();
    ::dup2(input[0], 0);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 1);
    ::dup2(::open(error.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 2);
    ::close_range(3, ~0u, 0);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(input[0]);
  input_ = input[1];
}

Target::~Target() {
  if (input_ >= 0) ::close(input_);
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Target::WaitUntilReady() {
  for (int i = 0; i < 2000; ++i) {
    if (output().starts_with("ready\n")) return true;
    ::usleep(5000);
  }
  return false;
}

void Target::Write(const std::string& text) {
  if (input_ < 0) return;
  // It may have ended.
  auto former = ::signal(SIGPIPE, SIG_IGN);
  ssize_t ignored = ::write(input_, text.data(), text.size());
  static_cast<void>(ignored);
  ::signal(SIGPIPE, former);
  ::close(input_);
  input_ = -1;
}

bool Target::ended() {
  if (!reaped_) reaped_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
  return reaped_;
}

std::string Target::WaitForEnd(std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!ended()) {
    if (std::chrono::steady_clock::now() > deadline) return "hung";
    ::usleep(5000);
  }
  const std::string said = ReadWholeFile(files_.path() + "/err");
  return (WIFEXITED(status_) ? "exit " + std::to_string(WEXITSTATUS(status_))
                             : "signal " + std::to_string(WTERMSIG(status_))) +
         (said.empty() ? "" : ": " + said);
}

std::string Target::output() const { return ReadWholeFile(files_.path() + "/out"); }

std::string Target::Traces(bool all_threads) const {
  std::ostringstream text;
  std::vector<pid_t> tids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task"))
    tids.push_back(std::atoi(entry.path().filename().c_str()));
  std::sort(tids.begin(), tids.end());
  for (pid_t tid : tids) {
    if (tid != pid_ && !all_threads) continue;
    text << "thread " << tid << "\n";
    std::istringstream status(ReadProcText(pid_, "task/" + std::to_string(tid) + "/status"));
    for (std::string line; std::getline(status, line);)
      for (const char* key : {"TracerPid:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:", "Cpus_allowed:", "SigBlk:",
                              "SigPnd:", "SigIgn:", "SigCgt:"})
        // One that makes threads blocks all signals while it does.
        if (line.starts_with(key) && (all_threads || !line.starts_with("SigBlk"))) text << line << "\n";
    // struct ptrace_rseq_configuration
    struct {
      uint64_t address;
      uint32_t length, signature, flags, padding;
    } rseq{};
    // To ask would end an epoll_wait with EINTR.
    const std::string call = ReadProcText(pid_, "task/" + std::to_string(tid) + "/syscall");
    if (call.starts_with("232 ")) {
      text << "waits in epoll_wait\n";
    } else if (::ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) == 0) {
      ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
      int state = 0;
      ::waitpid(tid, &state, __WALL);
      const long size = ::ptrace(static_cast<__ptrace_request>(0x420f), tid, sizeof rseq, &rseq);
      text << "rseq " << size << ' ' << rseq.address << ' ' << rseq.length << ' ' << rseq.signature << "\n";
      ::ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
    } else {
      text << "traced by somebody\n";
    }
  }
  const pid_t shown = LivingThreadOf(pid_);
  for (const Mapping& mapping : ReadMappings(shown)) {
    const bool executable = mapping.executable && mapping.path != "[vsyscall]";
    if (!executable && (mapping.writable || mapping.path.empty())) continue;  // it may have allocated meanwhile
    uint64_t digest = 0;
    if (executable) {
      std::vector<std::byte> code(mapping.range.length());
      code.resize(TraceeMemory(shown).ReadSome(mapping.range.start, code));
      digest = 0xcbf29ce484222325;
      for (std::byte byte : code) digest = (digest ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
    }
    text << std::hex << mapping.range.start.value << '-' << mapping.range.end.value << ' ' << mapping.path << ' '
         << digest << std::dec << "\n";
  }
  return text.str();
}

AttachedRun::AttachedRun(pid_t pid, double interval_ms) {
  EngineOptions options;
  options.interval_ms = interval_ms;
  options.notice = [this](const char* severity, const std::string& text) {
    notices.push_back(std::string(severity) + ": " + text);
  };
  engine_ = std::make_unique<Engine>(std::move(options));
  Result<pid_t> attached = engine_->Attach(pid);
  if (!attached.ok()) problems += attached.error().code + ": " + attached.error().message + "\n";
  for (int signal = 1; signal < NSIG; ++signal) engine_->passed_signals.insert(signal);
}

StopReply AttachedRun::RunFor(int ms) {
  std::thread interrupter([&] {
    ::usleep(static_cast<useconds_t>(ms) * 1000);
    engine_->RequestInterrupt();
  });
  StopReply reply = engine_->Resume({ResumeKind::kContinue, 0, {}});
  interrupter.join();
  if (reply.kind == StopKind::kHistoryBegin || reply.kind == StopKind::kKilled)
    problems += "the run stopped: " + (notices.empty() ? std::string("killed") : notices.back()) + "\n";
  return reply;
}

void AttachedRun::Do(TimeOperation operation) {
  engine_->Arm(std::move(operation), [this](OperationResult result) {
    if (result.error) problems += result.error->code + ": " + result.error->message + "\n";
  });
  engine_->Resume({ResumeKind::kReverseContinue, 0, {}});
}

void AttachedRun::StepBackAndForth() {
  if (!problems.empty()) return;
  // From a checkpoint in the middle, twice the same way.
  TimeOperation there;
  there.kind = TimeOperation::Kind::kSeekCheckpoint;
  there.id = engine_->branch().line[engine_->branch().line.size() / 2]->id;
  constexpr int kSteps = 20;
  std::vector<GeneralRegisters> passed[2];
  for (std::vector<GeneralRegisters>& way : passed) {
    Do(there);
    for (int i = 0; i < kSteps && !engine_->live(); ++i) {
      way.push_back(engine_->process().registers());
      if (engine_->PresentPosition().event + 1 >= engine_->branch().log->size()) break;
      engine_->Resume({ResumeKind::kStep, 0, {}});
    }
  }
  Expect("two ways are equally long", passed[0].size() == passed[1].size());
  for (size_t i = 0; i < std::min(passed[0].size(), passed[1].size()); ++i) {
    const std::string difference = DifferenceOf(passed[0][i], passed[1][i]);
    Expect("two ways are the same: " + difference, difference.empty());
  }
  TimeOperation to_end;
  to_end.kind = TimeOperation::Kind::kSeekEnd;
  Do(to_end);
  Expect("the end is live", engine_->live());
}

void AttachedRun::VerifyAll() {
  if (!problems.empty()) return;
  std::vector<Divergence> diverged;
  const size_t count = engine_->branch().line.size();
  Expect("there are checkpoints", count > 0);
  // Nothing replays across a change.
  size_t first = 0;
  for (size_t i = 0; i < count; ++i)
    if (engine_->branch().line[i]->barrier) first = i;
  for (size_t i = first; i < count; ++i) {
    Result<void> verified = engine_->VerifyFrom(i, &diverged);
    if (!verified.ok()) problems += verified.error().message + "\n";
  }
  for (const Divergence& d : diverged) problems += "diverged at " + d.moment + ": " + d.what + "\n";
  for (const std::string& notice : notices)
    if (notice.starts_with("error")) problems += notice + "\n";
}

void AttachedRun::Detach() {
  if (engine_->branches().empty()) return;
  Result<bool> detached = engine_->Detach();
  if (!detached.ok()) problems += detached.error().message + "\n";
}

}  // namespace chronofork::timeline_test
