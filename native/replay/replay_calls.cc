// Calls that a replay answers inside the process, without a stop (callbuffer/):
// as many of the next events as no stop is needed for are put into its ring.
//
// A call that differs from what is there, or comes when nothing is, stops as ever, and
// is looked at as ever: so a divergence is found at its event. Which events
// were recorded without a stop makes no difference here.
//
// Easy to get wrong: a place at which something is to happen (the end, a signal,
// another thread's turn) is found between two events, so the event before it must stop.
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/log.h"
#include "record/call_rules.h"
#include "replay/replayer.h"

namespace chronofork {
namespace {

Log logger("replay");

// Of one filling; the rest of the ring stays for what its last event needs.
constexpr size_t kMostFedBytes = kRingFull - 4096;
// A larger write is quicker with a stop than through the ring.
constexpr size_t kMostBytesOfEvent = 32 * 1024;
constexpr size_t kFewestToBegin = 8, kFewestFed = 16, kMostFed = 4096;

const CallRule& RuleOf(int32_t number) { return CallRulesFor(false)[static_cast<size_t>(number)]; }

// Whether the process itself has no part in it but the call and what it gave.
bool IsPlain(const Event& event) {
  if (event.kind != EventKind::kSyscall || event.restarted || event.process_was_made || event.thread_made != 0 ||
      event.thread_ended || event.result == -EINTR || event.number < 0 ||
      event.number >= static_cast<int32_t>(kMostCalls))
    return false;
  const CallRule& rule = RuleOf(event.number);
  if (event.output_digest != 0 && rule.output == kOutputNone) return false;
  switch (event.syscall_class) {
    case SyscallClass::kEmulate:
    case SyscallClass::kSwallow:
    case SyscallClass::kSchedule: break;
    case SyscallClass::kExecute:
      if (rule.again) break;
      return false;
    default: return false;
  }
  size_t bytes = 0;
  for (const MemoryWrite& write : event.writes) bytes += write.bytes.size();
  return bytes <= kMostBytesOfEvent;
}

void Encode(const Event& event, std::vector<std::byte>& to) {
  const size_t start = to.size();
  CallRecord record{};
  to.resize(start + sizeof record);
  for (const MemoryWrite& write : event.writes) {
    const uint64_t header[] = {write.address.value, write.bytes.size()};
    const size_t at = to.size();
    to.resize(at + sizeof header + ((write.bytes.size() + 7) & ~size_t{7}));
    std::memcpy(to.data() + at, header, sizeof header);
    std::memcpy(to.data() + at + sizeof header, write.bytes.data(), write.bytes.size());
  }
  record.size_bytes = static_cast<uint32_t>(to.size() - start);
  record.number = static_cast<uint16_t>(event.number);
  record.write_count = static_cast<uint16_t>(event.writes.size());
  std::copy(event.arguments.begin(), event.arguments.end(), record.arguments);
  record.result = event.result;
  record.pc = event.pc;
  record.registers_digest = event.registers_digest;
  record.output_digest = event.output_digest;
  std::memcpy(to.data() + start, &record, sizeof record);
}

}  // namespace

// Whether something is to happen right after event `index`.
bool Replayer::StrikesAfter(size_t index) const {
  if (index + 1 >= log_->size() || log_->IsRecord(index + 1)) return false;
  const Event& next = log_->at(index + 1);
  const bool strikes = next.kind == EventKind::kSignal || next.kind == EventKind::kSwitch;
  return strikes && (next.place == SignalPlace::kAfterEvent || next.place == SignalPlace::kAnywhere);
}

size_t Replayer::FirstToStop() const {
  if (!plan_->end) return SIZE_MAX;
  const Position& end = plan_->end->position;
  return end.kind == Position::Kind::kAtSyscall ? end.event : std::max<size_t>(end.event, 1) - 1;
}

// Whether event `index` may pass without a stop.
bool Replayer::MayPass(size_t index) const {
  const Event& event = log_->at(index);
  if (!IsPlain(event) || event.thread != thread_ || !calls_->ServesUntil(event.pc, index) || StrikesAfter(index))
    return false;
  for (const WatchSpec& watch : plan_->watches) {
    const AddressRange watched{watch.address, watch.address + watch.length_bytes};
    if (!watch.write_only && event.output_digest != 0) return false;
    for (const MemoryWrite& write : event.writes)
      if (watched.Overlaps({write.address, write.address + write.bytes.size()})) return false;
  }
  return true;
}

// Puts as many of the next events into `feed_` as may pass; returns the event after them.
size_t Replayer::Gather(std::vector<size_t>& ends) {
  feed_.clear();
  const size_t last = std::min(log_->size(), FirstToStop());
  // For how long what returns to a pc is served; calls come from few places.
  struct Known {
    uint64_t pc = 0;
    size_t until = 0;
  };
  std::array<Known, 16> known;
  size_t index = event_;
  for (; index < last && ends.size() < feed_most_ && feed_.size() < kMostFedBytes - kMostBytesOfEvent - 1024; ++index) {
    if (log_->IsRecord(index) && plan_->watches.empty()) {
      const CallRecord& record = log_->RecordAt(index);
      Known& place = known[record.pc % known.size()];
      if (place.pc != record.pc || index >= place.until)
        place = {record.pc, calls_->ServesUntil(record.pc, index).value_or(0)};
      const bool may_pass = record.size_bytes <= kMostBytesOfEvent && log_->ThreadOf(index) == thread_ &&
                            index < place.until && !StrikesAfter(index);
      if (!may_pass) break;
      const auto* bytes = reinterpret_cast<const std::byte*>(&record);
      feed_.insert(feed_.end(), bytes, bytes + record.size_bytes);
    } else {
      if (!MayPass(index)) break;
      Encode(log_->at(index), feed_);
    }
    ends.push_back(feed_.size());
  }
  return index;
}

// Before the process runs on.
Result<void> Replayer::LetCallsPass(ResumeMode mode) {
  if (!calls_) return {};
  if (mode != ResumeMode::kContinue) {
    LeavePatches();
    return {};
  }
  if (calls_->sites()->all().empty()) return {};
  // A signal is on its way: nothing may be called in the process before it comes.
  const bool none = plan_->caught_syscalls.has_value() || raised_;
  if (none || calls_->feed_empty() || event_ + fed_ahead_ != fed_until_) {
    // What was not used was made in vain.
    feed_most_ = fed_ahead_ > 0 ? kFewestFed : std::clamp(feed_most_ * 2, kFewestFed, kMostFed);
    std::vector<size_t> ends;
    fed_until_ = none ? event_ : Gather(ends);
    fed_ahead_ = ends.size();
    // Putting the patches in costs some stops.
    if (ends.size() < (calls_->in() ? 1 : kFewestToBegin)) {
      fed_ahead_ = 0;
      CF_TRY(calls_->Trap());
    } else {
      Result<void> fed = calls_->PutIn(event_);
      if (fed.ok() && calls_->in()) fed = calls_->Feed(feed_, std::move(ends));
      if (!fed.ok()) {
        CF_LOG(logger, kInfo, "calls stop from now on: %s", fed.error().message.c_str());
        calls_.reset();
        return {};
      }
    }
  } else {
    CF_TRY(calls_->PutIn(event_));  // they may have been taken out for a while
  }
  calls_->Redirect();
  return {};
}

void Replayer::LeavePatches() {
  if (calls_) calls_->TakeOut();
}

// Before something is mapped, unmapped or changed in `range`.
Result<void> Replayer::LeavePatchesIn(TraceeAddress start, uint64_t length_bytes) {
  if (!calls_) return {};
  const TraceeAddress end((start.value + length_bytes + 4095) & ~uint64_t{4095});
  CF_TRY(calls_->Leave({start.PageStart(), end}, event_, false));
  return {};
}

// What has passed since the last stop, and where that leaves us. `consumed`: the
// stop was our own affair; the process is to be resumed.
Result<void> Replayer::SettleCalls(const Stop& stop, bool* consumed) {
  if (!calls_ || !calls_->in()) return {};
  CF_TRY_ASSIGN(const SettledCall settled, calls_->Settle(stop));
  *consumed = settled.consumed;
  const size_t passed = calls_->TakeReplayed();
  event_ += passed;
  checked_ += passed;
  fed_ahead_ -= passed;
  if (passed > 0) kind_ = Position::Kind::kComputing;
  using Place = SettledCall::Place;
  switch (settled.place) {
    case Place::kElsewhere:
    case Place::kEntry: break;
    case Place::kEventEnd: kind_ = Position::Kind::kEventEnd; break;
    case Place::kAtSite:
      kind_ = Position::Kind::kAtSyscall;
      if (!settled.consumed) break;
      CF_LOG(logger, kInfo, "calls stop from now on: signal %d in code of ours", stop.siginfo.si_signo);
      calls_.reset();
      break;
    case Place::kExecuted: {
      // It agrees; what it wrote was being copied.
      const Event& event = log_->at(event_);
      CF_TRY(ApplyWrites(event));
      CF_TRY(CheckAfter(event));
      ++event_;
      kind_ = Position::Kind::kEventEnd;
      CF_TRY(calls_->Trap());
      break;
    }
  }
  return {};
}

}  // namespace chronofork
