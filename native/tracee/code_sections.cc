// Section headers of ELF-64 files: gABI, "Sections"; <elf.h>.
#include "tracee/code_sections.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "base/scoped_fd.h"

namespace chronofork {
namespace {

// More have only files that are not meant to be executed as they are.
constexpr size_t kMostSections = 4096;

bool ReadAt(const ScopedFd& file, uint64_t offset, std::span<std::byte> out) {
  const ssize_t got = ::pread(file.get(), out.data(), out.size(), static_cast<off_t>(offset));
  return got >= 0 && static_cast<size_t>(got) == out.size();
}

// A path may lead to another file than the one that was mapped: the header in memory tells.
bool IsMapped(const Elf64_Ehdr& header, const Mapping& mapping, std::span<const Mapping> all,
              const TraceeMemory& memory) {
  const auto first = std::find_if(all.begin(), all.end(), [&](const Mapping& other) {
    return other.path == mapping.path && other.offset == 0 && other.readable;
  });
  if (first == all.end()) return false;
  Elf64_Ehdr mapped{};
  if (!memory.Read(first->range.start, std::as_writable_bytes(std::span(&mapped, 1))).ok()) return false;
  return std::memcmp(&mapped, &header, sizeof header) == 0;
}

std::optional<std::vector<Elf64_Shdr>> SectionsOf(const Mapping& mapping, std::span<const Mapping> all,
                                                  const TraceeMemory& memory, pid_t pid) {
  if (!mapping.path.starts_with('/')) return std::nullopt;
  const std::string path = "/proc/" + std::to_string(pid) + "/root" + mapping.path;
  const ScopedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr header{};
  if (!file.valid() || !ReadAt(file, 0, std::as_writable_bytes(std::span(&header, 1)))) return std::nullopt;
  const bool usable = std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
                      header.e_shoff != 0 && header.e_shentsize == sizeof(Elf64_Shdr) && header.e_shnum > 0 &&
                      header.e_shnum <= kMostSections;
  if (!usable || !IsMapped(header, mapping, all, memory)) return std::nullopt;
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  if (!ReadAt(file, header.e_shoff, std::as_writable_bytes(std::span(sections)))) return std::nullopt;
  return sections;
}

}  // namespace

bool IsMadeByProgram(const Mapping& mapping) {
  return !mapping.path.starts_with('/') || mapping.path.starts_with("/memfd:");
}

std::optional<std::vector<AddressRange>> CodeIn(const Mapping& mapping, std::span<const Mapping> all,
                                                const TraceeMemory& memory, pid_t pid) {
  const std::optional<std::vector<Elf64_Shdr>> sections = SectionsOf(mapping, all, memory, pid);
  if (!sections) return std::nullopt;
  std::vector<AddressRange> code;
  const uint64_t file_end = mapping.offset + mapping.range.length();
  for (const Elf64_Shdr& section : *sections) {
    if (section.sh_type == SHT_NOBITS || !(section.sh_flags & SHF_EXECINSTR)) continue;
    const uint64_t begin = std::max(section.sh_offset, mapping.offset);
    const uint64_t end = std::min(section.sh_offset + section.sh_size, file_end);
    if (begin < end)
      code.push_back({mapping.range.start + (begin - mapping.offset), mapping.range.start + (end - mapping.offset)});
  }
  return code;
}

}  // namespace chronofork
