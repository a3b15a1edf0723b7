// What socket calls write whose length is a word in memory: at entry the room
// that there is, afterwards the length that there was.
//
// The kernel writes no more than the room at entry, so that is what is reported.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "record/out_rules.h"

namespace chronofork::out_rules {
namespace {

// The kernel copies no longer address than a sockaddr_storage.
constexpr uint64_t kMostAddressBytes = 128;

EntrySnapshot SnapshotLength(uint64_t pointer, const MemoryReaderFn& read) {
  EntrySnapshot snapshot;
  if (pointer == 0) return snapshot;
  std::optional<int32_t> length = ReadValue<int32_t>(read, pointer);
  snapshot.incomplete = !length;
  snapshot.lengths[0] = static_cast<uint64_t>(std::max(length.value_or(0), 0));
  return snapshot;
}

void AddAddress(const OutContext& context, int address, int length, RangeList& ranges) {
  if (context.argument(address) == 0) return;
  ranges.Add(context.argument(address), std::min(context.at_entry.lengths[0], kMostAddressBytes));
  ranges.Add(context.argument(length), sizeof(int32_t));
}

// Levels whose options are flat: the value, and nothing behind pointers in it.
bool HasFlatOptions(uint64_t level, uint64_t option) {
  constexpr uint64_t kTcpZerocopyReceive = 35;  // include/uapi/linux/tcp.h: maps pages
  switch (static_cast<int>(level)) {
    case IPPROTO_TCP: return static_cast<uint32_t>(option) != kTcpZerocopyReceive;
    case SOL_SOCKET:
    case IPPROTO_IP:
    case IPPROTO_IPV6:
    case IPPROTO_UDP:
    case IPPROTO_RAW:
    case 263:  // SOL_PACKET, include/linux/socket.h
    case 270:  // SOL_NETLINK
      return true;
    default: return false;
  }
}

}  // namespace

EntrySnapshot SnapshotSocketName(const SyscallArguments& call, const MemoryReaderFn& read) {
  return call.values[1] == 0 ? EntrySnapshot{} : SnapshotLength(call.values[2], read);
}

Ranges SocketName(const OutContext& context) {
  if (context.at_entry.incomplete) return std::nullopt;
  RangeList ranges;
  if (context.succeeded()) AddAddress(context, 1, 2, ranges);
  return ranges.Take();
}

EntrySnapshot SnapshotRecvfrom(const SyscallArguments& call, const MemoryReaderFn& read) {
  return call.values[4] == 0 ? EntrySnapshot{} : SnapshotLength(call.values[5], read);
}

Ranges Recvfrom(const OutContext& context) {
  if (context.at_entry.incomplete) return std::nullopt;
  RangeList ranges;
  if (!context.succeeded()) return ranges.Take();
  ranges.Add(context.argument(1), std::min(static_cast<uint64_t>(context.result), context.argument(2)));
  AddAddress(context, 4, 5, ranges);
  return ranges.Take();
}

EntrySnapshot SnapshotGetsockopt(const SyscallArguments& call, const MemoryReaderFn& read) {
  return SnapshotLength(call.values[4], read);
}

Ranges Getsockopt(const OutContext& context) {
  if (context.at_entry.incomplete || !HasFlatOptions(context.argument(1), context.argument(2))) return std::nullopt;
  uint64_t room = context.at_entry.lengths[0];
  bool counts_instructions =
      static_cast<int>(context.argument(1)) == SOL_SOCKET && static_cast<int>(context.argument(2)) == SO_GET_FILTER;
  if (counts_instructions) room *= 8;  // sizeof(struct sock_filter)
  RangeList ranges;
  // ERANGE writes the length that it wants; some options write a value before they fail.
  ranges.Add(context.argument(4), sizeof(int32_t));
  ranges.Add(context.argument(3), room);
  return ranges.Take();
}

}  // namespace chronofork::out_rules
