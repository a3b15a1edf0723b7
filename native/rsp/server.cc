// The socket, the thread and its poll loop.
#include "rsp/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>

#include "base/assert.h"
#include "base/log.h"
#include "base/scoped_fd.h"
#include "rsp/connection.h"
#include "rsp/nameless_socket.h"

namespace chronofork {
namespace {

Log rsp_log("rsp");

void Signal(int event_fd) {
  uint64_t one = 1;
  ssize_t ignored = ::write(event_fd, &one, sizeof one);  // fails only when it is set already
  static_cast<void>(ignored);
}

// Where a stop is left for the server's thread. Shared with the target's
// callback, which may come after the server has gone.
struct StopMailbox {
  std::mutex mutex;
  std::optional<StopReply> stop;
  ScopedFd event_fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  void Put(StopReply reply) {
    {
      std::lock_guard lock(mutex);
      stop = std::move(reply);
    }
    Signal(event_fd.get());
  }

  std::optional<StopReply> Take() {
    uint64_t count;
    ssize_t ignored = ::read(event_fd.get(), &count, sizeof count);
    static_cast<void>(ignored);
    std::lock_guard lock(mutex);
    return std::exchange(stop, std::nullopt);
  }
};

}  // namespace

class RspServer::Loop {
 public:
  Loop(NamelessSocket socket, ScopedFd stop_event, std::shared_ptr<StopMailbox> mailbox, DebugTarget& target,
       DisconnectCallback on_disconnect)
      : socket_(std::move(socket)),
        stop_event_(std::move(stop_event)),
        mailbox_(std::move(mailbox)),
        target_(target),
        on_disconnect_(std::move(on_disconnect)),
        thread_([this] { Run(); }) {}

  void Stop() {
    CHRONOFORK_ASSERT(std::this_thread::get_id() != thread_.get_id());
    std::lock_guard lock(stop_mutex_);
    if (!thread_.joinable()) return;
    Signal(stop_event_.get());
    thread_.join();
    socket_.listener.Reset();
    socket_.file.Reset();
  }

  const std::string& address() const { return socket_.address; }

 private:
  void Run() {
    for (;;) {
      // A client that waits for the target to stop is asked only whether it is still there.
      const int socket = connection_ ? connection_->fd() : -1;
      const short wanted = connection_ && connection_->wants_input() ? POLLIN : 0;
      pollfd polled[] = {{stop_event_.get(), POLLIN, 0},
                         {mailbox_->event_fd.get(), POLLIN, 0},
                         {socket, wanted, 0},
                         {socket_.listener.get(), POLLIN, 0}};
      if (::poll(polled, std::size(polled), -1) < 0) {
        CHRONOFORK_ASSERT(errno == EINTR);
        continue;
      }
      if (polled[0].revents) break;
      if (polled[1].revents) TakeStop();
      const bool leaving = polled[2].revents & (POLLHUP | POLLERR);
      if (polled[2].revents) connection_->Receive();
      if (connection_) Process();
      // When one gdb leaves while the next one calls, the first is seen off first.
      if (polled[3].revents && !leaving) Accept();
    }
    if (connection_) Disconnect();
  }

  void Accept() {
    ScopedFd socket(::accept4(socket_.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) return;
    if (connection_) {
      CF_LOG(rsp_log, kInfo, "a second client was turned away");
      return;
    }
    CF_LOG(rsp_log, kInfo, "connected");
    connection_ = std::make_unique<Connection>(std::move(socket), stop_event_.get(), target_);
    if (running_) target_.Interrupt();
  }

  void Process() {
    for (;;) {
      switch (connection_->Advance(running_)) {
        case Connection::Wish::kResume:
          running_ = true;
          target_.Resume(connection_->resume_request(),
                         [mailbox = mailbox_](StopReply stop) { mailbox->Put(std::move(stop)); });
          continue;
        case Connection::Wish::kInterrupt: target_.Interrupt(); continue;
        case Connection::Wish::kNothing: break;
      }
      if (connection_->over()) Disconnect();
      return;
    }
  }

  void TakeStop() {
    std::optional<StopReply> stop = mailbox_->Take();
    if (!stop) return;
    running_ = false;
    // The gdb that resumed may have gone, and another may be here, which did not ask.
    if (connection_ && connection_->awaits_stop()) connection_->SendStop(*stop);
  }

  void Disconnect() {
    CF_LOG(rsp_log, kInfo, "disconnected%s", running_ ? " while the debuggee runs" : "");
    connection_.reset();
    if (on_disconnect_) on_disconnect_(running_);
  }

  NamelessSocket socket_;
  ScopedFd stop_event_;
  std::shared_ptr<StopMailbox> mailbox_;
  DebugTarget& target_;
  DisconnectCallback on_disconnect_;
  // Used by the thread alone.
  std::unique_ptr<Connection> connection_;
  bool running_ = false;
  std::mutex stop_mutex_;
  std::thread thread_;  // last: it starts when everything else is there
};

RspServer::RspServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
RspServer::~RspServer() { Stop(); }
void RspServer::Stop() { loop_->Stop(); }
const std::string& RspServer::address() const { return loop_->address(); }

Result<std::unique_ptr<RspServer>> RspServer::Listen(DebugTarget& target, DisconnectCallback on_disconnect) {
  CF_TRY_ASSIGN(NamelessSocket socket, NamelessSocket::Listen());
  ScopedFd stop_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  auto mailbox = std::make_shared<StopMailbox>();
  if (!stop_event.valid() || !mailbox->event_fd.valid())
    return SystemError("socketFailed", "An eventfd for gdb's server cannot be made", errno);
  auto loop = std::make_unique<Loop>(std::move(socket), std::move(stop_event), std::move(mailbox), target,
                                     std::move(on_disconnect));
  return std::unique_ptr<RspServer>(new RspServer(std::move(loop)));
}

}  // namespace chronofork
