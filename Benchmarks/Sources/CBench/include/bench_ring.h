// A writer of the feed ring with readers.
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include "apus_feed.h"

// Readers of a ring, each a thread on `cpu` that takes events as fast as it can. The last one stalls: it attaches and never reads.
typedef struct bench_readers bench_readers;
bench_readers* bench_readers_start(const apus_feed_reader* from, uint32_t count, bool one_stalls, int32_t cpu);
// Ends them; *read is how often they have found events, or that they were lapped, together.
void bench_readers_stop(bench_readers* readers, uint64_t* read);

// Publishes `count` events and returns the nanoseconds that took.
uint64_t bench_publish(apus_feed_writer* writer, uint64_t count);

#endif
