// Receiving, acknowledging and sending.
#include "rsp/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/log.h"

namespace chronofork {
namespace {

Log rsp_log("rsp");

// One read takes a burst of small packets, or a good part of a large one.
constexpr size_t kReadBytes = 64 * 1024;

void LogPacket(const char* direction, std::string_view packet) {
  if (!rsp_log.Enabled(LogLevel::kDebug)) return;
  constexpr size_t kShownBytes = 160;
  std::string shown(packet.substr(0, kShownBytes));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '.';
  }
  CF_LOG(rsp_log, kDebug, "%s %s%s (%zu bytes)", direction, shown.c_str(), packet.size() > kShownBytes ? "…" : "",
         packet.size());
}

}  // namespace

void Connection::Receive() {
  std::span<char> room = reader_.Prepare(kReadBytes);
  ssize_t count = ::recv(socket_.get(), room.data(), room.size(), 0);
  if (count > 0) return reader_.Commit(static_cast<size_t>(count));
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  peer_closed_ = true;
}

Connection::Wish Connection::Advance(bool running) {
  while (!over_) {
    if (held_) {
      if (running) break;
      std::string packet = *std::exchange(held_, std::nullopt);
      if (Wish wish = Answer(packet); wish != Wish::kNothing) return wish;
      continue;
    }
    RspInput input = reader_.Next();
    if (input.kind == RspInputKind::kNothing) break;
    if (std::optional<Wish> wish = Take(input, running)) return *wish;
  }
  if (peer_closed_) over_ = true;
  return Wish::kNothing;
}

std::optional<Connection::Wish> Connection::Take(const RspInput& input, bool running) {
  switch (input.kind) {
    case RspInputKind::kInterrupt:
      CF_LOG(rsp_log, kDebug, "<- ^C%s", running ? "" : " (ignored: stopped)");
      return running ? std::optional(Wish::kInterrupt) : std::nullopt;
    case RspInputKind::kRejected:
      if (!last_frame_.empty()) Send(last_frame_);
      return std::nullopt;
    case RspInputKind::kBadChecksum:
      if (session_.acknowledge()) {
        Send("-");
        return std::nullopt;
      }
      CF_LOG(rsp_log, kError, "a packet's checksum is wrong");
      break;  // a socket loses nothing: the sender miscounted
    case RspInputKind::kTooLong:
      if (session_.acknowledge()) Send("+");
      reply_.Malformed();
      SendReply();
      return std::nullopt;
    case RspInputKind::kPacket:
      if (session_.acknowledge()) Send("+");
      break;
    case RspInputKind::kNothing:
    case RspInputKind::kAcknowledged: return std::nullopt;
  }
  LogPacket("<-", input.payload);
  if (running) {
    held_ = std::string(input.payload);
    return std::nullopt;
  }
  Wish wish = Answer(input.payload);
  return wish == Wish::kNothing ? std::nullopt : std::optional(wish);
}

Connection::Wish Connection::Answer(std::string_view packet) {
  switch (session_.Handle(packet, reply_)) {
    case Session::Next::kReply: SendReply(); break;
    case Session::Next::kNothing: break;
    case Session::Next::kResume: awaits_stop_ = true; return Wish::kResume;
  }
  return Wish::kNothing;
}

void Connection::SendStop(const StopReply& stop) {
  awaits_stop_ = false;
  session_.WriteStop(stop, reply_);
  SendReply();
}

void Connection::SendReply() {
  LogPacket("->", reply_.payload());
  std::string_view frame = reply_.Finish();
  if (session_.acknowledge())
    last_frame_ = frame;
  else
    last_frame_.clear();
  Send(frame);
}

void Connection::Send(std::string_view bytes) {
  while (!bytes.empty() && !over_) {
    ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd polled[] = {{socket_.get(), POLLOUT, 0}, {stop_event_fd_, POLLIN, 0}};
      ::poll(polled, 2, -1);
      if (polled[1].revents) over_ = true;
    } else if (errno != EINTR) {
      over_ = true;
    }
  }
}

}  // namespace chronofork
