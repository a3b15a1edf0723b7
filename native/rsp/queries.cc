// What we can do (qSupported), what gdb wishes of signals and system calls,
// and `monitor`.
#include "rsp/handlers.h"
#include "rsp/signal_numbers.h"

namespace chronofork {
namespace {

constexpr char kSupported[] =
    "PacketSize=100000;QStartNoAckMode+;multiprocess+;swbreak+;hwbreak+;vContSupported+;exec-events+;"
    "ReverseStep+;ReverseContinue+;ConditionalBreakpoints+;binary-upload+;"
    "qXfer:features:read+;qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:libraries-svr4:read+;"
    "qXfer:threads:read+;qXfer:siginfo:read+;qXfer:siginfo:write+;"
    "QPassSignals+;QProgramSignals+;QCatchSyscalls+";
static_assert(kMaxPacketBytes == 0x100000);

void Supported(SessionState& state, PacketCursor& packet, Reply& reply) {
  state.features = {};
  packet.Consume(':');
  while (!packet.AtEnd()) {
    std::string_view feature = packet.Until(';');
    if (feature == "multiprocess+") state.features.multiprocess = true;
    if (feature == "swbreak+") state.features.swbreak = true;
    if (feature == "hwbreak+") state.features.hwbreak = true;
    if (feature == "exec-events+") state.features.exec_events = true;
  }
  reply.Text(kSupported);
}

void StopAcknowledging(SessionState& state, PacketCursor&, Reply& reply) {
  state.acknowledge = false;
  reply.Text("OK");
}

void Accept(SessionState&, PacketCursor&, Reply& reply) { reply.Text("OK"); }

// gdb asks so to know whether to detach or to kill when it ends: the
// debuggee is not its own.
void WasAttached(SessionState&, PacketCursor&, Reply& reply) { reply.Text("1"); }

void PassSignals(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!packet.Consume(':')) return reply.Malformed();
  std::set<int> signals;
  while (!packet.AtEnd()) {
    std::optional<uint64_t> number = packet.Hex();
    if (!number || *number > 0xffff || (!packet.AtEnd() && !packet.Consume(';'))) return reply.Malformed();
    int signal = LinuxSignalOf(static_cast<int>(*number));
    if (signal != 0) signals.insert(signal);  // gdb also names signals that Linux has not
  }
  state.target.PassSignals(std::move(signals));
  reply.Text("OK");
}

// QCatchSyscalls:0, :1 (all), :1;3b;e7 (these).
void CatchSyscalls(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!packet.Consume(':')) return reply.Malformed();
  if (packet.rest() == "0") {
    state.target.CatchSyscalls(std::nullopt);
    reply.Text("OK");
    return;
  }
  if (!packet.Consume('1')) return reply.Malformed();
  std::set<long> numbers;
  while (packet.Consume(';')) {
    std::optional<uint64_t> number = packet.Hex();
    if (!number || *number > 0xffff) return reply.Malformed();
    numbers.insert(static_cast<long>(*number));
  }
  if (!packet.AtEnd()) return reply.Malformed();
  state.target.CatchSyscalls(std::move(numbers));
  reply.Text("OK");
}

void Monitor(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<std::string> text = packet.Consume(',') ? packet.HexText() : std::nullopt;
  if (!text || !packet.AtEnd()) return reply.Malformed();
  std::string output = state.target.Monitor(*text);
  constexpr size_t kMaxOutput = (kMaxPacketBytes - 16) / 2;
  if (output.empty())
    reply.Text("OK");
  else
    reply.HexText(std::string_view(output).substr(0, kMaxOutput));
}

constexpr HandlerEntry kHandlers[] = {
    {"qSupported", Supported},
    {"QStartNoAckMode", StopAcknowledging},
    {"!", Accept},
    {"qAttached", WasAttached},
    {"QPassSignals", PassSignals},
    {"QProgramSignals", Accept},
    {"QCatchSyscalls", CatchSyscalls},
    {"qRcmd", Monitor},
};

}  // namespace

std::span<const HandlerEntry> QueryHandlers() { return kHandlers; }

}  // namespace chronofork
