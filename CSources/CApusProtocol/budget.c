#include "apus_backoff.h"
#include "apus_budget.h"

#include <errno.h>
#include <string.h>

#define EIGHTHS (APUS_BUDGET_SLOTS - 1)

void apus_budget_init(apus_budget* budget) {
    memset(budget, 0, sizeof *budget);
}

static apus_budget_row* new_row(apus_budget* budget, uint8_t kind, uint32_t limit) {
    apus_budget_row* row = &budget->rows[budget->count++];
    memset(row, 0, sizeof *row);
    row->kind = kind;
    row->limit = limit;
    return row;
}

int apus_budget_add_window(apus_budget* budget, uint32_t limit, uint64_t window_ns) {
    if (limit == 0 || window_ns < EIGHTHS) return -EINVAL;
    if (budget->count == APUS_BUDGET_ROWS_MAX) return -ENOBUFS;
    // Rounded up: the eighths together are never shorter than the window.
    new_row(budget, APUS_BUDGET_WINDOW, limit)->slot_ns = window_ns / EIGHTHS + (window_ns % EIGHTHS != 0);
    return (int)budget->count - 1;
}

int apus_budget_add_bucket(apus_budget* budget, uint32_t rate, uint64_t window_ns, uint32_t burst) {
    if (rate == 0 || burst == 0 || window_ns == 0) return -EINVAL;
    if (budget->count == APUS_BUDGET_ROWS_MAX) return -ENOBUFS;
    new_row(budget, APUS_BUDGET_BUCKET, burst)->cost_ns = window_ns / rate + (window_ns % rate != 0);
    return (int)budget->count - 1;
}

// MARK: one row

// Forgets the slots that have left the window.
static void advance(apus_budget_row* row, uint64_t now_ns) {
    uint64_t slot = now_ns / row->slot_ns;
    if (slot <= row->slot) return;
    uint64_t steps = slot - row->slot;
    if (steps >= APUS_BUDGET_SLOTS) {
        memset(row->slots, 0, sizeof row->slots);
        row->used = 0;
    } else {
        for (uint64_t passed = row->slot + 1; passed <= slot; passed++) {
            row->used -= row->slots[passed % APUS_BUDGET_SLOTS];
            row->slots[passed % APUS_BUDGET_SLOTS] = 0;
        }
    }
    row->slot = slot;
}

static uint64_t span(const apus_budget_row* row, uint64_t weight) {
    return weight > UINT64_MAX / row->cost_ns ? UINT64_MAX : weight * row->cost_ns;
}

// When a window row has room for the weight: the oldest slots go first.
static uint64_t window_next(apus_budget_row* row, uint64_t weight, uint64_t now_ns) {
    advance(row, now_ns);
    uint64_t used = row->used;
    if (used + weight <= row->limit) return now_ns;
    for (uint64_t age = EIGHTHS; age > 0; age--) {
        if (row->slot < age) continue;
        uint64_t slot = row->slot - age;
        used -= row->slots[slot % APUS_BUDGET_SLOTS];
        if (used + weight <= row->limit) return (slot + APUS_BUDGET_SLOTS) * row->slot_ns;
    }
    return (row->slot + APUS_BUDGET_SLOTS) * row->slot_ns;
}

static uint64_t bucket_next(const apus_budget_row* row, uint64_t weight, uint64_t now_ns) {
    uint64_t room = span(row, row->limit - weight);
    return row->full_ns <= apus_time_after(now_ns, room) ? now_ns : row->full_ns - room;
}

static uint64_t row_next(apus_budget_row* row, uint64_t weight, uint64_t now_ns) {
    if (weight > row->limit) return UINT64_MAX;
    uint64_t next =
        row->kind == APUS_BUDGET_WINDOW ? window_next(row, weight, now_ns) : bucket_next(row, weight, now_ns);
    return apus_time_later(next, row->blocked_ns);
}

static void row_take(apus_budget_row* row, uint64_t weight, uint64_t now_ns) {
    if (row->kind == APUS_BUDGET_BUCKET) {
        row->full_ns = apus_time_after(apus_time_later(row->full_ns, now_ns), span(row, weight));
        return;
    }
    advance(row, now_ns);
    uint32_t* slot = &row->slots[row->slot % APUS_BUDGET_SLOTS];
    uint64_t room = UINT32_MAX - *slot;
    if (weight > room) weight = room;
    *slot += (uint32_t)weight;
    row->used += weight;
}

// MARK: all of them

uint64_t apus_budget_next(apus_budget* budget, const apus_budget_cost* cost, uint64_t now_ns) {
    uint64_t next = apus_time_later(now_ns, budget->blocked_ns);
    for (uint32_t i = 0; i < budget->count; i++) {
        if (cost->of[i] != 0) next = apus_time_later(next, row_next(&budget->rows[i], cost->of[i], now_ns));
    }
    return next;
}

bool apus_budget_allows(apus_budget* budget, const apus_budget_cost* cost, uint64_t now_ns) {
    return apus_budget_next(budget, cost, now_ns) <= now_ns;
}

void apus_budget_force(apus_budget* budget, const apus_budget_cost* cost, uint64_t now_ns) {
    for (uint32_t i = 0; i < budget->count; i++) {
        if (cost->of[i] != 0) row_take(&budget->rows[i], cost->of[i], now_ns);
    }
}

bool apus_budget_take(apus_budget* budget, const apus_budget_cost* cost, uint64_t now_ns) {
    if (!apus_budget_allows(budget, cost, now_ns)) return false;
    apus_budget_force(budget, cost, now_ns);
    return true;
}

// MARK: what the venue says

void apus_budget_blocked_until(apus_budget* budget, uint32_t row, uint64_t until_ns) {
    if (row == APUS_BUDGET_ALL)
        budget->blocked_ns = apus_time_later(budget->blocked_ns, until_ns);
    else if (row < budget->count)
        budget->rows[row].blocked_ns = apus_time_later(budget->rows[row].blocked_ns, until_ns);
}

static uint64_t row_used(apus_budget_row* row, uint64_t now_ns) {
    if (row->kind == APUS_BUDGET_BUCKET) {
        return row->full_ns <= now_ns ? 0 : (row->full_ns - now_ns + row->cost_ns - 1) / row->cost_ns;
    }
    advance(row, now_ns);
    return row->used;
}

void apus_budget_learn(apus_budget* budget, uint32_t row, uint64_t used, uint64_t now_ns) {
    if (row >= budget->count) return;
    uint64_t known = row_used(&budget->rows[row], now_ns);
    if (used > known) row_take(&budget->rows[row], used - known, now_ns);
}

void apus_budget_set_limit(apus_budget* budget, uint32_t row, uint32_t limit) {
    if (row < budget->count && limit != 0) budget->rows[row].limit = limit;
}

uint64_t apus_budget_left(apus_budget* budget, uint32_t row, uint64_t now_ns) {
    if (row >= budget->count || now_ns < budget->blocked_ns || now_ns < budget->rows[row].blocked_ns) return 0;
    uint64_t used = row_used(&budget->rows[row], now_ns);
    return used >= budget->rows[row].limit ? 0 : budget->rows[row].limit - used;
}
