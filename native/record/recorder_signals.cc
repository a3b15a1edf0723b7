// Signals, and the instructions that trap because their result is not computed:
// rdtsc by PR_SET_TSC, rdrand and others by an int3 in their place.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "probe/instruction.h"
#include "record/recorder.h"
#include "record/signal_frame.h"
#include "record/vector_save.h"
#include "record/x87_save.h"
#include "tracee/code_sections.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("signal");

// The kernel's, not glibc's SIGRTMIN: from here on signals queue.
constexpr int kFirstRealTimeSignal = 32;

// What rt_sigaction(2) answers: the kernel's struct, not glibc's.
struct KernelSigaction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};

bool IsStopSignal(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

// Whether a set of signals in /proc/PID/status has one.
bool HasSignal(const std::string& status, const char* key, int signal) {
  const size_t at = status.find(key);
  if (at == std::string::npos) return false;
  return std::strtoull(status.c_str() + at + strlen(key), nullptr, 16) >> (signal - 1) & 1;
}

}  // namespace

// From /proc, not by asking the process: a call made on its behalf would forget
// the mask that sigsuspend and its like have put aside for the handler.
Result<Recorder::Disposition> Recorder::DispositionOf(int signal) {
  Disposition disposition;
  std::string status = ReadProcText(live_.pid(), "status");
  if (HasSignal(status, "SigCgt:", signal)) {
    disposition.handled = true;
  } else if (!HasSignal(status, "SigIgn:", signal)) {
    disposition.stops = IsStopSignal(signal);
    disposition.fatal =
        !disposition.stops && signal != SIGCHLD && signal != SIGURG && signal != SIGWINCH && signal != SIGCONT;
  }
  return disposition;
}

// Whether its handler was installed with SA_RESTART: only the process itself can be asked.
Result<bool> Recorder::Restarts(int signal) {
  CF_TRY_ASSIGN(int64_t result,
                live_.Syscall(SYS_rt_sigaction, {static_cast<uint64_t>(signal), 0, kScratchArea.value, 8}));
  if (result != 0) return false;
  CF_TRY_ASSIGN(KernelSigaction action, live_.memory().ReadValue<KernelSigaction>(kScratchArea));
  return (action.flags & SA_RESTART) != 0;
}

Recorder::Outcome Recorder::OnSignal(const siginfo_t& info) {
  siginfo_t original = info;
  if (info.si_code == SI_TKILL && info.si_pid == ::getpid()) {
    for (size_t i = 0; i < now_.raised.size(); ++i) {
      if (now_.raised[i].si_signo != info.si_signo) continue;
      original = now_.raised[i];
      now_.raised.erase(now_.raised.begin() + static_cast<long>(i));
      CF_TRY(live_.WriteSiginfo(original));
      // Raised at a system call's instruction, which was taken back for it.
      SignalPlace place = now_.at_syscall ? SignalPlace::kBeforeSyscall
                          : AtEventEnd()  ? SignalPlace::kAfterEvent
                                          : SignalPlace::kAnywhere;
      return SignalArrived(original, place);
    }
  }
  if (info.si_signo == SIGTRAP && info.si_code > 0) return OnTrap(info);
  if (info.si_signo == SIGSEGV && info.si_code > 0 && !counter_faults_) {
    uint8_t code[3] = {};
    live_.memory().ReadSome(TraceeAddress(live_.registers().rip), std::as_writable_bytes(std::span(code)));
    if (code[0] == 0x0f && (code[1] == 0x31 || (code[1] == 0x01 && code[2] == 0xf9))) return OnTimeStamp();
  }
  if (IsFault(info)) return SignalArrived(info, SignalPlace::kFault);
  DropOpposites(info.si_signo);
  // One that overtook an earlier one of its number would change their order.
  const bool others_wait = std::any_of(now_.held.begin(), now_.held.end(),
                                       [&](const siginfo_t& other) { return other.si_signo == info.si_signo; });
  if (AtEventEnd() && !others_wait) return SignalArrived(info, SignalPlace::kAfterEvent);
  // In the middle of computing: it waits for the next system call, unless nobody would notice it.
  if (passed_signals.contains(info.si_signo)) {
    CF_TRY_ASSIGN(Disposition disposition, DispositionOf(info.si_signo));
    if (!disposition.handled && !disposition.fatal && !disposition.stops) return std::optional<LiveStop>();
  }
  Hold(info);
  return std::optional<LiveStop>();
}

Recorder::Outcome Recorder::OnTrap(const siginfo_t& info) {
  TraceeAddress before(live_.registers().rip - 1);
  // Where a breakpoint lies on it, that comes first: who goes on from there takes it out.
  const bool has_breakpoint = inserted && std::any_of(inserted->begin(), inserted->end(),
                                                      [&](const auto& each) { return each.first == before; });
  if (info.si_code == SI_KERNEL && !has_breakpoint && patched_.contains(before)) return OnMadeToTrap(before);
  LiveStop stop;
  stop.kind = LiveStop::Kind::kTrap;
  stop.siginfo = info;
  return std::optional(stop);
}

Recorder::Outcome Recorder::OnTimeStamp() {
  GeneralRegisters r = live_.registers();
  CF_TRY_ASSIGN(uint16_t code, live_.memory().ReadValue<uint16_t>(TraceeAddress(r.rip)));
  unsigned processor = 0;
  uint64_t value = __rdtscp(&processor);
  r.rax = value & 0xffffffff;
  r.rdx = value >> 32;
  bool with_processor = code != 0x310f;
  if (with_processor) r.rcx = processor;
  r.rip += with_processor ? 3 : 2;
  live_.SetRegisters(r);
  Event event = NewEvent(EventKind::kTimeStamp);
  event.result = static_cast<int64_t>(value);
  event.arguments[0] = with_processor ? 1 : 0;
  event.arguments[1] = processor;
  Append(std::move(event));
  now_.at_syscall = false;
  if (Mode() == ResumeMode::kStep) {
    LiveStop stop;
    stop.siginfo.si_signo = SIGTRAP;
    return std::optional(stop);
  }
  return std::optional<LiveStop>();
}

// Lets the real instruction execute, and writes down all registers after it; one that saves the vector registers is
// executed by us.
Recorder::Outcome Recorder::OnMadeToTrap(TraceeAddress address) {
  GeneralRegisters r = live_.registers();
  r.rip = address.value;
  r.orig_rax = ~0ull;
  live_.SetRegisters(r);
  CF_TRY_ASSIGN(const bool saved, SaveVectorState(live_, address, patched_.at(address)));
  if (!saved) {
    CF_TRY(live_.memory().WriteValue(address, patched_.at(address)));
    CF_TRY(live_.Resume(ResumeMode::kStep));
    std::optional<Stop> stop = live_.Wait();
    CF_TRY(live_.memory().WriteValue(address, kInt3Byte));
    if (stop->kind != Stop::Kind::kSignal || stop->siginfo.si_signo != SIGTRAP) return OnStop(*stop);
  }
  Event event = NewEvent(saved ? EventKind::kVectorSave : EventKind::kRandom);
  if (!saved) event.registers = std::make_unique<GeneralRegisters>(live_.registers());
  Append(std::move(event));
  now_.at_syscall = false;
  if (Mode() == ResumeMode::kStep) {
    LiveStop trap;
    trap.siginfo.si_signo = SIGTRAP;
    return std::optional(trap);
  }
  return std::optional<LiveStop>();
}

Recorder::Outcome Recorder::SignalArrived(const siginfo_t& info, SignalPlace place) {
  LiveStop stop;
  stop.siginfo = info;
  const bool from_a_process = info.si_code == SI_USER || info.si_code == SI_QUEUE || info.si_code == SI_TKILL;
  if (Renamed() && from_a_process && info.si_pid == live_.process_id()) stop.siginfo.si_pid = options_.visible_pid;
  now_.undelivered = stop.siginfo;
  now_.undelivered_place = place;
  if (!passed_signals.contains(info.si_signo)) {
    stop.kind = LiveStop::Kind::kSignal;
    return std::optional(stop);
  }
  CF_TRY_ASSIGN(Disposition disposition, DispositionOf(info.si_signo));
  if (disposition.fatal) {
    stop.kind = LiveStop::Kind::kFatalSignal;
    return std::optional(stop);
  }
  // A signal that is ignored leaves no trace.
  if (disposition.handled || disposition.stops)
    CF_TRY(Deliver(info.si_signo));
  else
    now_.undelivered.reset();
  return std::optional<LiveStop>();
}

// Logs the signal that waits, and has it delivered with the next resume.
Result<void> Recorder::Deliver(int signal) {
  CHRONOFORK_ASSERT(now_.undelivered);
  Event event = NewEvent(EventKind::kSignal);
  event.number = signal;
  event.place = now_.undelivered_place;
  event.siginfo = std::make_unique<siginfo_t>(*now_.undelivered);
  if (event.siginfo->si_signo != signal) {  // the user's choice instead
    *event.siginfo = {};
    event.siginfo->si_signo = signal;
    event.siginfo->si_code = SI_USER;
  }
  if (event.place == SignalPlace::kAnywhere) event.registers = std::make_unique<GeneralRegisters>(live_.registers());
  CF_TRY_ASSIGN(Disposition disposition, DispositionOf(signal));
  event.handled = disposition.handled;
  now_.delivered = &Append(std::move(event));
  now_.undelivered.reset();
  now_.at_syscall = false;
  now_.next_signal = disposition.handled || disposition.stops ? signal : 0;
  return {};
}

// Into the handler of the signal that was just logged; or into the stop that it makes.
Recorder::Outcome Recorder::GiveSignal() {
  Event& event = *std::exchange(now_.delivered, nullptr);
  LeavePatches();
  if (!event.handled) {
    const int signal = event.number;
    // Who steps through it wants to see it go.
    if (Mode() == ResumeMode::kStep) return std::optional<LiveStop>();
    CF_TRY_ASSIGN(const Stop stop, live_.EnterJobStop(signal));
    if (stop.kind == Stop::Kind::kInterrupted && stop.job_stopped && options_.notice)
      options_.notice("The program was stopped by SIG" + std::string(::sigabbrev_np(signal)) +
                      ". It goes on when it is sent SIGCONT: kill -CONT " + std::to_string(live_.process_id()) + ".");
    return StayStopped(stop);
  }
  now_.since = Since::kExecuted;
  CF_TRY_ASSIGN(std::optional<Stop> other, EnterHandler(live_, *event.siginfo));
  if (other) return OnStop(*other);
  CF_TRY_ASSIGN(AddressRange frame, SignalFrame(live_));
  MemoryWrite write{frame.start, std::vector<std::byte>(frame.length())};
  CF_TRY(live_.memory().Read(frame.start, write.bytes));
  event.writes.push_back(std::move(write));
  now_.alternate_stack = StackInHandler(now_.alternate_stack);
  live_.NoteAlternateStack(now_.alternate_stack);
  if (Mode() != ResumeMode::kStep) return std::optional<LiveStop>();
  LiveStop stop;
  stop.siginfo.si_signo = SIGTRAP;
  return std::optional(stop);
}

// Stopped by job control: it stays so, as everybody who started it expects, until
// it is continued or ended; somebody may want to look at it meanwhile. `stop`: as of
// Tracee::EnterJobStop().
Recorder::Outcome Recorder::StayStopped(Stop stop) {
  while (stop.kind == Stop::Kind::kInterrupted && stop.job_stopped) {
    if (interrupt_wanted_.exchange(false)) {
      job_stopped_ = true;
      LiveStop live_stop;
      live_stop.kind = LiveStop::Kind::kInterrupted;
      return std::optional(live_stop);
    }
    CF_TRY(live_.StayInJobStop());
    std::optional<Stop> next;
    while (!(next = live_.Wait(true))) {
      if (!InterruptWanted() || interrupting_) continue;
      interrupting_ = true;
      CF_TRY(live_.RequestInterrupt());
    }
    interrupting_ = false;
    stop = *next;
  }
  if (stop.kind != Stop::Kind::kInterrupted) return OnStop(stop);
  return std::optional<LiveStop>();
}

// As the kernel does it with what is pending: SIGCONT takes the stops before it back, and a stop takes SIGCONT back.
void Recorder::DropOpposites(int signal) {
  if (signal != SIGCONT && !IsStopSignal(signal)) return;
  auto is_opposite = [signal](const siginfo_t& other) {
    return signal == SIGCONT ? IsStopSignal(other.si_signo) : other.si_signo == SIGCONT;
  };
  std::erase_if(now_.held, is_opposite);
  for (auto& [tid, record] : waiting_) std::erase_if(record.held, is_opposite);
}

// Keeps a signal until there is a place for it. What is held counts as pending,
// and of that the kernel keeps one for each standard signal and each timer: a
// timer faster than we are would else fill the queue for ever.
void Recorder::Hold(const siginfo_t& info) {
  for (const siginfo_t& other : now_.held) {
    if (other.si_signo != info.si_signo) continue;
    bool same_timer = info.si_code == SI_TIMER && other.si_code == SI_TIMER && info.si_timerid == other.si_timerid;
    if (info.si_signo < kFirstRealTimeSignal || same_timer) return;
  }
  if (now_.held.empty()) now_.held_since_ns = MonotonicNs();
  now_.held.push_back(info);
}

// Sends the oldest held signal to the process again.
Result<void> Recorder::RaiseHeld() {
  siginfo_t info = now_.held.front();
  now_.held.pop_front();
  if (IsStopSignal(info.si_signo)) {
    // The program has been continued meanwhile: sending it now would undo that.
    const std::string status = ReadProcText(live_.pid(), "status");
    if (HasSignal(status, "SigPnd:", SIGCONT) || HasSignal(status, "ShdPnd:", SIGCONT)) return {};
  }
  now_.raised.push_back(info);
  return live_.Raise(info.si_signo);
}

// The oldest held signal strikes where the process stands. In the middle of
// computing the owner makes a checkpoint first.
Recorder::Outcome Recorder::DeliverHeld() {
  if (now_.at_syscall || AtEventEnd()) {
    CF_TRY(RaiseHeld());
    return std::optional<LiveStop>();
  }
  CF_LOG(logger, kInfo, "signal %d strikes at pc 0x%llx", now_.held.front().si_signo, live_.registers().rip);
  now_.strike_here = true;
  LiveStop stop;
  stop.kind = LiveStop::Kind::kAsyncSignal;
  return std::optional(stop);
}

std::map<pid_t, std::vector<siginfo_t>> Recorder::SignalsToGiveBack() {
  std::map<pid_t, std::vector<siginfo_t>> signals;
  auto take = [&signals](pid_t tid, ThreadRecord& record) {
    std::vector<siginfo_t>& list = signals[tid];
    if (record.next_signal != 0 && record.delivered) list.push_back(*record.delivered->siginfo);
    // What the instruction itself has caused it will cause again; int3 is passed already.
    if (record.undelivered && (record.undelivered->si_signo == SIGTRAP || !IsFault(*record.undelivered)))
      list.push_back(*record.undelivered);
    list.insert(list.end(), record.held.begin(), record.held.end());
    record.undelivered.reset();
    record.held.clear();
  };
  TakeDeferred();
  const pid_t mine = live_.tid();
  take(mine, now_);
  for (auto& [tid, record] : waiting_) {
    take(tid, record);
    if (!record.call_end || record.call_end->kind != Stop::Kind::kSignal) continue;
    // It has ended a call, of which only the kernel knows what becomes then.
    live_.SwitchTo(tid);
    static_cast<void>(live_.Resume(ResumeMode::kContinue, record.call_end->siginfo.si_signo));
  }
  live_.SwitchTo(mine);
  return signals;
}

void Recorder::ForgetRestarts() {
  auto forget = [this](pid_t tid, ThreadRecord& record) {
    live_.SwitchTo(tid);
    GeneralRegisters r = live_.registers();
    if (!record.at_syscall || !record.restarting || r.rax != SYS_restart_syscall) return;
    r.rax = static_cast<uint64_t>(record.restarting->number);
    live_.SetRegisters(r);
  };
  const pid_t mine = live_.tid();
  for (auto& [tid, record] : waiting_) forget(tid, record);
  forget(mine, now_);
  live_.SwitchTo(mine);
}

// Only where instructions are: an int3 in data would be a wrong value. Of a file that is told by its section
// headers, and else nothing is touched. What the program makes by itself is code if it was written before it could be
// executed; there may be constants among it, so only what hardly any bytes but code look like is looked for. What can
// be written and executed at once may be a heap (of a Lisp, which allows both everywhere).
Result<void> Recorder::PatchRange(AddressRange range, std::vector<TraceeAddress>* patched) {
  const std::vector<Mapping> all = ReadMappings(live_.pid());
  for (const Mapping& mapping : all) {
    if (!mapping.executable || !mapping.range.Overlaps(range)) continue;
    const AddressRange part{std::max(mapping.range.start, range.start), std::min(mapping.range.end, range.end)};
    if (IsMadeByProgram(mapping)) {
      if (mapping.writable || mapping.shared) continue;
      for (const AddressRange& code : Subtract(MakePageSet({part}), written_code_))
        CF_TRY(PatchCode(code, kRdrand | kRdseed, patched));
      continue;
    }
    const uint32_t wanted = X87AddressesAreForgotten() ? kMadeToTrap : kMadeToTrap & ~uint32_t{kX87Save};
    for (const AddressRange& code : CodeIn(mapping, all, live_.memory(), live_.pid()).value_or(PageSet())) {
      const AddressRange both{std::max(code.start, part.start), std::min(code.end, part.end)};
      if (both.start < both.end) CF_TRY(PatchCode(both, wanted, patched));
    }
  }
  return {};
}

Result<void> Recorder::PatchCode(AddressRange range, uint32_t wanted, std::vector<TraceeAddress>* patched) {
  std::vector<std::byte> code(range.length());
  code.resize(live_.memory().ReadSome(range.start, code));
  for (auto at = patched_.lower_bound(range.start); at != patched_.end() && at->first - range.start < code.size(); ++at)
    code[at->first - range.start] = at->second;
  for (const NondeterministicInstruction& found : FindNondeterministicInstructions(code, range.start, wanted)) {
    if (patched_.contains(found.address)) continue;
    patched_[found.address] = code[found.address - range.start];
    live_.NoteHidden(found.address, code[found.address - range.start]);
    CF_TRY(live_.memory().WriteValue(found.address, kInt3Byte));
    if (patched) patched->push_back(found.address);
    CF_LOG(logger, kInfo, "instruction at 0x%llx traps", static_cast<unsigned long long>(found.address.value));
  }
  return {};
}

Result<void> Recorder::PatchAllExecutable() {
  for (const Mapping& mapping : ReadMappings(live_.pid()))
    if (mapping.executable && !IsMadeByProgram(mapping)) CF_TRY(PatchRange(mapping.range, nullptr));
  return {};
}

}  // namespace chronofork
