// C++: containers for the pretty-printers, a class hierarchy, exceptions.
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct Shape {
  virtual ~Shape() = default;
  virtual double Area() const = 0;
  std::string name;
};

struct Square : Shape {
  explicit Square(double s) : side(s) { name = "square"; }
  double Area() const override { return side * side; }  //@ square-area
  double side;
};

static double Check(double area) {
  if (area > 100) throw std::out_of_range("too large");  //@ throw
  return area;
}

int main() {
  std::vector<int> numbers;
  for (int i = 0; i < 1000; i++) numbers.push_back(i * i);  //@ fill
  std::map<std::string, int> ages{{"ann", 31}, {"bob", 42}};
  std::string text = "grün";
  std::unique_ptr<Shape> shape = std::make_unique<Square>(3);
  Shape *plain = shape.get();
  int matrix[2][3] = {{1, 2, 3}, {4, 5, 6}};
  std::vector<int> empty;
  double sum = plain->Area();  //@ ready
  try {
    sum += Check(sum * 50);  //@ check
  } catch (const std::exception &error) {
    text = error.what();  //@ caught
  }
  return static_cast<int>(sum) - 9 + matrix[0][0] - 1 + static_cast<int>(ages.size()) - 2;  //@ return
}
