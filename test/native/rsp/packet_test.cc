// Framing: what comes in byte by byte, and how replies are encoded.
#include "rsp/packet.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <cstring>
#include <string>
#include <vector>

#include "rsp/packet_cursor.h"
#include "rsp/signal_numbers.h"

namespace chronofork {
namespace {

void Feed(PacketReader& reader, std::string_view bytes) {
  std::span<char> room = reader.Prepare(bytes.size());
  std::memcpy(room.data(), bytes.data(), bytes.size());
  reader.Commit(bytes.size());
}

std::string Frame(std::string_view payload) {
  unsigned sum = 0;
  for (char c : payload) sum += static_cast<unsigned char>(c);
  char tail[8];
  std::snprintf(tail, sizeof tail, "#%02x", sum & 0xff);
  return "$" + std::string(payload) + tail;
}

// As gdb does it: first run lengths, then escapes.
std::string Decode(std::string_view frame) {
  std::string expanded, out;
  for (size_t i = 1; i < frame.size() && frame[i] != '#'; ++i) {
    if (frame[i] == '*')
      expanded.append(static_cast<size_t>(frame[++i] - 29), expanded.back());
    else
      expanded += frame[i];
  }
  for (size_t i = 0; i < expanded.size(); ++i) {
    if (expanded[i] == '}')
      out += static_cast<char>(expanded[++i] ^ 0x20);
    else
      out += expanded[i];
  }
  return out;
}

struct Received {
  RspInputKind kind;
  std::string payload;
  bool operator==(const Received&) const = default;
};

std::vector<Received> Drain(PacketReader& reader) {
  std::vector<Received> all;
  for (RspInput input = reader.Next(); input.kind != RspInputKind::kNothing; input = reader.Next()) {
    all.push_back({input.kind, std::string(input.payload)});
  }
  return all;
}

TEST_CASE("rsp packet: what is received does not depend on how it is cut") {
  const std::string stream = "+" + Frame("qC") + "\x03" +
                             Frame(
                                 "X0,3:a}\x03"
                                 "b") +
                             "garbage-" + Frame("") + "$m0,1#00";
  const std::vector<Received> expected = {{RspInputKind::kAcknowledged, ""},   {RspInputKind::kPacket, "qC"},
                                          {RspInputKind::kInterrupt, ""},      {RspInputKind::kPacket, "X0,3:a#b"},
                                          {RspInputKind::kRejected, ""},       {RspInputKind::kPacket, ""},
                                          {RspInputKind::kBadChecksum, "m0,1"}};
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    PacketReader reader;
    std::vector<Received> received;
    for (size_t at = 0; at < stream.size(); at += piece) {
      Feed(reader, std::string_view(stream).substr(at, piece));
      for (Received& r : Drain(reader)) received.push_back(r);
    }
    CAPTURE(piece);
    CHECK(received == expected);
  }
}

TEST_CASE("rsp packet: one that is too long is thrown away, and the next is read") {
  PacketReader reader;
  Feed(reader, "$");
  const std::string block(64 * 1024, 'a');
  for (size_t sent = 0; sent <= 2 * kMaxPacketBytes; sent += block.size()) {
    Feed(reader, block);
    CHECK(Drain(reader).empty());
  }
  Feed(reader, "#00" + Frame("g"));
  CHECK(Drain(reader) == std::vector<Received>{{RspInputKind::kTooLong, ""}, {RspInputKind::kPacket, "g"}});
}

TEST_CASE("rsp packet: replies are framed, with runs shortened") {
  Reply reply;
  CHECK(reply.Finish() == "$#00");
  reply.Clear();
  CHECK(reply.Text("OK").Finish() == "$OK#9a");
  reply.Clear();
  // "0*" and a space: three more.
  CHECK(reply.Text("0000").Finish() == Frame("0* "));
  reply.Clear();
  CHECK(reply.Text("000").Finish() == Frame("000"));
  reply.Clear();
  CHECK(reply.Hex(0).Text(",").Hex(0xdeadbeefcafe1234).Finish() == Frame("0,deadbeefcafe1234"));
  reply.Clear();
  reply.Text("stale").Failed();
  CHECK(reply.payload() == "E01");
}

TEST_CASE("rsp packet: runs of every length decode to what they were") {
  for (size_t length = 0; length < 400; ++length) {
    Reply reply;
    std::string text = "a" + std::string(length, 'x') + "b";
    std::string frame(reply.Text(text).Finish());
    CAPTURE(length);
    CHECK(Decode(frame) == text);
    CHECK(frame.find('#') == frame.size() - 3);
    CHECK(frame.find('$', 1) == std::string::npos);
  }
}

TEST_CASE("rsp packet: binary data survives, whatever the bytes") {
  std::string data;
  for (int repeat : {1, 2, 5, 7, 8, 100}) {
    for (int byte = 0; byte < 256; ++byte) data.append(static_cast<size_t>(repeat), static_cast<char>(byte));
  }
  Reply reply;
  std::string frame(reply.BinaryBytes(std::as_bytes(std::span(data))).Finish());
  CHECK(Decode(frame) == data);
  CHECK(frame.find('#') == frame.size() - 3);
}

TEST_CASE("rsp packet: fields are read one by one, and never past the end") {
  PacketCursor cursor("1f,p12.-1;rest");
  CHECK(cursor.HexThen(',') == 0x1f);
  auto thread = cursor.Thread();
  REQUIRE(thread);
  CHECK(thread->pid == 0x12);
  CHECK(thread->tid == -1);
  CHECK(cursor.Until(';').empty());
  CHECK(cursor.Until(';') == "rest");
  CHECK(cursor.AtEnd());
  CHECK_FALSE(cursor.Hex());
  CHECK_FALSE(cursor.Thread());
  CHECK(cursor.HexBytes()->empty());
  CHECK_FALSE(PacketCursor("12345678123456789").Hex());
  CHECK(PacketCursor("0000000000000000000000f").Hex() == 0xf);
  CHECK_FALSE(PacketCursor("abc").HexBytes());
  CHECK_FALSE(PacketCursor("ab").HexBytes(~size_t{0}));
  CHECK_FALSE(PacketCursor("p").Thread());
  CHECK_FALSE(PacketCursor("ffffffffff").Thread());
}

TEST_CASE("rsp packet: signals are numbered as gdb does it") {
  const std::pair<int, int> pairs[] = {{SIGINT, 2},   {SIGTRAP, 5},  {SIGBUS, 10},  {SIGSEGV, 11}, {SIGUSR1, 30},
                                       {SIGUSR2, 31}, {SIGCHLD, 20}, {SIGALRM, 14}, {SIGIO, 23},   {SIGPWR, 32},
                                       {32, 77},      {33, 45},      {63, 75},      {64, 78}};
  for (auto [linux_signal, gdb_signal] : pairs) {
    CAPTURE(linux_signal);
    CHECK(GdbSignalOf(linux_signal) == gdb_signal);
    CHECK(LinuxSignalOf(gdb_signal) == linux_signal);
  }
  CHECK(GdbSignalOf(SIGSTKFLT) == 143);
  CHECK(LinuxSignalOf(143) == 0);
  CHECK(LinuxSignalOf(-7) == 0);
}

}  // namespace
}  // namespace chronofork
