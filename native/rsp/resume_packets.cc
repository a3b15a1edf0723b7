// Everything that lets the debuggee run, forwards and backwards, or ends it.
// The answer to a resume is the stop reply, sent when the target has stopped.
#include "rsp/handlers.h"
#include "rsp/signal_numbers.h"

namespace chronofork {
namespace {

std::optional<int> ParseSignal(PacketCursor& packet) {
  std::optional<uint64_t> number = packet.Hex();
  if (!number || *number > 0xff) return std::nullopt;
  return LinuxSignalOf(static_cast<int>(*number));
}

// One of vCont's actions, without its thread: `c`, `s`, `C05`, `S05`, `r1000,1010`.
std::optional<ResumeRequest> ParseAction(PacketCursor& packet) {
  ResumeRequest request;
  const bool with_signal = packet.Peek() == 'C' || packet.Peek() == 'S';
  if (packet.Consume('s') || packet.Consume('S')) {
    request.kind = ResumeKind::kStep;
  } else if (packet.Consume('r')) {
    request.kind = ResumeKind::kStepRange;
    std::optional<uint64_t> start = packet.HexThen(',');
    std::optional<uint64_t> end = start ? packet.Hex() : std::nullopt;
    if (!end || *end < *start) return std::nullopt;
    request.range = {TraceeAddress(*start), TraceeAddress(*end)};
  } else if (!packet.Consume('c') && !packet.Consume('C') && !packet.Consume('t')) {
    return std::nullopt;
  }
  if (with_signal) {
    std::optional<int> signal = ParseSignal(packet);
    if (!signal) return std::nullopt;
    request.signal = *signal;
  }
  return request;
}

bool SaysMoreThanContinue(const ResumeRequest& request) {
  return request.kind != ResumeKind::kContinue || request.signal != 0;
}

// vCont: one thread runs at a time, so that the action that says the most
// counts; it names the thread that steps or gets the signal. A thread that no
// action is for stays where it is: gdb's scheduler locking.
void ResumeThreads(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<ResumeRequest> chosen;
  bool for_all = false;
  while (packet.Consume(';')) {
    std::optional<ResumeRequest> action = ParseAction(packet);
    if (!action) return reply.Malformed();
    if (packet.Consume(':')) {
      std::optional<RspThreadId> id = packet.Thread();
      if (!id) return reply.Malformed();
      std::optional<pid_t> tid = state.Resolve(*id);
      if (!tid) return reply.Failed();
      if (id->tid > 0) action->tid = *tid;
    }
    for_all = for_all || action->tid == 0;
    if (!chosen || (!SaysMoreThanContinue(*chosen) && SaysMoreThanContinue(*action))) chosen = *action;
  }
  if (!chosen || !packet.AtEnd()) return reply.Malformed();
  chosen->alone = !for_all;
  state.resume = *chosen;
}

void DescribeResume(SessionState&, PacketCursor&, Reply& reply) { reply.Text("vCont;c;C;s;S;t;r"); }

// c, s, C05, S05: as gdb says it to targets without vCont; and bc, bs. Hc has named the thread.
void ResumeOld(ResumeKind kind, bool with_signal, SessionState& state, PacketCursor& packet, Reply& reply) {
  ResumeRequest request;
  request.kind = kind;
  if (with_signal) {
    std::optional<int> signal = ParseSignal(packet);
    if (!signal) return reply.Malformed();
    request.signal = *signal;
  }
  // An address to go on from may follow; gdb writes the register instead.
  if (!packet.AtEnd()) return reply.Malformed();
  request.tid = state.continue_thread;
  request.alone = request.tid != 0;
  state.resume = request;
}

void Continue(SessionState& state, PacketCursor& packet, Reply& reply) {
  ResumeOld(ResumeKind::kContinue, false, state, packet, reply);
}
void ContinueWithSignal(SessionState& state, PacketCursor& packet, Reply& reply) {
  ResumeOld(ResumeKind::kContinue, true, state, packet, reply);
}
void Step(SessionState& state, PacketCursor& packet, Reply& reply) {
  ResumeOld(ResumeKind::kStep, false, state, packet, reply);
}
void StepWithSignal(SessionState& state, PacketCursor& packet, Reply& reply) {
  ResumeOld(ResumeKind::kStep, true, state, packet, reply);
}
void ReverseContinue(SessionState& state, PacketCursor& packet, Reply& reply) {
  ResumeOld(ResumeKind::kReverseContinue, false, state, packet, reply);
}
void ReverseStep(SessionState& state, PacketCursor& packet, Reply& reply) {
  ResumeOld(ResumeKind::kReverseStep, false, state, packet, reply);
}

// `?`: where it stands. A new gdb knows nothing yet, so that only plain
// stops make sense to it.
void WhyStopped(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!packet.AtEnd()) return reply.Malformed();
  StopReply stop = state.target.LastStop();
  if (stop.kind != StopKind::kSignal && stop.kind != StopKind::kKilled) {
    stop.kind = StopKind::kSignal;
    stop.signal = SIGTRAP;
  }
  state.general_thread = stop.tid;
  std::optional<GeneralRegisters> registers;
  if (stop.kind != StopKind::kKilled) {
    if (Result<GeneralRegisters> read = state.target.ReadGeneralRegisters(stop.tid)) registers = *read;
  }
  WriteStopReply(stop, state.target.pid(), registers, state.features, reply);
}

// `;pid` may be there or not.
bool NamesOurProcess(SessionState& state, PacketCursor& packet) {
  if (packet.AtEnd()) return true;
  std::optional<uint64_t> pid = packet.Consume(';') ? packet.Hex() : std::nullopt;
  return pid && packet.AtEnd() && *pid == static_cast<uint64_t>(state.target.pid());
}

void Detach(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!NamesOurProcess(state, packet)) return reply.Malformed();
  state.target.Detach();
  reply.Text("OK");
}

void Kill(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!NamesOurProcess(state, packet)) return reply.Malformed();
  state.target.Kill();
  reply.Text("OK");
}

void KillWithoutReply(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!packet.AtEnd()) return reply.Malformed();
  state.target.Kill();
  state.no_reply = true;
}

constexpr HandlerEntry kHandlers[] = {
    {"vCont", ResumeThreads}, {"vCont?", DescribeResume}, {"c", Continue},     {"C", ContinueWithSignal}, {"s", Step},
    {"S", StepWithSignal},    {"bc", ReverseContinue},    {"bs", ReverseStep}, {"?", WhyStopped},         {"D", Detach},
    {"vKill", Kill},          {"k", KillWithoutReply},
};

}  // namespace

std::span<const HandlerEntry> ResumeHandlers() { return kHandlers; }

}  // namespace chronofork
