// qXfer: objects that gdb reads in pieces, and siginfo, which it also writes.
#include <algorithm>
#include <cstring>

#include "rsp/handlers.h"
#include "rsp/target_description.h"

namespace chronofork {
namespace {

// Every byte may need an escape.
constexpr uint64_t kMaxPieceBytes = (kMaxPacketBytes - 16) / 2;

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&apos;"; break;
      // Other control characters are not allowed in XML, even escaped.
      default: out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    }
  }
  return out;
}

std::string HexAttribute(const char* name, uint64_t value) {
  Reply digits;
  digits.Hex(value);
  return std::string(" ") + name + "=\"0x" + std::string(digits.payload()) + "\"";
}

Result<std::string> Features(SessionState& state, std::string_view annex) {
  if (annex != "target.xml") return Error{"noSuchAnnex", "There is no such target description.", "", 0, 0};
  return TargetDescription(state.Layout());
}

std::string AsText(std::span<const std::byte> bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<std::string> Auxv(SessionState& state, std::string_view) {
  CF_TRY_ASSIGN(std::vector<std::byte> auxv, state.target.ReadAuxv());
  return AsText(auxv);
}

Result<std::string> ExecFile(SessionState& state, std::string_view) { return state.target.ExecutablePath(); }

// Before the loader has made its list there is none, and that is no error.
Result<std::string> Libraries(SessionState& state, std::string_view) {
  Result<TargetLibraries> libraries = state.target.Libraries();
  std::string xml = "<library-list-svr4 version=\"1.0\"";
  if (!libraries) return xml + "/>";
  if (libraries->main_link_map.value != 0) xml += HexAttribute("main-lm", libraries->main_link_map.value);
  xml += ">";
  for (const TargetLibrary& library : libraries->libraries) {
    xml += "<library name=\"" + EscapeXml(library.path) + "\"" + HexAttribute("lm", library.link_map.value) +
           HexAttribute("l_addr", library.load_bias) + HexAttribute("l_ld", library.dynamic.value) +
           HexAttribute("lmid", libraries->r_debug.value) + "/>";  // gdb 13 takes no list without it
  }
  return xml + "</library-list-svr4>";
}

Result<std::string> ThreadList(SessionState& state, std::string_view) {
  std::string xml = "<threads>";
  for (const TargetThread& thread : state.target.Threads()) {
    Reply id;
    WriteThreadId(state.target.pid(), thread.tid, state.features, id);
    xml += "<thread id=\"" + std::string(id.payload()) + "\" name=\"" + EscapeXml(thread.name) + "\"/>";
  }
  return xml + "</threads>";
}

Result<std::string> Siginfo(SessionState& state, std::string_view) {
  CF_TRY_ASSIGN(siginfo_t info, state.target.ReadSiginfo(state.CurrentThread()));
  return AsText(std::as_bytes(std::span(&info, 1)));
}

struct Object {
  std::string_view name;
  Result<std::string> (*read)(SessionState&, std::string_view annex);
};
constexpr Object kObjects[] = {
    {"features", Features},        {"auxv", Auxv},          {"exec-file", ExecFile},
    {"libraries-svr4", Libraries}, {"threads", ThreadList}, {"siginfo", Siginfo},
};

// `ANNEX:OFFSET,LENGTH`. The object is made when it is read from its start,
// so that the pieces fit together.
void ReadObject(SessionState& state, const Object& object, PacketCursor& packet, Reply& reply) {
  std::string_view annex = packet.Until(':');
  std::optional<uint64_t> offset = packet.HexThen(',');
  std::optional<uint64_t> length = offset ? packet.Hex() : std::nullopt;
  if (!length || !packet.AtEnd()) return reply.Malformed();
  std::string name = std::string(object.name) + ':' + std::string(annex);
  if (*offset == 0 || state.transfer_name != name) {
    state.transfer_name.clear();
    Result<std::string> content = object.read(state, annex);
    if (!content) return state.Refuse(content.error(), reply);
    state.transfer_content = std::move(content).value();
    state.transfer_name = std::move(name);
  }
  std::string_view content = state.transfer_content;
  std::string_view rest = content.substr(std::min<uint64_t>(*offset, content.size()));
  std::string_view piece = rest.substr(0, std::min(*length, kMaxPieceBytes));
  reply.Text(piece.size() < rest.size() ? "m" : "l").BinaryBytes(std::as_bytes(std::span(piece)));
}

// `:OFFSET,DATA` (siginfo has no annex).
void WriteSiginfo(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<uint64_t> offset = packet.Consume(':') ? packet.HexThen(',') : std::nullopt;
  if (!offset) return reply.Malformed();
  std::string_view data = packet.rest();
  if (*offset > sizeof(siginfo_t) || data.size() > sizeof(siginfo_t) - *offset) return reply.Malformed();
  pid_t tid = state.CurrentThread();
  Result<siginfo_t> info = state.target.ReadSiginfo(tid);
  if (!info) return state.Refuse(info.error(), reply);
  std::memcpy(reinterpret_cast<std::byte*>(&*info) + *offset, data.data(), data.size());
  Result<void> written = state.target.WriteSiginfo(tid, *info);
  if (!written) return state.Refuse(written.error(), reply);
  reply.Hex(data.size());
}

void Transfer(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!packet.Consume(':')) return reply.Malformed();
  std::string_view name = packet.Until(':');
  std::string_view direction = packet.Until(':');
  if (name == "siginfo" && direction == "write") return WriteSiginfo(state, packet, reply);
  if (direction != "read") return;
  for (const Object& object : kObjects) {
    if (object.name == name) return ReadObject(state, object, packet, reply);
  }
}

constexpr HandlerEntry kHandlers[] = {{"qXfer", Transfer}};

}  // namespace

std::span<const HandlerEntry> TransferHandlers() { return kHandlers; }

}  // namespace chronofork
