// Goes wrong in the way that it is told, for the sanitizers to find.
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

static std::mutex lock;
static long safe, raced;

static void Count() {
  ++raced;
  for (int i = 0; i < 20000; ++i) {
    std::lock_guard guard(lock);
    ++safe;
  }
}

int main(int, char** argv) {
  std::vector<char*> pieces;
  for (int i = 1; i < 3000; ++i) {
    pieces.push_back(static_cast<char*>(std::malloc(static_cast<size_t>(i))));
    std::memset(pieces.back(), i, static_cast<size_t>(i));
  }
  for (char* piece : pieces) std::free(piece);
  if (!std::strcmp(argv[1], "race")) {
    std::thread one(Count), other(Count);
    one.join();
    other.join();
    std::printf("%ld\n", safe);
  } else if (!std::strcmp(argv[1], "overflow")) {
    volatile int most = INT_MAX;
    most = most + 1;
    std::printf("%d\n", most);
  } else {
    std::printf("%d\n", pieces[100][50]);
  }
}
