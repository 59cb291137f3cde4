// Polymarket order entry: signed orders over warm HTTP/1.1 connections, the user stream for what happens to them.
//
//   order ring ─▶ waiting ─▶ guard ─▶ signature ─▶ POST /order or /orders on a free connection ─▶ answer ─┐
//                                                     user stream's events, and trades that it missed ─────┴─▶ report ring
//
// An order's id is the hash that is signed. Salt and timestamp follow from the order's client id and wall_ms, so that the id is
// known before anything is sent and can be computed again from the order's own fields: to cancel it, to ask for it.
// A request of a market order must carry the band of the placement, which is where its limit comes from.
//
// Fills come from trades alone, once for each trade and order of ours in it, when the trade is first heard of (MATCHED); a trade
// that FAILS is told as APUS_REPORT_UNDONE, with the client id 0 when its order is not known to the session (any more). Whenever
// the user stream opens, trades since shortly before it was last open are asked for, and APUS_REPORT_MISSED says that other news
// may be missing. A stream that loses an event does not say so: while trades may still fail, they are looked at now and then.
//
// A connection carries one request at a time. A request whose answer is lost is reported UNKNOWN and never sent again; one of
// which no byte was written goes out on another connection. A cancel waits for its order's own answer. Without room in the report
// ring the session reads and takes nothing more: a report is never dropped.
#ifndef APUS_POLYMARKET_ORDERS_H
#define APUS_POLYMARKET_ORDERS_H

#include "apus_budget.h"
#include "apus_guard.h"
#include "apus_link.h"
#include "apus_open_orders.h"
#include "apus_polymarket_amounts.h"
#include "apus_polymarket_sign.h"
#include "apus_pool.h"
#include "apus_session.h"
#include "apus_text_id.h"

#define APUS_POLYMARKET_LINES (APUS_SESSION_CHANNELS_MAX - 1u) // connections beside the user stream
#define APUS_POLYMARKET_BATCH_ORDERS 15u // of one POST /orders (the venue's limit) or DELETE /orders
#define APUS_POLYMARKET_WAITING 256u     // orders out of the ring and not yet on a connection
#define APUS_POLYMARKET_KEY_BYTES 200u   // longest text of an API key, with its terminating zero
#define APUS_POLYMARKET_CONDITION_BYTES 68u
#define APUS_POLYMARKET_BODY_BYTES 32768u
#define APUS_POLYMARKET_HASH_TEXT 66u // "0x" and 64 digits

// MARK: who signs

// Holds secrets: the owner wipes it with apus_polymarket_signer_wipe.
typedef struct apus_polymarket_signer {
    const apus_signing_key* key; // the caller's; outlives the session
    apus_hmac_key hmac;
    uint8_t funder[APUS_ADDRESS_BYTES]; // whose money it is
    uint8_t signature_type;             // apus_polymarket_signature_type
    char address[APUS_ADDRESS_TEXT_BYTES + 1];
    char api_key[APUS_POLYMARKET_KEY_BYTES];
    char secret[APUS_POLYMARKET_KEY_BYTES];
    char passphrase[APUS_POLYMARKET_KEY_BYTES];
} apus_polymarket_signer;

// `funder` NULL: the key's own address, as an EOA must have it. Returns 0, or -EINVAL when a text is empty, too long, no base64
// (the secret) or holds a character that would need escaping, or the type does not go with the funder.
int apus_polymarket_signer_init(apus_polymarket_signer* signer, const apus_signing_key* key, uint8_t signature_type,
                                const uint8_t* funder, const char* api_key, const char* secret, const char* passphrase);
void apus_polymarket_signer_wipe(apus_polymarket_signer* signer);

// MARK: ids

// What an instrument's orders are made with.
typedef struct apus_polymarket_listing {
    uint8_t token[APUS_WORD_BYTES];
    char condition[APUS_POLYMARKET_CONDITION_BYTES]; // of its market; empty: not known
    uint8_t version;                                 // of the market's exchange: 2 or 3; 0: the venue's own
    bool neg_risk;
} apus_polymarket_listing;

// The exchange contracts by version and kind of market.
enum { APUS_POLYMARKET_V2 = 0, APUS_POLYMARKET_V2_NEG_RISK = 1, APUS_POLYMARKET_V3 = 2, APUS_POLYMARKET_EXCHANGES = 3 };

// Fits the 53 bits that a JSON number keeps.
uint64_t apus_polymarket_salt(uint64_t client_id);

// Makes the typed order of a placement, or of the placement that a cancel, query or modification means. `tick` is in price units.
// Returns what apus_polymarket_amounts returns.
int apus_polymarket_make_order(const apus_polymarket_signer* signer, const apus_instrument* instrument,
                               const apus_polymarket_listing* listing, const apus_order* order, int64_t tick,
                               apus_polymarket_typed_order* typed);

// The first eight bytes of an order's hash, big endian: its number in reports.
static inline uint64_t apus_polymarket_venue_id(const uint8_t hash[APUS_WORD_BYTES]) {
    uint64_t id = 0;
    for (int i = 0; i < 8; i++) {
        id = id << 8 | hash[i];
    }
    return id;
}

// The trade id of an order's part in a trade: orders of one trade are told apart. Never 0.
static inline uint64_t apus_polymarket_trade_id(const uint8_t* uuid, size_t length, uint64_t venue_id) {
    uint64_t mixed = (apus_text_id(uuid, length) ^ venue_id) * 0x9e3779b97f4a7c15ull;
    mixed ^= mixed >> 32;
    return mixed == 0 ? 1 : mixed;
}

// MARK: session

typedef struct apus_polymarket_orders_config {
    apus_endpoint api;
    apus_endpoint user;
    char user_path[APUS_PATH_BYTES]; // "/ws/user"
    uint64_t chain_id;
    uint8_t contracts[APUS_POLYMARKET_EXCHANGES][APUS_ADDRESS_BYTES];
    uint8_t version;                // of exchanges, where neither the market nor GET /version says another
    uint32_t lines;                 // connections, 1 to APUS_POLYMARKET_LINES
    uint64_t connect_timeout_ns;    // name, TCP and TLS together
    uint64_t answer_timeout_ns;     // then a request is UNKNOWN and its connection given up
    uint64_t backoff_min_ns;        // between two attempts to connect, as in apus_fetch
    uint64_t backoff_max_ns;        //
    uint64_t max_age_ns;            // the guard's
    uint64_t stall_ns;              // the guard's; 0 where decisions are made on the hot thread
    uint64_t heartbeat_interval_ns; // half of the venue's patience; 0: none, and no dead-man switch
    uint64_t gtd_least_ms;          // how far ahead an order's end must lie at least
    uint64_t post_only_ns;          // after a restart of the venue (HTTP 425)
    uint64_t trades_overlap_s;      // how far before the loss trades are asked for
    uint64_t trades_audit_ns;       // between two looks at the trades, while some may still fail; 0: never
    uint64_t trades_settle_s;       // after its match a trade may still fail for so long
    uint64_t trades_first_s;        // how far before the start: failed trades of an earlier run's orders must be known
    apus_pool_config pool;
    uint32_t posts_10s;      // POST /order and /orders, of an address
    uint32_t posts_10min;    //
    uint32_t orders_each_s;  // of a signer
    uint32_t orders_burst;   //
    uint32_t cancels_each_s; //
    uint32_t cancels_burst;  //
    apus_link_config user_link;
    uint64_t rx_bytes;
    uint64_t tx_bytes;
} apus_polymarket_orders_config;

// An order of ours that the venue may speak of: open, or ended a while ago.
typedef struct apus_polymarket_known {
    uint64_t venue_id; // 0: the place is free
    uint64_t client_id;
    int64_t price;
    int64_t quantity;
    int64_t total;         // filled, by all trades that are known
    int64_t failed;        // of trades that failed
    uint64_t placed_s;     // wall clock
    uint32_t trades_round; // of an adopted one: when this has been read, what was filled and what has failed is known
    uint8_t hash[APUS_WORD_BYTES];
    uint16_t instrument;
    uint8_t side;
    uint8_t time_in_force; // APUS_IOC for a market order too
    bool open;
    bool placing; // its placement waits for an answer
    bool adopted; // it was not placed by this session
} apus_polymarket_known;

typedef struct apus_polymarket_known_orders {
    apus_polymarket_known* entries; // APUS_POLYMARKET_KNOWN_MAX
    uint32_t* slots;                // twice as many: place + 1 by venue_id, 0 free
    uint32_t next;                  // where a free or ended place is looked for
} apus_polymarket_known_orders;

// An order's part in a trade.
typedef struct apus_polymarket_part {
    uint64_t id;      // apus_polymarket_trade_id; 0: free
    int64_t quantity; // 0: not known yet
    uint8_t state;    // polymarket_orders_internal.h
} apus_polymarket_part;

// The newest parts, in two halves: when the young one is full it becomes the old one, which is forgotten.
typedef struct apus_polymarket_parts {
    apus_polymarket_part* young;
    apus_polymarket_part* old;
    uint32_t count; // in the young half
} apus_polymarket_parts;

// One order's share of a request that waits for its answer.
typedef struct apus_polymarket_asked {
    uint64_t client_id;
    uint64_t venue_id;
    uint64_t decided_ns;
    int64_t price;
    int64_t quantity;
    uint16_t instrument;
    uint8_t action;
    uint8_t side;
    uint8_t hash[APUS_WORD_BYTES];
} apus_polymarket_asked;

// The one request of a connection.
typedef struct apus_polymarket_job {
    uint8_t kind; // polymarket_orders_internal.h; 0: none
    bool probe;
    uint32_t count;
    uint64_t queued_ns;
    uint64_t sent_ns; // 0: not yet handed to the kernel
    uint64_t tx_mark; // tx_total before it and behind it
    uint64_t tx_end;
    apus_polymarket_asked orders[APUS_POLYMARKET_BATCH_ORDERS];
} apus_polymarket_job;

typedef struct apus_polymarket_line {
    apus_channel channel;
    apus_http http;
    apus_random random;
    apus_polymarket_job job;
    uint64_t entered_ns;
    uint64_t wake_ns;
    uint32_t failures;
    uint8_t state;
} apus_polymarket_line;

typedef struct apus_polymarket_orders {
    apus_session session; // first: the shell's view
    apus_polymarket_orders_config config;
    const apus_market* market;
    apus_publisher* out;
    apus_private* rings;
    apus_guard guard;
    apus_polymarket_signer signer;
    apus_polymarket_exchange exchanges[APUS_POLYMARKET_EXCHANGES];
    apus_polymarket_listing* listings; // by instrument
    apus_channel user;                 // channel 0
    apus_link user_link;
    apus_polymarket_line lines[APUS_POLYMARKET_LINES]; // channels from 1 on
    apus_channel* channels[APUS_SESSION_CHANNELS_MAX];
    apus_pool pool;
    apus_budget budget;
    apus_budget_cost post_cost; // of a request of one placement
    apus_budget_cost cancel_cost;
    apus_polymarket_known_orders known;
    apus_polymarket_parts parts;
    apus_open_orders open; // word: place + 1 among the known orders
    apus_order* waiting;
    uint32_t waiting_count;
    char* text; // where a request's body is written, behind what its HMAC covers before it
    char heartbeat[APUS_POLYMARKET_KEY_BYTES];
    char cursor[APUS_POLYMARKET_KEY_BYTES]; // of the next page of missed trades
    uint64_t heartbeat_due_ns;
    uint64_t cancel_all_ns;    // not before
    uint64_t trades_ns;        // not before
    uint64_t audit_ns;         // when trades are looked at again
    uint64_t audited_until_ns; // no longer than that
    uint64_t post_only_until_ns;
    uint64_t trades_after_s; // wall clock; trades since then are to be asked for
    uint64_t pool_due_ns;
    uint32_t trades_round; // counts up with every question for trades from the first page on
    uint32_t trades_read;  // the newest round that was read to its end
    uint32_t trades_asked; // the round whose answer is under way
    uint32_t stalled_orders;
    uint8_t version; // as GET /version says
    bool greeted;    // the user stream was told who asks
    bool trades_due;
    bool version_due;
    bool cancel_all_due;
    bool missed;  // APUS_REPORT_MISSED is to be reported
    bool stalled; // APUS_REPORT_STALLED is to be reported
    bool halted;  // the report ring was full
    bool running;
    uint64_t halts;
    uint64_t decode_errors;
    uint64_t foreign_events; // of orders that are not the engine's
    uint64_t heartbeats;     // answered
    uint64_t failovers; // requests that went out on another connection, none of their bytes having left on the first
} apus_polymarket_orders;

// The venue's documented addresses, contracts of chain 137, and limits.
void apus_polymarket_orders_config_default(apus_polymarket_orders_config* config);

// `market` is the one whose books the guard asks; memory comes from its arena. The signer is copied. Every instrument of the
// table needs apus_polymarket_orders_list before orders of it pass. Returns 0, -ENOMEM, -EINVAL for a config that cannot work, or
// what the link says.
int apus_polymarket_orders_init(apus_polymarket_orders* orders, const apus_polymarket_orders_config* config,
                                const apus_market* market, apus_private* rings, const apus_polymarket_signer* signer,
                                const apus_random* random);

// Tells what the market's metadata says of an instrument, whose symbol is its token id. `condition` may be NULL. Returns 0,
// -ENOENT for an instrument that is not in the table, -EINVAL for a symbol, condition or version that cannot be.
int apus_polymarket_orders_list(apus_polymarket_orders* orders, uint16_t instrument, const char* condition,
                                bool neg_risk, uint8_t version);

#endif
