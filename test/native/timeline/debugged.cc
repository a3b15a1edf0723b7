// A debug session over an Engine, in the words of the tests.
#include "debugged.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "debuggee.h"
#include "replay/memory_comparison.h"
#include "tracee/core_page.h"

namespace chronofork::timeline_test {

Symbols::Symbols(const std::string& program) {
  const std::string file = ReadWholeFile(program);
  auto header = reinterpret_cast<const Elf64_Ehdr*>(file.data());
  auto sections = reinterpret_cast<const Elf64_Shdr*>(file.data() + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const char* names = file.data() + sections[sections[i].sh_link].sh_offset;
    auto symbol = reinterpret_cast<const Elf64_Sym*>(file.data() + sections[i].sh_offset);
    for (uint64_t n = sections[i].sh_size / sizeof(Elf64_Sym); n > 0; --n, ++symbol)
      ranges_[names + symbol->st_name] = {TraceeAddress(symbol->st_value),
                                          TraceeAddress(symbol->st_value + symbol->st_size)};
  }
}

AddressRange Symbols::RangeOf(const std::string& name) const {
  auto found = ranges_.find(name);
  if (found == ranges_.end()) {
    std::fprintf(stderr, "no symbol %s\n", name.c_str());
    std::abort();
  }
  return found->second;
}

TraceeAddress Symbols::at(const std::string& name) const { return RangeOf(name).start; }

bool NotedState::operator==(const NotedState& other) const {
  return memory == other.memory && DifferenceOf(registers, other.registers).empty();
}

std::string ToText(const NotedState& state) {
  char text[80];
  std::snprintf(text, sizeof text, "pc %llx sp %llx memory %016llx", state.registers.rip, state.registers.rsp,
                static_cast<unsigned long long>(state.memory));
  return text;
}

const char* NameOf(StopKind kind) {
  static const char* const kNames[] = {"signal",        "breakpoint",  "watchpoint", "syscall entry", "syscall return",
                                       "history begin", "history end", "libraries",  "exec",          "killed"};
  return kNames[static_cast<int>(kind)];
}

Debugged::Debugged(const std::string& program, const std::vector<std::string>& arguments, const Options& wanted)
    : symbols_(program) {
  EngineOptions options;
  options.interval_ms = wanted.interval_ms;
  options.tick_ms = wanted.tick_ms;
  options.budget_bytes = wanted.budget_bytes;
  options.notice = [this](const char* severity, const std::string& text) {
    notices.push_back(std::string(severity) + ": " + text);
  };
  engine_ = std::make_unique<Engine>(std::move(options));
  LaunchSpec spec;
  spec.program = program;
  spec.arguments = arguments;
  spec.working_directory = wanted.folder;
  spec.environment = TestEnvironment();
  spec.stdio = {::open("/dev/null", O_RDONLY), ::open(wanted.output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 2};
  Result<pid_t> launched = engine_->Launch(spec);
  if (!launched.ok()) problems += launched.error().message + "\n";
  for (int signal = 1; signal < NSIG; ++signal) engine_->passed_signals.insert(signal);
}

Debugged::~Debugged() = default;

StopReply Debugged::Continue() { return engine_->Resume({ResumeKind::kContinue, 0, {}}); }
StopReply Debugged::Step() { return engine_->Resume({ResumeKind::kStep, 0, {}}); }
StopReply Debugged::ReverseContinue() { return engine_->Resume({ResumeKind::kReverseContinue, 0, {}}); }
StopReply Debugged::ReverseStep() { return engine_->Resume({ResumeKind::kReverseStep, 0, {}}); }

OperationResult Debugged::Do(TimeOperation operation) {
  OperationResult result = Try(std::move(operation));
  if (result.error) problems += result.error->code + ": " + result.error->message + "\n";
  return result;
}

OperationResult Debugged::Try(TimeOperation operation) {
  OperationResult result;
  bool answered = false;
  engine_->Arm(std::move(operation), [&](OperationResult r) {
    result = std::move(r);
    answered = true;
  });
  ReverseContinue();
  Expect("an armed operation is answered", answered);
  return result;
}

OperationResult Debugged::SeekCheckpoint(int id) {
  TimeOperation seek;
  seek.kind = TimeOperation::Kind::kSeekCheckpoint;
  seek.id = id;
  return Do(seek);
}

void Debugged::Break(const std::string& symbol, AgentCode condition) {
  std::vector<AgentCode> conditions;
  if (!condition.empty()) conditions.push_back(std::move(condition));
  engine_->breakpoints[symbols_.at(symbol)] = {BreakpointKind::kSoftware, std::move(conditions)};
}

void Debugged::Watch(const std::string& symbol, uint64_t length_bytes) {
  engine_->watches.push_back({WatchKind::kWrite, symbols_.at(symbol), length_bytes});
}

uint64_t Debugged::Word(const std::string& symbol) {
  Result<uint64_t> word = engine_->process().memory().ReadValue<uint64_t>(symbols_.at(symbol));
  Expect(symbol + " can be read", word.ok());
  return word.ok() ? word.value() : ~uint64_t{0};
}

NotedState Debugged::Note() {
  NotedState state;
  Tracee& process = engine_->process();
  state.registers = process.registers();
  uint64_t digest = 0xcbf29ce484222325;
  std::vector<std::byte> chunk(1 << 16);
  const PageSet dead = DeadStack(process.pid(), {TraceeAddress(state.registers.rsp)});
  for (const AddressRange& range : Subtract(WritablePages(process.pid()), dead)) {
    for (TraceeAddress at = range.start; at < range.end; at = at + chunk.size()) {
      const size_t wanted = std::min<uint64_t>(chunk.size(), range.end - at);
      const size_t length = process.memory().ReadSome(at, std::span(chunk.data(), wanted));
      for (size_t i = 0; i + 8 <= length; i += 8) {
        uint64_t word;
        std::memcpy(&word, chunk.data() + i, 8);
        if (word != 0) digest = (digest ^ word ^ (at.value + i)) * 0x100000001b3;
      }
    }
  }
  state.memory = digest;
  return state;
}

}  // namespace chronofork::timeline_test
