// The parsing of numbers, thread ids and hexadecimal strings.
#include "rsp/packet_cursor.h"

#include <limits>

namespace chronofork {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool PacketCursor::Consume(char c) {
  if (rest_.empty() || rest_.front() != c) return false;
  rest_.remove_prefix(1);
  return true;
}

bool PacketCursor::Consume(std::string_view text) {
  if (!rest_.starts_with(text)) return false;
  rest_.remove_prefix(text.size());
  return true;
}

std::optional<uint64_t> PacketCursor::Hex() {
  uint64_t number = 0;
  size_t digits = 0;
  while (digits < rest_.size() && HexDigit(rest_[digits]) >= 0) {
    if (number >> 60 != 0) return std::nullopt;
    number = number << 4 | static_cast<uint64_t>(HexDigit(rest_[digits]));
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  rest_.remove_prefix(digits);
  return number;
}

std::optional<uint64_t> PacketCursor::HexThen(char separator) {
  std::optional<uint64_t> number = Hex();
  return number && Consume(separator) ? number : std::nullopt;
}

std::optional<int64_t> PacketCursor::ThreadNumber() {
  if (Consume(std::string_view("-1"))) return -1;
  std::optional<uint64_t> number = Hex();
  if (!number || *number > std::numeric_limits<int32_t>::max()) return std::nullopt;
  return static_cast<int64_t>(*number);
}

std::optional<RspThreadId> PacketCursor::Thread() {
  RspThreadId id;
  if (!Consume('p')) {
    std::optional<int64_t> tid = ThreadNumber();
    if (!tid) return std::nullopt;
    id.tid = *tid;
    return id;
  }
  std::optional<int64_t> pid = ThreadNumber();
  if (!pid) return std::nullopt;
  id.pid = *pid;
  id.tid = -1;
  if (!Consume('.')) return id;
  std::optional<int64_t> tid = ThreadNumber();
  if (!tid) return std::nullopt;
  id.tid = *tid;
  return id;
}

std::string_view PacketCursor::Until(char separator) {
  std::string_view field = rest_.substr(0, rest_.find(separator));
  rest_.remove_prefix(field.size() < rest_.size() ? field.size() + 1 : rest_.size());
  return field;
}

std::optional<std::vector<std::byte>> PacketCursor::HexBytes() {
  size_t digits = 0;
  while (digits < rest_.size() && HexDigit(rest_[digits]) >= 0) ++digits;
  return digits % 2 == 0 ? HexBytes(digits / 2) : std::nullopt;
}

std::optional<std::vector<std::byte>> PacketCursor::HexBytes(size_t count) {
  if (rest_.size() / 2 < count) return std::nullopt;
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) {
    int high = HexDigit(rest_[2 * i]), low = HexDigit(rest_[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::byte>(high * 16 + low);
  }
  rest_.remove_prefix(2 * count);
  return bytes;
}

std::optional<std::string> PacketCursor::HexText() {
  std::optional<std::vector<std::byte>> bytes = HexBytes();
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

}  // namespace chronofork
