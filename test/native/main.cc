// The core's tests: doctest, one executable. `build/native-tests -tc="*probe*"` runs some.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
