// The shared libraries that the dynamic linker has loaded, read from its list
// in the debuggee's memory (<link.h>: struct r_debug, struct link_map).
#pragma once

#include "timeline/debug_target.h"
#include "tracee/tracee.h"

namespace chronofork {

// Empty before the linker has set up its list, and for static programs.
TargetLibraries ReadLibraryList(const Tracee& process);

}  // namespace chronofork
