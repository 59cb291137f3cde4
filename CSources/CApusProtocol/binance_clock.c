// The venue's clock. A request for the time tells whole milliseconds; the venue stamped it somewhere between the request's
// leaving and the answer's arrival, so that half of the round trip bounds the error. Of all measurements of a minute the one
// with the smallest round trip counts; in the next minute another takes its place, because clocks drift.
//
// The same request probes a connection of the pool.
#include "binance_orders_internal.h"

void binance_clock_init(apus_binance_clock* clock) {
    *clock = (apus_binance_clock){.round_trip_ns = UINT64_MAX, .best_round_trip_ns = UINT64_MAX};
}

static int64_t offset_of(const orders_session* self) {
    return self->clock.round_trip_ns == UINT64_MAX ? self->out->realtime_offset : self->clock.offset_ns;
}

uint64_t binance_venue_ms(const orders_session* self, uint64_t now_ns) {
    return (now_ns + (uint64_t)offset_of(self)) / 1000000;
}

uint64_t binance_local_ns(const orders_session* self, uint64_t venue_ms) {
    int64_t wall_ns = (int64_t)(venue_ms * 1000000), offset_ns = offset_of(self);
    return wall_ns > offset_ns ? (uint64_t)(wall_ns - offset_ns) : 0;
}

static void adopt(apus_binance_clock* clock, uint64_t now_ns) {
    clock->offset_ns = clock->best_offset_ns;
    clock->round_trip_ns = clock->best_round_trip_ns;
    clock->best_round_trip_ns = UINT64_MAX;
    clock->renewed_ns = now_ns;
    clock->wrong = false;
}

void binance_take_time(orders_session* self, const apus_binance_request* request, const apus_binance_answer* answer,
                       uint64_t receive_ns, uint64_t now_ns) {
    apus_binance_clock* clock = &self->clock;
    bool sound = answer->status == 200 && answer->server_time_ms != 0 && request->sent_ns != 0;
    if (!sound || receive_ns < request->sent_ns) return;
    uint64_t round_trip_ns = receive_ns - request->sent_ns;
    clock->measurements++;
    if (round_trip_ns < clock->best_round_trip_ns) {
        // A whole millisecond stands for its middle.
        int64_t venue_ns = (int64_t)(answer->server_time_ms * 1000000 + 500000);
        clock->best_round_trip_ns = round_trip_ns;
        clock->best_offset_ns = venue_ns - (int64_t)(request->sent_ns + round_trip_ns / 2);
    }
    bool old = now_ns - clock->renewed_ns >= self->config.clock_renewal_ns;
    if (clock->wrong || old || clock->best_round_trip_ns < clock->round_trip_ns) adopt(clock, now_ns);
}

void binance_clock_wrong(orders_session* self) {
    self->clock.wrong = true;
    self->clock.best_round_trip_ns = UINT64_MAX;
    self->pool_due_ns = 0;
}

// A stamp that was refused is mended at once, by the connection that is fastest now. A probe under way will do.
static bool mend(orders_session* self, uint64_t now_ns) {
    for (uint32_t i = 0; i < self->config.api_count; i++)
        if (self->pool.members[i].probing) return true;
    int member = apus_pool_pick(&self->pool, 0, now_ns);
    return member >= 0 && binance_send_own(self, ACTION_TIME, (uint32_t)member, now_ns);
}

static void probe(orders_session* self, uint64_t now_ns) {
    apus_pool_tick(&self->pool, now_ns);
    if (self->clock.wrong && mend(self, now_ns)) return;
    int member = apus_pool_probe(&self->pool, now_ns);
    if (member >= 0) binance_send_own(self, ACTION_TIME, (uint32_t)member, now_ns);
}

void binance_keep_clock(orders_session* self, uint64_t now_ns) {
    if (!self->running || now_ns < self->pool_due_ns) return;
    if (apus_budget_allows(&self->budget, &self->costs[COST_OTHER], now_ns)) probe(self, now_ns);
    // What could not be sent now waits a little.
    self->pool_due_ns = apus_time_later(apus_pool_deadline(&self->pool), now_ns + SECOND_NS / 100);
}
