// Looks up a packet's handler, and keeps what handlers share.
#include "rsp/session.h"

#include <algorithm>
#include <map>

#include "base/log.h"
#include "rsp/handlers.h"

namespace chronofork {
namespace {

Log rsp_log("rsp");

std::string_view NameOf(std::string_view packet) {
  switch (packet.front()) {
    case 'q':
    case 'Q':
    case 'v': return packet.substr(0, packet.find_first_of(":;,"));
    case 'b': return packet;
    default: return packet.substr(0, 1);
  }
}

const std::map<std::string_view, PacketHandler>& AllHandlers() {
  static const auto handlers = [] {
    std::map<std::string_view, PacketHandler> all;
    for (auto table : {QueryHandlers(), ThreadHandlers(), TransferHandlers(), MemoryHandlers(), RegisterHandlers(),
                       BreakpointHandlers(), ResumeHandlers(), FileHandlers()}) {
      for (const HandlerEntry& entry : table) all.emplace(entry.name, entry.handler);
    }
    return all;
  }();
  return handlers;
}

}  // namespace

const RegisterLayout& SessionState::Layout() {
  if (!layout_) {
    Result<ExtendedRegisters> extended = target.ReadExtendedRegisters(CurrentThread());
    layout_ = std::make_unique<RegisterLayout>(RegisterLayout::Xcr0Of(extended ? *extended : ExtendedRegisters()));
  }
  return *layout_;
}

void SessionState::ForgetProgram() {
  thread_storage.Forget();
  transfer_name.clear();
}

pid_t SessionState::CurrentThread() { return general_thread > 0 ? general_thread : target.LastStop().tid; }

std::optional<pid_t> SessionState::Resolve(const RspThreadId& id) {
  if (id.pid > 0 && id.pid != target.pid()) return std::nullopt;
  if (id.tid <= 0) return target.LastStop().tid;
  pid_t tid = static_cast<pid_t>(id.tid);
  std::vector<TargetThread> threads = target.Threads();
  bool known = std::any_of(threads.begin(), threads.end(), [&](const TargetThread& t) { return t.tid == tid; });
  return known ? std::optional(tid) : std::nullopt;
}

MemoryReader SessionState::Memory() {
  return [this](TraceeAddress address, std::span<std::byte> out) -> Result<void> {
    CF_TRY_ASSIGN(size_t count, target.ReadMemory(address, out));
    if (count == out.size()) return {};
    return Error{"memoryUnreadable", "The debuggee has no memory there.", "", 0, 0};
  };
}

void SessionState::Refuse(const Error& error, Reply& reply) const {
  CF_LOG(rsp_log, kInfo, "refused: %s: %s", error.code.c_str(), error.message.c_str());
  reply.Failed();
}

Session::Next Session::Handle(std::string_view packet, Reply& reply) {
  reply.Clear();
  if (packet.empty()) return Next::kReply;
  std::string_view name = NameOf(packet);
  auto found = AllHandlers().find(name);
  if (found == AllHandlers().end()) return Next::kReply;
  state_.resume.reset();
  state_.no_reply = false;
  PacketCursor cursor(packet.substr(name.size()));
  found->second(state_, cursor, reply);
  if (state_.resume) return Next::kResume;
  return state_.no_reply ? Next::kNothing : Next::kReply;
}

void Session::WriteStop(const StopReply& stop, Reply& reply) {
  reply.Clear();
  // gdb takes the thread of a stop reply for the current one.
  state_.general_thread = stop.tid;
  if (stop.kind == StopKind::kExec) state_.ForgetProgram();
  std::optional<GeneralRegisters> registers;
  if (stop.kind != StopKind::kKilled) {
    if (Result<GeneralRegisters> read = state_.target.ReadGeneralRegisters(stop.tid)) registers = *read;
  }
  WriteStopReply(stop, state_.target.pid(), registers, state_.features, reply);
}

}  // namespace chronofork
