// A program under the Engine, for tests that move in time. Made and used in the
// body of RunInCoreChild(); what is not as it should be is collected as text,
// since a test framework's checks do not cross processes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "timeline/engine.h"

namespace chronofork::timeline_test {

// Addresses by name, of an executable linked with -no-pie.
class Symbols {
 public:
  explicit Symbols(const std::string& program);
  TraceeAddress at(const std::string& name) const;  // fails loudly if there is none
  AddressRange RangeOf(const std::string& function) const;

 private:
  std::map<std::string, AddressRange> ranges_;
};

// A state as noted: registers, and a digest of all private writable memory but the core's
// own pages and what is left over below the stack pointer.
struct NotedState {
  GeneralRegisters registers{};
  uint64_t memory = 0;
  bool operator==(const NotedState& other) const;
};
std::string ToText(const NotedState& state);

class Debugged {
 public:
  struct Options {
    double interval_ms = 0;
    std::string folder;  // working directory; "": the present one
    std::string output = "/dev/null";
    double tick_ms = 5;
    uint64_t budget_bytes = 0;  // 0: as the engine chooses
  };
  // Launches; a failure is in `problems`.
  Debugged(const std::string& program, const std::vector<std::string>& arguments, const Options& options);
  Debugged(const std::string& program, const std::vector<std::string>& arguments)
      : Debugged(program, arguments, Options()) {}
  ~Debugged();

  Engine& engine() { return *engine_; }
  const Symbols& symbols() const { return symbols_; }

  StopReply Continue();
  StopReply Step();
  StopReply ReverseContinue();
  StopReply ReverseStep();
  // Arms `operation` and carries it out. Do(): an error is a problem.
  OperationResult Do(TimeOperation operation);
  OperationResult Try(TimeOperation operation);
  OperationResult SeekCheckpoint(int id);
  void Break(const std::string& symbol, AgentCode condition = {});
  void Clear() { engine_->breakpoints.clear(); }
  void Watch(const std::string& symbol, uint64_t length_bytes = 8);

  uint64_t pc() { return engine_->process().registers().rip; }
  uint64_t Word(const std::string& symbol);
  NotedState Note();

  // Notes a problem unless `expected == actual`.
  template <typename A, typename B>
  void Equal(const std::string& what, const A& expected, const B& actual) {
    if (expected == actual) return;
    problems += what + ": expected " + std::to_string(expected) + ", got " + std::to_string(actual) + "\n";
  }
  void Expect(const std::string& what, bool holds) {
    if (!holds) problems += "not so: " + what + "\n";
  }

  std::string problems;
  std::vector<std::string> notices;

 private:
  Symbols symbols_;
  std::unique_ptr<Engine> engine_;
};

const char* NameOf(StopKind kind);

}  // namespace chronofork::timeline_test
