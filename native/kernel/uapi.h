// Constants of the kernel's interface that the headers we build with may lack:
// Debian 12 has those of Linux 6.1. Each names the header of the kernel's source
// tree in which it is found. They are types of ours, so newer headers do not clash.
#pragma once

#include <linux/ioctl.h>

#include <cstdint>

namespace chronofork::uapi {

// -- include/uapi/linux/userfaultfd.h ---------------------------------------
inline constexpr uint64_t kUffdApi = 0xAA;
inline constexpr int kUffdUserModeOnly = 1;                               // flag of userfaultfd(2), 5.11
inline constexpr uint64_t kUffdFeatureWpUnpopulated = uint64_t{1} << 13;  // 6.4
inline constexpr uint64_t kUffdFeatureWpAsync = uint64_t{1} << 15;        // 6.7
inline constexpr uint64_t kUffdRegisterModeWp = uint64_t{1} << 1;
struct UffdioApi {
  uint64_t api;
  uint64_t features;
  uint64_t ioctls;
};
struct UffdioRange {
  uint64_t start;
  uint64_t length;
};
struct UffdioRegister {
  UffdioRange range;
  uint64_t mode;
  uint64_t ioctls;
};
inline constexpr unsigned long kUffdioApi = _IOWR(0xAA, 0x3F, UffdioApi);
inline constexpr unsigned long kUffdioRegister = _IOWR(0xAA, 0x00, UffdioRegister);

// -- include/uapi/linux/fs.h, 6.7 -------------------------------------------
inline constexpr uint64_t kPageIsWpAllowed = 1 << 0;
inline constexpr uint64_t kPageIsWritten = 1 << 1;
inline constexpr uint64_t kPageIsFile = 1 << 2;
inline constexpr uint64_t kPageIsPresent = 1 << 3;
inline constexpr uint64_t kPageIsSwapped = 1 << 4;
inline constexpr uint64_t kPageIsZero = 1 << 5;  // PAGE_IS_PFNZERO
inline constexpr uint64_t kScanWpMatching = 1 << 0;
inline constexpr uint64_t kScanCheckWpAsync = 1 << 1;
struct PageRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
struct PagemapScanArgument {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t vec;
  uint64_t vec_len;
  uint64_t max_pages;
  uint64_t category_inverted;
  uint64_t category_mask;
  uint64_t category_anyof_mask;
  uint64_t return_mask;
};
inline constexpr unsigned long kPagemapScan = _IOWR('f', 16, PagemapScanArgument);

// -- Documentation/admin-guide/mm/pagemap.rst: bits of /proc/PID/pagemap ------
inline constexpr uint64_t kPagemapSoftDirty = uint64_t{1} << 55;
inline constexpr uint64_t kPagemapExclusive = uint64_t{1} << 56;  // mapped by one process only
inline constexpr uint64_t kPagemapFile = uint64_t{1} << 61;       // of a file, or shared anonymous
inline constexpr uint64_t kPagemapSwapped = uint64_t{1} << 62;
inline constexpr uint64_t kPagemapPresent = uint64_t{1} << 63;

// -- arch/x86/include/uapi/asm/prctl.h -------------------------------------------
inline constexpr uint32_t kArchSetGs = 0x1001;
inline constexpr uint32_t kArchSetFs = 0x1002;
inline constexpr uint32_t kArchGetFs = 0x1003;
inline constexpr uint32_t kArchGetGs = 0x1004;
inline constexpr uint32_t kArchGetCpuid = 0x1011;
inline constexpr uint32_t kArchSetCpuid = 0x1012;
inline constexpr uint32_t kArchGetXcompSupported = 0x1021;
inline constexpr uint32_t kArchGetXcompPermitted = 0x1022;
inline constexpr uint32_t kArchGetXcompGuestPermitted = 0x1024;
inline constexpr uint32_t kArchGetUntagMask = 0x4001;
inline constexpr uint32_t kArchGetMaxTagBits = 0x4003;
inline constexpr uint32_t kArchShadowStackStatus = 0x5005;

// -- include/uapi/linux/prctl.h --------------------------------------------------
inline constexpr uint32_t kPrctlLastKnown = 78;  // PR_FUTEX_HASH, 6.16
inline constexpr uint32_t kPrctlSetVma = 0x53564d41;
inline constexpr uint32_t kPrctlSetPtracer = 0x59616d61;
inline constexpr uint32_t kPrctlGetAuxv = 0x41555856;  // 6.4

// -- include/uapi/linux/fcntl.h, include/uapi/asm-generic/fcntl.h -------------------
inline constexpr int kFcntlGetOwnEx = 16;
inline constexpr int kFcntlGetOwnerUids = 17;
inline constexpr int kFcntlOfdGetlk = 36;
inline constexpr int kFcntlOfdSetlk = 37;
inline constexpr int kFcntlOfdSetlkWait = 38;
inline constexpr int kFcntlGetRwHint = 1024 + 11;
inline constexpr int kFcntlGetFileRwHint = 1024 + 13;

// -- include/uapi/linux/{msg,shm,sem}.h: structures that glibc does not have -------
inline constexpr int kMsgStatAny = 13;
inline constexpr int kShmStatAny = 15;
inline constexpr int kSemStatAny = 20;
inline constexpr uint64_t kMsginfoBytes = 32;
inline constexpr uint64_t kShminfoBytes = 72;
inline constexpr uint64_t kShmInfoBytes = 48;
inline constexpr uint64_t kSeminfoBytes = 40;

// -- include/uapi/asm-generic/mman-common.h ------------------------------------------
inline constexpr int kAdviceDontNeedLocked = 24;
inline constexpr int kAdviceGuardInstall = 102;  // 6.13
inline constexpr int kAdviceGuardRemove = 103;

// -- include/uapi/linux/pidfd.h ------------------------------------------------------
inline constexpr unsigned kPidfdThread = 0200;  // flag of pidfd_open(2), 6.9: O_EXCL

// -- include/uapi/linux/futex.h -----------------------------------------------------
inline constexpr int kFutexLockPi2 = 13;  // 5.14

// -- include/uapi/linux/keyctl.h ---------------------------------------------------
inline constexpr uint32_t kKeyctlDescribe = 6;
inline constexpr uint32_t kKeyctlRead = 11;
inline constexpr uint32_t kKeyctlGetSecurity = 17;
inline constexpr uint32_t kKeyctlGetPersistent = 22;

// -- include/uapi/linux/seccomp.h ---------------------------------------------------
inline constexpr uint32_t kSeccompSetModeStrict = 0;
inline constexpr uint32_t kSeccompSetModeFilter = 1;
inline constexpr uint32_t kSeccompGetNotifSizes = 3;

}  // namespace chronofork::uapi
