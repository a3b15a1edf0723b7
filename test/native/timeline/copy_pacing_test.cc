// Which copies are made on ways of several lengths, by processes of several sizes.
#include "timeline/copy_pacing.h"

#include <doctest/doctest.h>

#include <vector>

namespace chronofork {
namespace {

constexpr double kMs = 1e6;

// The times at which copies are made, with a look every `tick_ms`.
std::vector<double> Copies(double way_ms, double cost_ms, double tick_ms, double known_way_ms) {
  CopyPacing pacing(0, known_way_ms * kMs, cost_ms * kMs);
  std::vector<double> made;
  for (double now = tick_ms; now < way_ms; now += tick_ms) {
    if (!pacing.WantsCopy(now * kMs)) continue;
    pacing.Made(now * kMs, cost_ms * kMs);
    made.push_back(now);
  }
  return made;
}

TEST_CASE("copy pacing: a small process leaves a copy at every tick") {
  CHECK(Copies(100, 0.4, 5, 100).size() == 19);
  CHECK(Copies(100, 0.4, 5, 0).size() == 19);
}

TEST_CASE("copy pacing: a large one leaves few, the last near the end") {
  const std::vector<double> made = Copies(400, 20, 5, 400);
  CHECK(made.size() <= 4);
  REQUIRE(!made.empty());
  CHECK(made.back() >= 360);
}

TEST_CASE("copy pacing: none where the way is as short as the copy") { CHECK(Copies(20, 20, 5, 20).empty()); }

TEST_CASE("copy pacing: copies never cost more than a part of an unknown way") {
  for (double cost_ms : {0.3, 3.0, 30.0})
    for (double way_ms : {50.0, 500.0, 5000.0})
      CHECK(static_cast<double>(Copies(way_ms, cost_ms, 1, 0).size()) * cost_ms <= way_ms / 9);
}

TEST_CASE("copy pacing: a wrong idea of the way does no harm") {
  CHECK(Copies(1000, 20, 5, 10).size() <= 6);
  CHECK(Copies(50, 20, 5, 1000).size() <= 1);
}

}  // namespace
}  // namespace chronofork
