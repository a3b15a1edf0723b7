// C++: exceptions, threads' initialisation helpers, containers, and random_device.
#include "situations.h"

#include <chrono>
#include <coroutine>
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

namespace {

// A generator that throws what it is told to at its end.
class Numbers {
 public:
  struct promise_type {
    long value = 0;
    std::exception_ptr thrown;
    Numbers get_return_object() { return Numbers(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(long next) {
      value = next;
      return {};
    }
    void return_void() {}
    void unhandled_exception() { thrown = std::current_exception(); }
  };
  explicit Numbers(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;
  ~Numbers() { handle_.destroy(); }
  bool Next() {
    handle_.resume();
    if (handle_.promise().thrown) std::rethrow_exception(handle_.promise().thrown);
    return !handle_.done();
  }
  long value() const { return handle_.promise().value; }

 private:
  std::coroutine_handle<promise_type> handle_;
};

Numbers Squares(long first, long last) {
  for (long i = first; i < last; ++i) co_yield i * i;
  if (last % 5 == 0) throw std::out_of_range("no more");
}

}  // namespace

SITUATION(coroutines) {
  long sum = 0;
  int ended = 0;
  for (long last = 0; last < 60; ++last) {
    Numbers inner(Squares(last, last + 3)), outer(Squares(0, last));
    try {
      while (outer.Next()) sum += outer.value() + (inner.Next() ? inner.value() : 1);
    } catch (const std::out_of_range&) {
      ++ended;
    }
    if (last % 20 == 0) compute(1);
  }
  printf("%ld\n", sum);
  EXPECT(ended >= 12);
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
