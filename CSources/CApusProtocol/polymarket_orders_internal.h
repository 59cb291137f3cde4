// What the parts of the Polymarket order session share.
//
//   polymarket_orders.c  the session: turn, deadline, start, stop, reports' way out
//   polymarket_send.c    orders out: waiting, guard, budgets, the choice of a connection; requests of the session's own
//   polymarket_encode.c  orders and requests as bytes: typed orders, bodies, headers
//   polymarket_lines.c   the life of connections, lost requests
//   polymarket_take.c    answers in: what becomes a report
//   polymarket_events.c  orders and trades as the venue tells them, by event or when asked
//   polymarket_known.c   which orders and trades are ours
#ifndef POLYMARKET_ORDERS_INTERNAL_H
#define POLYMARKET_ORDERS_INTERNAL_H

#include "apus_backoff.h"
#include "apus_polymarket_orders.h"
#include "polymarket_fields.h"

#include <errno.h>

#define SECOND_NS 1000000000ull

enum { LINE_DOWN, LINE_CONNECTING, LINE_READY, LINE_BUSY, LINE_CLOSING, LINE_WAITING };

enum {
    JOB_NONE,
    JOB_PLACE,
    JOB_CANCEL,
    JOB_QUERY,
    // Of the session's own:
    JOB_CANCEL_ALL,
    JOB_HEARTBEAT,
    JOB_TRADES,
    JOB_VERSION,
};

// Rows of the budget.
enum { ROW_POSTS, ROW_MANY_POSTS, ROW_ORDERS, ROW_CANCELS };

// A part in a trade: its quantity is in the order's total as the venue told it with the order, was told as a fill, or was undone.
enum { PART_TOLD_BY_ORDER = 1, PART_FILLED = 2, PART_FAILED = 3 };

typedef apus_polymarket_orders pm_session;

// polymarket_orders.c
void polymarket_report(pm_session* self, const apus_report* report);
bool polymarket_has_room(pm_session* self, uint64_t count);
// Trades are to be asked for from shortly before now on, unless they are already from an earlier time.
void polymarket_trades_since(pm_session* self, uint64_t now_ns);
// Asks for them from the first page on, whatever has been answered by now: from that time of the wall clock on, or from an earlier one that
// they are already to be asked for from.
void polymarket_ask_trades(pm_session* self, uint64_t after_s);
void polymarket_refuse(pm_session* self, const apus_order* order, uint8_t reason, uint64_t now_ns);

static inline uint64_t polymarket_wall_ns(const pm_session* self, uint64_t now_ns) {
    return now_ns + (uint64_t)self->out->realtime_offset;
}
static inline uint32_t polymarket_number(const pm_session* self, const apus_polymarket_line* line) {
    return (uint32_t)(line - self->lines);
}

// polymarket_send.c
uint32_t polymarket_take_orders(pm_session* self, uint64_t now_ns);
uint32_t polymarket_send_own(pm_session* self, uint64_t now_ns);
void polymarket_refuse_waiting(pm_session* self, uint8_t reason, uint64_t now_ns);

// polymarket_encode.c
// The tick that holds now, in price units.
int64_t polymarket_tick(const pm_session* self, uint16_t instrument);
const apus_polymarket_exchange* polymarket_exchange_of(const pm_session* self, uint16_t instrument);
// The hash of the order that a request means. Returns 0, or what apus_polymarket_make_order returns.
int polymarket_name_order(const pm_session* self, const apus_order* order, uint8_t hash[APUS_WORD_BYTES]);
void polymarket_hash_text(const uint8_t hash[APUS_WORD_BYTES], char text[APUS_POLYMARKET_HASH_TEXT]);
// Appends a placement to a body; returns its end.
char* polymarket_put_placement(const pm_session* self, char* at, const apus_order* order,
                               const apus_polymarket_typed_order* typed, const uint8_t hash[APUS_WORD_BYTES]);
// Where a body begins in `text`.
char* polymarket_body(pm_session* self);

typedef struct polymarket_request {
    const char* method;
    const char* path;
    const char* query; // with its '?', or ""; the HMAC does not cover it
    size_t body_size;  // of what lies at polymarket_body
    bool open;         // needs no key
} polymarket_request;

// Puts the request into the connection's buffer. Returns 0 or -ENOBUFS.
int polymarket_write_request(pm_session* self, apus_polymarket_line* line, const polymarket_request* request,
                             uint64_t now_ns);

// polymarket_lines.c
void polymarket_start_line(apus_polymarket_line* line, uint64_t now_ns);
uint32_t polymarket_serve_line(pm_session* self, apus_polymarket_line* line, uint64_t now_ns);
uint64_t polymarket_line_deadline(const pm_session* self, const apus_polymarket_line* line);
void polymarket_stop_line(pm_session* self, apus_polymarket_line* line, uint64_t now_ns);
// The job's request lies in the connection's buffer.
void polymarket_line_sends(pm_session* self, apus_polymarket_line* line, uint64_t now_ns);

// polymarket_take.c
void polymarket_answered(pm_session* self, apus_polymarket_line* line, const apus_http_response* answer,
                         uint64_t now_ns);
// The answer is not to be had: it may have been carried out.
void polymarket_lost(pm_session* self, apus_polymarket_line* line, uint64_t now_ns);
// It was never sent.
void polymarket_unsent(pm_session* self, apus_polymarket_line* line, uint64_t now_ns);

// polymarket_events.c
// An order as the venue shows it.
typedef struct polymarket_order_view {
    apus_polymarket_known* known; // NULL: not ours
    int64_t original;
    int64_t price;
    uint64_t venue_ns;
    uint8_t status; // apus_order_status
    uint8_t event;  // apus_report_kind of an event's type; 0: none
    bool news;      // it names trades that were not heard of
} polymarket_order_view;

// Whether what an earlier run's order is filled with cannot be told from what the venue counts: trades that failed are among that, and which
// they are is not known until its trades have been read.
static inline bool polymarket_is_blind(const pm_session* self, const apus_polymarket_known* known) {
    return known->adopted && self->trades_read < known->trades_round;
}

// Reads an order and takes in what it says of fills, unless that cannot be told yet (polymarket_is_blind). `known` is the order when it
// was asked for, or NULL. Returns 0 or -EBADMSG.
int polymarket_view_order(pm_session* self, const apus_field* text, apus_polymarket_known* known,
                          polymarket_order_view* view);
void polymarket_take_event(pm_session* self, const uint8_t* bytes, size_t length, uint64_t now_ns);
// A page of trades; returns its next cursor, or an absent field at the end. -EBADMSG when it cannot be read.
int polymarket_take_trades(pm_session* self, const uint8_t* bytes, size_t length, apus_field* cursor, uint64_t now_ns);
// The order is open no more.
void polymarket_end(pm_session* self, apus_polymarket_known* known);

// polymarket_known.c
apus_polymarket_known* polymarket_find(const pm_session* self, uint64_t venue_id);
apus_polymarket_known* polymarket_find_hash(const pm_session* self, const uint8_t* text, size_t length);
apus_polymarket_known* polymarket_known_of_client(const pm_session* self, uint64_t client_id);
// Puts an order in, which is open; NULL when all places hold open orders.
apus_polymarket_known* polymarket_know(pm_session* self, const apus_order* order, const uint8_t hash[APUS_WORD_BYTES]);
apus_polymarket_part* polymarket_find_part(const pm_session* self, uint64_t id);
void polymarket_add_part(pm_session* self, uint64_t id, uint8_t state, int64_t quantity);

#endif
