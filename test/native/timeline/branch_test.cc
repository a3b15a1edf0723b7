// Going on from the past, changes that are dropped, and functions called there.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/syscall.h>

#include "callbuffer/call_buffer.h"
#include "core_child.h"
#include "debugged.h"
#include "debuggee.h"

namespace chronofork {
namespace {

using namespace timeline_test;

constexpr uint64_t kNo = 202, kYes = 102;  // moves.c: the last outcome of either choice

void FromTheEnd(const char* what, const std::string& folder, const std::function<void(Debugged&)>& body) {
  const std::string program = BuildDebuggee("moves.c", "-g -O0 -no-pie");
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(40), [&] {
    Debugged d(program, {what}, {0, folder, folder + "/output"});
    d.Expect("it ran to its end", d.Continue().kind == StopKind::kHistoryEnd);
    body(d);
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

void BackTo(Debugged& d, const std::string& symbol) {
  d.Clear();
  d.Break(symbol);
  const StopReply stop = d.ReverseContinue();
  d.Expect("back at " + symbol + ", but " + NameOf(stop.kind) + (d.notices.empty() ? "" : ", " + d.notices.back()),
           stop.kind == StopKind::kBreakpoint && d.pc() == d.symbols().at(symbol).value);
  d.Clear();
}

void Choose(Debugged& d, uint64_t value) {
  const Result<void> written = d.engine().WriteMemory(d.symbols().at("choice"), std::as_bytes(std::span(&value, 1)));
  d.Expect("the choice can be changed", written.ok());
}

TEST_CASE("branch: run on from the past after changing a variable") {
  const TemporaryFolder folder;
  FromTheEnd("choice", folder.path(), [&](Debugged& d) {
    d.Equal("the first outcome", kNo, d.Word("outcome"));
    const uint64_t offset = d.Word("offset_read");
    const size_t first_events = d.engine().branch().log->size();
    BackTo(d, "mark_choice");
    Choose(d, 1);
    d.Expect("the change is shown", d.Word("choice") == 1 && d.engine().edited());
    Result<Engine::BranchResult> made = d.engine().StartBranch("the other way");
    if (!made.ok()) {
      d.problems += made.error().message + "\n";
      return;
    }
    // `output` is written at exit.
    d.Expect("the files written later are named",
             made->files.size() == 2 && made->files[0].ends_with("/chosen") && made->files[1].ends_with("/output"));
    d.Expect("live on the new branch", d.engine().live() && d.engine().branch().id == made->id);
    const uint64_t branched_ns = d.engine().branch().line.back()->time_ns;
    d.Expect("the run time counts on", branched_ns > 0 && d.engine().branch().tip->CpuTimeNs() >= branched_ns);
    d.Expect("it runs to its end", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("the other outcome", kYes, d.Word("outcome"));
    d.Equal("the file offset was given back", offset, d.Word("offset_read"));

    // Back inside the branch, over the place where it began, and forward.
    BackTo(d, "mark_outcome");
    d.Equal("outcome on the branch", kYes, d.Word("outcome"));
    d.Equal("choice on the branch", 1u, d.Word("choice"));
    BackTo(d, "mark_choice");
    d.Equal("choice where the branch began: as it was changed", 1u, d.Word("choice"));
    d.Expect("forward over the change", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("still the other outcome", kYes, d.Word("outcome"));

    // And to the old line.
    TimeOperation seek;
    seek.kind = TimeOperation::Kind::kSeekMoment;
    seek.id = d.engine().branches()[0]->tip_moment;
    d.Do(seek);
    d.Equal("the old line's outcome", kNo, d.Word("outcome"));
    d.Equal("the old line's events", first_events, d.engine().branch().log->size());
    BackTo(d, "mark_outcome");
    d.Equal("outcome on the old line", kNo, d.Word("outcome"));
  });
  // Written by the first run, then on from the offset of mark_choice by the second.
  CHECK(ReadWholeFile(folder.path() + "/chosen") == "first\nyes\nyes\nyes\n");
}

TEST_CASE("branch: without a change it goes the same way, by real calls") {
  const TemporaryFolder folder;
  FromTheEnd("choice", folder.path(), [&](Debugged& d) {
    BackTo(d, "mark_choice");
    Result<Engine::BranchResult> made = d.engine().StartBranch("");
    d.Expect("it was made", made.ok());
    d.Expect("it runs to its end", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("the same outcome", kNo, d.Word("outcome"));
    BackTo(d, "mark_choice");
    const size_t event = d.engine().PresentPosition().event;
    d.Expect("to the end again", d.Continue().kind == StopKind::kHistoryEnd);
    BackTo(d, "mark_choice");
    d.Equal("events before the choice", event, d.engine().PresentPosition().event);
  });
}

TEST_CASE("branch: files that were opened without a stop are open on it") {
  const TemporaryFolder folder;
  FromTheEnd("opens", folder.path(), [&](Debugged& d) {
    const uint64_t outcome = d.Word("outcome"), offset = d.Word("offset_read");
    d.Equal("what it has read", uint64_t{'t' * 256 + '\n'}, outcome);
    const EventLog& log = *d.engine().branch().log;
    size_t without_stop = 0;
    for (size_t i = 0; i < log.size(); ++i)
      without_stop += log.IsRecord(i) && log.at(i).number == SYS_openat && log.at(i).result >= 0;
    const bool patched = ::getenv("CHRONOFORK_PATCH") == nullptr && CallBuffer::Usable();
    d.Expect("opened without a stop", without_stop >= (patched ? 20 : 0));
    BackTo(d, "mark_opened");
    Result<Engine::BranchResult> made = d.engine().StartBranch("");
    d.Expect("it was made", made.ok());
    d.Expect("it runs to its end", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("the same outcome", outcome, d.Word("outcome"));
    d.Equal("the same offset", offset, d.Word("offset_read"));
  });
}

TEST_CASE("branch: refused where the present is live") {
  const TemporaryFolder folder;
  FromTheEnd("choice", folder.path(), [&](Debugged& d) {
    Result<Engine::BranchResult> made = d.engine().StartBranch("");
    d.Expect("refused", !made.ok() && made.error().code == "alreadyLive");
  });
}

TEST_CASE("branch: a change in the past that is run over is dropped, and said so") {
  const TemporaryFolder folder;
  FromTheEnd("choice", folder.path(), [&](Debugged& d) {
    const NotedState end = d.Note();
    BackTo(d, "mark_choice");
    const NotedState there = d.Note();
    Choose(d, 1);
    d.Expect("forward to the end", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("the recorded outcome", kNo, d.Word("outcome"));
    d.Expect("the end is the same", d.Note() == end);
    d.Expect("it was said", d.notices.size() == 1 && d.notices[0].find("dropped") != std::string::npos);
    BackTo(d, "mark_choice");
    d.Expect("the past is unchanged", d.Note() == there);
  });
}

TEST_CASE("branch: a function called in the past leaves no trace") {
  const TemporaryFolder folder;
  FromTheEnd("steps", folder.path(), [&](Debugged& d) {
    const std::string output = ReadWholeFile(folder.path() + "/output");
    BackTo(d, "twice");
    const NotedState before = d.Note();
    // As gdb does it: a return address on the stack, a breakpoint there.
    const GeneralRegisters saved = d.engine().process().registers();
    GeneralRegisters call = saved;
    const TraceeAddress back = d.symbols().at("_start");
    call.rsp = ((saved.rsp - 256) & ~uint64_t{15}) - 8;
    call.rip = d.symbols().at("twice").value;
    call.rdi = 21;
    for (int round = 0; round < 2; ++round) {
      d.Expect("the return address is written",
               d.engine().WriteMemory(TraceeAddress(call.rsp), std::as_bytes(std::span(&back.value, 1))).ok());
      d.Expect("the registers are set", d.engine().WriteRegisters(call).ok());
      d.engine().breakpoints[back] = {BreakpointKind::kSoftware, {}};
      const StopReply stop = d.Continue();
      d.Expect("it returned", stop.kind == StopKind::kBreakpoint && d.pc() == back.value);
      d.Equal("its result", 42u, d.engine().process().registers().rax);
      d.Expect("the registers are put back", d.engine().WriteRegisters(saved).ok());
      d.Clear();
      d.Expect("no trace is left", d.Note() == before && !d.engine().edited());
    }
    d.Expect("the recording goes on as it was", d.Continue().kind == StopKind::kHistoryEnd);
    d.Expect("nothing was written to the world", ReadWholeFile(folder.path() + "/output") == output);
  });
}

TEST_CASE("seek: begin, end, moments, and a checkpoint that is gone") {
  const TemporaryFolder folder;
  FromTheEnd("loops", folder.path(), [&](Debugged& d) {
    const NotedState end = d.Note();
    TimeOperation seek;
    seek.kind = TimeOperation::Kind::kSeekBegin;
    d.Do(seek);
    d.Equal("events at the beginning", 0u, d.engine().PresentPosition().event);
    const NotedState begin = d.Note();
    const int begin_moment = d.engine().present_moment();
    seek.kind = TimeOperation::Kind::kSeekEnd;
    d.Expect("the end is live", d.Do(seek).outcome == OperationResult::Outcome::kEnd && d.engine().live());
    d.Expect("the end is as it was", d.Note() == end);
    BackTo(d, "mark_visit");
    const NotedState there = d.Note();
    Result<std::shared_ptr<Checkpoint>> made = d.engine().CreateCheckpoint(CheckpointReason::kUser, "here");
    d.Expect("a checkpoint in the past", made.ok());
    const int id = made.value()->id;
    made.value().reset();
    seek.kind = TimeOperation::Kind::kSeekMoment;
    seek.id = begin_moment;
    d.Do(seek);
    d.Expect("the beginning is as it was", d.Note() == begin);
    d.SeekCheckpoint(id);
    d.Expect("the checkpoint is as it was", d.Note() == there);
    d.Do(seek);
    d.Expect("it can be deleted", d.engine().DeleteCheckpoint(id).ok());
    seek.kind = TimeOperation::Kind::kSeekCheckpoint;
    seek.id = id;
    const OperationResult result = d.Try(seek);
    d.Expect("a deleted checkpoint is refused", result.outcome == OperationResult::Outcome::kFailed && result.error);
    d.Expect("the present stays", d.Note() == begin);
  });
}

// crew.c: `total` is 100 or, with the choice, 200; 2000 or 1000 is added.
void RunOnWithThreads(const char* where) {
  const std::string program = BuildDebuggee("crew.c", "-g -O0 -no-pie -pthread");
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] {
    Debugged d(program, {where}, {5, "", "/dev/null"});
    d.Expect("it ran to its end", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("the first outcome", 2100u, d.Word("outcome"));
    d.Equal("its problems", 0u, d.Word("problems"));
    BackTo(d, "mark_choice");
    const size_t threads = d.engine().other_threads().size();
    const pid_t chooser = d.engine().present_tid();
    Choose(d, 1);
    Result<Engine::BranchResult> made = d.engine().StartBranch("");
    if (!made.ok()) {
      d.problems += made.error().message + "\n";
      return d.problems;
    }
    d.Equal("threads on the branch", threads, d.engine().other_threads().size());
    d.Equal("the running thread", chooser, d.engine().present_tid());
    d.Expect("it runs to its end", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("the other outcome", 1200u, d.Word("outcome"));
    d.Equal("problems on the branch", 0u, d.Word("problems"));

    // Back inside the branch, over its beginning, forward; and once more from there.
    BackTo(d, "mark_outcome");
    d.Equal("outcome on the branch", 1200u, d.Word("outcome"));
    BackTo(d, "mark_choice");
    d.Equal("choice where the branch began", 1u, d.Word("choice"));
    d.Equal("the running thread, replayed", chooser, d.engine().present_tid());
    d.Expect("forward over the change", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("still the other outcome", 1200u, d.Word("outcome"));
    BackTo(d, "mark_choice");
    Choose(d, 0);
    made = d.engine().StartBranch("");
    d.Expect("a branch of the branch", made.ok());
    d.Expect("it runs to its end too", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("the first outcome again", 2100u, d.Word("outcome"));
    d.Equal("problems there", 0u, d.Word("problems"));
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

TEST_CASE("branch: from a moment with several threads") { RunOnWithThreads("main"); }
TEST_CASE("branch: from a moment with several threads, in one that is not the first") { RunOnWithThreads("worker"); }

// What lies where a pointer of the program's leads.
uint64_t Behind(Debugged& d, const std::string& pointer) {
  Result<uint64_t> word = d.engine().process().memory().ReadValue<uint64_t>(TraceeAddress(d.Word(pointer)));
  d.Expect("what " + pointer + " leads to can be read", word.ok());
  return word.ok() ? word.value() : ~uint64_t{0};
}

TEST_CASE("branch: memory at two addresses, in the past and on") {
  const TemporaryFolder folder;
  FromTheEnd("aliases", folder.path(), [&](Debugged& d) {
    d.Equal("the first outcome", 1999u + 100, d.Word("outcome"));
    d.Equal("in the present", 1999u, Behind(d, "there"));
    BackTo(d, "mark_half");
    d.Equal("written through one", 1000u, Behind(d, "here"));
    d.Equal("seen through the other", 1000u, Behind(d, "there"));
    // Round by round: what the past shows is one memory, at each of its copies.
    for (int i = 0; i < 30; ++i) {
      static_cast<void>(d.ReverseStep());
      d.Equal("the same at both", Behind(d, "here"), Behind(d, "there"));
    }
    BackTo(d, "main");
    d.Clear();
    d.Break("mark_half");
    d.Expect("forward again", d.Continue().kind == StopKind::kBreakpoint);
    d.Equal("as before", 1000u, Behind(d, "there"));
    d.Clear();
    Choose(d, 1);
    Result<Engine::BranchResult> made = d.engine().StartBranch("");
    d.Expect("a branch is made", made.ok());
    d.Expect("it runs to its end", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("one memory on the branch, shared with the child", 11999u + 100, d.Word("outcome"));
    BackTo(d, "mark_half");
    d.Equal("the branch's beginning", 1000u, Behind(d, "there"));
    d.Clear();
    d.Break("the_end");
    d.Expect("to the end of the branch", d.Continue().kind == StopKind::kBreakpoint);
    d.Equal("in the branch's past", 11999u, Behind(d, "there"));
  });
}

TEST_CASE("branch: timers go on with what was left of them, and are the program's own threads'") {
  const TemporaryFolder folder;
  const std::string program = BuildDebuggee("alarms.c", "-g -O0 -no-pie");
  const ChildEnd end = RunInCoreChild(std::chrono::seconds(60), [&] {
    Debugged d(program, {}, {0, folder.path(), folder.path() + "/output"});
    d.Expect("it ran to its end", d.Continue().kind == StopKind::kHistoryEnd);
    const uint64_t left_us = d.Word("left_us");
    d.Expect("some of the three seconds was left: " + std::to_string(left_us), left_us > 1'000'000);
    BackTo(d, "mark_set");
    d.Expect("nothing but the repeating one has come",
             d.Word("once") == 0 && d.Word("mine") == 0 && d.Word("often") >= 2);
    Result<Engine::BranchResult> made = d.engine().StartBranch("");
    d.Expect("it was made", made.ok());
    if (!made.ok()) return d.problems;
    d.Expect("nothing is lost: " + made->message, made->message.find("timer") == std::string::npos);
    d.Expect("it runs to its end again", d.Continue().kind == StopKind::kHistoryEnd);
    const uint64_t left_again_us = d.Word("left_us");
    // Of real time since the last event some may be missing, on a busy machine more of it.
    d.Expect("as much was left: " + std::to_string(left_us) + ", then " + std::to_string(left_again_us),
             left_again_us <= left_us + 200'000 && left_again_us + 700'000 > left_us);
    d.Equal("the alarm came once", 1u, d.Word("once"));
    d.Equal("the thread's own, and the one made on the branch", 2u, d.Word("mine"));
    BackTo(d, "mark_come");
    d.Equal("the alarm had come", 1u, d.Word("once"));
    d.Expect("to the end of the branch", d.Continue().kind == StopKind::kHistoryEnd);
    d.Equal("the same in replay", 2u, d.Word("mine"));
    return d.problems;
  });
  CHECK(TroubleOf(end) == "");
  CHECK(end.text == "");
}

}  // namespace
}  // namespace chronofork
