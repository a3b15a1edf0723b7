// Z: insert, z: remove. Types 0 and 1 are breakpoints, with conditions, 2 and
// 4 watchpoints (write, access). Type 3 (read only) is not there: x86 has no
// such thing, and gdb then uses 4.
#include "rsp/handlers.h"

namespace chronofork {
namespace {

struct Request {
  uint64_t type = 0;
  TraceeAddress address;
  uint64_t kind = 0;  // a watchpoint's length in bytes
};

std::optional<Request> ParseRequest(PacketCursor& packet) {
  std::optional<uint64_t> type = packet.HexThen(',');
  std::optional<uint64_t> address = type ? packet.HexThen(',') : std::nullopt;
  std::optional<uint64_t> kind = address ? packet.Hex() : std::nullopt;
  if (!kind) return std::nullopt;
  return Request{*type, TraceeAddress(*address), *kind};
}

// `;X LEN,CODE` once or several times, with or without a `;` before each.
std::optional<std::vector<AgentCode>> ParseConditions(PacketCursor& packet) {
  std::vector<AgentCode> conditions;
  while (!packet.AtEnd()) {
    packet.Consume(';');
    if (!packet.Consume('X')) return std::nullopt;
    std::optional<uint64_t> length = packet.HexThen(',');
    auto code = length ? packet.HexBytes(*length) : std::nullopt;
    if (!code) return std::nullopt;
    conditions.push_back(std::move(*code));
  }
  return conditions;
}

bool IsKnown(uint64_t type) { return type <= 2 || type == 4; }

// One side of the packet's two; `Z` and `z` differ in nothing else.
Result<void> Carry(DebugTarget& target, bool insert, const Request& request, std::vector<AgentCode> conditions) {
  if (request.type <= 1) {
    BreakpointKind kind = request.type == 0 ? BreakpointKind::kSoftware : BreakpointKind::kHardware;
    return insert ? target.InsertBreakpoint(kind, request.address, std::move(conditions))
                  : target.RemoveBreakpoint(kind, request.address);
  }
  WatchKind kind = request.type == 2 ? WatchKind::kWrite : WatchKind::kAccess;
  return insert ? target.InsertWatchpoint(kind, request.address, request.kind)
                : target.RemoveWatchpoint(kind, request.address, request.kind);
}

void Change(SessionState& state, bool insert, PacketCursor& packet, Reply& reply) {
  std::optional<Request> request = ParseRequest(packet);
  if (!request) return reply.Malformed();
  if (!IsKnown(request->type)) return;
  auto conditions = ParseConditions(packet);
  const bool watch = request->type >= 2;
  if (!conditions || (watch && (request->kind == 0 || !conditions->empty()))) return reply.Malformed();
  Result<void> done = Carry(state.target, insert, *request, std::move(*conditions));
  if (!done) return state.Refuse(done.error(), reply);
  reply.Text("OK");
}

void Insert(SessionState& state, PacketCursor& packet, Reply& reply) { Change(state, true, packet, reply); }
void Remove(SessionState& state, PacketCursor& packet, Reply& reply) { Change(state, false, packet, reply); }

constexpr HandlerEntry kHandlers[] = {{"Z", Insert}, {"z", Remove}};

}  // namespace

std::span<const HandlerEntry> BreakpointHandlers() { return kHandlers; }

}  // namespace chronofork
