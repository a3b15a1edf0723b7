// Calls that are recorded inside the debuggee (callbuffer/): which sites are
// patched, when calls may go unseen, and their events.
//
// Each stop is settled first: the events of the ring are written, and the
// stopped thread is brought out of our code. What is left looks as if it had
// made its calls itself, so the rest of the recorder is the same with and without.
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "record/call_rules.h"
#include "record/recorder.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("record");

constexpr uint64_t kSyscallLength = 2;
constexpr uint64_t kUnlimited = ~uint64_t{0};

bool IsRestart(int64_t result) { return result <= -512 && result >= -517; }

}  // namespace

// A call has stopped at its entry, made by the program's own instruction.
void Recorder::NoteSite(const SyscallArguments& call) {
  if (!calls_ || call.number < 0 || call.number >= static_cast<long>(kMostCalls)) return;
  if (!CallRulesFor(Renamed())[static_cast<size_t>(call.number)].allowed) return;
  const uint64_t site = live_.registers().rip - kSyscallLength;
  if (++stops_at_site_[site] == CallBuffer::StopsBeforePatch()) sites_wanted_.push_back(TraceeAddress(site));
}

// Before the live process runs on.
Result<void> Recorder::LetCallsPass() {
  if (!calls_) return {};
  if (Mode() != ResumeMode::kContinue) {
    LeavePatches();
    return {};
  }
  // What others write is compared at every call.
  if (!shared_.empty() || !shared_changes_.empty()) {
    LeavePatches();
    return {};
  }
  for (const TraceeAddress site : std::exchange(sites_wanted_, {})) calls_->Add(site, log_.size());
  if (calls_->sites()->all().empty()) return {};
  // While a signal is on its way nothing may be called in the process.
  const bool unseen = now_.held.empty() && now_.raised.empty() && !InterruptWanted() && !caught_syscalls &&
                      !stop_after && !own_memory_open_ && until_thread_ == 0 && !stop_at_next_call_;
  if (unseen) {
    Result<void> put_in = calls_->PutIn(log_.size());
    if (put_in.ok()) put_in = calls_->Record(live_.thread_count() > 1, most_unseen ? most_unseen : kUnlimited);
    if (!put_in.ok()) {
      CF_LOG(logger, kInfo, "calls stop from now on: %s", put_in.error().message.c_str());
      calls_.reset();
      return {};
    }
  } else {
    CF_TRY(calls_->Trap());
  }
  calls_->Redirect();
  return {};
}

void Recorder::LeavePatches() {
  if (calls_) calls_->TakeOut();
}

// Before a call that changes what is mapped.
Result<void> Recorder::LeavePatchesIn(const SyscallArguments& call) {
  if (!calls_) return {};
  auto leave = [this](uint64_t start, uint64_t length) -> Result<void> {
    const uint64_t end = (start + length + 4095) & ~uint64_t{4095};
    const AddressRange range{TraceeAddress(start).PageStart(), TraceeAddress(end)};
    CF_TRY_ASSIGN(const bool left, calls_->Leave(range, log_.size(), true));
    if (left) stops_at_site_.clear();
    return {};
  };
  const auto& values = call.values;
  switch (call.number) {
    case SYS_mmap:
      if (values[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) return leave(values[0], values[1]);
      return {};
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_pkey_mprotect: return leave(values[0], values[1]);
    case SYS_mremap:
      CF_TRY(leave(values[0], values[1]));
      return values[3] & MREMAP_FIXED ? leave(values[4], values[2]) : Result<void>();
    case SYS_shmat: return values[2] & SHM_REMAP ? leave(values[1], uint64_t{1} << 30) : Result<void>();
    default: return {};
  }
}

Result<void> Recorder::AppendUnseen() {
  const RecordTime now{Now(), MonotonicNs()};
  if (const size_t length = calls_->recorded_bytes(); length > 0) {
    unseen_.resize(length);
    CF_TRY(calls_->ReadRecorded(unseen_));
    now_.at_syscall = now_.entry_reported = yielded_ = false;
    now_.since = Since::kExecuted;
    // They came since the last stop, at times that nobody has looked at; not before the last event that was one.
    const size_t first = log_.size();
    RecordTime from = last_settled_;
    if (first > 0 && !log_.IsRecord(first - 1)) {
      from.run_ns = std::max(from.run_ns, log_.at(first - 1).time_ns);
      from.clock_ns = std::max(from.clock_ns, log_.at(first - 1).clock_ns);
    }
    log_.AppendRecords(unseen_, thread(), from, now);
    for (size_t i = first; logger.Enabled(LogLevel::kDebug) && i < log_.size(); ++i)
      logger.Write(LogLevel::kDebug, "%s", chronofork::Describe(log_.at(i), i).c_str());
  }
  last_settled_ = now;
  return {};
}

// `consumed`: the stop was our own affair; the process is to be resumed.
Recorder::Outcome Recorder::SettleCalls(const Stop& stop, bool* consumed) {
  if (!calls_ || !calls_->in()) return std::optional<LiveStop>();
  CF_TRY_ASSIGN(const SettledCall settled, calls_->Settle(stop));
  CF_TRY(AppendUnseen());
  *consumed = settled.consumed;
  using Place = SettledCall::Place;
  switch (settled.place) {
    case Place::kElsewhere: break;
    case Place::kEntry: call_from_patch_ = true; break;
    case Place::kEventEnd: now_.since = Since::kEvent; break;
    case Place::kAtSite:
      now_.at_syscall = true;
      now_.since = Since::kExecuted;
      if (!settled.consumed) break;
      CF_LOG(logger, kInfo, "calls stop from now on: signal %d in code of ours", stop.siginfo.si_signo);
      calls_.reset();
      break;
    case Place::kExecuted: return OnExecutedUnseen(settled, stop, consumed);
  }
  return std::optional<LiveStop>();
}

// The runtime has made a call, but not written its event.
Recorder::Outcome Recorder::OnExecutedUnseen(const SettledCall& settled, const Stop& stop, bool* consumed) {
  LeavePatches();
  GeneralRegisters r = live_.registers();
  const SyscallArguments call{settled.number, {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
  Event event = NewEvent(EventKind::kSyscall);
  event.number = static_cast<int32_t>(call.number);
  event.arguments = call.values;
  event.syscall_class = ClassFor(call);
  event.result = settled.result;
  const bool our_interrupt = settled.result == -EINTR && interrupt_sent_ && !live_.SignalsPending();
  if (our_interrupt || (IsRestart(settled.result) && *consumed)) {
    r.rip -= kSyscallLength;
    r.rax = static_cast<uint64_t>(call.number);
    r.orig_rax = ~0ull;
    live_.SetRegisters(r);
    now_.at_syscall = stop_at_next_call_ = true;
    return std::optional<LiveStop>();
  }
  if (IsRestart(settled.result)) {
    *consumed = true;
    return OnInterruptedBy(stop, call, std::move(event));
  }
  MemoryReaderFn read = [this](TraceeAddress a, std::span<std::byte> out) { return live_.memory().Read(a, out); };
  std::optional<std::vector<AddressRange>> ranges = OutRanges(call, settled.result, read, SnapshotAtEntry(call, read));
  if (!ranges && dirty_pages) {
    CF_TRY_ASSIGN(PageSet pages, dirty_pages->Collect(false));
    ranges = WithoutOwnPages(pages);
  }
  event.output_digest = OutputDigest(call, settled.result, read);
  if (ranges) NoteWrites(*ranges, event);
  if (settled.result >= 0 && Opens(call.number)) NoteOpened(static_cast<int>(settled.result), event);
  FinishSyscall(std::move(event));
  now_.at_syscall = now_.entry_reported = false;
  return std::optional<LiveStop>();
}

// Pages that hold nothing of the program.
PageSet Recorder::WithoutOwnPages(const PageSet& pages) const {
  std::vector<AddressRange> own{kCoreRange};
  own.insert(own.end(), live_.own_pages().begin(), live_.own_pages().end());
  return Subtract(pages, MakePageSet(std::move(own)));
}

}  // namespace chronofork
