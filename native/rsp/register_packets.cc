// g, G: all registers; p, P: one.
#include <array>

#include "rsp/handlers.h"

namespace chronofork {
namespace {

void WriteRegisterValue(const RegisterLayout& layout, size_t number, const GeneralRegisters& general,
                        const ExtendedRegisters& extended, Reply& reply) {
  std::array<std::byte, kMaxRegisterBytes> value;
  std::span<std::byte> bytes(value.data(), layout.registers()[number].length_bytes());
  if (layout.Read(number, general, extended, bytes))
    reply.HexBytes(bytes);
  else
    reply.Repeat('x', bytes.size() * 2);  // gdb shows <unavailable>
}

void ReadAll(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!packet.AtEnd()) return reply.Malformed();
  const RegisterLayout& layout = state.Layout();
  pid_t tid = state.CurrentThread();
  Result<GeneralRegisters> general = state.target.ReadGeneralRegisters(tid);
  if (!general) return state.Refuse(general.error(), reply);
  Result<ExtendedRegisters> extended = state.target.ReadExtendedRegisters(tid);
  const ExtendedRegisters& area = extended ? *extended : ExtendedRegisters();
  for (size_t i = 0; i < layout.registers().size(); ++i) WriteRegisterValue(layout, i, *general, area, reply);
}

void WriteAll(SessionState& state, PacketCursor& packet, Reply& reply) {
  const RegisterLayout& layout = state.Layout();
  pid_t tid = state.CurrentThread();
  Result<GeneralRegisters> general = state.target.ReadGeneralRegisters(tid);
  if (!general) return state.Refuse(general.error(), reply);
  Result<ExtendedRegisters> extended = state.target.ReadExtendedRegisters(tid);
  if (!extended) return state.Refuse(extended.error(), reply);
  for (size_t i = 0; i < layout.registers().size(); ++i) {
    size_t length = layout.registers()[i].length_bytes();
    if (packet.Consume(std::string(length * 2, 'x'))) continue;  // as it was
    auto value = packet.HexBytes(length);
    if (!value || !layout.Write(i, *value, *general, *extended)) return reply.Malformed();
  }
  if (!packet.AtEnd()) return reply.Malformed();
  Result<void> written = state.target.WriteGeneralRegisters(tid, *general);
  if (written) written = state.target.WriteExtendedRegisters(tid, *extended);
  if (!written) return state.Refuse(written.error(), reply);
  reply.Text("OK");
}

void ReadOne(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<uint64_t> number = packet.Hex();
  const RegisterLayout& layout = state.Layout();
  if (!number || !packet.AtEnd() || *number >= layout.registers().size()) return reply.Malformed();
  pid_t tid = state.CurrentThread();
  GeneralRegisters general{};
  ExtendedRegisters extended;
  if (layout.registers()[*number].place == RegisterPlace::kGeneral) {
    Result<GeneralRegisters> read = state.target.ReadGeneralRegisters(tid);
    if (!read) return state.Refuse(read.error(), reply);
    general = *read;
  } else {
    Result<ExtendedRegisters> read = state.target.ReadExtendedRegisters(tid);
    if (!read) return state.Refuse(read.error(), reply);
    extended = std::move(read).value();
  }
  WriteRegisterValue(layout, *number, general, extended, reply);
}

void WriteOne(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<uint64_t> number = packet.HexThen('=');
  const RegisterLayout& layout = state.Layout();
  if (!number || *number >= layout.registers().size()) return reply.Malformed();
  const RegisterSpec& spec = layout.registers()[*number];
  auto value = packet.HexBytes();
  if (!value || !packet.AtEnd() || value->size() != spec.length_bytes()) return reply.Malformed();
  pid_t tid = state.CurrentThread();
  GeneralRegisters general{};
  ExtendedRegisters extended;
  Result<void> written;
  if (spec.place == RegisterPlace::kGeneral) {
    Result<GeneralRegisters> read = state.target.ReadGeneralRegisters(tid);
    if (!read) return state.Refuse(read.error(), reply);
    general = *read;
    layout.Write(*number, *value, general, extended);
    written = state.target.WriteGeneralRegisters(tid, general);
  } else {
    Result<ExtendedRegisters> read = state.target.ReadExtendedRegisters(tid);
    if (!read) return state.Refuse(read.error(), reply);
    extended = std::move(read).value();
    if (!layout.Write(*number, *value, general, extended)) return reply.Failed();
    written = state.target.WriteExtendedRegisters(tid, extended);
  }
  if (!written) return state.Refuse(written.error(), reply);
  reply.Text("OK");
}

constexpr HandlerEntry kHandlers[] = {{"g", ReadAll}, {"G", WriteAll}, {"p", ReadOne}, {"P", WriteOne}};

}  // namespace

std::span<const HandlerEntry> RegisterHandlers() { return kHandlers; }

}  // namespace chronofork
