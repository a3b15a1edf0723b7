// What queries over the past are asked about: loops, a recursion, values of
// many types, writes by the program and by the kernel.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct point {
  int x, y;
};

struct box {
  long sides[3];
};

static int total;
static double mean;
static struct point where;
static char name[8];
static int incoming;

static int fibonacci(int n) {
  if (n < 2)                                        //@ base
    return n;                                       //@ small
  return fibonacci(n - 1) + fibonacci(n - 2);       //@ recurse
}

static double half(int n) {
  return n / 2.0;                                   //@ half
}

static struct point moved(struct point from, int by) {
  from.x += by;                                     //@ move
  from.y -= 2 * by;
  return from;
}

static struct box boxed(int side) {
  struct box made = {{side, side + 1, side + 2}};   //@ box
  return made;
}

static const char *word(int n) {
  return n % 2 ? "odd" : "even";                    //@ word
}

static void receive(int value) {
  int ends[2];                                      //@ receive
  if (pipe(ends) != 0 || write(ends[1], &value, sizeof value) != sizeof value) exit(1);
  if (read(ends[0], &incoming, sizeof incoming) != sizeof incoming) exit(1);  //@ read
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  int values[4] = {0};                              //@ start
  long volume = 0;
  int *block = calloc(4, sizeof *block);            //@ block
  for (int i = 0; i < 12; i++) {                    //@ loop
    const char *said = word(i);                     //@ said
    total += i * i;                                 //@ add
    values[i % 4] = total;                          //@ keep
    mean = half(total);                             //@ mean
    where = moved(where, i + 1);                    //@ where
    volume += boxed(i).sides[2];                    //@ volume
    name[i % 7] = (char)('a' + i);                  //@ name
    if (said[0] == 'o')                             //@ test
      total -= 1;                                   //@ odd
    block[i % 4] += i;                              //@ put
  }
  receive(4711);                                    //@ call-receive
  int found = fibonacci(7);                         //@ call-fibonacci
  total = found;                                    //@ found
  printf("%d %ld %d\n", total, volume, values[0]);  //@ print
  free(block);                                      //@ free
  return 0;                                         //@ return
}                                                   //@ end
