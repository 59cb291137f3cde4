// Binance USD-M order entry: the WebSocket API for requests, the user stream for what happens to orders.
//
//   order ring ─▶ guard ─▶ budget ─▶ fastest healthy API connection: signed request ─▶ answer ─┐
//                                               user stream's events ──────────────────────────┴─▶ report ring
//
// Requests go out on one of several warm connections (apus_pool.h). Each remembers its connection: when one is lost, what waits
// there, and only that, is reported UNKNOWN, and the engine asks with APUS_ORDER_QUERY; nothing is sent again. A request about an
// order of which another request is still on its way takes the same connection, so that it does not overtake that.
//
// Fills come from the user stream alone, so that each is told once; answers tell acceptance and refusal. Whenever the user stream
// opens with none beside it, and when an event cannot be read, APUS_REPORT_MISSED says that news may be missing. Before the
// venue ends a connection by age, another takes its place: the user stream's successor is open before the old one is closed, and
// what both tell is told twice; API connections are replaced one after another, when nothing waits on them.
//
// The session stamps requests with the venue's clock, which it measures by the requests that probe its connections.
// When the report ring is full the session stops reading its connections and takes no orders until there is room.
#ifndef APUS_BINANCE_ORDERS_H
#define APUS_BINANCE_ORDERS_H

#include "apus_binance_signer.h"
#include "apus_budget.h"
#include "apus_guard.h"
#include "apus_link.h"
#include "apus_open_orders.h"
#include "apus_pool.h"
#include "apus_session.h"

// Requests that wait for an answer (a power of two).
#define APUS_BINANCE_IN_FLIGHT 1024u
#define APUS_BINANCE_REQUEST_BYTES 1024u
#define APUS_BINANCE_CLIENT_ID_BYTES 20u // "apus" and 16 hexadecimal digits

// MARK: requests

// Writes the request for an order that the guard has passed; `out` has room for APUS_BINANCE_REQUEST_BYTES. Another receive
// window than the venue's own becomes one of the signed parameters. Returns its length, or a negative errno where the signature
// could not be made.
int apus_binance_encode_order(const apus_binance_signer* signer, const apus_instrument* instrument,
                              const apus_order* order, uint64_t request_id, uint64_t timestamp_ms,
                              uint32_t receive_window_ms, char* out);

// Whether the venue can be asked for that: it has no post-only order with an end of its own.
bool apus_binance_can_encode(const apus_order* order);

// "apus" and the id in 16 hexadecimal digits; and back (false: not one of ours).
void apus_binance_client_id(uint64_t client_id, char text[APUS_BINANCE_CLIENT_ID_BYTES]);
bool apus_binance_parse_client_id(const uint8_t* text, size_t length, uint64_t* client_id);

// MARK: answers and events

enum apus_binance_answer_kind {
    APUS_BINANCE_ORDER_ANSWER = 1,  // to a request of ours
    APUS_BINANCE_ORDER_EVENT = 2,   // ORDER_TRADE_UPDATE
    APUS_BINANCE_KEY_EXPIRED = 3,   // listenKeyExpired
    APUS_BINANCE_OTHER = 4,         // valid, of no concern
    APUS_BINANCE_ACCOUNT_EVENT = 5, // ACCOUNT_UPDATE
};

enum apus_binance_limit_kind {
    APUS_BINANCE_WEIGHT = 1, // of requests, by address
    APUS_BINANCE_ORDERS = 2, // placed and changed, by account
};

// One of the venue's budgets.
typedef struct apus_binance_limit {
    uint64_t window_ns;
    uint32_t limit;
    uint32_t used; // as an answer says
    uint8_t kind;  // apus_binance_limit_kind
} apus_binance_limit;

typedef struct apus_binance_answer {
    uint8_t kind;
    bool ours; // the client id is one of the engine's
    uint16_t instrument;
    uint32_t status; // HTTP-like; 200 is good
    int32_t code;    // of an error
    uint64_t request_id;
    uint64_t client_id;
    uint64_t venue_order_id;
    uint64_t trade_id;
    uint64_t event_time_ms;
    uint64_t server_time_ms; // the answer to "time"
    uint64_t retry_after_ms; // of an error: when to ask again, by the venue's clock; 0: not said
    int64_t price;
    int64_t quantity;
    int64_t cumulative;
    int64_t last_price;
    int64_t last_quantity;
    int64_t fee; // 10^-8
    uint8_t side;
    uint8_t execution;    // apus_report_kind, or 0
    uint8_t order_status; // apus_order_status
    bool maker;
    bool fee_other_asset;
    // ACCOUNT_UPDATE, of the settlement asset:
    bool has_balance;
    bool is_funding;
    int64_t balance;        // of the wallet, 10^-8
    int64_t balance_change; // 10^-8
    uint32_t limit_count;
    apus_binance_limit limits[APUS_BINANCE_LIMITS_MAX];
    const uint8_t* listen_key; // inside the message, or NULL
    uint32_t listen_key_length;
    const uint8_t* message; // an error's text inside the message, or NULL
    uint32_t message_length;
    size_t error_offset;
} apus_binance_answer;

// Decodes an answer of the WebSocket API or an event of the user stream. Returns 0 or -EBADMSG (error_offset says where).
int apus_binance_decode_answer(const apus_instrument_table* instruments, const char* settlement_asset,
                               const uint8_t* bytes, size_t length, apus_binance_answer* answer);

// MARK: session

typedef struct apus_binance_orders_config {
    apus_endpoint api;
    apus_endpoint user;
    char api_path[APUS_PATH_BYTES];  // "/ws-fapi/v1"
    char user_path[APUS_PATH_BYTES]; // "/private/ws/", to which the listen key is appended
    char settlement_asset[16];       // fees in another asset are marked
    uint32_t api_count;              // API connections, 1 to APUS_BINANCE_API_MAX
    uint32_t receive_window_ms;      // how old a request may be when it arrives, 1 to 60000
    uint64_t answer_timeout_ns;      // then the request is UNKNOWN
    uint64_t max_age_ns;             // the guard's
    uint64_t stall_ns;               // the guard's; 0 where decisions are made on the hot thread
    uint64_t key_renewal_ns;         // the listen key lives 60 minutes
    uint64_t event_grace_ns;   // a request that was carried out must show on the user stream within this; 0: any time
    uint64_t user_overlap_ns;  // how long a user stream is read beside its successor
    uint64_t clock_renewal_ns; // the best measurement of the venue's clock within this counts
    apus_pool_config pool;
    apus_binance_limit limits[APUS_BINANCE_LIMITS_MAX]; // the venue's budgets; answers correct them
    uint32_t limit_count;
    apus_link_config api_link; // max_lifetime_ns: when a connection is replaced; the session does it
    apus_link_config user_link;
    uint64_t rx_bytes;
    uint64_t tx_bytes;
} apus_binance_orders_config;

typedef struct apus_binance_request {
    uint64_t number;    // 0: the place is free
    uint64_t client_id; // of the order meant
    uint64_t decided_ns;
    uint64_t queued_ns;
    uint64_t sent_ns;     // 0: not yet handed to the kernel
    uint64_t tx_mark;     // tx_total of its channel once it is sent
    uint64_t next_unsent; // number of the next request on the same connection; 0: none yet
    int64_t price;
    int64_t quantity;
    uint16_t instrument;
    uint8_t action; // apus_order_action, or one of the session's own
    uint8_t side;
    uint8_t member; // the API connection
} apus_binance_request;

// A connection and when the session has to look after it, although it says nothing.
typedef struct apus_binance_line {
    apus_channel channel;
    apus_link link;
    uint64_t due_ns;
    uint64_t retire_ns;    // when it is to be replaced; UINT64_MAX: never, or it is not open
    uint64_t lost_through; // API: requests below this number that waited on it are to be reported UNKNOWN
    uint64_t first_unsent; // API: number of the oldest request whose bytes have not left; 0: none
    uint64_t last_unsent;
} apus_binance_line;

// The venue's clock: wall clock minus our monotonic one.
typedef struct apus_binance_clock {
    int64_t offset_ns;
    uint64_t round_trip_ns; // of the measurement that counts; UINT64_MAX: none, the machine's wall clock is taken
    int64_t best_offset_ns; // since the renewal
    uint64_t best_round_trip_ns;
    uint64_t renewed_ns;
    uint64_t measurements;
    bool wrong; // the venue has refused a stamp: the next measurement counts whatever its round trip
} apus_binance_clock;

typedef struct apus_binance_orders {
    apus_session session; // first: the shell's view
    apus_binance_orders_config config;
    const apus_market* market;
    apus_publisher* out;
    apus_private* rings;
    apus_guard guard;
    apus_binance_signer signer;
    apus_binance_line users[APUS_BINANCE_USERS]; // channels 0 and 1
    apus_binance_line api[APUS_BINANCE_API_MAX]; // channels from 2 on
    apus_channel* channels[APUS_SESSION_CHANNELS_MAX];
    apus_pool pool; // of `api`
    apus_budget budget;
    apus_budget_cost costs[3];  // of a placement, a change, any other request
    uint64_t orders_blocked_ns; // the venue wants no order and no change before this
    apus_binance_clock clock;
    apus_open_orders open;
    apus_binance_request* requests; // by number, in a circle
    uint64_t next_request;
    uint64_t oldest_request; // no older one waits
    uint64_t loss_scan;      // from this number on requests of lost connections are looked for; next_request: none
    uint32_t unsent;         // API connections, by bit, that have requests whose bytes have not left
    uint32_t user;           // which user stream is in use
    uint64_t overlap_end_ns; // when the user stream that has a successor is closed; UINT64_MAX: there is none
    uint64_t cancel_due_ns;  // when canceling goes on
    uint64_t young_ns;       // when it is looked again which connections are to be replaced
    uint64_t pool_due_ns;    // when a connection is to be probed
    uint64_t key_due_ns;     // when the listen key is to be made or renewed
    uint64_t event_ns;       // newest event of an order of ours
    uint64_t event_due_ns;   // an event must have come by then, or the user stream is frozen
    bool has_key;
    bool key_in_flight;
    bool succeeding; // the user stream's successor is being opened
    bool missed;     // APUS_REPORT_MISSED is to be reported
    bool halted;     // the report ring was full
    bool running;
    bool canceling;          // every open order is to be canceled
    bool stalled;            // APUS_REPORT_STALLED is to be reported
    uint32_t stalled_orders; // that were open then
    uint64_t halts;
    uint64_t freezes;     // of the user stream
    uint64_t successions; // of the user stream
    uint64_t own_cancels; // sent by this thread alone
    uint64_t decode_errors;
    uint64_t foreign_events; // of orders that are not the engine's
} apus_binance_orders;

void apus_binance_orders_config_usdm(apus_binance_orders_config* config);

// `market` is the session's whose books the guard asks; buffers come from its arena. The signer is copied and what it points to
// must outlive the session. Returns 0, -ENOMEM, -EINVAL for numbers out of their bounds, or what the links say.
int apus_binance_orders_init(apus_binance_orders* orders, const apus_binance_orders_config* config,
                             const apus_market* market, apus_private* rings, const apus_binance_signer* signer,
                             const apus_random* random);

#endif
