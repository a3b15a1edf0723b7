// Applies the one-line descriptions of the system call table to a finished call.
#include "record/out_parameters.h"

#include <algorithm>

namespace chronofork {
namespace {

// A result or an argument times a unit may be any number that the program made
// up: past this, the call cannot have written so much.
constexpr uint64_t kMostBytes = uint64_t{1} << 47;  // the size of the address space

uint64_t Length(const OutParameter& out, const OutContext& context) {
  switch (out.size) {
    case OutParameter::Size::kNone: return 0;
    case OutParameter::Size::kFixed: return out.bytes;
    case OutParameter::Size::kResult: {
      if (!context.succeeded()) return 0;
      uint64_t items = static_cast<uint64_t>(context.result);
      // Counts are 32-bit numbers in most of these calls; a limit that is
      // wrong because of its upper half only makes the range larger.
      if (out.other >= 0) items = std::min(items, context.argument(out.other));
      return std::min(items, kMostBytes / out.bytes) * out.bytes;
    }
    case OutParameter::Size::kArgument:
      return std::min(context.argument(out.other), kMostBytes / out.bytes) * out.bytes;
  }
  return 0;
}

}  // namespace

void RangeList::Add(uint64_t address, uint64_t length_bytes) {
  if (address == 0 || length_bytes == 0) return;
  uint64_t end = address + length_bytes;
  if (end < address) end = ~uint64_t{0};
  ranges_.push_back({TraceeAddress(address), TraceeAddress(end)});
}

std::vector<AddressRange> ApplyOutParameters(std::span<const OutParameter> list, const OutContext& context) {
  RangeList ranges;
  for (const OutParameter& out : list) {
    if (out.size == OutParameter::Size::kNone) break;
    if (!out.always && !context.succeeded()) continue;
    ranges.Add(context.argument(out.argument), Length(out, context));
  }
  return ranges.Take();
}

}  // namespace chronofork
