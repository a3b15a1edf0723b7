// The trials. All code here runs between fork and _exit: system calls only.
#include "kernel/dirty_page_trials.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "kernel/uapi.h"

namespace chronofork {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kPages = 8;
constexpr size_t kWritten = 3;          // written by the program
constexpr size_t kWrittenByKernel = 5;  // written by a read() into it

// Populated and private: only then do write protection and sharing apply.
char* MakePages() {
  void* memory = mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* pages = static_cast<char*>(memory);
  madvise(memory, kPages * kPageBytes, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < kPages; ++i) *static_cast<volatile char*>(pages + i * kPageBytes) = 1;
  return pages;
}

void WriteTwoPages(char* pages) {
  *static_cast<volatile char*>(pages + kWritten * kPageBytes) = 2;
  int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  ssize_t got = read(zeros, pages + kWrittenByKernel * kPageBytes, 1);
  if (got != 1) pages[kWrittenByKernel * kPageBytes] = 0;
  close(zeros);
}

bool ReadEntries(int pagemap, const char* pages, uint64_t (&entries)[kPages]) {
  auto offset = static_cast<off_t>(reinterpret_cast<uintptr_t>(pages) / kPageBytes * sizeof(uint64_t));
  return pread(pagemap, entries, sizeof entries, offset) == static_cast<ssize_t>(sizeof entries);
}

bool OnlyWrittenHave(const uint64_t (&entries)[kPages], uint64_t bit) {
  for (size_t i = 0; i < kPages; ++i) {
    bool expected = i == kWritten || i == kWrittenByKernel;
    if (((entries[i] & bit) != 0) != expected) return false;
  }
  return true;
}

void UffdTrial(TrialReport& report) {
  char* pages = MakePages();
  if (pages == nullptr) return report.Fail(kUffdOpen, errno);
  auto uffd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | uapi::kUffdUserModeOnly));
  if (uffd < 0) return report.Fail(kUffdOpen, errno);
  uapi::UffdioApi api{uapi::kUffdApi, uapi::kUffdFeatureWpAsync | uapi::kUffdFeatureWpUnpopulated, 0};
  if (ioctl(uffd, uapi::kUffdioApi, &api) != 0) return report.Fail(kUffdFeatures, errno);
  auto start = reinterpret_cast<uint64_t>(pages);
  uapi::UffdioRegister registration{{start, kPages * kPageBytes}, uapi::kUffdRegisterModeWp, 0};
  if (ioctl(uffd, uapi::kUffdioRegister, &registration) != 0) return report.Fail(kUffdRegister, errno);

  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return report.Fail(kUffdScan, errno);
  uapi::PageRegion regions[kPages];
  uapi::PagemapScanArgument scan{};
  scan.size = sizeof scan;
  scan.flags = uapi::kScanWpMatching | uapi::kScanCheckWpAsync;
  scan.start = start;
  scan.end = start + kPages * kPageBytes;
  scan.vec = reinterpret_cast<uint64_t>(regions);
  scan.vec_len = kPages;
  scan.category_mask = uapi::kPageIsWritten;
  scan.return_mask = uapi::kPageIsWritten;
  if (ioctl(pagemap, uapi::kPagemapScan, &scan) < 0) return report.Fail(kUffdScan, errno);
  WriteTwoPages(pages);
  int count = ioctl(pagemap, uapi::kPagemapScan, &scan);
  if (count < 0) return report.Fail(kUffdScan, errno);
  bool exact = count == 2 && regions[0].start == start + kWritten * kPageBytes &&
               regions[0].end == regions[0].start + kPageBytes &&
               regions[1].start == start + kWrittenByKernel * kPageBytes &&
               regions[1].end == regions[1].start + kPageBytes;
  if (!exact) return report.Fail(kUffdWrongPages, 0);
  report.ok = true;
}

void ExclusiveTrial(TrialReport& report) {
  char* pages = MakePages();
  pid_t copy = fork();
  if (copy < 0) return report.Fail(kPagemapOpen, errno);
  if (copy > 0) {  // holds its share of the pages until the copy has looked
    waitpid(copy, nullptr, __WALL);
    return;
  }
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) {
    report.Fail(kPagemapOpen, errno);
    _exit(0);
  }
  WriteTwoPages(pages);
  uint64_t entries[kPages];
  if (!ReadEntries(pagemap, pages, entries)) {
    report.Fail(kPagemapRead, errno);
  } else if (!OnlyWrittenHave(entries, uapi::kPagemapExclusive)) {
    report.Fail(kPagemapWrongPages, 0);
  } else {
    report.ok = true;
  }
  _exit(0);
}

void SoftDirtyTrial(TrialReport& report) {
  char* pages = MakePages();
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return report.Fail(kPagemapOpen, errno);
  int clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (clear_refs < 0 || write(clear_refs, "4", 1) != 1) return report.Fail(kPagemapClear, errno);
  WriteTwoPages(pages);
  uint64_t entries[kPages];
  if (!ReadEntries(pagemap, pages, entries)) return report.Fail(kPagemapRead, errno);
  if (!OnlyWrittenHave(entries, uapi::kPagemapSoftDirty)) return report.Fail(kPagemapWrongPages, 0);
  report.ok = true;
}

}  // namespace

TrialReport TryUffdWriteProtection() { return RunTrial(UffdTrial); }
TrialReport TryExclusivePages() { return RunTrial(ExclusiveTrial); }
TrialReport TrySoftDirty() { return RunTrial(SoftDirtyTrial); }

}  // namespace chronofork
