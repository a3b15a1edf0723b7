// A list whose link is damaged in one place and followed in another: the
// program of the crash journeys.
#include <stdio.h>

struct item {
  int price;
  struct item *next;
};

static void damage(struct item *item) {
  item->next = (struct item *)8;  //@ bad-write
}

int main(void) {
  struct item second = {20, 0};        //@ start
  struct item first = {10, &second};   //@ link
  damage(&first);                      //@ call
  int total = 0;                       //@ total
  struct item *item = &first;          //@ begin
  while (item) {                       //@ more
    total += item->price;              //@ add
    item = item->next;                 //@ follow
  }
  printf("%d\n", total);
  return 0;
}
