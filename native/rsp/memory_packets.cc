// m, x: read; M, X: write. A read that reaches unmapped memory gives what is
// there; gdb asks again for the rest and then gets the error.
#include <algorithm>

#include "rsp/handlers.h"

namespace chronofork {
namespace {

// What fits into one reply, two digits a byte.
constexpr uint64_t kMaxReadBytes = (kMaxPacketBytes - 16) / 2;

struct Place {
  TraceeAddress address;
  uint64_t length_bytes;
};

std::optional<Place> ParsePlace(PacketCursor& packet) {
  std::optional<uint64_t> address = packet.HexThen(',');
  std::optional<uint64_t> length = address ? packet.Hex() : std::nullopt;
  if (!length) return std::nullopt;
  return Place{TraceeAddress(*address), *length};
}

// The bytes read, or an answer already written.
std::optional<std::span<const std::byte>> Read(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<Place> place = ParsePlace(packet);
  if (!place || !packet.AtEnd() || place->length_bytes == 0) {
    reply.Malformed();
    return std::nullopt;
  }
  size_t wanted = std::min(place->length_bytes, kMaxReadBytes);
  if (state.scratch.size() < wanted) state.scratch.resize(wanted);
  Result<size_t> count = state.target.ReadMemory(place->address, {state.scratch.data(), wanted});
  if (!count || *count == 0 || *count > wanted) {
    reply.Failed();
    return std::nullopt;
  }
  return std::span<const std::byte>(state.scratch.data(), *count);
}

void ReadAsHex(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (auto bytes = Read(state, packet, reply)) reply.HexBytes(*bytes);
}

void ReadAsBinary(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (auto bytes = Read(state, packet, reply)) reply.Text("b").BinaryBytes(*bytes);
}

void Write(SessionState& state, TraceeAddress address, std::span<const std::byte> bytes, Reply& reply) {
  if (!bytes.empty()) {
    Result<void> written = state.target.WriteMemory(address, bytes);
    if (!written) return state.Refuse(written.error(), reply);
  }
  reply.Text("OK");
}

void WriteHex(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<Place> place = ParsePlace(packet);
  if (!place || !packet.Consume(':')) return reply.Malformed();
  auto bytes = packet.HexBytes();
  if (!bytes || !packet.AtEnd() || bytes->size() != place->length_bytes) return reply.Malformed();
  Write(state, place->address, *bytes, reply);
}

void WriteBinary(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<Place> place = ParsePlace(packet);
  if (!place || !packet.Consume(':') || packet.rest().size() != place->length_bytes) return reply.Malformed();
  Write(state, place->address, std::as_bytes(std::span(packet.rest())), reply);
}

constexpr HandlerEntry kHandlers[] = {{"m", ReadAsHex}, {"x", ReadAsBinary}, {"M", WriteHex}, {"X", WriteBinary}};

}  // namespace

std::span<const HandlerEntry> MemoryHandlers() { return kHandlers; }

}  // namespace chronofork
