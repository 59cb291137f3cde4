// What the parts of the Binance order session share.
//
//   binance_orders.c   the session: turn, deadline, start, stop, reports' way out
//   binance_send.c     orders out: guard, budget, the choice of a connection; canceling what is open
//   binance_take.c     answers and events in: what becomes a report
//   binance_lines.c    the life of connections, lost requests, the listen key, successions
//   binance_clock.c    the venue's clock and the probes of connections
#ifndef APUS_BINANCE_ORDERS_INTERNAL_H
#define APUS_BINANCE_ORDERS_INTERNAL_H

#include "apus_backoff.h"
#include "apus_binance_orders.h"

#include <errno.h>

// Requests of the session's own, beside apus_order_action.
enum { ACTION_KEY_START = 100, ACTION_KEY_PING = 101, ACTION_TIME = 102 };
enum { COST_PLACE, COST_MODIFY, COST_OTHER };

#define SECOND_NS 1000000000ull

typedef apus_binance_orders orders_session;

// binance_orders.c
bool binance_report(orders_session* self, const apus_report* report);
// Whether the reports of one message fit. Without room the session reads and takes nothing more: a report is never dropped.
bool binance_has_room(orders_session* self);
apus_report binance_report_on(const apus_binance_request* request, uint8_t kind, uint64_t now_ns);

static inline apus_binance_request* binance_request_at(const orders_session* self, uint64_t number) {
    return &self->requests[number & (APUS_BINANCE_IN_FLIGHT - 1)];
}

// binance_send.c
// A free place for a request on that connection, with its number; NULL when too many wait.
apus_binance_request* binance_new_request(orders_session* self, uint32_t member, uint64_t now_ns);
// The request's bytes lie in the connection's buffer.
void binance_sent(orders_session* self, apus_binance_request* request, uint64_t now_ns);
// The request is over: answered, or not waited for any more.
void binance_forget(orders_session* self, apus_binance_request* request);
// Sends a request of the session's own on that connection. Returns whether it could.
bool binance_send_own(orders_session* self, uint8_t action, uint32_t member, uint64_t now_ns);
uint32_t binance_take_orders(orders_session* self, uint64_t now_ns);
// Begins to cancel every open order; returns how many there are.
uint32_t binance_cancel_all(orders_session* self);
uint32_t binance_cancel_open(orders_session* self, uint64_t now_ns);
// Notes when requests left for the kernel, after the shell has written.
void binance_note_sent(orders_session* self);
// A connection of which nothing is expected is read now and then only.
void binance_settle(orders_session* self, uint32_t member);

// binance_take.c
void binance_take_message(orders_session* self, const apus_binance_line* line, const apus_ws_item* item,
                          uint64_t now_ns);
void binance_check_events(orders_session* self, uint64_t now_ns);

// binance_lines.c
// Reads the connections that have something to say or to be looked after.
uint32_t binance_serve_lines(orders_session* self, uint64_t now_ns);
uint32_t binance_take_losses(orders_session* self, uint64_t now_ns);
void binance_keep_key(orders_session* self, uint64_t now_ns);
void binance_keep_young(orders_session* self, uint64_t now_ns);
uint64_t binance_lines_deadline(const orders_session* self);
// Gives the user stream the path of a key. Returns false when there is no usable key in the answer.
bool binance_use_key(orders_session* self, const apus_binance_answer* answer, uint64_t now_ns);
// A request of the session's own got no answer.
void binance_own_lost(orders_session* self, const apus_binance_request* request, uint64_t now_ns);

static inline bool binance_is_up(const apus_binance_line* line) {
    return line->link.state == APUS_LINK_OPEN;
}
static inline apus_binance_line* binance_user(orders_session* self) {
    return &self->users[self->user];
}
static inline bool binance_user_is_up(const orders_session* self) {
    return binance_is_up(&self->users[self->user]);
}

// binance_clock.c
void binance_clock_init(apus_binance_clock* clock);
// Wall clock of the venue now, in milliseconds.
uint64_t binance_venue_ms(const orders_session* self, uint64_t now_ns);
// When that time of the venue's clock comes, on ours.
uint64_t binance_local_ns(const orders_session* self, uint64_t venue_ms);
void binance_take_time(orders_session* self, const apus_binance_request* request, const apus_binance_answer* answer,
                       uint64_t receive_ns, uint64_t now_ns);
void binance_clock_wrong(orders_session* self);
void binance_keep_clock(orders_session* self, uint64_t now_ns);

#endif
