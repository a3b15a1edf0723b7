// Dirty pages by userfaultfd write protection and PAGEMAP_SCAN (Linux 6.7).
//
//     Attach   userfaultfd() inside the process ──pidfd_getfd──▶ ours; closed there
//     Reset    every matching page is write-protected
//     (runs)   a write takes one fault that the kernel answers by itself: "async"
//     Collect  PAGEMAP_SCAN lists the unprotected pages, and protects them again
//
// Pages that are not populated are not protected; when they come to life
// unprotected they count as written, as they should. Those that only a read
// brought to life are told apart by what they are: a page of a file, or the zero
// page. The program sees nothing of this: no descriptor, no signal.
//
// Which mappings are registered: private ones that are writable or anonymous
// (memory reserved without access is made writable later, by mprotect), and
// others once they hold a page that was written (RELRO, text with breakpoints).
// mremap drops the registration, so what was moved counts as written.
//
// Easy to get wrong: a registered mapping of a file has no fault-around; text
// must not be registered without need, or every page of libc costs a fault.
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "checkpoint/dirty_ways.h"
#include "kernel/uapi.h"
#include "tracee/memory.h"

namespace chronofork {
namespace {

const Log& Logger() {
  static const Log log("checkpoint");
  return log;
}

// A page was written if it is populated and not protected, and neither a
// file's page nor the zero page. (Some kernels call unpopulated pages written, too.)
constexpr uint64_t kPopulated = uapi::kPageIsPresent | uapi::kPageIsSwapped;
constexpr uint64_t kNotWritten = uapi::kPageIsFile | uapi::kPageIsZero;

Error Failed(const char* doing, int error_number, pid_t pid) {
  return SystemError("dirtyPagesFailed", std::string("Written pages cannot be watched: ") + doing, error_number, pid);
}

class UffdDirtyPages : public DirtyPages {
 public:
  UffdDirtyPages(pid_t pid, ScopedFd uffd, Pagemap pagemap)
      : pid_(pid), uffd_(std::move(uffd)), pagemap_(std::move(pagemap)) {}

  DirtyWay way() const override { return DirtyWay::kUffd; }
  Result<void> Reset() override;
  Result<PageSet> Collect(bool and_reset) override;
  void MappingsChanged() override { mappings_changed_ = true; }
  void Discarded(AddressRange range) override { discarded_.Add(range); }

  Result<void> RegisterMappings();

 private:
  bool Register(AddressRange range);
  Result<PageSet> Unprotected() const;

  pid_t pid_;
  ScopedFd uffd_;
  Pagemap pagemap_;
  bool mappings_changed_ = true;
  PageSet registered_;
  DiscardedRanges discarded_;
};

// False if the kernel does not allow it for this mapping (a driver's memory).
bool UffdDirtyPages::Register(AddressRange range) {
  uapi::UffdioRegister registration{{range.start.value, range.length()}, uapi::kUffdRegisterModeWp, 0};
  if (ioctl(uffd_.get(), uapi::kUffdioRegister, &registration) == 0) return true;
  CF_LOG(Logger(), kInfo, "pages at %#lx cannot be watched: errno %d", range.start.value, errno);
  return false;
}

Result<void> UffdDirtyPages::RegisterMappings() {
  std::vector<Mapping> others;
  std::vector<AddressRange> registered;
  for (Mapping& mapping : ReadMappings(pid_)) {
    if (mapping.shared || mapping.path == "[vdso]" || mapping.path == "[vsyscall]" ||
        mapping.path.starts_with("[vvar")) {
      continue;
    }
    bool anonymous = mapping.inode == 0;
    if (mapping.writable || anonymous) {
      // Again for most of them: the kernel skips those.
      if (Register(mapping.range)) registered.push_back(mapping.range);
    } else {
      others.push_back(std::move(mapping));
    }
  }
  Pagemap::Query unwatched;
  unwatched.required = uapi::kPageIsWritten;
  unwatched.any_of = kPopulated;
  unwatched.excluded = kNotWritten | uapi::kPageIsWpAllowed;
  CF_TRY_ASSIGN(PageSet written, pagemap_.Scan(unwatched));
  for (const Mapping& mapping : others) {
    bool was_registered = Overlaps(registered_, mapping.range);  // made read-only meanwhile
    if (!was_registered && !Overlaps(written, mapping.range)) continue;
    if (Register(mapping.range)) registered.push_back(mapping.range);
  }
  registered_ = MakePageSet(std::move(registered));
  mappings_changed_ = false;
  return {};
}

Result<void> UffdDirtyPages::Reset() {
  CF_TRY(Collect(true));
  return {};
}

// Where unprotected pages are, and a little around it. This exact question, and
// no other, the kernel answers without looking at each page (20 times faster).
Result<PageSet> UffdDirtyPages::Unprotected() const {
  Pagemap::Query unprotected;
  unprotected.required = uapi::kPageIsWritten;
  // Everywhere, not only in the mappings that we know of: stacks grow by themselves.
  CF_TRY_ASSIGN(PageSet pages, pagemap_.Scan(unprotected));
  // Looking at so many pages costs as much as one more call.
  constexpr uint64_t kGapBytes = 32 * kPageBytes;
  PageSet joined;
  for (const AddressRange& range : pages) {
    if (!joined.empty() && range.start - joined.back().end <= kGapBytes) {
      joined.back().end = range.end;
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

Result<PageSet> UffdDirtyPages::Collect(bool and_reset) {
  if (mappings_changed_) CF_TRY(RegisterMappings());
  CF_TRY_ASSIGN(PageSet where, Unprotected());
  Pagemap::Query written;
  written.required = uapi::kPageIsWritten | uapi::kPageIsWpAllowed;
  written.any_of = kPopulated;
  written.excluded = kNotWritten;
  written.write_protect = and_reset;
  CF_TRY_ASSIGN(PageSet pages, pagemap_.Scan(written, where));
  pages = discarded_.AddTo(std::move(pages), pid_);
  if (and_reset) discarded_.Clear();
  return pages;
}

// Makes a userfaultfd in the process and takes it over; none stays there.
Result<ScopedFd> TakeUffd(DirtyPagesHost& host) {
  constexpr uint64_t kFlags = O_CLOEXEC | O_NONBLOCK | uapi::kUffdUserModeOnly;
  CF_TRY_ASSIGN(int64_t remote, host.Syscall(SYS_userfaultfd, {kFlags}));
  if (remote < 0) return Failed("userfaultfd", static_cast<int>(-remote), host.pid());

  ScopedFd process(static_cast<int>(syscall(SYS_pidfd_open, host.pid(), 0)));
  // Its first thread has ended, and it is shown by another's number.
  if (!process.valid() && errno == ENOENT)
    process = ScopedFd(static_cast<int>(syscall(SYS_pidfd_open, host.pid(), uapi::kPidfdThread)));
  int error_number = errno;
  ScopedFd uffd;
  if (process.valid()) {
    uffd = ScopedFd(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), remote, 0)));
    error_number = errno;
  }
  CF_TRY_ASSIGN(int64_t closed, host.Syscall(SYS_close, {static_cast<uint64_t>(remote)}));
  if (!uffd.valid()) return Failed("pidfd_getfd", error_number, host.pid());
  if (closed < 0) return Failed("close", static_cast<int>(-closed), host.pid());
  return uffd;
}

}  // namespace

Result<std::unique_ptr<DirtyPages>> AttachUffd(DirtyPagesHost& host) {
  CF_TRY_ASSIGN(ScopedFd uffd, TakeUffd(host));
  uapi::UffdioApi api{uapi::kUffdApi, uapi::kUffdFeatureWpAsync | uapi::kUffdFeatureWpUnpopulated, 0};
  if (ioctl(uffd.get(), uapi::kUffdioApi, &api) != 0) return Failed("WP_ASYNC", errno, host.pid());
  CF_TRY_ASSIGN(Pagemap pagemap, Pagemap::Open(host.pid()));
  auto pages = std::make_unique<UffdDirtyPages>(host.pid(), std::move(uffd), std::move(pagemap));
  CF_TRY(pages->RegisterMappings());
  return std::unique_ptr<DirtyPages>(std::move(pages));
}

}  // namespace chronofork
