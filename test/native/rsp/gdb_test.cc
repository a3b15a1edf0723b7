// Stock gdb against the server: it connects, looks around, steps, goes back,
// and prints what it should. The debuggee is the scripted program of
// fake_target.h, so that every stop is known beforehand.
#include <doctest/doctest.h>
#include <elf.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "../test/native/rsp/client.h"
#include "../test/native/rsp/fake_target.h"
#include "rsp/register_layout.h"
#include "rsp/server.h"

namespace chronofork {
namespace {

using namespace rsp_test;

bool HasGdb() {
  if (std::system("command -v gdb >/dev/null 2>&1") == 0) return true;
  std::printf("skipped: gdb is not installed\n");
  return false;
}

// The least that gdb takes for an executable: no symbols, no sections.
void WriteExecutable(const std::string& path, const std::vector<std::byte>& code) {
  constexpr size_t kOffset = 0x1000;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_entry = kProgramStart;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr load{};
  load.p_type = PT_LOAD;
  load.p_flags = PF_R | PF_X;
  load.p_offset = kOffset;
  load.p_vaddr = load.p_paddr = kProgramStart;
  load.p_filesz = load.p_memsz = code.size();
  load.p_align = 0x1000;
  std::string file(kOffset + code.size(), '\0');
  std::memcpy(file.data(), &header, sizeof header);
  std::memcpy(file.data() + sizeof header, &load, sizeof load);
  std::memcpy(file.data() + kOffset, code.data(), code.size());
  std::ofstream(path, std::ios::binary).write(file.data(), static_cast<std::streamsize>(file.size()));
}

struct GdbSession {
  PrivateDirectory directory;
  FakeTarget target;
  std::unique_ptr<RspServer> server;

  GdbSession() {
    target.executable = directory.path() + "/program";
    WriteExecutable(target.executable, target.memory[kProgramStart]);
    target.auxv.resize(16);  // AT_NULL
    target.extended.resize(4096);
    uint64_t xcr0 = 0xe7;
    std::memcpy(target.extended.data() + 464, &xcr0, 8);
    auto listening = RspServer::Listen(target);
    REQUIRE(listening.ok());
    server = std::move(listening).value();
  }

  // Runs gdb with `commands` after connecting; what it printed, errors too.
  std::string Run(const std::string& commands) {
    std::string script = directory.path() + "/script";
    std::ofstream(script) << "set sysroot /\nset confirm off\nset width 0\nset remotelogfile " << LogPath()
                          << "\ntarget remote " << server->address() << "\n"
                          << commands << "\n";
    std::string command = "timeout 60 gdb -nx -q -batch -x '" + script + "' 2>&1 </dev/null";
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe);
    std::string output;
    std::array<char, 4096> buffer;
    while (size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), count);
    ::pclose(pipe);
    return output;
  }

  std::string LogPath() const { return directory.path() + "/packets"; }

  // Packets that gdb sent in the last Run() whose text begins with `prefix`.
  int SentPackets(std::string_view prefix = "") const {
    std::ifstream log(LogPath());
    std::string line;
    int count = 0;
    std::string start = "w $" + std::string(prefix);
    while (std::getline(log, line)) {
      // Before QStartNoAckMode the acknowledgement stands before the packet.
      if (line.starts_with("w +$")) line.erase(2, 1);
      count += line.starts_with(start);
    }
    return count;
  }
};

// Whether the lines of `output` hold `expected`, in this order.
void CheckInOrder(const std::string& output, const std::vector<std::string>& expected) {
  size_t at = 0;
  for (const std::string& text : expected) {
    size_t found = output.find(text, at);
    if (found == std::string::npos) {
      FAIL_CHECK("missing or out of order: ", text, "\n--- gdb said ---\n", output);
      return;
    }
    at = found + text.size();
  }
}

TEST_CASE("rsp gdb: connects, and sees registers and memory") {
  if (!HasGdb()) return;
  GdbSession session;
  RegisterLayout layout(RegisterLayout::Xcr0Of(session.target.extended));
  GeneralRegisters ignored{};
  const bool avx = layout.registers().size() > 60;
  for (size_t i = 40; i < layout.registers().size(); ++i) {
    const RegisterSpec& spec = layout.registers()[i];
    std::vector<std::byte> value(spec.length_bytes());
    value[0] = spec.name == "xmm1" ? std::byte{17} : spec.name == "ymm1h" ? std::byte{34} : std::byte{0};
    if (spec.place == RegisterPlace::kExtended) layout.Write(i, value, ignored, session.target.extended);
  }
  std::string output = session.Run(
      "info registers rip eflags\nx/2i $pc\np $xmm1.v16_int8[0]\np $ymm1.v32_int8[16]\ninfo threads\n"
      "monitor hello\np $rsp\np $mxcsr\np/x $fs_base\ninfo auxv\ninfo proc mappings\np $_siginfo.si_signo\n"
      "p *(long *)0x402000 = 77\np *(long *)0x402000\np $rbx = 5\np $st0 = 1.5\np $st0\n"
      "p $ymm1.v8_int32[7] = 9\np $ymm1.v8_int32");
  CheckInOrder(output,
               {"rip            0x401000", "eflags         0x202               [ IF ]", "=> 0x401000:", "$0x0,%rax",
                "0x401007:", "%rax", "= 17\n", avx ? "= 34\n" : "$2", "Thread 4660.4660 \"fake <1>\"", "said hello",
                "7fff0800", "/fake", "= 5\n", "= 77\n", "= 77\n", "= 5\n", "= 1.5\n", "= 1.5\n"});
  if (avx) CheckInOrder(output, {"= 9\n", "= {17, 0, 0, 0, 34, 0, 0, 9}"});
  CHECK(session.target.registers.rbx == 5);
}

TEST_CASE("rsp gdb: conditions are evaluated here, and only their stop is reported") {
  if (!HasGdb()) return;
  GdbSession session;
  std::string output = session.Run("break *0x40100a if $rax == 3\ncontinue\np $rax\ncontinue");
  CheckInOrder(output, {"Breakpoint 1, 0x000000000040100a", "= 3", "reverse-execution history"});
  CHECK(session.target.evaluated_conditions == 5);
  CHECK(session.SentPackets("vCont;c") == 2);
  CHECK(session.SentPackets("Z0,40100a,1;X") >= 1);
}

TEST_CASE("rsp gdb: goes back by instruction, to breakpoints, to a write, and to the beginning") {
  if (!HasGdb()) return;
  GdbSession session;
  std::string output = session.Run(
      "break *0x40100a\ncontinue\ncontinue\ncontinue\ndelete\n"
      "echo == back\\n\nreverse-stepi\np $rax\nreverse-stepi\nreverse-stepi\n"
      "echo == write\\n\nwatch *(long *)0x402000\nreverse-continue\np $rax\np *(long *)0x402000\nx/i $pc\n"
      "echo == breakpoint\\n\ndelete\nbreak *0x401007\nreverse-continue\np $rax\n"
      "echo == begin\\n\ndelete\nreverse-continue\ninfo registers rip\n"
      "echo == end\\n\ncontinue\ninfo registers rip\np $rax\n"
      "echo == again\\n\nreverse-continue\ninfo registers rip\nstepi\ninfo registers rip");
  CheckInOrder(output, {"Breakpoint 1, 0x000000000040100a", "Breakpoint 1, 0x000000000040100a",
                        "Breakpoint 1, 0x000000000040100a",
                        // before the third inc, then the jump and the compare of the second round
                        "== back", "0x0000000000401007", "= 2", "0x0000000000401016", "0x0000000000401012",
                        // the write of the second round is undone: 2 becomes 1
                        "== write", "Hardware watchpoint 2", "Old value = 2", "New value = 1", "= 2", "= 1",
                        "=> 0x40100a:", "== breakpoint", "Breakpoint 3, 0x0000000000401007", "= 1", "== begin",
                        "reverse-execution history", "0x401000", "== end", "reverse-execution history", "0x401018",
                        "= 5", "== again", "reverse-execution history", "0x401000", "0x0000000000401007", "0x401007"});
}

StopReply Stop(StopKind kind) {
  StopReply stop;
  stop.kind = kind;
  stop.tid = kPid;
  return stop;
}

TEST_CASE("rsp gdb: every signal has its name there, and comes back under its number") {
  if (!HasGdb()) return;
  GdbSession session;
  std::string commands = "handle all stop print pass\n";
  std::vector<std::string> names;
  std::vector<int> numbers;
  for (int signal = 1; signal <= 64; ++signal) {
    // gdb keeps SIGINT and SIGTRAP to itself and has no SIGSTKFLT.
    if (signal == SIGINT || signal == SIGTRAP || signal == SIGSTKFLT) continue;
    StopReply stop = Stop(StopKind::kSignal);
    stop.signal = signal;
    session.target.next_stops.push_back(stop);
    std::string name = signal == SIGIO ? "SIGIO"
                       : signal >= 32  ? "SIG" + std::to_string(signal)
                                       : "SIG" + std::string(sigabbrev_np(signal));
    names.push_back("received signal " + name + ",");
    numbers.push_back(signal);
    commands += "continue\n";
  }
  CheckInOrder(session.Run(commands + "continue"), names);
  std::vector<std::string> delivered;
  for (const std::string& note : session.target.TakeNotes()) {
    if (note.starts_with("continue signal ")) delivered.push_back(note.substr(16, note.find(' ', 16) - 16));
  }
  std::vector<std::string> expected;
  for (int number : numbers) expected.push_back(std::to_string(number));
  CHECK(delivered == expected);
}

TEST_CASE("rsp gdb: system calls are caught by number") {
  if (!HasGdb()) return;
  GdbSession session;
  StopReply stop = Stop(StopKind::kSyscallEntry);
  stop.syscall_number = 1;
  session.target.next_stops.push_back(stop);
  stop.kind = StopKind::kSyscallReturn;
  session.target.next_stops.push_back(stop);
  std::string output = session.Run("catch syscall write\ncontinue\ncontinue");
  CheckInOrder(output, {"(call to syscall write)", "(returned from syscall write)"});
}

TEST_CASE("rsp gdb: ^C stops what runs") {
  if (!HasGdb()) return;
  GdbSession session;
  session.target.endless = true;
  const std::string pid_file = session.directory.path() + "/pid";
  std::thread interrupter([&] {
    for (int i = 0; i < 30000 && !session.target.running(); ++i) ::usleep(1000);
    pid_t gdb = 0;
    std::ifstream(pid_file) >> gdb;
    if (gdb > 0) ::kill(gdb, SIGINT);
  });
  std::string output = session.Run("shell echo $PPID > " + pid_file + "\ncontinue\np $rip");
  interrupter.join();
  CheckInOrder(output, {"received signal SIGINT", "= (void (*)()) 0x401000"});
}

TEST_CASE("rsp gdb: an armed jump's answer makes gdb look at everything anew") {
  if (!HasGdb()) return;
  GdbSession session;
  std::string output = session.Run(
      "p *(long *)0x402000\ncontinue\np *(long *)0x402000\np $rax\n"
      "reverse-continue\np *(long *)0x402000\np $rax");
  CheckInOrder(output, {"= 0", "= 5", "= 5", "= 0", "= 0"});
}

// Round trips are what a debugger's user waits for. A number that grows here
// is a reason to look, with `set debug remote 1`, at what gdb now asks.
TEST_CASE("rsp gdb: connecting and stepping cost few packets") {
  if (!HasGdb()) return;
  GdbSession session;
  session.Run("");
  const int connect = session.SentPackets();
  MESSAGE("packets to connect: ", connect);
  CHECK(connect > 5);
  CHECK(connect <= 30);
  const std::pair<const char*, const char*> steps[] = {{"stepi 10", "vCont;s"}, {"reverse-stepi 10", "bs"}};
  for (auto [command, packet] : steps) {
    session.Run(command);
    CAPTURE(command);
    CHECK(session.SentPackets(packet) == 10);
    // What gdb wants to know of registers came with the stop.
    CHECK(session.SentPackets("g") == 0);
    CHECK(session.SentPackets("p") == 0);
    // It reads code to guess at frames, for the program has no unwind table; nothing else is asked.
    const int others = session.SentPackets() - session.SentPackets("m") - session.SentPackets(packet);
    CHECK(others <= connect + 4);
  }
}

}  // namespace
}  // namespace chronofork
