// What belongs to one thread alone, of threads that do not run just now.
//
// One thread runs at a time, in the recording by our choice and in a replay
// because the copy has one thread only: a replay keeps the others as contexts,
// and changes from one to the next where the recording did.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "base/tracee_address.h"
#include "record/event_log.h"
#include "tracee/registers.h"

namespace chronofork {

struct ThreadContext {
  // Of a thread that waits in a system call: as at the call's instruction. It
  // will be begun anew there, and answered from the recording.
  GeneralRegisters registers{};
  ExtendedRegisters vector_state;
  uint64_t signal_mask = 0;
  stack_t alternate_stack{nullptr, SS_DISABLE, 0};
  // What the kernel may have written already for the call that the thread waits
  // in: the recording has it later, when the thread goes on.
  std::vector<AddressRange> pending_writes;
};

// By tid, as the program knows it.
using ThreadContexts = std::map<pid_t, std::shared_ptr<const ThreadContext>>;

// What the kernel keeps of thread `tid` after the first `events` of the log, in which it was made.
ThreadEndings EndingsOf(const EventLog& log, size_t events, pid_t tid);

}  // namespace chronofork
