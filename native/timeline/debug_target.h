// What the gdb remote server asks of the timeline: the one interface between
// rsp/ and everything below it. Nothing here knows a packet; nothing in rsp/
// knows a checkpoint.
//
// Threads: every method is called from the remote server's thread, while the
// target is stopped, except Interrupt(), which may be called from any thread
// at any time. Resume() returns at once; its callback runs later on any thread.
//
// What is shown is always one process under a constant pid: the live one, or a
// replay of it at an earlier moment. Software breakpoints are never visible
// in ReadMemory().
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tracee_address.h"
#include "probe/agent_expression.h"
#include "tracee/registers.h"

namespace chronofork {

enum class BreakpointKind { kSoftware, kHardware };
enum class WatchKind { kWrite, kAccess };  // kAccess: read or write

enum class ResumeKind {
  kContinue,         // vCont;c
  kStep,             // vCont;s: one instruction
  kStepRange,        // vCont;r: on while pc is inside `range`
  kReverseContinue,  // bc, or the operation armed through the control channel
  kReverseStep,      // bs: one instruction back (more, inside the armed line range)
};

struct ResumeRequest {
  ResumeKind kind = ResumeKind::kContinue;
  int signal = 0;      // to be delivered on resuming (C, S); 0: none
  AddressRange range;  // kStepRange only
  pid_t tid = 0;       // the thread that steps or gets the signal; 0: whichever stopped
  // Nothing but `tid` runs: live, the others stand still. In the past, what they did there is done, and stops for
  // nobody.
  bool alone = false;
};

enum class StopKind {
  kSignal,         // a signal is about to be delivered: `signal` (SIGTRAP after a step)
  kBreakpoint,     // pc is at an inserted breakpoint (reply says swbreak or hwbreak)
  kWatchpoint,     // `watch_address`; backwards: before the writing instruction
  kSyscallEntry,   // `syscall_number`
  kSyscallReturn,  // `syscall_number`
  kHistoryBegin,   // nothing earlier is known; also the end of every armed operation
  kHistoryEnd,     // the program has ended; also stands for any plain arrival forwards
  kLibraries,      // the list of libraries differs; gdb re-reads it and resumes
  kExec,           // another program now runs in the process: `exec_path`
  kKilled,         // the process is gone, unexpectedly: `signal`
};

struct StopReply {
  StopKind kind = StopKind::kSignal;
  pid_t tid = 0;
  int signal = SIGTRAP;
  BreakpointKind breakpoint = BreakpointKind::kSoftware;
  WatchKind watch = WatchKind::kWrite;
  TraceeAddress watch_address;
  long syscall_number = -1;
  std::string exec_path;
};

struct TargetThread {
  pid_t tid = 0;  // as it was when first run, whatever copy is shown now
  std::string name;
};

struct TargetLibrary {
  std::string path;
  TraceeAddress link_map;  // lm
  uint64_t load_bias = 0;  // l_addr
  TraceeAddress dynamic;   // l_ld
};

struct TargetLibraries {
  // As the program's DT_DEBUG says (a program's own symbol may be a copy), or
  // 0: gdb looks names up only in libraries whose r_debug is the one it finds.
  TraceeAddress r_debug;
  TraceeAddress main_link_map;
  std::vector<TargetLibrary> libraries;
};

class DebugTarget {
 public:
  virtual ~DebugTarget() = default;

  // -- The process ----------------------------------------------------------
  virtual pid_t pid() const = 0;
  virtual std::string ExecutablePath() const = 0;
  virtual Result<std::vector<std::byte>> ReadAuxv() = 0;  // raw, as in /proc/PID/auxv
  virtual Result<TargetLibraries> Libraries() = 0;        // from the debuggee's r_debug
  virtual std::vector<TargetThread> Threads() = 0;
  // Reads a file under /proc/PID for the shown process ("maps", "status" …);
  // of a link ("cwd", "root") its target.
  virtual Result<std::string> ReadProcFile(const std::string& name) = 0;

  // -- State at the present moment -----------------------------------------
  virtual StopReply LastStop() = 0;
  virtual Result<GeneralRegisters> ReadGeneralRegisters(pid_t tid) = 0;
  virtual Result<void> WriteGeneralRegisters(pid_t tid, const GeneralRegisters& registers) = 0;
  virtual Result<ExtendedRegisters> ReadExtendedRegisters(pid_t tid) = 0;
  virtual Result<void> WriteExtendedRegisters(pid_t tid, const ExtendedRegisters& registers) = 0;
  // Reads as much as is mapped from `address` on: fewer bytes than asked for
  // at the end of a mapping, an error if the first byte cannot be read.
  virtual Result<size_t> ReadMemory(TraceeAddress address, std::span<std::byte> out) = 0;
  virtual Result<void> WriteMemory(TraceeAddress address, std::span<const std::byte> bytes) = 0;
  virtual Result<siginfo_t> ReadSiginfo(pid_t tid) = 0;
  virtual Result<void> WriteSiginfo(pid_t tid, const siginfo_t& info) = 0;

  // -- Breakpoints ----------------------------------------------------------
  // Inserting the same place twice replaces its conditions. A breakpoint is
  // hit when any of its conditions holds or cannot be evaluated (then gdb looks
  // for itself), or when it has none.
  virtual Result<void> InsertBreakpoint(BreakpointKind kind, TraceeAddress address,
                                        std::vector<AgentCode> conditions) = 0;
  virtual Result<void> RemoveBreakpoint(BreakpointKind kind, TraceeAddress address) = 0;
  virtual Result<void> InsertWatchpoint(WatchKind kind, TraceeAddress address, uint64_t length_bytes) = 0;
  virtual Result<void> RemoveWatchpoint(WatchKind kind, TraceeAddress address, uint64_t length_bytes) = 0;
  // nullopt: catch none; empty set: catch all.
  virtual void CatchSyscalls(std::optional<std::set<long>> numbers) = 0;
  // Signals given to the debuggee without stopping (QPassSignals).
  virtual void PassSignals(std::set<int> signals) = 0;

  // -- Running --------------------------------------------------------------
  virtual void Resume(const ResumeRequest& request, std::function<void(StopReply)> on_stop) = 0;
  // Without effect when the target is stopped, on the next resume too: a stop
  // and gdb's interrupt may cross.
  virtual void Interrupt() = 0;
  virtual void Kill() = 0;    // ends the debuggee and all its copies
  virtual void Detach() = 0;  // lets the live process go on alone, if that is possible

  // `monitor TEXT`: returns what gdb shall print.
  virtual std::string Monitor(const std::string& text) = 0;
};

}  // namespace chronofork
