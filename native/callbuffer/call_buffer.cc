// Puts patches in and out, and reads from pc, phase and ring what a stop means.
#include "callbuffer/call_buffer.h"

#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "tracee/core_page.h"

extern "C" {
extern const unsigned char chronofork_runtime_begin[] __attribute__((visibility("hidden")));
extern const unsigned char chronofork_runtime_entered[] __attribute__((visibility("hidden")));
extern const unsigned char __stop_chronofork_runtime[] __attribute__((visibility("hidden")));
}

namespace chronofork {
namespace {

Log logger("callbuffer");

constexpr uint64_t kSyscallLength = 2;
constexpr uint64_t kNoCall = ~uint64_t{0};  // orig_rax
// Room that the heap and the stack may grow into.
constexpr uint64_t kHeapRoomBytes = uint64_t{1} << 30;
constexpr uint64_t kStackRoomBytes = uint64_t{64} << 20;

static_assert(kRemoteSyscall.value + 0x10000 == kRuntimeCode && kRuntimeEnd <= kCoreRange.end.value);
static_assert(kRuntimeSyscallEnd.value == kRuntimeCode + kCallEnd);
static_assert(kRuntimeQuestionEnd.value == kRuntimeCode + kQuestionEnd);

constexpr AddressRange kRuntimeRange{TraceeAddress(kRuntimeCode), TraceeAddress(kRuntimeEnd)};
constexpr AddressRange kRuntimeCodeRange{TraceeAddress(kRuntimeCode), TraceeAddress(kRuntimeCode + kRuntimeCodeBytes)};

std::span<const std::byte> RuntimeCode() {
  return std::as_bytes(std::span(chronofork_runtime_begin, __stop_chronofork_runtime));
}

bool IsRestart(int64_t result) { return result <= -512 && result >= -517; }

// What patching costs is won back after some ten stops.
constexpr int kStopsBeforePatch = 8;

int PatchSetting() {
  const char* setting = std::getenv("CHRONOFORK_PATCH");
  return setting ? std::atoi(setting) : kStopsBeforePatch;
}

}  // namespace

CallBuffer::CallBuffer(Tracee& process, std::shared_ptr<CallSites> sites, const CallRules& rules, bool renew_rules)
    : process_(process), sites_(std::move(sites)), rules_(rules) {
  const auto& own = process_.own_pages();
  mapped_ = std::find(own.begin(), own.end(), kRuntimeRange) != own.end();
  rules_written_ = mapped_ && !renew_rules;
}

bool CallBuffer::Usable() {
  // The segment bases, which the digest of the registers holds, are read by rdfsbase (Linux 5.9).
  constexpr unsigned long kFsgsbase = 1 << 1;
  return (::getauxval(AT_HWCAP2) & kFsgsbase) && PatchSetting() > 0;
}

unsigned CallBuffer::StopsBeforePatch() { return static_cast<unsigned>(std::max(PatchSetting(), 1)); }

// -- Mapping ---------------------------------------------------------------------------

Result<void> CallBuffer::MapRuntime() {
  if (mapped_) return {};
  CHRONOFORK_ASSERT(RuntimeCode().size() <= kRuntimeCodeBytes && RuntimeCode()[0] == std::byte{0x0f});
  auto map = [this](uint64_t at, uint64_t length, uint64_t protection) -> Result<void> {
    CF_TRY_ASSIGN(const int64_t mapped,
                  process_.Syscall(SYS_mmap, {at, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                                              kNoCall, 0}));
    if (static_cast<uint64_t>(mapped) != at)
      return SystemError("mapFailed", "Pages for recording without stops cannot be mapped", static_cast<int>(-mapped),
                         process_.pid());
    return {};
  };
  CF_TRY(map(kRuntimeCode, kRuntimeState - kRuntimeCode, PROT_READ | PROT_EXEC));
  CF_TRY(map(kRuntimeState, kRuntimeEnd - kRuntimeState, PROT_READ | PROT_WRITE));
  CF_TRY_ASSIGN(const int64_t advised,
                process_.Syscall(SYS_madvise, {kRuntimeState, kRuntimeEnd - kRuntimeState, MADV_WIPEONFORK}));
  if (advised != 0)
    return SystemError("mapFailed", "Pages for recording without stops cannot be kept out of copies",
                       static_cast<int>(-advised), process_.pid());
  CF_TRY(process_.memory().Write(TraceeAddress(kRuntimeCode), RuntimeCode()));
  process_.own_pages().push_back(kRuntimeRange);
  mapped_ = true;
  return {};
}

// False: something else is there in this process.
Result<bool> CallBuffer::MapArea(const AddressRange& pages) {
  auto& own = process_.own_pages();
  if (std::find(own.begin(), own.end(), pages) != own.end()) return true;
  CF_TRY_ASSIGN(const int64_t mapped,
                process_.Syscall(SYS_mmap, {pages.start.value, pages.length(), PROT_READ | PROT_EXEC,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, kNoCall, 0}));
  if (static_cast<uint64_t>(mapped) != pages.start.value) return false;
  own.push_back(pages);
  return true;
}

bool CallBuffer::Add(TraceeAddress address, size_t event) {
  CallSites::Reader read = [this](TraceeAddress at, std::span<std::byte> out) {
    return process_.memory().ReadAsItIs(at, out);
  };
  const std::vector<Mapping> mappings = ReadMappings(process_.pid());
  const auto mapping =
      std::find_if(mappings.begin(), mappings.end(), [&](const Mapping& m) { return m.range.Contains(address); });
  // What is written to, or comes from no file, may be another code at any time.
  const bool is_library = mapping != mappings.end() && mapping->executable && !mapping->writable && !mapping->shared &&
                          mapping->path.starts_with("/");
  if (!is_library) return false;
  CallSites::Mappings occupied = [&mappings] {
    std::vector<AddressRange> ranges;
    for (const Mapping& m : mappings) {
      AddressRange range = m.range;
      if (m.path == "[heap]") range.end = range.end + kHeapRoomBytes;
      if (m.path == "[stack]") range.start = range.start - kStackRoomBytes;
      ranges.push_back(range);
    }
    return ranges;
  };
  const char* why = "";
  const bool added = sites_->Add(address, event, read, occupied, &why);
  CF_LOG(logger, kInfo, "call at 0x%llx in %s: %s", static_cast<unsigned long long>(address.value),
         mapping->path.c_str(), added ? "patched" : why);
  return added;
}

// -- Patches ---------------------------------------------------------------------------

Result<void> CallBuffer::PutIn(size_t event) {
  if (mapped_ && !rules_written_) {
    CF_TRY(process_.memory().Write(TraceeAddress(kRuntimeRules), std::as_bytes(std::span(rules_))));
    rules_written_ = true;
  }
  for (size_t i = 0; i < sites_->all().size(); ++i) {
    const CallSite& site = sites_->all()[i];
    if (in_.contains(i) || !site.ActiveAt(event) || lost_areas_.contains(site.area)) continue;
    TraceeMemory::PatchBytes now{};
    if (process_.memory().ReadAsItIs(site.address, now) != now.size() || now != site.original) continue;
    if (!written_.contains(i)) {
      if (!mapped_) {
        CF_TRY(MapRuntime());
        return PutIn(event);
      }
      CF_TRY_ASSIGN(const bool ours, MapArea(sites_->areas()[site.area].pages));
      if (!ours) {
        lost_areas_.insert(site.area);
        continue;
      }
      CF_TRY(process_.memory().Write(site.stub, site.stub_code));
      CF_TRY(process_.memory().Write(site.body, site.body_code));
      written_.insert(i);
    }
    process_.memory().Hide(site.address, site.original);
    CF_TRY(process_.memory().Write(site.address, site.patch));
    in_.insert(i);
  }
  return {};
}

void CallBuffer::TakeOut() {
  for (const size_t i : std::exchange(in_, {})) {
    const CallSite& site = sites_->all()[i];
    process_.memory().Unhide(site.address);
    if (process_.gone()) continue;
    // Only of a process that was just killed: its end is reported next.
    const Result<void> written = process_.memory().Write(site.address, site.original);
    if (!written.ok()) CF_LOG(logger, kInfo, "%s", written.error().message.c_str());
  }
}

Result<void> CallBuffer::RemoveFrom(Tracee& copy) const {
  for (const size_t i : in_) CF_TRY(copy.memory().Write(sites_->all()[i].address, sites_->all()[i].original));
  return {};
}

std::optional<size_t> CallBuffer::ServesUntil(uint64_t pc, size_t event) const {
  for (const size_t i : sites_->ReturningTo(TraceeAddress(pc))) {
    const CallSite& site = sites_->all()[i];
    if (site.ActiveAt(event) && !lost_areas_.contains(site.area)) return site.until_event;
  }
  return std::nullopt;
}

Result<bool> CallBuffer::Leave(const AddressRange& range, size_t event, bool forever) {
  bool concerned = false;
  for (size_t i = 0; i < sites_->all().size(); ++i) {
    const CallSite& site = sites_->all()[i];
    // In a replay it is known already that this event is the end of it.
    concerned = concerned || (site.patched().Overlaps(range) && (in_.contains(i) || site.ActiveAt(event)));
  }
  auto& own = process_.own_pages();
  for (size_t i = 0; i < sites_->areas().size(); ++i) {
    const AddressRange pages = sites_->areas()[i].pages;
    if (!pages.Overlaps(range) || std::find(own.begin(), own.end(), pages) == own.end()) continue;
    concerned = true;
    lost_areas_.insert(i);
    std::erase(own, pages);
  }
  if (!concerned) return false;
  TakeOut();
  if (forever) sites_->End(range, event);
  return true;
}

void CallBuffer::Redirect() {
  const GeneralRegisters& r = process_.registers();
  if (static_cast<int64_t>(r.orig_rax) >= 0 && IsRestart(static_cast<int64_t>(r.rax))) return;  // the kernel moves it
  for (const size_t i : in_) {
    const CallSite& site = sites_->all()[i];
    if (!site.patched().Contains(TraceeAddress(r.rip))) continue;
    auto moved = site.redirected.find(TraceeAddress(r.rip));
    if (moved == site.redirected.end()) continue;
    GeneralRegisters there = r;
    there.rip = moved->second.value;
    process_.SetRegisters(there);
    return;
  }
}

// -- Mode --------------------------------------------------------------------------------

Result<void> CallBuffer::WriteMode(RuntimeMode mode) {
  mode_.mode = mode;
  mode_.phase = kPhaseNone;
  mode_known_ = true;
  return process_.memory().Write(TraceeAddress(kRuntimeState),
                                 std::as_bytes(std::span(&mode_, 1)).first(offsetof(RuntimeState, frame)));
}

Result<void> CallBuffer::Record(bool may_not_wait, uint64_t most_calls) {
  if (!in()) return {};
  constexpr uint64_t kPlenty = uint64_t{1} << 40;
  const bool ring_low = drained_ > kRingFull / 2;
  if (mode_known_ && mode_.mode == kModeRecord && mode_.may_not_wait == may_not_wait && !mode_.trap_next && !ring_low &&
      most_calls >= kPlenty && mode_.calls_left >= kPlenty)
    return {};
  if (ring_low) drained_ = drained_before_ = 0;
  mode_.ring_at = mode_.entry_at = drained_;
  mode_.ring_limit = kRingBytes;
  mode_.trap_next = 0;
  mode_.may_not_wait = may_not_wait;
  mode_.calls_left = most_calls;
  return WriteMode(kModeRecord);
}

Result<void> CallBuffer::Feed(std::span<const std::byte> records, std::vector<size_t> ends) {
  CF_TRY(process_.memory().Write(TraceeAddress(kRing), records));
  feed_ends_ = std::move(ends);
  fed_ = 0;
  mode_.ring_at = mode_.entry_at = 0;
  mode_.ring_limit = records.size();
  mode_.trap_next = 0;
  return WriteMode(kModeReplay);
}

Result<void> CallBuffer::Trap() {
  feed_ends_.clear();
  fed_ = 0;
  if (!in() || (mode_known_ && mode_.mode == kModeTrap)) return {};
  mode_.ring_at = mode_.entry_at = drained_;
  return WriteMode(kModeTrap);
}

void CallBuffer::TrapNextCall() {
  if (!in() || mode_.trap_next) return;
  mode_.trap_next = 1;
  static_cast<void>(
      process_.memory().WriteValue(TraceeAddress(kRuntimeState + offsetof(RuntimeState, trap_next)), uint32_t{1}));
}

// -- Stops -------------------------------------------------------------------------------

const CallSite* CallBuffer::SiteOf(TraceeAddress pc) const {
  for (const CallSite& site : sites_->all()) {
    const AddressRange body{site.body, site.body + site.body_code.size()};
    const AddressRange stub{site.stub, site.stub + site.stub_code.size()};
    if (body.Contains(pc) || stub.Contains(pc)) return &site;
  }
  return nullptr;
}

void CallBuffer::SetAtSite(GeneralRegisters r, TraceeAddress site) {
  r.rip = site.value;
  r.rcx = site.value + kSyscallLength;
  r.r11 = r.eflags;
  r.orig_rax = kNoCall;
  process_.SetRegisters(r);
}

// As at the call, but for rax.
GeneralRegisters CallBuffer::FromFrame(const RuntimeState& state) {
  GeneralRegisters r = process_.registers();
  const CallFrame& f = state.frame;
  r.rax = f.rax;
  r.rbx = f.rbx;
  r.rcx = f.rcx;
  r.rdx = f.rdx;
  r.rsi = f.rsi;
  r.rdi = f.rdi;
  r.rbp = f.rbp;
  r.rsp = f.rsp;
  r.r8 = f.r8;
  r.r9 = f.r9;
  r.r10 = f.r10;
  r.r11 = r.eflags = f.r11;
  r.r12 = f.r12;
  r.r13 = f.r13;
  r.r14 = f.r14;
  r.r15 = f.r15;
  r.rip = f.rcx;
  r.orig_rax = kNoCall;
  return r;
}

// The pc is in the runtime's own code.
void CallBuffer::SettleInRuntime(const Stop& stop, const RuntimeState& state, SettledCall& settled) {
  using Place = SettledCall::Place;
  GeneralRegisters r = process_.registers();
  const uint64_t offset = r.rip - kRuntimeCode;
  const auto entered = static_cast<uint64_t>(chronofork_runtime_entered - chronofork_runtime_begin);
  if (stop.kind == Stop::Kind::kSyscallEntry) {
    // The kernel goes on, or comes back to it, where the program made it.
    r.rip = r.rcx = state.frame.rcx;
    process_.SetRegisters(r);
    settled.place = Place::kEntry;
    return;
  }
  if (stop.kind == Stop::Kind::kSignal) settled.consumed = IsFault(stop.siginfo);
  if (offset >= kEntryOffset && offset < entered) {
    // The phase may be that of the call before. Everything is in its register yet
    // but the stack pointer, from the second instruction on.
    constexpr uint64_t kFirstInstructionBytes = 7;
    if (offset >= kEntryOffset + kFirstInstructionBytes) r.rsp = state.frame.rsp;
    settled.place = Place::kAtSite;
    return SetAtSite(r, TraceeAddress(r.rcx - kSyscallLength));
  }
  const bool just_made = state.phase == kPhaseEntered && offset >= kCallEnd && offset < kCallStored;
  const int64_t result = just_made ? static_cast<int64_t>(r.rax) : state.result;
  GeneralRegisters of_program = FromFrame(state);
  if (state.phase != kPhaseExecuted && !just_made) {
    settled.place = Place::kAtSite;
    return SetAtSite(of_program, TraceeAddress(state.frame.rcx - kSyscallLength));
  }
  if (!just_made && state.ring_at != state.entry_at) {
    of_program.rax = static_cast<uint64_t>(result);
    process_.SetRegisters(of_program);
    settled.place = Place::kEventEnd;
    return;
  }
  settled.place = Place::kExecuted;
  settled.number = static_cast<long>(of_program.rax);
  settled.result = result;
  of_program.rax = static_cast<uint64_t>(result);
  process_.SetRegisters(of_program);
}

Result<SettledCall> CallBuffer::Settle(const Stop& stop) {
  using Place = SettledCall::Place;
  SettledCall settled;
  drained_before_ = drained_;
  const bool stands = stop.kind == Stop::Kind::kSyscallEntry || stop.kind == Stop::Kind::kSignal ||
                      stop.kind == Stop::Kind::kInterrupted || stop.kind == Stop::Kind::kSyscallExit;
  if (!in() || !stands) return settled;
  const Result<RuntimeState> found = process_.memory().ReadValue<RuntimeState>(TraceeAddress(kRuntimeState));
  if (!found.ok()) return settled;  // it was just killed
  const RuntimeState& state = found.value();
  bool any = false;
  if (state.mode == kModeRecord && state.ring_at != drained_) {
    CHRONOFORK_ASSERT(state.ring_at > drained_ && state.ring_at <= kRingBytes);
    drained_ = state.ring_at;
    any = true;
  } else if (state.mode == kModeReplay) {
    const size_t before = fed_;
    while (fed_ < feed_ends_.size() && feed_ends_[fed_] <= state.ring_at) ++fed_;
    replayed_ += fed_ - before;
    any = fed_ != before;
  }
  const TraceeAddress pc(process_.registers().rip);
  if (stop.kind == Stop::Kind::kSignal && stop.siginfo.si_signo == SIGTRAP && stop.siginfo.si_code == SI_KERNEL) {
    for (const size_t i : in_) {
      const auto moved = sites_->all()[i].redirected.find(pc - 1);
      if (moved == sites_->all()[i].redirected.end()) continue;
      // Back to a boundary inside the patch.
      GeneralRegisters r = process_.registers();
      r.rip = moved->second.value;
      r.orig_rax = kNoCall;
      process_.SetRegisters(r);
      settled.consumed = true;
      return settled;
    }
  }
  if (kRuntimeCodeRange.Contains(pc)) {
    SettleInRuntime(stop, state, settled);
    return settled;
  }
  const CallSite* site = SiteOf(pc);
  if (!site) return settled;
  if (site->IsBeforeCall(pc)) {
    // A program that steps itself by the trap flag: this step is none of its.
    settled.consumed = stop.kind == Stop::Kind::kSignal && IsFault(stop.siginfo);
    settled.place = Place::kAtSite;
    SetAtSite(process_.registers(), site->address);
    return settled;
  }
  GeneralRegisters r = process_.registers();
  r.rip = site->OriginalOf(pc).value;
  process_.SetRegisters(r);
  if (pc == site->after && any) settled.place = Place::kEventEnd;
  return settled;
}

Result<void> CallBuffer::ReadRecorded(std::span<std::byte> out) {
  CHRONOFORK_ASSERT(out.size() == recorded_bytes());
  CF_TRY(process_.memory().Read(TraceeAddress(kRing + drained_before_), out));
  drained_before_ = drained_;
  return {};
}

}  // namespace chronofork
