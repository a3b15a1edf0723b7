// Reads lines and answers on both streams: for the console.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char line[200];
  printf("args %d %s\n", argc, argc > 1 ? argv[1] : "-");   //@ start
  printf("env %s\n", getenv("GREETING") ? getenv("GREETING") : "-");
  printf("tty %d %d\n", isatty(0), isatty(1));
  fflush(stdout);                                            //@ asked
  while (fgets(line, sizeof line, stdin)) {                  //@ read
    line[strcspn(line, "\n")] = 0;
    printf("got %s\n", line);                                //@ got
    fflush(stdout);
    fprintf(stderr, "err %s\n", line);
    if (strcmp(line, "quit") == 0) return 5;
  }
  puts("end of input");                                      //@ eof
  return 4;
}
