// A whole loop on one line: gdb's own steps back pass every instruction of it.
#include <stdio.h>

int main(void) {
  long total = 1;                                                    //@ total
  for (long i = 0; i < 300; i++) total = total * 3 + (i ^ total);    //@ loop
  printf("%ld\n", total);                                            //@ print
  return 0;                                                          //@ return
}
