// Scanning of received bytes and in-place encoding of replies.
#include "rsp/packet.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace chronofork {
namespace {

constexpr char kInterruptByte = '\x03';
constexpr char kEscape = '}';
constexpr char kEscapeMask = 0x20;
constexpr char kHexDigits[] = "0123456789abcdef";

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Removes escapes within [start, start + length) and returns the new length.
size_t Unescape(char* start, size_t length) {
  char* escape = static_cast<char*>(std::memchr(start, kEscape, length));
  if (!escape) return length;
  char* out = escape;
  const char* end = start + length;
  for (const char* in = escape; in < end; ++in) {
    if (*in == kEscape && in + 1 < end)
      *out++ = static_cast<char>(*++in ^ kEscapeMask);
    else
      *out++ = *in;
  }
  return static_cast<size_t>(out - start);
}

// The longest run length (repeats beyond the first) that one character can say,
// at most `repeats`; 0 if a run is not worth it.
size_t EncodableRun(size_t repeats) {
  constexpr size_t kMax = 126 - 29;  // the greatest printable character
  size_t run = std::min(repeats, kMax);
  if (run == '#' - 29 || run == '$' - 29) run = '#' - 29 - 1;
  return run < 3 ? 0 : run;
}

}  // namespace

std::span<char> PacketReader::Prepare(size_t length_bytes) {
  if (begin_ == end_) {
    begin_ = end_ = scanned_ = 0;
  } else if (begin_ > 0 && buffer_.size() - end_ < length_bytes) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    scanned_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < length_bytes) buffer_.resize(std::max(end_ + length_bytes, buffer_.size() * 2));
  return {buffer_.data() + end_, length_bytes};
}

void PacketReader::Commit(size_t length_bytes) {
  CHRONOFORK_ASSERT(end_ + length_bytes <= buffer_.size());
  end_ += length_bytes;
}

RspInput PacketReader::Next() {
  while (begin_ < end_) {
    char c = buffer_[begin_];
    if (c == '$' || discarding_) return NextPacket();
    ++begin_;
    scanned_ = begin_;
    if (c == kInterruptByte) return {RspInputKind::kInterrupt, {}};
    if (c == '+') return {RspInputKind::kAcknowledged, {}};
    if (c == '-') return {RspInputKind::kRejected, {}};
  }
  return {};
}

RspInput PacketReader::NextPacket() {
  scanned_ = std::max(scanned_, begin_);
  const char* base = buffer_.data();
  const char* hash = static_cast<const char*>(std::memchr(base + scanned_, '#', end_ - scanned_));
  if (!hash) {
    scanned_ = end_;
    if (end_ - begin_ > kMaxPacketBytes) {
      discarding_ = true;
      begin_ = end_;
    }
    return {};
  }
  size_t hash_at = static_cast<size_t>(hash - base);
  scanned_ = hash_at;
  if (end_ - hash_at < 3) return {};
  int high = HexDigit(base[hash_at + 1]), low = HexDigit(base[hash_at + 2]);
  char* start = buffer_.data() + begin_ + 1;
  size_t length = discarding_ ? 0 : hash_at - begin_ - 1;
  begin_ = scanned_ = hash_at + 3;
  if (discarding_ || length > kMaxPacketBytes) {
    discarding_ = false;
    return {RspInputKind::kTooLong, {}};
  }
  uint8_t sum = 0;
  for (size_t i = 0; i < length; ++i) sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(start[i]));
  bool good = high >= 0 && low >= 0 && sum == high * 16 + low;
  length = Unescape(start, length);
  return {good ? RspInputKind::kPacket : RspInputKind::kBadChecksum, {start, length}};
}

void Reply::Clear() { frame_.assign(1, '$'); }

Reply& Reply::Text(std::string_view text) {
  frame_ += text;
  return *this;
}

Reply& Reply::Hex(uint64_t number) {
  char digits[16];
  size_t n = 0;
  do {
    digits[sizeof digits - ++n] = kHexDigits[number & 15];
    number >>= 4;
  } while (number != 0);
  frame_.append(digits + sizeof digits - n, n);
  return *this;
}

Reply& Reply::HexBytes(std::span<const std::byte> bytes) {
  size_t at = frame_.size();
  frame_.resize(at + bytes.size() * 2);
  char* out = frame_.data() + at;
  for (std::byte b : bytes) {
    *out++ = kHexDigits[static_cast<uint8_t>(b) >> 4];
    *out++ = kHexDigits[static_cast<uint8_t>(b) & 15];
  }
  return *this;
}

Reply& Reply::HexText(std::string_view text) { return HexBytes(std::as_bytes(std::span(text))); }

Reply& Reply::BinaryBytes(std::span<const std::byte> bytes) {
  frame_.reserve(frame_.size() + bytes.size() + bytes.size() / 8 + 4);
  for (std::byte b : bytes) {
    char c = static_cast<char>(b);
    if (c == '#' || c == '$' || c == kEscape || c == '*') {
      frame_ += kEscape;
      c = static_cast<char>(c ^ kEscapeMask);
    }
    frame_ += c;
  }
  return *this;
}

Reply& Reply::Repeat(char c, size_t count) {
  frame_.append(count, c);
  return *this;
}

void Reply::Failed() {
  Clear();
  Text("E01");
}

void Reply::Malformed() {
  Clear();
  Text("E22");
}

std::string_view Reply::Finish() {
  const size_t end = frame_.size();
  size_t out = 1;
  uint8_t sum = 0;
  auto put = [&](char c) {
    frame_[out++] = c;
    sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(c));
  };
  for (size_t in = 1; in < end;) {
    const char c = frame_[in];
    size_t same = 1;
    while (in + same < end && frame_[in + same] == c && same <= 126 - 29) ++same;
    in += same;
    size_t run = EncodableRun(same - 1);
    put(c);
    if (run > 0) {
      put('*');
      put(static_cast<char>(run + 29));
    }
    for (size_t rest = same - 1 - run; rest > 0; --rest) put(c);
  }
  frame_.resize(out);
  frame_ += '#';
  frame_ += kHexDigits[sum >> 4];
  frame_ += kHexDigits[sum & 15];
  return frame_;
}

}  // namespace chronofork
