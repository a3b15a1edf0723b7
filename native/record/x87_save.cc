// The layouts are those of Intel SDM vol. 1, 8.1.10, and vol. 2, FXSAVE.
#include "record/x87_save.h"

#include <algorithm>
#include <cstring>

#include "record/program_write.h"

namespace chronofork {
namespace {

// Places in FXSAVE's image, in which the kernel gives the registers.
constexpr size_t kControl = 0, kStatus = 2, kTags = 4, kOpcode = 6, kInstruction = 8, kOperand = 16, kMxcsr = 24,
                 kRegisters = 32, kSlot = 16, kFxsaveWritten = 416;
constexpr size_t kRegisterBytes = 10;
// XSTATE_BV, in the header behind the legacy area.
constexpr size_t kHeader = 512;
constexpr uint64_t kX87 = 1;
constexpr uint16_t kInitialControl = 0x37f, kExceptionMasks = 0x3f, kExceptionPending = 0x80;

uint16_t HalfWord(const ExtendedRegisters& state, size_t offset) {
  uint16_t word = 0;
  std::memcpy(&word, state.data() + offset, sizeof word);
  return word;
}

// Valid 0, zero 1, special 2, empty 3; of the physical register in which ST(number) is.
uint16_t TagOf(const ExtendedRegisters& state, unsigned number) {
  uint64_t significand = 0;
  const size_t slot = kRegisters + number * kSlot;
  std::memcpy(&significand, state.data() + slot, sizeof significand);
  const unsigned exponent = HalfWord(state, slot + 8) & 0x7fff;
  if (exponent == 0 && significand == 0) return 1;
  const bool normal = exponent != 0 && exponent != 0x7fff && significand >> 63 != 0;
  return normal ? 0 : 2;
}

// FXSAVE has one bit for each register (not empty); the older images two.
uint16_t WholeTags(const ExtendedRegisters& state) {
  const auto held = static_cast<uint8_t>(state[kTags]);
  const unsigned top = HalfWord(state, kStatus) >> 11 & 7;
  uint16_t tags = 0;
  for (unsigned physical = 0; physical < 8; ++physical) {
    const uint16_t tag = held >> physical & 1 ? TagOf(state, (physical - top) & 7) : uint16_t{3};
    tags = static_cast<uint16_t>(tags | tag << (2 * physical));
  }
  return tags;
}

// Then the processor remembers where it was.
bool IsExceptionPending(const ExtendedRegisters& state) { return (HalfWord(state, kStatus) & kExceptionPending) != 0; }

size_t EnvironmentBytes(bool small) { return small ? 14 : 28; }

void PutEnvironment(const ExtendedRegisters& state, bool small, std::vector<std::byte>& image) {
  const uint16_t words[] = {HalfWord(state, kControl), HalfWord(state, kStatus), WholeTags(state)};
  // Above each of them 16 reserved bits, which are written as ones; so are those above the operand's segment.
  const size_t width = small ? 2 : 4;
  std::fill_n(image.begin(), EnvironmentBytes(small), std::byte{0});
  for (size_t i = 0; i < 3; ++i) {
    std::memcpy(image.data() + i * width, &words[i], sizeof words[i]);
    if (!small) std::fill_n(image.begin() + static_cast<long>(i * width + 2), 2, std::byte{0xff});
  }
  if (small) return;
  std::fill_n(image.begin() + 26, 2, std::byte{0xff});
  if (!IsExceptionPending(state)) return;
  std::memcpy(image.data() + 12, state.data() + kInstruction, 4);
  std::memcpy(image.data() + 18, state.data() + kOpcode, 2);
  std::memcpy(image.data() + 20, state.data() + kOperand, 4);
}

X87Image KindOf(std::span<const std::byte> code) {
  for (std::byte byte : code) {
    if (byte == std::byte{0xd9}) return X87Image::kEnvironment;
    if (byte == std::byte{0xdd}) return X87Image::kState;
    if (byte == std::byte{0x0f}) break;
  }
  return X87Image::kFxsave;
}

}  // namespace

bool X87AddressesAreForgotten() {
  static const bool forgotten = [] {
    struct alignas(64) {
      std::byte bytes[8192];
    } area{};
    const double one = 1;
    asm volatile("fldl %1\n fstp %%st(0)\n xsave64 %0" : "+m"(area) : "m"(one), "a"(kX87), "d"(0) : "st", "memory");
    uint64_t address = 0;
    std::memcpy(&address, area.bytes + kInstruction, sizeof address);
    return address == 0;
  }();
  return forgotten;
}

size_t X87ImageBytes(X87Image kind, bool small) {
  switch (kind) {
    case X87Image::kEnvironment: return EnvironmentBytes(small);
    case X87Image::kState: return EnvironmentBytes(small) + 8 * kRegisterBytes;
    case X87Image::kFxsave: break;
  }
  return kFxsaveWritten;
}

std::vector<std::byte> MakeX87Image(const ExtendedRegisters& state, X87Image kind, bool small,
                                    std::vector<std::byte> former) {
  std::vector<std::byte> image = std::move(former);
  if (kind == X87Image::kFxsave) {
    std::memcpy(image.data(), state.data(), kFxsaveWritten);
    if (!IsExceptionPending(state)) std::fill(image.begin() + kOpcode, image.begin() + kMxcsr, std::byte{0});
    return image;
  }
  PutEnvironment(state, small, image);
  if (kind == X87Image::kState)
    for (size_t i = 0; i < 8; ++i)
      std::memcpy(image.data() + EnvironmentBytes(small) + i * kRegisterBytes, state.data() + kRegisters + i * kSlot,
                  kRegisterBytes);
  return image;
}

Result<bool> SaveX87State(Tracee& process, const Instruction& instruction, std::span<const std::byte> code) {
  const X87Image kind = KindOf(code);
  const bool small =
      std::find(code.begin(), code.end(), std::byte{0x66}) <
      std::find_if(
          code.begin(), code.end(), [](std::byte b) { return b == std::byte{0xd9} || b == std::byte{0xdd}; });
  const GeneralRegisters r = process.registers();
  const TraceeAddress at = instruction.operand.Address(r);
  if (kind == X87Image::kFxsave && at.value % kSlot != 0) return false;
  CF_TRY_ASSIGN(ExtendedRegisters state, process.ReadExtended());
  if (state.size() < kHeader) return false;
  std::vector<std::byte> former(X87ImageBytes(kind, small));
  if (process.memory().ReadSome(at, former) != former.size()) return false;
  std::vector<std::byte> image = MakeX87Image(state, kind, small, std::move(former));
  if (!WriteAsProgram(process, at, image)) return false;

  uint16_t control = HalfWord(state, kControl);
  if (kind == X87Image::kEnvironment) control |= kExceptionMasks;
  if (kind == X87Image::kState) {
    control = kInitialControl;
    std::fill(state.begin() + kStatus, state.begin() + kMxcsr, std::byte{0});
  }
  if (kind == X87Image::kState || control != HalfWord(state, kControl)) {
    std::memcpy(state.data() + kControl, &control, sizeof control);
    if (state.size() >= kHeader + sizeof(uint64_t)) state[kHeader] |= std::byte{kX87};
    CF_TRY(process.WriteExtended(state));
  }
  GoOnAt(process, instruction.end());
  return true;
}

}  // namespace chronofork
