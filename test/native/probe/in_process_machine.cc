// A ProbeHost over the test's own process: code buffers, traps by a signal handler.
#include "in_process_machine.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/scoped_fd.h"

namespace chronofork {
namespace {

struct Run {
  const GeneralRegisters* start = nullptr;
  const SignalCallback* callback = nullptr;
  volatile bool entered = false;
  GeneralRegisters end{};
  greg_t home[NGREG];
};
// volatile: the compiler does not know that the int3 below leads to the handler.
Run* volatile current_run = nullptr;

constexpr struct {
  int index;
  unsigned long long GeneralRegisters::*field;
} kFields[] = {
    {REG_RAX, &GeneralRegisters::rax}, {REG_RBX, &GeneralRegisters::rbx}, {REG_RCX, &GeneralRegisters::rcx},
    {REG_RDX, &GeneralRegisters::rdx}, {REG_RSI, &GeneralRegisters::rsi}, {REG_RDI, &GeneralRegisters::rdi},
    {REG_RBP, &GeneralRegisters::rbp}, {REG_RSP, &GeneralRegisters::rsp}, {REG_R8, &GeneralRegisters::r8},
    {REG_R9, &GeneralRegisters::r9},   {REG_R10, &GeneralRegisters::r10}, {REG_R11, &GeneralRegisters::r11},
    {REG_R12, &GeneralRegisters::r12}, {REG_R13, &GeneralRegisters::r13}, {REG_R14, &GeneralRegisters::r14},
    {REG_R15, &GeneralRegisters::r15}, {REG_RIP, &GeneralRegisters::rip}, {REG_EFL, &GeneralRegisters::eflags},
};

void StoreRegisters(const GeneralRegisters& from, greg_t* to) {
  for (const auto& f : kFields) to[f.index] = static_cast<greg_t>(from.*f.field);
}

GeneralRegisters LoadRegisters(const greg_t* from) {
  GeneralRegisters made{};
  for (const auto& f : kFields) made.*f.field = static_cast<unsigned long long>(from[f.index]);
  unsigned long base = 0;
  syscall(SYS_arch_prctl, ARCH_GET_FS, &base);
  made.fs_base = base;
  return made;
}

void OnSignal(int number, siginfo_t* info, void* context) {
  Run* run = current_run;
  if (run == nullptr) {  // not ours: let it kill the test
    signal(number, SIG_DFL);
    return;
  }
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  if (!run->entered) {
    run->entered = true;
    memcpy(run->home, registers, sizeof run->home);
    StoreRegisters(*run->start, registers);
    return;
  }
  SignalStop stop;
  stop.number = number;
  stop.is_step = number == SIGTRAP && info->si_code == TRAP_TRACE;
  stop.address = reinterpret_cast<uint64_t>(info->si_addr);
  GeneralRegisters now = LoadRegisters(registers);
  if ((*run->callback)(stop, now)) {
    StoreRegisters(now, registers);
  } else {
    run->end = now;
    memcpy(registers, run->home, sizeof run->home);
  }
}

// Everything that the code which runs may change is named here. It finds fixed
// values in the first vector registers.
__attribute__((noinline)) void EnterByTrap() {
  asm volatile("pcmpeqd %%xmm0, %%xmm0; psrlq $3, %%xmm0; pxor %%xmm1, %%xmm1; int3" ::
                   : "memory", "cc", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                     "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                     "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

constexpr int kSignals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

}  // namespace

GeneralRegisters RunInProcess(const GeneralRegisters& start, const SignalCallback& callback) {
  static std::vector<std::byte> signal_stack(1 << 20);
  stack_t alternate{};
  stack_t previous_stack{};
  alternate.ss_sp = signal_stack.data();
  alternate.ss_size = signal_stack.size();
  CHRONOFORK_ASSERT(sigaltstack(&alternate, &previous_stack) == 0);
  struct sigaction action {};
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  struct sigaction previous[std::size(kSignals)];
  for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &action, &previous[i]);

  Run run;
  run.start = &start;
  run.callback = &callback;
  current_run = &run;
  EnterByTrap();
  current_run = nullptr;

  for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &previous[i], nullptr);
  sigaltstack(&previous_stack, nullptr);
  return run.end;
}

GeneralRegisters RunToStop(const GeneralRegisters& start, SignalStop& stop) {
  return RunInProcess(start, [&](const SignalStop& now, GeneralRegisters&) {
    stop = now;
    return false;
  });
}

Result<void> OwnProcessHost::Read(TraceeAddress address, std::span<std::byte> out) {
  iovec local{out.data(), out.size()};
  iovec remote{reinterpret_cast<void*>(address.value), out.size()};
  const ssize_t count = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
  if (count != static_cast<ssize_t>(out.size())) return SystemError("readFailed", "read", errno);
  return {};
}

Result<void> OwnProcessHost::Write(TraceeAddress address, std::span<const std::byte> bytes) {
  // Through this file, write protection does not count.
  static const ScopedFd memory(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
  const ssize_t count = pwrite(memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(address.value));
  if (count != static_cast<ssize_t>(bytes.size())) return SystemError("writeFailed", "write", errno);
  return {};
}

Result<void> OwnProcessHost::Map(TraceeAddress at, uint64_t length_bytes) {
  ++map_count;
  if (map_count == fail_map_number) return Error{.code = "mapFailed", .message = "told to fail", .remedy = ""};
  void* const wanted = reinterpret_cast<void*>(at.value);
  void* const mapped = mmap(wanted, length_bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (mapped != wanted) return SystemError("mapFailed", "map", errno);
  ++mapped_now;
  return {};
}

Result<void> OwnProcessHost::Unmap(TraceeAddress at, uint64_t length_bytes) {
  if (munmap(reinterpret_cast<void*>(at.value), length_bytes) != 0) return SystemError("unmapFailed", "unmap", errno);
  --mapped_now;
  return {};
}

std::vector<AddressRange> OwnProcessHost::Mappings() {
  std::vector<AddressRange> ranges = also_occupied;
  FILE* maps = fopen("/proc/self/maps", "re");
  CHRONOFORK_ASSERT(maps != nullptr);
  char line[1024];
  while (fgets(line, sizeof line, maps)) {
    unsigned long start;
    unsigned long end;
    if (sscanf(line, "%lx-%lx", &start, &end) == 2) ranges.push_back({TraceeAddress(start), TraceeAddress(end)});
  }
  fclose(maps);
  return ranges;
}

}  // namespace chronofork
