// Runs before anybody looks at it: a round each millisecond, for a minute.
#include <unistd.h>

static long total;

static void tick(int round) {
  int before = (int)total;
  total += round;                               //@ add
  if (total < before) total = 0;                //@ added
}

int main(void) {
  for (int round = 1; round <= 60000; round++) {
    tick(round);                                //@ call
    usleep(1000);
  }
  return 3;
}
