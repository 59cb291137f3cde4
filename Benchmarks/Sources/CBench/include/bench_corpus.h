// Messages one behind the other in one buffer, each with APUS_PADDING readable bytes behind it, and the decoders over them.
// One thread; nothing is allocated while time is taken.
#ifndef BENCH_CORPUS_H
#define BENCH_CORPUS_H

#include "apus_binance.h"
#include "apus_polymarket_decode.h"
#include "apus_ws.h"

typedef struct bench_corpus {
    uint8_t* bytes;
    size_t used;
    size_t capacity;
    uint32_t* lengths;
    size_t count;
    size_t room;
} bench_corpus;

// Makes an empty one; NULL where there is no memory.
bench_corpus* bench_corpus_make(void);
void bench_corpus_free(bench_corpus* corpus);

// Copies a message behind the others. Returns 0 or -ENOMEM.
int bench_corpus_add(bench_corpus* corpus, const uint8_t* bytes, size_t length);

// The decoders of both venues over one table of instruments, and everything that a market needs.
typedef struct bench_market bench_market;

// `name` of the shared mapping; NULL with *error set (negative errno) when something cannot be made. With a clock the publish
// times are real, as live. `vector` is an apus_vector, or -1 for the best one.
bench_market* bench_market_make(const char* name, bool with_clock, int vector, int* error);
void bench_market_free(bench_market* market);

// Adds an instrument of Binance with these decimals (tick and lot of one unit), or a token of Polymarket. Returns its number or a
// negative errno.
int bench_market_add(bench_market* market, const char* symbol, uint8_t price_decimals, uint8_t quantity_decimals,
                     int64_t tick);

// Tells the decoder of Polymarket that instrument 0 is `token` of the market `id`, as its session learns it from the first book.
// Returns 0 or a negative errno. Once.
int bench_market_learn(bench_market* market, const char* id, const char* token);

apus_binance_decoder* bench_market_binance(bench_market* market);
apus_public* bench_market_view(bench_market* market);

// Nanoseconds for the whole corpus; *levels is how many levels came out, *failed how many messages could not be read.
uint64_t bench_decode_binance(bench_market* market, const bench_corpus* corpus, uint64_t* levels, uint64_t* failed);
uint64_t bench_decode_polymarket(bench_market* market, const bench_corpus* corpus, uint64_t* levels, uint64_t* failed);

// Everything of a stream goes through the decoder, the books and the ring: `stream` is whole WebSocket frames as a server sends
// them, given `chunk` bytes at a time as a socket would; that copy is not timed. *published is the number of events.
uint64_t bench_frames_published(bench_market* market, const uint8_t* stream, size_t bytes, size_t chunk,
                                uint64_t* published);

// The parts of that way by themselves, over the same frames: cutting them, and from decoded levels to the published event.
uint64_t bench_frames_parsed(bench_market* market, const uint8_t* stream, size_t bytes, size_t chunk,
                             uint64_t* messages);
uint64_t bench_levels_published(bench_market* market, const bench_corpus* corpus, uint64_t* published);

// Reading the bytes, eight at a time, and nothing else: the floor of frame parsing.
uint64_t bench_frames_read(bench_market* market, const uint8_t* stream, size_t bytes, size_t chunk, uint64_t* sum);

// Opens and synchronises the book of an instrument by the body of a snapshot. Returns 0 or a negative errno.
int bench_market_snapshot(bench_market* market, uint16_t instrument, const uint8_t* first_message, size_t first_length,
                          const uint8_t* body, size_t length);

// The hop histograms of `count` events, or without `record` the same loop around them.
uint64_t bench_hops(bench_market* market, uint64_t count, bool record);

#endif
