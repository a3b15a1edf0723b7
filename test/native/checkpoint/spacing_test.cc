// The spacing of checkpoints as a pure function of what the last one has cost.
#include "checkpoint/spacing.h"

#include <doctest/doctest.h>

namespace chronofork {
namespace {

constexpr double kInterval = 100e6;

TEST_CASE("spacing: a cheap checkpoint is followed by the next after the interval") {
  CHECK(DueAfterNs(kInterval, {0, 0}) == kInterval);
  CHECK(DueAfterNs(kInterval, {2e6, 100}) == kInterval);
}

TEST_CASE("spacing: what was paid is at most a twentieth of the time until the next") {
  const CheckpointCost made_slowly{60e6, 0};
  CHECK(DueAfterNs(kInterval, made_slowly) == doctest::Approx(20 * 60e6));
  const CheckpointCost written_much{7e6, 131072};
  CHECK(DueAfterNs(kInterval, written_much) == doctest::Approx(20 * (7e6 + 131072 * 3500.0)));
}

TEST_CASE("spacing: pages written later put it off, pages written before do not") {
  const double before = DueAfterNs(kInterval, {7e6, 0});
  const double after = DueAfterNs(kInterval, {7e6, 4096});
  CHECK(before == doctest::Approx(140e6));
  CHECK(after > before);
}

}  // namespace
}  // namespace chronofork
