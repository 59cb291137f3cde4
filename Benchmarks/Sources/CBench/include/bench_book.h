// Books over a row of deltas. One thread; the memory is made before time is taken.
#ifndef BENCH_BOOK_H
#define BENCH_BOOK_H

#include "bench_corpus.h"

// One change of one level.
typedef struct bench_delta {
    int64_t price;
    int64_t quantity; // 0 deletes
    uint64_t side;
} bench_delta;

typedef struct bench_deltas {
    bench_delta* rows;
    size_t count;
} bench_deltas;

// Reads the file that ../shared/peers/gen_l2.py makes; prices in ticks, quantities in thousandths. Returns 0, -errno, or -EBADMSG
// for another kind of file.
int bench_deltas_read_l2(const char* path, bench_deltas* out);

// The levels of all depth messages of a corpus, in their order, by its decoder. Returns 0, -ENOMEM or -EBADMSG.
int bench_deltas_decode(bench_market* market, const bench_corpus* corpus, bench_deltas* out);
// Writes them for a peer: u64 count, then the rows.
int bench_deltas_write(const bench_deltas* deltas, const char* path);
void bench_deltas_free(bench_deltas* deltas);

// Applies every delta to an empty book and reads both best prices after each: checksum += bid * 31 + ask from the moment both
// sides exist. Returns nanoseconds, 0 where the book failed.
uint64_t bench_book_run(const bench_deltas* deltas, int64_t tick, uint64_t* checksum);

// Reads the deltas only.
uint64_t bench_book_floor(const bench_deltas* deltas, uint64_t* checksum);

// `books` books take deltas in turns, each its own part of them. Returns nanoseconds for `updates` updates after a warm-up that
// fills the books with `warm` deltas each; *bytes is memory for each book.
uint64_t bench_books_in_turn(const bench_deltas* deltas, uint32_t books, size_t warm, size_t updates, uint64_t* bytes);

#endif
