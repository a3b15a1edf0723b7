// Damaged, cut and invented packets: every one is answered or ignored, none
// crashes, reads beyond its end or leaves the session unusable. The seeds are
// fixed, so that a failure comes again.
#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "../test/native/rsp/fake_target.h"
#include "rsp/connection.h"
#include "rsp/session.h"

namespace chronofork {
namespace {

const std::vector<std::string>& Seeds() {
  static const std::vector<std::string> seeds = {
      "qSupported:multiprocess+;swbreak+;hwbreak+;exec-events+;xmlRegisters=i386",
      "vMustReplyEmpty",
      "QStartNoAckMode",
      "?",
      "!",
      "g",
      "Hgp1234.1234",
      "Hc-1",
      "Tp1234.1234",
      "qC",
      "qAttached:1234",
      "qfThreadInfo",
      "qsThreadInfo",
      "qXfer:features:read:target.xml:0,1000",
      "qXfer:auxv:read::0,1000",
      "qXfer:exec-file:read:1234:0,1000",
      "qXfer:libraries-svr4:read::0,1000",
      "qXfer:threads:read::0,1000",
      "qXfer:siginfo:read::0,80",
      std::string("qXfer:siginfo:write::0,\x05\0\0\0", 28),
      "qSymbol::",
      "qSymbol:401000:5f7468726561645f64625f6474765f647476",
      "qGetTLSAddr:p1234.1234,10,402000",
      "QPassSignals:e;10;14;17;1a",
      "QProgramSignals:0;1;3",
      "QCatchSyscalls:1;3b;e7",
      "qRcmd,68656c6c6f",
      "p10",
      "P0=0100000000000000",
      "m401000,40",
      "x401000,40",
      "M402000,4:01020304",
      "X402000,4:abcd",
      "Z0,401007,1;X7,2600002203132726",
      "z0,401007,1",
      "Z2,402000,8",
      "z2,402000,8",
      "Z4,402000,8",
      "vCont?",
      "vCont;c:p1234.-1",
      "vCont;r401000,401010:p1234.1234;c",
      "vCont;C0b:p1234.1234",
      "bc",
      "bs",
      "vFile:setfs:0",
      "vFile:open:2f70726f632f343636302f6d617073,0,0",
      "vFile:pread:0,100,0",
      "vFile:fstat:0",
      "vFile:close:0",
      "vFile:readlink:2f70726f632f343636302f657865",
      "G00112233",
      "D;1234",
      "vKill;1234"};
  return seeds;
}

// One to four small changes.
std::string Mutate(std::string packet, std::mt19937& random) {
  static const std::string alphabet = "0123456789abcdefpPxXzZ:;,.-*}#$+?\x03\xff" + std::string(1, '\0');
  for (unsigned changes = random() % 4 + 1; changes > 0; --changes) {
    size_t at = random() % (packet.size() + 1);
    char c = alphabet[random() % alphabet.size()];
    switch (random() % 6) {
      case 0: packet.insert(at, 1, c); break;
      case 1: packet.resize(at); break;
      case 2: packet.insert(at, std::string(random() % 40, c)); break;
      case 3: packet.erase(at, random() % 4); break;
      case 4: packet += Seeds()[random() % Seeds().size()].substr(0, random() % 20); break;
      default:
        if (at < packet.size()) packet[at] = c;
    }
  }
  return packet;
}

// A copy without a byte to spare, so that a sanitizer sees the first one too many.
Session::Next HandleExactly(Session& session, const std::string& packet, Reply& reply) {
  std::vector<char> exact(packet.begin(), packet.end());
  return session.Handle({exact.data(), exact.size()}, reply);
}

TEST_CASE("rsp fuzz: mutated packets") {
  std::mt19937 random(4711);
  rsp_test::FakeTarget target;
  Session session(target);
  Reply reply;
  int answered = 0, resumed = 0, refused = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string packet = Mutate(Seeds()[random() % Seeds().size()], random);
    CAPTURE(packet);
    Session::Next next = HandleExactly(session, packet, reply);
    if (next == Session::Next::kResume) {
      ++resumed;
      target.Resume(session.resume_request(), [&](StopReply stop) { session.WriteStop(stop, reply); });
    }
    if (next == Session::Next::kNothing) continue;
    if (reply.payload().starts_with("E")) ++refused;
    std::string frame(reply.Finish());
    bool whole = frame.front() == '$' && frame.find('#') == frame.size() - 3;
    if (!whole) FAIL_CHECK("no frame: ", frame.substr(0, 100));
    ++answered;
    target.TakeNotes();
  }
  CHECK(answered > 5000);
  CHECK(resumed > 20);
  CHECK(refused > 500);
  // And after all this it still works.
  CHECK(HandleExactly(session, "qC", reply) == Session::Next::kReply);
  CHECK(reply.payload().starts_with("QC"));
}

TEST_CASE("rsp fuzz: mutated streams, cut anywhere") {
  std::mt19937 random(815);
  int packets = 0;
  for (int round = 0; round < 400; ++round) {
    PacketReader reader;
    for (int i = 0; i < 10; ++i) {
      const std::string& seed = Seeds()[random() % Seeds().size()];
      std::string bytes = Mutate("$" + seed + "#" + (random() % 2 ? "00" : "9a"), random);
      while (!bytes.empty()) {
        size_t count = random() % bytes.size() + 1;
        std::memcpy(reader.Prepare(count).data(), bytes.data(), count);
        reader.Commit(count);
        bytes.erase(0, count);
        for (RspInput input = reader.Next(); input.kind != RspInputKind::kNothing; input = reader.Next()) {
          packets += input.kind == RspInputKind::kPacket || input.kind == RspInputKind::kBadChecksum;
        }
      }
    }
  }
  CHECK(packets > 1000);
}

}  // namespace
}  // namespace chronofork
