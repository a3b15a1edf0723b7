// The processor's debug registers, for watchpoints. They are each thread's own,
// and what is watched is watched in all of them: each gets them as it is resumed.
#include <errno.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include <utility>

#include "tracee/tracee.h"

namespace chronofork {

// Intel SDM vol. 3, 17.2.4: DR7 has an enable bit pair for each slot and, from
// bit 16 on, two bits of condition (0 execute, 1 write, 3 read or write) and two of length.
static Result<void> PokeDebug(pid_t pid, int index, uint64_t value) {
  size_t offset = offsetof(struct user, u_debugreg) + static_cast<size_t>(index) * sizeof(long);
  if (::ptrace(PTRACE_POKEUSER, pid, offset, value) != 0)
    return SystemError("noDebugRegister", "A hardware watchpoint cannot be set", errno, pid);
  return {};
}

static uint64_t SlotBits(int slot, unsigned condition, unsigned length_bytes) {
  unsigned length = length_bytes == 8 ? 2 : length_bytes - 1;
  return (uint64_t{1} << (slot * 2)) | (uint64_t{condition | length << 2} << (16 + slot * 4));
}

static uint64_t SlotMask(int slot) { return (uint64_t{3} << (slot * 2)) | (uint64_t{15} << (16 + slot * 4)); }

Result<void> Tracee::SetWatch(int slot, TraceeAddress address, unsigned length_bytes, bool write_only) {
  debug_wanted_.addresses[static_cast<size_t>(slot)] = address.value;
  debug_wanted_.control &= ~SlotMask(slot);
  debug_wanted_.control |= SlotBits(slot, write_only ? 1 : 3, length_bytes);
  return SettleDebugRegisters();
}

Result<void> Tracee::SetHardwareBreakpoint(int slot, TraceeAddress address) {
  debug_wanted_.addresses[static_cast<size_t>(slot)] = address.value;
  debug_wanted_.control &= ~SlotMask(slot);
  debug_wanted_.control |= SlotBits(slot, 0, 1);
  return SettleDebugRegisters();
}

Result<void> Tracee::ClearDebugRegister(int slot) {
  debug_wanted_.control &= ~SlotMask(slot);
  debug_wanted_.addresses[static_cast<size_t>(slot)] = 0;
  return SettleDebugRegisters();
}

// The current thread's become the wanted ones.
Result<void> Tracee::SettleDebugRegisters() {
  if (thread_.debug == debug_wanted_) return {};
  if (thread_.debug.control != 0) CF_TRY(PokeDebug(tid_, 7, 0));
  for (size_t slot = 0; slot < debug_wanted_.addresses.size(); ++slot)
    if (debug_wanted_.control & SlotMask(static_cast<int>(slot)))
      CF_TRY(PokeDebug(tid_, static_cast<int>(slot), debug_wanted_.addresses[slot]));
  if (debug_wanted_.control != 0) CF_TRY(PokeDebug(tid_, 7, debug_wanted_.control));
  thread_.debug = debug_wanted_;
  return {};
}

// Of a thread that was another tracer's nobody knows what it has.
void Tracee::ForgetDebugRegisters() {
  debug_wanted_ = thread_.debug = {};
  thread_.debug_hits = 0;
  static_cast<void>(PokeDebug(tid_, 7, 0));
}

unsigned Tracee::TakeDebugHits() {
  const unsigned noted = std::exchange(thread_.debug_hits, 0);
  size_t offset = offsetof(struct user, u_debugreg) + 6 * sizeof(long);
  errno = 0;
  long status = ::ptrace(PTRACE_PEEKUSER, tid_, offset, nullptr);
  if (errno != 0) return noted;
  if (status & 15) ::ptrace(PTRACE_POKEUSER, tid_, offset, status & ~15L);
  return static_cast<unsigned>(status & 15) | noted;
}

}  // namespace chronofork
