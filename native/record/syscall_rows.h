// The rows of the system call table; see syscall_table.h for what they mean.
#pragma once

#include <span>

#include "record/syscall_table.h"

namespace chronofork {

// Sorted by number. The unassigned numbers (336 … 423) have no row.
std::span<const SyscallRow> SyscallRows();

}  // namespace chronofork
