// Runs the trials and puts their outcomes into a user's words.
#include "kernel/capabilities.h"

#include <sys/utsname.h>

#include <cstring>

#include "kernel/dirty_page_trials.h"
#include "kernel/surroundings.h"
#include "kernel/tracing_trials.h"

namespace chronofork {
namespace {

constexpr bool kRequired = true;
constexpr bool kOptional = false;

// What blocks tracing features is nearly always a container's seccomp profile.
constexpr char kContainerRemedy[] =
    "In a container, start it with --cap-add=SYS_PTRACE --security-opt seccomp=unconfined (in devcontainer.json: "
    "\"capAdd\": [\"SYS_PTRACE\"], \"securityOpt\": [\"seccomp=unconfined\"]).";

std::string WhyItFailed(const TrialReport& report) {
  char buffer[128];
  if (report.step < 0) return "no process could be started to try it";
  if (report.error_number != 0) return strerror_r(report.error_number, buffer, sizeof buffer);
  if (report.signal != 0) return std::string("ended by signal ") + strsignal(report.signal);
  return "accepted, but without effect";
}

Capability FromTrial(const char* name, bool required, const TrialReport& report, std::string works,
                     std::string remedy) {
  if (report.ok) return {name, true, std::move(works), "", required};
  return {name, false, WhyItFailed(report), std::move(remedy), required};
}

Capability KernelVersion() {
  utsname name;
  uname(&name);
  return {"kernel", true, std::string(name.sysname) + " " + name.release + " " + name.machine, "", kOptional};
}

Capability Yama() {
  std::optional<int> scope = YamaPtraceScope();
  if (!scope) return {"Yama ptrace_scope", true, "not built in: no restriction", "", kOptional};
  std::string detail = std::to_string(*scope);
  if (*scope <= 1) {
    // Everything that we trace we have started ourselves.
    return {"Yama ptrace_scope", true,
            detail + (*scope == 0 ? ": no restriction" : ": own children only, which is enough"), "", kOptional};
  }
  return {"Yama ptrace_scope", false, detail + ": only for administrators",
          *scope == 2
              ? "Run: sudo sysctl kernel.yama.ptrace_scope=1"
              : "Set kernel.yama.ptrace_scope=1 in /etc/sysctl.d and restart the machine: 3 cannot be undone while "
                "it runs.",
          kOptional};
}

Capability Ptrace(const std::function<Result<void>()>& try_ptrace) {
  Result<void> outcome = try_ptrace();
  if (outcome.ok()) return {"ptrace", true, "a child can be traced", "", kRequired};
  return {"ptrace", false, outcome.error().message,
          outcome.error().remedy.empty() ? kContainerRemedy : outcome.error().remedy, kRequired};
}

// The three ways of finding written pages; one of them is needed.
void AddDirtyPages(std::vector<Capability>& list) {
  TrialReport uffd = TryUffdWriteProtection();
  TrialReport scan = TryPagemapScan();
  TrialReport pagemap = TryPagemap();
  TrialReport exclusive = TryExclusivePages();
  TrialReport soft_dirty = TrySoftDirty();
  const char* newer = "Linux 6.7 or later makes checkpoints of large programs cheaper. Without it another way is used.";
  bool container = uffd.step == kUffdOpen && uffd.error_number == EPERM;
  list.push_back(FromTrial("userfaultfd write protection", kOptional, uffd, "exact, at the cost of the written pages",
                           container ? kContainerRemedy : newer));
  list.push_back(FromTrial("PAGEMAP_SCAN", kOptional, scan, "available", newer));
  list.push_back(FromTrial("pagemap", kOptional, pagemap, "readable",
                           "This needs /proc/PID/pagemap of a real Linux kernel (gVisor has none)."));
  list.push_back(FromTrial("exclusive pages", kOptional, exclusive, "pagemap bit 56 follows writes after a fork",
                           "This needs /proc/PID/pagemap of a real Linux kernel (gVisor has none)."));
  list.push_back(
      FromTrial("soft-dirty pages", kOptional, soft_dirty, "clear_refs and pagemap bit 55 work",
                "Nothing to do where another way works; otherwise a kernel built with CONFIG_MEM_SOFT_DIRTY."));
  const char* way = uffd.ok ? "uffd" : exclusive.ok ? "exclusive" : soft_dirty.ok ? "softdirty" : nullptr;
  if (way != nullptr) {
    list.push_back({"dirty pages", true, std::string("found by ") + way, "", kRequired});
  } else {
    list.push_back({"dirty pages", false, "none of the ways works",
                    "Use a machine, virtual machine or container with an ordinary Linux kernel (not gVisor).",
                    kRequired});
  }
}

Capability CpuPinning() {
  TrialReport report = TryCpuPinning();
  return FromTrial("CPU pinning", kOptional, report, std::to_string(report.value) + " CPUs may be used",
                   "Without it every stop of the program takes longer; everything works.");
}

Capability Memory() {
  constexpr uint64_t kEnoughBytes = uint64_t{512} << 20;  // the debuggee, gdb and some checkpoints of a small program
  std::optional<uint64_t> bytes = AvailableMemoryBytes();
  if (!bytes) return {"free memory", true, "unknown", "", kOptional};
  bool enough = *bytes >= kEnoughBytes;
  return {"free memory", enough, std::to_string(*bytes >> 20) + " MiB",
          enough ? "" : "Close other programs, or give the machine or container more memory: few checkpoints fit.",
          kOptional};
}

Capability Processes() {
  constexpr uint64_t kEnough = 200;  // every checkpoint is a process, and some hundred are kept
  std::optional<uint64_t> headroom = ProcessHeadroom();
  if (!headroom) return {"processes", true, "no limit", "", kOptional};
  bool enough = *headroom >= kEnough;
  return {"processes", enough, std::to_string(*headroom) + " more may be started",
          enough ? "" : "Raise the limit (ulimit -u, or the container's --pids-limit): every checkpoint is a process.",
          kOptional};
}

}  // namespace

std::vector<Capability> ProbeKernel(const std::function<Result<void>()>& try_ptrace) {
  std::vector<Capability> list;
  list.push_back(KernelVersion());
  list.push_back({"surroundings", true, DescribeSurroundings(), "", kOptional});
  if (try_ptrace) list.push_back(Ptrace(try_ptrace));
  list.push_back(Yama());
  list.push_back(FromTrial("no_new_privs", kRequired, TryNoNewPrivileges(), "allowed", kContainerRemedy));
  list.push_back(
      FromTrial("seccomp filter", kRequired, TrySeccompTrace(), "stops at chosen system calls", kContainerRemedy));
  list.push_back(
      FromTrial("process memory", kRequired, TryProcessMemory(), "is read and written through /proc",
                std::string("/proc must be mounted, with the program's processes in it. ") + kContainerRemedy));
  AddDirtyPages(list);
  list.push_back(
      FromTrial("address layout", kOptional, TryDisableAslr(), "randomization can be turned off",
                std::string("Without it addresses differ from run to run; everything works. ") + kContainerRemedy));
  list.push_back(FromTrial("rdtsc", kOptional, TryTscFault(), "can be recorded (PR_SET_TSC)",
                           "Programs that read the time stamp counter themselves may replay differently."));
  list.push_back(
      FromTrial("cpuid", kOptional, TryCpuidFault(), "can be intercepted",
                "Nothing to do: this processor or virtual machine has no cpuid faulting; a recording cannot be "
                "moved to another kind of processor."));
  list.push_back(CpuPinning());
  list.push_back(Memory());
  list.push_back(Processes());
  return list;
}

}  // namespace chronofork
