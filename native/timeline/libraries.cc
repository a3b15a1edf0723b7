// auxv → program headers → PT_DYNAMIC → DT_DEBUG → r_debug → link_map list.
#include "timeline/libraries.h"

#include <elf.h>
#include <link.h>

#include <cstring>

namespace chronofork {
namespace {

// A list longer than this is garbage (an uninitialized or corrupted one).
constexpr int kMaxLibraries = 4096;

uint64_t DynamicEntry(const TraceeMemory& memory, TraceeAddress dynamic, int64_t tag) {
  for (int i = 0; i < 512; ++i) {
    Result<Elf64_Dyn> entry = memory.ReadValue<Elf64_Dyn>(dynamic + static_cast<uint64_t>(i) * sizeof(Elf64_Dyn));
    if (!entry.ok() || entry->d_tag == DT_NULL) return 0;
    if (entry->d_tag == tag) return entry->d_un.d_val;
  }
  return 0;
}

// Where the program's dynamic section lies; 0 for a static program.
uint64_t DynamicSection(const Tracee& process) {
  std::string auxv = ReadProcText(process.pid(), "auxv");
  uint64_t headers = 0, count = 0;
  for (size_t at = 0; at + 16 <= auxv.size(); at += 16) {
    uint64_t type, value;
    std::memcpy(&type, auxv.data() + at, 8);
    std::memcpy(&value, auxv.data() + at + 8, 8);
    if (type == AT_PHDR) headers = value;
    if (type == AT_PHNUM) count = value;
  }
  uint64_t bias = 0, dynamic = 0;
  for (uint64_t i = 0; i < count; ++i) {
    Result<Elf64_Phdr> header = process.memory().ReadValue<Elf64_Phdr>(TraceeAddress(headers + i * sizeof(Elf64_Phdr)));
    if (!header.ok()) return 0;
    if (header->p_type == PT_PHDR) bias = headers - header->p_vaddr;
    if (header->p_type == PT_DYNAMIC) dynamic = header->p_vaddr;
  }
  return dynamic ? dynamic + bias : 0;
}

}  // namespace

TargetLibraries ReadLibraryList(const Tracee& process) {
  TargetLibraries result;
  const TraceeMemory& memory = process.memory();
  uint64_t dynamic = DynamicSection(process);
  if (!dynamic) return result;
  uint64_t debug_address = DynamicEntry(memory, TraceeAddress(dynamic), DT_DEBUG);
  if (!debug_address) return result;
  Result<r_debug> debug = memory.ReadValue<r_debug>(TraceeAddress(debug_address));
  if (!debug.ok()) return result;
  result.r_debug = TraceeAddress(debug_address);
  result.main_link_map = TraceeAddress(reinterpret_cast<uint64_t>(debug->r_map));
  TraceeAddress at = result.main_link_map;
  for (int i = 0; at.value && i < kMaxLibraries; ++i) {
    Result<link_map> entry = memory.ReadValue<link_map>(at);
    if (!entry.ok()) break;
    Result<std::string> name = memory.ReadString(TraceeAddress(reinterpret_cast<uint64_t>(entry->l_name)), 4096);
    if (i > 0 && name.ok() && !name->empty())
      result.libraries.push_back({*name, at, entry->l_addr, TraceeAddress(reinterpret_cast<uint64_t>(entry->l_ld))});
    at = TraceeAddress(reinterpret_cast<uint64_t>(entry->l_next));
  }
  return result;
}

}  // namespace chronofork
