// What this process runs in and how much room it has there: read from /proc and
// /sys, for information; nothing depends on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace chronofork {

// "a container on a virtual machine (KVM)", "WSL2", "no container, no virtual machine seen".
std::string DescribeSurroundings();

// Memory that can still be had, in bytes: of the machine, or of our control group if that is less.
std::optional<uint64_t> AvailableMemoryBytes();

// How many more processes this user may start; nullopt: no limit that matters.
std::optional<uint64_t> ProcessHeadroom();

// /proc/sys/kernel/yama/ptrace_scope; nullopt where Yama is not built in.
std::optional<int> YamaPtraceScope();

}  // namespace chronofork
