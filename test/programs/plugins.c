// A host that loads the libraries of its arguments one after the other, and those libraries (with FACTOR).
#ifdef FACTOR
int work(int number);
int work(int number) {
  return number * FACTOR;  //@ work
}
#else
#include <dlfcn.h>
#include <stdio.h>

int total;

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i) {
    void *library = dlopen(argv[i], RTLD_NOW);
    if (!library) return 1;
    int (*work)(int) = (int (*)(int))dlsym(library, "work");
    for (int n = 0; n < 3; ++n) total += work(n + i);
    if (i + 1 == argc)
      puts("the last");  //@ last
    dlclose(library);
  }
  printf("%d\n", total);  //@ end
  return 0;
}
#endif
