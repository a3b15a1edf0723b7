// target.xml: tells gdb which registers the debuggee has, and of which types.
#pragma once

#include <string>

#include "rsp/register_layout.h"

namespace chronofork {

// Registers get the numbers of `layout`, which `g`, `p` and conditions use.
std::string TargetDescription(const RegisterLayout& layout);

}  // namespace chronofork
