// An address in the debuggee. It is a type of its own, so that it cannot be
// dereferenced here by mistake.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace chronofork {

struct TraceeAddress {
  uint64_t value = 0;

  constexpr TraceeAddress() = default;
  constexpr explicit TraceeAddress(uint64_t v) : value(v) {}
  constexpr auto operator<=>(const TraceeAddress&) const = default;
  constexpr TraceeAddress operator+(uint64_t n) const { return TraceeAddress(value + n); }
  constexpr TraceeAddress operator-(uint64_t n) const { return TraceeAddress(value - n); }
  constexpr uint64_t operator-(TraceeAddress other) const { return value - other.value; }
  constexpr TraceeAddress PageStart() const { return TraceeAddress(value & ~uint64_t{4095}); }
};

// Half open: [start, end).
struct AddressRange {
  TraceeAddress start;
  TraceeAddress end;

  constexpr uint64_t length() const { return end - start; }
  constexpr bool Contains(TraceeAddress a) const { return start <= a && a < end; }
  constexpr bool Overlaps(const AddressRange& o) const { return start < o.end && o.start < end; }
  constexpr auto operator<=>(const AddressRange&) const = default;
};

}  // namespace chronofork

template <>
struct std::hash<chronofork::TraceeAddress> {
  size_t operator()(chronofork::TraceeAddress a) const noexcept { return std::hash<uint64_t>{}(a.value); }
};
