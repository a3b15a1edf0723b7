// H, T, qC, q?ThreadInfo: threads; qSymbol and qGetTLSAddr: their variables.
#include "rsp/handlers.h"

namespace chronofork {
namespace {

void SetThread(SessionState& state, PacketCursor& packet, Reply& reply) {
  const bool general = packet.Peek() == 'g';
  if (!packet.Consume('g') && !packet.Consume('c')) return reply.Malformed();
  std::optional<RspThreadId> id = packet.Thread();
  if (!id || !packet.AtEnd()) return reply.Malformed();
  std::optional<pid_t> tid = state.Resolve(*id);
  if (!tid) return reply.Failed();
  // Hc is of packets other than vCont: backwards there is no vCont.
  (general ? state.general_thread : state.continue_thread) = id->tid > 0 ? *tid : 0;
  reply.Text("OK");
}

void IsAlive(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<RspThreadId> id = packet.Thread();
  if (!id || !packet.AtEnd()) return reply.Malformed();
  if (id->tid <= 0 || !state.Resolve(*id)) return reply.Failed();
  reply.Text("OK");
}

void CurrentThread(SessionState& state, PacketCursor&, Reply& reply) {
  reply.Text("QC");
  WriteThreadId(state.target.pid(), state.CurrentThread(), state.features, reply);
}

void FirstThreads(SessionState& state, PacketCursor&, Reply& reply) {
  const char* separator = "m";
  for (const TargetThread& thread : state.target.Threads()) {
    reply.Text(separator);
    WriteThreadId(state.target.pid(), thread.tid, state.features, reply);
    separator = ",";
  }
  if (reply.payload().empty()) reply.Text("l");
}

void NoMoreThreads(SessionState&, PacketCursor&, Reply& reply) { reply.Text("l"); }

// `qSymbol::` offers, `qSymbol:ADDRESS:NAME` answers. We ask for the next one
// or say OK when there is nothing (more) to ask.
void Symbols(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!packet.Consume(':')) return reply.Malformed();
  std::optional<uint64_t> address = packet.Hex();
  if (!packet.Consume(':')) return reply.Malformed();
  if (packet.AtEnd()) {
    state.thread_storage.Retry();
  } else {
    std::optional<std::string> name = packet.HexText();
    if (!name || !packet.AtEnd()) return reply.Malformed();
    state.thread_storage.Answer(*name, address ? std::optional(TraceeAddress(*address)) : std::nullopt);
  }
  std::string_view wanted = state.thread_storage.Wanted();
  if (wanted.empty())
    reply.Text("OK");
  else
    reply.Text("qSymbol:").HexText(wanted);
}

// qGetTLSAddr:THREAD,OFFSET,LINK-MAP
void ThreadLocalAddress(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<RspThreadId> id = packet.Consume(':') ? packet.Thread() : std::nullopt;
  std::optional<uint64_t> offset = id && packet.Consume(',') ? packet.HexThen(',') : std::nullopt;
  std::optional<uint64_t> link_map = offset ? packet.Hex() : std::nullopt;
  if (!link_map || !packet.AtEnd()) return reply.Malformed();
  std::optional<pid_t> tid = state.Resolve(*id);
  if (!tid) return reply.Failed();
  Result<GeneralRegisters> registers = state.target.ReadGeneralRegisters(*tid);
  if (!registers) return state.Refuse(registers.error(), reply);
  Result<TraceeAddress> address = state.thread_storage.AddressOf(TraceeAddress(registers->fs_base),
                                                                 TraceeAddress(*link_map), *offset, state.Memory());
  if (!address) return state.Refuse(address.error(), reply);
  reply.Hex(address->value);
}

constexpr HandlerEntry kHandlers[] = {
    {"H", SetThread},
    {"T", IsAlive},
    {"qC", CurrentThread},
    {"qfThreadInfo", FirstThreads},
    {"qsThreadInfo", NoMoreThreads},
    {"qSymbol", Symbols},
    {"qGetTLSAddr", ThreadLocalAddress},
};

}  // namespace

std::span<const HandlerEntry> ThreadHandlers() { return kHandlers; }

}  // namespace chronofork
