// Emits the few instruction forms that trampolines are made of, byte by byte.
#include "probe/code_buffer.h"

#include "base/assert.h"

namespace chronofork {

void CodeBuffer::Emit(std::initializer_list<int> values) {
  for (int value : values) bytes_.push_back(static_cast<std::byte>(value));
}

void CodeBuffer::EmitLittleEndian(uint64_t value, int width) {
  for (int i = 0; i < width; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void CodeBuffer::Patch(size_t offset, int64_t displacement, int width) {
  const bool fits = width == 1 ? displacement == static_cast<int8_t>(displacement)
                               : displacement == static_cast<int32_t>(displacement);
  if (!fits) reaches_ = false;
  for (int i = 0; i < width; ++i) bytes_[offset + i] = static_cast<std::byte>(displacement >> (8 * i));
}

void CodeBuffer::EmitRelative32(TraceeAddress target, int bytes_after) {
  const size_t offset = bytes_.size();
  Emit32(0);
  Patch(offset, static_cast<int64_t>(target.value - (here().value + bytes_after)), 4);
}

CodeBuffer::Label CodeBuffer::NewLabel() {
  labels_.push_back(kUnbound);
  return {labels_.size() - 1};
}

void CodeBuffer::Bind(Label label) {
  CHRONOFORK_ASSERT(labels_[label.index] == kUnbound);
  labels_[label.index] = static_cast<int64_t>(bytes_.size());
}

TraceeAddress CodeBuffer::AddressOf(Label label) const {
  CHRONOFORK_ASSERT(labels_[label.index] != kUnbound);
  return base_ + static_cast<uint64_t>(labels_[label.index]);
}

void CodeBuffer::EmitRelative32(Label label, int bytes_after) {
  fixups_.push_back({bytes_.size(), label.index, 4, bytes_after});
  Emit32(0);
}

void CodeBuffer::EmitRelative8(Label label) {
  fixups_.push_back({bytes_.size(), label.index, 1, 0});
  Emit({0});
}

CodeBuffer::Label CodeBuffer::Literal(uint64_t value) {
  for (const PendingLiteral& pending : literals_) {
    if (pending.value == value) return pending.label;
  }
  literals_.push_back({NewLabel(), value});
  return literals_.back().label;
}

void CodeBuffer::FlushLiterals() {
  for (const PendingLiteral& pending : literals_) {
    Bind(pending.label);
    Emit64(pending.value);
  }
  literals_.clear();
}

bool CodeBuffer::Finish() {
  CHRONOFORK_ASSERT(literals_.empty());
  for (const Fixup& fixup : fixups_) {
    const TraceeAddress end = base_ + fixup.offset + fixup.width + fixup.bytes_after;
    Patch(fixup.offset, static_cast<int64_t>(AddressOf({fixup.label}).value - end.value), fixup.width);
  }
  fixups_.clear();
  return reaches_;
}

}  // namespace chronofork
