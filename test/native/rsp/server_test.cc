// The server's socket and thread: connections that come and go, runs that do
// not end, and an end from outside at any time.
#include "rsp/server.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "../test/native/rsp/client.h"
#include "../test/native/rsp/fake_target.h"

namespace chronofork {
namespace {

using rsp_test::Client;
using rsp_test::FakeTarget;
using rsp_test::PrivateDirectory;
using Notes = std::vector<std::string>;

// Sets a variable of the environment for as long as it lives.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* former = ::getenv(name)) former_ = former;
    ::setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() {
    if (former_)
      ::setenv(name_, former_->c_str(), 1);
    else
      ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> former_;
};

struct Served {
  FakeTarget target;
  std::mutex mutex;
  std::condition_variable disconnected;
  std::vector<bool> disconnects;  // running?
  std::unique_ptr<RspServer> server;

  Served() {
    auto listening = RspServer::Listen(target, [this](bool running) {
      std::lock_guard lock(mutex);
      disconnects.push_back(running);
      disconnected.notify_all();
    });
    REQUIRE(listening.ok());
    server = std::move(listening).value();
  }

  // The disconnects so far, when there are `count` of them.
  std::vector<bool> AwaitDisconnects(size_t count) {
    std::unique_lock lock(mutex);
    disconnected.wait_for(lock, std::chrono::seconds(5), [&] { return disconnects.size() >= count; });
    return disconnects;
  }

  void AwaitRunning(bool running) {
    for (int i = 0; i < 5000 && target.running() != running; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    REQUIRE(target.running() == running);
  }
};

TEST_CASE("rsp server: acknowledges until told not to") {
  Served served;
  Client client(served.server->address());
  client.SendPacket("qC");
  CHECK(client.ReceiveByte() == '+');
  CHECK(client.Receive() == "QC1234");
  client.Send("-");
  CHECK(client.Receive() == "QC1234");  // once more
  client.Send("+$qC#00");
  CHECK(client.ReceiveByte() == '-');
  client.SendPacket("QStartNoAckMode");
  CHECK(client.ReceiveByte() == '+');
  CHECK(client.Receive() == "OK");
  client.Send("+");
  client.SendPacket("qC");
  CHECK(client.ReceiveByte() == '$');
}

TEST_CASE("rsp server: the socket has no name that could be left behind") {
  PrivateDirectory directory;
  ScopedVariable temporary("TMPDIR", directory.path());
  Served served;
  CHECK(std::filesystem::is_empty(directory.path()));
  const std::string address = served.server->address();
  struct stat status;
  REQUIRE(::stat(address.c_str(), &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(Client(address).connected());
  served.server.reset();
  CHECK_FALSE(Client(address).connected());
}

TEST_CASE("rsp server: a folder for temporary files that cannot be used, or is too deep") {
  FakeTarget target;
  PrivateDirectory directory;
  {
    ScopedVariable temporary("TMPDIR", directory.path() + "/missing");
    auto server = RspServer::Listen(target);
    REQUIRE_FALSE(server.ok());
    CHECK(server.error().code == "socketFailed");
    CHECK(server.error().remedy.find("TMPDIR") != std::string::npos);
  }
  ScopedVariable temporary("TMPDIR", directory.path() + "/" + std::string(120, 'x'));
  auto server = RspServer::Listen(target);
  REQUIRE(server.ok());
  CHECK(Client((*server)->address()).connected());
}

TEST_CASE("rsp server: an interrupt reaches a running target, and its stop gdb") {
  Served served;
  served.target.endless = true;
  Client client(served.server->address());
  client.Send("\x03");  // stopped: means nothing
  client.SendPacket("vCont;c");
  served.AwaitRunning(true);
  CHECK_FALSE(client.Receive(50));
  client.Send("\x03");
  CHECK(client.Receive()->substr(0, 3) == "T02");
  CHECK(served.target.TakeNotes() == Notes{"continue", "interrupt"});

  // In the same breath.
  client.Send("$vCont;c#a8\x03");
  CHECK(client.Receive()->substr(0, 3) == "T02");
}

TEST_CASE("rsp server: packets sent while the target runs are answered afterwards, in order") {
  Served served;
  served.target.endless = true;
  Client client(served.server->address());
  client.SendPacket("c");
  client.SendPacket("qC");
  client.SendPacket("qfThreadInfo");
  served.AwaitRunning(true);
  CHECK_FALSE(client.Receive(50));
  StopReply stop;
  stop.tid = rsp_test::kPid;
  served.target.Stop(stop);
  CHECK(client.Receive()->substr(0, 3) == "T05");
  CHECK(client.Receive() == "QC1234");
  CHECK(client.Receive() == "m1234");
}

TEST_CASE("rsp server: a second client is turned away while there is a first") {
  Served served;
  Client first(served.server->address());
  CHECK(first.Ask("qC") == "QC1234");
  Client second(served.server->address());
  CHECK(second.ClosedWithin(5000));
  CHECK(first.Ask("qC") == "QC1234");
}

TEST_CASE("rsp server: gdb may leave and come back, at once") {
  Served served;
  for (size_t round = 1; round <= 20; ++round) {
    Client client(served.server->address());
    REQUIRE(client.Ask("qC") == "QC1234");
    client.SendPacket("qC");  // never read
    client.Close();
  }
  CHECK(served.AwaitDisconnects(20) == std::vector<bool>(20, false));
}

TEST_CASE("rsp server: gdb leaves a running target running; the next one stops it") {
  Served served;
  served.target.endless = true;
  Client first(served.server->address());
  first.SendPacket("c");
  served.AwaitRunning(true);
  first.Close();
  CHECK(served.AwaitDisconnects(1) == std::vector<bool>{true});
  CHECK(served.target.running());
  served.target.TakeNotes();

  Client second(served.server->address());
  CHECK(second.Ask("?")->substr(0, 3) == "T02");
  CHECK(served.target.TakeNotes() == Notes{"interrupt"});
}

TEST_CASE("rsp server: a stop that comes after its gdb has gone is not told to the next") {
  Served served;
  served.target.endless = true;
  Client first(served.server->address());
  first.SendPacket("c");
  served.AwaitRunning(true);
  first.Close();
  served.AwaitDisconnects(1);
  StopReply stop;
  stop.tid = rsp_test::kPid;
  stop.signal = SIGSEGV;
  served.target.Stop(stop);
  Client second(served.server->address());
  CHECK(second.Ask("qC") == "QC1234");
  CHECK(second.Ask("?")->substr(0, 3) == "T0b");
}

TEST_CASE("rsp server: ends at once, idle, connected or running") {
  for (int state = 0; state < 3; ++state) {
    Served served;
    served.target.endless = true;
    std::optional<Client> client;
    if (state > 0) {
      client.emplace(served.server->address());
      REQUIRE(client->Ask("qC") == "QC1234");
    }
    if (state == 2) {
      client->SendPacket("c");
      served.AwaitRunning(true);
    }
    auto before = std::chrono::steady_clock::now();
    served.server->Stop();
    served.server->Stop();
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(1));
    served.server.reset();
    if (client) CHECK(client->ClosedWithin(1000));
    // The stop of a run whose server has gone.
    served.target.Stop(StopReply{});
  }
}

TEST_CASE("rsp server: ends though its client takes nothing") {
  Served served;
  served.target.memory[0x10000000] = std::vector<std::byte>(1 << 20, std::byte{0x5a});
  for (size_t i = 0; i < (1 << 20); ++i) served.target.memory[0x10000000][i] = static_cast<std::byte>(i * 37 >> 3);
  Client client(served.server->address());
  for (int i = 0; i < 20; ++i) client.SendPacket("m10000000,7ff00");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  auto before = std::chrono::steady_clock::now();
  served.server->Stop();
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(1));
}

TEST_CASE("rsp server: long reads arrive whole") {
  Served served;
  auto& region = served.target.memory[0x10000000];
  region.resize(0x10000);
  for (size_t i = 0; i < region.size(); ++i) region[i] = static_cast<std::byte>(i * 37 >> 3);
  Client client(served.server->address());
  std::optional<std::string> reply = client.Ask("m10000000,10000");
  REQUIRE(reply);
  size_t digits = 0;
  for (size_t i = 0; i < reply->size(); ++i) {
    if ((*reply)[i] == '*')
      digits += static_cast<size_t>((*reply)[++i] - 29);
    else
      ++digits;
  }
  CHECK(digits == 2 * region.size());
}

}  // namespace
}  // namespace chronofork
