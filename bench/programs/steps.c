/* A small program to step through: a loop, a call, a few variables. */
#include <stdio.h>

static int add(int sum, int amount) {
  int doubled = amount * 2;
  sum += doubled;
  return sum;
}

int main(void) {
  int sum = 0;
  for (int i = 0; i < 100; i++) {
    sum = add(sum, i);
    if (sum % 7 == 0) sum++;
  }
  printf("%d\n", sum);  //@ end
  return 0;
}
