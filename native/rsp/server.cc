// The socket, the thread and its poll loop.
#include "rsp/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "base/assert.h"
#include "base/log.h"
#include "base/scoped_fd.h"
#include "rsp/connection.h"

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

Result<void> CheckDirectory(const std::string& socket_path) {
  size_t slash = socket_path.rfind('/');
  std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : socket_path.substr(0, slash);
  struct stat status;
  if (::lstat(directory.c_str(), &status) != 0) {
    return SystemError("socketFailed", "The directory for gdb's socket, " + directory + ", cannot be used", errno);
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return Error{"socketDirectoryNotPrivate",
                 "The directory for gdb's socket, " + directory + ", can be entered by others.",
                 "Give a directory of your own with mode 0700.", 0, 0};
  }
  return {};
}

Result<ScopedFd> MakeSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{"socketPathTooLong", "The path of gdb's socket, " + path + ", is not one that a socket can have.",
                 "Use a shorter directory for temporary files (TMPDIR).", 0, 0};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  CF_TRY(CheckDirectory(path));
  ScopedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return SystemError("socketFailed", "A socket for gdb cannot be made", errno);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return SystemError("socketFailed", "The socket for gdb cannot be made at " + path, errno);
  }
  // Nobody can connect before listen().
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), 4) != 0) {
    int error_number = errno;
    ::unlink(path.c_str());
    return SystemError("socketFailed", "The socket for gdb cannot be used at " + path, error_number);
  }
  return fd;
}

}  // namespace

class RspServer::Loop {
 public:
  Loop(std::string path, ScopedFd listener, ScopedFd stop_event, std::shared_ptr<StopMailbox> mailbox,
       DebugTarget& target, DisconnectCallback on_disconnect)
      : path_(std::move(path)),
        listener_(std::move(listener)),
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
    listener_.Reset();
    ::unlink(path_.c_str());
  }

 private:
  void Run() {
    for (;;) {
      // A client that waits for the target to stop is asked only whether it is still there.
      const int socket = connection_ ? connection_->fd() : -1;
      const short wanted = connection_ && connection_->wants_input() ? POLLIN : 0;
      pollfd polled[] = {{stop_event_.get(), POLLIN, 0},
                         {mailbox_->event_fd.get(), POLLIN, 0},
                         {socket, wanted, 0},
                         {listener_.get(), POLLIN, 0}};
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
    ScopedFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
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

  std::string path_;
  ScopedFd listener_;
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

Result<std::unique_ptr<RspServer>> RspServer::Listen(std::string socket_path, DebugTarget& target,
                                                     DisconnectCallback on_disconnect) {
  CF_TRY_ASSIGN(ScopedFd listener, MakeSocket(socket_path));
  ScopedFd stop_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  auto mailbox = std::make_shared<StopMailbox>();
  if (!stop_event.valid() || !mailbox->event_fd.valid()) {
    int error_number = errno;
    ::unlink(socket_path.c_str());
    return SystemError("socketFailed", "An eventfd for gdb's server cannot be made", error_number);
  }
  auto loop = std::make_unique<Loop>(std::move(socket_path), std::move(listener), std::move(stop_event),
                                     std::move(mailbox), target, std::move(on_disconnect));
  return std::unique_ptr<RspServer>(new RspServer(std::move(loop)));
}

}  // namespace chronofork
