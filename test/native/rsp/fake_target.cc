// The scripted debuggee and its tiny processor.
#include "../test/native/rsp/fake_target.h"

#include <algorithm>
#include <cstring>

namespace chronofork::rsp_test {
namespace {

constexpr uint8_t kCode[] = {
    0x48, 0xc7, 0xc0, 0,    0, 0,    0,        // mov $0,%rax
    0x48, 0xff, 0xc0,                          // inc %rax
    0x48, 0x89, 0x04, 0x25, 0, 0x20, 0x40, 0,  // mov %rax,0x402000
    0x48, 0x83, 0xf8, 0x05,                    // cmp $5,%rax
    0x75, 0xef,                                // jne 401007
    0x90,                                      // nop
};
constexpr uint64_t kZeroFlag = 0x40;

std::string HexOf(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(value));
  return text;
}

Error Unreadable() { return Error{"memoryUnreadable", "There is no memory.", "", EIO, kPid}; }

}  // namespace

FakeTarget::FakeTarget() {
  std::vector<std::byte> code(4096, std::byte{0xcc});
  std::memcpy(code.data(), kCode, sizeof kCode);
  memory[kProgramStart] = std::move(code);
  memory[kCounter] = std::vector<std::byte>(4096);
  memory[kStack] = std::vector<std::byte>(4096);
  last_stop.tid = kPid;
  siginfo.si_signo = SIGTRAP;
  Execute();
}

// Runs the program once, and keeps every moment.
void FakeTarget::Execute() {
  Moment moment{};
  moment.registers.rip = kProgramStart;
  moment.registers.rsp = kStack + 2048;
  moment.registers.rbp = kStack + 3072;
  moment.registers.eflags = 0x202;
  moment.registers.cs = 0x33;
  moment.registers.ss = 0x2b;
  moment.registers.orig_rax = ~uint64_t{0};
  history_.push_back(moment);
  while (moment.registers.rip != kEnd) {
    user_regs_struct& r = moment.registers;
    moment.wrote = false;
    switch (r.rip) {
      case kProgramStart: r.rax = 0, r.rip = kLoop; break;
      case kLoop: ++r.rax, r.rip = kStore; break;
      case kStore: moment.counter = r.rax, moment.wrote = true, r.rip += 8; break;
      case kStore + 8: r.eflags = r.rax == 5 ? r.eflags | kZeroFlag : r.eflags & ~kZeroFlag, r.rip += 4; break;
      default: r.rip = r.eflags & kZeroFlag ? kEnd : kLoop;
    }
    history_.push_back(moment);
  }
  GoTo(0);
}

void FakeTarget::GoTo(size_t moment) {
  now_ = moment;
  registers = history_[moment].registers;
  std::memcpy(memory[kCounter].data(), &history_[moment].counter, 8);
}

Result<TargetLibraries> FakeTarget::Libraries() {
  if (!libraries) return Error{"noLibraries", "Too early.", "", 0, 0};
  return *libraries;
}

Result<std::string> FakeTarget::ReadProcFile(const std::string& name) {
  if (name == "maps") return std::string("00401000-00402000 r-xp 00000000 00:00 0 /fake\n");
  if (name == "cwd") return std::string("/somewhere");
  return Error{"noSuchFile", "There is no such file.", "", ENOENT, 0};
}

Result<GeneralRegisters> FakeTarget::ReadGeneralRegisters(pid_t) { return registers; }

Result<void> FakeTarget::WriteGeneralRegisters(pid_t, const GeneralRegisters& written) {
  registers = written;
  return {};
}

Result<ExtendedRegisters> FakeTarget::ReadExtendedRegisters(pid_t) { return extended; }

Result<void> FakeTarget::WriteExtendedRegisters(pid_t, const ExtendedRegisters& written) {
  extended = written;
  return {};
}

Result<size_t> FakeTarget::ReadMemory(TraceeAddress address, std::span<std::byte> out) {
  auto after = memory.upper_bound(address.value);
  if (after == memory.begin()) return Unreadable();
  const auto& [start, bytes] = *std::prev(after);
  uint64_t offset = address.value - start;
  if (offset >= bytes.size()) return Unreadable();
  size_t count = std::min<size_t>(out.size(), bytes.size() - offset);
  std::memcpy(out.data(), bytes.data() + offset, count);
  return count;
}

Result<void> FakeTarget::WriteMemory(TraceeAddress address, std::span<const std::byte> bytes) {
  auto after = memory.upper_bound(address.value);
  if (after == memory.begin()) return Unreadable();
  auto& [start, region] = *std::prev(after);
  uint64_t offset = address.value - start;
  if (offset > region.size() || bytes.size() > region.size() - offset) return Unreadable();
  std::memcpy(region.data() + offset, bytes.data(), bytes.size());
  return {};
}

Result<void> FakeTarget::WriteSiginfo(pid_t, const siginfo_t& info) {
  siginfo = info;
  return {};
}

Result<void> FakeTarget::InsertBreakpoint(BreakpointKind kind, TraceeAddress address,
                                          std::vector<AgentCode> conditions) {
  std::string name = kind == BreakpointKind::kSoftware ? "break " : "hbreak ";
  Note(name + HexOf(address.value) + " conditions " + std::to_string(conditions.size()));
  breakpoints_[{kind, address.value}] = std::move(conditions);
  return {};
}

Result<void> FakeTarget::RemoveBreakpoint(BreakpointKind kind, TraceeAddress address) {
  if (breakpoints_.erase({kind, address.value}) == 0) return Error{"noBreakpoint", "There is none.", "", 0, 0};
  return {};
}

Result<void> FakeTarget::InsertWatchpoint(WatchKind kind, TraceeAddress address, uint64_t length_bytes) {
  Note((kind == WatchKind::kWrite ? "watch " : "awatch ") + HexOf(address.value) + " " + std::to_string(length_bytes));
  watches_.insert({address.value, length_bytes});
  return {};
}

Result<void> FakeTarget::RemoveWatchpoint(WatchKind, TraceeAddress address, uint64_t length_bytes) {
  if (watches_.erase({address.value, length_bytes}) == 0) return Error{"noWatchpoint", "There is none.", "", 0, 0};
  return {};
}

void FakeTarget::CatchSyscalls(std::optional<std::set<long>> numbers) {
  std::string text = numbers ? "catch" : "catch none";
  if (numbers) {
    for (long number : *numbers) text += " " + std::to_string(number);
  }
  Note(text);
}

void FakeTarget::PassSignals(std::set<int> signals) {
  std::string text = "pass";
  for (int signal : signals) text += " " + std::to_string(signal);
  Note(text);
}

void FakeTarget::Resume(const ResumeRequest& request, std::function<void(StopReply)> on_stop) {
  constexpr const char* kNames[] = {"continue", "step", "step range", "reverse continue", "reverse step"};
  std::string note = kNames[static_cast<int>(request.kind)];
  if (request.signal != 0) note += " signal " + std::to_string(request.signal);
  if (request.tid != 0) note += " tid " + HexOf(static_cast<uint64_t>(request.tid));
  if (request.alone) note += " alone";
  if (request.kind == ResumeKind::kStepRange) {
    note += " " + HexOf(request.range.start.value) + "-" + HexOf(request.range.end.value);
  }
  Note(note);
  if (endless) {
    std::lock_guard lock(mutex_);
    on_stop_ = std::move(on_stop);
    return;
  }
  if (next_stops.empty()) {
    last_stop = Run(request);
  } else {
    last_stop = next_stops.front();
    next_stops.pop_front();
  }
  on_stop(last_stop);
}

bool FakeTarget::running() {
  std::lock_guard lock(mutex_);
  return static_cast<bool>(on_stop_);
}

void FakeTarget::Interrupt() {
  Note("interrupt");
  StopReply stop;
  stop.tid = kPid;
  stop.signal = SIGINT;
  Stop(stop);
}

void FakeTarget::Stop(StopReply stop) {
  std::function<void(StopReply)> on_stop;
  {
    std::lock_guard lock(mutex_);
    on_stop = std::exchange(on_stop_, nullptr);
  }
  if (!on_stop) return;
  last_stop = stop;
  on_stop(stop);
}

StopReply FakeTarget::Run(const ResumeRequest& request) {
  const bool back = request.kind == ResumeKind::kReverseContinue || request.kind == ResumeKind::kReverseStep;
  const bool stepping = request.kind == ResumeKind::kStep || request.kind == ResumeKind::kReverseStep;
  StopReply stop;
  stop.tid = kPid;
  for (;;) {
    if (now_ == (back ? 0 : history_.size() - 1)) {
      stop.kind = back ? StopKind::kHistoryBegin : StopKind::kHistoryEnd;
      return stop;
    }
    const Moment& passed_write = history_[back ? now_ : now_ + 1];
    GoTo(back ? now_ - 1 : now_ + 1);
    if (auto here = StopHere(passed_write, stepping)) return *here;
    if (request.kind == ResumeKind::kStepRange && !request.range.Contains(TraceeAddress(registers.rip))) return stop;
  }
}

std::optional<StopReply> FakeTarget::StopHere(const Moment& passed_write, bool stepping) {
  StopReply stop;
  stop.tid = kPid;
  for (const auto& [address, length] : watches_) {
    if (passed_write.wrote && address < kCounter + 8 && kCounter < address + length) {
      stop.kind = StopKind::kWatchpoint;
      stop.watch_address = TraceeAddress(address);
      return stop;
    }
  }
  if (BreaksHere())
    stop.kind = StopKind::kBreakpoint;
  else if (!stepping)
    return std::nullopt;
  return stop;
}

bool FakeTarget::BreaksHere() {
  MemoryReader read = [this](TraceeAddress address, std::span<std::byte> out) -> Result<void> {
    CF_TRY_ASSIGN(size_t count, ReadMemory(address, out));
    return count == out.size() ? Result<void>() : Result<void>(Unreadable());
  };
  for (const auto& [place, conditions] : breakpoints_) {
    if (place.second != registers.rip) continue;
    evaluated_conditions += static_cast<int>(conditions.size());
    if (AnyHolds(conditions, registers, read)) return true;
  }
  return false;
}

std::string FakeTarget::Monitor(const std::string& text) {
  Note("monitor " + text);
  return text == "silent" ? "" : "said " + text + "\n";
}

void FakeTarget::Note(std::string text) {
  std::lock_guard lock(mutex_);
  notes_.push_back(std::move(text));
}

std::vector<std::string> FakeTarget::TakeNotes() {
  std::lock_guard lock(mutex_);
  return std::exchange(notes_, {});
}

}  // namespace chronofork::rsp_test
