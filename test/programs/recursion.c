// Functions that call themselves and each other, at several depths.
#include <stdio.h>

static int calls;

static int factorial(int n) {
  calls++;                                  //@ count
  if (n <= 1)                               //@ base
    return 1;                               //@ one
  int smaller = factorial(n - 1);           //@ recurse
  int result = n * smaller;                 //@ multiply
  return result;                            //@ result
}                                           //@ factorial-end

static int twice(int n) {
  return factorial(n) + factorial(n - 1);   //@ twice
}

static int sum(int n) { return n == 0 ? 0 : n + sum(n - 1); }  //@ sum

int main(void) {
  int first = factorial(4);                 //@ first
  int both = twice(3);                      //@ both
  int total = 0;
  for (int i = 0; i < 3; i++) total += sum(i);  //@ one-line-loop
  printf("%d %d %d %d\n", first, both, total, calls);  //@ print
  return 0;                                 //@ return
}
