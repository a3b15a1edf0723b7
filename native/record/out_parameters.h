// The words in which the system call table says what memory a call writes.
//
// Most calls are one to three entries: "argument 1 points to 144 bytes",
// "argument 1 points to as many bytes as the result says". Calls whose answer
// needs more (message headers, select's bit sets, ioctl) name a rule: a
// function of its own in out_rules_*.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/tracee_address.h"

namespace chronofork {

struct SyscallArguments {
  long number = -1;
  std::array<uint64_t, 6> values{};
};

// Reads all of `out` from the debuggee, or fails.
using MemoryReaderFn = std::function<Result<void>(TraceeAddress address, std::span<std::byte> out)>;

// What was found in memory at the entry of a call.
struct EntrySnapshot {
  // Buffers named by an iovec array, in order; for recvmmsg those of all
  // messages, `message_buffer_counts` of them each.
  std::vector<AddressRange> buffers;
  std::vector<size_t> message_buffer_counts;
  // Ranges beside the buffers: names and control data of message headers, or
  // whatever a rule must remember.
  std::vector<AddressRange> others;
  // In-out length words, in the order of the arguments that point to them.
  std::array<uint64_t, 2> lengths{};
  bool incomplete = false;  // something could not be read: the call will most likely fail with EFAULT
};

struct OutContext {
  const SyscallArguments& call;
  int64_t result;
  const MemoryReaderFn& read;
  const EntrySnapshot& at_entry;

  uint64_t argument(int index) const { return call.values[static_cast<size_t>(index)]; }
  bool succeeded() const { return result >= 0 || result < -4095; }
};

// Collects written ranges; leaves out null pointers and empty lengths.
class RangeList {
 public:
  void Add(uint64_t address, uint64_t length_bytes);
  std::vector<AddressRange> Take() { return std::move(ranges_); }

 private:
  std::vector<AddressRange> ranges_;
};

using OutRule = std::optional<std::vector<AddressRange>> (*)(const OutContext&);
using SnapshotRule = EntrySnapshot (*)(const SyscallArguments&, const MemoryReaderFn&);

struct OutParameter {
  enum class Size : uint8_t {
    kNone,
    kFixed,     // `bytes`
    kResult,    // result * `bytes`, at most argument[`other`] * `bytes` if other >= 0
    kArgument,  // argument[`other`] * `bytes`
  };
  Size size = Size::kNone;
  int8_t argument = 0;  // which argument is the pointer; a null pointer is written by nobody
  int8_t other = -1;
  bool always = false;  // written whatever the result is (nanosleep's remaining time), not on success only
  uint32_t bytes = 0;
};

struct OutParameters {
  std::array<OutParameter, 4> list{};
  OutRule rule = nullptr;  // in place of `list`
  SnapshotRule snapshot = nullptr;
};

// The ranges that `list` describes.
std::vector<AddressRange> ApplyOutParameters(std::span<const OutParameter> list, const OutContext& context);

// Reads a word or a structure of the debuggee; nullopt if it cannot be read.
template <typename T>
std::optional<T> ReadValue(const MemoryReaderFn& read, uint64_t address) {
  T value;
  if (!read(TraceeAddress(address), std::as_writable_bytes(std::span(&value, 1))).ok()) return std::nullopt;
  return value;
}

}  // namespace chronofork
