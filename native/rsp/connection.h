// One connected gdb: its socket, what has been received from it and not yet
// been answered, and the Session that answers.
#pragma once

#include <string>

#include "base/scoped_fd.h"
#include "rsp/packet.h"
#include "rsp/session.h"

namespace chronofork {

class Connection {
 public:
  // `socket` does not block. `stop_event_fd` becoming readable ends a send
  // that gdb does not take.
  Connection(ScopedFd socket, int stop_event_fd, DebugTarget& target)
      : socket_(std::move(socket)), stop_event_fd_(stop_event_fd), session_(target) {}

  int fd() const { return socket_.get(); }
  // False while a packet waits for the target to stop.
  bool wants_input() const { return !held_; }
  // The peer has gone, and all it said before has been seen to.
  bool over() const { return over_; }

  // Reads once.
  void Receive();

  enum class Wish {
    kNothing,    // all is answered
    kResume,     // resume_request(), then SendStop()
    kInterrupt,  // ^C while running; ask again
  };
  // Answers what has been received until something is to be done that is not
  // an answer. `running`: only ^C counts, packets wait.
  Wish Advance(bool running);
  const ResumeRequest& resume_request() const { return session_.resume_request(); }
  bool awaits_stop() const { return awaits_stop_; }
  void SendStop(const StopReply& stop);

 private:
  // What one received thing asks for; nullopt: nothing beyond its answer.
  std::optional<Wish> Take(const RspInput& input, bool running);
  Wish Answer(std::string_view packet);
  void SendReply();
  void Send(std::string_view bytes);

  ScopedFd socket_;
  int stop_event_fd_;
  Session session_;
  PacketReader reader_;
  Reply reply_;
  std::string last_frame_;           // to be sent again if gdb rejects it
  std::optional<std::string> held_;  // came while the target ran
  bool awaits_stop_ = false;
  bool peer_closed_ = false;
  bool over_ = false;
};

}  // namespace chronofork
