// Takes something away from itself, as its first argument says, and goes on.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static volatile long rounds;

static void lower(int what, unsigned long limit) {
  struct rlimit limits = {limit, limit};
  if (setrlimit(what, &limits) != 0) perror("setrlimit");
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "memory") == 0) lower(RLIMIT_AS, 8 << 20);     //@ start
  if (strcmp(what, "processes") == 0) lower(RLIMIT_NPROC, 0);
  if (strcmp(what, "files") == 0) lower(RLIMIT_NOFILE, 3);
  char *block = malloc(64 << 20);                                 //@ take
  printf("%s\n", block ? "memory" : "no memory");                 //@ told
  fflush(stdout);                                                 //@ flush
  for (int i = 0; i < 200; i++)
    for (int k = 0; k < 1000000; k++) rounds++;                   //@ work
  free(block);                                                    //@ done
  return 0;                                                       //@ return
}
