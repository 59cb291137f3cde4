// The timed loops of the benchmarks that must not contain anything but the work.
#ifndef CBENCH_H
#define CBENCH_H

#include "bench_book.h"
#include "bench_corpus.h"
#include "bench_pin.h"
#include "bench_ring.h"
#include "bench_time.h"

#endif
