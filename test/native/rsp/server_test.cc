// The server's socket and thread: connections that come and go, runs that do
// not end, and an end from outside at any time.
#include "rsp/server.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
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

struct Served {
  PrivateDirectory directory;
  std::string path = directory.path() + "/gdb";
  FakeTarget target;
  std::mutex mutex;
  std::condition_variable disconnected;
  std::vector<bool> disconnects;  // running?
  std::unique_ptr<RspServer> server;

  Served() {
    auto listening = RspServer::Listen(path, target, [this](bool running) {
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
  Client client(served.path);
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

TEST_CASE("rsp server: the socket is private and goes with the server") {
  Served served;
  struct stat status;
  REQUIRE(::stat(served.path.c_str(), &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK((status.st_mode & 0777) == 0600);
  served.server.reset();
  CHECK(::stat(served.path.c_str(), &status) != 0);
}

TEST_CASE("rsp server: places that it refuses") {
  PrivateDirectory directory;
  FakeTarget target;
  auto code = [&](const std::string& path) {
    auto server = RspServer::Listen(path, target);
    return server.ok() ? "" : server.error().code;
  };
  CHECK(code(directory.path() + "/" + std::string(120, 'x')) == "socketPathTooLong");
  CHECK(code("") == "socketPathTooLong");
  CHECK(code(directory.path() + "/missing/gdb") == "socketFailed");
  REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  CHECK(code(directory.path() + "/gdb") == "socketDirectoryNotPrivate");
  REQUIRE(::chmod(directory.path().c_str(), 0700) == 0);
  CHECK(code(directory.path() + "/gdb") == "");
  auto first = RspServer::Listen(directory.path() + "/gdb", target);
  CHECK(code(directory.path() + "/gdb") == "socketFailed");
}

TEST_CASE("rsp server: an interrupt reaches a running target, and its stop gdb") {
  Served served;
  served.target.endless = true;
  Client client(served.path);
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
  Client client(served.path);
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
  Client first(served.path);
  CHECK(first.Ask("qC") == "QC1234");
  Client second(served.path);
  CHECK(second.ClosedWithin(5000));
  CHECK(first.Ask("qC") == "QC1234");
}

TEST_CASE("rsp server: gdb may leave and come back, at once") {
  Served served;
  for (size_t round = 1; round <= 20; ++round) {
    Client client(served.path);
    REQUIRE(client.Ask("qC") == "QC1234");
    client.SendPacket("qC");  // never read
    client.Close();
  }
  CHECK(served.AwaitDisconnects(20) == std::vector<bool>(20, false));
}

TEST_CASE("rsp server: gdb leaves a running target running; the next one stops it") {
  Served served;
  served.target.endless = true;
  Client first(served.path);
  first.SendPacket("c");
  served.AwaitRunning(true);
  first.Close();
  CHECK(served.AwaitDisconnects(1) == std::vector<bool>{true});
  CHECK(served.target.running());
  served.target.TakeNotes();

  Client second(served.path);
  CHECK(second.Ask("?")->substr(0, 3) == "T02");
  CHECK(served.target.TakeNotes() == Notes{"interrupt"});
}

TEST_CASE("rsp server: a stop that comes after its gdb has gone is not told to the next") {
  Served served;
  served.target.endless = true;
  Client first(served.path);
  first.SendPacket("c");
  served.AwaitRunning(true);
  first.Close();
  served.AwaitDisconnects(1);
  StopReply stop;
  stop.tid = rsp_test::kPid;
  stop.signal = SIGSEGV;
  served.target.Stop(stop);
  Client second(served.path);
  CHECK(second.Ask("qC") == "QC1234");
  CHECK(second.Ask("?")->substr(0, 3) == "T0b");
}

TEST_CASE("rsp server: ends at once, idle, connected or running") {
  for (int state = 0; state < 3; ++state) {
    Served served;
    served.target.endless = true;
    std::optional<Client> client;
    if (state > 0) {
      client.emplace(served.path);
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
  Client client(served.path);
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
  Client client(served.path);
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
