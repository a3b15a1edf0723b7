// Plain blocking socket calls with timeouts.
#include "../test/native/rsp/client.h"

#include <dirent.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace chronofork::rsp_test {

PrivateDirectory::PrivateDirectory() {
  const char* temporary = std::getenv("TMPDIR");
  path_ = std::string(temporary && *temporary ? temporary : "/tmp") + "/chronofork-rsp-XXXXXX";
  REQUIRE(::mkdtemp(path_.data()) != nullptr);
}

PrivateDirectory::~PrivateDirectory() {
  if (DIR* directory = ::opendir(path_.c_str())) {
    while (dirent* entry = ::readdir(directory)) ::unlink((path_ + "/" + entry->d_name).c_str());
    ::closedir(directory);
  }
  ::rmdir(path_.c_str());
}

Client::Client(const std::string& socket_path) {
  ScopedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) fd_ = std::move(fd);
}

void Client::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) return;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

void Client::SendPacket(std::string_view payload) {
  unsigned sum = 0;
  for (char c : payload) sum += static_cast<unsigned char>(c);
  char tail[8];
  std::snprintf(tail, sizeof tail, "#%02x", sum & 0xff);
  Send("$" + std::string(payload) + tail);
}

std::optional<char> Client::ReceiveByte(int timeout_ms) {
  if (received_.empty()) {
    pollfd polled{fd_.get(), POLLIN, 0};
    if (::poll(&polled, 1, timeout_ms) <= 0) return std::nullopt;
    char buffer[65536];
    ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (count <= 0) return std::nullopt;
    received_.assign(buffer, static_cast<size_t>(count));
  }
  char c = received_.front();
  received_.erase(0, 1);
  return c;
}

std::optional<std::string> Client::Receive(int timeout_ms) {
  std::optional<char> c;
  do c = ReceiveByte(timeout_ms);
  while (c && *c != '$');
  std::string payload;
  for (c = c ? ReceiveByte(timeout_ms) : c; c && *c != '#'; c = ReceiveByte(timeout_ms)) payload += *c;
  if (!c || !ReceiveByte(timeout_ms) || !ReceiveByte(timeout_ms)) return std::nullopt;
  return payload;
}

std::optional<std::string> Client::Ask(std::string_view payload) {
  SendPacket(payload);
  return Receive();
}

bool Client::ClosedWithin(int timeout_ms) {
  for (;;) {
    pollfd polled{fd_.get(), POLLIN, 0};
    if (::poll(&polled, 1, timeout_ms) <= 0) return false;
    char rest[4096];  // answers that nobody waited for
    if (::recv(fd_.get(), rest, sizeof rest, 0) <= 0) return true;
  }
}

}  // namespace chronofork::rsp_test
