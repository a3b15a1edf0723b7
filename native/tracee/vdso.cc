// The functions of the vdso become real system calls, so that they are recorded.
//
// Its pages can be written through /proc/PID/mem: the kernel gives the process
// a private copy of them. All but the first bytes of a function stay: nobody
// may stand in these when they are written.
#include <elf.h>
#include <sys/syscall.h>

#include <cstring>

#include "tracee/attachment.h"

namespace chronofork {
namespace {

struct VdsoFunction {
  const char* name;
  uint32_t number;
};

// getrandom has two parameters more than the call, for a state that is then not used.
constexpr uint32_t kGetrandom = 318;
constexpr VdsoFunction kFunctions[] = {
    {"__vdso_clock_gettime", SYS_clock_gettime},
    {"__vdso_gettimeofday", SYS_gettimeofday},
    {"__vdso_clock_getres", SYS_clock_getres},
    {"__vdso_time", SYS_time},
    {"__vdso_getcpu", SYS_getcpu},
    {"__vdso_getrandom", kGetrandom},
};

// mov eax, number; syscall; ret
std::vector<std::byte> CodeFor(uint32_t number) {
  uint8_t code[] = {0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3};
  std::memcpy(code + 1, &number, sizeof number);
  const auto bytes = std::as_bytes(std::span(code));
  return {bytes.begin(), bytes.end()};
}

template <typename T>
const T* At(std::span<const std::byte> image, uint64_t offset, uint64_t count = 1) {
  if (offset > image.size() || count > (image.size() - offset) / sizeof(T)) return nullptr;
  return reinterpret_cast<const T*>(image.data() + offset);
}

}  // namespace

// Its sections are there at run time; what the symbols' values are relative to
// is the address of its first loaded segment (0 on x86-64).
std::vector<VdsoPatch> PlanVdso(std::span<const std::byte> image, TraceeAddress base) {
  std::vector<VdsoPatch> patches;
  const auto* header = At<Elf64_Ehdr>(image, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return patches;
  const auto* sections = At<Elf64_Shdr>(image, header->e_shoff, header->e_shnum);
  if (!sections) return patches;
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_DYNSYM || sections[i].sh_link >= header->e_shnum) continue;
    const uint64_t count = sections[i].sh_size / sizeof(Elf64_Sym);
    const auto* symbols = At<Elf64_Sym>(image, sections[i].sh_offset, count);
    const Elf64_Shdr& strings = sections[sections[i].sh_link];
    const char* names = At<char>(image, strings.sh_offset, strings.sh_size);
    if (!symbols || !names) continue;
    for (uint64_t n = 0; n < count; ++n) {
      if (symbols[n].st_name >= strings.sh_size) continue;
      for (const VdsoFunction& function : kFunctions) {
        if (std::strcmp(names + symbols[n].st_name, function.name) != 0) continue;
        VdsoPatch patch{base + symbols[n].st_value, {}, CodeFor(function.number)};
        const auto* original = At<std::byte>(image, symbols[n].st_value, patch.code.size());
        if (!original || symbols[n].st_size < patch.code.size()) continue;
        patch.original.assign(original, original + patch.code.size());
        patches.push_back(std::move(patch));
      }
    }
  }
  return patches;
}

}  // namespace chronofork
