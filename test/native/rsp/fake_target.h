// A DebugTarget without a process: memory, registers and a short history are
// scripted, and what the server asks for is written down.
//
// The history is that of a small program that the fake executes itself when
// it is made, so that a real gdb can disassemble, step and go back in it:
//
//     401000  mov $0,%rax
//     401007  inc %rax              <- five times
//     40100a  mov %rax,0x402000
//     401012  cmp $5,%rax
//     401016  jne 401007
//     401018  nop
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "timeline/debug_target.h"

namespace chronofork::rsp_test {

constexpr pid_t kPid = 0x1234;
constexpr uint64_t kProgramStart = 0x401000;
constexpr uint64_t kLoop = 0x401007;
constexpr uint64_t kStore = 0x40100a;
constexpr uint64_t kEnd = 0x401018;
constexpr uint64_t kCounter = 0x402000;
constexpr uint64_t kStack = 0x7fff0000;

class FakeTarget : public DebugTarget {
 public:
  FakeTarget();

  pid_t pid() const override { return kPid; }
  std::string ExecutablePath() const override { return executable; }
  Result<std::vector<std::byte>> ReadAuxv() override { return auxv; }
  Result<TargetLibraries> Libraries() override;
  std::vector<TargetThread> Threads() override { return {{kPid, "fake <1>"}}; }
  Result<std::string> ReadProcFile(const std::string& name) override;
  StopReply LastStop() override { return last_stop; }
  Result<GeneralRegisters> ReadGeneralRegisters(pid_t tid) override;
  Result<void> WriteGeneralRegisters(pid_t tid, const GeneralRegisters& registers) override;
  Result<ExtendedRegisters> ReadExtendedRegisters(pid_t tid) override;
  Result<void> WriteExtendedRegisters(pid_t tid, const ExtendedRegisters& registers) override;
  Result<size_t> ReadMemory(TraceeAddress address, std::span<std::byte> out) override;
  Result<void> WriteMemory(TraceeAddress address, std::span<const std::byte> bytes) override;
  Result<siginfo_t> ReadSiginfo(pid_t) override { return siginfo; }
  Result<void> WriteSiginfo(pid_t tid, const siginfo_t& info) override;
  Result<void> InsertBreakpoint(BreakpointKind kind, TraceeAddress address, std::vector<AgentCode> conditions) override;
  Result<void> RemoveBreakpoint(BreakpointKind kind, TraceeAddress address) override;
  Result<void> InsertWatchpoint(WatchKind kind, TraceeAddress address, uint64_t length_bytes) override;
  Result<void> RemoveWatchpoint(WatchKind kind, TraceeAddress address, uint64_t length_bytes) override;
  void CatchSyscalls(std::optional<std::set<long>> numbers) override;
  void PassSignals(std::set<int> signals) override;
  void Resume(const ResumeRequest& request, std::function<void(StopReply)> on_stop) override;
  void Interrupt() override;
  void Kill() override { Note("kill"); }
  void Detach() override { Note("detach"); }
  std::string Monitor(const std::string& text) override;

  // Ends a run that `endless` began.
  void Stop(StopReply stop);
  // What was asked of it, in order, and then forgotten.
  std::vector<std::string> TakeNotes();
  bool running();

  std::string executable = "/bin/true";
  std::vector<std::byte> auxv;
  std::optional<TargetLibraries> libraries;
  std::map<uint64_t, std::vector<std::byte>> memory;  // by the address of the first byte
  GeneralRegisters registers{};
  ExtendedRegisters extended;
  siginfo_t siginfo{};
  StopReply last_stop;
  // The answers to the next resumes, instead of what the history says.
  std::deque<StopReply> next_stops;
  // A resume goes on until Interrupt() or Stop().
  bool endless = false;
  int evaluated_conditions = 0;

 private:
  struct Moment {
    GeneralRegisters registers;
    uint64_t counter;  // at kCounter
    bool wrote;        // the instruction before this moment wrote it
  };

  void Execute();
  void GoTo(size_t moment);
  StopReply Run(const ResumeRequest& request);
  std::optional<StopReply> StopHere(const Moment& passed_write, bool stepping);
  bool BreaksHere();
  void Note(std::string text);

  std::vector<Moment> history_;
  size_t now_ = 0;
  std::map<std::pair<BreakpointKind, uint64_t>, std::vector<AgentCode>> breakpoints_;
  std::set<std::pair<uint64_t, uint64_t>> watches_;  // address, length

  std::mutex mutex_;  // of what follows
  std::function<void(StopReply)> on_stop_;
  std::vector<std::string> notes_;
};

}  // namespace chronofork::rsp_test
