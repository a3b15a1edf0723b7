// Reads both sides in chunks and compares word by word.
#include "replay/memory_comparison.h"

#include <algorithm>
#include <cstring>

#include "checkpoint/pagemap.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

constexpr size_t kChunkBytes = 64 * 1024;

PageSet WithoutOwnPages(const PageSet& pages, const ProbeSet* probes, const Tracee& process, const Tracee& reference) {
  std::vector<AddressRange> own{kCoreRange};
  own.insert(own.end(), process.own_pages().begin(), process.own_pages().end());
  own.insert(own.end(), reference.own_pages().begin(), reference.own_pages().end());
  if (probes)
    for (const AddressRange& range : probes->OwnRanges()) own.push_back(range);
  return Subtract(pages, MakePageSet(std::move(own)));
}

// Where a copy has mapped memory of its own.
std::vector<Mapping> OwnMappings(const Tracee& process) {
  std::vector<Mapping> own;
  if (process.has_own_memory())
    for (Mapping& mapping : ReadMappings(process.pid()))
      if (process.Owns(mapping)) own.push_back(std::move(mapping));
  return own;
}

// A probe is seen wherever its page is mapped.
void ConcealEverywhere(const ProbeSet& probes, const std::vector<Mapping>& own, TraceeAddress at,
                       std::span<std::byte> bytes) {
  probes.Conceal(at, bytes);
  for (const Mapping& here : own) {
    const TraceeAddress start = std::max(at, here.range.start), end = std::min(at + bytes.size(), here.range.end);
    if (start >= end) continue;
    const uint64_t offset = here.offset + (start - here.range.start), end_offset = offset + (end - start);
    for (const Mapping& there : own) {
      const uint64_t first = std::max(offset, there.offset);
      const uint64_t last = std::min(end_offset, there.offset + there.range.length());
      if (first >= last || there.range.start == here.range.start) continue;
      probes.Conceal(there.range.start + (first - there.offset),
                     bytes.subspan((start - at) + (first - offset), last - first));
    }
  }
}

}  // namespace

std::vector<MemoryDifference> CompareMemory(const Tracee& process, const ProbeSet* probes, const Tracee& reference,
                                            const PageSet& pages, size_t limit) {
  std::vector<MemoryDifference> differences;
  std::vector<std::byte> ours(kChunkBytes), theirs(kChunkBytes);
  const std::vector<Mapping> own = probes ? OwnMappings(process) : std::vector<Mapping>();
  for (const AddressRange& range : WithoutOwnPages(pages, probes, process, reference)) {
    for (TraceeAddress at = range.start; at < range.end;) {
      size_t length = std::min<uint64_t>(kChunkBytes, range.end - at);
      size_t our_length = process.memory().ReadSome(at, std::span(ours.data(), length));
      size_t their_length = reference.memory().ReadSome(at, std::span(theirs.data(), length));
      if (probes) ConcealEverywhere(*probes, own, at, std::span(ours.data(), our_length));
      size_t common = std::min(our_length, their_length);
      if (std::memcmp(ours.data(), theirs.data(), common) != 0) {
        for (size_t i = 0; i + 8 <= common; i += 8) {
          uint64_t expected;
          if (std::memcmp(ours.data() + i, theirs.data() + i, 8) == 0) continue;
          std::memcpy(&expected, theirs.data() + i, 8);
          differences.push_back({at + i, expected, false});
          if (differences.size() >= limit) return differences;
        }
      }
      if (our_length != their_length) {
        differences.push_back({at + common, 0, true});
        if (differences.size() >= limit) return differences;
      }
      // Past an unmapped page of both: on with the next page.
      at = at +
           std::max<uint64_t>(common & ~uint64_t{4095}, common < length ? (common & ~uint64_t{4095}) + 4096 : length);
    }
  }
  return differences;
}

PageSet WritablePages(pid_t pid) {
  std::vector<AddressRange> ranges;
  for (const Mapping& mapping : ReadMappings(pid))
    if (mapping.writable && !mapping.shared && !kCoreRange.Contains(mapping.range.start))
      ranges.push_back(mapping.range);
  PageSet writable = MakePageSet(std::move(ranges));
  // Sanitizers reserve terabytes; what was never touched is zero in every copy.
  Result<Pagemap> pagemap = Pagemap::Open(pid);
  if (!pagemap.ok()) return writable;
  Result<PageSet> populated = pagemap.value().Populated(writable);
  return populated.ok() ? std::move(populated).value() : writable;
}

PageSet DeadStack(pid_t pid, const std::vector<TraceeAddress>& stack_pointers) {
  constexpr uint64_t kRedZone = 128;
  PageSet dead;
  const std::vector<Mapping> mappings = ReadMappings(pid);
  for (size_t i = 0; i < mappings.size(); ++i) {
    const Mapping& mapping = mappings[i];
    // A thread's stack has a guard below it; without one it may be any memory.
    const bool guarded = i > 0 && mappings[i - 1].range.end == mapping.range.start && !mappings[i - 1].readable &&
                         !mappings[i - 1].writable;
    if (mapping.path != "[stack]" && !(guarded && mapping.path.empty() && mapping.writable)) continue;
    // Of several stacks in one piece of memory only what lies below all of them is certain.
    TraceeAddress end = mapping.range.end;
    for (TraceeAddress stack_pointer : stack_pointers)
      if (mapping.range.Contains(stack_pointer))
        end = std::min(end, TraceeAddress((stack_pointer.value - kRedZone) & ~uint64_t{7}));
    if (end != mapping.range.end && mapping.range.Contains(end)) dead = Union(dead, {{mapping.range.start, end}});
  }
  return dead;
}

}  // namespace chronofork
