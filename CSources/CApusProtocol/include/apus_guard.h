// The last guard: what the hot thread checks of every order once more, after the risk gate and right before the bytes.
#ifndef APUS_GUARD_H
#define APUS_GUARD_H

#include "apus_market.h"
#include "apus_order.h"

typedef struct apus_guard {
    const uint64_t* trading;   // apus_trading_state; NULL: ACTIVE
    const apus_market* market; // the books whose state is asked for
    uint64_t max_age_ns;       // from decided_ns to now; 0: any age
} apus_guard;

// Returns APUS_GUARD_PASSED or the reason to refuse. Cancels and queries pass whatever the flags and books say.
// Hot thread.
uint8_t apus_guard_check(const apus_guard* guard, const apus_order* order, uint64_t now_ns);

const char* apus_guard_reason_text(uint8_t reason);

#endif
