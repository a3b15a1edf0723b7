// Notes hits, and hands them out.
#include "probe/hit_log.h"

#include <cstring>
#include <utility>

#include "base/assert.h"
#include "probe/instrumentation.h"

namespace chronofork {

void HitLog::Append(const ProbeSpec& spec, size_t probe, uint64_t count, const GeneralRegisters& registers,
                    const MemoryReader& read) {
  Entry entry{probe, count, 0, values_.size()};
  for (size_t i = 0; i < spec.log.size(); ++i) {
    const LogItem& item = spec.log[i];
    const size_t at = values_.size();
    values_.resize(at + LoggedBytesOf(item));
    const Result<int64_t> value = EvaluateAgentCode(item.code, registers, read);
    bool known = value.ok();
    if (known && item.length_bytes == 0) {
      std::memcpy(values_.data() + at, &value.value(), 8);
    } else if (known) {
      const auto block = std::span(values_).subspan(at, item.length_bytes);
      known = read(TraceeAddress(static_cast<uint64_t>(value.value())), block).ok();
      if (!known) std::memset(block.data(), 0, block.size());
    }
    if (!known) entry.failed |= uint64_t{1} << i;
  }
  entries_.push_back(entry);
}

void HitLog::AppendNoted(std::span<const std::byte> entries, std::span<const ProbeSpec> specs, uint64_t limit) {
  while (!entries.empty()) {
    LoggedHit hit;
    CHRONOFORK_ASSERT(entries.size() >= sizeof hit);
    std::memcpy(&hit, entries.data(), sizeof hit);
    CHRONOFORK_ASSERT(hit.probe < specs.size());
    const uint64_t length = LogEntryBytes(specs[hit.probe]);
    CHRONOFORK_ASSERT(entries.size() >= length);
    entries_.push_back({hit.probe, limit - hit.remaining, 0, values_.size()});
    const auto values = entries.subspan(sizeof hit, length - sizeof hit);
    values_.insert(values_.end(), values.begin(), values.end());
    entries = entries.subspan(length);
  }
}

std::vector<ProbeLogEntry> HitLog::Take() {
  taken_ = std::exchange(values_, {});
  std::vector<ProbeLogEntry> result;
  result.reserve(entries_.size());
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const size_t end = i + 1 < entries_.size() ? entries_[i + 1].begin : taken_.size();
    result.push_back(
        {entry.probe, entry.count, entry.failed, std::span(taken_).subspan(entry.begin, end - entry.begin)});
  }
  entries_.clear();
  return result;
}

}  // namespace chronofork
