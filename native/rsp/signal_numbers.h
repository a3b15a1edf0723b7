// gdb's own signal numbers, which the remote protocol uses in stop replies,
// vCont;C, QPassSignals and X. They are not Linux's: SIGUSR1 is 30, not 10.
#pragma once

namespace chronofork {

// 143 (gdb's "unknown signal") for what gdb has no number for.
int GdbSignalOf(int linux_signal);
// 0 for what Linux does not have.
int LinuxSignalOf(int gdb_signal);

}  // namespace chronofork
