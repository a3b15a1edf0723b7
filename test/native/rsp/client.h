// A client for the server's tests: connects, sends raw bytes, receives packets.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/scoped_fd.h"

namespace chronofork::rsp_test {

// A directory of our own under the temporary one, removed with what is in it.
class PrivateDirectory {
 public:
  PrivateDirectory();
  ~PrivateDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class Client {
 public:
  explicit Client(const std::string& socket_path);

  bool connected() const { return fd_.valid(); }
  void Send(std::string_view bytes);
  // Frames and sends.
  void SendPacket(std::string_view payload);
  // The payload of the next packet as it is on the wire; nullopt if none comes
  // within `timeout_ms` or the connection ends. Acknowledgements are skipped.
  std::optional<std::string> Receive(int timeout_ms = 5000);
  std::optional<std::string> Ask(std::string_view payload);
  // The next byte, whatever it is.
  std::optional<char> ReceiveByte(int timeout_ms = 5000);
  // True if the server closes the connection within the time.
  bool ClosedWithin(int timeout_ms);
  void Close() { fd_.Reset(); }

 private:
  ScopedFd fd_;
  std::string received_;
};

}  // namespace chronofork::rsp_test
