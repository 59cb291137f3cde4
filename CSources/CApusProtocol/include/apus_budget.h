// A venue's request budgets: rows of "so much weight within so long". One request takes from several rows at once, all or
// nothing.
//
// A WINDOW row holds that no more than `limit` is taken within any span of window_ns. So it holds for a venue's fixed windows
// wherever they begin, which nobody tells. The past is kept in eighths of a window; weight is given back up to an eighth later
// than would do.
// A BUCKET row is a token bucket: `rate` within window_ns flows in, at most `burst` is there at once.
//
// The venue's own figures correct the rows: what it says was used, what its limit is, and until when it wants no request.
// Times are monotonic nanoseconds and never run backwards. Owned by one thread; no memory besides the structure.
#ifndef APUS_BUDGET_H
#define APUS_BUDGET_H

#include "apus_limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APUS_BUDGET_ALL UINT32_MAX

enum apus_budget_kind {
    APUS_BUDGET_WINDOW = 1,
    APUS_BUDGET_BUCKET = 2,
};

typedef struct apus_budget_row {
    uint64_t limit; // WINDOW: within a window; BUCKET: the burst
    uint64_t blocked_ns;
    uint64_t slot_ns; // WINDOW: an eighth of the window
    uint64_t slot;    // WINDOW: the newest, counted from time 0
    uint64_t used;    // WINDOW: sum of the slots
    uint64_t cost_ns; // BUCKET: how long one unit takes to flow in
    uint64_t full_ns; // BUCKET: when it will be full again
    uint32_t slots[APUS_BUDGET_SLOTS];
    uint8_t kind;
} apus_budget_row;

typedef struct apus_budget {
    apus_budget_row rows[APUS_BUDGET_ROWS_MAX];
    uint32_t count;
    uint64_t blocked_ns; // no request of any kind before this
} apus_budget;

// What a request takes from each row, by the rows' numbers; 0 from those that it does not touch.
typedef struct apus_budget_cost {
    uint32_t of[APUS_BUDGET_ROWS_MAX];
} apus_budget_cost;

void apus_budget_init(apus_budget* budget);

// Add a row and return its number, from 0; -EINVAL for a limit, rate, burst or window of 0 (or a window under 8 ns),
// -ENOBUFS when APUS_BUDGET_ROWS_MAX are there.
int apus_budget_add_window(apus_budget* budget, uint32_t limit, uint64_t window_ns);
int apus_budget_add_bucket(apus_budget* budget, uint32_t rate, uint64_t window_ns, uint32_t burst);

// Whether a request of that cost may leave now.
bool apus_budget_allows(apus_budget* budget, const apus_budget_cost* cost, uint64_t now_ns);

// As apus_budget_allows, and takes it from every row when it does.
bool apus_budget_take(apus_budget* budget, const apus_budget_cost* cost, uint64_t now_ns);

// Takes it whether it is there or not: of a request that leaves all the same, such as a cancel.
void apus_budget_force(apus_budget* budget, const apus_budget_cost* cost, uint64_t now_ns);

// When that request is allowed if nothing else is taken; now_ns when it is allowed now; UINT64_MAX when it never is, because
// it is more than a row's limit.
uint64_t apus_budget_next(apus_budget* budget, const apus_budget_cost* cost, uint64_t now_ns);

// The venue wants no request of this row (or of APUS_BUDGET_ALL) before that time. An earlier time than the one that holds
// changes nothing. A row that is not there: nothing.
void apus_budget_blocked_until(apus_budget* budget, uint32_t row, uint64_t until_ns);

// Whether the venue wants no request now: a ban, in force for cancels too.
static inline bool apus_budget_is_blocked(const apus_budget* budget, uint64_t now_ns) {
    return now_ns < budget->blocked_ns;
}

// What the venue says was used of a row in its running window (BUCKET: what is missing of the burst). Only more than is known
// here changes anything: what is on its way is not counted there yet.
void apus_budget_learn(apus_budget* budget, uint32_t row, uint64_t used, uint64_t now_ns);

// The venue states another limit of a row (BUCKET: another burst). 0 changes nothing.
void apus_budget_set_limit(apus_budget* budget, uint32_t row, uint32_t limit);

// How much may still be taken of a row now.
uint64_t apus_budget_left(apus_budget* budget, uint32_t row, uint64_t now_ns);

#endif
