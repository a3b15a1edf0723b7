// Writes a stop of the debuggee in gdb's words.
#pragma once

#include <sys/types.h>

#include <optional>

#include "rsp/packet.h"
#include "timeline/debug_target.h"

namespace chronofork {

// What gdb said it understands (qSupported).
struct GdbFeatures {
  bool multiprocess = false;
  bool swbreak = false;
  bool hwbreak = false;
  bool exec_events = false;
};

// `p1f.2a` or `2a`, as gdb expects it.
void WriteThreadId(pid_t pid, pid_t tid, const GdbFeatures& features, Reply& reply);

// `registers` are sent along (rbp, rsp, rip), which saves gdb a round trip per
// step. Never says that the process has exited while it can be gone back in.
void WriteStopReply(const StopReply& stop, pid_t pid, const std::optional<GeneralRegisters>& registers,
                    const GdbFeatures& features, Reply& reply);

}  // namespace chronofork
