// Binance market data: from messages to books. Spot, USD-M and COIN-M futures.
//
// Two layers. `apus_binance_market` takes whole messages and REST bodies and knows nothing of connections: replay, fuzzers and
// tests use it as it is. `apus_binance_session` puts it on one stream link and one REST queue.
#ifndef APUS_BINANCE_H
#define APUS_BINANCE_H

#include "apus_binance_decode.h"
#include "apus_fetch.h"
#include "apus_link.h"
#include "apus_market.h"
#include "apus_session.h"
#include "apus_tap.h"

// MARK: messages

// A depth message that waits for the snapshot.
typedef struct apus_binance_pending {
    struct apus_binance_pending* next;
    uint64_t first_update;
    uint64_t last_update;
    uint64_t previous_update;
    uint32_t bid_count;
    uint32_t ask_count;
    bool has_previous;
    apus_level levels[];
} apus_binance_pending;

// The venue's part of a book: where its synchronisation stands (the procedure is drawn in binance_market.c).
typedef struct apus_binance_sync {
    apus_binance_pending* oldest;
    apus_binance_pending* newest;
    uint64_t pending_levels;
    uint64_t probe_update; // lastUpdateId of a REST probe that the stream has not reached yet; 0: none
    // Counts the attempts to synchronise: an answer that was asked for in an earlier one says nothing about this one.
    uint32_t epoch;
    bool snapshot_applied;
    bool bridged; // the first event after the snapshot has fitted
    bool wants_snapshot;

    // Kept by the session.
    bool in_flight;       // a snapshot of this epoch is on its way
    bool probe_in_flight; // a probe of this epoch is on its way
    bool probe_equal;     // the best levels of the probe behind probe_update were those of the book
    uint64_t probed_ns;   // when probe_update was learnt
    uint64_t probe_due_ns;
    uint64_t asked_ns; // when a snapshot was last asked for, in any epoch; 0: never
} apus_binance_sync;

typedef struct apus_binance_market {
    apus_market* market;
    apus_binance_decoder decoder;
    apus_binance_message last; // the newest message, also one that failed: fault and error_offset
    uint64_t duplicates;       // depth messages that held nothing new
} apus_binance_market;

// `levels` as for apus_binance_decoder_init. All memory stays the caller's.
void apus_binance_market_init(apus_binance_market* binance, apus_market* market, apus_level* levels,
                              uint32_t level_capacity);

// Opens an instrument of the table; its snapshot is wanted from its first depth message on. NULL: the arena is full.
apus_market_book* apus_binance_market_open(apus_binance_market* binance, uint16_t instrument);
void apus_binance_market_drop(apus_binance_market* binance, uint16_t instrument);

static inline apus_binance_sync* apus_binance_sync_of(const apus_market_book* book) {
    return book->venue;
}

// Takes one stream message with APUS_PADDING readable bytes behind it. Times are monotonic; kernel_ns 0: unknown.
// Returns 0, or the decoder's negative errno: the message was counted and changed no level (see binance->last). What it may
// have told is lost: the book it was for is STALE, and every book where it does not even say that.
int apus_binance_market_message(apus_binance_market* binance, const uint8_t* bytes, size_t length, uint64_t receive_ns,
                                uint64_t kernel_ns);

// Takes the body of GET .../depth for an instrument. A synchronised book is left as it is. Returns 0 or as above.
int apus_binance_market_snapshot(apus_binance_market* binance, uint16_t instrument, const uint8_t* bytes, size_t length,
                                 uint64_t receive_ns);

// Holds the book against the body of a small GET .../depth without changing it. Returns 1 when the stream has reached what the
// body tells; 0 when it has not yet: sync->probe_update says what it must reach, sync->probe_equal whether the levels in the
// body equal the book's best ones; or as above.
int apus_binance_market_probe(apus_binance_market* binance, uint16_t instrument, const uint8_t* bytes, size_t length,
                              uint64_t receive_ns);

// The same as apus_binance_market_snapshot for a snapshot that apus_binance_decode has just decoded into binance->last.
void apus_binance_market_snapshot_decoded(apus_binance_market* binance, apus_market_book* book, uint64_t receive_ns);

// The session has found one book to be behind the venue: it becomes STALE and wants a snapshot.
void apus_binance_market_stale(apus_binance_market* binance, uint16_t instrument, uint8_t reason);

// The connection is gone: every open book becomes STALE for `reason` and forgets what it had buffered.
void apus_binance_market_lost(apus_binance_market* binance, uint8_t reason);

// MARK: session

typedef struct apus_binance_config {
    apus_endpoint stream;
    apus_endpoint rest;
    char stream_path[APUS_PATH_BYTES]; // "/stream": combined streams
    char depth_path[APUS_PATH_BYTES];  // "/fapi/v1/depth"
    char depth_suffix[32];             // "@depth@0ms"
    char ticker_suffix[32];            // "@bookTicker"; empty: not subscribed
    char trade_suffix[32];             // "@trade"; empty: not subscribed
    uint32_t snapshot_limit;           // levels a side
    uint64_t snapshot_retry_ns;        // between two requests for one book
    uint64_t probe_interval_ns;        // a book without a depth message for so long is held against REST; 0: never
    uint64_t probe_grace_ns;           // the stream must have reached the probe's update id by then
    uint64_t command_interval_ns;      // between two messages to the venue (it takes 5 a second)
    uint64_t command_timeout_ns;       // without an answer to one the link reconnects
    uint32_t streams_each;             // streams named in one message
    apus_link_config link;
    apus_fetch_config fetch;
    uint64_t rx_bytes;
    uint64_t tx_bytes;
} apus_binance_config;

typedef struct apus_binance_session {
    apus_session session; // first: the shell's view
    apus_binance_config config;
    apus_binance_market binance;
    apus_channel stream;
    apus_channel rest;
    apus_channel* channels[2];
    apus_link link;
    apus_fetch fetch;
    uint8_t* wanted; // by instrument: where its subscription stands (binance_session.c)
    uint64_t next_command_ns;
    apus_tap* tap;          // where received messages are copied to, or NULL; set before the start
    uint64_t next_check_ns; // of snapshots that are wanted and books that are quiet
    uint64_t next_rest_ns;  // after a 429
    uint64_t command_id;
    uint64_t command_sent_ns;  // of the one command that waits for its answer; 0: none waits
    uint64_t commands_refused; // by the venue; they are tried again
    uint64_t probes_equal;     // REST probes that the stream agreed with
    uint64_t probes_frozen;    // those that showed a frozen stream
    bool commands_waiting;
    bool running;
} apus_binance_session;

// USD-M futures, spot and COIN-M: the venue's documented addresses, streams and limits.
void apus_binance_config_usdm(apus_binance_config* config);
void apus_binance_config_coinm(apus_binance_config* config);
void apus_binance_config_spot(apus_binance_config* config);

// Makes a session; its buffers come from the market's arena. Returns 0, -ENOMEM or what the link and the queue say.
int apus_binance_session_init(apus_binance_session* session, const apus_binance_config* config, apus_market* market,
                              const apus_random* random);

// Subscribes or drops an instrument of the table; before the start or on the hot thread (APUS_COMMAND_SUBSCRIBE does this).
int apus_binance_session_subscribe(apus_binance_session* session, uint16_t instrument);
int apus_binance_session_unsubscribe(apus_binance_session* session, uint16_t instrument);

#endif
