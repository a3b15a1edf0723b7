// Serves gdb's remote protocol on a Unix socket, from a thread of its own.
//
//     gdb ──socket──▶ server thread ──▶ Session ──▶ DebugTarget
//                          ▲  Resume() returns at once;       │
//                          └── its stop comes back by an eventfd ┘
//
// One connection at a time: a second client is turned away. A gdb that dies
// leaves the target as it is; `on_disconnect` tells its owner, and the next
// gdb may connect. One that connects while the target still runs interrupts
// it, for gdb expects a stopped target.
//
// Easy to get wrong: a stop may arrive after its gdb has gone, or after the
// server has; and gdb may send ^C in the same breath as the resume.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "timeline/debug_target.h"

namespace chronofork {

class RspServer {
 public:
  // `running`: the target was running when gdb went. Called on the server's
  // thread; must not call Stop() nor destroy the server.
  using DisconnectCallback = std::function<void(bool running)>;

  // Makes the socket, which only this user can reach, and starts the thread.
  // `target` must outlive the server. Error: "socketFailed".
  static Result<std::unique_ptr<RspServer>> Listen(DebugTarget& target, DisconnectCallback on_disconnect = {});

  // Where gdb connects: for `target remote`.
  const std::string& address() const;

  // Stops; a target that runs goes on running.
  ~RspServer();
  RspServer(const RspServer&) = delete;
  RspServer& operator=(const RspServer&) = delete;

  // Ends the connection and the thread: at once while waiting, else after the
  // packet being answered. From any other thread; more than once is fine.
  void Stop();

 private:
  class Loop;
  explicit RspServer(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace chronofork
