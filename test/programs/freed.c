// Frees an element of a list that is still walked along.
#include <stdio.h>
#include <stdlib.h>

struct element {
  struct element *next;
  int value;
};

static struct element *push(struct element *next, int value) {
  struct element *first = malloc(sizeof *first);
  first->next = next;                     //@ write
  first->value = value;
  return first;
}

static void drop(struct element *element) {
  printf("dropping %d\n", element->value);
  free(element);                          //@ free
}

static int second(const struct element *list) {
  return list->next->value;               //@ crash
}

int main(void) {
  struct element *list = NULL;
  for (int i = 0; i < 5; i++)
    list = push(list, i);
  int before = second(list);
  drop(list->next->next);
  drop(list);                             //@ drop
  return before + second(list);           //@ second
}
