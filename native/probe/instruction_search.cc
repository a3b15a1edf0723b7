// Where instructions are, when one does not know where they begin: see instruction.h.
#include <algorithm>
#include <bitset>

#include "probe/instruction.h"

namespace chronofork {
namespace {

// Decoding streams begun at every offset of a window that ends at `end`: where
// does each of them stand when it reaches or passes a given offset?
class StreamWindow {
 public:
  static constexpr size_t kReach = 192;  // begin this far before the place: real code is in step after 10–40 bytes
  static constexpr size_t kSettle = 48;  // streams begun nearer than this may still be out of step

  // `end` is the offset of the place in `code`.
  StreamWindow(std::span<const std::byte> code, size_t end)
      : begin_(end > kReach ? end - kReach : 0), end_(end), lengths_(end - begin_) {
    for (size_t i = 0; i < lengths_.size(); ++i) lengths_[i] = InstructionLength(code.subspan(begin_ + i));
    PassPadding(code);
  }

  // Votes of the settled streams: `last_start(offset)` is called with the
  // offset of the instruction with which a stream reaches the end or passes
  // over it; returns how many streams there were.
  template <typename Visit>
  size_t ForEachStream(Visit visit) const {
    if (end_ == begin_) return 0;
    // At the very start of the code there is just one stream, and it is right.
    const size_t count = lengths_.size() > kSettle && begin_ > 0 ? lengths_.size() - kSettle : 1;
    for (size_t first = 0; first < count; ++first) {
      size_t at = first;
      while (at < lengths_.size() && lengths_[at] != 0 && at + lengths_[at] < lengths_.size()) at += lengths_[at];
      if (at < lengths_.size() && lengths_[at] != 0) visit(begin_ + at, at + lengths_[at] == lengths_.size());
    }
    return count;
  }

 private:
  // So many zeros are no instructions, of two bytes each, but room between
  // functions (of a compiler at run time): the next begins behind them.
  void PassPadding(std::span<const std::byte> code) {
    constexpr size_t kPadding = 16;
    for (size_t start = 0; start < lengths_.size();) {
      size_t end = start;
      while (end < lengths_.size() && code[begin_ + end] == std::byte{0}) ++end;
      static_assert(kReach <= UINT8_MAX);
      if (end - start >= kPadding)
        for (size_t i = start; i < end; ++i) lengths_[i] = static_cast<uint8_t>(end - i);
      start = end + 1;
    }
  }

  size_t begin_;
  size_t end_;
  std::vector<uint8_t> lengths_;
};

std::optional<TraceeAddress> PreviousFromStart(std::span<const std::byte> code, TraceeAddress code_start,
                                               TraceeAddress address, TraceeAddress function_start) {
  size_t at = function_start - code_start;
  const size_t end = address - code_start;
  while (at < end) {
    const uint8_t length = InstructionLength(code.subspan(at));
    if (length == 0 || at + length > end) return std::nullopt;
    if (at + length == end) return code_start + at;
    at += length;
  }
  return std::nullopt;
}

constexpr std::byte kEscape{0x0F};

uint8_t ByteAt(std::span<const std::byte> code, size_t offset) {
  return offset < code.size() ? static_cast<uint8_t>(code[offset]) : uint8_t{0};
}

// May the two-byte opcode at `offset` (of its 0F) be one of ours? Cheap, and never wrongly no.
bool MayBeNondeterministic(std::span<const std::byte> code, size_t offset) {
  const uint8_t second = ByteAt(code, offset + 1);
  const uint8_t third = ByteAt(code, offset + 2);
  switch (second) {
    case 0xC7:  // group 9: /6 rdrand, /7 rdseed and rdpid, with a register; /4 xsavec, with memory
      return third >= 0xF0 || (third < 0xC0 && (third & 0x38) == 0x20);
    case 0xAE:  // group 15: /0 fxsave, /4 xsave, /6 xsaveopt, with memory
      return third < 0xC0 && ((third & 0x38) == 0x00 || (third & 0x38) == 0x20 || (third & 0x38) == 0x30);
    case 0x31:  // rdtsc
    case 0xA2:  // cpuid
      return true;
    case 0x01:  // rdtscp, xgetbv
      return third == 0xF9 || third == 0xD0;
    default: return false;
  }
}

// fnstenv and fnsave: D9 /6 and DD /6, with memory. So is the end of `cmp; je`, which is everywhere.
bool MayBeX87Save(std::span<const std::byte> code, size_t offset) {
  const uint8_t opcode = ByteAt(code, offset), second = ByteAt(code, offset + 1);
  return (opcode == 0xD9 || opcode == 0xDD) && second < 0xC0 && (second & 0x38) == 0x30;
}

// Is `byte` a prefix that may stand before an opcode of ours?
bool IsPrefix(uint8_t byte) {
  switch (byte) {
    case 0x26:
    case 0x2E:
    case 0x36:
    case 0x3E:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xF0:
    case 0xF2:
    case 0xF3: return true;
    default: return (byte & 0xF0) == 0x40;
  }
}

// The first of the prefixes before the opcode at `opcode`, or the opcode itself.
size_t EarliestStart(std::span<const std::byte> code, size_t opcode) {
  size_t earliest = opcode;
  while (earliest > 0 && opcode - earliest < kMaxInstructionLength && IsPrefix(ByteAt(code, earliest - 1))) --earliest;
  return earliest;
}

// Before the vote, which costs ten times as much: does one of a few streams come to stand at the opcode or at a
// prefix of it? Streams are in step long before they come here, but for those that began within data.
bool SomeStreamStandsAt(std::span<const std::byte> code, size_t opcode) {
  constexpr size_t kBegins[] = {72, 61, 53, 44, 37, 29, 22, 15};
  if (opcode < kBegins[0]) return true;
  const size_t earliest = EarliestStart(code, opcode);
  // Once two streams meet they are one, and what became of it is known.
  std::bitset<kBegins[0] + 1> passed;
  for (size_t begin : kBegins) {
    size_t at = opcode - begin;
    while (at < earliest && !passed[opcode - at]) {
      passed.set(opcode - at);
      const uint8_t length = InstructionLength(code.subspan(at, std::min(kMaxInstructionLength, code.size() - at)));
      if (length == 0) break;
      at += length;
    }
    if (at >= earliest && at <= opcode) return true;
  }
  return false;
}

// The instruction that the opcode at `opcode` belongs to, by the votes of the
// streams that reach it; nullopt when most of them see something else there.
std::optional<NondeterministicInstruction> VoteOnOpcode(std::span<const std::byte> code, TraceeAddress base,
                                                        size_t opcode, uint32_t wanted) {
  // Most false patterns fall here: the bytes are not even one of ours when
  // decoded from some possible start.
  const size_t earliest = EarliestStart(code, opcode);

  std::vector<std::pair<size_t, size_t>> votes;  // start, number of streams
  const auto vote = [&](size_t start) {
    auto found = std::find_if(votes.begin(), votes.end(), [&](const auto& v) { return v.first == start; });
    if (found == votes.end()) found = votes.insert(votes.end(), {start, 0});
    ++found->second;
  };
  size_t streams = 0;
  if (opcode == 0) {
    vote(0);
    streams = 1;
  } else {
    // A stream that comes to stand exactly at the opcode has it without a prefix;
    // one that passes over the opcode has it inside the instruction it stood at.
    const StreamWindow window(code, opcode);
    streams = window.ForEachStream([&](size_t last, bool ends_exactly) { vote(ends_exactly ? opcode : last); });
  }
  for (const auto& [start, count] : votes) {
    if (start < earliest || count * 2 <= streams) continue;
    const auto decoded = DecodeInstruction(code.subspan(start), base + start);
    if (!decoded || (decoded->nondeterministic & wanted) == 0) continue;
    return NondeterministicInstruction{decoded->address, decoded->length, decoded->nondeterministic};
  }
  return std::nullopt;
}

}  // namespace

std::vector<TraceeAddress> FindInstructionStarts(std::span<const std::byte> code, TraceeAddress start) {
  std::vector<TraceeAddress> starts;
  for (size_t at = 0; at < code.size();) {
    const uint8_t length = InstructionLength(code.subspan(at));
    if (length == 0) break;
    starts.push_back(start + at);
    at += length;
  }
  return starts;
}

std::optional<TraceeAddress> PreviousInstruction(std::span<const std::byte> code, TraceeAddress code_start,
                                                 TraceeAddress address, std::optional<TraceeAddress> function_start) {
  if (address <= code_start || address - code_start > code.size()) return std::nullopt;
  if (function_start && *function_start >= code_start && *function_start < address) {
    return PreviousFromStart(code, code_start, address, *function_start);
  }
  const size_t end = address - code_start;
  if (end <= StreamWindow::kReach) return std::nullopt;  // too little to see whether they agree
  std::optional<size_t> agreed;
  bool differ = false;
  size_t in_step = 0;
  const size_t streams = StreamWindow(code, end).ForEachStream([&](size_t last, bool ends_exactly) {
    if (!ends_exactly) return;
    ++in_step;
    if (agreed && *agreed != last) differ = true;
    agreed = last;
  });
  // Streams that never come to stand at `address` are out of step: a few are
  // usual, but when they are many, data lies before it and agreement means nothing.
  if (!agreed || differ || in_step * 2 <= streams) return std::nullopt;
  return code_start + *agreed;
}

std::vector<NondeterministicInstruction> FindNondeterministicInstructions(std::span<const std::byte> code,
                                                                          TraceeAddress base, uint32_t wanted) {
  std::vector<NondeterministicInstruction> found;
  const auto consider = [&](size_t opcode) {
    const auto instruction = VoteOnOpcode(code, base, opcode, wanted);
    if (instruction && (found.empty() || found.back().address < instruction->address)) found.push_back(*instruction);
  };
  for (size_t at = 0; at + 1 < code.size(); ++at) {
    const auto rest = code.subspan(at);
    if (rest[0] == kEscape && MayBeNondeterministic(code, at)) consider(at);
    if ((wanted & kX87Save) && MayBeX87Save(code, at) && SomeStreamStandsAt(code, at)) consider(at);
    if ((wanted & kXbegin) && ByteAt(code, at) == 0xC7 && ByteAt(code, at + 1) == 0xF8) consider(at);
  }
  return found;
}

}  // namespace chronofork
