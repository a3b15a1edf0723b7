// Makes the class of a call precise where one number stands for many calls, and
// says which calls cannot be recorded because of their arguments.
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "kernel/uapi.h"
#include "record/syscall_table.h"

namespace chronofork {
namespace {

SyscallClass ClassOfOpen(uint64_t flags) {
  bool changes_files = (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return changes_files ? SyscallClass::kSwallow : SyscallClass::kEmulate;
}

SyscallClass ClassOfFcntl(int command) {
  switch (command) {
    case F_SETLKW:
    case uapi::kFcntlOfdSetlkWait: return SyscallClass::kSchedule;
    case F_SETLK:
    case uapi::kFcntlOfdSetlk:
    case F_SETLEASE:
    case F_NOTIFY:
    case F_ADD_SEALS:
    case F_SETPIPE_SZ: return SyscallClass::kSwallow;
    default: return SyscallClass::kEmulate;
  }
}

// Requests of terminals, sockets and block devices that only look.
bool IsLookingIoctl(uint32_t request) {
  switch (request) {
    case 0x5401:      // TCGETS
    case 0x5405:      // TCGETA
    case 0x540f:      // TIOCGPGRP
    case 0x5411:      // TIOCOUTQ
    case 0x5413:      // TIOCGWINSZ
    case 0x5415:      // TIOCMGET
    case 0x541b:      // FIONREAD
    case 0x5421:      // FIONBIO: this descriptor's own flag
    case 0x5424:      // TIOCGETD
    case 0x5429:      // TIOCGSID
    case 0x5450:      // FIONCLEX
    case 0x5451:      // FIOCLEX
    case 0x802c542a:  // TCGETS2
    case 0x80045430:  // TIOCGPTN
    case 0x80086601:  // FS_IOC_GETFLAGS
    case 0x80081272:  // BLKGETSIZE64
      return true;
    default: return false;
  }
}

SyscallClass ClassOfFutex(uint64_t operation) {
  switch (operation & FUTEX_CMD_MASK & 0xffffffff) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_WAIT_REQUEUE_PI:
    case 13:  // FUTEX_LOCK_PI2, Linux 5.14
      return SyscallClass::kSchedule;
    default: return SyscallClass::kEmulate;
  }
}

SyscallClass ClassOfPrctl(uint64_t option) {
  switch (static_cast<uint32_t>(option)) {
    case PR_SET_NAME:
    case PR_SET_MM:
    case uapi::kPrctlSetVma: return SyscallClass::kExecute;  // what people see of the process, and its memory map
    case PR_SET_SECCOMP: return SyscallClass::kRefuse;
    default:
      // Among them those that must never take effect in a replay, and better
      // not while recording: PR_SET_TSC, PR_SET_DUMPABLE, PR_SET_PDEATHSIG.
      return SyscallClass::kEmulate;
  }
}

SyscallClass ClassOfArchPrctl(uint64_t code) {
  bool cpuid_faulting =
      static_cast<uint32_t>(code) == uapi::kArchGetCpuid || static_cast<uint32_t>(code) == uapi::kArchSetCpuid;
  return cpuid_faulting ? SyscallClass::kEmulate : SyscallClass::kExecute;
}

SyscallClass ClassOfIpcControl(int command) {
  // 11 … 20: GETPID … SEM_STAT_ANY, MSG_STAT …, SHM_STAT …: all only look, but SETVAL and SETALL.
  bool looks = command == IPC_STAT || command == IPC_INFO || (command >= GETPID && command <= uapi::kSemStatAny);
  return looks && command != SETVAL && command != SETALL ? SyscallClass::kEmulate : SyscallClass::kSwallow;
}

SyscallClass ClassOfSeccomp(uint64_t operation) {
  auto op = static_cast<uint32_t>(operation);
  bool installs = op == uapi::kSeccompSetModeStrict || op == uapi::kSeccompSetModeFilter;
  return installs ? SyscallClass::kRefuse : SyscallClass::kEmulate;
}

constexpr char kSeccompRefusal[] =
    "The program forbids system calls to itself (seccomp), which would forbid them to Chronofork too. Start it without "
    "its sandbox.";

// Devices that write into the program's memory on their own, or whose requests
// hold pointers that we cannot follow.
struct Device {
  const char* prefix;
  const char* what;
};
constexpr Device kUnrecordableDevices[] = {
    {"/dev/dri/", "a graphics card"},       {"/dev/nvidia", "a graphics card"},  {"/dev/kfd", "a graphics card"},
    {"/dev/kvm", "virtual machines"},       {"/dev/vfio/", "a device directly"}, {"/dev/infiniband/", "InfiniBand"},
    {"anon_inode:kvm", "virtual machines"},
};

const Device* FindDevice(const std::string& path) {
  for (const Device& device : kUnrecordableDevices) {
    if (path.starts_with(device.prefix)) return &device;
  }
  return nullptr;
}

std::string DeviceRefusal(const Device& device, const std::string& path) {
  return std::string("The program uses ") + device.what + " (" + path +
         "), which writes into its memory without system calls and cannot be recorded. Run it without, for graphics "
         "with software rendering (LIBGL_ALWAYS_SOFTWARE=1).";
}

std::optional<std::string> RefusalForMmap(const SyscallArguments& call, const DescriptorPathFn& descriptor_path) {
  uint64_t flags = call.values[3];
  bool shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
  if ((flags & MAP_ANONYMOUS) != 0 || !shared) return std::nullopt;
  std::string path = descriptor_path(static_cast<int>(call.values[4]));
  if (const Device* device = FindDevice(path)) return DeviceRefusal(*device, path);
  bool written_by_others = path.starts_with("socket:") || path.starts_with("anon_inode:");
  if (path.starts_with("/dev/") && !path.starts_with("/dev/shm/") && path != "/dev/zero") written_by_others = true;
  if (!written_by_others) return std::nullopt;
  return "The program maps memory that a device or the kernel writes to (" + path +
         "), and such writes cannot be recorded. Run it with that feature turned off.";
}

}  // namespace

SyscallClass ClassFor(const SyscallArguments& call) {
  const auto& values = call.values;
  switch (call.number) {
    case SYS_open: return ClassOfOpen(values[1]);
    case SYS_openat: return ClassOfOpen(values[2]);
    case SYS_fcntl: return ClassOfFcntl(static_cast<int>(values[1]));
    case SYS_ioctl:
      return IsLookingIoctl(static_cast<uint32_t>(values[1])) ? SyscallClass::kEmulate : SyscallClass::kSwallow;
    case SYS_futex: return ClassOfFutex(values[1]);
    case SYS_prctl: return ClassOfPrctl(values[0]);
    case SYS_arch_prctl: return ClassOfArchPrctl(values[0]);
    case SYS_shmctl:
    case SYS_msgctl: return ClassOfIpcControl(static_cast<int>(values[1]));
    case SYS_semctl: return ClassOfIpcControl(static_cast<int>(values[2]));
    case SYS_seccomp: return ClassOfSeccomp(values[0]);
    // How far the stack may grow decides where it faults.
    case SYS_setrlimit: return values[0] == RLIMIT_STACK ? SyscallClass::kExecute : SyscallClass::kEmulate;
    case SYS_prlimit64: {
      const bool own_stack = values[0] == 0 && values[1] == RLIMIT_STACK && values[2] != 0;
      return own_stack ? SyscallClass::kExecute : SyscallClass::kEmulate;
    }
    default: return RowFor(call.number).cls;
  }
}

std::optional<std::string> RefusalFor(const SyscallArguments& call, const DescriptorPathFn& descriptor_path) {
  const SyscallRow& row = RowFor(call.number);
  if (row.refusal != nullptr) return row.refusal;
  if (call.number == SYS_mmap) return RefusalForMmap(call, descriptor_path);
  if (call.number == SYS_ioctl) {
    std::string path = descriptor_path(static_cast<int>(call.values[0]));
    if (const Device* device = FindDevice(path)) return DeviceRefusal(*device, path);
    return std::nullopt;
  }
  bool filters_itself = call.number == SYS_seccomp || call.number == SYS_prctl;
  if (filters_itself && ClassFor(call) == SyscallClass::kRefuse) return kSeccompRefusal;
  return std::nullopt;
}

}  // namespace chronofork
