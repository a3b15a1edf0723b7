// Digests of registers and of bytes, the same in the tracer and in the code
// inside the debuggee. Not against an adversary: against a replay that differs.
//
// Quick on purpose, since they are made for every call: independent products
// that are added, words instead of bytes.
#pragma once

#include <stdint.h>

namespace chronofork {

// An odd constant for each place (SplitMix64).
constexpr uint64_t DigestFactor(uint64_t place) {
  uint64_t z = (place + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return (z ^ (z >> 31)) | 1;
}

template <uint64_t kPlace>
[[gnu::always_inline]] inline uint64_t DigestPart(uint64_t value) {
  constexpr uint64_t kFactor = DigestFactor(kPlace);
  return (value ^ (value >> 32)) * kFactor;
}

[[gnu::always_inline]] inline uint64_t FinishDigest(uint64_t sum) {
  sum ^= sum >> 32;
  sum *= DigestFactor(100);
  return sum ^ (sum >> 29);
}

// The 16 general registers, pc, flags (without those of debuggers) and the two segment bases.
struct DigestedRegisters {
  uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip, flags, fs_base, gs_base;
};

[[gnu::always_inline]] inline uint64_t DigestRegisters(const DigestedRegisters& r) {
  return FinishDigest(DigestPart<10>(r.rax) + DigestPart<11>(r.rbx) + DigestPart<12>(r.rcx) + DigestPart<13>(r.rdx) +
                      DigestPart<14>(r.rsi) + DigestPart<15>(r.rdi) + DigestPart<16>(r.rbp) + DigestPart<17>(r.rsp) +
                      DigestPart<18>(r.r8) + DigestPart<19>(r.r9) + DigestPart<20>(r.r10) + DigestPart<21>(r.r11) +
                      DigestPart<22>(r.r12) + DigestPart<23>(r.r13) + DigestPart<24>(r.r14) + DigestPart<25>(r.r15) +
                      DigestPart<26>(r.rip) + DigestPart<27>(r.flags) + DigestPart<28>(r.fs_base) +
                      DigestPart<29>(r.gs_base));
}

// Single-stepping sets the trap flag, and the resume flag is the debugger's: neither belongs to the program.
inline constexpr uint64_t kFlagsOfDebuggers = 0x10100;

inline constexpr uint64_t kBytesDigestSeed = 0xcbf29ce484222325;

// Whole blocks of 32 bytes; the end of what belongs together goes to DigestLast().
[[gnu::always_inline]] inline uint64_t DigestBlocks(uint64_t digest, const unsigned char* bytes, uint64_t count) {
  for (; count > 0; bytes += 32, --count) {
    uint64_t w[4];
    __builtin_memcpy(w, bytes, sizeof w);
    digest = (digest ^ (DigestPart<1>(w[0]) + DigestPart<2>(w[1]) + DigestPart<3>(w[2]) + DigestPart<4>(w[3]))) *
             DigestFactor(0);
    digest ^= digest >> 29;
  }
  return digest;
}

[[gnu::always_inline]] inline uint64_t DigestLast(uint64_t digest, const unsigned char* bytes, uint64_t length) {
  digest = DigestBlocks(digest, bytes, length / 32);
  bytes += length / 32 * 32;
  length %= 32;
  for (; length >= 8; bytes += 8, length -= 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes, sizeof word);
    digest = (digest ^ DigestPart<5>(word)) * DigestFactor(0);
    digest ^= digest >> 29;
  }
  uint64_t tail = length << 56;
  for (uint64_t i = 0; i < length; ++i) tail |= uint64_t{bytes[i]} << (8 * i);
  digest = (digest ^ DigestPart<6>(tail)) * DigestFactor(0);
  return digest ^ (digest >> 29);
}

}  // namespace chronofork
