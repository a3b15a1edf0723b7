// As in a file of more lines than 16 bits count.
#line 70001
static int twice(int x) {
  return x + x;
}

int main(void) {
  return twice(2) - 4;
}
