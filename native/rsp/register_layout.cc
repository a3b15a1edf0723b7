// The table of amd64's registers, in gdb's order, and access to their bytes.
#include "rsp/register_layout.h"

#include <cpuid.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace chronofork {
namespace {

// The legacy region, as FXSAVE64 writes it (Intel SDM volume 1, table 10-2).
constexpr size_t kControlWord = 0, kStatusWord = 2, kTagByte = 4, kOpcode = 6;
constexpr size_t kInstructionOffset = 8, kInstructionSelector = 12, kDataOffset = 16, kDataSelector = 20;
constexpr size_t kMxcsr = 24, kX87Stack = 32, kXmm = 160;
constexpr size_t kLegacyBytes = 512;
// Linux keeps XCR0 in the bytes that FXSAVE leaves to software.
constexpr size_t kXcr0 = 464;
constexpr size_t kXstateBv = 512;

enum Component : uint32_t { kX87, kSseState, kAvxState, kMasks = 5, kZmmHigh, kZmmUpper, kPkru = 9 };

uint32_t ComponentOffset(uint32_t component) {
  unsigned size = 0, offset = 0, c = 0, d = 0;
  if (!__get_cpuid_count(0xd, component, &size, &offset, &c, &d) || size == 0) return 0;
  return offset;
}

std::string Numbered(const char* prefix, int i, const char* suffix = "") { return prefix + std::to_string(i) + suffix; }

// The two-bit tag of a register: 0 valid, 1 zero, 2 special.
unsigned TagOf(const std::byte* value) {
  uint64_t fraction;
  uint16_t exponent;
  std::memcpy(&fraction, value, 8);
  std::memcpy(&exponent, value + 8, 2);
  exponent &= 0x7fff;
  if (exponent == 0x7fff) return 2;
  if (exponent == 0) return fraction == 0 ? 1 : 2;
  return fraction >> 63 ? 0 : 2;
}

uint16_t FullTagWord(const ExtendedRegisters& extended) {
  constexpr unsigned kEmpty = 3;
  uint16_t status;
  std::memcpy(&status, extended.data() + kStatusWord, 2);
  const unsigned top = status >> 11 & 7;
  const unsigned abridged = static_cast<uint8_t>(extended[kTagByte]);
  unsigned word = 0;
  for (unsigned physical = 0; physical < 8; ++physical) {
    // The area holds the stack from its top; the tags are those of the physical registers.
    const std::byte* value = extended.data() + kX87Stack + 16 * ((physical + 8 - top) % 8);
    unsigned tag = abridged >> physical & 1 ? TagOf(value) : kEmpty;
    word |= tag << (2 * physical);
  }
  return static_cast<uint16_t>(word);
}

std::byte AbridgedTag(uint16_t word) {
  unsigned abridged = 0;
  for (unsigned i = 0; i < 8; ++i) abridged |= unsigned{(word >> (2 * i) & 3) != 3} << i;
  return static_cast<std::byte>(abridged);
}

void MarkInUse(ExtendedRegisters& extended, uint32_t component) {
  if (extended.size() < kXstateBv + 8) return;
  uint64_t in_use;
  std::memcpy(&in_use, extended.data() + kXstateBv, 8);
  in_use |= uint64_t{1} << component;
  std::memcpy(extended.data() + kXstateBv, &in_use, 8);
}

bool Holds(const ExtendedRegisters& extended, const RegisterSpec& spec) {
  size_t end = spec.place == RegisterPlace::kTagWord ? kLegacyBytes : size_t{spec.offset} + spec.stored_bytes;
  return end <= extended.size();
}

struct GeneralName {
  const char* name;
  size_t offset;
  uint32_t bits;
  const char* type;
};

#define GENERAL(name, bits, type) \
  { #name, offsetof(user_regs_struct, name), bits, type }
constexpr GeneralName kGeneralNames[] = {
    GENERAL(rax, 64, "int64"),    GENERAL(rbx, 64, "int64"),    GENERAL(rcx, 64, "int64"),
    GENERAL(rdx, 64, "int64"),    GENERAL(rsi, 64, "int64"),    GENERAL(rdi, 64, "int64"),
    GENERAL(rbp, 64, "data_ptr"), GENERAL(rsp, 64, "data_ptr"), GENERAL(r8, 64, "int64"),
    GENERAL(r9, 64, "int64"),     GENERAL(r10, 64, "int64"),    GENERAL(r11, 64, "int64"),
    GENERAL(r12, 64, "int64"),    GENERAL(r13, 64, "int64"),    GENERAL(r14, 64, "int64"),
    GENERAL(r15, 64, "int64"),    GENERAL(rip, 64, "code_ptr"), GENERAL(eflags, 32, "i386_eflags"),
    GENERAL(cs, 32, "int32"),     GENERAL(ss, 32, "int32"),     GENERAL(ds, 32, "int32"),
    GENERAL(es, 32, "int32"),     GENERAL(fs, 32, "int32"),     GENERAL(gs, 32, "int32"),
};
constexpr GeneralName kLinuxNames[] = {GENERAL(orig_rax, 64, "int64")};
constexpr GeneralName kSegmentNames[] = {GENERAL(fs_base, 64, "int64"), GENERAL(gs_base, 64, "int64")};
#undef GENERAL

}  // namespace

RegisterLayout::RegisterLayout(uint64_t xcr0) {
  AddGeneral();
  AddX87();
  AddSse();
  AddLinux();
  auto offset_of = [xcr0](uint32_t component) { return xcr0 >> component & 1 ? ComponentOffset(component) : 0; };
  if (uint32_t avx = offset_of(kAvxState); avx != 0) {
    AddAvx(avx);
    uint32_t masks = offset_of(kMasks), high = offset_of(kZmmHigh), upper = offset_of(kZmmUpper);
    if (masks != 0 && high != 0 && upper != 0) AddAvx512(masks, high, upper);
  }
  if (uint32_t pkru = offset_of(kPkru); pkru != 0) {
    feature_ = RegisterFeature::kPkeys;
    Add("pkru", 32, "i386_pkru", "", RegisterPlace::kExtended, pkru, 4, kPkru);
  }
}

uint64_t RegisterLayout::Xcr0Of(const ExtendedRegisters& extended) {
  constexpr uint64_t kX87AndSse = 3;
  uint64_t xcr0 = 0;
  if (extended.size() >= kXstateBv + 64) std::memcpy(&xcr0, extended.data() + kXcr0, 8);
  return xcr0 | kX87AndSse;
}

void RegisterLayout::Add(std::string name, uint32_t bits, const char* type, const char* group, RegisterPlace place,
                         size_t offset, size_t stored_bytes, uint32_t component) {
  CHRONOFORK_ASSERT(bits / 8 <= kMaxRegisterBytes);
  registers_.push_back({std::move(name), feature_, bits, type, group, place, static_cast<uint32_t>(offset),
                        static_cast<uint32_t>(stored_bytes), component});
}

void RegisterLayout::AddGeneral() {
  feature_ = RegisterFeature::kCore;
  for (const GeneralName& g : kGeneralNames) Add(g.name, g.bits, g.type, "", RegisterPlace::kGeneral, g.offset, 8, 0);
}

void RegisterLayout::AddX87() {
  constexpr auto kIn = RegisterPlace::kExtended;
  for (int i = 0; i < 8; ++i) Add(Numbered("st", i), 80, "i387_ext", "", kIn, kX87Stack + 16 * i, 10, kX87);
  Add("fctrl", 32, "int", "float", kIn, kControlWord, 2, kX87);
  Add("fstat", 32, "int", "float", kIn, kStatusWord, 2, kX87);
  Add("ftag", 32, "int", "float", RegisterPlace::kTagWord, kTagByte, 1, kX87);
  Add("fiseg", 32, "int", "float", kIn, kInstructionSelector, 4, kX87);
  Add("fioff", 32, "int", "float", kIn, kInstructionOffset, 4, kX87);
  Add("foseg", 32, "int", "float", kIn, kDataSelector, 4, kX87);
  Add("fooff", 32, "int", "float", kIn, kDataOffset, 4, kX87);
  Add("fop", 32, "int", "float", kIn, kOpcode, 2, kX87);
}

void RegisterLayout::AddSse() {
  feature_ = RegisterFeature::kSse;
  for (int i = 0; i < 16; ++i) {
    Add(Numbered("xmm", i), 128, "vec128", "", RegisterPlace::kExtended, kXmm + 16 * i, 16, kSseState);
  }
  Add("mxcsr", 32, "i386_mxcsr", "vector", RegisterPlace::kExtended, kMxcsr, 4, kSseState);
}

void RegisterLayout::AddLinux() {
  feature_ = RegisterFeature::kLinux;
  for (const GeneralName& g : kLinuxNames) Add(g.name, g.bits, g.type, "", RegisterPlace::kGeneral, g.offset, 8, 0);
  feature_ = RegisterFeature::kSegments;
  for (const GeneralName& g : kSegmentNames) Add(g.name, g.bits, g.type, "", RegisterPlace::kGeneral, g.offset, 8, 0);
}

void RegisterLayout::AddAvx(uint32_t avx_offset) {
  feature_ = RegisterFeature::kAvx;
  for (int i = 0; i < 16; ++i) {
    Add(Numbered("ymm", i, "h"), 128, "uint128", "", RegisterPlace::kExtended, avx_offset + 16 * i, 16, kAvxState);
  }
}

void RegisterLayout::AddAvx512(uint32_t mask_offset, uint32_t high_offset, uint32_t upper_offset) {
  constexpr auto kIn = RegisterPlace::kExtended;
  feature_ = RegisterFeature::kAvx512;
  for (int i = 0; i < 8; ++i) Add(Numbered("k", i), 64, "uint64", "", kIn, mask_offset + 8 * i, 8, kMasks);
  for (int i = 0; i < 16; ++i) {
    Add(Numbered("zmm", i, "h"), 256, "v2ui128", "", kIn, high_offset + 32 * i, 32, kZmmHigh);
  }
  // The upper sixteen are stored whole, 64 bytes each.
  for (int i = 0; i < 16; ++i) {
    Add(Numbered("xmm", i + 16), 128, "vec128", "", kIn, upper_offset + 64 * i, 16, kZmmUpper);
  }
  for (int i = 0; i < 16; ++i) {
    Add(Numbered("ymm", i + 16, "h"), 128, "uint128", "", kIn, upper_offset + 64 * i + 16, 16, kZmmUpper);
  }
  for (int i = 0; i < 16; ++i) {
    Add(Numbered("zmm", i + 16, "h"), 256, "v2ui128", "", kIn, upper_offset + 64 * i + 32, 32, kZmmUpper);
  }
}

bool RegisterLayout::Read(size_t number, const GeneralRegisters& general, const ExtendedRegisters& extended,
                          std::span<std::byte> out) const {
  const RegisterSpec& spec = registers_.at(number);
  CHRONOFORK_ASSERT(out.size() == spec.length_bytes());
  std::fill(out.begin(), out.end(), std::byte{0});
  size_t count = std::min<size_t>(out.size(), spec.stored_bytes);
  if (spec.place == RegisterPlace::kGeneral) {
    std::memcpy(out.data(), reinterpret_cast<const std::byte*>(&general) + spec.offset, count);
    return true;
  }
  if (!Holds(extended, spec)) return false;
  if (spec.place == RegisterPlace::kTagWord) {
    uint16_t tags = FullTagWord(extended);
    std::memcpy(out.data(), &tags, sizeof tags);
  } else {
    std::memcpy(out.data(), extended.data() + spec.offset, count);
  }
  return true;
}

bool RegisterLayout::Write(size_t number, std::span<const std::byte> value, GeneralRegisters& general,
                           ExtendedRegisters& extended) const {
  const RegisterSpec& spec = registers_.at(number);
  if (value.size() != spec.length_bytes()) return false;
  size_t count = std::min<size_t>(value.size(), spec.stored_bytes);
  if (spec.place == RegisterPlace::kGeneral) {
    std::memcpy(reinterpret_cast<std::byte*>(&general) + spec.offset, value.data(), count);
    return true;
  }
  if (!Holds(extended, spec)) return false;
  if (spec.place == RegisterPlace::kTagWord) {
    uint16_t tags;
    std::memcpy(&tags, value.data(), sizeof tags);
    extended[spec.offset] = AbridgedTag(tags);
  } else {
    std::memcpy(extended.data() + spec.offset, value.data(), count);
  }
  MarkInUse(extended, spec.component);
  return true;
}

}  // namespace chronofork
