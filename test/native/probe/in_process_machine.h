// Runs pieces of machine code inside the test process with every register
// chosen, and gives all registers back: entered and left by signals, so that
// nothing of it is visible to the code (signals use a stack of their own).
//
// Also a ProbeHost over the own process.
#pragma once

#include <signal.h>

#include <functional>
#include <string>
#include <vector>

#include "probe/probe_host.h"
#include "tracee/registers.h"

namespace chronofork {

struct SignalStop {
  int number = 0;        // SIGTRAP, SIGSEGV …
  bool is_step = false;  // the trap flag's
  uint64_t address = 0;  // si_addr
};

// Called at each signal of the code that runs, on the signal stack. Returns
// true to go on with `registers`, false to end the run there.
using SignalCallback = std::function<bool(const SignalStop&, GeneralRegisters& registers)>;

inline constexpr uint64_t kTrapFlag = 0x100;

// Runs from `start` (rip, rsp and eflags too) until `callback` says to end;
// returns the registers of then. xmm registers are lost, as over a call.
GeneralRegisters RunInProcess(const GeneralRegisters& start, const SignalCallback& callback);

// Runs to an int3 or a fault, and says which.
GeneralRegisters RunToStop(const GeneralRegisters& start, SignalStop& stop);

class OwnProcessHost : public ProbeHost {
 public:
  Result<void> Read(TraceeAddress address, std::span<std::byte> out) override;
  Result<void> Write(TraceeAddress address, std::span<const std::byte> bytes) override;
  Result<void> Map(TraceeAddress at, uint64_t length_bytes) override;
  Result<void> Unmap(TraceeAddress at, uint64_t length_bytes) override;
  std::vector<AddressRange> Mappings() override;

  // Said to be occupied besides what is.
  std::vector<AddressRange> also_occupied;
  int map_count = 0;
  int mapped_now = 0;
  int fail_map_number = 0;  // this Map() fails; 0: none
};

}  // namespace chronofork
