// Threads in a replay. The copy has one thread, which becomes each of the
// recorded ones in turn: registers, vector state, signal mask, alternate stack.
#include <sys/syscall.h>

#include <cstring>
#include <utility>

#include "record/signal_frame.h"
#include "replay/replayer.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

bool Same(const stack_t& a, const stack_t& b) {
  constexpr int kSettings = SS_DISABLE | kAutodisarm;
  return a.ss_sp == b.ss_sp && a.ss_size == b.ss_size && (a.ss_flags & kSettings) == (b.ss_flags & kSettings);
}

}  // namespace

// Where something that the program has no part in was recorded to happen.
Replayer::Outcome Replayer::StruckHere() {
  const Event& event = log_->at(event_);
  if (event.kind == EventKind::kSignal) return InjectSignal();
  CF_TRY(SwitchThread(event, false));
  return std::optional<ReplayStop>();
}

// The current thread is left where it stands, and the event's other one goes on.
Result<void> Replayer::SwitchThread(const Event& event, bool ended) {
  if (event.thread != thread_)
    return Diverged("thread " + std::to_string(thread_) + " ran where the recording has " + Describe(event, event_));
  auto next = others_.find(event.number);
  if (next == others_.end())
    return Diverged("there is no thread " + std::to_string(event.number) + " for " + Describe(event, event_));
  const std::shared_ptr<const ThreadContext> coming = next->second;
  others_.erase(next);
  auto left = std::make_shared<ThreadContext>();
  left->registers = process_->registers();
  if (probes_) left->registers.rip = probes_->Translate(TraceeAddress(left->registers.rip)).value;
  left->registers.orig_rax = ~0ull;
  CF_TRY_ASSIGN(left->vector_state, process_->ReadExtended());
  CF_TRY_ASSIGN(left->signal_mask, process_->ReadSignalMask());
  left->alternate_stack = alternate_stack_;
  if (!ended && event.output_digest != DigestOf(left->registers))
    return Diverged("the registers differ at " + Describe(event, event_));
  CF_TRY(ApplyWrites(event));
  GeneralRegisters r = coming->registers;
  if (r.rip != event.pc || DigestOf(r) != event.registers_digest)
    return Diverged("the registers of the other thread differ after " + Describe(event, event_));
  if (probes_) r.rip = probes_->Redirect(TraceeAddress(r.rip)).value;
  CF_TRY(process_->MatchIdFlag(r.eflags));
  if (!Same(coming->alternate_stack, alternate_stack_)) {
    // Settle first: a call on its behalf begins and ends with these registers,
    // and the kernel looks whether the stack pointer is on the old stack.
    process_->SetRegisters(r);
    CF_TRY(process_->SetAlternateStack(coming->alternate_stack));
    alternate_stack_ = coming->alternate_stack;
  }
  process_->SetRegisters(r);
  // What a thread counts that is not asked for is forgotten when the other has its turn.
  if (!Counts(event.number)) CF_TRY(NoteCounts());
  if (left->vector_state != coming->vector_state) CF_TRY(process_->WriteExtended(coming->vector_state));
  if (left->signal_mask != coming->signal_mask) CF_TRY(process_->WriteSignalMask(coming->signal_mask));
  if (!ended) others_[thread_] = std::move(left);
  const bool counted = Counts(std::exchange(thread_, event.number));
  if (counted != Counts(thread_)) CF_TRY(SetCounts());
  ++checked_;
  ++event_;
  kind_ = Position::Kind::kEventEnd;
  return {};
}

// A thread begins as a copy of the one that makes it, but for its registers.
Result<void> Replayer::MakeThread(const Event& event) {
  auto made = std::make_shared<ThreadContext>();
  made->registers = *event.registers;
  CF_TRY_ASSIGN(made->vector_state, process_->ReadExtended());
  CF_TRY_ASSIGN(made->signal_mask, process_->ReadSignalMask());
  others_[event.thread_made] = std::move(made);
  return {};
}

// The current thread, one of several, is about to end: it stays at its call,
// and the switch that comes next leaves it for good.
Replayer::Outcome Replayer::EndThread(const Event& event) {
  CF_TRY(ApplyWrites(event));
  process_->AbandonSyscall();
  CF_TRY(CheckAfter(event));
  thread_ended_ = true;
  ++event_;
  kind_ = Position::Kind::kEventEnd;
  return std::optional<ReplayStop>();
}

}  // namespace chronofork
