// Two pages that we map into every debuggee: a `syscall; int3` through which
// system calls are made on its behalf, and scratch memory for their arguments.
//
// The seccomp filter lets calls from kRemoteSyscallEnd pass without a stop. kCoreRange
// is all that may be ours there.
#pragma once

#include <cstdint>

#include "base/tracee_address.h"

namespace chronofork {

// Far from where the kernel and glibc put anything (the program at 0x5555…, libraries
// and stack at 0x7ff…), outside of ASan's shadow (below 0x1000_8000_0000), and where
// TSan and MSan take memory for the program's: they end it if anything lies elsewhere
// (0x7e80_0000_0000 on; compiler-rt's tsan_platform.h, msan.h).
inline constexpr TraceeAddress kCorePage{0x7e8000000000};
inline constexpr uint64_t kCorePageBytes = 2 * 4096;
inline constexpr TraceeAddress kRemoteSyscall = kCorePage;
inline constexpr TraceeAddress kRemoteSyscallEnd = kCorePage + 2;  // what seccomp sees as the caller
inline constexpr TraceeAddress kRemoteTrap = kCorePage + 3;        // pc after the int3
inline constexpr uint32_t kSyscallTrap = 0xcccc050f;               // syscall; int3; int3
inline constexpr TraceeAddress kPopFlags = kCorePage + 8;          // see Tracee::MatchIdFlag
inline constexpr uint16_t kPopFlagsTrap = 0xcc9d;                  // popfq; int3
inline constexpr TraceeAddress kScratchArea = kCorePage + 4096;
// Further up, mapped when it is first needed: code and data of the calls that are
// recorded inside the debuggee (callbuffer/runtime_layout.h). Its own call and its questions pass, too.
inline constexpr TraceeAddress kRuntimeSyscallEnd = kCorePage + 0x10002;
inline constexpr TraceeAddress kRuntimeQuestionEnd = kCorePage + 0x10022;
inline constexpr AddressRange kCoreRange{kCorePage, kCorePage + 0xb0000};

// What the filter says with a stop whose system call is not one of x86-64.
inline constexpr uint32_t kForeignCall = 1;

}  // namespace chronofork
