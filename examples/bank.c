/*
 * A small bank with a real bug: it works for ten years of nightly interest and
 * then crashes while it prints a statement, far from what caused it.
 *
 * `npm run demo` debugs it with Chronofork: from the crash straight back to the
 * one write that destroyed a pointer a second and millions of instructions
 * before. To look for it yourself:
 *
 *     gcc -g -O0 -o bank examples/bank.c && ./bank
 */
#include <stdio.h>

enum { CUSTOMERS = 16, RECENT = 8, BUSY_WEEKS = 12, NIGHTS = 3650 };

struct account {
  long number;
  long cents;
};

struct customer {
  char name[24];
  long recent[RECENT]; /* the last amounts, the oldest overwritten first */
  struct account* account;
  int next;
};

static struct account accounts[CUSTOMERS];
static struct customer customers[CUSTOMERS];

static void open_bank(void) {
  static const char* first[] = {"Ada", "Grace", "Alan", "Edsger"};
  static const char* last[] = {"Birch", "Cedar", "Elm", "Hazel"};
  for (int i = 0; i < CUSTOMERS; i++) {
    accounts[i].number = 4000 + i;
    accounts[i].cents = 100000;
    snprintf(customers[i].name, sizeof customers[i].name, "%s %s", first[i % 4], last[i / 4]);
    customers[i].account = &accounts[i];
  }
}

/* Remembers the last eight amounts in a ring. */
static void remember(struct customer* customer, long cents) {
  customer->recent[customer->next] = cents;
  customer->next++;
  if (customer->next > RECENT) customer->next = 0;
}

static void post(struct customer* customer, long cents) {
  customer->account->cents += cents;
  remember(customer, cents);
}

/* The first weeks: everybody pays in now and then, one customer often. */
static void busy_weeks(void) {
  for (int week = 0; week < BUSY_WEEKS; week++) {
    for (int i = 0; i < CUSTOMERS; i++) {
      int often = i == 9 && week < 9;
      if (often || (i != 9 && week % 4 == i % 4)) post(&customers[i], 500 + 25 * week + i);
    }
  }
}

/* One night's interest on every account, in steps of ten seconds, rounded as the law wants it. */
static void add_interest(int night) {
  for (int i = 0; i < CUSTOMERS; i++) {
    long long micro = accounts[i].cents * 1000000LL;
    for (int tick = 0; tick < 8640; tick++) micro += micro / 100000 / 3153600 + (night + tick) % 3;
    accounts[i].cents = (long)((micro + 500000) / 1000000);
  }
}

static void print_statement(const struct customer* customer) {
  const struct account* account = customer->account;
  printf("%-16s account %ld: %ld.%02ld\n", customer->name, account->number, account->cents / 100, account->cents % 100);
}

int main(void) {
  open_bank();
  busy_weeks();
  for (int night = 0; night < NIGHTS; night++) {
    add_interest(night);
    if (night % 365 == 364) printf("year %d is done\n", night / 365 + 1);
  }
  for (int i = 0; i < CUSTOMERS; i++) print_statement(&customers[i]);
  return 0;
}
