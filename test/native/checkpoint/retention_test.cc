// Retention as a pure function: laws on random input, and the shape that it
// gives to a long run.
#include "checkpoint/retention.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

namespace chronofork {
namespace {

using Candidates = std::vector<RetentionCandidate>;

Candidates Without(const Candidates& all, const std::vector<int64_t>& deleted) {
  std::set<int64_t> gone(deleted.begin(), deleted.end());
  Candidates rest;
  for (const RetentionCandidate& c : all) {
    if (gone.count(c.id) == 0) rest.push_back(c);
  }
  return rest;
}

uint64_t Bytes(const Candidates& all) {
  uint64_t total = 0;
  for (const RetentionCandidate& c : all) total += c.private_bytes;
  return total;
}

Candidates RandomCandidates(std::mt19937& random) {
  Candidates all;
  double time_ms = 0;
  size_t count = 1 + random() % 60;
  for (size_t i = 0; i < count; ++i) {
    time_ms += static_cast<double>(random() % 200);
    all.push_back({static_cast<int64_t>(1000 + i * 7 % 61), static_cast<int64_t>(i * 10), time_ms, random() % 5000,
                   random() % 8 == 0, false});
  }
  all[random() % count].is_present = true;
  return all;
}

bool IsKeptAlways(const Candidates& all, const RetentionCandidate& c) {
  return c.pinned || c.is_present || c.order == all.front().order || c.order == all.back().order;
}

TEST_CASE("retention: the laws hold on random timelines") {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    CAPTURE(round);
    Candidates all = RandomCandidates(random);
    double now_ms = all.back().time_ms + static_cast<double>(random() % 100);
    RetentionLimits limits{random() % 100000, random() % 40};
    std::vector<int64_t> deleted = ChooseCheckpointsToDelete(all, limits, now_ms);
    Candidates rest = Without(all, deleted);
    REQUIRE(rest.size() + deleted.size() == all.size());  // no id twice, none invented

    uint64_t fixed_bytes = 0;
    size_t fixed_count = 0;
    for (const RetentionCandidate& c : all) {
      if (!IsKeptAlways(all, c)) continue;
      fixed_bytes += c.private_bytes;
      ++fixed_count;
      REQUIRE(std::find(deleted.begin(), deleted.end(), c.id) == deleted.end());
    }
    if (limits.budget_bytes != 0) REQUIRE(Bytes(rest) <= std::max(limits.budget_bytes, fixed_bytes));
    if (limits.max_count != 0) REQUIRE(rest.size() <= std::max(limits.max_count, fixed_count));

    // nothing goes without need: with the last one back, a limit would be broken
    if (!deleted.empty()) {
      std::vector<int64_t> all_but_last(deleted.begin(), deleted.end() - 1);
      Candidates before = Without(all, all_but_last);
      bool needed = (limits.budget_bytes != 0 && Bytes(before) > limits.budget_bytes) ||
                    (limits.max_count != 0 && before.size() > limits.max_count);
      REQUIRE(needed);
    }
    // the order in which they are handed in does not matter
    Candidates shuffled = all;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    REQUIRE(ChooseCheckpointsToDelete(shuffled, limits, now_ms) == deleted);
  }
}

TEST_CASE("retention: no limits, nothing goes") {
  Candidates all = {{1, 0, 0, 100, false, false}, {2, 1, 10, 100, false, false}, {3, 2, 20, 100, false, true}};
  CHECK(ChooseCheckpointsToDelete(all, {}, 20).empty());
  CHECK(ChooseCheckpointsToDelete({}, {1, 1}, 0).empty());
}

TEST_CASE("retention: one that frees nothing is not given up for memory") {
  Candidates all = {{1, 0, 0, 100, false, false},
                    {2, 1, 10, 0, false, false},
                    {3, 2, 500, 50, false, false},
                    {4, 3, 1000, 10, false, true}};
  CHECK(ChooseCheckpointsToDelete(all, {120, 0}, 1000) == std::vector<int64_t>{3});
  CHECK(ChooseCheckpointsToDelete(all, {0, 3}, 1000) == std::vector<int64_t>{2});
}

// Ten minutes with a checkpoint every 100 ms, of which 40 may be kept.
Candidates LongRun(size_t max_count, int made) {
  Candidates kept;
  for (int i = 0; i < made; ++i) {
    double now_ms = i * 100.0;
    kept.push_back({i, i, now_ms, 1 << 20, false, false});
    kept = Without(kept, ChooseCheckpointsToDelete(kept, {0, max_count}, now_ms));
  }
  return kept;
}

TEST_CASE("retention: the gaps grow geometrically with age") {
  constexpr size_t kMaxCount = 40;
  constexpr int kMade = 6000;
  Candidates kept = LongRun(kMaxCount, kMade);
  REQUIRE(kept.size() == kMaxCount);
  double now_ms = (kMade - 1) * 100.0;
  // An ideal geometric series of 40 over 600 s beginning with 0.1 s has gaps of
  // a quarter of their age; online thinning may be off by a factor of three.
  double ideal = std::pow(now_ms / 100.0, 1.0 / kMaxCount) - 1;
  for (size_t i = 0; i + 1 < kept.size(); ++i) {
    CAPTURE(i);
    double gap_ms = kept[i + 1].time_ms - kept[i].time_ms;
    double age_ms = now_ms - kept[i].time_ms;
    CHECK(gap_ms <= std::max(100.0, 3 * ideal * age_ms));
  }
  // dense near the present, sparse long ago
  CHECK(kept[kMaxCount - 1].time_ms - kept[kMaxCount - 2].time_ms == 100.0);
  size_t last_second = 0, first_half = 0;
  for (const RetentionCandidate& c : kept) {
    last_second += c.time_ms > now_ms - 1000;
    first_half += c.time_ms < now_ms / 2;
  }
  CHECK(last_second >= 5);
  CHECK(first_half <= 8);
}

TEST_CASE("retention: a budget of bytes holds all along") {
  Candidates kept;
  for (int i = 0; i < 500; ++i) {
    kept.push_back({i, i, i * 100.0, 1000, i == 123, false});
    kept = Without(kept, ChooseCheckpointsToDelete(kept, {20000, 0}, i * 100.0));
    REQUIRE(Bytes(kept) <= 20000);
  }
  CHECK(kept.size() == 20);
  CHECK(kept.front().id == 0);
  CHECK(kept.back().id == 499);
  CHECK(std::any_of(kept.begin(), kept.end(), [](const RetentionCandidate& c) { return c.id == 123; }));
}

}  // namespace
}  // namespace chronofork
