// Questions about the past of a program whose truth is known (test/programs/native/moves.c).
#include "timeline/query.h"

#include <doctest/doctest.h>

#include <cstring>

#include "core_child.h"
#include "debugged.h"
#include "debuggee.h"

namespace chronofork {
namespace {

using namespace timeline_test;

constexpr uint64_t kRounds = 20000;

// Runs `body` with the program at mark_end; reports what it found wrong.
void FromTheEnd(const std::vector<std::string>& arguments, double interval_ms,
                const std::function<void(Debugged&)>& body) {
  const std::string program = BuildDebuggee("moves.c", "-g -O0 -no-pie");
  const TemporaryFolder folder;
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] {
    Debugged d(program, arguments, {interval_ms, folder.path(), "/dev/null"});
    d.Break("mark_end");
    const StopReply stop = d.Continue();
    d.Expect("stopped at mark_end", stop.kind == StopKind::kBreakpoint && d.pc() == d.symbols().at("mark_end").value);
    d.Clear();
    body(d);
    for (const std::string& notice : d.notices)
      if (!notice.starts_with("info")) d.problems += notice + "\n";
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

std::shared_ptr<QueryAnswer> Ask(Debugged& d, QuerySpec spec, size_t cancel_after = ~size_t{0}) {
  d.engine().ForgetWishes();
  Result<std::unique_ptr<Query>> query = Query::Begin(d.engine(), std::move(spec));
  if (!query.ok()) {
    d.problems += query.error().message + "\n";
    return std::make_shared<QueryAnswer>();
  }
  for (size_t steps = 0;; ++steps) {
    if (steps == cancel_after) d.engine().cancel_wanted.store(true);
    const Result<bool> more = query.value()->Next();
    if (!more.ok()) d.problems += more.error().message + "\n";
    if (!more.ok() || !more.value()) break;
  }
  d.engine().ForgetWishes();
  return query.value()->answer();
}

// Bytecode that gives a number.
AgentCode Constant(uint64_t value) {
  AgentCode code{std::byte{0x25}};  // const64
  for (int shift = 56; shift >= 0; shift -= 8) code.push_back(static_cast<std::byte>(value >> shift));
  return code;
}

AgentCode Ended(AgentCode code) {
  code.push_back(std::byte{0x27});
  return code;
}

// … whether a word in memory is greater than `bound`.
AgentCode IsGreater(TraceeAddress address, uint64_t bound) {
  AgentCode code = Constant(bound);
  const AgentCode word = Constant(address.value);
  code.insert(code.end(), word.begin(), word.end());
  code.push_back(std::byte{0x1a});  // ref64
  code.push_back(std::byte{0x14});  // less_signed: bound < word
  return Ended(code);
}

uint64_t WordOf(const QueryValue& value) {
  uint64_t word = ~uint64_t{0};
  if (value && value->size() >= sizeof word) std::memcpy(&word, value->data(), sizeof word);
  return word;
}

void Seek(Debugged& d, const QueryAnswer& answer, size_t row, bool passing = false) {
  TimeOperation seek;
  seek.kind = TimeOperation::Kind::kSeekMoment;
  seek.id = answer.first_moment + static_cast<int>(row);
  seek.passing = passing;
  d.Do(seek);
}

QuerySpec HitsOfTenth(Debugged& d) {
  QuerySpec spec;
  spec.kind = QuerySpec::Kind::kHits;
  const TraceeAddress seen = d.symbols().at("even_seen");
  spec.places = {{d.symbols().at("mark_tenth"), {}, {{Ended(Constant(seen.value)), 8}}}};
  return spec;
}

TEST_CASE("query: counts of places, at native speed and of a part") {
  for (double interval_ms : {0.0, 2.0})
    FromTheEnd({"loops"}, interval_ms, [](Debugged& d) {
      QuerySpec spec;
      for (const char* name : {"mark_visit", "mark_tenth", "mark_begin", "mark_end"})
        spec.places.push_back({d.symbols().at(name), {}, {}});
      const NotedState before = d.Note();
      const auto whole = Ask(d, spec);
      // Where the line ends, the place has not been executed.
      d.Expect("all are counted", whole->counts == std::vector<uint64_t>{kRounds, kRounds / 10, 1, 0});
      d.Expect("complete", whole->complete);
      d.Expect("the present is as it was", d.Note() == before && d.engine().live());
      // In two parts, from a moment in the middle.
      const auto hits = Ask(d, HitsOfTenth(d));
      Seek(d, *hits, 1234);
      spec.to = d.engine().present_moment();
      const auto first = Ask(d, spec);
      spec.from = std::exchange(spec.to, std::nullopt);
      const auto second = Ask(d, spec);
      d.Expect("the first part", first->counts == std::vector<uint64_t>{12341, 1234, 1, 0});
      d.Expect("the second part", second->counts == std::vector<uint64_t>{kRounds - 12341, kRounds / 10 - 1234, 0, 0});
    });
}

TEST_CASE("query: every hit is a moment with the values of then, also when its checkpoint is gone") {
  FromTheEnd({"loops"}, 1.0, [](Debugged& d) {
    const auto answer = Ask(d, HitsOfTenth(d));
    d.Equal("rows", size_t{kRounds / 10}, answer->rows.size());
    for (size_t i = 0; i < answer->rows.size(); ++i)
      if (WordOf(answer->rows[i].values.at(0)) != i * 10) d.Expect("value of row " + std::to_string(i), false);
    const auto visit = [&](bool passing) {
      for (const size_t row : {size_t{1999}, size_t{0}, size_t{700}, size_t{701}, size_t{1500}}) {
        Seek(d, *answer, row, passing);
        d.Equal("pc", d.symbols().at("mark_tenth").value, d.pc());
        d.Equal("even_seen", row * 10, d.Word("even_seen"));
        d.Equal("the moment has one number", answer->first_moment + static_cast<int>(row), d.engine().present_moment());
      }
    };
    const size_t checkpoints = d.engine().branch().line.size();
    visit(true);
    d.Expect("passing keeps no more than one", d.engine().branch().line.size() <= checkpoints + 1);
    visit(false);
    TimeOperation end;
    end.kind = TimeOperation::Kind::kSeekEnd;
    d.Do(end);
    // Without the checkpoints between, the hits are counted from the beginning.
    std::vector<int> ids;
    for (const auto& checkpoint : d.engine().branch().line) ids.push_back(checkpoint->id);
    for (const int id : ids) static_cast<void>(d.engine().DeleteCheckpoint(id));
    d.Expect("nearly all are gone", d.engine().branch().line.size() <= 2);
    visit(false);
  });
}

TEST_CASE("query: a condition") {
  FromTheEnd({"loops"}, 2.0, [](Debugged& d) {
    QuerySpec spec = HitsOfTenth(d);
    spec.places[0].conditions = {IsGreater(d.symbols().at("even_seen"), 19900)};
    const auto answer = Ask(d, spec);
    d.Equal("rows", size_t{9}, answer->rows.size());
    for (size_t i = 0; i < answer->rows.size(); ++i)
      d.Equal("value", 19910 + i * 10, WordOf(answer->rows[i].values.at(0)));
    Seek(d, *answer, 3);
    d.Equal("even_seen", uint64_t{19940}, d.Word("even_seen"));
  });
}

TEST_CASE("query: not more rows than are wanted, and cancelled") {
  FromTheEnd({"loops"}, 2.0, [](Debugged& d) {
    QuerySpec spec = HitsOfTenth(d);
    spec.most_rows = 5;
    const auto five = Ask(d, spec);
    d.Expect("five", five->rows.size() == 5 && !five->complete && !five->cancelled);
    spec.most_rows = 100'000;
    const auto cancelled = Ask(d, spec, 1);
    d.Expect("cancelled after the first interval", cancelled->cancelled && !cancelled->complete);
    d.Expect("with what was found", cancelled->intervals.size() == 1);
    const auto all = Ask(d, spec);
    d.Expect("and not for ever", all->complete && all->rows.size() == kRounds / 10);
  });
}

TEST_CASE("query: every write, with the value before and after") {
  FromTheEnd({"loops"}, 2.0, [](Debugged& d) {
    QuerySpec spec;
    spec.kind = QuerySpec::Kind::kWrites;
    const TraceeAddress seen = d.symbols().at("even_seen");
    spec.range = {seen, seen + 8};
    const auto answer = Ask(d, spec);
    d.Equal("rows", size_t{kRounds / 10}, answer->rows.size());
    for (size_t i = 0; i < answer->rows.size(); ++i) {
      const auto& values = answer->rows[i].values;
      if (WordOf(values.at(0)) != (i == 0 ? 0 : (i - 1) * 10) || WordOf(values.at(1)) != i * 10)
        d.Expect("values of row " + std::to_string(i), false);
    }
    for (const size_t row : {size_t{1999}, size_t{1}, size_t{1000}}) {
      Seek(d, *answer, row);
      d.Equal("before the write", (row - 1) * 10, d.Word("even_seen"));
      d.Step();
      d.Equal("after it", row * 10, d.Word("even_seen"));
    }
  });
}

TEST_CASE("query: writes by the kernel") {
  FromTheEnd({"writers", "kernel"}, 2.0, [](Debugged& d) {
    QuerySpec spec;
    spec.kind = QuerySpec::Kind::kWrites;
    const TraceeAddress target = d.symbols().at("target");
    spec.range = {target, target + 8};
    const auto answer = Ask(d, spec);
    d.Expect("some rows", answer->rows.size() > 5);
    uint64_t before = 0;
    for (const QueryRow& row : answer->rows) {
      d.Expect("by the kernel", row.by_kernel);
      d.Equal("before", before, WordOf(row.values.at(0)));
      before = WordOf(row.values.at(1));
    }
    d.Equal("the last one", d.Word("target"), before);
    Seek(d, *answer, 2);
    d.Equal("before the call", WordOf(answer->rows[2].values.at(0)), d.Word("target"));
  });
}

TEST_CASE("query: intervals in which nothing was written there are not replayed") {
  FromTheEnd({"loops"}, 2.0, [](Debugged& d) {
    QuerySpec spec;
    spec.kind = QuerySpec::Kind::kWrites;
    // The executable's header, which nothing writes to: not even breakpoints are there.
    const TraceeAddress place(d.symbols().at("main").value & ~uint64_t{0xffff});
    spec.range = {place, place + 8};
    const auto answer = Ask(d, spec);
    d.Expect("nothing", answer->rows.empty() && answer->complete);
    d.Expect("some are skipped", answer->skipped > 0);
  });
}

TEST_CASE("query: what differs between two moments") {
  FromTheEnd({"loops"}, 2.0, [](Debugged& d) {
    const auto hits = Ask(d, HitsOfTenth(d));
    QuerySpec spec;
    spec.kind = QuerySpec::Kind::kDifferences;
    Seek(d, *hits, 100);
    spec.from = d.engine().present_moment();
    Seek(d, *hits, 1100);
    spec.to = d.engine().present_moment();
    const auto answer = Ask(d, spec);
    const TraceeAddress seen = d.symbols().at("even_seen");
    bool found = false;
    for (const QueryRow& row : answer->rows) {
      d.Expect("differs", row.values.at(0) != row.values.at(1));
      found = found || (row.pc <= seen && seen < row.pc + row.values.at(0)->size());
    }
    d.Expect("even_seen differs", found);
    spec.from = spec.to;
    d.Expect("nothing differs from itself", Ask(d, spec)->rows.empty());
  });
}

}  // namespace
}  // namespace chronofork
