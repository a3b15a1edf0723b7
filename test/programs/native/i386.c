// Waits for ever, as a 32-bit program: built without a C library.
void _start(void) {
  for (;;) __asm__ volatile("int $0x80" ::"a"(29) : "memory");  // pause
}
