// Binance USD-M order entry: the WebSocket API for requests, the user stream for what happens to orders.
//
//   order ring ─▶ guard ─▶ signed request (tx of the API link) ─▶ answer ─┐
//                                              user stream's events ──────┴─▶ report ring
//
// Fills come from the user stream alone, so that each is told once; answers tell acceptance and refusal. A request whose
// answer is lost (time-out, connection) is reported UNKNOWN: the engine asks with APUS_ORDER_QUERY, nothing is sent again.
// Whenever the user stream opens, and when an event cannot be read, APUS_REPORT_MISSED says that news may be missing.
// When the report ring is full the session stops reading both connections and takes no orders until there is room.
#ifndef APUS_BINANCE_ORDERS_H
#define APUS_BINANCE_ORDERS_H

#include "apus_guard.h"
#include "apus_hmac.h"
#include "apus_link.h"
#include "apus_session.h"

// Requests that wait for an answer (a power of two).
#define APUS_BINANCE_IN_FLIGHT 1024u
#define APUS_BINANCE_KEY_BYTES 128u
#define APUS_BINANCE_REQUEST_BYTES 1024u
#define APUS_BINANCE_CLIENT_ID_BYTES 20u // "apus" and 16 hexadecimal digits

// MARK: requests

// Who signs. Holds secrets.
typedef struct apus_binance_signer {
    apus_hmac_key secret;
    char api_key[APUS_BINANCE_KEY_BYTES];
    uint32_t api_key_length;
} apus_binance_signer;

// Returns 0 or -EINVAL when a key is empty, too long or holds a character that would need escaping. Wipe the inputs yourself.
int apus_binance_signer_init(apus_binance_signer* signer, const char* api_key, const char* secret);

// Writes the request for an order that the guard has passed; `out` has room for APUS_BINANCE_REQUEST_BYTES. Returns its length.
size_t apus_binance_encode_order(const apus_binance_signer* signer, const apus_instrument* instrument,
                                 const apus_order* order, uint64_t request_id, uint64_t timestamp_ms, char* out);

// "apus" and the id in 16 hexadecimal digits; and back (false: not one of ours).
void apus_binance_client_id(uint64_t client_id, char text[APUS_BINANCE_CLIENT_ID_BYTES]);
bool apus_binance_parse_client_id(const uint8_t* text, size_t length, uint64_t* client_id);

// MARK: answers and events

enum apus_binance_answer_kind {
    APUS_BINANCE_ORDER_ANSWER = 1, // to a request of ours
    APUS_BINANCE_ORDER_EVENT = 2,  // ORDER_TRADE_UPDATE
    APUS_BINANCE_KEY_EXPIRED = 3,  // listenKeyExpired
    APUS_BINANCE_OTHER = 4,        // valid, of no concern
};

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
    uint64_t answer_timeout_ns;      // then the request is UNKNOWN
    uint64_t max_age_ns;             // the guard's
    uint64_t key_renewal_ns;         // the listen key lives 60 minutes
    uint64_t event_grace_ns; // a request that was carried out must show on the user stream within this; 0: any time
    apus_link_config api_link;
    apus_link_config user_link;
    uint64_t rx_bytes;
    uint64_t tx_bytes;
} apus_binance_orders_config;

typedef struct apus_binance_request {
    uint64_t number;    // 0: the place is free
    uint64_t client_id; // of the order meant
    uint64_t decided_ns;
    uint64_t queued_ns;
    uint64_t sent_ns; // 0: not yet handed to the kernel
    uint64_t tx_mark; // tx_total of the API channel once it is sent
    int64_t price;
    int64_t quantity;
    uint16_t instrument;
    uint8_t action; // apus_order_action, or one of the session's own
    uint8_t side;
} apus_binance_request;

typedef struct apus_binance_orders {
    apus_session session; // first: the shell's view
    apus_binance_orders_config config;
    const apus_market* market;
    apus_publisher* out;
    apus_private* rings;
    apus_guard guard;
    apus_binance_signer signer;
    apus_channel api;
    apus_channel user;
    apus_channel* channels[2];
    apus_link api_link;
    apus_link user_link;
    apus_binance_request* requests; // by number, in a circle
    uint64_t next_request;
    uint64_t oldest_request; // no older one waits
    uint64_t next_unsent;    // the first whose send time is not recorded
    uint64_t lost_through;   // requests below this number are to be reported UNKNOWN
    uint64_t key_due_ns;     // when the listen key is to be made or renewed
    uint64_t event_ns;       // newest event of an order of ours
    uint64_t event_due_ns;   // an event must have come by then, or the user stream is frozen
    bool has_key;
    bool key_in_flight;
    bool missed; // APUS_REPORT_MISSED is to be reported
    bool halted; // the report ring was full
    bool running;
    uint64_t halts;
    uint64_t freezes; // of the user stream
    uint64_t decode_errors;
    uint64_t foreign_events; // of orders that are not the engine's
} apus_binance_orders;

void apus_binance_orders_config_usdm(apus_binance_orders_config* config);

// `market` is the session's whose books the guard asks; buffers come from its arena. The signer is copied. Returns 0, -ENOMEM,
// or what the links say.
int apus_binance_orders_init(apus_binance_orders* orders, const apus_binance_orders_config* config,
                             const apus_market* market, apus_private* rings, const apus_binance_signer* signer,
                             const apus_random* random);

#endif
