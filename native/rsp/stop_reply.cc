// T packets for all kinds of stops, X for a process that is gone.
#include "rsp/stop_reply.h"

#include "rsp/register_layout.h"
#include "rsp/signal_numbers.h"

namespace chronofork {
namespace {

void WriteTwoDigits(int number, Reply& reply) {
  std::byte byte = static_cast<std::byte>(number & 0xff);
  reply.HexBytes({&byte, 1});
}

void WriteRegister(size_t number, uint64_t value, Reply& reply) {
  WriteTwoDigits(static_cast<int>(number), reply);
  reply.Text(":").HexBytes(std::as_bytes(std::span(&value, 1))).Text(";");
}

// The signal that gdb is told; all but real signals are stops of our own.
int SignalOf(const StopReply& stop) {
  return stop.kind == StopKind::kSignal && stop.signal != 0 ? stop.signal : SIGTRAP;
}

void WriteReason(const StopReply& stop, const GdbFeatures& features, Reply& reply) {
  switch (stop.kind) {
    case StopKind::kBreakpoint:
      if (stop.breakpoint == BreakpointKind::kSoftware && features.swbreak) reply.Text("swbreak:;");
      if (stop.breakpoint == BreakpointKind::kHardware && features.hwbreak) reply.Text("hwbreak:;");
      break;
    case StopKind::kWatchpoint:
      reply.Text(stop.watch == WatchKind::kWrite ? "watch:" : "awatch:").Hex(stop.watch_address.value).Text(";");
      break;
    case StopKind::kSyscallEntry:
    case StopKind::kSyscallReturn:
      reply.Text(stop.kind == StopKind::kSyscallEntry ? "syscall_entry:" : "syscall_return:");
      reply.Hex(static_cast<uint64_t>(stop.syscall_number)).Text(";");
      break;
    case StopKind::kHistoryBegin: reply.Text("replaylog:begin;"); break;
    case StopKind::kHistoryEnd: reply.Text("replaylog:end;"); break;
    case StopKind::kLibraries: reply.Text("library:;"); break;
    case StopKind::kExec:
      if (features.exec_events) reply.Text("exec:").HexText(stop.exec_path).Text(";");
      break;
    case StopKind::kSignal:
    case StopKind::kKilled: break;
  }
}

}  // namespace

void WriteThreadId(pid_t pid, pid_t tid, const GdbFeatures& features, Reply& reply) {
  if (features.multiprocess) reply.Text("p").Hex(static_cast<uint64_t>(pid)).Text(".");
  reply.Hex(static_cast<uint64_t>(tid));
}

void WriteStopReply(const StopReply& stop, pid_t pid, const std::optional<GeneralRegisters>& registers,
                    const GdbFeatures& features, Reply& reply) {
  if (stop.kind == StopKind::kKilled) {
    reply.Text("X");
    WriteTwoDigits(GdbSignalOf(stop.signal), reply);
    if (features.multiprocess) reply.Text(";process:").Hex(static_cast<uint64_t>(pid));
    return;
  }
  reply.Text("T");
  WriteTwoDigits(GdbSignalOf(SignalOf(stop)), reply);
  WriteReason(stop, features, reply);
  if (registers) {
    WriteRegister(kRbpNumber, registers->rbp, reply);
    WriteRegister(kRspNumber, registers->rsp, reply);
    WriteRegister(kRipNumber, registers->rip, reply);
  }
  reply.Text("thread:");
  WriteThreadId(pid, stop.tid, features, reply);
  reply.Text(";");
}

}  // namespace chronofork
