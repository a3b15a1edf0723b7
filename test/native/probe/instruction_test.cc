// Decoding against hand-made bytes, and finding instructions in real libraries
// against objdump's full disassembly of them.
#include "probe/instruction.h"

#include <doctest/doctest.h>
#include <elf.h>
#include <stdio.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

namespace chronofork {
namespace {

std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> made;
  for (int value : values) made.push_back(static_cast<std::byte>(value));
  return made;
}

Instruction Decode(std::initializer_list<int> values, uint64_t address = 0x401000) {
  const auto bytes = Bytes(values);
  const auto decoded = DecodeInstruction(bytes, TraceeAddress(address));
  REQUIRE(decoded.has_value());
  CHECK(decoded->length == bytes.size());
  return *decoded;
}

AddressRange OnlyWrite(const Instruction& instruction, const GeneralRegisters& registers) {
  CHECK_FALSE(instruction.writes_elsewhere);
  const auto ranges = WrittenRanges(instruction, registers);
  REQUIRE(ranges.size() == 1);
  return ranges[0];
}

AddressRange Range(uint64_t start, uint64_t length) { return {TraceeAddress(start), TraceeAddress(start + length)}; }

// The executable sections of a library and what objdump sees in them.
struct Section {
  TraceeAddress start;
  std::vector<std::byte> code;
};

std::vector<std::byte> ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> chars((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::byte> bytes(chars.size());
  if (!chars.empty()) memcpy(bytes.data(), chars.data(), chars.size());
  return bytes;
}

std::vector<Section> ExecutableSections(const std::vector<std::byte>& file) {
  std::vector<Section> sections;
  Elf64_Ehdr header;
  memcpy(&header, file.data(), sizeof header);
  for (int i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    memcpy(&section, file.data() + header.e_shoff + static_cast<size_t>(i) * sizeof section, sizeof section);
    if (section.sh_type != SHT_PROGBITS || !(section.sh_flags & SHF_EXECINSTR)) continue;
    const auto begin = file.begin() + static_cast<ptrdiff_t>(section.sh_offset);
    sections.push_back({TraceeAddress(section.sh_addr),
                        std::vector<std::byte>(begin, begin + static_cast<ptrdiff_t>(section.sh_size))});
  }
  return sections;
}

// The whole disassembly: address and mnemonic of each instruction.
std::map<uint64_t, std::string> Disassemble(const std::string& path) {
  std::map<uint64_t, std::string> instructions;
  const std::string command = "objdump -d --no-show-raw-insn " + path + " 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  REQUIRE(pipe != nullptr);
  char line[512];
  while (fgets(line, sizeof line, pipe.get())) {
    unsigned long address;
    char mnemonic[64];
    if (sscanf(line, " %lx:\t%63s", &address, mnemonic) == 2) instructions[address] = mnemonic;
  }
  return instructions;
}

const char* FirstReadable(std::initializer_list<const char*> paths) {
  for (const char* path : paths) {
    if (std::ifstream(path).good()) return path;
  }
  return nullptr;
}

// All the kinds that the finder knows, by objdump's words.
std::map<uint64_t, NondeterministicKind> NondeterministicTruth(const std::map<uint64_t, std::string>& disassembly) {
  static const std::map<std::string, NondeterministicKind> kinds = {
      {"rdrand", kRdrand},       {"rdseed", kRdseed},         {"rdtsc", kRdtsc},       {"rdtscp", kRdtscp},
      {"rdpid", kRdpid},         {"cpuid", kCpuid},           {"xbegin", kXbegin},     {"xgetbv", kXgetbv},
      {"xsave", kVectorSave},    {"xsave64", kVectorSave},    {"xsavec", kVectorSave}, {"xsavec64", kVectorSave},
      {"xsaveopt", kVectorSave}, {"xsaveopt64", kVectorSave}, {"fnstenv", kX87Save},   {"fnsave", kX87Save},
      {"fxsave", kX87Save},      {"fxsave64", kX87Save},
  };
  std::map<uint64_t, NondeterministicKind> truth;
  for (const auto& [address, mnemonic] : disassembly) {
    if (const auto kind = kinds.find(mnemonic); kind != kinds.end()) truth[address] = kind->second;
  }
  return truth;
}

// Is there something near that is no instruction?
bool LiesInData(const std::map<uint64_t, std::string>& disassembly, uint64_t address) {
  auto first = disassembly.find(address);
  auto last = first;
  for (int i = 0; i < 40 && first != disassembly.begin(); ++i) --first;
  for (int i = 0; i < 40 && last != disassembly.end(); ++i) ++last;
  return std::any_of(first, last, [](const auto& instruction) { return instruction.second == "(bad)"; });
}

std::string TextOf(uint64_t address) {
  char text[32];
  snprintf(text, sizeof text, "0x%lx", address);
  return text;
}

constexpr uint32_t kAllKinds = kMadeToTrap | kRdtsc | kRdtscp | kCpuid | kXbegin;

std::map<uint64_t, NondeterministicKind> FindInSections(const std::vector<Section>& sections) {
  std::map<uint64_t, NondeterministicKind> found;
  for (const Section& section : sections) {
    for (const auto& i : FindNondeterministicInstructions(section.code, section.start, kAllKinds)) {
      found[i.address.value] = i.kind;
    }
  }
  return found;
}

}  // namespace

TEST_CASE("probe instruction: lengths, flow and targets") {
  CHECK(Decode({0x90}).flow == FlowKind::kNext);
  CHECK(Decode({0xE8, 0xFB, 0xFF, 0xFF, 0xFF}).target == TraceeAddress(0x401000));
  CHECK(Decode({0xE8, 0, 0, 0, 0}).is_call());
  CHECK(Decode({0xFF, 0x15, 0, 0, 0, 0}).is_call());
  CHECK_FALSE(Decode({0xFF, 0x15, 0, 0, 0, 0}).target.has_value());
  CHECK(Decode({0xC3}).is_return());
  CHECK(Decode({0xF3, 0xC3}).is_return());
  CHECK(Decode({0xC2, 8, 0}).is_return());
  CHECK(Decode({0xCB}).flow == FlowKind::kOther);
  CHECK(Decode({0xEB, 0x10}).target == TraceeAddress(0x401012));
  CHECK(Decode({0xEB, 0x10}).flow == FlowKind::kJump);
  CHECK(Decode({0x0F, 0x84, 0, 1, 0, 0}).target == TraceeAddress(0x401106));
  CHECK(Decode({0x74, 0xFE}).target == TraceeAddress(0x401000));
  CHECK(Decode({0xE2, 0xF0}).flow == FlowKind::kConditionalJump);
  CHECK(Decode({0xE3, 0x02}).flow == FlowKind::kConditionalJump);
  CHECK(Decode({0xFF, 0xE0}).flow == FlowKind::kJump);
  CHECK(Decode({0x0F, 0x05}).is_syscall());
  CHECK(Decode({0xCD, 0x80}).is_syscall());
  CHECK(Decode({0xCC}).flow == FlowKind::kTrap);
  CHECK(Decode({0x0F, 0x0B}).flow == FlowKind::kTrap);
  CHECK(Decode({0xF3, 0xAB}).is_rep_string);
  CHECK(Decode({0xA4}).is_string);
  CHECK_FALSE(Decode({0xA4}).is_rep_string);
  CHECK(Decode({0x48, 0x8B, 0x05, 0, 0, 0, 0}).reads_own_address);
  CHECK_FALSE(Decode({0x48, 0x8B, 0x00}).reads_own_address);
  CHECK_FALSE(DecodeInstruction(Bytes({0x48, 0x8B}), TraceeAddress(0)).has_value());
  CHECK_FALSE(DecodeInstruction(Bytes({0x06}), TraceeAddress(0)).has_value());
  CHECK_FALSE(DecodeInstruction({}, TraceeAddress(0)).has_value());
}

TEST_CASE("probe instruction: nondeterministic kinds") {
  CHECK(Decode({0x0F, 0xC7, 0xF0}).nondeterministic == kRdrand);
  CHECK(Decode({0x66, 0x0F, 0xC7, 0xF0}).nondeterministic == kRdrand);
  CHECK(Decode({0x49, 0x0F, 0xC7, 0xF1}).nondeterministic == kRdrand);
  CHECK(Decode({0x0F, 0xC7, 0xF8}).nondeterministic == kRdseed);
  CHECK(Decode({0xF3, 0x0F, 0xC7, 0xF8}).nondeterministic == kRdpid);
  CHECK(Decode({0x0F, 0x31}).nondeterministic == kRdtsc);
  CHECK(Decode({0x0F, 0x01, 0xF9}).nondeterministic == kRdtscp);
  CHECK(Decode({0x0F, 0xA2}).nondeterministic == kCpuid);
  CHECK(Decode({0x0F, 0xC7, 0x0E}).nondeterministic == kDeterministic);  // cmpxchg8b [rsi]
}

TEST_CASE("probe instruction: what memory is written") {
  GeneralRegisters r{};
  r.rax = 0x1000;
  r.rcx = 3;
  r.rbx = 0x20;
  r.rsp = 0x7000;
  r.rdi = 0x9000;
  r.rsi = 0x8000;
  r.fs_base = 0x100000;
  CHECK(WrittenRanges(Decode({0x48, 0x8B, 0x00}), r).empty());                                    // mov rax, [rax]
  CHECK(WrittenRanges(Decode({0x48, 0x8D, 0x00}), r).empty());                                    // lea
  CHECK(WrittenRanges(Decode({0x48, 0x39, 0x00}), r).empty());                                    // cmp [rax], rax
  CHECK(OnlyWrite(Decode({0x48, 0x89, 0x44, 0x98, 0x10}), r) == Range(0x1000 + 0x80 + 0x10, 8));  // [rax+4*rbx+16]
  CHECK(OnlyWrite(Decode({0x64, 0x89, 0x00}), r) == Range(0x101000, 4));                          // mov fs:[rax], eax
  CHECK(OnlyWrite(Decode({0x88, 0x05, 0x10, 0, 0, 0}), r) == Range(0x401016, 1));                 // mov [rip+16], al
  CHECK(OnlyWrite(Decode({0x67, 0x89, 0x40, 0xF0}), r) == Range(0xFF0, 4));                       // mov [eax-16], eax
  CHECK(OnlyWrite(Decode({0x50}), r) == Range(0x6FF8, 8));                                        // push rax
  CHECK(OnlyWrite(Decode({0x66, 0x50}), r) == Range(0x6FFE, 2));                                  // push ax
  CHECK(OnlyWrite(Decode({0x9C}), r) == Range(0x6FF8, 8));                                        // pushfq
  CHECK(OnlyWrite(Decode({0xE8, 0, 0, 0, 0}), r) == Range(0x6FF8, 8));                            // call
  CHECK(OnlyWrite(Decode({0xFF, 0x10}), r) == Range(0x6FF8, 8));                                  // call [rax]
  CHECK(OnlyWrite(Decode({0x8F, 0x04, 0x24}), r) == Range(0x7008, 8));                            // pop [rsp]
  CHECK(OnlyWrite(Decode({0x8F, 0x00}), r) == Range(0x1000, 8));                                  // pop [rax]
  CHECK(WrittenRanges(Decode({0x58}), r).empty());                                                // pop rax
  CHECK(WrittenRanges(Decode({0xC9}), r).empty());                                                // leave
  CHECK(WrittenRanges(Decode({0xC3}), r).empty());                                                // ret
  CHECK(OnlyWrite(Decode({0xA4}), r) == Range(0x9000, 1));                                        // movsb
  CHECK(OnlyWrite(Decode({0xF3, 0x48, 0xAB}), r) == Range(0x9000, 24));                           // rep stosq
  r.eflags = 0x400;
  CHECK(OnlyWrite(Decode({0xF3, 0x48, 0xAB}), r) == Range(0x9000 - 16, 24));
  r.eflags = 0;
  CHECK(OnlyWrite(Decode({0x48, 0x87, 0x08}), r) == Range(0x1000, 8));                     // xchg
  CHECK(OnlyWrite(Decode({0xF0, 0x48, 0x0F, 0xB1, 0x08}), r) == Range(0x1000, 8));         // lock cmpxchg
  CHECK(OnlyWrite(Decode({0x0F, 0xC7, 0x08}), r) == Range(0x1000, 8));                     // cmpxchg8b
  CHECK(OnlyWrite(Decode({0x0F, 0x11, 0x00}), r) == Range(0x1000, 16));                    // movups
  CHECK(OnlyWrite(Decode({0x62, 0xF1, 0x7C, 0x48, 0x11, 0x00}), r) == Range(0x1000, 64));  // vmovups zmm
  CHECK(OnlyWrite(Decode({0x0F, 0x94, 0x00}), r) == Range(0x1000, 1));                     // sete
  CHECK(OnlyWrite(Decode({0x66, 0x0F, 0xF7, 0xC1}), r) == Range(0x9000, 16));              // maskmovdqu
  CHECK(OnlyWrite(Decode({0x48, 0x0F, 0xBA, 0x28, 0x3F}), r) == Range(0x1000, 8));         // bts [rax], 63
  CHECK(OnlyWrite(Decode({0x48, 0x0F, 0xAB, 0x08}), r) == Range(0x1000, 8));               // bts [rax], rcx
  r.rcx = static_cast<uint64_t>(-1);
  CHECK(OnlyWrite(Decode({0x48, 0x0F, 0xAB, 0x08}), r) == Range(0xFF8, 8));
  CHECK(OnlyWrite(Decode({0x0F, 0xAB, 0x08}), r) == Range(0xFFC, 4));  // bts [rax], ecx
  CHECK(Decode({0x0F, 0xAE, 0x20}).writes_elsewhere);                  // xsave [rax]
  CHECK(Decode({0xC8, 8, 0, 0}).writes_elsewhere);                     // enter
}

TEST_CASE("probe instruction: starts and the previous one, from a function's start") {
  const auto code = Bytes({0x55, 0x48, 0x89, 0xE5, 0xE8, 0, 0, 0, 0, 0xC9, 0xC3});
  const TraceeAddress start(0x1000);
  CHECK(FindInstructionStarts(code, start) ==
        std::vector<TraceeAddress>{start, start + 1, start + 4, start + 9, start + 10});
  CHECK(PreviousInstruction(code, start, start + 9, start) == start + 4);
  CHECK_FALSE(PreviousInstruction(code, start, start + 6, start).has_value());  // not where one begins
  CHECK_FALSE(PreviousInstruction(code, start, start, start).has_value());
  CHECK_FALSE(PreviousInstruction(code, start, start + 9).has_value());  // too few bytes for agreement
}

TEST_CASE("probe instruction: a pattern inside another instruction is not found") {
  std::vector<std::byte> code(400, std::byte{0x90});
  const auto put = [&](size_t at, std::initializer_list<int> values) {
    const auto bytes = Bytes(values);
    std::copy(bytes.begin(), bytes.end(), code.begin() + static_cast<ptrdiff_t>(at));
  };
  put(0, {0x0F, 0xC7, 0xF0});
  put(40, {0xB8, 0x0F, 0xC7, 0xF0, 0x90});                     // mov eax, imm
  put(250, {0x48, 0xB8, 0x48, 0x0F, 0xC7, 0xF0, 1, 2, 3, 4});  // movabs
  put(300, {0x48, 0x0F, 0xC7, 0xF2});
  put(320, {0x0F, 0xC7, 0x64, 0x24, 0x40});  // xsavec 0x40(%rsp)
  put(340, {0x0F, 0xC7, 0x4C, 0x24, 0x40});  // cmpxchg8b 0x40(%rsp)
  put(360, {0x48, 0x0F, 0xAE, 0x27});        // xsave64 (%rdi)
  put(380, {0xF3, 0x0F, 0xC7, 0xF8});        // rdpid rax
  put(200, {0x39, 0xD9, 0x74, 0x24});        // cmp ecx, ebx; je
  put(210, {0xD9, 0x74, 0x24, 0x10});        // fnstenv 0x10(%rsp)
  put(220, {0x66, 0xDD, 0x30});              // fnsave (%rax), the small one
  put(230, {0x48, 0x0F, 0xAE, 0x07});        // fxsave64 (%rdi)
  put(397, {0x0F, 0xC7, 0xFF});
  const TraceeAddress base(0x5000);
  const auto found = FindNondeterministicInstructions(code, base);
  const std::vector<NondeterministicInstruction> expected = {
      {base, 3, kRdrand},           {base + 210, 4, kX87Save}, {base + 220, 3, kX87Save},
      {base + 230, 4, kX87Save},    {base + 300, 4, kRdrand},  {base + 320, 5, kVectorSave},
      {base + 360, 4, kVectorSave}, {base + 380, 4, kRdpid},   {base + 397, 3, kRdseed}};
  CHECK(found == expected);
}

TEST_CASE("probe instruction: one is found behind zeros, which would be instructions of two bytes") {
  const std::vector<std::byte> function = Bytes({0x48, 0x0F, 0xC7, 0xF0, 0xC3});  // rdrand %rax; ret
  for (const size_t first_at : {size_t{0}, size_t{400}}) {
    for (size_t zeros = 20; zeros < 24; ++zeros) {
      std::vector<std::byte> code(first_at, std::byte{0x90});
      code.insert(code.end(), function.begin(), function.end());
      code.resize(code.size() + zeros);
      const TraceeAddress second(0x5000 + code.size());
      code.insert(code.end(), function.begin(), function.end());
      code.resize(4096);
      CAPTURE(first_at);
      CAPTURE(zeros);
      const std::vector<NondeterministicInstruction> expected = {{TraceeAddress(0x5000 + first_at), 4, kRdrand},
                                                                 {second, 4, kRdrand}};
      CHECK(FindNondeterministicInstructions(code, TraceeAddress(0x5000)) == expected);
    }
  }
}

TEST_CASE("probe instruction: real libraries agree with objdump") {
  if (system("objdump --version >/dev/null 2>&1") != 0) {
    MESSAGE("skipped: objdump is not installed");
    return;
  }
  const char* const libraries[] = {
      FirstReadable({"/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/lib64/libstdc++.so.6"}),
      FirstReadable({"/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/usr/lib/x86_64-linux-gnu/libcrypto.so.1.1"}),
      FirstReadable({"/lib64/ld-linux-x86-64.so.2"}),
  };
  for (const char* library : libraries) {
    if (library == nullptr) continue;
    const std::string path = library;
    CAPTURE(path);
    const auto disassembly = Disassemble(path);
    const auto sections = ExecutableSections(ReadWholeFile(path));
    REQUIRE(disassembly.size() > 10000);
    const auto found = FindInSections(sections);
    const auto truth = NondeterministicTruth(disassembly);
    for (const auto& [address, kind] : truth) {
      if (found.contains(address)) continue;
      // objdump reads tables in the code as instructions, too.
      CHECK_MESSAGE(LiesInData(disassembly, address), "missed at " << TextOf(address));
      CHECK((kind & kMadeToTrap & ~uint32_t{kX87Save}) == 0);
    }
    for (const auto& [address, kind] : found) {
      CHECK_MESSAGE(truth.contains(address), "not there: " << TextOf(address));
      if (truth.contains(address)) CHECK(truth.at(address) == kind);
    }

    // Every 61st instruction: what came before it.
    size_t asked = 0, known = 0, wrong = 0, countdown = 0;
    for (auto i = std::next(disassembly.begin()); i != disassembly.end(); ++i) {
      if (countdown-- != 0) continue;
      countdown = 60;
      for (const Section& section : sections) {
        const AddressRange range{section.start, section.start + section.code.size()};
        if (!range.Contains(TraceeAddress(i->first)) || i->first < section.start.value + 512) continue;
        ++asked;
        const auto previous = PreviousInstruction(section.code, section.start, TraceeAddress(i->first));
        known += previous.has_value();
        wrong += previous.has_value() && previous->value != std::prev(i)->first;
      }
    }
    MESSAGE(path << ": previous instruction known for " << known << " of " << asked << ", wrong " << wrong);
    CHECK(wrong == 0);
    CHECK(known * 100 > asked * 85);  // libcrypto has much data in its code
  }
}

}  // namespace chronofork
