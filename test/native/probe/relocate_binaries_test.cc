// Every instruction of real binaries, and a million random byte strings: moved,
// decoded by themselves, and compared with what they were moved from. Of each
// form that these have and that is harmless, one is also run, in a child.
#include <Zydis/Zydis.h>
#include <doctest/doctest.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "moved_code.h"
#include "probe/instruction.h"
#include "probe/relocate.h"

namespace chronofork {
namespace {

using Bytes = std::vector<std::byte>;

struct Decoded {
  ZydisDecodedInstruction instruction{};
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT]{};
  uint64_t at = 0;

  uint64_t end() const { return at + instruction.length; }
};

bool Decode(std::span<const std::byte> bytes, uint64_t at, Decoded& out) {
  static const ZydisDecoder decoder = [] {
    ZydisDecoder made;
    ZydisDecoderInit(&made, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return made;
  }();
  out.at = at;
  const size_t length = std::min<size_t>(bytes.size(), kMaxInstructionLength);
  return length > 0 &&
         ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), length, &out.instruction, out.operands));
}

// The absolute address of the first operand of the wanted type that has one.
std::optional<uint64_t> AbsoluteOperand(const Decoded& decoded, ZydisOperandType type) {
  for (int i = 0; i < decoded.instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    const bool is_relative =
        type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? operand.imm.is_relative : operand.mem.base == ZYDIS_REGISTER_RIP;
    uint64_t address = 0;
    if (operand.type == type && is_relative &&
        ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&decoded.instruction, &operand, decoded.at, &address)))
      return address;
  }
  return std::nullopt;
}
std::optional<uint64_t> TargetOf(const Decoded& decoded) {
  return AbsoluteOperand(decoded, ZYDIS_OPERAND_TYPE_IMMEDIATE);
}

// The moved code: bytes at an address, execution leaving it at `behind`.
struct Moved {
  Bytes bytes;
  uint64_t at = 0;
  uint64_t behind = 0;

  bool DecodeAt(uint64_t address, Decoded& out) const {
    return address >= at && address < at + bytes.size() && Decode(std::span(bytes).subspan(address - at), address, out);
  }
  bool IsJumpTo(uint64_t address, uint64_t target) const {
    Decoded jump;
    return DecodeAt(address, jump) && jump.instruction.mnemonic == ZYDIS_MNEMONIC_JMP && TargetOf(jump) == target;
  }
};

const char* JudgeBranch(const Decoded& original, const Decoded& first, const Moved& moved, uint64_t target) {
  const ZydisMnemonic mnemonic = original.instruction.mnemonic;
  if (mnemonic == ZYDIS_MNEMONIC_CALL) {
    const auto literal = AbsoluteOperand(first, ZYDIS_OPERAND_TYPE_MEMORY);
    if (first.instruction.mnemonic != ZYDIS_MNEMONIC_PUSH || !literal || first.instruction.operand_width != 64)
      return "a call that pushes no return address";
    uint64_t pushed = 0;
    if (*literal < moved.at || *literal + 8 > moved.at + moved.bytes.size()) return "a return address from elsewhere";
    memcpy(&pushed, moved.bytes.data() + (*literal - moved.at), 8);
    if (pushed != original.end()) return "another return address";
    return moved.IsJumpTo(first.end(), target) ? nullptr : "a call of something else";
  }
  if (first.instruction.mnemonic != mnemonic) return "another branch";
  const auto moved_target = TargetOf(first);
  if (!moved_target) return "a branch without a target";
  if (mnemonic == ZYDIS_MNEMONIC_JMP) return *moved_target == target ? nullptr : "a jump elsewhere";
  const bool knows_only_short_ways = original.instruction.opcode >= 0xE0 && original.instruction.opcode <= 0xE3 &&
                                     original.instruction.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
  if (!knows_only_short_ways) {
    if (*moved_target != target) return "a branch elsewhere";
    return first.end() == moved.behind ? nullptr : "a branch that does not fall through";
  }
  if (first.instruction.address_width != original.instruction.address_width) return "a branch by another counter";
  if (!moved.IsJumpTo(*moved_target, target)) return "a short branch elsewhere";
  return moved.IsJumpTo(first.end(), moved.behind) ? nullptr : "a short branch that does not fall through";
}

// What is wrong with the moved form; nullptr: nothing.
const char* Judge(const Decoded& original, std::span<const std::byte> bytes, const Moved& moved) {
  Decoded first;
  if (!moved.DecodeAt(moved.at, first)) return "no instruction";
  if (const auto target = TargetOf(original)) return JudgeBranch(original, first, moved, *target);
  if (first.instruction.length != original.instruction.length) return "another length";
  if (first.end() != moved.behind) return "more than one instruction";
  const auto address = AbsoluteOperand(original, ZYDIS_OPERAND_TYPE_MEMORY);
  if (AbsoluteOperand(first, ZYDIS_OPERAND_TYPE_MEMORY) != address) return "another operand";
  const auto& displacement = original.instruction.raw.disp;
  for (size_t i = 0; i < original.instruction.length; ++i) {
    const bool may_differ = address && i >= displacement.offset && i < displacement.offset + displacement.size / 8u;
    if (!may_differ && moved.bytes[i] != bytes[i]) return "other bytes";
  }
  return nullptr;
}

struct Tally {
  size_t moved = 0;
  size_t out_of_reach = 0;
  std::map<std::string, size_t> refused;
  std::string problem;  // the first

  size_t total() const {
    size_t sum = moved + out_of_reach;
    for (const auto& [reason, count] : refused) sum += count;
    return sum;
  }
  double share_moved() const { return static_cast<double>(moved) / static_cast<double>(total()); }
};

std::string Hex(std::span<const std::byte> bytes) {
  std::string text;
  char two[4];
  for (const std::byte b : bytes) {
    snprintf(two, sizeof two, "%02x", static_cast<unsigned>(b));
    text += two;
  }
  return text;
}

// Moves one instruction and judges it.
void MoveAndJudge(const Decoded& original, std::span<const std::byte> bytes, uint64_t distance, Tally& tally) {
  if (const char* reason = WhyNotMovable(bytes, TraceeAddress(original.at))) {
    ++tally.refused[reason];
    return;
  }
  Moved moved;
  moved.at = original.at + distance;
  CodeBuffer to{TraceeAddress(moved.at)};
  std::vector<MovedPoint> points;
  MoveInstruction(bytes, TraceeAddress(original.at), {}, to, points);
  moved.behind = to.here().value;
  to.Emit({0xCC});
  to.FlushLiterals();
  if (!to.Finish()) {
    ++tally.out_of_reach;
    return;
  }
  moved.bytes.assign(to.bytes().begin(), to.bytes().end());
  const char* problem = Judge(original, bytes, moved);
  if (problem == nullptr && (points.empty() || points.front().at.value != moved.at || !points.front().is_copy ||
                             points.front().original.value != original.at))
    problem = "no point at its beginning";
  if (problem == nullptr && moved.bytes.size() > 32 + 1) problem = "longer than promised";
  if (problem == nullptr) {
    ++tally.moved;
  } else if (tally.problem.empty()) {
    tally.problem = std::string(problem) + ": " + Hex(bytes.first(original.instruction.length));
  }
}

struct Section {
  uint64_t address;
  Bytes bytes;
};

std::vector<Section> CodeOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> image((std::istreambuf_iterator<char>(file)), {});
  std::vector<Section> sections;
  Elf64_Ehdr header;
  if (image.size() < sizeof header) return sections;
  memcpy(&header, image.data(), sizeof header);
  for (size_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    memcpy(&section, image.data() + header.e_shoff + i * sizeof section, sizeof section);
    if (section.sh_type != SHT_PROGBITS || !(section.sh_flags & SHF_EXECINSTR)) continue;
    const auto* const start = reinterpret_cast<const std::byte*>(image.data() + section.sh_offset);
    sections.push_back({section.sh_addr, {start, start + section.sh_size}});
  }
  return sections;
}

std::string FirstThatExists(std::initializer_list<const char*> paths) {
  for (const char* path : paths)
    if (access(path, R_OK) == 0) return path;
  return "";
}

struct Binary {
  const char* name;
  std::string path;
  double least_share_moved;
};
std::vector<Binary> Binaries() {
  return {
      {"libc", FirstThatExists({"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6"}), 0.98},
      {"libstdc++", FirstThatExists({"/lib/x86_64-linux-gnu/libstdc++.so.6", "/lib64/libstdc++.so.6"}), 0.95},
      {"libcrypto", FirstThatExists({"/lib/x86_64-linux-gnu/libcrypto.so.3", "/lib64/libcrypto.so.3"}), 0.97},
      {"lua", FirstThatExists({"/usr/bin/lua5.4", "/usr/bin/lua"}), 0.97},
  };
}

// Calls `each` with every instruction, one after the other from each section's
// start; what is no instruction (tables in code) is passed byte by byte.
template <typename Each>
void ForEachInstruction(const std::string& path, Each each) {
  for (const Section& section : CodeOf(path)) {
    for (size_t offset = 0; offset < section.bytes.size();) {
      Decoded decoded;
      const auto rest = std::span(section.bytes).subspan(offset);
      // As where a program is loaded: far from 0.
      if (Decode(rest, 0x550000000000 + section.address + offset, decoded)) {
        each(decoded, rest);
        offset += decoded.instruction.length;
      } else {
        ++offset;
      }
    }
  }
}

// -- One of each form, run ---------------------------------------------------------------------

bool IsHarmless(const Decoded& decoded) {
  switch (decoded.instruction.mnemonic) {
    case ZYDIS_MNEMONIC_POPF:  // may set flags that the test itself would go on with
    case ZYDIS_MNEMONIC_POPFQ:
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_STMXCSR:
    case ZYDIS_MNEMONIC_VLDMXCSR:
    case ZYDIS_MNEMONIC_VSTMXCSR:
    case ZYDIS_MNEMONIC_WRFSBASE:
    case ZYDIS_MNEMONIC_WRGSBASE:
    case ZYDIS_MNEMONIC_WRPKRU:
    case ZYDIS_MNEMONIC_UMWAIT:
    case ZYDIS_MNEMONIC_TPAUSE: return false;
    default: break;
  }
  const ZydisInstructionCategory category = decoded.instruction.meta.category;
  if (category == ZYDIS_CATEGORY_XSAVE || category == ZYDIS_CATEGORY_XSAVEOPT) return false;
  for (int i = 0; i < decoded.instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY &&
        (operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS))
      return false;
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) continue;
    // Other vector registers hold whatever the test has left there.
    const ZydisRegisterClass kind = ZydisRegisterGetClass(operand.reg.value);
    const bool is_known_vector = operand.reg.value == ZYDIS_REGISTER_XMM0 || operand.reg.value == ZYDIS_REGISTER_XMM1;
    if (kind != ZYDIS_REGCLASS_GPR8 && kind != ZYDIS_REGCLASS_GPR16 && kind != ZYDIS_REGCLASS_GPR32 &&
        kind != ZYDIS_REGCLASS_GPR64 && kind != ZYDIS_REGCLASS_FLAGS && kind != ZYDIS_REGCLASS_IP && !is_known_vector)
      return false;
  }
  return true;
}

void Overwrite(Bytes& bytes, size_t offset, size_t width_bits, int64_t value) {
  memcpy(bytes.data() + offset, &value, width_bits / 8);
}

// The instruction with a displacement that leads to where there is something, to be run at kHomeInstruction.
Bytes ForHome(const Decoded& decoded, std::span<const std::byte> bytes) {
  Bytes made(bytes.begin(), bytes.begin() + decoded.instruction.length);
  const auto& raw = decoded.instruction.raw;
  if (TargetOf(decoded)) {
    Overwrite(made, raw.imm[0].offset, raw.imm[0].size, raw.imm[0].size == 8 ? 0x30 : 0x120);
  } else if (AbsoluteOperand(decoded, ZYDIS_OPERAND_TYPE_MEMORY)) {
    Overwrite(made, raw.disp.offset, raw.disp.size,
              static_cast<int64_t>(kArenaTarget - (kHomeInstruction + made.size())));
  } else if (raw.disp.size >= 32) {
    Overwrite(made, raw.disp.offset, raw.disp.size, 0x48);
  }
  return made;
}

// Without what makes no difference to how it is moved.
Bytes FormOf(const Decoded& decoded, std::span<const std::byte> bytes) {
  Bytes form(bytes.begin(), bytes.begin() + decoded.instruction.length);
  const auto& raw = decoded.instruction.raw;
  Overwrite(form, raw.disp.offset, raw.disp.size, 0);
  for (const auto& immediate : raw.imm) Overwrite(form, immediate.offset, immediate.size, 0);
  return form;
}

struct SharedNotes {
  size_t runs, faults, branches;
  char problem[256];
};

// In the child: runs all and leaves notes.
void RunForms(const std::map<Bytes, Bytes>& forms, SharedNotes& notes) {
  const MovedCodePages pages;
  std::mt19937_64 random(20261121);
  for (const auto& [form, bytes] : forms) {
    for (size_t round = 0; round < 2; ++round) {
      // If it is the last that the child does, this is what it was.
      snprintf(notes.problem, sizeof notes.problem, "the child died of %s", Hex(bytes).c_str());
      const MovedRun run = RunAtHomeAndAway(bytes, round, random);
      ++notes.runs;
      notes.faults += run.faulted;
      notes.branches += run.branched;
      if (!run.problem.empty()) {
        snprintf(notes.problem, sizeof notes.problem, "%s: %s", run.problem.c_str(), Hex(bytes).c_str());
        return;
      }
    }
  }
  notes.problem[0] = 0;
}

}  // namespace

TEST_CASE("probe relocate: every instruction of libc, libstdc++, libcrypto and lua") {
  std::map<Bytes, Bytes> forms;
  for (const Binary& binary : Binaries()) {
    if (binary.path.empty()) {
      printf("skipped: %s is not installed\n", binary.name);
      continue;
    }
    CAPTURE(std::string(binary.name));
    Tally tally;
    size_t number = 0;
    ForEachInstruction(binary.path, [&](const Decoded& decoded, std::span<const std::byte> bytes) {
      const uint64_t distance = ++number % 2 == 0 ? 0x5A000000 : ~uint64_t{0x60000000};
      MoveAndJudge(decoded, bytes, distance, tally);
      if (!IsHarmless(decoded) || WhyNotMovable(bytes, TraceeAddress(decoded.at)) != nullptr) return;
      forms.emplace(FormOf(decoded, bytes), ForHome(decoded, bytes));
    });
    CHECK(tally.problem == "");
    CHECK(tally.total() > 20'000);
    CHECK(tally.out_of_reach <= tally.total() / 1000);  // of tables that decode as code
    CHECK(tally.share_moved() >= binary.least_share_moved);
    std::string refused;
    for (const auto& [reason, count] : tally.refused) refused += "; " + std::to_string(count) + " " + reason;
    MESSAGE(std::string(binary.name) << ": " << tally.moved << " of " << tally.total() << " moved" << refused);
  }
  REQUIRE(forms.size() > 2000);
  void* const shared = mmap(nullptr, sizeof(SharedNotes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  auto& notes = *static_cast<SharedNotes*>(shared);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(60);
    RunForms(forms, notes);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(std::string(notes.problem) == "");
  CHECK(WIFEXITED(status));
  CHECK(notes.runs == 2 * forms.size());
  CHECK(notes.faults > 1000);
  CHECK(notes.branches > 50);
  MESSAGE(forms.size() << " forms run at home and away; " << notes.faults << " of " << notes.runs << " runs faulted, "
                       << notes.branches << " branched");
  munmap(shared, sizeof(SharedNotes));
}

TEST_CASE("probe relocate: random bytes") {
  constexpr uint64_t kSeed = 20261120;
  constexpr size_t kStrings = 1'000'000;
  CAPTURE(kSeed);
  std::mt19937_64 random(kSeed);
  Tally tally;
  size_t invalid = 0, disagreeing = 0;
  for (size_t i = 0; i < kStrings; ++i) {
    const uint64_t words[2] = {random(), random()};
    std::array<std::byte, 16> raw;
    memcpy(raw.data(), words, sizeof words);
    // A third begin with what instructions of real code begin with.
    static constexpr uint8_t kBeginnings[] = {0x48, 0x0F, 0x66, 0xF2, 0xF3, 0xC5, 0xC4, 0x62, 0xF0, 0x67, 0xE8, 0xFF};
    if (i % 3 == 0) raw[0] = std::byte{kBeginnings[words[0] % sizeof kBeginnings]};
    const auto bytes = std::span(raw).first(1 + words[1] % kMaxInstructionLength);
    const uint64_t at = 0x550000000000 + words[0] % 0x10000000;
    Decoded decoded;
    const bool is_valid = Decode(bytes, at, decoded);
    if (!is_valid) {
      ++invalid;
      disagreeing += WhyNotMovable(bytes, TraceeAddress(at)) == nullptr;
      continue;
    }
    MoveAndJudge(decoded, bytes, i % 2 == 0 ? 0x10000000 : ~uint64_t{0x10000000}, tally);
  }
  CHECK(tally.problem == "");
  CHECK(disagreeing == 0);
  CHECK(tally.total() + invalid == kStrings);
  CHECK(tally.moved > kStrings / 10);
  MESSAGE("seed " << kSeed << ": " << tally.moved << " moved, " << tally.out_of_reach << " out of reach, " << invalid
                  << " no instructions, " << tally.total() - tally.moved - tally.out_of_reach << " refused");
}

}  // namespace chronofork
