// The parts of a line of Deriv's, to one another. Internal.
#ifndef DERIV_LINE_H
#define DERIV_LINE_H

#include "apus_deriv.h"

// Where the subscription of an instrument stands (the diagram is in deriv_subscriptions.c).
enum deriv_subscription_state {
    DERIV_NONE = 0,
    DERIV_WANTED,
    DERIV_ASKED,
    DERIV_ACTIVE,
    DERIV_RENEW,
    DERIV_UNWANTED,
};

static inline const apus_market* deriv_market_of(const apus_deriv_line* line) {
    return line->deriv.market;
}

// Counts a message that could not be read.
void deriv_count_fault(apus_deriv_line* line);

// False: a request has waited too long for its answer.
bool deriv_check_requests(apus_deriv_line* line, uint64_t now_ns);

#endif
