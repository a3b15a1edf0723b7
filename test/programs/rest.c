// Takes its time in a function: for steps that are long enough to do something meanwhile.
#include <stdio.h>
#include <unistd.h>

static volatile int rounds;

static int rest(void) {
  for (int i = 0; i < 40; i++) {
    usleep(20000);                //@ doze
    rounds++;                     //@ round
  }
  return rounds;
}

int main(void) {
  int before = rounds;            //@ before
  int after = rest();             //@ rest
  printf("%d\n", after - before); //@ after
  return 0;                       //@ return
}
