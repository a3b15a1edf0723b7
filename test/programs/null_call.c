// Calls through a pointer that was cleared long before.
#include <stdio.h>

static void hello(void) { puts("hello"); }

struct plugin {
  int uses;
  void (*run)(void);
};
static struct plugin plugin = {0, hello};

static void unload(struct plugin *one) {
  one->run = NULL;                //@ clear
}

static void use(struct plugin *one) {
  one->uses++;                    //@ count
  one->run();                     //@ call
}

int main(void) {
  use(&plugin);                   //@ first
  unload(&plugin);                //@ unload
  use(&plugin);                   //@ second
  return 0;
}
