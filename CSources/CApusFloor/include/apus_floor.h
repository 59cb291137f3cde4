// The machine's floor: what a cache line, a clock, a wake-up, a socket and a read of memory cost here, and how often the system
// takes a processor away.
//
// Every function measures for about the time it is given and then returns; none takes more than two seconds beyond that, whatever
// the machine does. The work runs in threads of the function's own, pinned to the processors named and with all signals blocked;
// they have ended when it returns, and the caller's own affinity is left alone. Any thread may call any function; two at one time
// disturb each other's figures and nothing else. Nothing is kept between calls.
//
// A clock that is asked for is a started one (apus_clock_start); it is read and not changed. Times are nanoseconds; "one-way" is
// from one processor to the other.
//
// Results are 0 (or a count, where it says so) or a negative errno, the same ones everywhere:
//   -EINVAL     a processor that does not exist or is forbidden to this process, twice the same one, or an argument out of range
//   -EAGAIN     the system refuses another thread
//   -ENOMEM     the system refuses memory
//   -ETIMEDOUT  the other thread got no processor, or too little of it to measure anything
// and what the kernel says when a descriptor or a socket cannot be made. After an error the results are not to be used.
#ifndef APUS_FLOOR_H
#define APUS_FLOOR_H

#include "apus_clock.h"
#include "apus_counters.h"

// Processors that this thread may run on, in rising order. At most `capacity` are written; returns how many there are, which may
// be more, or a negative errno.
int apus_floor_cpus(int32_t* cpus, int capacity);

// One cache line goes back and forth between two spinning processors. Writes at most `count` (at least 1) one-way times to
// `windows`, each the mean over `window_ns` (1 µs to 10 s), in the order of time: where a hypervisor moves processors about, near
// and far windows show it, which one mean would not. Returns how many were written: fewer than `count`, and at least 1, where other
// work has taken the time.
int apus_floor_ping_pong(int32_t first_cpu, int32_t second_cpu, uint64_t window_ns, double* windows, uint32_t count);

// Order of a series of times.
typedef struct apus_floor_spread {
    double min_ns;
    double p25_ns;
    double median_ns;
    double p75_ns;
    double max_ns;
} apus_floor_spread;

// Sorts `values` and takes the spread from them. `count` is at least 1. No errors.
void apus_floor_spread_of(double* values, uint32_t count, apus_floor_spread* spread);

// What one reading costs, as the median of many series.
typedef struct apus_floor_clock_costs {
    double gettime_ns; // clock_gettime(CLOCK_MONOTONIC)
    double now_ns;     // apus_clock_now
} apus_floor_clock_costs;

int apus_floor_clocks(const apus_clock* clock, int32_t cpu, uint64_t duration_ns, apus_floor_clock_costs* costs);

// The longest pauses that are kept one by one.
#define APUS_FLOOR_LONGEST 8u

// Pauses from some length on: how many there were, and the time they took together.
typedef struct apus_floor_lost {
    uint64_t count;
    uint64_t lost_ns;
} apus_floor_lost;

typedef struct apus_floor_pauses {
    uint64_t watched_ns;
    apus_floor_lost above_1us;
    apus_floor_lost above_10us; // also counted above
    apus_floor_lost above_100us;
    uint64_t longest_ns[APUS_FLOOR_LONGEST]; // falling; 0 where there were fewer
} apus_floor_pauses;

// A thread does nothing but read the clock; two readings that lie further apart than the reading takes are a pause, in which
// interrupts, other tasks or a hypervisor had the processor. The time between any two readings is recorded in `gaps`, so that its
// median is what looking costs.
int apus_floor_watch(const apus_clock* clock, int32_t cpu, uint64_t duration_ns, apus_floor_pauses* pauses,
                     apus_histogram* gaps);

// How long the sleeper of apus_floor_wake lies before it is woken: as between the messages of a feed of 5,000 a second.
#define APUS_FLOOR_SLEEP_NS 200000u

// A thread sleeps in a read of an eventfd and another writes to it: from before the write until after the read, recorded in
// `one_way` for each time. The sleeper is known to sleep (its state in /proc says so) and has slept for APUS_FLOOR_SLEEP_NS.
int apus_floor_wake(const apus_clock* clock, int32_t sleeper_cpu, int32_t waker_cpu, uint64_t duration_ns,
                    apus_histogram* one_way);

// `bytes` (1 to APUS_FLOOR_MESSAGE_BYTES) go back and forth over TCP on loopback between two threads that never sleep: half of
// each round trip is recorded in `one_way`, with the system calls that send and receive.
#define APUS_FLOOR_MESSAGE_BYTES 4096u
int apus_floor_loopback(const apus_clock* clock, int32_t first_cpu, int32_t second_cpu, uint32_t bytes,
                        uint64_t duration_ns, apus_histogram* one_way);

// The time of one read in `bytes` (a multiple of a cache line, at least two of them) of memory, where each read says where the next
// one is: in a random order, so that no prefetcher helps. More than the caches hold gives the latency of memory, misses of the
// TLB included. The median of many series. The memory is the function's own and is given back.
int apus_floor_memory(int32_t cpu, size_t bytes, uint64_t duration_ns, double* read_ns);

// Gives memory for a histogram, empty, aligned as the engine's; NULL when there is none. free() gives it back.
apus_histogram* apus_floor_histogram(void);

#endif
