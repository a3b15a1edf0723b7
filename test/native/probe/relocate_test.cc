// Moved instructions against the same instructions at home, form by form; and
// what is refused.
#include "probe/relocate.h"

#include <doctest/doctest.h>
#include <string.h>

#include <random>
#include <string>

#include "moved_code.h"
#include "probe/instruction.h"

namespace chronofork {
namespace {

// An instruction; `displacement` is where its rip-relative displacement lies
// (it will lead into the arena), 0 if it has none.
struct Form {
  const char* text;
  std::vector<int> bytes;
  size_t displacement = 0;
};

const std::vector<Form>& Forms() {
  static const std::vector<Form> forms = [] {
    std::vector<Form> made = {
        {"mov rax, [rip]", {0x48, 0x8B, 0x05, 0, 0, 0, 0}, 3},
        {"mov [rip], rcx", {0x48, 0x89, 0x0D, 0, 0, 0, 0}, 3},
        {"lea rdx, [rip]", {0x48, 0x8D, 0x15, 0, 0, 0, 0}, 3},
        {"mov dword [rip], imm32", {0xC7, 0x05, 0, 0, 0, 0, 1, 2, 3, 4}, 2},
        {"mov word [rip], imm16", {0x66, 0xC7, 0x05, 0, 0, 0, 0, 1, 2}, 3},
        {"cmp byte [rip], imm8", {0x80, 0x3D, 0, 0, 0, 0, 9}, 2},
        {"cmp qword [rip], imm32", {0x48, 0x81, 0x3D, 0, 0, 0, 0, 9, 8, 7, 6}, 3},
        {"imul rax, [rip], imm8", {0x48, 0x6B, 0x05, 0, 0, 0, 0, 11}, 3},
        {"bts dword [rip], imm8", {0x0F, 0xBA, 0x2D, 0, 0, 0, 0, 5}, 3},
        {"lock cmpxchg [rip], rcx", {0xF0, 0x48, 0x0F, 0xB1, 0x0D, 0, 0, 0, 0}, 5},
        {"inc dword [rip]", {0xFF, 0x05, 0, 0, 0, 0}, 2},
        {"jmp [rip]", {0xFF, 0x25, 0, 0, 0, 0}, 2},
        {"bnd jmp [rip]", {0xF2, 0xFF, 0x25, 0, 0, 0, 0}, 3},
        {"push [rip]", {0xFF, 0x35, 0, 0, 0, 0}, 2},
        {"pop [rip]", {0x8F, 0x05, 0, 0, 0, 0}, 2},
        {"movss xmm0, [rip]", {0xF3, 0x0F, 0x10, 0x05, 0, 0, 0, 0}, 4},
        {"ucomisd xmm0, [rip]", {0x66, 0x0F, 0x2E, 0x05, 0, 0, 0, 0}, 4},
        {"vmovups ymm0, [rip]", {0xC5, 0xFC, 0x10, 0x05, 0, 0, 0, 0}, 4},
        {"pshufd xmm0, [rip], imm8", {0x66, 0x0F, 0x70, 0x05, 0, 0, 0, 0, 7}, 4},
        {"call rel32", {0xE8, 0x20, 1, 0, 0}},
        {"addr32 call rel32", {0x67, 0xE8, 0x20, 1, 0, 0}},
        {"data16 data16 rex.W call", {0x66, 0x66, 0x48, 0xE8, 0x20, 1, 0, 0}},
        {"call the next instruction", {0xE8, 0, 0, 0, 0}},
        {"jmp rel32", {0xE9, 0x20, 1, 0, 0}},
        {"bnd jmp rel32", {0xF2, 0xE9, 0x20, 1, 0, 0}},
        {"jmp rel8", {0xEB, 0xE0}},
        {"jne with a hint", {0x2E, 0x75, 0x20}},
        {"loop", {0xE2, 0x20}},
        {"loope", {0xE1, 0xA0}},
        {"loopne", {0xE0, 0x20}},
        {"jrcxz", {0xE3, 0x20}},
        {"loop in ecx", {0x67, 0xE2, 0x20}},
        {"jecxz", {0x67, 0xE3, 0x90}},
        {"ret", {0xC3}},
        {"rep ret", {0xF3, 0xC3}},
        {"ret 16", {0xC2, 16, 0}},
        {"jmp rax", {0xFF, 0xE0}},
        {"notrack jmp rbx", {0x3E, 0xFF, 0xE3}},
        {"jmp [rsp+8]", {0xFF, 0x64, 0x24, 8}},
        {"push rax", {0x50}},
        {"push rsp", {0x54}},
        {"push imm32", {0x68, 1, 2, 3, 0x84}},
        {"pop rsp", {0x5C}},
        {"pop [rsp+8]", {0x8F, 0x44, 0x24, 8}},
        {"pushfq", {0x9C}},
        {"enter", {0xC8, 0x20, 0, 0}},
        {"leave", {0xC9}},
        {"movsb", {0xA4}},
        {"rep movsb", {0xF3, 0xA4}},
        {"rep stosd", {0xF3, 0xAB}},
        {"repne scasb", {0xF2, 0xAE}},
        {"repe cmpsb", {0xF3, 0xA6}},
        {"lodsq", {0x48, 0xAD}},
        {"xlat", {0xD7}},
        {"div rbx", {0x48, 0xF7, 0xF3}},
        {"idiv ecx", {0xF7, 0xF9}},
        {"mul rsi", {0x48, 0xF7, 0xE6}},
        {"adc rax, rbx", {0x48, 0x11, 0xD8}},
        {"sbb [rsi], ecx", {0x19, 0x0E}},
        {"rcl rdx, cl", {0x48, 0xD3, 0xD2}},
        {"shld rax, rbx, cl", {0x48, 0x0F, 0xA5, 0xD8}},
        {"lahf", {0x9F}},
        {"sahf", {0x9E}},
        {"cmc", {0xF5}},
        {"std", {0xFD}},
        {"mov rax, [rax]", {0x48, 0x8B, 0x00}},
        {"mov [r9], rax", {0x49, 0x89, 0x01}},
        {"movaps [rdi+1], xmm0", {0x0F, 0x29, 0x47, 0x01}},
        {"lock xadd [rdi], rcx", {0xF0, 0x48, 0x0F, 0xC1, 0x0F}},
        {"cmpxchg16b [rsi]", {0x48, 0x0F, 0xC7, 0x0E}},
        {"mov rax, fs:[0]", {0x64, 0x48, 0x8B, 0x04, 0x25, 0, 0, 0, 0}},
        {"mov rax, imm64", {0x48, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8}},
        {"mov eax, [moffs32]", {0x67, 0xA1, 0, 0, 0, 0}},
        {"popcnt rax, rdx", {0xF3, 0x48, 0x0F, 0xB8, 0xC2}},
        {"movq rax, xmm0", {0x66, 0x48, 0x0F, 0x7E, 0xC0}},
        {"vpxor ymm0", {0xC5, 0xFD, 0xEF, 0xC1}},
        {"nopw", {0x66, 0x2E, 0x0F, 0x1F, 0x84, 0, 0, 0, 0, 0}},
        {"endbr64", {0xF3, 0x0F, 0x1E, 0xFA}},
    };
    for (int condition = 0; condition < 16; ++condition) {
      made.push_back({"jcc rel8", {0x70 | condition, 0x30}});
      made.push_back({"jcc rel32", {0x0F, 0x80 | condition, 0x40, 0xFE, 0xFF, 0xFF}});
      made.push_back({"setcc al", {0x0F, 0x90 | condition, 0xC0}});
      made.push_back({"cmovcc rax, rbx", {0x48, 0x0F, 0x40 | condition, 0xC3}});
    }
    return made;
  }();
  return forms;
}

std::vector<std::byte> BytesOf(const Form& form, uint64_t address) {
  std::vector<std::byte> bytes;
  for (const int value : form.bytes) bytes.push_back(static_cast<std::byte>(value));
  if (form.displacement != 0) {
    const auto displacement = static_cast<int32_t>(kArenaTarget - (address + bytes.size()));
    memcpy(bytes.data() + form.displacement, &displacement, 4);
  }
  return bytes;
}

const char* Refusal(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return WhyNotMovable(bytes, TraceeAddress(kHomePage));
}

}  // namespace

TEST_CASE("probe relocate: moved instructions do what they do at home") {
  const MovedCodePages pages;
  std::mt19937_64 random(99);
  size_t faults = 0;
  size_t branches = 0;
  for (const Form& form : Forms()) {
    CAPTURE(std::string(form.text));
    const auto bytes = BytesOf(form, kHomeInstruction);
    const auto decoded = DecodeInstruction(bytes, TraceeAddress(kHomeInstruction));
    REQUIRE(decoded.has_value());
    REQUIRE(decoded->length == bytes.size());
    REQUIRE(WhyNotMovable(bytes, TraceeAddress(kHomeInstruction)) == nullptr);
    for (size_t round = 0; round < 40; ++round) {
      const MovedRun run = RunAtHomeAndAway(bytes, round, random);
      faults += run.faulted;
      branches += run.branched;
      CHECK(run.problem == "");
    }
  }
  CHECK(faults > 100);
  CHECK(branches > 500);
}

TEST_CASE("probe relocate: what must not be moved is refused with its reason") {
  CHECK(Refusal({0x0F, 0x05}) != nullptr);                    // syscall
  CHECK(Refusal({0xCD, 0x80}) != nullptr);                    // int 0x80
  CHECK(Refusal({0xCC}) != nullptr);                          // int3
  CHECK(Refusal({0x0F, 0x0B}) != nullptr);                    // ud2
  CHECK(Refusal({0xFF, 0xD0}) != nullptr);                    // call rax
  CHECK(Refusal({0xFF, 0x15, 0, 0, 0, 0}) != nullptr);        // call [rip]
  CHECK(Refusal({0x0F, 0x31}) != nullptr);                    // rdtsc
  CHECK(Refusal({0x0F, 0xA2}) != nullptr);                    // cpuid
  CHECK(Refusal({0x48, 0x0F, 0xC7, 0xF0}) != nullptr);        // rdrand
  CHECK(Refusal({0x0F, 0x01, 0xD0}) != nullptr);              // xgetbv
  CHECK(Refusal({0xF2, 0xE1, 0x30}) != nullptr);              // repne loope
  CHECK(Refusal({0xD9, 0xE8}) != nullptr);                    // fld1
  CHECK(Refusal({0xDB, 0x2D, 0, 0, 0, 0}) != nullptr);        // fld tbyte [rip]
  CHECK(Refusal({0xDA, 0xC1}) != nullptr);                    // fcmovb
  CHECK(Refusal({0xDF, 0xF1}) != nullptr);                    // fcomip
  CHECK(Refusal({0xDB, 0x48, 0x08}) != nullptr);              // fisttp
  CHECK(Refusal({0x67, 0x8B, 0x05, 0, 0, 0, 0}) != nullptr);  // mov eax, [eip]
  CHECK(Refusal({0x66, 0xE9, 0, 0, 0, 0}) != nullptr);        // data16 jmp: two lengths
  CHECK(Refusal({0xC7, 0xF8, 0, 0, 0, 0}) != nullptr);        // xbegin
  CHECK(Refusal({0xCB}) != nullptr);                          // retf
  CHECK(Refusal({0x48, 0xCF}) != nullptr);                    // iretq
  CHECK(Refusal({0x8E, 0xE0}) != nullptr);                    // mov fs, eax
  CHECK(Refusal({0x48, 0x0F, 0xB4, 0x0F}) != nullptr);        // lfs
  CHECK(Refusal({0xC5, 0x64, 0x85, 0, 0, 0, 0}) != nullptr);  // jknzd
  CHECK(Refusal({0x06}) != nullptr);                          // invalid
  CHECK(Refusal({0x48, 0x89, 0xC8}) == nullptr);
}

TEST_CASE("probe relocate: out of reach is noticed") {
  for (const uint64_t distance : {uint64_t{0x7FFFFF00}, uint64_t{0x80001000}}) {
    const std::vector<std::byte> load = {std::byte{0x48}, std::byte{0x8B}, std::byte{0x05}, {}, {}, {}, {}};
    CodeBuffer to{TraceeAddress(kHomePage + distance)};
    std::vector<MovedPoint> points;
    MoveInstruction(load, TraceeAddress(kHomePage), {}, to, points);
    to.FlushLiterals();
    CHECK(to.Finish() == (distance < 0x80000000));
  }
}

}  // namespace chronofork
