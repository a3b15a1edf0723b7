// The walk over the intervals, and what each kind of question notes on the way.
#include "timeline/query.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "checkpoint/page_set.h"
#include "replay/code_home.h"
#include "timeline/search.h"

namespace chronofork {
namespace {

Log logger("query");

// An answer is kept for its rows' moments and for the pages that are asked for later.
constexpr size_t kKeptAnswers = 64;
constexpr size_t kKeptRows = 1'000'000;  // of all together, some 300 bytes each

template <typename T>
QueryValue BytesOf(const T& value) {
  const auto bytes = std::as_bytes(std::span<const T, 1>(&value, 1));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

QueryValue ReadBlock(Tracee& process, TraceeAddress address, size_t length_bytes) {
  std::vector<std::byte> bytes(length_bytes);
  if (!process.memory().Read(address, bytes).ok()) return std::nullopt;
  return bytes;
}

}  // namespace

// What a row is counted by.
std::vector<ProbeSpec> QueryAnswer::Probes() const {
  std::vector<ProbeSpec> probes;
  for (const QueryPlace& place : spec.places)
    probes.push_back(ProbeSpec{.address = place.address, .conditions = place.conditions, .home = place.home});
  // Of a call the moment behind its prologue.
  if (spec.kind == QuerySpec::Kind::kCalls) probes.erase(probes.begin(), probes.end() - 1);
  return probes;
}

Query::Query(Engine& engine, QuerySpec spec) : engine_(engine), answer_(std::make_shared<QueryAnswer>()) {
  answer_->spec = std::move(spec);
}

// The checkpoint that stands at a moment: one is made at the present. The
// number behind the last stands for the live process.
Result<size_t> Query::IndexOf(int moment) {
  Branch& b = engine_.branch();
  if (moment == b.tip_moment) return b.line.size();
  for (size_t i = 0; i < b.line.size(); ++i)
    if (b.line[i]->moment == moment) return i;
  if (moment == engine_.present_moment_ && engine_.replay_) {
    CF_TRY(engine_.CreateCheckpoint(CheckpointReason::kSearch, ""));
    return engine_.base_;
  }
  return Error{"momentForgotten", "That moment is not on the present branch, or no longer kept.",
               "Give the moment of a checkpoint or of a bookmark, or leave it out.", 0, 0};
}

Result<std::unique_ptr<Query>> Query::Begin(Engine& engine, QuerySpec spec) {
  if (engine.edited())
    return Error{"editedPresent", "Something was changed here by hand, which does not belong to the recording.",
                 "Forget the change or go on from here first.", 0, 0};
  std::unique_ptr<Query> query(new Query(engine, std::move(spec)));
  QueryAnswer& answer = *query->answer_;
  answer.branch = engine.branch_;
  answer.id = engine.next_id_++;
  answer.counts.assign(answer.spec.places.size(), 0);
  const std::vector<Mapping> mappings = ReadMappings(engine.process().pid());
  for (QueryPlace& place : answer.spec.places) place.home = HomeOf(mappings, place.address);
  const AddressRange range = answer.spec.range;
  if (answer.spec.kind == QuerySpec::Kind::kWrites)
    CF_TRY(engine.WatchSpecs({{WatchKind::kWrite, range.start, range.length()}}));
  size_t from = 0, to = 0;
  if (answer.spec.from) {
    CF_TRY_ASSIGN(from, query->IndexOf(*answer.spec.from));
  }
  const size_t before = engine.branch().line.size();
  to = before;
  if (answer.spec.to) {
    CF_TRY_ASSIGN(to, query->IndexOf(*answer.spec.to));
    // One was made for it: those behind have moved.
    if (engine.branch().line.size() > before && from >= to) ++from;
  }
  const auto& line = engine.branch().line;
  if (from > to) return Error{"emptyInterval", "The first moment is later than the second.", "Exchange them.", 0, 0};
  // Of a live process that was changed by hand the line ends at the checkpoint before that.
  if (answer.spec.kind == QuerySpec::Kind::kDifferences) {
    const auto at = [&](size_t index) { return index < line.size() ? line[index] : nullptr; };
    query->from_ = at(from);
    query->to_ = at(to);
  }
  const size_t end = to == line.size() && engine.barrier_wanted_ ? line.size() - 1 : to;
  for (size_t i = from; i < end; ++i) {
    std::shared_ptr<Checkpoint> next = i + 1 < line.size() ? line[i + 1] : nullptr;
    // Between a barrier and what stands before it nothing was executed.
    if (next && next->barrier) continue;
    query->stretches_.push_back({line[i], next});
  }
  return query;
}

void Query::Finish() {
  QueryAnswer& answer = *answer_;
  answer.first_moment = engine_.next_moment_;
  engine_.next_moment_ += static_cast<int>(answer.rows.size());
  engine_.answers_.push_back(answer_);
  size_t rows = 0;
  for (const auto& kept : engine_.answers_) rows += kept->rows.size();
  while (engine_.answers_.size() > 1 && (engine_.answers_.size() > kKeptAnswers || rows > kKeptRows)) {
    rows -= engine_.answers_.front()->rows.size();
    engine_.answers_.pop_front();
  }
  CF_LOG(logger, kInfo, "%zu rows, %zu intervals, %zu of them skipped", answer.rows.size(), answer.intervals.size(),
         answer.skipped);
}

void Query::Progress() {
  constexpr auto kEvery = std::chrono::milliseconds(100);
  const auto now = std::chrono::steady_clock::now();
  if (now - progress_at_ < kEvery) return;
  progress_at_ = now;
  engine_.options_.progress(static_cast<double>(next_) / static_cast<double>(stretches_.size() + 1),
                            "Looking through the recording");
}

// Asked at each hit: where they come faster than the tracer sleeps, no timer wakes it.
bool Query::IsOver() {
  Progress();
  if (engine_.cancel_wanted.load()) answer_->cancelled = true;
  return stopped_ || answer_->cancelled;
}

Result<bool> Query::Next() {
  QueryAnswer& answer = *answer_;
  if (engine_.cancel_wanted.load()) answer.cancelled = true;
  if (answer.spec.kind == QuerySpec::Kind::kDifferences && !answer.cancelled) {
    CF_TRY(Differences());
    next_ = stretches_.size();
  }
  if (next_ == stretches_.size() || stopped_ || answer.cancelled) {
    answer.complete = next_ == stretches_.size() && !stopped_ && !answer.cancelled;
    Finish();
    return false;
  }
  Progress();
  const Stretch stretch = stretches_[next_++];
  const auto& line = engine_.branch().line;
  const auto at = std::find(line.begin(), line.end(), stretch.start);
  if (at == line.end() || engine_.branch_ != answer.branch)
    return Error{"momentForgotten", "The timeline has changed while it was looked through.", "Ask again.", 0, 0};
  const size_t index = static_cast<size_t>(at - line.begin());
  EndMarker end;
  if (stretch.end) {
    end = {stretch.end->position, stretch.end->process.get(), stretch.end->pages};
  } else {
    Branch& b = engine_.branch();
    end = {engine_.LivePosition(), b.tip.get(), {}};
    CF_TRY_ASSIGN(end.reference_pages, engine_.TipPages(b));
  }
  answer.intervals.push_back({stretch.start->id, 0});
  CF_TRY(Look(index, end));
  return true;
}

Result<void> Query::Look(size_t index, const EndMarker& end) {
  using Kind = QuerySpec::Kind;
  const QuerySpec& spec = answer_->spec;
  if (spec.kind == Kind::kWrites && !Overlaps(end.reference_pages, spec.range)) {
    ++answer_->skipped;
    return {};
  }
  WakeTimer timer(engine_.options_.tick_ms);
  ReplayPlan plan;
  plan.end = end;
  plan.cancelled = [this] {
    Progress();
    return engine_.cancel_wanted.load();
  };
  CF_TRY_ASSIGN(std::unique_ptr<Replayer> replay, engine_.ReplayFrom(index));
  switch (spec.kind) {
    case Kind::kDifferences: break;
    case Kind::kCounts: return Count(*replay, std::move(plan));
    case Kind::kHits: return Hits(*replay, std::move(plan));
    case Kind::kWrites: return Writes(*replay, std::move(plan));
    case Kind::kCalls: {
      CF_TRY(FindReturns(*replay, plan));
      if (answer_->cancelled) return {};
      CF_TRY_ASSIGN(replay, engine_.ReplayFrom(index));
      return Calls(*replay, std::move(plan));
    }
  }
  return {};
}

Result<bool> Query::Run(Replayer& replay, const ReplayPlan& plan) {
  CF_TRY_ASSIGN(const ReplayStop stop, replay.Run(plan));
  if (stop.kind == ReplayStop::Kind::kReachedEnd) return true;
  if (stop.kind == ReplayStop::Kind::kCancelled) {
    answer_->cancelled = true;
    return false;
  }
  if (IsOver()) return false;
  return Error{"diverged", "The replay did not arrive where the recording does.",
               "Please report this program; checkpoints before this place can still be visited.", 0, 0};
}

QueryRow Query::RowAt(Replayer& replay, uint64_t number, size_t place, TraceeAddress pc) {
  QueryRow row;
  row.interval = answer_->intervals.size() - 1;
  row.number = number;
  row.place = place;
  row.thread = replay.thread();
  row.event = replay.event();
  const uint64_t start_ns = stretches_[next_ - 1].start->time_ns;
  row.time_ns = row.event > 0 ? std::max(start_ns, replay.log().TimeOf(row.event - 1)) : start_ns;
  row.pc = pc;
  return row;
}

QueryValue Query::ValueOf(const LogItem& item, const GeneralRegisters& registers, Replayer& replay) {
  const MemoryReader read = [&replay](TraceeAddress at, std::span<std::byte> out) {
    return replay.process().memory().Read(at, out);
  };
  Result<int64_t> value = EvaluateAgentCode(item.code, registers, read);
  if (!value.ok()) return std::nullopt;
  if (item.length_bytes == 0) return BytesOf(value.value());
  return ReadBlock(replay.process(), TraceeAddress(static_cast<uint64_t>(value.value())), item.length_bytes);
}

// -- What is noted --------------------------------------------------------------------------

Result<void> Query::Count(Replayer& replay, ReplayPlan plan) {
  for (const QueryPlace& place : answer_->spec.places)
    plan.probes.push_back(ProbeSpec{.address = place.address, .tally = true, .home = place.home});
  CF_TRY(Run(replay, plan));
  for (size_t i = 0; i < replay.tallies().size(); ++i) answer_->counts[i] += replay.tallies()[i];
  return {};
}

Result<void> Query::Hits(Replayer& replay, ReplayPlan plan) {
  const std::vector<QueryPlace>& places = answer_->spec.places;
  plan.probes = answer_->Probes();
  uint64_t number = 0;
  plan.accept = [&](size_t place, const GeneralRegisters& registers) -> Result<bool> {
    ++number;
    if (Full()) return stopped_ = true;
    QueryRow row = RowAt(replay, number, place, places[place].address);
    for (const LogItem& item : places[place].items) row.values.push_back(ValueOf(item, registers, replay));
    answer_->rows.push_back(std::move(row));
    return false;
  };
  CF_TRY(Run(replay, plan));
  answer_->intervals.back().hits = number;
  return {};
}

Result<void> Query::Writes(Replayer& replay, ReplayPlan plan) {
  const AddressRange range = answer_->spec.range;
  CF_TRY_ASSIGN(plan.watches, engine_.WatchSpecs({{WatchKind::kWrite, range.start, range.length()}}));
  uint64_t number = 0;
  QueryValue before = ReadBlock(replay.process(), range.start, range.length());
  auto note = [&](size_t watch, TraceeAddress pc, QueryValue after) -> QueryRow* {
    ++number;
    if (Full()) {
      stopped_ = true;
      return nullptr;
    }
    QueryRow row = RowAt(replay, number, watch, pc);
    row.values = {before, after};
    before = std::move(after);
    answer_->rows.push_back(std::move(row));
    return &answer_->rows.back();
  };
  plan.accept_watch = [&](size_t watch, const GeneralRegisters& after) -> Result<bool> {
    QueryRow* row = note(watch, TraceeAddress(after.rip), ReadBlock(replay.process(), range.start, range.length()));
    if (row) row->after = after;
    return IsOver();
  };
  plan.accept_kernel_watch = [&](size_t watch, size_t event) -> Result<bool> {
    QueryValue after = before;
    for (const MemoryWrite& write : replay.log().at(event).writes)
      for (size_t i = 0; after && i < write.bytes.size(); ++i)
        if (range.Contains(write.address + i)) (*after)[write.address + i - range.start] = write.bytes[i];
    QueryRow* row = note(watch, TraceeAddress(replay.process().registers().rip), std::move(after));
    if (row) row->by_kernel = true;
    return IsOver();
  };
  CF_TRY(Run(replay, plan));
  answer_->intervals.back().hits = number;
  return {};
}

// == Calls: first where they return to, as each call has it on the stack.
Result<void> Query::FindReturns(Replayer& replay, ReplayPlan plan) {
  const QueryPlace& entry = answer_->spec.places.front();
  plan.probes = {ProbeSpec{.address = entry.address, .home = entry.home}};
  plan.accept = [&](size_t, const GeneralRegisters& registers) -> Result<bool> {
    CF_TRY_ASSIGN(const uint64_t site, replay.process().memory().ReadValue<uint64_t>(TraceeAddress(registers.rsp)));
    return_sites_.insert(TraceeAddress(site));
    return false;
  };
  CF_TRY(Run(replay, plan));
  return {};
}

// == Then all over again: a call has returned when its return address is
//    executed with the stack as it is after the return.
Result<void> Query::Calls(Replayer& replay, ReplayPlan plan) {
  const std::vector<QueryPlace>& places = answer_->spec.places;
  const QueryPlace& body = places.back();
  const TraceeAddress entry = places.front().address;
  std::vector<TraceeAddress> addresses{entry};
  if (body.address != entry) addresses.push_back(body.address);
  const size_t own = addresses.size();
  for (const TraceeAddress site : return_sites_) addresses.push_back(site);
  for (const TraceeAddress address : addresses) plan.probes.push_back(ProbeSpec{.address = address});
  for (size_t i = 0; i < own; ++i) plan.probes[i].home = body.home;
  uint64_t number = 0;
  plan.accept = [&](size_t probe, const GeneralRegisters& registers) -> Result<bool> {
    std::vector<Pending>& pending = pending_[replay.thread()];
    if (probe >= own) {
      Return(replay, registers);
      return false;
    }
    if (probe == 0) {
      CF_TRY_ASSIGN(const uint64_t to, replay.process().memory().ReadValue<uint64_t>(TraceeAddress(registers.rsp)));
      std::erase_if(pending, [&](const Pending& one) { return one.slot == registers.rsp; });
      pending.push_back({0, registers.rsp, TraceeAddress(to), false});
    }
    if (probe + 1 != own) return false;
    ++number;
    if (Full()) return stopped_ = true;
    QueryRow row = RowAt(replay, number, 0, body.address);
    for (const LogItem& item : body.items) row.values.push_back(ValueOf(item, registers, replay));
    if (!pending.empty() && !pending.back().began) {
      pending.back().began = true;
      pending.back().row = answer_->rows.size();
      row.return_address = pending.back().return_address;
    }
    answer_->rows.push_back(std::move(row));
    return false;
  };
  CF_TRY(Run(replay, plan));
  answer_->intervals.back().hits = number;
  return {};
}

// The call that returns here, if one does; those that it has made have ended without returning.
void Query::Return(Replayer& replay, const GeneralRegisters& registers) {
  std::vector<Pending>& pending = pending_[replay.thread()];
  const auto found = std::find_if(pending.rbegin(), pending.rend(), [&](const Pending& one) {
    return one.slot + sizeof(uint64_t) == registers.rsp && one.return_address.value == registers.rip;
  });
  if (found == pending.rend()) return;
  const auto at = std::prev(found.base());
  if (at->began) {
    QueryRow& row = answer_->rows[at->row];
    row.returned = true;
    row.values.push_back(BytesOf(registers.rax));
    row.values.push_back(BytesOf(registers.rdx));
    // The XSAVE area's legacy part has xmm0 at 160. Intel SDM vol. 1, table 13-1.
    constexpr size_t kXmm0 = 160, kXmmBytes = 16;
    QueryValue xmm;
    if (Result<ExtendedRegisters> extended = replay.process().ReadExtended();
        extended.ok() && extended->size() >= kXmm0 + kXmmBytes)
      xmm.emplace(extended->begin() + kXmm0, extended->begin() + kXmm0 + kXmmBytes);
    row.values.push_back(std::move(xmm));
    if (const size_t length = answer_->spec.return_block_bytes)
      row.values.push_back(ReadBlock(replay.process(), TraceeAddress(registers.rax), length));
  }
  pending.erase(at, pending.end());
}

}  // namespace chronofork
