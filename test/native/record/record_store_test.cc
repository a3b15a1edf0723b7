// Records come back as they were packed, whatever they are and in whatever order they are asked for.
#include "record/record_store.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "record/event_log.h"

namespace chronofork {
namespace {

using Bytes = std::vector<std::byte>;

// Few places, some of them with one slot; lengths from the least to beyond what can be alike.
Bytes RandomRecord(std::mt19937_64& random) {
  const size_t data_bytes = (random() % 8 == 0 ? random() % 90 : random() % 3) * 8;
  Bytes bytes(sizeof(CallRecord) + 16 + data_bytes);
  CallRecord record{};
  record.size_bytes = static_cast<uint32_t>(bytes.size());
  record.number = static_cast<uint16_t>(random() % 3);
  record.write_count = 1;
  record.pc = random() % 5 << (random() % 2 ? 0 : 8);
  record.result = static_cast<int64_t>(random() % 2);
  record.registers_digest = random();
  for (uint64_t& argument : record.arguments) argument = random() % 10 == 0 ? random() : 7;
  std::memcpy(bytes.data(), &record, sizeof record);
  const uint64_t header[] = {0x1000, data_bytes};
  std::memcpy(bytes.data() + sizeof record, header, sizeof header);
  for (size_t i = 0; i < data_bytes; ++i)
    bytes[sizeof record + sizeof header + i] = static_cast<std::byte>(random() % 4);
  return bytes;
}

TEST_CASE("record store: what was packed is unpacked") {
  std::mt19937_64 random(1);
  RecordStore store;
  std::vector<Bytes> all;
  std::vector<const RecordBatch*> batch_of;
  for (int round = 0; round < 400; ++round) {
    Bytes batch;
    const size_t first = all.size();
    for (uint64_t count = 1 + random() % 60; count > 0; --count) {
      all.push_back(RandomRecord(random));
      batch.insert(batch.end(), all.back().begin(), all.back().end());
    }
    const RecordBatch& kept = store.Add(batch, first, 42, {10, 1000}, {20, 2000});
    CHECK(kept.count == all.size() - first);
    CHECK(kept.bytes == batch.size());
    batch_of.resize(all.size(), &kept);
  }
  auto check = [&](size_t index) {
    const CallRecord& record = store.RecordOf(*batch_of[index], index);
    REQUIRE(record.size_bytes == all[index].size());
    REQUIRE(std::memcmp(&record, all[index].data(), all[index].size()) == 0);
  };
  for (size_t i = 0; i < all.size(); ++i) check(i);
  for (int i = 0; i < 2000; ++i) check(random() % all.size());
}

TEST_CASE("record store: calls from one place take a few words each") {
  RecordStore store;
  Bytes batch;
  constexpr int kCalls = 1000;
  for (int i = 0; i < kCalls; ++i) {
    CallRecord record{};
    record.size_bytes = sizeof record;
    record.pc = 0x401000;
    record.registers_digest = static_cast<uint64_t>(i);
    const auto* bytes = reinterpret_cast<const std::byte*>(&record);
    batch.insert(batch.end(), bytes, bytes + sizeof record);
  }
  const RecordBatch& kept = store.Add(batch, 0, 42, {}, {});
  CHECK(kept.packed.size_bytes() < kCalls * 17);
}

TEST_CASE("record store: events of records lie between the stops, and stay where they are") {
  EventLog log(std::make_shared<EventLog::Arena>());
  std::mt19937_64 random(2);
  Bytes batch;
  for (int i = 0; i < 10; ++i) {
    const Bytes record = RandomRecord(random);
    batch.insert(batch.end(), record.begin(), record.end());
  }
  log.AppendRecords(batch, 42, {100, 1000}, {200, 3000});
  log.Append({});
  log.AppendRecords(batch, 43, {200, 0}, {300, 0});
  REQUIRE(log.size() == 21);
  CHECK(log.IsRecord(9));
  CHECK_FALSE(log.IsRecord(10));
  const Event* fifth = &log.at(4);
  CHECK(fifth->thread == 42);
  CHECK(fifth->time_ns == 150);
  CHECK(fifth->clock_ns == 2000);
  CHECK(log.TimeOf(4) == 150);
  CHECK(log.ThreadOf(20) == 43);
  CHECK(log.at(20).registers_digest == log.at(9).registers_digest);
  const EventLog branch(log, 5);
  CHECK(branch.size() == 5);
  CHECK(branch.at(4).registers_digest == fifth->registers_digest);
  CHECK(&log.at(4) == fifth);
}

}  // namespace
}  // namespace chronofork
