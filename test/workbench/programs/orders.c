// Orders are priced and counted: a hot loop, a function that is called often,
// one that never is, and in the end a pointer that was overwritten.
#include <stdio.h>
#include <stdlib.h>

struct shop {
  int stock[4];
  const char *name;
};

static int revenue;
static struct shop *shop;

static int refund(int amount) {
  revenue -= amount;
  return revenue;
}

static int price(int item, int pieces) {
  int sum = 0;
  for (int piece = 0; piece < pieces; piece++)
    sum += 3 + (item * piece) % 5; //@ hot
  if (sum < 0)
    return refund(sum); //@ never
  revenue += sum;       //@ priced
  return sum;
}

static void restock(int shelves) {
  for (int shelf = 0; shelf < shelves; shelf++)
    shop->stock[shelf] = 500 + shelf; //@ overwrite
}

static char initial(void) {
  const char *name = shop->name;
  return name[0]; //@ crash
}

int main(void) {
  shop = calloc(1, sizeof *shop);
  shop->name = "corner shop";
  for (int day = 1; day <= 12; day++)
    price(day, 40 * day);
  printf("revenue %d\n", revenue); //@ report
  restock(6);
  printf("%c\n", initial());
  return 0;
}
