/* The empty program: what starting a session costs. */
int main(void) { return 0; }
