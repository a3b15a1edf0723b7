// Machine code being written for a known address: bytes, labels within it, and
// 32-bit displacements to anywhere.
//
// Easy to get wrong: a displacement counts from the end of the *instruction*,
// so an instruction with an immediate after its displacement says how many
// bytes still follow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "base/tracee_address.h"

namespace chronofork {

class CodeBuffer {
 public:
  struct Label {
    size_t index = 0;
  };

  explicit CodeBuffer(TraceeAddress base) : base_(base) {}

  TraceeAddress here() const { return base_ + bytes_.size(); }
  TraceeAddress base() const { return base_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  void Emit(std::initializer_list<int> values);
  void EmitBytes(std::span<const std::byte> values) { bytes_.insert(bytes_.end(), values.begin(), values.end()); }
  void Emit32(uint32_t value) { EmitLittleEndian(value, 4); }
  void Emit64(uint64_t value) { EmitLittleEndian(value, 8); }

  // A 32-bit displacement to `target`; `bytes_after` of the instruction follow it.
  // Finish() is false if it is out of reach.
  void EmitRelative32(TraceeAddress target, int bytes_after = 0);

  Label NewLabel();
  void Bind(Label label);
  TraceeAddress AddressOf(Label label) const;  // must be bound
  void EmitRelative32(Label label, int bytes_after = 0);
  void EmitRelative8(Label label);

  // A constant of eight bytes that is put behind the code by FlushLiterals().
  Label Literal(uint64_t value);
  void FlushLiterals();

  // Fills in the references to labels. False if some displacement does not
  // reach; then the bytes are of no use.
  bool Finish();

 private:
  struct Fixup {
    size_t offset;
    size_t label;
    int width;
    int bytes_after;
  };
  struct PendingLiteral {
    Label label;
    uint64_t value;
  };
  static constexpr int64_t kUnbound = -1;

  void EmitLittleEndian(uint64_t value, int width);
  void Patch(size_t offset, int64_t displacement, int width);

  TraceeAddress base_;
  std::vector<std::byte> bytes_;
  std::vector<int64_t> labels_;  // offset, or kUnbound
  std::vector<Fixup> fixups_;
  std::vector<PendingLiteral> literals_;
  bool reaches_ = true;
};

}  // namespace chronofork
