// Two withdrawals from an account: the program of most workbench journeys,
// and the one that the scripted adapter of the extension's tests plays.
#include <stdio.h>

static int withdraw(int balance, int amount) {
  int left = balance - amount;  //@ subtract
  return left;                  //@ give-back
}                               //@ leave

int main(void) {
  int balance = 100;                //@ open
  balance = withdraw(balance, 30);  //@ first
  balance = withdraw(balance, 50);  //@ second
  printf("%d left\n", balance);     //@ report
  return 0;                         //@ done
}
