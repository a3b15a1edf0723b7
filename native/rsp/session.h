// One conversation with one gdb: what it has told us, and the answer to each
// of its packets. Knows no socket; server.h moves the bytes.
//
// Packets are answered by small functions grouped by theme (handlers.h). A
// packet that none of them knows gets the empty reply, one that makes no sense
// E22, one that the target refuses E01.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsp/debuggee_files.h"
#include "rsp/packet.h"
#include "rsp/packet_cursor.h"
#include "rsp/register_layout.h"
#include "rsp/stop_reply.h"
#include "rsp/thread_storage.h"
#include "timeline/debug_target.h"

namespace chronofork {

// What the handlers share.
struct SessionState {
  explicit SessionState(DebugTarget& debug_target) : target(debug_target), files(debug_target) {}

  DebugTarget& target;
  DebuggeeFiles files;
  ThreadStorage thread_storage;
  GdbFeatures features;
  bool acknowledge = true;    // until QStartNoAckMode
  pid_t general_thread = 0;   // of g, p, m …; 0: the one that stopped
  pid_t continue_thread = 0;  // of bc, bs, c, s: it alone; 0: all

  // Set by a handler whose answer is the next stop.
  std::optional<ResumeRequest> resume;
  // Set by a handler whose packet has no answer at all.
  bool no_reply = false;

  // A qXfer object that is being read in pieces.
  std::string transfer_name;
  std::string transfer_content;
  // Reused for memory reads.
  std::vector<std::byte> scratch;

  // The registers of this debuggee; made at first use.
  const RegisterLayout& Layout();
  // Another program runs in the process.
  void ForgetProgram();

  pid_t CurrentThread();
  // The tid that `id` names: any → the current one; nullopt if there is none such.
  std::optional<pid_t> Resolve(const RspThreadId& id);
  // Reads all of `out` or fails.
  MemoryReader Memory();
  // Logs why the target refused, answers E01.
  void Refuse(const Error& error, Reply& reply) const;

 private:
  std::unique_ptr<RegisterLayout> layout_;
};

class Session {
 public:
  enum class Next {
    kReply,    // send `reply`
    kNothing,  // the packet has no answer
    kResume,   // resume with resume_request(); the answer is the stop
  };

  explicit Session(DebugTarget& target) : state_(target) {}

  Next Handle(std::string_view packet, Reply& reply);
  const ResumeRequest& resume_request() const { return *state_.resume; }
  // The answer to a resume.
  void WriteStop(const StopReply& stop, Reply& reply);
  bool acknowledge() const { return state_.acknowledge; }

 private:
  SessionState state_;
};

}  // namespace chronofork
