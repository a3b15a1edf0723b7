// A few deposits: loops, calls, a struct and a global.
#include <stdio.h>

struct account {
  const char *owner;
  int balance;
  int history[4];
};

static int deposits;

static int deposit(struct account *account, int amount) {
  int before = account->balance;               //@ deposit-first
  account->balance += amount;                  //@ deposit
  account->history[deposits % 4] = amount;     //@ deposit-history
  deposits++;                                  //@ deposit-count
  return account->balance - before;            //@ deposit-return
}                                              //@ deposit-end

int main(void) {
  struct account mine = {"me", 100, {0}};      //@ start
  int total = 0;                               //@ total
  for (int i = 1; i <= 3; i++)                 //@ loop
    total += deposit(&mine, i * 10);           //@ call
  printf("balance %d\n", mine.balance);        //@ print
  fflush(stdout);                              //@ flush
  return total == 60 ? 0 : 1;                  //@ return
}                                              //@ end
