// Real threads on the rings of the shared memory, with checkers that name what must never be seen.
//
// Every run can be made on the rings as they are, on faithful copies in which the threads give way in the worst places,
// and on copies with one defect each. The same checkers look at all of them: a checker that misses a defect is worth
// nothing.
#ifndef CSTRESS_H
#define CSTRESS_H

#include <stdint.h>

enum stress_variant {
    STRESS_REAL = 0,     // CApusRing's own functions
    STRESS_FAITHFUL = 1, // a copy that yields inside its operations, without a defect
    // Feed ring and board:
    STRESS_NO_ODD_STORE = 2,        // the writer does not mark the slot as being written
    STRESS_EVEN_BEFORE_PAYLOAD = 3, // the writer says "whole" before it is
    STRESS_NO_SECOND_LOOK = 4,      // the reader does not look at the sequence again
    // Feed ring:
    STRESS_LOSS_NOT_COUNTED = 5, // a lapped reader goes on at the newest event and says nothing
    // Queues:
    STRESS_TAIL_TOO_EARLY = 6, // the consumer frees the slot before it has copied it
    STRESS_HEAD_TOO_EARLY = 7, // the producer hands the slot over before it has filled it
    STRESS_NEVER_FULL = 8,     // the producer does not look whether there is room
};

// What was seen. All but the first two are forbidden.
typedef struct stress_outcome {
    uint64_t taken;           // whole elements that readers took
    uint64_t lost;            // reported as lost
    uint64_t torn;            // an element made of two
    uint64_t stale;           // a whole element, but of another number than the ring said
    uint64_t unreported_loss; // elements that were neither taken nor reported as lost
    uint64_t doubled;         // an element taken a second time
    uint64_t backwards;       // a snapshot older than one seen before
} stress_outcome;

// One writer, `readers` readers (at most 8) and a ring of `slots`. Ends after `events`, or at the first forbidden
// outcome. Returns 0 or a negative errno when a thread or the ring could not be made. One caller for each outcome.
int stress_feed(enum stress_variant variant, uint32_t slots, uint32_t readers, uint64_t events,
                stress_outcome* outcome);
int stress_board(enum stress_variant variant, uint32_t depth, uint32_t readers, uint64_t writes,
                 stress_outcome* outcome);
// One producer, one consumer.
int stress_queue(enum stress_variant variant, uint32_t slots, uint64_t elements, stress_outcome* outcome);

#endif
