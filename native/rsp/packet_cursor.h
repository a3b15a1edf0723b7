// Reads the fields of one packet from left to right. Every method either
// consumes what it names or says no; none reads beyond the packet's end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chronofork {

// As gdb writes it: `p<pid>.<tid>`, or `<tid>` alone (then pid is 0).
// -1 stands for all, 0 for any.
struct RspThreadId {
  int64_t pid = 0;
  int64_t tid = 0;
};

class PacketCursor {
 public:
  explicit PacketCursor(std::string_view packet) : rest_(packet) {}

  bool AtEnd() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  char Peek() const { return rest_.empty() ? '\0' : rest_.front(); }

  bool Consume(char c);
  bool Consume(std::string_view text);
  // 1 to 16 hexadecimal digits (leading zeros beyond that are fine).
  std::optional<uint64_t> Hex();
  // As Hex(), then `separator`.
  std::optional<uint64_t> HexThen(char separator);
  std::optional<RspThreadId> Thread();
  // Everything before `separator`, which is consumed too; all the rest if there is none.
  std::string_view Until(char separator);
  // Pairs of digits up to the end or to what is no digit; nullopt for an odd number of them.
  std::optional<std::vector<std::byte>> HexBytes();
  // Exactly `count` pairs.
  std::optional<std::vector<std::byte>> HexBytes(size_t count);
  std::optional<std::string> HexText();

 private:
  std::optional<int64_t> ThreadNumber();

  std::string_view rest_;
};

}  // namespace chronofork
