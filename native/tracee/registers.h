// The registers of a stopped tracee, as the kernel gives them.
#pragma once

#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace chronofork {

// General registers, segment bases, flags and orig_rax: the layout of
// PTRACE_GETREGSET(NT_PRSTATUS) on x86-64.
using GeneralRegisters = user_regs_struct;

// x87, SSE, AVX, AVX-512 and PKRU state: the bytes of PTRACE_GETREGSET(NT_X86_XSTATE),
// the XSAVE area in standard (non-compacted) format with XCR0 at offset 464.
using ExtendedRegisters = std::vector<std::byte>;

// At the instruction of a system call that stands at its entry, as if it had
// not been executed; only rcx and r11 are lost.
inline GeneralRegisters AtCallInstruction(const GeneralRegisters& at_entry) {
  GeneralRegisters r = at_entry;
  r.rip -= 2;  // the length of `syscall`
  r.rax = r.orig_rax;
  r.orig_rax = ~0ull;  // not in a system call
  return r;
}

}  // namespace chronofork
