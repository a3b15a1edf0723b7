// Which calls are recorded inside the debuggee, and what they write, as its
// runtime reads it. Made from the table of all calls, so that both agree.
#pragma once

#include "callbuffer/call_buffer.h"

namespace chronofork {

// `renamed`: the process and its threads have other numbers than the program knows (a branch).
const CallRules& CallRulesFor(bool renamed);

}  // namespace chronofork
