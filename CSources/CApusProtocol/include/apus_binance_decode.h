// Binance market messages: bytes to typed values. Spot, USD-M and COIN-M futures, raw or in the combined-stream wrapper.
//
// A message written the way the venue writes it (key order, no spaces) is cut up by the places of its commas, and its numbers are
// read many digits at once. Anything else is read from its start by the JSON scanner, with the same result for every valid JSON:
// any key order, spacing, escapes, extra fields, repeated keys (the last one counts). Nothing is applied here: a message is decoded
// as a whole, or it is an error.
//
// A decoder belongs to one thread (the hot thread). It allocates nothing.
#ifndef APUS_BINANCE_DECODE_H
#define APUS_BINANCE_DECODE_H

#include "apus_board.h"
#include "apus_instrument.h"
#include "apus_limits.h"
#include "apus_vector.h"

enum apus_binance_kind {
    APUS_BINANCE_UNKNOWN = 0,  // valid, but nothing for us; see unknown_reason
    APUS_BINANCE_DEPTH = 1,    // depthUpdate
    APUS_BINANCE_TICKER = 2,   // bookTicker
    APUS_BINANCE_TRADE = 3,    // trade or aggTrade
    APUS_BINANCE_SNAPSHOT = 4, // the body of GET .../depth
    APUS_BINANCE_ANSWER = 5,   // answer to SUBSCRIBE and the like, good or bad
};

enum apus_binance_unknown {
    APUS_BINANCE_UNKNOWN_EVENT = 1,  // an event type that is not decoded, or no event at all
    APUS_BINANCE_UNKNOWN_SYMBOL = 2, // the instrument is not in the table, or a snapshot for no instrument
};

// What went wrong, beside the errno value; apus_binance_fault_text names each.
enum apus_binance_fault {
    APUS_BINANCE_FAULT_NONE = 0,
    APUS_BINANCE_FAULT_JSON = 1,     // no JSON; json_fault says why
    APUS_BINANCE_FAULT_TYPE = 2,     // a field is not of the type it must have
    APUS_BINANCE_FAULT_MISSING = 3,  // a field is missing; the offset is the end of the object
    APUS_BINANCE_FAULT_NUMBER = 4,   // a text that must be a decimal is none, or is negative
    APUS_BINANCE_FAULT_DECIMALS = 5, // more decimals than the instrument has
    APUS_BINANCE_FAULT_RANGE = 6,    // a number that does not fit
    APUS_BINANCE_FAULT_LEVELS = 7,   // more levels than the scratch holds (APUS_MESSAGE_LEVELS_MAX)
    APUS_BINANCE_FAULT_TEXT = 8,     // a text with escapes longer than APUS_JSON_TEXT_BYTES
    APUS_BINANCE_FAULT_SIZE = 9,     // a message longer than APUS_MESSAGE_BYTES_MAX
};

typedef struct apus_binance_message {
    uint8_t kind;           // apus_binance_kind
    uint8_t unknown_reason; // apus_binance_unknown
    uint8_t fault;          // apus_binance_fault
    uint8_t json_fault;     // apus_json_fault
    uint16_t instrument;    // number in the table, or APUS_INSTRUMENT_NONE
    bool has_previous;      // DEPTH: `pu` was there (futures)
    bool aggregate;         // TRADE: aggTrade
    bool buyer_is_maker;    // TRADE: the taker sold
    bool not_market;        // TRADE: "X" is there and not "MARKET" (insurance fund, ADL): no trade of the book
    bool succeeded;         // ANSWER
    bool general;           // read by the JSON scanner

    uint64_t event_time;       // E, as on the wire (ms); 0 when absent
    uint64_t transaction_time; // T (ms); 0 when absent
    uint64_t first_update;     // DEPTH: U
    uint64_t last_update;      // DEPTH: u; TICKER: u; SNAPSHOT: lastUpdateId
    uint64_t previous_update;  // DEPTH: pu

    // DEPTH, SNAPSHOT: bid_count levels and behind them ask_count levels, in the order of the message, in the decoder's
    // scratch until the next message. Quantity 0 deletes.
    const apus_level* levels;
    uint32_t bid_count;
    uint32_t ask_count;

    apus_level bid; // TICKER; a TRADE's price and quantity
    apus_level ask; // TICKER

    uint64_t trade_id;   // TRADE: t or a
    uint64_t answer_id;  // ANSWER: id when it is a number
    int64_t answer_code; // ANSWER: code of an error

    // Texts inside the message (between the quotes, escapes as they are), NULL when absent: the symbol; the stream's name when
    // the message was wrapped; the event type; an error's text.
    const uint8_t* symbol;
    const uint8_t* stream;
    const uint8_t* event_type;
    const uint8_t* answer_text;
    uint32_t symbol_length;
    uint32_t stream_length;
    uint32_t event_type_length;
    uint32_t answer_text_length;

    size_t error_offset; // byte offset in the message
} apus_binance_message;

typedef struct apus_binance_counters {
    uint64_t fast;            // messages in the venue's usual form, read by the fast reader
    uint64_t general;         // messages read by the JSON scanner
    uint64_t unknown_events;  // valid, skipped
    uint64_t unknown_symbols; // valid, skipped
    uint64_t errors;
} apus_binance_counters;

// Places of commas that are looked up ahead of the reader.
#define APUS_BINANCE_POSITIONS 1024u

typedef struct apus_binance_decoder {
    const apus_instrument_table* instruments;
    apus_level* levels;
    uint32_t level_capacity;
    uint8_t vector; // apus_vector
    bool general_only;
    apus_binance_counters counters;
    uint32_t positions[APUS_BINANCE_POSITIONS + 64];
    uint8_t text[APUS_JSON_TEXT_BYTES];
} apus_binance_decoder;

// `levels` has room for level_capacity levels (bids and asks of one message together, APUS_MESSAGE_LEVELS_MAX is the usual
// number). Table and scratch stay the caller's and must outlive the decoder. The best vector variant is chosen.
void apus_binance_decoder_init(apus_binance_decoder* decoder, const apus_instrument_table* instruments,
                               apus_level* levels, uint32_t level_capacity);

// For tests and measurements: one certain variant. Returns 0, or -ENOTSUP when this processor cannot run it.
int apus_binance_decoder_force(apus_binance_decoder* decoder, apus_vector vector);

// For tests: read everything by the JSON scanner.
void apus_binance_decoder_force_general(apus_binance_decoder* decoder, bool general_only);

// Decodes one message, bytes[0, length), with APUS_PADDING readable bytes behind it. `instrument` is what a body without a
// symbol is about (a REST snapshot), or APUS_INSTRUMENT_NONE. Returns 0 and fills *message, or a negative errno:
// -EBADMSG (malformed; fault, json_fault and error_offset say what and where), -EDOM (too many decimals), -ERANGE (a number
// that does not fit), -ENOBUFS (a limit was passed; fault says which). Pointers in *message last until the next call or
// until the bytes go.
int apus_binance_decode(apus_binance_decoder* decoder, const uint8_t* bytes, size_t length, uint16_t instrument,
                        apus_binance_message* message);

// The end of a sentence for a fault, such as "more levels than APUS_MESSAGE_LEVELS_MAX".
const char* apus_binance_fault_text(uint8_t fault);

#endif
