#ifndef BENCH_PIN_H
#define BENCH_PIN_H

#include <stdint.h>

// Puts the calling thread on one processor of the first 64. Returns 0 or a negative errno; *before says where it may have been.
int bench_pin(int32_t cpu, uint64_t* before);

// Puts it back.
void bench_unpin(uint64_t before);

#endif
