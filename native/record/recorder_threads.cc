// Threads: one runs at a time, and the log says where one is left for another.
//
// == 1. A call that waits lets the next thread run: the switch is at the call.
// == 2. A thread whose slice is over is left after an event; one that makes no
//       events is stopped where it stands, and a checkpoint keeps that place.
// == 3. A call's end is an event when its thread goes on, not when it happened:
//       what it wrote may lie in memory a little earlier.
//
// Easy to get wrong: a thread in a call cannot be asked anything, so what a
// checkpoint needs of it is noted as the call begins; in a replay it begins its
// call anew, so its registers are those at the call's instruction.
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "kernel/uapi.h"
#include "record/recorder.h"

namespace chronofork {
namespace {

Log logger("threads");

// A call that waits gives back no more than this at once (a pipe holds 1 MiB at most).
constexpr uint64_t kMostPendingBytes = 16 << 20;

// The kernel follows a robust list no further (ROBUST_LIST_LIMIT).
constexpr int kRobustListLimit = 2048;

// A thread that waits in a call for so long, with all others held, may wait for one of those.
constexpr uint64_t kToldAfterNs = 2'000'000'000;

// The call that a thread makes with its next instruction.
SyscallArguments CallAt(const GeneralRegisters& r) {
  return {static_cast<long>(r.rax), {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
}

}  // namespace

// -- Waiting in a call ----------------------------------------------------------------

// Waits for the end of the current thread's call that was just resumed, or for
// what came instead (the process gone, another program); or, with `may_leave`,
// until the call is seen to wait while another thread can go on.
Result<Recorder::CallEnd> Recorder::WaitForCallEnd(bool may_leave) {
  const pid_t mine = live_.tid();
  const uint64_t begun_ns = MonotonicNs();
  for (;;) {
    const pid_t next = may_leave && !interrupting_ ? NextReady() : 0;
    std::optional<Stop> stop = live_.WaitAny(true, next == 0);
    // execve ends the other threads, and its own becomes the first.
    if (stop && stop->kind != Stop::Kind::kExec && live_.tid() != mine) {
      NoteCallEnd(*stop, mine);
      continue;
    }
    if (!stop) {
      if (only_one_ && now_.open) TellThatItWaits(mine, now_.open->call.number, begun_ns);
      if (InterruptWanted() && !interrupting_) {
        interrupting_ = true;
        if (now_.open) now_.open->interrupted = true;
        CF_TRY(live_.RequestInterrupt());
      } else if (next != 0) {
        if (live_.StateOf(mine) == 'S') return CallEnd{{}, next};
        ::sched_yield();
      }
      continue;
    }
    // The kernel forgets an interrupt at any stop.
    interrupting_ = false;
    if (stop->kind == Stop::Kind::kSyscallExit) return CallEnd{};
    if (stop->kind == Stop::Kind::kNewProcess) {
      CF_TRY(live_.ChildMade(stop->new_pid, stop->shares_memory, ProcessorsOf(thread()), HiddenBytes()));
      CF_TRY(live_.Resume(ResumeMode::kToSyscallExit));
      continue;
    }
    return CallEnd{stop, 0};
  }
}

// What int3s of ours hide in the live process's memory.
TrapBytes Recorder::HiddenBytes() const {
  TrapBytes hidden = patched_;
  if (inserted)
    for (const auto& [address, original] : *inserted) hidden.emplace(address, original);
  return hidden;
}

// The thread whose stop was just seen is another than `mine`, which stays the current one.
void Recorder::NoteCallEnd(const Stop& stop, pid_t mine) {
  waiting_.at(live_.tid()).call_end = stop;
  live_.SwitchTo(mine);
}

// Notes which calls of other threads have ended, without waiting.
void Recorder::CollectCallEnds() {
  if (live_.thread_count() == 1) return;
  const pid_t mine = live_.tid();
  while (std::optional<Stop> stop = live_.PollOthers()) NoteCallEnd(*stop, mine);
}

// The thread after the current one, in turn, that can go on: one whose steps
// are wanted comes first. 0: none.
pid_t Recorder::AnyReady() const {
  auto ready = [](const ThreadRecord& record) { return !record.open || record.call_end; };
  if (auto wanted = waiting_.find(step_thread_); wanted != waiting_.end() && ready(wanted->second)) return step_thread_;
  auto after = waiting_.upper_bound(live_.tid());
  for (auto at = after; at != waiting_.end(); ++at)
    if (ready(at->second)) return at->first;
  for (auto at = waiting_.begin(); at != after; ++at)
    if (ready(at->second)) return at->first;
  return 0;
}

bool Recorder::SliceIsOver(uint64_t slice_ns) const {
  return live_.thread_count() > 1 && Now() - slice_begun_ns_ > slice_ns;
}

// The word that a waiting call for a priority-inheriting futex has changed
// already: it tells the owner that somebody waits.
std::optional<AddressRange> Recorder::WordOfWaiter(const SyscallArguments& call) {
  if (call.number != SYS_futex) return std::nullopt;
  uint64_t address = 0;
  switch (call.values[1] & FUTEX_CMD_MASK & 0xffffffff) {
    case FUTEX_LOCK_PI:
    case uapi::kFutexLockPi2: address = call.values[0]; break;
    case FUTEX_WAIT_REQUEUE_PI: address = call.values[4]; break;
    default: return std::nullopt;
  }
  return AddressRange{TraceeAddress(address), TraceeAddress(address + sizeof(uint32_t))};
}

// -- Switching ------------------------------------------------------------------------

// Before the current thread is resumed: has another one its turn?
Recorder::Outcome Recorder::SwitchIfDue() {
  const bool settled = now_.next_signal == 0 && now_.raised.empty() && !now_.undelivered && !now_.at_syscall;
  if (live_.thread_count() == 1 || !settled || Mode() == ResumeMode::kStep) return std::optional<LiveStop>();
  CollectCallEnds();
  const pid_t next = NextReady();
  const bool due = yielded_ || SliceIsOver(kSliceNs) || next == step_thread_;
  if (next == 0 || !due || !AtEventEnd()) return std::optional<LiveStop>();
  return SwitchThread(next, SignalPlace::kAfterEvent);
}

// Leaves the current thread, which stands at `place`, for `next`; a call of
// that one that has ended is completed.
Recorder::Outcome Recorder::SwitchThread(pid_t next, SignalPlace place) {
  if (next == 0) return std::optional<LiveStop>();
  const pid_t former = live_.tid();
  const bool ended = !now_.open && live_.thread_ended();
  Event event = NewEvent(EventKind::kSwitch);
  event.number = VisibleTid(next);
  event.place = place;
  if (place == SignalPlace::kBeforeSyscall) {
    const GeneralRegisters left = now_.open ? AtCallInstruction(now_.at_call.registers) : live_.registers();
    const SyscallArguments call = now_.open ? now_.open->call : CallAt(left);
    event.arguments = call.values;
    event.result = call.number;
    event.output_digest = DigestOf(left);
    std::optional<AddressRange> word = now_.open ? WordOfWaiter(call) : std::nullopt;
    if (word) NoteWrites(std::span(&*word, 1), event);
  } else if (!ended) {
    event.output_digest = DigestOf(live_.registers());
  }
  if (place == SignalPlace::kAnywhere) event.registers = std::make_unique<GeneralRegisters>(live_.registers());
  live_.SwitchTo(next);
  if (ended)
    live_.ForgetThread(former);
  else
    waiting_[former] = std::move(now_);
  now_ = std::move(waiting_.at(next));
  waiting_.erase(next);
  contexts_.reset();
  yielded_ = false;
  slice_begun_ns_ = Now();
  const GeneralRegisters coming = now_.open ? AtCallInstruction(now_.at_call.registers) : live_.registers();
  event.pc = coming.rip;
  event.registers_digest = DigestOf(coming);
  if (logger.Enabled(LogLevel::kDebug)) logger.Write(LogLevel::kDebug, "%s", Describe(event, log_.size()).c_str());
  log_.Append(std::move(event));
  now_.since = now_.open ? Since::kExecuted : Since::kEvent;
  if (!now_.open) return std::optional<LiveStop>();
  const Stop end = *std::exchange(now_.call_end, std::nullopt);
  if (end.kind == Stop::Kind::kSyscallExit) return CompleteCall();
  if (end.kind == Stop::Kind::kInterrupted && end.group_stop_signal == 0) {
    // Interrupted before the call had begun to wait: it goes on waiting.
    CF_TRY(live_.Resume(ResumeMode::kToSyscallExit));
    CF_TRY_ASSIGN(CallEnd again, WaitForCallEnd(RowFor(now_.open->call.number).may_block));
    if (again.next != 0) return SwitchThread(again.next, SignalPlace::kBeforeSyscall);
    if (!again.instead) return CompleteCall();
    now_.open.reset();
    return OnStop(*again.instead);
  }
  now_.open.reset();
  return OnStop(end);
}

// Where the kernel may write for a call, whatever its result.
std::vector<AddressRange> Recorder::PendingWrites(const OpenCall& open) {
  MemoryReaderFn read = [this](TraceeAddress a, std::span<std::byte> out) { return live_.memory().Read(a, out); };
  // The third argument is the length of read and its like, and the greatest number of events.
  const int64_t most = static_cast<int64_t>(std::min<uint64_t>(open.meaning.values[2], kMostPendingBytes));
  std::vector<AddressRange> ranges;
  for (const int64_t result : {int64_t{-EINTR}, int64_t{0}, int64_t{1}, most})
    if (auto found = OutRanges(open.meaning, result, read, open.snapshot))
      ranges.insert(ranges.end(), found->begin(), found->end());
  return ranges;
}

// The others as a checkpoint keeps them. The current thread stands still.
const ThreadContexts& Recorder::OtherThreads() {
  if (contexts_) return *contexts_;
  ThreadContexts contexts;
  const pid_t mine = live_.tid();
  for (auto& [tid, record] : waiting_) {
    auto context = std::make_shared<ThreadContext>();
    if (record.open) {
      *context = record.at_call;
      context->registers = AtCallInstruction(record.at_call.registers);
      context->pending_writes = PendingWrites(*record.open);
    } else {
      live_.SwitchTo(tid);
      context->registers = live_.registers();
      context->registers.orig_rax = ~0ull;
      Result<ExtendedRegisters> vector_state = live_.ReadExtended();
      Result<uint64_t> mask = live_.ReadSignalMask();
      if (vector_state.ok()) context->vector_state = std::move(vector_state).value();
      if (mask.ok()) context->signal_mask = mask.value();
      live_.SwitchTo(mine);
    }
    context->alternate_stack = record.alternate_stack;
    contexts.emplace(VisibleTid(tid), std::move(context));
  }
  contexts_ = std::move(contexts);
  return *contexts_;
}

// -- Beginning and end ----------------------------------------------------------------

Recorder::Outcome Recorder::MakeThread(const SyscallArguments& call, const CloneCall& clone) {
  Event event = NewEvent(EventKind::kSyscall);
  event.number = static_cast<int32_t>(call.number);
  event.arguments = call.values;
  event.syscall_class = SyscallClass::kProcess;
  CF_TRY(live_.Resume(ResumeMode::kToSyscallExit));
  std::optional<Stop> stop = live_.Wait();
  while (stop->kind == Stop::Kind::kNewProcess || stop->kind == Stop::Kind::kInterrupted) {
    if (stop->kind == Stop::Kind::kNewProcess) {
      CF_TRY(live_.AddThread(stop->new_pid));
      event.thread_made = stop->new_pid;
    }
    CF_TRY(live_.Resume(ResumeMode::kToSyscallExit));
    stop = live_.Wait();
  }
  if (stop->kind != Stop::Kind::kSyscallExit) return OnStop(*stop);
  event.result = static_cast<int64_t>(live_.registers().rax);
  if (event.thread_made != 0) {
    const pid_t mine = live_.tid();
    live_.SwitchTo(event.thread_made);
    GeneralRegisters first = live_.registers();
    first.orig_rax = ~0ull;
    live_.SetRegisters(first);
    event.registers = std::make_unique<GeneralRegisters>(first);
    live_.SwitchTo(mine);
    ThreadRecord record;
    if (clone.flags & CLONE_CHILD_CLEARTID) event.cleared_word = record.clear_child_tid = clone.child_tid;
    waiting_[event.thread_made] = std::move(record);
    contexts_.reset();
    std::vector<AddressRange> written = clone.WrittenForCaller();
    const TraceeAddress child_tid(clone.child_tid);
    if (clone.flags & CLONE_CHILD_SETTID) written.push_back({child_tid, child_tid + sizeof(pid_t)});
    if (auto own = processors_.find(thread()); own != processors_.end()) {
      std::vector<int> inherited = own->second;
      processors_[event.thread_made] = std::move(inherited);
    }
    NoteWrites(written, event);
    CF_LOG(logger, kInfo, "thread %d", event.thread_made);
  }
  FinishSyscall(std::move(event));
  return std::optional<LiveStop>();
}

void Recorder::AdoptThread(pid_t tid, const stack_t& alternate_stack, const ThreadEndings& endings) {
  ThreadRecord& record = tid == live_.tid() ? now_ : waiting_[tid];
  record.alternate_stack = alternate_stack;
  record.clear_child_tid = endings.clear_child_tid;
  contexts_.reset();
}

// What the kernel may write as the current thread ends: the word that others
// wait for, and the owner's word of each robust mutex that it still holds.
std::vector<AddressRange> Recorder::WordsClearedAtEnd() {
  std::vector<AddressRange> words;
  auto add = [&](uint64_t address) {
    if (address != 0) words.push_back({TraceeAddress(address), TraceeAddress(address + sizeof(uint32_t))});
  };
  add(now_.clear_child_tid);
  robust_list_head* head = nullptr;
  size_t length = 0;
  if (::syscall(SYS_get_robust_list, live_.tid(), &head, &length) != 0 || !head) return words;
  Result<robust_list_head> list =
      live_.memory().ReadValue<robust_list_head>(TraceeAddress(reinterpret_cast<uint64_t>(head)));
  if (!list.ok()) return words;
  const int64_t offset = list.value().futex_offset;
  auto word_of = [&](const robust_list* entry) {
    // The lowest bit of an entry says that its mutex is one of priority inheritance.
    return (reinterpret_cast<uint64_t>(entry) & ~uint64_t{1}) + static_cast<uint64_t>(offset);
  };
  if (list.value().list_op_pending) add(word_of(list.value().list_op_pending));
  const robust_list* entry = list.value().list.next;
  for (int i = 0; i < kRobustListLimit; ++i) {
    const uint64_t at = reinterpret_cast<uint64_t>(entry) & ~uint64_t{1};
    if (at == reinterpret_cast<uint64_t>(head) || at == 0) break;
    add(word_of(entry));
    Result<robust_list> next = live_.memory().ReadValue<robust_list>(TraceeAddress(at));
    if (!next.ok()) break;
    entry = next.value().next;
  }
  return words;
}

// The current thread, one of several, calls exit.
Recorder::Outcome Recorder::EndThread(const SyscallArguments& call) {
  const GeneralRegisters at_call = AtCallInstruction(live_.registers());
  Event event = NewEvent(EventKind::kSyscall);
  event.number = static_cast<int32_t>(call.number);
  event.arguments = call.values;
  event.syscall_class = SyscallClass::kProcess;
  event.thread_ended = true;
  event.pc = at_call.rip;
  event.registers_digest = DigestOf(at_call);
  auto read = [this](const AddressRange& word) {
    std::vector<std::byte> bytes(word.length());
    bytes.resize(live_.memory().ReadSome(word.start, bytes));
    return bytes;
  };
  const std::vector<AddressRange> words = WordsClearedAtEnd();
  std::vector<std::vector<std::byte>> before;
  for (const AddressRange& word : words) before.push_back(read(word));
  const pid_t mine = live_.tid();
  if (thread() != mine) {
    // The kernel frees the mutexes of the number that the thread has on this branch.
    for (const AddressRange& word : words) {
      CF_TRY_ASSIGN(const uint32_t owner, live_.memory().ReadValue<uint32_t>(word.start));
      if ((owner & FUTEX_TID_MASK) != static_cast<uint32_t>(thread())) continue;
      CF_TRY(live_.memory().WriteValue(word.start, (owner & ~uint32_t{FUTEX_TID_MASK}) | static_cast<uint32_t>(mine)));
    }
  }
  CF_TRY(live_.Resume(ResumeMode::kContinue));
  if (mine == live_.pid()) {
    // The first thread's end is reported when all others have ended.
    for (char state = 'R'; state != 'Z' && state != 'X'; state = live_.StateOf(mine)) ::usleep(50);
    live_.NoteThreadEnded();
  } else {
    while (std::optional<Stop> stop = live_.Wait())
      if (stop->kind == Stop::Kind::kGone) break;
  }
  for (size_t i = 0; i < words.size(); ++i) {
    std::vector<std::byte> after = read(words[i]);
    if (after != before[i]) event.writes.push_back({words[i].start, std::move(after)});
  }
  if (logger.Enabled(LogLevel::kDebug)) logger.Write(LogLevel::kDebug, "%s", Describe(event, log_.size()).c_str());
  log_.Append(std::move(event));
  // Somebody must go on: the next whose call ends, or is interrupted for a pause.
  CollectCallEnds();
  while (AnyReady() == 0) {
    std::optional<Stop> stop = live_.PollOthers(true);
    if (stop) {
      NoteCallEnd(*stop, mine);
    } else if (InterruptWanted() && !interrupting_) {
      interrupting_ = true;
      if (waiting_.begin()->second.open) waiting_.begin()->second.open->interrupted = true;
      live_.SwitchTo(waiting_.begin()->first);
      CF_TRY(live_.RequestInterrupt());
      live_.SwitchTo(mine);
    }
  }
  CF_TRY_ASSIGN(std::optional<LiveStop> stop, SwitchThread(AnyReady(), SignalPlace::kAfterEvent));
  if (stop || !only_one_) return stop;
  stop.emplace();
  stop->kind = LiveStop::Kind::kThreadEnded;
  return stop;
}

// -- One thread alone -----------------------------------------------------------------

Recorder::Outcome Recorder::GiveTurnTo(pid_t thread) {
  const pid_t next = RealTid(thread), mine = live_.tid();
  only_one_ = true;
  mode_ = ResumeMode::kContinue;
  step_thread_ = until_thread_ = 0;
  interrupting_ = false;
  if (now_.undelivered) {
    // It has struck where the current thread stands: its handler is where that one goes on.
    CF_TRY_ASSIGN(Disposition disposition, DispositionOf(now_.undelivered->si_signo));
    if (disposition.fatal) {
      LiveStop stop;
      stop.kind = LiveStop::Kind::kFatalSignal;
      stop.siginfo = *now_.undelivered;
      return std::optional(stop);
    }
    CF_TRY(Deliver(now_.undelivered->si_signo));
    if (std::exchange(now_.next_signal, 0) != 0) {
      CF_TRY_ASSIGN(std::optional<LiveStop> other, GiveSignal());
      if (other) return other;
    }
  }
  const uint64_t begun_ns = MonotonicNs();
  ThreadRecord& wanted = waiting_.at(next);
  while (wanted.open && !wanted.call_end) {
    if (std::optional<Stop> stop = live_.PollOthers(true)) {
      NoteCallEnd(*stop, mine);
      continue;
    }
    TellThatItWaits(next, wanted.open->call.number, begun_ns);
    if (!InterruptWanted() || interrupting_) continue;
    interrupting_ = wanted.open->interrupted = true;
    live_.SwitchTo(next);
    Result<void> asked = live_.RequestInterrupt();
    live_.SwitchTo(mine);
    if (!asked.ok()) return std::move(asked).error();
  }
  return SwitchThread(next, now_.at_syscall ? SignalPlace::kBeforeSyscall
                            : AtEventEnd()  ? SignalPlace::kAfterEvent
                                            : SignalPlace::kAnywhere);
}

// After a while, once for each wait: nobody else may know why nothing happens.
void Recorder::TellThatItWaits(pid_t tid, long call, uint64_t since_ns) {
  if (told_since_ns_ == since_ns || MonotonicNs() - since_ns < kToldAfterNs) return;
  told_since_ns_ = since_ns;
  if (options_.notice)
    options_.notice("Thread " + std::to_string(VisibleTid(tid)) + " waits in " + RowFor(call).name +
                    "(), and the other threads are held, because only this one was let run. If it waits for one of "
                    "them: pause, and let all threads run.");
}

}  // namespace chronofork
