// Makes the socket under a name, and takes the name away.
#include "rsp/nameless_socket.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace chronofork {
namespace {

constexpr char kFolder[] = "/chronofork-XXXXXX";
constexpr char kName[] = "/gdb";

Error Failed(const std::string& what, int error_number) {
  Error error = SystemError("socketFailed", what, error_number);
  error.remedy = "Set TMPDIR to a folder that you may write to.";
  return error;
}

// mkdtemp makes it with mode 0700, so that nobody connects by the name.
Result<std::string> MakeFolder() {
  const char* wanted = ::getenv("TMPDIR");
  std::string folder = std::string(wanted && *wanted ? wanted : "/tmp") + kFolder;
  if (folder.size() + sizeof kName > sizeof sockaddr_un::sun_path) folder = std::string("/tmp") + kFolder;
  if (!::mkdtemp(folder.data())) return Failed("A folder for gdb's socket cannot be made at " + folder, errno);
  return folder;
}

Result<NamelessSocket> ListenAt(const std::string& path) {
  NamelessSocket made;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  made.listener = ScopedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made.listener.valid()) return Failed("A socket for gdb cannot be made", errno);
  if (::bind(made.listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return Failed("The socket for gdb cannot be made at " + path, errno);
  // Nobody can connect before listen().
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(made.listener.get(), 4) != 0)
    return Failed("The socket for gdb cannot be used at " + path, errno);
  made.file = ScopedFd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!made.file.valid()) return Failed("The socket for gdb cannot be opened at " + path, errno);
  made.address = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(made.file.get());
  return made;
}

}  // namespace

Result<NamelessSocket> NamelessSocket::Listen() {
  CF_TRY_ASSIGN(std::string folder, MakeFolder());
  const std::string path = folder + kName;
  Result<NamelessSocket> made = ListenAt(path);
  ::unlink(path.c_str());
  ::rmdir(folder.c_str());
  return made;
}

}  // namespace chronofork
