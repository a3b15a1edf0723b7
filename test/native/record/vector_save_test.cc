// The image that is laid out for XSAVE and its like, against the processor's own.
#include "record/vector_save.h"

#include <cpuid.h>
#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <vector>

namespace chronofork {
namespace {

constexpr size_t kHeader = 512, kComponents = 576;
constexpr uint64_t kLegacyAndAvx = 7;
// What ld.so saves around the binding of a function.
constexpr uint64_t kOfLoader = 0xee;

struct alignas(64) Area {
  std::byte bytes[8192];
  explicit Area(std::byte filler) { std::memset(bytes, static_cast<int>(filler), sizeof bytes); }
  uint64_t Word(size_t offset) const {
    uint64_t word;
    std::memcpy(&word, bytes + offset, sizeof word);
    return word;
  }
};

bool HasXsavec() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(0xd, 1, &eax, &ebx, &ecx, &edx) && (eax & 2) && __builtin_cpu_supports("avx");
}

uint64_t Enabled() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

// All parts that are wanted here hold something, then all three images are made at once.
struct Truth {
  Area whole{std::byte{0}}, standard{std::byte{0x5a}}, compact{std::byte{0x5a}};
  ExtendedRegisters state;

  explicit Truth(uint64_t asked) {
    std::memset(standard.bytes + kHeader, 0, kComponents - kHeader);
    std::memset(compact.bytes + kHeader, 0, kComponents - kHeader);
    const uint64_t pattern[4] = {0x1111222233334444, 0x5555666677778888, 0x9999aaaabbbbcccc, 0xddddeeeeffff0000};
    const uint32_t low = static_cast<uint32_t>(asked), high = static_cast<uint32_t>(asked >> 32);
    asm volatile(
        "vmovdqu (%[pattern]), %%ymm0\n vmovdqu (%[pattern]), %%ymm7\n vmovdqu (%[pattern]), %%ymm15\n fldpi\n"
        "mov $-1, %%eax\n mov $-1, %%edx\n xsave64 (%[whole])\n"
        "mov %[low], %%eax\n mov %[high], %%edx\n xsave64 (%[standard])\n xsavec64 (%[compact])\n"
        "fstp %%st(0)\n vzeroupper\n"
        :
        : [pattern] "r"(pattern), [whole] "r"(whole.bytes), [standard] "r"(standard.bytes),
          [compact] "r"(compact.bytes), [low] "r"(low), [high] "r"(high)
        : "rax", "rdx", "xmm0", "xmm7", "xmm15", "st", "memory");
    state.assign(whole.bytes, whole.bytes + sizeof whole.bytes);
    const uint64_t enabled = Enabled();
    std::memcpy(state.data() + 464, &enabled, sizeof enabled);  // as ptrace says it
  }
};

std::vector<std::byte> Made(const Truth& truth, uint64_t asked, bool compact) {
  std::vector<std::byte> former(VectorImageBytes(truth.state, asked, compact), std::byte{0x5a});
  std::memset(former.data() + kHeader, 0, kComponents - kHeader);
  return VectorImage(truth.state, asked, compact, true, std::move(former));
}

}  // namespace

TEST_CASE("vector save: what is in use lies where the processor puts it, in both forms") {
  if (!HasXsavec()) {
    printf("skipped: this processor has no XSAVEC or no AVX\n");
    return;
  }
  for (uint64_t asked : {kLegacyAndAvx, uint64_t{6}, uint64_t{4}, uint64_t{3}}) {
    CAPTURE(asked);
    const Truth truth(asked);
    for (bool compact : {false, true}) {
      CAPTURE(compact);
      const Area& theirs = compact ? truth.compact : truth.standard;
      const std::vector<std::byte> ours = Made(truth, asked, compact);
      CHECK(theirs.Word(kHeader) == asked);  // all of them hold something
      CHECK(std::memcmp(ours.data(), theirs.bytes, ours.size()) == 0);
      CHECK(theirs.bytes[ours.size()] == std::byte{0x5a});  // and no more
    }
  }
}

TEST_CASE("vector save: what is not in use is written all the same") {
  if (!HasXsavec()) {
    printf("skipped: this processor has no XSAVEC or no AVX\n");
    return;
  }
  const Truth truth(kOfLoader);
  ExtendedRegisters initial = truth.state;
  // The kernel gives initial values for what its header says is not in use.
  std::memset(initial.data() + 160, 0, 256);
  std::memset(initial.data() + kComponents, 0, initial.size() - kComponents);
  std::memset(initial.data() + kHeader, 0, 8);
  std::vector<std::byte> former(VectorImageBytes(initial, kOfLoader, true), std::byte{0x5a});
  const std::vector<std::byte> image = VectorImage(initial, kOfLoader, true, true, former);
  const uint64_t wanted = kOfLoader & Enabled();
  uint64_t header[2];
  std::memcpy(header, image.data() + kHeader, sizeof header);
  CHECK(header[0] == wanted);
  CHECK(header[1] == (wanted | uint64_t{1} << 63));
  for (size_t i = 160; i < 416; ++i) CHECK(image[i] == std::byte{0});
  for (size_t i = kComponents; i < kComponents + 256; ++i) CHECK(image[i] == std::byte{0});
  CHECK(image[0] == std::byte{0x5a});  // x87 was not asked for
  CHECK(image[kHeader + 16] == std::byte{0x5a});
}

}  // namespace chronofork
