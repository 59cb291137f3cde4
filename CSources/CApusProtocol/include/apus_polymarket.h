// Polymarket's market data: from frames to proven books.
//
// Two layers. `apus_polymarket_market` takes whole frames and knows nothing of connections: replay, fuzzers and tests
// use it as it is. `apus_polymarket_session` puts it on as many stream links as the tokens need.
//
// An instrument is an outcome token (its symbol is the asset_id). The venue has no sequence numbers; the hash of the
// whole book is the only proof of continuity. How it is made, and when a book is published, is said in
// polymarket_market.c.
#ifndef APUS_POLYMARKET_H
#define APUS_POLYMARKET_H

#include "apus_fetch.h"
#include "apus_link.h"
#include "apus_market.h"
#include "apus_polymarket_decode.h"
#include "apus_session.h"
#include "apus_tap.h"

// MARK: messages

// Prices that trades of a market may have been made at, as far as its batches tell; the oldest give way.
#define APUS_POLYMARKET_CANDIDATES 32u

typedef struct apus_polymarket_price {
    uint8_t text[APUS_POLYMARKET_NUMBER_BYTES];
    uint8_t length;
} apus_polymarket_price;

// A market: what its two tokens share.
typedef struct apus_polymarket_condition {
    apus_polymarket_pair pair; // first: the decoder's view
    struct apus_polymarket_condition* next;
    uint64_t price_ms;        // the venue's time of last_trade_price
    uint64_t batch_ms;        // the venue's time of the open batch
    uint64_t batch_until_ns;  // when no more of the batch is waited for
    uint32_t candidate_count; // noted since the price was last proven
    bool batch_open;
    apus_polymarket_price last_trade_price; // length 0: not known
    apus_polymarket_price candidates[APUS_POLYMARKET_CANDIDATES];
} apus_polymarket_condition;

// A level as the venue's hash has it: {"price":"..","size":".."}, with its comma, the numbers being the venue's own
// texts.
#define APUS_POLYMARKET_ROW_BYTES 55u
typedef struct apus_polymarket_row {
    int64_t price;
    uint8_t length;
    uint8_t text[APUS_POLYMARKET_ROW_BYTES];
} apus_polymarket_row;

_Static_assert(sizeof(apus_polymarket_row) == 64, "a row is one cache line");
_Static_assert(APUS_POLYMARKET_ROW_BYTES == APUS_POLYMARKET_LEVEL_BYTES + 23,
               "the two numbers and what stands around them");

// All levels of a side in the order of the hash, the best last: what changes most is near the end.
typedef struct apus_polymarket_rows {
    apus_polymarket_row* rows;
    uint32_t count;
    uint32_t capacity;
} apus_polymarket_rows;

// A SHA-1 in progress (the layout is libcrypto's; polymarket_hash.h looks inside).
typedef struct apus_polymarket_sha1 {
    uint64_t words[12];
} apus_polymarket_sha1;

enum apus_polymarket_batch {
    APUS_POLYMARKET_BATCH_NONE = 0,   // nothing of the token in the market's open batch
    APUS_POLYMARKET_BATCH_HELD = 1,   // changed and not proven yet: not published
    APUS_POLYMARKET_BATCH_PROVEN = 2, // the hash agreed after the newest change: published
};

// The venue's part of a book.
typedef struct apus_polymarket_proof {
    apus_polymarket_condition* condition; // NULL until the first message that names both
    apus_polymarket_price tick_size;
    apus_polymarket_price min_order_size;
    uint8_t hash[APUS_POLYMARKET_HASH_BYTES]; // the newest one of the batch
    uint8_t pending_hash[APUS_POLYMARKET_HASH_BYTES];
    uint8_t batch; // apus_polymarket_batch
    bool has_hash;
    bool neg_risk;
    bool has_book;       // a whole book was taken, changes are applied to it
    bool reduced;        // the batch took something away: there may have been a trade
    bool wants_snapshot; // the session must ask for a new book
    uint32_t pending;    // batches and books whose proof waits for the last trade price
    uint64_t pending_ms; // the venue's time of the newest of them
    uint64_t pending_until_ns;
    uint64_t damage_seen;         // unreadable frames when the book was last proven
    uint64_t proven_ns;           // receive time of the newest proof
    uint64_t book_ns;             // receive time of the newest whole book
    apus_polymarket_sha1 tried;   // of the newest attempt: everything up to the last trade price
    apus_polymarket_sha1 waiting; // the same of the newest pending proof
    apus_polymarket_rows rows[2]; // by APUS_SIDE_
} apus_polymarket_proof;

typedef struct apus_polymarket_market {
    apus_market* market;
    apus_polymarket_decoder decoder;
    apus_polymarket_message last; // the newest object, also one that failed: fault and error_offset
    apus_polymarket_condition* conditions;
    uint8_t* text;             // where the canonical text of a book is written, from the arena
    uint64_t text_capacity;    // bytes
    uint64_t batch_hold_ns;    // how long a batch that is not proven is waited for
    uint64_t proof_timeout_ns; // how long a proof may be pending
    uint64_t deadline_ns;      // no batch and no proof runs out before this
    uint64_t damage;           // frames that could be read neither wholly nor for whom they were
    uint64_t controls;         // PONG, NO NEW ASSETS
    uint64_t books;            // whole books taken
    uint64_t proofs;           // books and batches whose hash agreed
    uint64_t proof_ns;         // receive time of the newest of them
} apus_polymarket_market;

#define APUS_POLYMARKET_BATCH_HOLD_NS 250000000ull
#define APUS_POLYMARKET_PROOF_TIMEOUT_NS 10000000000ull

// `levels` has room for level_capacity levels and stays the caller's; tables come from the market's arena. Returns 0 or
// -ENOMEM.
int apus_polymarket_market_init(apus_polymarket_market* polymarket, apus_market* market, apus_polymarket_level* levels,
                                uint32_t level_capacity);

// Opens a token of the table: SYNCING until its first proven book. min_order_size "5", neg_risk false, the instrument's
// own tick. NULL: the arena is full.
apus_market_book* apus_polymarket_market_open(apus_polymarket_market* polymarket, uint16_t instrument);

// What the hash needs and the stream does not tell. Returns 0, -ENOENT for a token that is not open, -EINVAL for a text
// that is no decimal or too long. The text is copied.
int apus_polymarket_market_configure(apus_polymarket_market* polymarket, uint16_t instrument,
                                     const char* min_order_size, bool neg_risk);

void apus_polymarket_market_drop(apus_polymarket_market* polymarket, uint16_t instrument);

static inline apus_polymarket_proof* apus_polymarket_proof_of(const apus_market_book* book) {
    return book->venue;
}

// Takes one frame (an object, an array of them, or a control text) with APUS_PADDING readable bytes behind it. Times
// are monotonic; kernel_ns 0: unknown. Returns 0, or the decoder's negative errno: the frame was counted and changed no
// level of any book (see polymarket->last); books it may have been for are STALE.
int apus_polymarket_market_message(apus_polymarket_market* polymarket, const uint8_t* bytes, size_t length,
                                   uint64_t receive_ns, uint64_t kernel_ns);

// Whether a frame names a token that is not in the table; *asset is the first one, valid until the next call. Changes
// nothing: for replays, which take what comes.
bool apus_polymarket_market_stranger(apus_polymarket_market* polymarket, const uint8_t* bytes, size_t length,
                                     apus_polymarket_text* asset);

// Ends batches that were waited for long enough, and proofs that did not come. Cheap before the deadline.
void apus_polymarket_market_tick(apus_polymarket_market* polymarket, uint64_t now_ns);

// When the next tick has something to do at the earliest; UINT64_MAX for never.
static inline uint64_t apus_polymarket_market_deadline(const apus_polymarket_market* polymarket) {
    return polymarket->deadline_ns;
}

// Ends every open batch: the recording is at its end.
void apus_polymarket_market_flush(apus_polymarket_market* polymarket);

// The book of one token is wrong: STALE for `reason`, counted as a gap, and a new one is wanted.
void apus_polymarket_market_void(apus_polymarket_market* polymarket, uint16_t instrument, uint8_t reason);

// The connection that carries a token is gone: its book becomes STALE for `reason`, and a new one is wanted.
void apus_polymarket_market_lost(apus_polymarket_market* polymarket, uint16_t instrument, uint8_t reason);

// MARK: session

typedef struct apus_polymarket_config {
    apus_endpoint stream;
    char path[APUS_PATH_BYTES];   // "/ws/market"
    uint32_t lanes;               // connections at most, up to APUS_SESSION_CHANNELS_MAX
    uint32_t tokens_each;         // of one connection; beyond 500 the venue loses the first books
    uint64_t command_interval_ns; // between two messages of one connection to the venue
    uint64_t book_timeout_ns;     // a token whose book does not come is asked for anew after this
    uint64_t probe_interval_ns; // so is one without a proof for so long: the stream must answer with its book; 0: never
    uint64_t probe_spacing_ns;  // between two such questions on one connection
    apus_link_config link;      // data_timeout_ns: without a book or a proof on a connection for so long it is frozen
    uint64_t rx_bytes;          // of each connection
    uint64_t tx_bytes;
    bool custom_features; // best_bid_ask and the like
} apus_polymarket_config;

// One connection and its tokens.
typedef struct apus_polymarket_lane {
    apus_channel channel;
    apus_link link;
    uint64_t next_command_ns;
    uint64_t next_probe_ns;
    uint32_t tokens;
    bool greeted; // the first message of this connection has been sent
    bool commands_waiting;
} apus_polymarket_lane;

// Where a token's subscription stands (polymarket_session.c).
typedef struct apus_polymarket_subscription {
    uint64_t asked_ns;
    uint8_t state;
    uint8_t lane;
} apus_polymarket_subscription;

typedef struct apus_polymarket_session {
    apus_session session; // first: the shell's view
    apus_polymarket_config config;
    apus_polymarket_market polymarket;
    apus_polymarket_lane* lanes;
    apus_channel* channels[APUS_SESSION_CHANNELS_MAX];
    apus_polymarket_subscription* subscriptions; // by instrument
    apus_tap* tap;                               // where received messages are copied to, or NULL
    uint64_t next_check_ns;
    uint64_t probes; // books asked for only to see whether the stream still answers
    bool running;
} apus_polymarket_session;

// The venue's documented address and limits.
void apus_polymarket_config_default(apus_polymarket_config* config);

// Makes a session; its buffers come from the market's arena. Returns 0, -ENOMEM, -EINVAL for a config that cannot work,
// or what the link says.
int apus_polymarket_session_init(apus_polymarket_session* session, const apus_polymarket_config* config,
                                 apus_market* market, const apus_random* random);

// Subscribes or drops a token of the table; before the start or on the hot thread (APUS_COMMAND_SUBSCRIBE does this).
// -ENOSPC: all connections have as many tokens as they may.
int apus_polymarket_session_subscribe(apus_polymarket_session* session, uint16_t instrument, uint64_t now_ns);
int apus_polymarket_session_unsubscribe(apus_polymarket_session* session, uint16_t instrument, uint64_t now_ns);

#endif
