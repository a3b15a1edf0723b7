// The three ways of finding dirty pages, against what a puppet really wrote.
// Each test runs once for each way that works on this kernel.
#include "checkpoint/dirty_pages.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

#include "../test/native/checkpoint/puppet.h"
#include "kernel/dirty_page_trials.h"

namespace chronofork {
namespace {

using testing::Puppet;

const char* TryWay(DirtyWay way) {
  switch (way) {
    case DirtyWay::kUffd:
      return TryUffdWriteProtection().ok ? nullptr : "no userfaultfd write protection or PAGEMAP_SCAN (Linux 6.7)";
    case DirtyWay::kExclusive: return TryExclusivePages().ok ? nullptr : "pagemap does not show exclusive pages";
    case DirtyWay::kSoftDirty:
      return TrySoftDirty().ok ? nullptr : "the kernel has no soft-dirty bits (CONFIG_MEM_SOFT_DIRTY)";
  }
  return "no such way";
}

// nullptr if the way works on this kernel. Tried once for each.
const char* WhyNot(DirtyWay way) {
  static const std::map<DirtyWay, const char*> answers = {{DirtyWay::kUffd, TryWay(DirtyWay::kUffd)},
                                                          {DirtyWay::kExclusive, TryWay(DirtyWay::kExclusive)},
                                                          {DirtyWay::kSoftDirty, TryWay(DirtyWay::kSoftDirty)}};
  return answers.at(way);
}

// A puppet that is watched, and what it wrote since the last reset.
class Watched {
 public:
  explicit Watched(DirtyWay way) : way_(way), dirty_(DirtyPages::Attach(way, puppet).value()) {}

  // Means the same for all ways: nothing counts as written from here on.
  void Reset() {
    REQUIRE(dirty_->Reset().ok());
    if (way_ == DirtyWay::kExclusive) puppet.ForkHolder();
  }
  DirtyPages& dirty() { return *dirty_; }

  // The numbers of the pages from `start` on that were written.
  std::set<uint64_t> Written(TraceeAddress start, uint64_t page_count) {
    Result<PageSet> pages = dirty_->Collect(false);
    REQUIRE(pages.ok());
    std::set<uint64_t> numbers;
    for (uint64_t page = 0; page < page_count; ++page) {
      if (Contains(*pages, start + page * kPageBytes)) numbers.insert(page);
    }
    return numbers;
  }

  Puppet puppet;

 private:
  DirtyWay way_;
  std::unique_ptr<DirtyPages> dirty_;
};

void ForEachWay(const std::function<void(Watched&)>& test) {
  for (DirtyWay way : {DirtyWay::kUffd, DirtyWay::kExclusive, DirtyWay::kSoftDirty}) {
    if (WhyNot(way) != nullptr) continue;  // counted as skipped once, by the first tests below
    INFO("way " << std::string(DirtyWayName(way)));
    Watched watched(way);
    test(watched);
  }
}

using Numbers = std::set<uint64_t>;

void StoreEach(Puppet& puppet, TraceeAddress start, const Numbers& pages) {
  for (uint64_t page : pages) puppet.Store(start + page * kPageBytes + page % kPageBytes, 1);
}

// A file of `page_count` pages of 'x', mapped privately by the puppet.
TraceeAddress MapFile(Puppet& puppet, uint64_t page_count, uint64_t protection) {
  char path[] = "/tmp/chronofork-test-XXXXXX";
  ScopedFd fd(mkstemp(path));
  REQUIRE(fd.valid());
  std::string text(page_count * kPageBytes, 'x');
  REQUIRE(write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  std::vector<std::byte> name(sizeof path);
  std::memcpy(name.data(), path, sizeof path);
  REQUIRE(puppet.Write(puppet.ScratchArea(), name).ok());
  int64_t remote = puppet.Call(SYS_open, {puppet.ScratchArea().value, O_RDONLY});
  int64_t address =
      puppet.Call(SYS_mmap, {0, page_count * kPageBytes, protection, MAP_PRIVATE, static_cast<uint64_t>(remote), 0});
  puppet.Call(SYS_close, {static_cast<uint64_t>(remote)});
  unlink(path);
  return TraceeAddress(static_cast<uint64_t>(address));
}

void CheckThatItWorksHere(DirtyWay way) {
  const char* why = WhyNot(way);
  if (why != nullptr) std::printf("skipped: dirty pages by %s: %s\n", DirtyWayName(way), why);
  if (why == nullptr) CHECK(Watched(way).dirty().way() == way);
}

TEST_CASE("dirty pages: by userfaultfd") { CheckThatItWorksHere(DirtyWay::kUffd); }
TEST_CASE("dirty pages: by exclusive pages") { CheckThatItWorksHere(DirtyWay::kExclusive); }
TEST_CASE("dirty pages: by soft-dirty bits") { CheckThatItWorksHere(DirtyWay::kSoftDirty); }

TEST_CASE("dirty pages: exactly the pages written since the reset") {
  ForEachWay([](Watched& w) {
    TraceeAddress start = w.puppet.Map(16);
    StoreEach(w.puppet, start, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13});
    w.dirty().MappingsChanged();
    w.Reset();
    CHECK(w.Written(start, 16).empty());
    StoreEach(w.puppet, start, {3, 7, 8, 15});  // 15 was never touched before
    CHECK(w.Written(start, 16) == Numbers{3, 7, 8, 15});
    CHECK(w.Written(start, 16) == Numbers{3, 7, 8, 15});  // looking changes nothing
    w.Reset();
    CHECK(w.Written(start, 16).empty());
    StoreEach(w.puppet, start, {7});
    CHECK(w.Written(start, 16) == Numbers{7});
  });
}

TEST_CASE("dirty pages: what was written before the process forks counts, though its child shares it") {
  ForEachWay([](Watched& w) {
    TraceeAddress start = w.puppet.Map(4);
    StoreEach(w.puppet, start, {0, 1, 2, 3});
    w.dirty().MappingsChanged();
    w.Reset();
    StoreEach(w.puppet, start, {1});
    REQUIRE(w.dirty().BeforeFork().ok());
    w.puppet.ForkHolder();
    StoreEach(w.puppet, start, {2});
    CHECK(w.Written(start, 4) == Numbers{1, 2});
    w.Reset();
    CHECK(w.Written(start, 4).empty());
  });
}

TEST_CASE("dirty pages: collecting with a reset begins anew in the same pass") {
  ForEachWay([](Watched& w) {
    if (w.dirty().way() == DirtyWay::kExclusive) return;  // its reset is a fork
    TraceeAddress start = w.puppet.Map(4);
    StoreEach(w.puppet, start, {0, 1, 2, 3});
    w.dirty().MappingsChanged();
    w.Reset();
    StoreEach(w.puppet, start, {2});
    Result<PageSet> first = w.dirty().Collect(true);
    REQUIRE(first.ok());
    CHECK(Contains(*first, start + 2 * kPageBytes));
    CHECK_FALSE(Contains(*first, start + 1 * kPageBytes));
    CHECK(w.Written(start, 4).empty());
  });
}

TEST_CASE("dirty pages: random writes over many rounds are found exactly") {
  ForEachWay([](Watched& w) {
    constexpr uint64_t kPageCount = 700;
    std::mt19937 random(7);
    TraceeAddress start = w.puppet.Map(kPageCount);
    w.dirty().MappingsChanged();
    for (int round = 0; round < 6; ++round) {
      CAPTURE(round);
      w.Reset();
      Numbers written;
      for (uint64_t i = random() % 200; i > 0; --i) written.insert(random() % kPageCount);
      for (uint64_t i = 0; i < 50; ++i) w.puppet.Load(start + random() % kPageCount * kPageBytes);
      StoreEach(w.puppet, start, written);
      CHECK(w.Written(start, kPageCount) == written);
    }
  });
}

TEST_CASE("dirty pages: writes by the kernel and by us count, and do not fail") {
  ForEachWay([](Watched& w) {
    TraceeAddress start = w.puppet.Map(8);
    StoreEach(w.puppet, start, {0, 1, 2, 3, 4, 5, 6, 7});
    w.dirty().MappingsChanged();
    w.Reset();
    // getrandom writes into pages 2 and 3 across their border
    CHECK(w.puppet.Call(SYS_getrandom, {start.value + 3 * kPageBytes - 8, 16, 0}) == 16);
    std::byte byte{5};
    REQUIRE(w.puppet.Write(start + 6 * kPageBytes, std::span(&byte, 1)).ok());
    CHECK(w.Written(start, 8) == Numbers{2, 3, 6});
    CHECK(w.puppet.Load(start + 6 * kPageBytes) == 5);
  });
}

TEST_CASE("dirty pages: reading does not count, of fresh memory or of a file") {
  ForEachWay([](Watched& w) {
    TraceeAddress fresh = w.puppet.Map(8);
    TraceeAddress file = MapFile(w.puppet, 8, PROT_READ | PROT_WRITE);
    w.dirty().MappingsChanged();
    w.Reset();
    for (uint64_t page : {1, 5, 6}) {
      CHECK(w.puppet.Load(fresh + page * kPageBytes) == 0);
      CHECK(w.puppet.Load(file + page * kPageBytes) == 'x');
    }
    CHECK(w.Written(fresh, 8).empty());
    CHECK(w.Written(file, 8).empty());
    StoreEach(w.puppet, fresh, {5});
    StoreEach(w.puppet, file, {1, 2});
    CHECK(w.Written(fresh, 8) == Numbers{5});
    CHECK(w.Written(file, 8) == Numbers{1, 2});
  });
}

TEST_CASE("dirty pages: memory mapped since the reset counts where it was written") {
  ForEachWay([](Watched& w) {
    w.Reset();
    TraceeAddress start = w.puppet.Map(8);
    w.dirty().MappingsChanged();
    StoreEach(w.puppet, start, {1, 4});
    CHECK(w.Written(start, 8) == Numbers{1, 4});
    w.Reset();
    CHECK(w.Written(start, 8).empty());
    StoreEach(w.puppet, start, {2});
    CHECK(w.Written(start, 8) == Numbers{2});
  });
}

TEST_CASE("dirty pages: memory reserved without access and opened later") {
  ForEachWay([](Watched& w) {
    int64_t reserved = w.puppet.Call(
        SYS_mmap,
        {0, 64 * kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, static_cast<uint64_t>(-1), 0});
    TraceeAddress start(static_cast<uint64_t>(reserved));
    w.puppet.Call(SYS_madvise, {start.value, 64 * kPageBytes, MADV_NOHUGEPAGE});
    w.dirty().MappingsChanged();
    w.Reset();
    w.puppet.Call(SYS_mprotect, {start.value, 16 * kPageBytes, PROT_READ | PROT_WRITE});
    StoreEach(w.puppet, start, {0, 9});
    CHECK(w.Written(start, 64) == Numbers{0, 9});
  });
}

TEST_CASE("dirty pages: moved and discarded memory counts when we are told") {
  ForEachWay([](Watched& w) {
    TraceeAddress start = w.puppet.Map(8), target = w.puppet.Map(8);
    StoreEach(w.puppet, start, {0, 1, 2, 3, 4, 5, 6, 7});
    w.dirty().MappingsChanged();
    w.Reset();
    // the last four pages move over the first four of `target`
    w.puppet.Call(SYS_mremap, {start.value + 4 * kPageBytes, 4 * kPageBytes, 4 * kPageBytes,
                               MREMAP_MAYMOVE | MREMAP_FIXED, target.value});
    w.dirty().MappingsChanged();
    w.dirty().Discarded({start + 4 * kPageBytes, start + 8 * kPageBytes});
    w.dirty().Discarded({target, target + 4 * kPageBytes});
    w.puppet.Call(SYS_madvise, {start.value + kPageBytes, 2 * kPageBytes, MADV_DONTNEED});
    w.dirty().Discarded({start + kPageBytes, start + 3 * kPageBytes});
    CHECK(w.puppet.Load(start + kPageBytes) == 0);
    CHECK(w.Written(target, 8) == Numbers{0, 1, 2, 3});
    CHECK(w.Written(start, 8) == Numbers{1, 2});  // 4 … 7 are not mapped any more
    w.Reset();
    CHECK(w.Written(target, 8).empty());
    CHECK(w.Written(start, 8).empty());
    StoreEach(w.puppet, target, {3});
    StoreEach(w.puppet, start, {1});
    CHECK(w.Written(target, 8) == Numbers{3});
    CHECK(w.Written(start, 8) == Numbers{1});
  });
}

TEST_CASE("dirty pages: what we write into text counts") {
  ForEachWay([](Watched& w) {
    TraceeAddress text = MapFile(w.puppet, 4, PROT_READ | PROT_EXEC);
    w.dirty().MappingsChanged();
    w.Reset();
    std::string path = "/proc/" + std::to_string(w.puppet.pid()) + "/mem";
    ScopedFd memory(open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!memory.valid()) {
      std::printf("skipped: writing into text needs /proc/PID/mem\n");
      return;
    }
    char trap = '\xcc';
    if (pwrite(memory.get(), &trap, 1, static_cast<off_t>(text.value + 2 * kPageBytes)) != 1) {
      std::printf("skipped: this kernel lets only tracers write into text\n");
      return;
    }
    w.dirty().MappingsChanged();
    CHECK(w.Written(text, 4) == Numbers{2});
    w.Reset();
    CHECK(w.Written(text, 4).empty());
  });
}

TEST_CASE("dirty pages: the stack counts") {
  ForEachWay([](Watched& w) {
    w.Reset();
    w.puppet.Call(SYS_getpid, {});  // its loop uses its stack
    Result<PageSet> pages = w.dirty().Collect(false);
    REQUIRE(pages.ok());
    CHECK(TotalBytes(*pages) > 0);
    CHECK(TotalBytes(*pages) < 200 * kPageBytes);  // and not everything
  });
}

TEST_CASE("dirty pages: a stack that grows by itself is followed without being told") {
  ForEachWay([](Watched& w) {
    constexpr uint64_t kRoom = 4096;  // pages: the kernel keeps a gap of 256 below a stack
    TraceeAddress room = w.puppet.Map(kRoom);
    w.puppet.Call(SYS_munmap, {room.value, kRoom * kPageBytes});
    TraceeAddress top = room + kRoom * kPageBytes;
    w.puppet.Call(SYS_mmap, {top.value - 2 * kPageBytes, 2 * kPageBytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, static_cast<uint64_t>(-1), 0});
    w.dirty().MappingsChanged();
    w.Reset();
    w.puppet.Store(top - 1, 1);
    w.puppet.Store(top - 10 * kPageBytes, 1);  // far below where it ended
    CHECK(w.Written(top - 16 * kPageBytes, 16) == Numbers{6, 15});
    w.Reset();
    w.puppet.Store(top - 9 * kPageBytes, 1);
    CHECK(w.Written(top - 16 * kPageBytes, 16) == Numbers{7});
  });
}

TEST_CASE("dirty pages: a huge mapping that is mostly empty is no burden") {
  ForEachWay([](Watched& w) {
    constexpr uint64_t kPageCount = uint64_t{64} << 18;  // 64 GiB
    int64_t reserved =
        w.puppet.Call(SYS_mmap, {0, kPageCount * kPageBytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, static_cast<uint64_t>(-1), 0});
    TraceeAddress start(static_cast<uint64_t>(reserved));
    w.puppet.Call(SYS_madvise, {start.value, kPageCount * kPageBytes, MADV_NOHUGEPAGE});
    w.dirty().MappingsChanged();
    w.Reset();
    w.puppet.Store(start + 123456 * kPageBytes, 1);
    Result<PageSet> pages = w.dirty().Collect(false);
    REQUIRE(pages.ok());
    AddressRange whole{start, start + kPageCount * kPageBytes};
    PageSet inside = Intersect(*pages, PageSet{whole});
    REQUIRE(inside.size() == 1);
    CHECK(inside[0].start == start + 123456 * kPageBytes);
    CHECK(inside[0].length() == kPageBytes);
  });
}

TEST_CASE("dirty pages: userfaultfd leaves no descriptor in the program") {
  if (WhyNot(DirtyWay::kUffd) != nullptr) return;
  Watched w(DirtyWay::kUffd);
  std::string folder = "/proc/" + std::to_string(w.puppet.pid()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code error;
    CHECK(std::filesystem::read_symlink(entry, error).string().find("userfaultfd") == std::string::npos);
  }
}

TEST_CASE("dirty pages: what a copy wrote since its fork, without preparation") {
  if (WhyNot(DirtyWay::kExclusive) != nullptr) return;
  Puppet puppet;
  TraceeAddress start = puppet.Map(8);
  StoreEach(puppet, start, {0, 1, 2, 3, 4, 5, 6, 7});
  puppet.ForkHolder();
  StoreEach(puppet, start, {2, 5});
  Result<PageSet> pages = ExclusivePages(puppet.pid());
  REQUIRE(pages.ok());
  PageSet inside = Intersect(*pages, PageSet{{start, start + 8 * kPageBytes}});
  CHECK(inside == MakePageSet({{start + 2 * kPageBytes, start + 3 * kPageBytes},
                               {start + 5 * kPageBytes, start + 6 * kPageBytes}}));
}

TEST_CASE("dirty pages: a fork of a watched process changes nothing, and both ways agree") {
  if (WhyNot(DirtyWay::kUffd) != nullptr || WhyNot(DirtyWay::kExclusive) != nullptr) return;
  Watched w(DirtyWay::kUffd);
  TraceeAddress start = w.puppet.Map(32);
  for (uint64_t page = 0; page < 32; ++page) w.puppet.Store(start + page * kPageBytes, 1);
  w.dirty().MappingsChanged();
  w.Reset();
  StoreEach(w.puppet, start, {1, 30});  // before the fork: shared afterwards
  w.puppet.ForkHolder();
  StoreEach(w.puppet, start, {2, 3, 30});
  CHECK(w.Written(start, 32) == Numbers{1, 2, 3, 30});
  Result<PageSet> own = ExclusivePages(w.puppet.pid());
  REQUIRE(own.ok());
  CHECK(Intersect(*own, PageSet{{start, start + 32 * kPageBytes}}) ==
        MakePageSet(
            {{start + 2 * kPageBytes, start + 4 * kPageBytes}, {start + 30 * kPageBytes, start + 31 * kPageBytes}}));
  w.Reset();
  CHECK(w.Written(start, 32).empty());
}

TEST_CASE("dirty pages: the way can be forced, and nonsense is refused") {
  const char* before = std::getenv("CHRONOFORK_DIRTY");
  std::string kept = before != nullptr ? before : "";
  setenv("CHRONOFORK_DIRTY", "sometimes", 1);
  Result<DirtyWay> nonsense = ChooseDirtyWay();
  REQUIRE_FALSE(nonsense.ok());
  CHECK(nonsense.error().code == "dirtyWayUnknown");
  for (DirtyWay way : {DirtyWay::kUffd, DirtyWay::kExclusive, DirtyWay::kSoftDirty}) {
    setenv("CHRONOFORK_DIRTY", DirtyWayName(way), 1);
    Result<DirtyWay> forced = ChooseDirtyWay();
    CHECK(forced.ok() == (WhyNot(way) == nullptr));
    if (forced.ok()) CHECK(*forced == way);
  }
  unsetenv("CHRONOFORK_DIRTY");
  Result<DirtyWay> best = ChooseDirtyWay();
  bool any = WhyNot(DirtyWay::kUffd) == nullptr || WhyNot(DirtyWay::kExclusive) == nullptr ||
             WhyNot(DirtyWay::kSoftDirty) == nullptr;
  CHECK(best.ok() == any);
  if (!kept.empty()) setenv("CHRONOFORK_DIRTY", kept.c_str(), 1);
}

TEST_CASE("dirty pages: a process that is gone is an error, not a crash") {
  ForEachWay([](Watched& w) {
    Puppet gone;
    DirtyWay way = w.dirty().way();
    auto dirty = DirtyPages::Attach(way, gone);
    REQUIRE(dirty.ok());
    kill(gone.pid(), SIGKILL);
    char state = 0;
    while (state != 'Z') {  // its memory is released before it becomes a zombie
      std::string path = "/proc/" + std::to_string(gone.pid()) + "/stat";
      ScopedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
      char text[256] = {};
      REQUIRE(read(fd.get(), text, sizeof text - 1) > 0);
      state = std::strrchr(text, ')')[2];
    }
    Result<PageSet> pages = (*dirty)->Collect(true);
    if (pages.ok()) CHECK(pages->empty());
  });
}

}  // namespace
}  // namespace chronofork
