// The trials. All code here runs between fork and _exit: system calls only.
#include "kernel/tracing_trials.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdio>

#include "kernel/uapi.h"

namespace chronofork {
namespace {

void NoNewPrivilegesTrial(TrialReport& report) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return report.Fail(1, errno);
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return report.Fail(2, 0);
  report.ok = true;
}

// Without a tracer, SECCOMP_RET_TRACE answers ENOSYS: so the filter is known to work.
void SeccompTraceTrial(TrialReport& report) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{sizeof code / sizeof code[0], code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return report.Fail(1, errno);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return report.Fail(2, errno);
  if (syscall(SYS_getppid) != -1 || errno != ENOSYS) return report.Fail(3, 0);
  report.ok = true;
}

void ProcessMemoryTrial(TrialReport& report) {
  volatile int64_t word = 1;
  pid_t child = fork();
  if (child < 0) return report.Fail(1, errno);
  if (child == 0) {
    word = 42;
    raise(SIGSTOP);
    _exit(0);
  }
  waitpid(child, nullptr, WUNTRACED);
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/mem", child);
  const int memory = open(path, O_RDWR | O_CLOEXEC);
  const auto at = reinterpret_cast<off_t>(&word);
  int64_t copy = 0;
  const bool done = memory >= 0 && pread(memory, &copy, sizeof copy, at) == sizeof copy &&
                    pwrite(memory, &copy, sizeof copy, at) == sizeof copy;
  int error_number = errno;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (!done) return report.Fail(2, error_number);
  if (copy != 42) return report.Fail(3, 0);
  report.ok = true;
}

void DisableAslrTrial(TrialReport& report) {
  constexpr unsigned long kAsk = 0xffffffff;
  int before = personality(kAsk);
  if (before == -1 || personality(static_cast<unsigned long>(before) | ADDR_NO_RANDOMIZE) == -1) {
    return report.Fail(1, errno);
  }
  if ((personality(kAsk) & ADDR_NO_RANDOMIZE) == 0) return report.Fail(2, 0);
  report.ok = true;
}

// SIGSEGV shall end the child, quietly: no handler inherited from Node, no core file.
void PrepareToFault() {
  signal(SIGSEGV, SIG_DFL);
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

void TscFaultTrial(TrialReport& report) {
  PrepareToFault();
  if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) != 0) return report.Fail(1, errno);
  report.step = 2;
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");  // the step is stored before
  report.Fail(3, 0);                                           // it did not fault
}

void CpuidFaultTrial(TrialReport& report) {
  PrepareToFault();
  if (syscall(SYS_arch_prctl, uapi::kArchSetCpuid, 0) != 0) return report.Fail(1, errno);
  report.step = 2;
  uint32_t a = 0, b, c = 0, d;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
  report.Fail(3, 0);  // it did not fault
}

void CpuPinningTrial(TrialReport& report) {
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return report.Fail(1, errno);
  report.value = CPU_COUNT(&usable);
  int here = sched_getcpu();
  if (here < 0) return report.Fail(2, errno);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(here), &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) return report.Fail(3, errno);
  report.ok = true;
}

void PagemapScanTrial(TrialReport& report) {
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return report.Fail(1, errno);
  uapi::PageRegion region;
  uapi::PagemapScanArgument scan{};
  scan.size = sizeof scan;
  scan.start = reinterpret_cast<uint64_t>(&region) & ~uint64_t{4095};  // a page of the stack: present
  scan.end = scan.start + 4096;
  scan.vec = reinterpret_cast<uint64_t>(&region);
  scan.vec_len = 1;
  scan.category_mask = uapi::kPageIsPresent;
  scan.return_mask = uapi::kPageIsPresent;
  int count = ioctl(pagemap, uapi::kPagemapScan, &scan);
  if (count < 0) return report.Fail(2, errno);
  if (count != 1) return report.Fail(3, 0);
  report.ok = true;
}

void PagemapTrial(TrialReport& report) {
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return report.Fail(1, errno);
  uint64_t entry = 0;
  auto offset = static_cast<off_t>(reinterpret_cast<uintptr_t>(&entry) / 4096 * sizeof entry);
  if (pread(pagemap, &entry, sizeof entry, offset) != sizeof entry) return report.Fail(2, errno);
  if ((entry & uapi::kPagemapPresent) == 0) return report.Fail(3, 0);
  report.ok = true;
}

TrialReport ExpectFault(TrialReport report) {
  report.ok = report.signal == SIGSEGV && report.step == 2;
  return report;
}

}  // namespace

TrialReport TryNoNewPrivileges() { return RunTrial(NoNewPrivilegesTrial); }
TrialReport TrySeccompTrace() { return RunTrial(SeccompTraceTrial); }
TrialReport TryProcessMemory() { return RunTrial(ProcessMemoryTrial); }
TrialReport TryDisableAslr() { return RunTrial(DisableAslrTrial); }
TrialReport TryTscFault() { return ExpectFault(RunTrial(TscFaultTrial)); }
TrialReport TryCpuidFault() { return ExpectFault(RunTrial(CpuidFaultTrial)); }
TrialReport TryCpuPinning() { return RunTrial(CpuPinningTrial); }
TrialReport TryPagemapScan() { return RunTrial(PagemapScanTrial); }
TrialReport TryPagemap() { return RunTrial(PagemapTrial); }

}  // namespace chronofork
