// The packets that are understood, by theme: each .cc file has the functions
// for its own and the table of their names.
//
// A handler is called with the cursor behind the packet's name and writes its
// answer to an empty reply. Names of q, Q and v packets end at the first of
// `:;,`; the others are one letter (`bc` and `bs`: two).
#pragma once

#include <span>
#include <string_view>

#include "rsp/packet.h"
#include "rsp/packet_cursor.h"
#include "rsp/session.h"

namespace chronofork {

using PacketHandler = void (*)(SessionState&, PacketCursor&, Reply&);

struct HandlerEntry {
  std::string_view name;
  PacketHandler handler;
};

std::span<const HandlerEntry> QueryHandlers();       // what we can do, signals, system calls, monitor
std::span<const HandlerEntry> ThreadHandlers();      // threads and thread-local storage
std::span<const HandlerEntry> TransferHandlers();    // qXfer
std::span<const HandlerEntry> MemoryHandlers();      // m M X x
std::span<const HandlerEntry> RegisterHandlers();    // g G p P
std::span<const HandlerEntry> BreakpointHandlers();  // Z z
std::span<const HandlerEntry> ResumeHandlers();      // vCont bc bs ? D k vKill
std::span<const HandlerEntry> FileHandlers();        // vFile

}  // namespace chronofork
