// What calls write through iovec arrays and message headers.
//
// The arrays are read at entry: the data that the kernel writes may lie over
// the array itself, and recvmsg overwrites the lengths in its header.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>

#include "record/out_rules.h"

namespace chronofork::out_rules {
namespace {

// UIO_MAXIOV (include/uapi/linux/uio.h): the kernel refuses longer arrays, and
// uses only so many messages of recvmmsg.
constexpr uint64_t kMostBuffers = 1024;
// The kernel copies no longer address than a sockaddr_storage.
constexpr uint64_t kMostAddressBytes = 128;
static_assert(sizeof(msghdr) == 56 && sizeof(mmsghdr) == 64 && sizeof(iovec) == 16, "the kernel's own layout");

AddressRange Range(const void* address, uint64_t length_bytes) {
  auto start = reinterpret_cast<uint64_t>(address);
  uint64_t end = start + length_bytes;
  return {TraceeAddress(start), TraceeAddress(end < start ? ~uint64_t{0} : end)};
}

void ReadBuffers(uint64_t array, uint64_t count, const MemoryReaderFn& read, EntrySnapshot& snapshot) {
  if (count == 0 || count > kMostBuffers) return;
  std::vector<iovec> vectors(count);
  if (!read(TraceeAddress(array), std::as_writable_bytes(std::span(vectors))).ok()) {
    snapshot.incomplete = true;
    return;
  }
  for (const iovec& vector : vectors) snapshot.buffers.push_back(Range(vector.iov_base, vector.iov_len));
}

// Appends the message's buffers, and to `others` its name and control data.
void ReadMessage(const msghdr& message, const MemoryReaderFn& read, EntrySnapshot& snapshot) {
  ReadBuffers(reinterpret_cast<uint64_t>(message.msg_iov), message.msg_iovlen, read, snapshot);
  snapshot.others.push_back(Range(message.msg_name, std::min<uint64_t>(message.msg_namelen, kMostAddressBytes)));
  snapshot.others.push_back(Range(message.msg_control, message.msg_controllen));
}

// `bytes` of data, spread over the buffers in order.
void AddFilled(std::span<const AddressRange> buffers, uint64_t bytes, RangeList& ranges) {
  for (const AddressRange& buffer : buffers) {
    if (bytes == 0) return;
    uint64_t here = std::min(bytes, buffer.length());
    ranges.Add(buffer.start.value, here);
    bytes -= here;
  }
}

void AddAll(std::span<const AddressRange> list, RangeList& ranges) {
  for (const AddressRange& range : list) ranges.Add(range.start.value, range.length());
}

}  // namespace

EntrySnapshot SnapshotIovec(const SyscallArguments& call, const MemoryReaderFn& read) {
  EntrySnapshot snapshot;
  ReadBuffers(call.values[1], call.values[2], read, snapshot);
  return snapshot;
}

Ranges ReadIovec(const OutContext& context) {
  if (context.at_entry.incomplete) return std::nullopt;
  RangeList ranges;
  if (context.succeeded()) AddFilled(context.at_entry.buffers, static_cast<uint64_t>(context.result), ranges);
  return ranges.Take();
}

EntrySnapshot SnapshotRecvmsg(const SyscallArguments& call, const MemoryReaderFn& read) {
  EntrySnapshot snapshot;
  std::optional<msghdr> message = ReadValue<msghdr>(read, call.values[1]);
  if (message) {
    ReadMessage(*message, read, snapshot);
  } else {
    snapshot.incomplete = true;
  }
  return snapshot;
}

Ranges Recvmsg(const OutContext& context) {
  if (context.at_entry.incomplete) return std::nullopt;
  RangeList ranges;
  if (!context.succeeded()) return ranges.Take();
  ranges.Add(context.argument(1), sizeof(msghdr));
  AddAll(context.at_entry.others, ranges);
  AddFilled(context.at_entry.buffers, static_cast<uint64_t>(context.result), ranges);
  return ranges.Take();
}

EntrySnapshot SnapshotRecvmmsg(const SyscallArguments& call, const MemoryReaderFn& read) {
  EntrySnapshot snapshot;
  uint64_t count = std::min<uint64_t>(static_cast<uint32_t>(call.values[2]), kMostBuffers);
  for (uint64_t i = 0; i < count; ++i) {
    std::optional<mmsghdr> message = ReadValue<mmsghdr>(read, call.values[1] + i * sizeof(mmsghdr));
    if (!message) {
      snapshot.incomplete = true;
      break;
    }
    size_t before = snapshot.buffers.size();
    ReadMessage(message->msg_hdr, read, snapshot);
    snapshot.message_buffer_counts.push_back(snapshot.buffers.size() - before);
  }
  return snapshot;
}

Ranges Recvmmsg(const OutContext& context) {
  const EntrySnapshot& entry = context.at_entry;
  if (entry.incomplete) return std::nullopt;
  RangeList ranges;
  ranges.Add(context.argument(4), sizeof(timespec));
  if (!context.succeeded()) return ranges.Take();
  auto received = static_cast<uint64_t>(context.result);
  ranges.Add(context.argument(1), received * sizeof(mmsghdr));
  size_t first_buffer = 0;
  // One message more than were received: it may have been begun and failed.
  for (size_t i = 0; i < entry.message_buffer_counts.size() && i <= received; ++i) {
    std::span<const AddressRange> buffers =
        std::span(entry.buffers).subspan(first_buffer, entry.message_buffer_counts[i]);
    first_buffer += buffers.size();
    AddAll(std::span(entry.others).subspan(2 * i, 2), ranges);
    std::optional<mmsghdr> message = ReadValue<mmsghdr>(context.read, context.argument(1) + i * sizeof(mmsghdr));
    if (i < received && message) {
      AddFilled(buffers, message->msg_len, ranges);
    } else {
      AddAll(buffers, ranges);
    }
  }
  return ranges.Take();
}

}  // namespace chronofork::out_rules
