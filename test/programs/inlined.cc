// Lines whose code lies in several places: templates, inlined functions, lambdas,
// constructors, exceptions. For counting them all at once as gdb would each.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>
namespace a {
template <typename T>
struct Box {
  T v;
  Box(T x) : v(x) {
    if (v > T(3)) v = T(3);
  }
  T twice() const { return v + v; }
};
static inline int helper(int x) {
  int y = x * 2;
  for (int i = 0; i < x; i++) y += i * y % 7;
  return y;
}
__attribute__((noinline)) int odd(int x) {
  int z = helper(x);
  {
    int z2 = z;
    z += z2 * helper(z2 % 5);
  }
  auto f = [&](int q) { return q + z; };
  return f(3) + f(4);
}
struct S {
  S(int);
  ~S();
  int n;
  virtual int go() { return n; }
};
S::S(int x) : n(x) { n += 2; }
S::~S() { n = 0; }
// Inlined right at the beginning of what calls it, with a parameter of the same name.
static inline __attribute__((always_inline)) int scaled(int x) {
  int y = x;
  for (int i = 0; i < 3; i++) y = y * 31 + x;
  return y;
}
__attribute__((noinline)) int shifted(int by, int x) { return scaled(by) + x; }
}  // namespace a
int main() {
  std::vector<int> v{3, 1, 2};
  std::map<std::string, int> m;
  std::sort(v.begin(), v.end(), [](int x, int y) { return x > y; });
  for (int x : v) m["k" + std::to_string(x)] = a::odd(x);
  a::Box<int> b(5);
  a::Box<double> c(2.5);
  a::S s(4);
  try {
    if (m.size() > 2) throw 3;
  } catch (int e) {
    printf("%d\n", e);
  }
  printf("%d %f %d\n", b.twice(), c.twice(), s.go());
  printf("%d\n", a::shifted(v[0] * 100, v[1]));
  return 0;
}
