// Framing of gdb's remote protocol: `$payload#checksum`, both ways.
//
// PacketReader turns received bytes into packets, acknowledgements and
// interrupts; Reply builds one outgoing frame in place, so that a long memory
// read is encoded where it is sent from.
//
// Easy to get wrong: the escape byte counts into the checksum, and so do run
// lengths; a run length whose character would be `#` or `$` is not allowed;
// `*` in binary data must be escaped, for gdb expands runs before escapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace chronofork {

// What we tell gdb, and what no packet of either side exceeds.
constexpr size_t kMaxPacketBytes = 0x100000;

enum class RspInputKind {
  kNothing,       // more bytes are needed
  kPacket,        // `payload`, escapes removed
  kBadChecksum,   // a packet damaged on the way; `payload` all the same
  kTooLong,       // a packet beyond kMaxPacketBytes, thrown away
  kInterrupt,     // a lone 0x03
  kAcknowledged,  // +
  kRejected,      // -
};

struct RspInput {
  RspInputKind kind = RspInputKind::kNothing;
  std::string_view payload;  // valid until the reader is used again
};

class PacketReader {
 public:
  // Room for `length_bytes` more bytes; Commit() says how many came.
  std::span<char> Prepare(size_t length_bytes);
  void Commit(size_t length_bytes);
  // The next thing received. Bytes between packets that mean nothing are skipped.
  RspInput Next();

 private:
  RspInput NextPacket();

  std::string buffer_;
  size_t begin_ = 0;    // first byte not yet consumed
  size_t end_ = 0;      // end of what was received
  size_t scanned_ = 0;  // no '#' in [begin_, scanned_)
  bool discarding_ = false;
};

// One outgoing packet. An empty one is gdb's "I do not know this".
class Reply {
 public:
  Reply() { Clear(); }

  void Clear();
  Reply& Text(std::string_view text);
  Reply& Hex(uint64_t number);
  Reply& HexBytes(std::span<const std::byte> bytes);
  Reply& HexText(std::string_view text);
  Reply& BinaryBytes(std::span<const std::byte> bytes);
  Reply& Repeat(char c, size_t count);

  // E01: we could not; E22: the packet makes no sense.
  void Failed();
  void Malformed();

  std::string_view payload() const { return std::string_view(frame_).substr(1); }
  // Compresses runs, adds the checksum; the Reply may only be cleared after it.
  std::string_view Finish();

 private:
  std::string frame_;
};

}  // namespace chronofork
