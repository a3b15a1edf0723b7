// Questions about the whole past of a line, or a part of it: how often places
// were reached, every hit with values of then, every write to some memory,
// every call of a function.
//
// == 1. The line's intervals, one after the other: those that cannot matter are
//       skipped (nothing of the watched memory was written in them).
// == 2. Each of the others is replayed once, with probes, to its proved end.
// == 3. What was found is kept as rows. A row is a moment that one can go to: the
//       how-manieth hit since a checkpoint. No process stands there; a replay finds it.
//
// The present does not change. Next() carries out one interval, so that others
// can be served between two.
//
// Easy to get wrong: checkpoints come and go between asking and going to a row.
// Then the hits are counted from an earlier one, over all intervals in between;
// the first checkpoint of the recording is never lost.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "timeline/debug_target.h"
#include "timeline/engine.h"
#include "timeline/history.h"

namespace chronofork {

struct QueryPlace {
  TraceeAddress address;
  std::vector<AgentCode> conditions;  // as of a breakpoint; none: every hit
  std::vector<LogItem> items;         // what to note
  CodeHome home = {};                 // whose code it is in, when it is asked
};

struct QuerySpec {
  enum class Kind {
    kCounts,  // how often each of `places` was reached
    kHits,    // a row for each time
    kWrites,  // a row for each write to `range`
    kCalls,   // a row for each call of the function at places[0]; places[1], if any, is behind its prologue
    // What memory differs between the two moments: a row for each stretch, `pc` being its address.
    // Such rows are no moments.
    kDifferences,
  };
  Kind kind = Kind::kCounts;
  std::vector<QueryPlace> places;
  AddressRange range;
  size_t return_block_bytes = 0;  // kCalls: so much of what rax points to at the return
  // Moments; unset: the beginning and the end of the line that the present is on.
  std::optional<int> from, to;
  size_t most_rows = 100'000;
};

// What was noted of an item; nothing: it could not be evaluated then.
using QueryValue = std::optional<std::vector<std::byte>>;

struct QueryRow {
  size_t interval = 0;  // of QueryAnswer::intervals
  uint64_t number = 0;  // the how-manieth hit, or touch, of its interval
  size_t place = 0;     // kHits: of QuerySpec::places; kWrites: the watch
  pid_t thread = 0;
  size_t event = 0;  // events passed
  uint64_t time_ns = 0;
  TraceeAddress pc;
  // kWrites: before and after; kCalls: the items, and of one that has returned also rax, rdx, xmm0, and what rax points
  // to.
  std::vector<QueryValue> values;
  // kWrites
  bool by_kernel = false;
  GeneralRegisters after{};
  // kCalls
  bool returned = false;
  TraceeAddress return_address;
};

struct QueryAnswer {
  int id = 0;
  int branch = 0;
  QuerySpec spec;
  struct Interval {
    int checkpoint = 0;  // where it begins
    uint64_t hits = 0;   // of all places
  };
  std::vector<Interval> intervals;
  std::vector<QueryRow> rows;
  std::vector<uint64_t> counts;  // kCounts: by place
  int first_moment = 0;          // of rows[0]; the others follow
  bool complete = false;         // false: there may be more than most_rows, or it was cancelled
  bool cancelled = false;
  size_t skipped = 0;  // intervals that needed no replay

  std::vector<ProbeSpec> Probes() const;
};

class Query {
 public:
  // Finds the checkpoints between which is asked; makes one where a moment is at none.
  static Result<std::unique_ptr<Query>> Begin(Engine& engine, QuerySpec spec);
  // One interval. False: all done, and the answer is kept by the engine.
  Result<bool> Next();
  std::shared_ptr<QueryAnswer> answer() { return answer_; }

 private:
  Query(Engine& engine, QuerySpec spec);
  struct Stretch {
    std::shared_ptr<Checkpoint> start;
    std::shared_ptr<Checkpoint> end;  // null: the live process
  };
  Result<size_t> IndexOf(int moment);
  Result<void> Look(size_t index, const EndMarker& end);
  Result<void> Count(Replayer& replay, ReplayPlan plan);
  Result<void> Hits(Replayer& replay, ReplayPlan plan);
  Result<void> Writes(Replayer& replay, ReplayPlan plan);
  Result<void> Calls(Replayer& replay, ReplayPlan plan);
  Result<void> Differences();
  Result<void> FindReturns(Replayer& replay, ReplayPlan plan);
  // To the end of the plan; false: it was ended by what was found, or cancelled.
  Result<bool> Run(Replayer& replay, const ReplayPlan& plan);
  void Return(Replayer& replay, const GeneralRegisters& registers);
  QueryRow RowAt(Replayer& replay, uint64_t number, size_t place, TraceeAddress pc);
  QueryValue ValueOf(const LogItem& item, const GeneralRegisters& registers, Replayer& replay);
  bool Full() const { return answer_->rows.size() >= answer_->spec.most_rows; }
  void Progress();
  bool IsOver();
  void Finish();

  Engine& engine_;
  std::shared_ptr<QueryAnswer> answer_;
  std::vector<Stretch> stretches_;
  std::shared_ptr<Checkpoint> from_, to_;  // kDifferences; to_ null: the live process
  size_t next_ = 0;
  std::chrono::steady_clock::time_point progress_at_{};
  bool stopped_ = false;  // has all that was asked for, before the end
  // kCalls: those that have not returned, by thread, and where calls return to.
  struct Pending {
    size_t row = 0;
    uint64_t slot = 0;  // where the return address lies
    TraceeAddress return_address;
    bool began = false;  // its body was reached: there is a row
  };
  std::map<pid_t, std::vector<Pending>> pending_;
  std::set<TraceeAddress> return_sites_;
};

}  // namespace chronofork
