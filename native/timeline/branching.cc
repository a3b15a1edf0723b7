// Going on live from the past: a copy becomes the end of a new branch, its
// descriptors what they were, its system calls real again.
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "record/timers.h"
#include "timeline/engine.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("branch");

std::string Join(const std::vector<std::string>& items) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) text += (i == 0 ? "" : i + 1 == items.size() ? " and " : ", ") + items[i];
  return text;
}

// A thread's own number → the one that the program knows.
using Names = std::map<pid_t, pid_t>;

// What a fork does not copy of its thread.
Result<void> GiveEndings(Tracee& copy, const ThreadEndings& endings) {
  if (endings.robust_list) CF_TRY(copy.Syscall(SYS_set_robust_list, {endings.robust_list, sizeof(robust_list_head)}));
  if (endings.clear_child_tid) CF_TRY(copy.Syscall(SYS_set_tid_address, {endings.clear_child_tid}));
  return {};
}

// A wait with a time limit that was to go on by restart_syscall: the kernel knows
// of it in the process that waited alone. In a copy it begins anew.
bool BeginAnew(Tracee& copy, const ThreadEndings& endings) {
  GeneralRegisters r = copy.registers();
  Result<uint16_t> code = copy.memory().ReadValue<uint16_t>(TraceeAddress(r.rip));
  constexpr uint16_t kSyscall = 0x050f;
  if (r.rax != SYS_restart_syscall || endings.restarting < 0 || !code.ok() || code.value() != kSyscall) return false;
  r.rax = static_cast<uint64_t>(endings.restarting);
  copy.SetRegisters(r);
  return true;
}

// Makes the threads of `position` anew in a copy, which has only the running
// one. A thread that waits in a call stands at its instruction and begins it anew.
// `changed`: it is not in all what it was.
Result<Names> MakeThreads(Tracee& copy, const Position& position, const EventLog& log, bool* changed) {
  Names names{{copy.tid(), position.thread}};
  const pid_t running = copy.tid();
  const ThreadEndings its = EndingsOf(log, position.event, position.thread);
  CF_TRY(GiveEndings(copy, its));
  if (BeginAnew(copy, its)) *changed = true;
  for (const auto& [known, context] : position.others) {
    CF_TRY_ASSIGN(const pid_t tid, copy.MakeThread());
    names[tid] = known;
    copy.SwitchTo(tid);
    CF_TRY(copy.MatchIdFlag(context->registers.eflags));
    copy.SetRegisters(context->registers);
    CF_TRY(copy.WriteExtended(context->vector_state));
    const ThreadEndings endings = EndingsOf(log, position.event, known);
    CF_TRY(GiveEndings(copy, endings));
    if (BeginAnew(copy, endings)) *changed = true;
    if (!(context->alternate_stack.ss_flags & SS_DISABLE)) CF_TRY(copy.SetAlternateStack(context->alternate_stack));
    CF_TRY(copy.WriteSignalMask(context->signal_mask));
    copy.SwitchTo(running);
  }
  return names;
}

timespec TimeOf(uint64_t ns) {
  return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

// A timer of timer_create under the identifier that the program has. The kernel
// counts them up: those before are made and deleted. False: it cannot be.
Result<bool> MakeTimer(Tracee& copy, int32_t id, const TimerSetting& timer, const Names& names) {
  constexpr int32_t kMostTries = 1000;
  constexpr int32_t kClocks[] = {CLOCK_REALTIME,       CLOCK_MONOTONIC,      CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID,
                                 CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM, CLOCK_TAI};
  if (std::find(std::begin(kClocks), std::end(kClocks), timer.clock) == std::end(kClocks)) return false;
  TimerEvent event = timer.event;
  if (event.notify & SIGEV_THREAD_ID) {
    auto thread = std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.second == event.thread; });
    if (thread == names.end()) return false;
    event.thread = thread->first;
  }
  const TraceeAddress made_id = kScratchArea + sizeof event;
  for (int32_t made = -1; made < id;) {
    CF_TRY(copy.memory().WriteValue(kScratchArea, event));
    CF_TRY_ASSIGN(const int64_t result,
                  copy.Syscall(SYS_timer_create, {static_cast<uint64_t>(timer.clock),
                                                  timer.has_event ? kScratchArea.value : 0, made_id.value}));
    if (result < 0) return false;
    CF_TRY_ASSIGN(made, copy.memory().ReadValue<int32_t>(made_id));
    if (made == id) break;
    CF_TRY(copy.Syscall(SYS_timer_delete, {static_cast<uint64_t>(made)}));
    if (made > id || id - made > kMostTries) return false;
  }
  const itimerspec left{TimeOf(timer.interval_ns), TimeOf(timer.left_ns)};
  CF_TRY(copy.memory().WriteValue(kScratchArea, left));
  CF_TRY_ASSIGN(const int64_t result,
                copy.Syscall(SYS_timer_settime, {static_cast<uint64_t>(id), 0, kScratchArea.value, 0}));
  return result == 0;
}

// A fork has no timers: they are made anew, with what was left of them.
Result<void> GiveTimers(Tracee& copy, const EventLog& log, size_t event, const Names& names,
                        std::vector<std::string>* lost) {
  for (const auto& [key, timer] : TimersAt(log, event)) {
    if (key >= kFirstTimer) {
      const auto id = static_cast<int32_t>(key - kFirstTimer);
      CF_TRY_ASSIGN(const bool made, MakeTimer(copy, id, timer, names));
      if (!made) lost->push_back("timer " + std::to_string(id) + " of timer_create");
      continue;
    }
    auto micros = [](uint64_t ns) {
      return timeval{static_cast<time_t>(ns / 1'000'000'000), static_cast<suseconds_t>(ns % 1'000'000'000 / 1000)};
    };
    itimerval left{micros(timer.interval_ns), micros(timer.left_ns)};
    if (timer.left_ns == 0) continue;
    if (left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0) left.it_value.tv_usec = 1;
    CF_TRY(copy.memory().WriteValue(kScratchArea, left));
    CF_TRY(copy.Syscall(SYS_setitimer, {static_cast<uint64_t>(key), kScratchArea.value, 0}));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<DirtyPages>> WatchPages(Tracee& tracee);

Result<Engine::BranchResult> Engine::StartBranch(const std::string& name) {
  if (!replay_) return Error{"alreadyLive", "The present is live already: there is nothing to branch from.", "", 0, 0};
  Branch& parent = branch();
  BranchResult result;
  Position from = edited_ ? pristine_position_ : replay_->position();

  // == 1. A copy with all its threads, and the line up to here, ending in a checkpoint of the unchanged state.
  bool was_edited = edited_;
  CF_TRY_ASSIGN(std::unique_ptr<Tracee> changed, replay_->Copy());
  bool begins_anew = false;
  CF_TRY_ASSIGN(const Names names, MakeThreads(*changed, from, *parent.log, &begins_anew));
  if (was_edited) {
    replay_ = replay_->GoOnFrom(std::move(pristine_), pristine_position_);
    edited_ = in_call_ = false;
    edits_.clear();
  }
  CF_TRY_ASSIGN(std::shared_ptr<Checkpoint> fork_point, CreateCheckpoint(CheckpointReason::kBranch, ""));
  fork_point->pinned = true;
  TrapBytes patched = replay_->patched();

  // == 2. What the world looked like here.
  CF_TRY_ASSIGN(std::vector<std::string> lost, RestoreDescriptors(*changed, fork_point->descriptors));
  CF_TRY(GiveTimers(*changed, *parent.log, from.event, names, &lost));
  if (!fork_point->position.shared.empty()) lost.push_back("the memory that it shared with others");
  std::set<std::string> files = FilesWritten(fork_point->descriptors, *parent.log, from.event, parent.log->size());
  result.files.assign(files.begin(), files.end());
  if (!result.files.empty())
    result.message = "What the program wrote after this moment to " + Join(result.files) + " is not undone.";
  if (!lost.empty())
    result.message +=
        (result.message.empty() ? "" : " ") + std::string("These cannot be given back: ") + Join(lost) + ".";

  // == 3. The new branch and its live process.
  auto made = std::make_unique<Branch>();
  made->id = static_cast<int>(branches_.size());
  made->parent = parent.id;
  made->from_moment = fork_point->moment;
  made->name = name;
  made->log = std::make_unique<EventLog>(*parent.log, from.event);
  auto end = std::find(parent.line.begin(), parent.line.end(), fork_point);
  made->line.assign(parent.line.begin(), end + 1);
  made->tip = std::move(changed);
  made->tip->CountCpuTimeFrom(fork_point->time_ns);
  RecordOptions record = OptionsForRecording();
  record.visible_pid = pid_;
  record.visible_tids = names;
  made->recorder = std::make_unique<Recorder>(*made->tip, *made->log, std::move(record));
  made->recorder->set_at_event_end(from.kind == Position::Kind::kEventEnd && !was_edited);
  for (const auto& [real, known] : names) {
    const auto other = from.others.find(known);
    made->recorder->AdoptThread(real,
                                other == from.others.end() ? from.alternate_stack : other->second->alternate_stack,
                                EndingsOf(*made->log, from.event, known));
  }
  made->recorder->AdoptSharing(from.event);
  made->recorder->AdoptCode(std::move(patched), parent.recorder->written_code());
  made->recorder->set_at_syscall(from.kind == Position::Kind::kAtSyscall);
  CF_TRY_ASSIGN(made->dirty, WatchPages(*made->tip));
  made->recorder->dirty_pages = made->dirty.get();
  const bool differs = was_edited || begins_anew;
  made->tip_at_last = !differs;
  result.id = made->id;
  int id = made->id;
  branches_.push_back(std::move(made));
  replay_.reset();
  branch_ = id;
  base_ = branch().line.size() - 1;
  at_base_ = !differs;
  barrier_wanted_ = differs;
  NoteCheckpointMade(branch(), expected_making_ns_);
  branch().tail = {0, ReadFaultCounts(branch().tip->pid())};
  PresentMoved();
  CF_LOG(logger, kInfo, "branch %d from event %zu, pid %d", id, from.event, branch().tip->pid());
  return result;
}

StopReply Engine::RestartAfterExec() {
  // Nothing replays across an exec: the history begins anew with the new program.
  Branch& b = branch();
  StopReply reply;
  reply.tid = pid_;
  reply.kind = StopKind::kExec;
  Result<void> entered = b.tip->EnterNewProgram();
  if (!entered.ok()) return Failed(entered.error());
  reply.exec_path = ReadProcLink(b.tip->pid(), "exe");
  options_.notice("info", "The program was replaced by " + reply.exec_path + ": the recording begins anew with it.");
  std::unique_ptr<Branch> fresh = std::make_unique<Branch>();
  fresh->log = std::make_unique<EventLog>(arena_);
  fresh->tip = std::move(b.tip);
  RecordOptions record = OptionsForRecording();
  record.visible_pid = pid_;
  fresh->recorder = std::make_unique<Recorder>(*fresh->tip, *fresh->log, std::move(record));
  branches_.clear();
  branches_.push_back(std::move(fresh));
  branch_ = 0;
  breakpoints.clear();
  Result<void> patched = branch().recorder->PatchAllExecutable();
  if (!patched.ok()) return Failed(patched.error());
  Result<std::unique_ptr<DirtyPages>> dirty = WatchPages(*branch().tip);
  if (!dirty.ok()) return Failed(dirty.error());
  branch().dirty = std::move(dirty).value();
  branch().recorder->dirty_pages = branch().dirty.get();
  Result<std::shared_ptr<Checkpoint>> first = CheckpointLive(CheckpointReason::kStart, true);
  if (!first.ok()) return Failed(first.error());
  at_base_ = true;
  return reply;
}

}  // namespace chronofork
