// Polymarket's market channel: bytes to typed values.
//
// A price_change of a known market that is written the way the venue writes it is read in one pass: its texts are
// compared with what must stand there, and its numbers are read sixteen bytes at once. Everything else is read by the
// JSON scanner, with the same result for every valid JSON: any key order, spacing, escapes, extra fields, repeated keys
// (the last one counts). Nothing is applied here: an object is decoded as a whole, or it is an error.
//
// The venue proves its books by a hash over the texts of its numbers. The numbers of a level are therefore given as
// values and as the venue's own texts.
//
// A decoder belongs to one thread (the hot thread). It allocates nothing.
#ifndef APUS_POLYMARKET_DECODE_H
#define APUS_POLYMARKET_DECODE_H

#include "apus_book.h"
#include "apus_instrument.h"
#include "apus_json.h"
#include "apus_limits.h"
#include "apus_vector.h"

enum apus_polymarket_kind {
    APUS_POLYMARKET_UNKNOWN = 0,   // valid, but nothing for us (new_market, market_resolved, ...)
    APUS_POLYMARKET_BOOK = 1,      // book, or the body of GET /book
    APUS_POLYMARKET_CHANGE = 2,    // price_change
    APUS_POLYMARKET_TRADE = 3,     // last_trade_price
    APUS_POLYMARKET_TICK_SIZE = 4, // tick_size_change
    APUS_POLYMARKET_TICKER = 5,    // best_bid_ask
    APUS_POLYMARKET_CONTROL = 6,   // PONG, NO NEW ASSETS: texts that are no JSON
};

// What went wrong, beside the errno value; apus_polymarket_fault_text names each.
enum apus_polymarket_fault {
    APUS_POLYMARKET_FAULT_NONE = 0,
    APUS_POLYMARKET_FAULT_JSON = 1,     // no JSON; json_fault says why
    APUS_POLYMARKET_FAULT_TYPE = 2,     // a field is not of the type it must have
    APUS_POLYMARKET_FAULT_MISSING = 3,  // a field is missing; the offset is where its object begins
    APUS_POLYMARKET_FAULT_NUMBER = 4,   // a text that must be a decimal is none, or is negative
    APUS_POLYMARKET_FAULT_DECIMALS = 5, // more decimals than the instrument has
    APUS_POLYMARKET_FAULT_RANGE = 6,    // a number that does not fit
    APUS_POLYMARKET_FAULT_LEVELS = 7,   // more levels than the scratch holds
    APUS_POLYMARKET_FAULT_TEXT = 8,     // a text longer than its limit
    APUS_POLYMARKET_FAULT_SIDE = 9,     // a side that is neither BUY nor SELL
    APUS_POLYMARKET_FAULT_SIZE = 10,    // a message longer than APUS_MESSAGE_BYTES_MAX
};

// A market's id has 66 characters, a hash 40.
#define APUS_POLYMARKET_ID_BYTES 66u
#define APUS_POLYMARKET_HASH_BYTES 40u
// Longest text of a number, and of the two numbers of a level together.
#define APUS_POLYMARKET_NUMBER_BYTES 40u
#define APUS_POLYMARKET_LEVEL_BYTES 32u
// Room for what was written with escapes, all texts of one object together.
#define APUS_POLYMARKET_TEXT_BYTES 4096u
// `{"asset_id":"` + token + `","price":"`
#define APUS_POLYMARKET_NEEDLE_BYTES 128u

typedef struct apus_polymarket_text {
    const uint8_t* bytes;
    uint32_t length; // 0: absent or empty
} apus_polymarket_text;

// A level of a book, or one change.
typedef struct apus_polymarket_level {
    int64_t price;
    int64_t size; // 0 deletes
    const uint8_t* price_text;
    const uint8_t* size_text;
    const uint8_t* hash; // CHANGE: APUS_POLYMARKET_HASH_BYTES characters, or NULL when it came without
    uint16_t instrument; // CHANGE: APUS_INSTRUMENT_NONE for a token that is not in the table (its numbers are not read)
    uint8_t price_length;
    uint8_t size_length;
    uint8_t side;               // CHANGE: APUS_SIDE_BID or APUS_SIDE_ASK
    apus_polymarket_text asset; // CHANGE
} apus_polymarket_level;

// A market (the venue's "condition") and its two outcome tokens, as the one-pass reader looks for them.
typedef struct apus_polymarket_pair {
    uint8_t id[APUS_POLYMARKET_ID_BYTES];
    uint16_t instruments[2];  // APUS_INSTRUMENT_NONE: not in the table
    uint8_t needle_length[2]; // 0: that token has not been seen yet
    uint8_t needle[2][APUS_POLYMARKET_NEEDLE_BYTES];
} apus_polymarket_pair;

typedef struct apus_polymarket_message {
    uint8_t kind;        // apus_polymarket_kind
    uint8_t fault;       // apus_polymarket_fault
    uint8_t json_fault;  // apus_json_fault
    uint8_t side;        // TRADE: of the taker, APUS_SIDE_BID bought, APUS_SIDE_ASK sold
    bool fast;           // read in one pass
    bool unknown_asset;  // the token (CHANGE: one of them) is not in the table
    bool has_neg_risk;   // BOOK by REST
    bool neg_risk;       //
    uint16_t instrument; // BOOK, TRADE, TICK_SIZE, TICKER: APUS_INSTRUMENT_NONE when it is not in the table

    uint64_t timestamp; // milliseconds; 0 when absent

    // BOOK: bid_count bids and behind them ask_count asks in the order of the message; CHANGE: change_count changes.
    // They lie in the decoder's scratch until the next object. A book of an unknown token has none.
    const apus_polymarket_level* levels;
    uint32_t bid_count;
    uint32_t ask_count;
    uint32_t change_count;

    // TRADE: price and size. TICKER: price is the best bid, ask the best ask (a price of 0 where a side is empty).
    // TICK_SIZE: the old and the new tick in price and ask.
    int64_t price;
    int64_t size;
    int64_t ask;
    int64_t tick; // BOOK: tick_size in price units, 0 when absent

    apus_polymarket_pair* pair; // the market, when the decoder knows it
    apus_polymarket_text market;
    apus_polymarket_text asset;
    apus_polymarket_text event_type;
    apus_polymarket_text hash;
    apus_polymarket_text tick_size;        // BOOK; TICK_SIZE: the new one
    apus_polymarket_text last_trade_price; // BOOK, TRADE: the raw text
    apus_polymarket_text min_order_size;   // BOOK by REST

    size_t error_offset; // byte offset in the frame
} apus_polymarket_message;

typedef struct apus_polymarket_decoder {
    const apus_instrument_table* instruments;
    apus_polymarket_level* levels;
    apus_polymarket_pair** pairs; // hash table by market id
    uint32_t pair_mask;
    uint32_t pair_count;
    uint32_t level_capacity;
    uint32_t text_used;
    bool general_only;
    bool wide;        // this processor has the instructions for sixteen bytes at once
    uint64_t fast;    // objects read in one pass
    uint64_t general; // objects read by the JSON scanner
    uint8_t text[APUS_POLYMARKET_TEXT_BYTES];
} apus_polymarket_decoder;

// Where a frame of one object or of an array of them stands.
typedef struct apus_polymarket_frame {
    const uint8_t* bytes;
    size_t length;
    apus_json json; // over the array
    uint8_t form;   // internal
    bool done;
} apus_polymarket_frame;

// Places of the hash table of pairs for `capacity` markets.
uint32_t apus_polymarket_pair_places(uint32_t capacity);

// `levels` has room for level_capacity levels of one message; `pairs` for `places` pointers (a power of two, see
// above). All memory stays the caller's and must outlive the decoder.
void apus_polymarket_decoder_init(apus_polymarket_decoder* decoder, const apus_instrument_table* instruments,
                                  apus_polymarket_level* levels, uint32_t level_capacity, apus_polymarket_pair** pairs,
                                  uint32_t places);

// For tests and measurements: `general_only` reads everything by the JSON scanner; `vector` is the number reader of the
// one pass (APUS_VECTOR_AVX512 is the same as APUS_VECTOR_AVX2 here). Returns 0, or -ENOTSUP when this processor cannot
// run it.
int apus_polymarket_decoder_force(apus_polymarket_decoder* decoder, apus_vector vector, bool general_only);

// Adds a market to the table; its id is set. Returns 0, or -ENOSPC when the table is three quarters full.
int apus_polymarket_decoder_learn(apus_polymarket_decoder* decoder, apus_polymarket_pair* pair);

// The market with this id, or NULL.
apus_polymarket_pair* apus_polymarket_decoder_pair(const apus_polymarket_decoder* decoder, const uint8_t* id,
                                                   size_t length);

// Gives a pair one of its tokens: sets the number of a token that it has, or takes the free place. Returns false when
// the pair has two others already.
bool apus_polymarket_pair_token(apus_polymarket_pair* pair, const uint8_t* asset, size_t length, uint16_t instrument);

// Begins a frame of bytes[0, length), with APUS_PADDING readable bytes behind it.
void apus_polymarket_frame_begin(apus_polymarket_frame* frame, const uint8_t* bytes, size_t length);

// Decodes the frame's next object. Returns 1 with *message filled, 0 at the end of the frame, or a negative errno:
// -EBADMSG (malformed; fault, json_fault and error_offset say what and where), -EDOM (too many decimals), -ERANGE (a
// number that does not fit), -ENOBUFS (a limit was passed; fault says which). After an error the frame is done.
// Pointers in *message last until the next call or until the bytes go.
int apus_polymarket_frame_next(apus_polymarket_decoder* decoder, apus_polymarket_frame* frame,
                               apus_polymarket_message* message);

// Whether the frame is an array, whose later objects may turn out to be bad.
bool apus_polymarket_frame_many(const apus_polymarket_frame* frame);

// The end of a sentence for a fault, such as "more levels than the scratch holds".
const char* apus_polymarket_fault_text(uint8_t fault);

#endif
