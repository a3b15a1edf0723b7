// The images of fnstenv, fnsave and fxsave, against the processor's own.
#include "record/x87_save.h"

#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <vector>

namespace chronofork {
namespace {

struct alignas(64) Area {
  std::byte bytes[8192];
};

// Some of the registers hold something: a zero, an infinity, a denormal, pi.
void Fill(int how) {
  static const long double kDenormal = 1e-4940L;
  asm volatile("fninit");
  if (how > 0) asm volatile("fldpi\n fldz" ::: "memory");
  if (how > 1) asm volatile("fld1\n fldz\n fdivrp\n fldt %0\n fld1\n fchs" : : "m"(kDenormal) : "memory");
}

struct Form {
  const char* name;
  X87Image kind;
  bool small;
  std::function<void(Area&)> execute;
};

const Form kForms[] = {
    {"fnstenv", X87Image::kEnvironment, false, [](Area& to) { asm volatile("fnstenv %0"
                                                                           : "+m"(to)); }},
    {"fnstenvs", X87Image::kEnvironment, true, [](Area& to) { asm volatile("data16 fnstenv %0"
                                                                           : "+m"(to)); }},
    {"fnsave", X87Image::kState, false, [](Area& to) { asm volatile("fnsave %0"
                                                                    : "+m"(to)); }},
    {"fnsaves", X87Image::kState, true, [](Area& to) { asm volatile("data16 fnsave %0"
                                                                    : "+m"(to)); }},
    {"fxsave64", X87Image::kFxsave, false, [](Area& to) { asm volatile("fxsave64 %0"
                                                                       : "+m"(to)); }},
};

// Where the addresses, the opcode and the segments lie.
std::pair<size_t, size_t> Addresses(const Form& form) {
  if (form.kind == X87Image::kFxsave) return {6, 24};
  return form.small ? std::pair<size_t, size_t>{6, 14} : std::pair<size_t, size_t>{12, 26};
}

}  // namespace

TEST_CASE("x87 save: as the processor does it, but for the addresses of the last instruction") {
  for (const Form& form : kForms) {
    for (int how = 0; how < 3; ++how) {
      CAPTURE(form.name);
      CAPTURE(how);
      Area whole{}, theirs;
      std::memset(theirs.bytes, 0x5a, sizeof theirs.bytes);
      Fill(how);
      asm volatile("xsave64 %0" : "+m"(whole) : "a"(3), "d"(0));
      form.execute(theirs);
      asm volatile("fninit");
      if (how == 0) {  // as ptrace gives what is not in use
        const uint16_t initial = 0x37f;
        std::memcpy(whole.bytes, &initial, sizeof initial);
      }
      const ExtendedRegisters state(whole.bytes, whole.bytes + sizeof whole.bytes);
      std::vector<std::byte> former(X87ImageBytes(form.kind, form.small), std::byte{0x5a});
      const std::vector<std::byte> ours = MakeX87Image(state, form.kind, form.small, former);
      const auto [from, to] = Addresses(form);
      for (size_t i = from; i < to; ++i) {
        CHECK(ours[i] == std::byte{0});
        theirs.bytes[i] = std::byte{0};
      }
      for (size_t i = 0; i < ours.size(); ++i) {
        CAPTURE(i);
        CHECK(ours[i] == theirs.bytes[i]);
      }
      CHECK(theirs.bytes[ours.size()] == std::byte{0x5a});  // and no more
    }
  }
}

}  // namespace chronofork
