// C++: exceptions, threads' initialisation helpers, containers, and random_device.
#include "situations.h"

#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

static int fall(int depth) {
  std::string local(static_cast<size_t>(depth % 40), 'x');
  if (depth == 0) throw std::runtime_error("bottom");
  return fall(depth - 1) + static_cast<int>(local.size());
}

SITUATION(thrown_and_caught) {
  int caught = 0;
  for (int i = 0; i < 300; ++i) {
    try {
      fall(i % 30);
    } catch (const std::exception& e) {
      caught += std::string(e.what()) == "bottom";
    }
    if (i % 100 == 0) compute(1);
  }
  EXPECT(caught == 300);
}

SITUATION(rethrown) {
  int order = 0;
  for (int i = 0; i < 50; ++i) {
    try {
      try {
        std::vector<int>().at(5);
      } catch (const std::out_of_range&) {
        ++order;
        throw;
      }
    } catch (...) {
      ++order;
    }
  }
  compute(2);
  EXPECT(order == 100);
}

SITUATION(ends_by_uncaught) {
  compute(2);
  throw std::logic_error("nobody catches this");
}

SITUATION(containers) {
  std::map<std::string, std::unique_ptr<std::vector<int>>> all;
  for (int i = 0; i < 20000; ++i) {
    auto& entry = all["key" + std::to_string(i % 500)];
    if (!entry) entry = std::make_unique<std::vector<int>>();
    entry->push_back(i);
  }
  EXPECT(all.size() == 500 && all["key7"]->size() == 40);
}

static volatile uint64_t mixed;
SITUATION(random_device) {
  std::random_device device;
  std::mt19937 generator(device());
  for (int i = 0; i < 20; ++i) mixed += device() ^ generator();
  mixed += static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  compute(2);
}

SITUATION(locale) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += std::to_string(i * 1.5) + ",";
  printf("%zu\n", text.size());
}
