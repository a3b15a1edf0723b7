// Of which file code is: see code_home.h.
#include "replay/code_home.h"

#include <algorithm>

#include "tracee/code_sections.h"

namespace chronofork {

const Mapping* MappingAt(std::span<const Mapping> mappings, TraceeAddress address) {
  auto after = std::upper_bound(mappings.begin(), mappings.end(), address,
                                [](TraceeAddress a, const Mapping& m) { return a < m.range.start; });
  if (after == mappings.begin() || !std::prev(after)->range.Contains(address)) return nullptr;
  return &*std::prev(after);
}

CodeHome HomeOf(const Mapping& mapping) {
  if (IsMadeByProgram(mapping) || mapping.inode == 0) return {};
  return {mapping.device, mapping.inode, mapping.range.start.value - mapping.offset};
}

CodeHome HomeOf(std::span<const Mapping> mappings, TraceeAddress address) {
  const Mapping* mapping = MappingAt(mappings, address);
  return mapping ? HomeOf(*mapping) : CodeHome{};
}

}  // namespace chronofork
