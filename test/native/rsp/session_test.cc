// Packet by packet: what is asked, what is answered, what reaches the target.
#include "rsp/session.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "../test/native/rsp/fake_target.h"

namespace chronofork {
namespace {

using rsp_test::FakeTarget;
using Notes = std::vector<std::string>;

StopReply Stop(StopKind kind, int signal = SIGTRAP) {
  StopReply stop;
  stop.kind = kind;
  stop.tid = rsp_test::kPid;
  stop.signal = signal;
  return stop;
}

struct Conversation {
  FakeTarget target;
  Session session{target};
  Reply reply;

  std::string Ask(std::string_view packet) {
    Session::Next next = session.Handle(packet, reply);
    if (next == Session::Next::kNothing) return "(nothing)";
    if (next == Session::Next::kReply) return std::string(reply.payload());
    StopReply stop;
    target.Resume(session.resume_request(), [&](StopReply s) { stop = s; });
    session.WriteStop(stop, reply);
    return std::string(reply.payload());
  }
};

constexpr char kGdbSupports[] =
    "qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;exec-events+;"
    "vContSupported+;QThreadEvents+;no-resumed+;memory-tagging+;xmlRegisters=i386";

// rbp, rsp and the thread, as they stand in every stop of the fake.
constexpr char kAt401000[] = "06:000cff7f00000000;07:0008ff7f00000000;10:0010400000000000;thread:p1234.1234;";

TEST_CASE("rsp session: packets and their answers") {
  Conversation c;
  CHECK(c.Ask(kGdbSupports).find("PacketSize=100000;") == 0);
  c.target.registers.rbx = 0x1122334455667788;
  const std::pair<std::string_view, std::string> table[] = {
      {"!", "OK"},
      {"?", std::string("T05") + kAt401000},
      {"vMustReplyEmpty", ""},
      {"", ""},
      {"_unknown", ""},
      {"QThreadEvents:1", ""},
      {"qTStatus", ""},
      {"qC", "QCp1234.1234"},
      {"qAttached:1234", "1"},
      {"qfThreadInfo", "mp1234.1234"},
      {"qsThreadInfo", "l"},
      {"Hgp1234.1234", "OK"},
      {"Hg0", "OK"},
      {"Hc-1", "OK"},
      {"Hgp1234.77", "E01"},
      {"Hgp99.1234", "E01"},
      {"Hx1", "E22"},
      {"Hg", "E22"},
      {"Tp1234.1234", "OK"},
      {"Tp1234.1235", "E01"},
      {"T", "E22"},
      {"vCont?", "vCont;c;C;s;S;t;r"},
      {"p1", "8877665544332211"},
      {"p10", "0010400000000000"},
      {"p11", "02020000"},
      {"P1=0100000000000000", "OK"},
      {"p1", "0100000000000000"},
      {"P1=01", "E22"},
      {"P1", "E22"},
      {"p999", "E22"},
      {"p", "E22"},
      {"pz", "E22"},
      {"m401000,4", "48c7c000"},
      {"m401ffe,10", "cccc"},  // up to where it is mapped
      {"m402ffe,ffffffffffff", "0000"},
      {"m1000,4", "E01"},
      {"m401000,0", "E22"},
      {"m401000", "E22"},
      {"m401000,4,", "E22"},
      {"x401007,3", "bH\xff\xc0"},
      {"x1000,1", "E01"},
      {"M402010,2:beef", "OK"},
      {"m402010,2", "beef"},
      {"M402010,2:be", "E22"},
      {"M402010,2:beefxx", "E22"},
      {"M1000,1:00", "E01"},
      {"X402012,0:", "OK"},
      {std::string_view("X402012,2:\0#", 12), "OK"},
      {"m402012,2", "0023"},
      {"X402012,5:abc", "E22"},
      {"Z1,401007,1", "OK"},
      {"Z3,402000,8", ""},
      {"Z9,402000,8", ""},
      {"Z0,401007", "E22"},
      {"Z2,402000,0", "E22"},
      {"Z0,401007,1;X3,2200", "E22"},
      {"Z0,401007,1;X3,22zz27", "E22"},
      {"Z0,401007,1;Xffffffffffffffff,22", "E22"},
      {"Z0,401007,1;cmds:1,X3,220027", "E22"},
      {"z1,401007,1", "OK"},
      {"z1,401007,1", "E01"},
      {"qRcmd,68656c6c6f", "736169642068656c6c6f0a"},
      {"qRcmd,73696c656e74", "OK"},
      {"qRcmd,6", "E22"},
      {"qSymbol::", "qSymbol:5f7468726561645f64625f6c696e6b5f6d61705f6c5f746c735f6d6f646964"},
      {"qSymbol::5f7468726561645f64625f6c696e6b5f6d61705f6c5f746c735f6d6f646964", "OK"},
      {"qGetTLSAddr:p1234.1234,0,0", "E01"},
      {"qGetTLSAddr:p1234.1234,0", "E22"},
      {"QProgramSignals:0;1;2", "OK"},
      {"vCont", "E22"},
      {"vCont;", "E22"},
      {"vCont;x", "E22"},
      {"vCont;s:p1234.9", "E01"},
      {"vCont;C", "E22"},
      {"vCont;r10", "E22"},
      {"vCont;r20,10", "E22"},
      {"bx", ""},
      {"b", ""},
      {"bcc", ""},
      {"QStartNoAckMode", "OK"},
  };
  for (const auto& [packet, answer] : table) {
    CAPTURE(std::string(packet));
    CHECK(c.Ask(packet) == answer);
  }
  CHECK_FALSE(c.session.acknowledge());
}

TEST_CASE("rsp session: what the target is told") {
  Conversation c;
  c.Ask(kGdbSupports);
  const std::tuple<std::string_view, std::string, Notes> table[] = {
      {"QPassSignals:e;1e;4c;97;", "OK", {"pass 10 14"}},  // gdb's numbers; two that Linux has not
      {"QPassSignals:", "OK", {"pass"}},
      {"QPassSignals:zz", "E22", {}},
      {"QCatchSyscalls:0", "OK", {"catch none"}},
      {"QCatchSyscalls:1", "OK", {"catch"}},
      {"QCatchSyscalls:1;3b;e7", "OK", {"catch 59 231"}},
      {"QCatchSyscalls:2", "E22", {}},
      {"QCatchSyscalls:1;", "E22", {}},
      {"Z0,401007,1", "OK", {"break 401007 conditions 0"}},
      {"Z1,401007,1;X3,220127", "OK", {"hbreak 401007 conditions 1"}},
      {"Z0,401007,1;X3,220127X3,220027", "OK", {"break 401007 conditions 2"}},
      {"Z0,401007,1;X3,220127;X3,220027", "OK", {"break 401007 conditions 2"}},
      {"Z2,402000,1000", "OK", {"watch 402000 4096"}},
      {"Z4,402001,1", "OK", {"awatch 402001 1"}},
      {"qRcmd,6869",
       "73616964206869"
       "0a",
       {"monitor hi"}},
      {"vKill;1234", "OK", {"kill"}},
      {"vKill;77", "E22", {}},
      {"k", "(nothing)", {"kill"}},
      {"D;1234", "OK", {"detach"}},
      {"D", "OK", {"detach"}},
  };
  for (const auto& [packet, answer, notes] : table) {
    CAPTURE(std::string(packet));
    CHECK(c.Ask(packet) == answer);
    CHECK(c.target.TakeNotes() == notes);
  }
}

TEST_CASE("rsp session: how it is resumed") {
  const std::pair<std::string_view, std::string> table[] = {
      {"vCont;c", "continue"},
      {"vCont;c:p1234.-1", "continue"},
      {"vCont;s:p1234.1234;c:p1234.-1", "step tid 1234"},
      {"vCont;c:p1234.-1;s:p1234.1234", "step tid 1234"},
      {"vCont;C1e:p1234.1234;c", "continue signal 10 tid 1234"},
      {"vCont;c:p1234.1234", "continue tid 1234 alone"},
      {"vCont;s:p1234.1234", "step tid 1234 alone"},
      {"vCont;S0b", "step signal 11"},
      {"vCont;r401000,401012:p1234.1234;c:p1234.-1", "step range tid 1234 401000-401012"},
      {"c", "continue"},
      {"s", "step"},
      {"C05", "continue signal 5"},
      {"S02", "step signal 2"},
      {"bc", "reverse continue"},
      {"bs", "reverse step"},
  };
  for (const auto& [packet, note] : table) {
    Conversation c;
    CAPTURE(std::string(packet));
    CHECK(c.Ask(packet).substr(0, 3) == "T05");
    CHECK(c.target.TakeNotes() == Notes{note});
  }
}

TEST_CASE("rsp session: backwards, Hc names the thread that goes alone") {
  Conversation c;
  const std::tuple<std::string_view, std::string_view, std::string> table[] = {
      {"Hcp1234.1234", "bs", "reverse step tid 1234 alone"},
      {"Hcp1234.1234", "bc", "reverse continue tid 1234 alone"},
      {"Hcp1234.-1", "bc", "reverse continue"},
      {"Hc0", "bs", "reverse step"},
  };
  for (const auto& [thread, packet, note] : table) {
    CAPTURE(std::string(packet));
    CHECK(c.Ask(thread) == "OK");
    CHECK(c.Ask(packet).substr(0, 3) == "T05");
    CHECK(c.target.TakeNotes() == Notes{note});
  }
}

TEST_CASE("rsp session: stops") {
  using K = StopKind;
  auto stop = [](K kind, auto... change) {
    StopReply s = Stop(kind);
    (change(s), ...);
    return s;
  };
  const std::pair<StopReply, std::string> table[] = {
      {stop(K::kSignal), "T05"},
      {stop(K::kSignal, [](StopReply& s) { s.signal = SIGUSR1; }), "T1e"},
      {stop(K::kSignal, [](StopReply& s) { s.signal = 0; }), "T05"},
      {stop(K::kBreakpoint, [](StopReply& s) { s.signal = SIGSEGV; }), "T05swbreak:;"},
      {stop(K::kBreakpoint, [](StopReply& s) { s.breakpoint = BreakpointKind::kHardware; }), "T05hwbreak:;"},
      {stop(K::kWatchpoint, [](StopReply& s) { s.watch_address = TraceeAddress(0x402000); }), "T05watch:402000;"},
      {stop(K::kWatchpoint, [](StopReply& s) { s.watch = WatchKind::kAccess; }), "T05awatch:0;"},
      {stop(K::kSyscallEntry, [](StopReply& s) { s.syscall_number = 0x3b; }), "T05syscall_entry:3b;"},
      {stop(K::kSyscallReturn, [](StopReply& s) { s.syscall_number = 0; }), "T05syscall_return:0;"},
      {stop(K::kHistoryBegin), "T05replaylog:begin;"},
      {stop(K::kHistoryEnd), "T05replaylog:end;"},
      {stop(K::kLibraries), "T05library:;"},
      {stop(K::kExec, [](StopReply& s) { s.exec_path = "/a"; }), "T05exec:2f61;"},
  };
  Conversation c;
  c.Ask(kGdbSupports);
  for (const auto& [reason, expected] : table) {
    c.target.next_stops = {reason};
    CAPTURE(expected);
    CHECK(c.Ask("vCont;c") == expected + kAt401000);
  }
  c.target.next_stops = {stop(K::kKilled, [](StopReply& s) { s.signal = SIGKILL; })};
  CHECK(c.Ask("vCont;c") == "X09;process:1234");
}

TEST_CASE("rsp session: a gdb that understands less is told less") {
  Conversation c;
  c.Ask("qSupported:xmlRegisters=i386");
  c.target.next_stops = {Stop(StopKind::kBreakpoint)};
  CHECK(c.Ask("c") == "T0506:000cff7f00000000;07:0008ff7f00000000;10:0010400000000000;thread:1234;");
  CHECK(c.Ask("qC") == "QC1234");
  CHECK(c.Ask("qfThreadInfo") == "m1234");
  CHECK(c.Ask("T1234") == "OK");
}

TEST_CASE("rsp session: a new gdb hears a plain stop, whatever it was") {
  Conversation c;
  c.Ask(kGdbSupports);
  for (StopKind kind : {StopKind::kBreakpoint, StopKind::kWatchpoint, StopKind::kHistoryEnd, StopKind::kLibraries}) {
    c.target.last_stop = Stop(kind, SIGSEGV);
    CHECK(c.Ask("?") == std::string("T05") + kAt401000);
  }
  c.target.last_stop = Stop(StopKind::kSignal, SIGSEGV);
  CHECK(c.Ask("?") == std::string("T0b") + kAt401000);
}

TEST_CASE("rsp session: objects are read in pieces that fit together") {
  Conversation c;
  c.Ask(kGdbSupports);
  CHECK(c.Ask("qXfer:exec-file:read:1234:0,1000") == "l/bin/true");
  CHECK(c.Ask("qXfer:exec-file:read:1234:0,4") == "m/bin");
  CHECK(c.Ask("qXfer:exec-file:read:1234:4,4") == "m/tru");
  CHECK(c.Ask("qXfer:exec-file:read:1234:8,4") == "le");
  CHECK(c.Ask("qXfer:exec-file:read:1234:9,4") == "l");
  CHECK(c.Ask("qXfer:exec-file:read:1234:ffffffffffffffff,4") == "l");
  CHECK(c.Ask("qXfer:threads:read::0,1000") ==
        "l<threads><thread id=\"p1234.1234\" name=\"fake &lt;1&gt;\"/></threads>");
  CHECK(c.Ask("qXfer:libraries-svr4:read::0,1000") == "l<library-list-svr4 version=\"1.0\"/>");
  c.target.libraries = TargetLibraries{
      TraceeAddress(0x50), TraceeAddress(0x10), {{"/lib/a&b.so", TraceeAddress(0x20), 0x30, TraceeAddress(0x40)}}};
  CHECK(c.Ask("qXfer:libraries-svr4:read::0,1000") ==
        "l<library-list-svr4 version=\"1.0\" main-lm=\"0x10\"><library name=\"/lib/a&amp;b.so\" lm=\"0x20\" "
        "l_addr=\"0x30\" l_ld=\"0x40\" lmid=\"0x50\"/></library-list-svr4>");
  c.target.auxv = {std::byte{'#'}, std::byte{0}};
  CHECK(c.Ask("qXfer:auxv:read::0,1000") == std::string("l}\x03\0", 4));
  CHECK(c.Ask("qXfer:features:read:other.xml:0,1000") == "E01");
  CHECK(c.Ask("qXfer:features:read:target.xml:0,10") == "m<?xml version=\"1");
  CHECK(c.Ask("qXfer:osdata:read::0,1000") == "");
  CHECK(c.Ask("qXfer:auxv:write::0,xx") == "");
  CHECK(c.Ask("qXfer:auxv:read::0") == "E22");
  CHECK(c.Ask("qXfer") == "E22");
}

TEST_CASE("rsp session: siginfo is read and written") {
  Conversation c;
  c.target.siginfo.si_signo = SIGSEGV;
  c.target.siginfo.si_addr = reinterpret_cast<void*>(0x1234);
  std::string read = c.Ask("qXfer:siginfo:read::0,1000");
  CHECK(read.substr(0, 5) == std::string("l\x0b\0\0\0", 5));
  CHECK(c.Ask(std::string_view("qXfer:siginfo:write::0,\x06\0\0\0", 27)) == "4");
  CHECK(c.target.siginfo.si_signo == SIGABRT);
  CHECK(c.target.siginfo.si_addr == reinterpret_cast<void*>(0x1234));
  CHECK(c.Ask("qXfer:siginfo:write::7f,ab") == "E22");
  CHECK(c.Ask("qXfer:siginfo:write::ffffffffffffffff,a") == "E22");
}

TEST_CASE("rsp session: files are read, never written") {
  Conversation c;
  auto hex = [](std::string_view text) {
    Reply r;
    return std::string(r.HexText(text).payload());
  };
  CHECK(c.Ask("vFile:setfs:0") == "F0");
  CHECK(c.Ask("vFile:open:" + hex("/proc/4660/maps") + ",0,0") == "F0");
  CHECK(c.Ask("vFile:pread:0,8,0") == "F8;00401000");
  CHECK(c.Ask("vFile:pread:0,1000,2c") == "F2;e\n");
  CHECK(c.Ask("vFile:pread:0,1000,1000") == "F0;");
  std::string status = c.Ask("vFile:fstat:0");
  CHECK(status.substr(0, 4) == "F40;");
  CHECK(c.Ask("vFile:open:" + hex("/proc/4660/task/4660/maps") + ",0,1c0") == "F1");
  CHECK(c.Ask("vFile:close:0") == "F0");
  CHECK(c.Ask("vFile:close:0") == "F-1,9");
  CHECK(c.Ask("vFile:pread:0,8,0") == "F-1,9");
  CHECK(c.Ask("vFile:open:" + hex("/proc/self/exe") + ",0,0") == "F0");
  CHECK(c.Ask("vFile:pread:0,4,0") ==
        "F4;\x7f"
        "ELF");
  CHECK(c.Ask("vFile:open:" + hex("/nonexistent") + ",0,0") == "F-1,2");
  CHECK(c.Ask("vFile:open:" + hex("/tmp") + ",0,0") == "F-1,15");
  CHECK(c.Ask("vFile:open:" + hex("/dev/null") + ",0,0") == "F-1,d");
  CHECK(c.Ask("vFile:open:" + hex("/tmp/new") + ",201,1c0") == "F-1,1e");
  CHECK(c.Ask("vFile:open:" + hex("/proc/4660/mem") + ",0,0") == "F-1,d");
  CHECK(c.Ask("vFile:open:" + hex("/proc/4660/../1/maps") + ",0,0") == "F-1,d");
  CHECK(c.Ask("vFile:readlink:" + hex("/proc/4660/exe")) == "F9;/bin/true");
  CHECK(c.Ask("vFile:readlink:" + hex("/proc/4660/cwd")) == "Fa;/somewhere");
  CHECK(c.Ask("vFile:readlink:" + hex("/nonexistent")) == "F-1,2");
  CHECK(c.Ask("vFile:unlink:" + hex("/tmp/x")) == "F-1,1e");
  CHECK(c.Ask("vFile:pwrite:0,0,x") == "F-1,1e");
  CHECK(c.Ask("vFile:stat:00") == "");
  CHECK(c.Ask("vFile:open:zz,0,0") == "E22");
  CHECK(c.Ask("vFile:pread:0") == "E22");
  CHECK(c.Ask("vFile") == "E22");
}

}  // namespace
}  // namespace chronofork
