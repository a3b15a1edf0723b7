// Writes a number once and then counts for some seconds: who looks for that
// write has to wait.
#include <stdio.h>

static int settled;
static unsigned long counted;

static void count(unsigned long rounds) {
  for (volatile unsigned long round = 0; round < rounds; round++) counted += round & 1;
}

int main(void) {
  settled = 1;               //@ settle
  count(3000000000ul);       //@ count
  printf("%lu\n", counted);  //@ report
  return settled - 1;        //@ done
}
