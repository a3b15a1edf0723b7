// Conditions and logs of probes, compiled and asked, against the interpreter
// at each single step: random expressions over registers, data, code under our
// patches and memory that is not there.
#include <doctest/doctest.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>

#include "probe/instrumentation.h"
#include "probe_fixtures.h"
#include "probed_code.h"
#include "probed_run.h"

namespace chronofork {
namespace {

using enum AgentOperation;

// A block that no function writes.
std::array<std::byte, 4096> constant_block;
TraceeAddress ConstantBlock() { return TraceeAddress(reinterpret_cast<uint64_t>(constant_block.data())); }

constexpr uint64_t kNotMapped = 0x10;

class Writer {
 public:
  void Operate(AgentOperation operation) { code_.push_back(static_cast<std::byte>(operation)); }
  void Operand(uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) code_.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
  void Constant(uint64_t value) {
    Operate(kConst64);
    Operand(value, 8);
  }
  void Register(uint64_t number) {
    Operate(kReg);
    Operand(number, 2);
  }
  // A jump whose target comes later.
  size_t Jump(AgentOperation operation) {
    Operate(operation);
    Operand(0, 2);
    return code_.size();
  }
  void Land(size_t jump) {
    code_[jump - 2] = static_cast<std::byte>(code_.size() >> 8);
    code_[jump - 1] = static_cast<std::byte>(code_.size());
  }
  AgentCode Finish() {
    Operate(kEnd);
    return code_;
  }

 private:
  AgentCode code_;
};

class RandomExpression {
 public:
  explicit RandomExpression(std::mt19937_64& random) : random_(random) {}

  AgentCode Make(int depth) {
    Value(depth);
    return writer_.Finish();
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }

  void Value(int depth) {
    if (depth == 0 || Below(6) == 0) return Leaf();
    switch (Below(9)) {
      case 0:
      case 1: Value(depth - 1); return Unary();
      case 2: {  // a ? b : c
        Value(depth - 1);
        const size_t taken = writer_.Jump(kIfGoto);
        Value(depth - 1);
        const size_t over = writer_.Jump(kGoto);
        writer_.Land(taken);
        Value(depth - 1);
        return writer_.Land(over);
      }
      case 3: return Juggle(depth);
      default: break;
    }
    Value(depth - 1);
    Value(depth - 1);
    Binary();
  }

  void Leaf() {
    static constexpr uint64_t kEdges[] = {0, 1, 2, 63, 64, 65, ~uint64_t{0}, uint64_t{1} << 63, 0x7FFFFFFF, 0xFFFFFFFF};
    switch (Below(8)) {
      case 0: return writer_.Constant(kEdges[Below(std::size(kEdges))]);
      case 1: return writer_.Constant(random_());
      case 2: writer_.Operate(kConst8); return writer_.Operand(Below(256), 1);
      case 3: writer_.Operate(kConst16); return writer_.Operand(Below(65536), 2);
      case 4: writer_.Operate(kConst32); return writer_.Operand(static_cast<uint32_t>(random_()), 4);
      case 5: return Memory();
      default: return writer_.Register(Below(17));
    }
  }

  void Memory() {
    const uint64_t log_bytes = Below(4);
    const uint64_t bytes = uint64_t{1} << log_bytes;
    if (const uint64_t which = Below(12); which == 0) {
      writer_.Constant(kNotMapped);
    } else if (which == 1) {
      writer_.Constant(ProbedCode().start.value + Below(ProbedCode().length() - bytes));
    } else if (which == 2) {
      writer_.Constant(ConstantBlock().value + Below(constant_block.size() - bytes));
    } else {
      writer_.Constant(WatchedWord(Below(kWatchedWords)).value + Below(9 - bytes));
    }
    writer_.Operate(static_cast<AgentOperation>(static_cast<uint64_t>(kRef8) + log_bytes));
  }

  void Unary() {
    switch (Below(4)) {
      case 0: return writer_.Operate(kLogNot);
      case 1: return writer_.Operate(kBitNot);
      case 2: writer_.Operate(kSignExtend); break;
      default: writer_.Operate(kZeroExtend); break;
    }
    const uint64_t widths[] = {8, 16, 32, 64, 1 + Below(64)};
    writer_.Operand(widths[Below(5)], 1);
  }

  void Binary() {
    static constexpr AgentOperation kOperations[] = {kAdd,
                                                     kSub,
                                                     kMul,
                                                     kDivSigned,
                                                     kDivUnsigned,
                                                     kRemSigned,
                                                     kRemUnsigned,
                                                     kShiftLeft,
                                                     kShiftRightSigned,
                                                     kShiftRightUnsigned,
                                                     kBitAnd,
                                                     kBitOr,
                                                     kBitXor,
                                                     kEqual,
                                                     kLessSigned,
                                                     kLessUnsigned};
    writer_.Operate(kOperations[Below(std::size(kOperations))]);
  }

  // Three values, moved around, and made one of.
  void Juggle(int depth) {
    for (int i = 0; i < 3; ++i) Value(depth > 2 ? depth - 2 : 0);
    size_t count = 3;
    for (uint64_t i = Below(6); i > 0; --i) {
      switch (Below(5)) {
        case 0: writer_.Operate(kSwap); break;
        case 1: writer_.Operate(kRotate); break;
        case 2:
          writer_.Operate(kDup);
          ++count;
          break;
        case 3:
          writer_.Operate(kPick);
          writer_.Operand(Below(count), 1);
          ++count;
          break;
        default:
          if (count == 3) break;
          writer_.Operate(kPop);
          --count;
      }
    }
    for (; count > 1; --count) Binary();
  }

  std::mt19937_64& random_;
  Writer writer_;
};

// Memory as it was at a state of the trace, as far as expressions read it.
MemoryReader MemoryAt(const TracedState& state, const std::vector<std::byte>& code) {
  return [&state, &code](TraceeAddress address, std::span<std::byte> out) -> Result<void> {
    const AddressRange wanted{address, address + out.size()};
    for (size_t i = 0; i < kWatchedWords; ++i) {
      const TraceeAddress word = WatchedWord(i);
      if (wanted.start < word || wanted.end > word + 8) continue;
      memcpy(out.data(), reinterpret_cast<const std::byte*>(&state.words[i]) + (address - word), out.size());
      return {};
    }
    const auto from = [&](AddressRange range, const std::byte* bytes) {
      if (wanted.start < range.start || wanted.end > range.end) return false;
      memcpy(out.data(), bytes + (address - range.start), out.size());
      return true;
    };
    if (from(ProbedCode(), code.data())) return {};
    if (from({ConstantBlock(), ConstantBlock() + constant_block.size()}, constant_block.data())) return {};
    CHECK(address.value == kNotMapped);
    return Error{"unreadable", "", "", 0, 0};
  };
}

struct NotedHit {
  size_t probe = 0;
  uint64_t count = 0;
  uint64_t failed = 0;
  std::vector<std::byte> values;
  bool operator==(const NotedHit&) const = default;
};

struct Expected {
  uint64_t transitions = 0;
  std::vector<ProbeStop> stops;
  std::vector<NotedHit> log;
  size_t false_conditions = 0;
};

NotedHit Note(const ProbeSpec& spec, size_t probe, uint64_t count, const TracedState& state, const MemoryReader& read) {
  NotedHit hit{probe, count, 0, {}};
  for (size_t i = 0; i < spec.log.size(); ++i) {
    const LogItem& item = spec.log[i];
    std::vector<std::byte> bytes(LoggedBytesOf(item));
    const Result<int64_t> value = EvaluateAgentCode(item.code, state.registers, read);
    bool known = value.ok();
    if (known && item.length_bytes == 0) memcpy(bytes.data(), &value.value(), 8);
    if (known && item.length_bytes > 0)
      known = read(TraceeAddress(static_cast<uint64_t>(*value)), std::span(bytes).first(item.length_bytes)).ok();
    if (!known) hit.failed |= uint64_t{1} << i;
    hit.values.insert(hit.values.end(), bytes.begin(), bytes.end());
  }
  return hit;
}

Expected Expect(const std::vector<ProbeSpec>& specs, const Trace& trace, uint64_t limit) {
  Expected expected;
  const auto code = ProbedCodeBytes();
  uint32_t last_group = 0;
  for (const TracedState& state : trace.executions) {
    const MemoryReader read = MemoryAt(state, code);
    for (size_t i = 0; i < specs.size(); ++i) {
      const ProbeSpec& spec = specs[i];
      if (spec.address.value != state.registers.rip) continue;
      if (spec.rsp_range && !spec.rsp_range->Contains(TraceeAddress(state.registers.rsp))) continue;
      if (!AnyHolds(spec.conditions, state.registers, read)) {
        ++expected.false_conditions;
        continue;
      }
      if (spec.group != 0 && spec.group == last_group) continue;
      if (spec.group != 0) last_group = spec.group;
      ++expected.transitions;
      if (!spec.log.empty()) expected.log.push_back(Note(spec, i, expected.transitions, state, read));
      if (expected.transitions == limit) expected.stops.push_back({i, false, limit, state.registers});
    }
  }
  return expected;
}

struct Outcome {
  Expected expected;
  ProbedRun run;
};

// Installs, runs, and compares everything with the truth.
Outcome RunAndCompare(const ProbedFunction& function, const Trace& trace, const std::vector<ProbeSpec>& specs,
                      uint64_t limit, Room room) {
  OwnProcessHost host = MakeHost(room);
  const auto original = ProbedCodeBytes();
  Outcome outcome{Expect(specs, trace, limit), {}};
  const Expected& expected = outcome.expected;
  const auto probes = InstallOrFail(host, specs);
  CHECK(probes->SetLimit(host, limit).ok());
  outcome.run = RunWithProbes(function, *probes, host);
  const ProbedRun& run = outcome.run;
  CHECK(run.problem == "");
  CHECK(*probes->Transitions(host) == expected.transitions);
  CHECK(std::equal(run.stops.begin(), run.stops.end(), expected.stops.begin(), expected.stops.end(),
                   [](const ProbeStop& x, const ProbeStop& y) {
                     return x.probe == y.probe && x.transitions == y.transitions &&
                            SameRegisters(x.registers, y.registers);
                   }));
  CHECK(SameEnd(run.end, trace.end));
  std::vector<NotedHit> log;
  const std::vector<ProbeLogEntry> taken = *probes->TakeLog(host);
  for (const ProbeLogEntry& entry : taken)
    log.push_back({entry.probe, entry.count, entry.failed, {entry.values.begin(), entry.values.end()}});
  CHECK(log.size() == expected.log.size());
  CHECK(log == expected.log);
  CHECK(probes->TakeLog(host)->empty());
  UninstallAndCheck(*probes, host, original);
  return outcome;
}

LogItem RandomItem(std::mt19937_64& random) {
  LogItem item;
  if (random() % 2 == 0) {
    item.code = RandomExpression(random).Make(3);
    return item;
  }
  Writer writer;
  switch (random() % 8) {
    case 0: writer.Constant(kNotMapped); break;
    case 1: writer.Constant(WatchedWord(random() % kWatchedWords).value); break;
    case 2: writer.Constant(ProbedCode().start.value + random() % 100); break;
    default: writer.Constant(ConstantBlock().value + random() % 100); break;
  }
  item.code = writer.Finish();
  item.length_bytes = static_cast<uint32_t>(1 + random() % 8);
  const uint64_t at = static_cast<uint64_t>(*EvaluateAgentCode(item.code, {}, nullptr));
  if (at >= ConstantBlock().value && at < ConstantBlock().value + 100)
    item.length_bytes = static_cast<uint32_t>(1 + random() % 300);
  return item;
}

}  // namespace

TEST_CASE("probe condition: random conditions and logs, as the interpreter evaluates them") {
  std::mt19937_64 random(20261120);
  for (std::byte& byte : constant_block) byte = static_cast<std::byte>(random());
  size_t asked = 0, not_held = 0, noted = 0, failed = 0, faults = 0, held = 0;
  for (const ProbedFunction& function : ProbedFunctions()) {
    const Trace trace = TraceFunction(function);
    const auto& executions = trace.executions;
    for (int round = 0; round < 60; ++round) {
      CAPTURE(std::string(function.name));
      CAPTURE(round);
      std::vector<ProbeSpec> specs;
      for (uint64_t i = 0, count = 1 + random() % 6; i < count; ++i) {
        const TracedState& state = executions[random() % executions.size()];
        ProbeSpec spec =
            Count(TraceeAddress(state.registers.rip), static_cast<uint32_t>(random() % 3 == 0 ? 1 + random() % 3 : 0));
        if (random() % 4 == 0) {
          const uint64_t start = state.registers.rsp - 8 * (random() % 6);
          spec.rsp_range = AddressRange{TraceeAddress(start), TraceeAddress(start + 8 * (random() % 12))};
        }
        for (uint64_t c = random() % 3; c > 0; --c) spec.conditions.push_back(RandomExpression(random).Make(4));
        // A register that is not compiled: asked.
        if (random() % 12 == 0) {
          Writer flags;
          flags.Register(17);
          flags.Constant(0x40);
          flags.Operate(kBitAnd);
          spec.conditions.push_back(flags.Finish());
        }
        for (uint64_t c = random() % 4; c > 0; --c) spec.log.push_back(RandomItem(random));
        asked += IsAsked(spec);
        specs.push_back(std::move(spec));
      }
      const uint64_t possible = Expect(specs, trace, 0).transitions;
      const uint64_t limit = possible == 0 ? 5 : 1 + random() % possible;
      const Outcome outcome = RunAndCompare(function, trace, specs, limit, kRooms[round % 3]);
      not_held += outcome.expected.false_conditions;
      held += outcome.expected.transitions;
      noted += outcome.expected.log.size();
      for (const NotedHit& hit : outcome.expected.log) failed += hit.failed != 0;
      faults += outcome.run.match_faults;
    }
  }
  CHECK(asked > 10);
  CHECK(not_held > 1000);
  CHECK(held > 1000);
  CHECK(noted > 1000);
  CHECK(failed > 100);
  CHECK(faults > 100);
  MESSAGE(held << " hits, " << not_held << " false conditions, " << noted << " noted, " << failed
               << " of them in part, " << faults << " faults, " << asked << " probes asked");
}

TEST_CASE("probe condition: a log that is full again and again loses nothing") {
  const ProbedFunction& function = ProbedFunctions()[0];
  const Trace trace = TraceFunction(function);
  for (const bool compiled : {true, false}) {
    ProbeSpec spec = Count(TraceeAddress(trace.executions[trace.executions.size() / 2].registers.rip));
    uint64_t hits = 0;
    for (const TracedState& state : trace.executions) hits += state.registers.rip == spec.address.value;
    Writer block;
    block.Constant(ConstantBlock().value);
    const AgentCode at_block = block.Finish();
    // So many of 4 KiB that three entries do not fit; more are asked.
    for (int i = 0; i < (compiled ? 31 : 40); ++i) spec.log.push_back({at_block, kMaxLoggedBlock});
    CHECK(IsAsked(spec) != compiled);
    ProbeSpec small = spec;
    small.log.resize(1);
    Writer rsp;
    rsp.Register(7);
    small.log[0] = {rsp.Finish(), 0};
    const Outcome outcome = RunAndCompare(function, trace, {spec, small}, 0, Room::kAnywhere);
    CHECK(outcome.expected.log.size() == 2 * hits);
    CHECK(hits * LogEntryBytes(spec) > 2 * kLogAreaBytes);
    if (compiled) CHECK(outcome.run.trap_count >= 2);
    if (compiled) CHECK(outcome.run.trap_count < hits);
  }
}

TEST_CASE("probe condition: an interruption anywhere sees the debuggee's own state") {
  std::mt19937_64 random(5);
  for (const ProbedFunction& function : ProbedFunctions()) {
    CAPTURE(std::string(function.name));
    const Trace trace = TraceFunction(function);
    OwnProcessHost host = MakeHost(Room::kAnywhere);
    std::vector<ProbeSpec> specs;
    for (const TraceeAddress address : ProbedInstructions()) {
      specs.push_back(Count(address));
      do {
        specs.back().conditions = {RandomExpression(random).Make(2)};
      } while (IsAsked(specs.back()));
      if (random() % 4 == 0) specs.back().log = {{RandomExpression(random).Make(2), 0}};
    }
    const auto probes = InstallOrFail(host, specs);
    std::vector<GeneralRegisters> seen;
    const ProbedRun run = RunWithProbes(function, *probes, host, [&](const GeneralRegisters& now) {
      const TraceeAddress pc(now.rip);
      if (probes->StepOutNeeded(pc)) return;
      GeneralRegisters shown = now;
      shown.rip = probes->Translate(pc).value;
      if (!ProbedCode().Contains(TraceeAddress(shown.rip))) return;
      if (seen.empty() || !SameRegisters(seen.back(), shown)) seen.push_back(shown);
    });
    CHECK(run.problem == "");
    std::vector<GeneralRegisters> truth;
    for (const TracedState& state : trace.states) {
      if (truth.empty() || !SameRegisters(truth.back(), state.registers)) truth.push_back(state.registers);
    }
    CHECK(seen.size() == truth.size());
    CHECK(std::equal(seen.begin(), seen.end(), truth.begin(), truth.end(), SameRegisters));
    CHECK(probes->Uninstall(host).ok());
  }
}

TEST_CASE("probe condition: what a false hit and a true one cost") {
  const auto time_ns = [](uint64_t argument) {
    double best = 1e18;
    for (int i = 0; i < 5; ++i) {
      const auto start = std::chrono::steady_clock::now();
      probed::words[0] = probed::FibonacciSlow(argument);
      const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
      best = std::min(best, taken.count());
    }
    return best;
  };
  constexpr double kHits = 57313;  // calls of FibonacciSlow(22)
  const double bare = time_ns(22);
  // What gdb 13.1 sends for `global == 0x12345678`.
  Writer condition;
  condition.Constant(ConstantBlock().value);
  condition.Operate(kRef32);
  condition.Operate(kSignExtend);
  condition.Operand(32, 1);
  condition.Constant(0x12345678);
  condition.Operate(kEqual);
  Writer opposite = condition;
  opposite.Operate(kLogNot);
  memset(constant_block.data(), 0, 4);
  const auto cost = [&](const char* what, AgentCode holds, uint64_t expected) {
    ProbeSpec spec = Count(TraceeAddress(reinterpret_cast<uint64_t>(&probed::FibonacciSlow)));
    spec.conditions = {std::move(holds)};
    REQUIRE_FALSE(IsAsked(spec));
    OwnProcessHost host = MakeHost(Room::kAnywhere);
    const auto probes = InstallOrFail(host, {spec});
    REQUIRE(probes->KindOf(0) == ProbeKind::kJump);
    const double taken = time_ns(22);
    CHECK(*probes->Transitions(host) == expected);
    MESSAGE(std::string(what) << ": " << (taken - bare) / kHits << " ns");
    CHECK((taken - bare) / kHits < 500);  // some 5 ns; far from a trap's 10 µs
    CHECK(probes->Uninstall(host).ok());
  };
  cost("a false hit", condition.Finish(), 0);
  cost("a hit", opposite.Finish(), 5 * 57313);
}

}  // namespace chronofork
