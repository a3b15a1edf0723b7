// Which bytes are which register: gdb's numbers (those of our target
// description) mapped into GeneralRegisters and the XSAVE area.
//
// Easy to get wrong: the offsets of the XSAVE area's components differ between
// CPUs and are asked for with CPUID; x87's tag word is kept in one byte there
// and shown by gdb as two; a component that was written must be marked in
// XSTATE_BV, or the kernel ignores it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tracee/registers.h"

namespace chronofork {

// Numbers that stop replies and conditions rely on.
constexpr size_t kRbpNumber = 6;
constexpr size_t kRspNumber = 7;
constexpr size_t kRipNumber = 16;

enum class RegisterFeature { kCore, kSse, kLinux, kSegments, kAvx, kAvx512, kPkeys };
enum class RegisterPlace { kGeneral, kExtended, kTagWord };

struct RegisterSpec {
  std::string name;
  RegisterFeature feature;
  uint32_t bits;
  const char* type;   // a type of the target description
  const char* group;  // "" for gdb's default
  RegisterPlace place;
  uint32_t offset;        // in GeneralRegisters or in the XSAVE area
  uint32_t stored_bytes;  // may be fewer than bits / 8 (then 0 above) or more (then kept above)
  uint32_t component;     // of the XSAVE area

  size_t length_bytes() const { return bits / 8; }
};

class RegisterLayout {
 public:
  // The registers of a process whose XCR0 is `xcr0`, on this CPU.
  explicit RegisterLayout(uint64_t xcr0);
  // XCR0 from the kernel's bytes in the area; x87 and SSE if it is too short.
  static uint64_t Xcr0Of(const ExtendedRegisters& extended);

  const std::vector<RegisterSpec>& registers() const { return registers_; }

  // The value as gdb wants it, little endian, into `out` (length_bytes() of
  // `number`, at most kMaxRegisterBytes); false if the area does not hold it.
  bool Read(size_t number, const GeneralRegisters& general, const ExtendedRegisters& extended,
            std::span<std::byte> out) const;
  // False if the area does not hold it or the length is wrong.
  bool Write(size_t number, std::span<const std::byte> value, GeneralRegisters& general,
             ExtendedRegisters& extended) const;

 private:
  void Add(std::string name, uint32_t bits, const char* type, const char* group, RegisterPlace place, size_t offset,
           size_t stored_bytes, uint32_t component);
  void AddGeneral();
  void AddX87();
  void AddSse();
  void AddLinux();
  void AddAvx(uint32_t avx_offset);
  void AddAvx512(uint32_t mask_offset, uint32_t high_offset, uint32_t upper_offset);

  RegisterFeature feature_ = RegisterFeature::kCore;
  std::vector<RegisterSpec> registers_;
};

constexpr size_t kMaxRegisterBytes = 64;

}  // namespace chronofork
