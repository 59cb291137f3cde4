// What the parts of the rig share. Internal.
#ifndef COUNTS_RIG_INTERNAL_H
#define COUNTS_RIG_INTERNAL_H

#include "apus_random.h"
#include "counts_rig.h"

#define COUNTS_ARENA_BYTES ((size_t)1 << 28)
#define COUNTS_MARKET "0x285746de0e4f751fd4dc8f9dc2cecd0101ba9ad0096a43145ed9643b09514f01"
#define COUNTS_TOKEN "76670567130917723816490572615540605537878462672464291990940067659127658071111"
#define COUNTS_SPOT "ETHUSDT"
#define COUNTS_FIRST_UPDATE 5123000000001ull

enum {
    COUNTS_MESSAGES = 1024, // of each kind
    COUNTS_CHANGES = 64,
    COUNTS_PAIRS = 16,
    COUNTS_VALUES = 1024,
    COUNTS_FRAME_PAYLOAD = 309,
    COUNTS_FRAME_BYTES = COUNTS_FRAME_PAYLOAD + 4,
};
#define COUNTS_DELTAS (1u << 18)

// Messages of one length, one behind the other, with readable bytes behind the last.
typedef struct counts_messages {
    uint8_t* bytes;
    uint32_t length;
    uint32_t next;
} counts_messages;

typedef struct counts_delta {
    int64_t price;
    int64_t quantity;
    uint32_t side;
} counts_delta;

struct counts_rig {
    uint64_t wrong;
    apus_public view;
    apus_clock clock;
    apus_publisher publisher;
    apus_arena arena;
    apus_instrument_table table;
    apus_market market;
    apus_binance_market binance; // its decoder decodes alone too
    apus_polymarket_decoder polymarket;
    apus_polymarket_pair pair;
    apus_polymarket_pair* pairs[COUNTS_PAIRS];
    apus_polymarket_level changes[COUNTS_CHANGES];
    apus_level levels[APUS_MESSAGE_LEVELS_MAX];

    counts_messages spot;   // as the venue writes them
    counts_messages others; // the same with spaces and another order
    counts_messages tokens;

    apus_ws ws; // over `stream`, as text alone
    apus_buffer frames;
    apus_ws stream_ws; // over `stream`, into the book
    apus_buffer stream;
    uint64_t update_id;

    apus_book book;
    counts_delta* deltas;
    uint32_t next_delta;

    uint64_t values[COUNTS_VALUES];
    uint32_t next_value;
};

bool counts_make_messages(counts_rig* rig);
bool counts_make_deltas(counts_rig* rig);
// Makes the stream's frames and brings its book to life.
bool counts_open_stream(counts_rig* rig);

// A buffer of COUNTS_STREAM frames of a depth stream, and its frames' update ids.
bool counts_make_frames(apus_buffer* buffer, uint64_t seed);
void counts_renew_frame(uint8_t* frame, uint64_t update_id);

#endif
