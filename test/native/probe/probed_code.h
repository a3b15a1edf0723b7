// Functions for the tests to put probes into; all lie in one section.
#pragma once

#include <cstdint>

extern "C" {
uint64_t chronofork_probed_tricky(uint64_t n);
uint64_t chronofork_probed_fault(uint64_t address);  // faults at `address`, or divides by zero
extern unsigned char chronofork_probed_bytes[64];
extern const unsigned char __start_probed_code[] __attribute__((visibility("hidden")));
extern const unsigned char __stop_probed_code[] __attribute__((visibility("hidden")));
}

namespace chronofork::probed {

uint64_t SortSlow(uint64_t count);
uint64_t SortFast(uint64_t count);
uint64_t FibonacciSlow(uint64_t n);
uint64_t FibonacciFast(uint64_t n);
uint64_t StateSlow(uint64_t seed);
uint64_t StateFast(uint64_t seed);
uint64_t Indirect(uint64_t n);
uint64_t Floating(uint64_t n);

extern uint64_t words[64];

// Sets all that the functions write back to what it was at first.
void ResetData();

}  // namespace chronofork::probed
