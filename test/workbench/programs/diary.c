// Writes a diary line by line: what is in the file when one has gone back and
// runs on from there.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void note(int diary, const char* text) { write(diary, text, strlen(text)); }

int main(void) {
  int diary = open("diary.txt", O_CREAT | O_TRUNC | O_WRONLY, 0644);
  note(diary, "monday\n");     //@ monday
  note(diary, "tuesday\n");    //@ tuesday
  note(diary, "wednesday\n");  //@ wednesday
  close(diary);                //@ close
  return 0;
}
