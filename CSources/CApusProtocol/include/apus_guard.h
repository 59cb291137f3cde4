// The last guard: what the hot thread checks of every order once more, after the risk gate and right before the bytes.
//
// It also watches the decision thread. Where that has not moved for stall_ns, new orders are refused and the session cancels
// what is open (apus_open_orders.h); when it moves again, orders pass again.
#ifndef APUS_GUARD_H
#define APUS_GUARD_H

#include "apus_market.h"
#include "apus_order.h"

typedef struct apus_guard {
    const uint64_t* trading;   // the private mapping's words; NULL: ACTIVE
    const uint64_t* decided;   // when the decision thread moved last (apus_private); NULL: nobody watches it
    const apus_market* market; // the books whose state is asked for
    uint64_t max_age_ns;       // from decided_ns to now; 0: any age
    uint64_t stall_ns;         // 0: the decision thread is not watched, as where it shares its thread with this one
    uint64_t look_ns;          // when apus_guard_watch looks next
    bool stalled;
} apus_guard;

enum apus_guard_watched {
    APUS_GUARD_NO_CHANGE = 0,
    APUS_GUARD_STALL_BEGAN = 1,
    APUS_GUARD_STALL_ENDED = 2,
};

// Returns APUS_GUARD_PASSED or the reason to refuse. Cancels and queries pass whatever the flags and books say.
// Hot thread.
uint8_t apus_guard_check(const apus_guard* guard, const apus_order* order, uint64_t now_ns);

// Looks whether the decision thread has stopped or gone on. In each turn: it reads the shared word four times in stall_ns only.
// Returns each change once (apus_guard_watched). A thread that has not begun yet (the word is 0) does not count as stopped.
int apus_guard_look(apus_guard* guard, uint64_t now_ns);

static inline int apus_guard_watch(apus_guard* guard, uint64_t now_ns) {
    return guard->stall_ns == 0 || now_ns < guard->look_ns ? APUS_GUARD_NO_CHANGE : apus_guard_look(guard, now_ns);
}

// When apus_guard_watch has to be called; UINT64_MAX for never.
static inline uint64_t apus_guard_deadline(const apus_guard* guard) {
    return guard->stall_ns == 0 || guard->decided == NULL ? UINT64_MAX : guard->look_ns;
}

const char* apus_guard_reason_text(uint8_t reason);

#endif
