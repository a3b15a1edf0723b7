// Writes past an array into a pointer, and uses the pointer much later.
#include <stdio.h>
#include <stdlib.h>

struct record {
  int values[4];
  int *target;
};

static struct record *shared;

static void fill(struct record *record, int count) {
  for (int i = 0; i < count; i++)         //@ fill-loop
    record->values[i] = 1000 + i;         //@ bad-write
}

static int use(struct record *record) {
  return *record->target;                 //@ crash
}

int main(void) {
  int number = 7;
  shared = malloc(sizeof *shared);        //@ start
  shared->target = &number;               //@ good-write
  puts("filling");
  fflush(stdout);
  fill(shared, 6);                        //@ fill-call
  int waste = 0;
  for (int i = 0; i < 1000; i++)          //@ waste-loop
    waste += i % 7;                       //@ waste
  printf("waste %d\n", waste);
  fflush(stdout);
  return use(shared) + waste;             //@ use-call
}
