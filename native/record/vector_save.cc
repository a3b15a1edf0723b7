// Lays out the image as the processor would: the legacy area, the header, then
// each component at its place (standard form) or one after the other (compact).
#include "record/vector_save.h"

#include <cpuid.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "record/program_write.h"
#include "record/x87_save.h"

namespace chronofork {
namespace {

// Intel SDM vol. 1, 13.4: the places in the image.
constexpr size_t kMxcsr = 24, kX87Registers = 32, kSseRegisters = 160, kSseEnd = 416;
constexpr size_t kEnabled = 464;  // where ptrace tells XCR0 (struct xstate_header's neighbour, linux/user.h)
constexpr size_t kHeader = 512, kComponents = 576, kAlignment = 64;
constexpr uint64_t kX87 = 1 << 0, kSse = 1 << 1, kAvx = 1 << 2, kCompactForm = uint64_t{1} << 63;
// Components from here on must be allowed by arch_prctl(2): restoring one that is not would be fatal.
constexpr int kFirstToBeAllowed = 17, kLastComponent = 62;

struct Component {
  size_t offset = 0;  // in the standard form
  size_t length = 0;
  bool is_aligned = false;  // in the compact form
};

// Asked once: in a virtual machine each cpuid leaves it.
const std::array<Component, kLastComponent + 1>& Components() {
  static const std::array<Component, kLastComponent + 1> all = [] {
    std::array<Component, kLastComponent + 1> found{};
    for (int number = 2; number <= kLastComponent; ++number) {
      unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
      if (__get_cpuid_count(0xd, static_cast<unsigned>(number), &eax, &ebx, &ecx, &edx))
        found[static_cast<size_t>(number)] = {ebx, eax, (ecx & 2) != 0};
    }
    return found;
  }();
  return all;
}

uint64_t Word(std::span<const std::byte> bytes, size_t offset) {
  uint64_t word = 0;
  if (offset + sizeof word <= bytes.size()) std::memcpy(&word, bytes.data() + offset, sizeof word);
  return word;
}

// Calls visit(number, offset in the standard form, offset in this image, length).
template <typename Visit>
void ForEachComponent(const ExtendedRegisters& state, uint64_t asked, bool compact, Visit visit) {
  size_t next = kComponents;
  for (int number = 2; number <= kLastComponent; ++number) {
    if (!(asked & (uint64_t{1} << number))) continue;
    const Component& component = Components()[static_cast<size_t>(number)];
    if (component.is_aligned) next = (next + kAlignment - 1) & ~(kAlignment - 1);
    const size_t to = compact ? next : component.offset;
    next += component.length;
    if (component.length > 0 && component.offset + component.length <= state.size())
      visit(number, component.offset, to, component.length);
  }
}

uint64_t AskedFor(const ExtendedRegisters& state, uint64_t asked) { return asked & Word(state, kEnabled); }

bool InImage(const ExtendedRegisters& state, int number) {
  return number < kFirstToBeAllowed || (Word(state, kHeader) >> number & 1) != 0;
}

}  // namespace

size_t VectorImageBytes(const ExtendedRegisters& state, uint64_t asked, bool compact) {
  size_t end = kComponents;
  ForEachComponent(state, AskedFor(state, asked), compact,
                   [&](int, size_t, size_t to, size_t length) { end = std::max(end, to + length); });
  return end;
}

std::vector<std::byte> VectorImage(const ExtendedRegisters& state, uint64_t asked, bool compact, bool wide,
                                   std::vector<std::byte> former) {
  std::vector<std::byte> image = std::move(former);
  const uint64_t wanted = AskedFor(state, asked);
  auto copy = [&](size_t from, size_t to, size_t length) {
    if (from + length <= state.size() && to + length <= image.size())
      std::memcpy(image.data() + to, state.data() + from, length);
  };
  uint64_t in_use = 0;
  if (wanted & kX87) {
    copy(0, 0, kMxcsr);
    copy(kX87Registers, kX87Registers, kSseRegisters - kX87Registers);
    // Without REX.W the addresses of the last x87 instruction and its operand have 32 bits, and no segment.
    if (!wide)
      for (size_t at : {size_t{8}, size_t{16}}) std::memset(image.data() + at + 4, 0, 4);
    in_use |= kX87;
  }
  if (wanted & (compact ? kSse : kSse | kAvx)) copy(kMxcsr, kMxcsr, kX87Registers - kMxcsr);
  if (wanted & kSse) {
    copy(kSseRegisters, kSseRegisters, kSseEnd - kSseRegisters);
    in_use |= kSse;
  }
  ForEachComponent(state, wanted, compact, [&](int number, size_t from, size_t to, size_t length) {
    if (!InImage(state, number)) return;
    copy(from, to, length);
    in_use |= uint64_t{1} << number;
  });
  const uint64_t header[2] = {compact ? in_use : (Word(image, kHeader) & ~wanted) | in_use,
                              compact ? wanted | kCompactForm : Word(image, kHeader + 8)};
  std::memcpy(image.data() + kHeader, header, sizeof header);
  return image;
}

Result<bool> SaveVectorState(Tracee& process, TraceeAddress address, std::byte original) {
  std::vector<std::byte> code(kMaxInstructionLength);
  code.resize(process.memory().ReadSome(address, code));
  if (code.empty()) return false;
  code[0] = original;
  const std::optional<Instruction> instruction = DecodeInstruction(code, address);
  if (instruction && instruction->nondeterministic == kX87Save)
    return SaveX87State(process, *instruction, std::span(code).first(instruction->length));
  if (!instruction || instruction->nondeterministic != kVectorSave) return false;
  const GeneralRegisters r = process.registers();
  const TraceeAddress at = instruction->operand.Address(r);
  if (at.value % kAlignment != 0) return false;
  const auto escape = std::find(code.begin(), code.end(), std::byte{0x0f});
  if (escape == code.end() || escape + 1 == code.end()) return false;
  const bool compact = escape[1] == std::byte{0xc7};
  const bool wide = escape != code.begin() && (static_cast<uint8_t>(escape[-1]) & 0xf8) == 0x48;  // REX.W

  CF_TRY_ASSIGN(ExtendedRegisters state, process.ReadExtended());
  const uint64_t asked = (r.rdx << 32) | (r.rax & 0xffffffff);
  std::vector<std::byte> former(VectorImageBytes(state, asked, compact));
  if (process.memory().ReadSome(at, former) != former.size()) return false;
  std::vector<std::byte> image = VectorImage(state, asked, compact, wide, std::move(former));
  if (!WriteAsProgram(process, at, image)) return false;
  GoOnAt(process, instruction->end());
  return true;
}

}  // namespace chronofork
