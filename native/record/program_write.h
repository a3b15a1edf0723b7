// What an instruction would have done that we execute on the program's behalf:
// write, and go on behind itself.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <vector>

#include "tracee/tracee.h"

namespace chronofork {

// Unlike our other writes, this one respects what may not be written: false, and the processor is to fault.
inline bool WriteAsProgram(const Tracee& process, TraceeAddress at, std::vector<std::byte>& bytes) {
  iovec local{bytes.data(), bytes.size()}, remote{reinterpret_cast<void*>(at.value), bytes.size()};
  return ::process_vm_writev(process.pid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(bytes.size());
}

inline void GoOnAt(Tracee& process, TraceeAddress address) {
  GeneralRegisters r = process.registers();
  r.rip = address.value;
  r.orig_rax = ~0ull;
  process.SetRegisters(r);
}

}  // namespace chronofork
