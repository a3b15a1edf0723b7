// Tries what launching, recording and replaying need of the kernel beside
// dirty pages (dirty_page_trials.h) and ptrace (tracee/).
#pragma once

#include "kernel/trial.h"

namespace chronofork {

TrialReport TryNoNewPrivileges();
TrialReport TrySeccompTrace();   // a filter that hands a call to a tracer
TrialReport TryProcessMemory();  // a child's, read and written
TrialReport TryDisableAslr();
TrialReport TryTscFault();    // rdtsc raises SIGSEGV
TrialReport TryCpuidFault();  // cpuid raises SIGSEGV
TrialReport TryCpuPinning();  // value: the number of CPUs that may be used
TrialReport TryPagemapScan();
TrialReport TryPagemap();  // reading /proc/PID/pagemap at all

}  // namespace chronofork
