// What makes the system calls of our own processes stop, and how they are traced.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "tracee/core_page.h"

namespace chronofork {

// Of processes that end with us.
inline constexpr long kTraceOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP |
                                      PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                                      PTRACE_O_TRACEEXEC;

// Every call stops (SECCOMP_RET_TRACE) but those that we make ourselves from the
// core page. Calls through the 32-bit entry (int 0x80) are marked: their
// numbers mean other calls.
inline std::array<sock_filter, 11> CallFilter() {
  constexpr uint32_t kIp = offsetof(seccomp_data, instruction_pointer);
  constexpr auto kLow = [](TraceeAddress address) { return static_cast<uint32_t>(address.value); };
  static_assert(kRemoteSyscallEnd.value >> 32 == kRuntimeSyscallEnd.value >> 32 &&
                kRemoteSyscallEnd.value >> 32 == kRuntimeQuestionEnd.value >> 32);
  return {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | kForeignCall),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kIp + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(kRemoteSyscallEnd.value >> 32), 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kIp),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kLow(kRuntimeSyscallEnd), 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kLow(kRemoteSyscallEnd), 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kLow(kRuntimeQuestionEnd), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
  }};
}

}  // namespace chronofork
