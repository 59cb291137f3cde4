#include "bench_book.h"

#include "bench_time.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// MARK: deltas

typedef struct l2_record {
    uint64_t ts_ns;
    uint32_t price_ticks;
    uint32_t flags;
    double quantity;
} l2_record;

static int reserve(bench_deltas* out, size_t count) {
    out->rows = malloc((count + 1) * sizeof *out->rows);
    out->count = 0;
    return out->rows == NULL ? -ENOMEM : 0;
}

static int read_records(FILE* file, bench_deltas* out) {
    char magic[8];
    uint64_t count;
    if (fread(magic, 8, 1, file) != 1 || memcmp(magic, "L2DELTA1", 8) != 0 || fread(&count, 8, 1, file) != 1)
        return -EBADMSG;
    if (count > 1u << 30) return -EBADMSG;
    int error = reserve(out, count);
    l2_record record;
    for (; error == 0 && out->count < count; out->count++) {
        if (fread(&record, sizeof record, 1, file) != 1) return -EBADMSG;
        bool deletes = (record.flags & 2) != 0;
        out->rows[out->count] =
            (bench_delta){record.price_ticks, deletes ? 0 : llround(record.quantity * 1000), record.flags & 1};
    }
    return error;
}

int bench_deltas_read_l2(const char* path, bench_deltas* out) {
    *out = (bench_deltas){0};
    FILE* file = fopen(path, "rb");
    if (file == NULL) return -errno;
    int error = read_records(file, out);
    fclose(file);
    if (error != 0) bench_deltas_free(out);
    return error;
}

static void take(bench_deltas* out, const apus_level* levels, uint32_t count, uint64_t side) {
    for (uint32_t i = 0; i < count; i++)
        out->rows[out->count++] = (bench_delta){levels[i].price, levels[i].quantity, side};
}

int bench_deltas_decode(bench_market* market, const bench_corpus* corpus, bench_deltas* out) {
    // A level takes at least ten bytes of a message.
    if (reserve(out, corpus->used / 10) != 0) return -ENOMEM;
    const uint8_t* at = corpus->bytes;
    apus_binance_message message;
    for (size_t i = 0; i < corpus->count; at += corpus->lengths[i++] + APUS_PADDING) {
        if (apus_binance_decode(bench_market_binance(market), at, corpus->lengths[i], 0, &message) < 0) {
            bench_deltas_free(out);
            return -EBADMSG;
        }
        if (message.kind != APUS_BINANCE_DEPTH && message.kind != APUS_BINANCE_SNAPSHOT) continue;
        take(out, message.levels, message.bid_count, APUS_SIDE_BID);
        take(out, message.levels + message.bid_count, message.ask_count, APUS_SIDE_ASK);
    }
    return 0;
}

int bench_deltas_write(const bench_deltas* deltas, const char* path) {
    FILE* file = fopen(path, "wb");
    if (file == NULL) return -errno;
    uint64_t count = deltas->count;
    bool good = fwrite(&count, 8, 1, file) == 1 && fwrite(deltas->rows, sizeof *deltas->rows, count, file) == count;
    return fclose(file) == 0 && good ? 0 : -EIO;
}

void bench_deltas_free(bench_deltas* deltas) {
    free(deltas->rows);
    *deltas = (bench_deltas){0};
}

// MARK: one book

// As the engine's own memory: a reservation whose pages come at the first touch.
static bool reserve_arena(apus_arena* arena, size_t bytes) {
    void* base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return false;
    apus_arena_init(arena, base, bytes);
    return true;
}

static uint64_t apply_all(apus_book* book, const bench_deltas* deltas, uint64_t* checksum) {
    uint64_t sum = 0, start = bench_now();
    for (size_t i = 0; i < deltas->count; i++) {
        const bench_delta* delta = &deltas->rows[i];
        apus_book_set(book, (uint32_t)delta->side, delta->price, delta->quantity);
        uint64_t bid = (uint64_t)apus_book_best_level(book, APUS_SIDE_BID).price;
        uint64_t ask = (uint64_t)apus_book_best_level(book, APUS_SIDE_ASK).price;
        if (bid != 0 && ask != 0) sum += bid * 31 + ask;
    }
    uint64_t end = bench_now();
    *checksum = sum;
    return book->error == 0 ? end - start : 0;
}

uint64_t bench_book_run(const bench_deltas* deltas, int64_t tick, uint64_t* checksum) {
    size_t bytes = (size_t)64 << 20;
    apus_arena arena;
    apus_book* book = aligned_alloc(APUS_CACHE_LINE, (sizeof *book + APUS_CACHE_LINE - 1) & ~(APUS_CACHE_LINE - 1ul));
    if (book == NULL || !reserve_arena(&arena, bytes)) {
        free(book);
        return 0;
    }
    uint64_t time = apus_book_init(book, &arena, tick) == 0 ? apply_all(book, deltas, checksum) : 0;
    munmap(arena.base, bytes);
    free(book);
    return time;
}

uint64_t bench_book_floor(const bench_deltas* deltas, uint64_t* checksum) {
    uint64_t best[2] = {0, 0}, sum = 0, start = bench_now();
    for (size_t i = 0; i < deltas->count; i++) {
        const bench_delta* delta = &deltas->rows[i];
        best[delta->side & 1] = (uint64_t)delta->price + (uint64_t)delta->quantity;
        sum += best[0] * 31 + best[1];
    }
    uint64_t end = bench_now();
    *checksum = sum;
    return end - start;
}

// MARK: many books

// Books as the market keeps them: each record from the arena, like everything in it.
static apus_book** make_books(apus_arena* arena, uint32_t count) {
    apus_book** books = malloc(count * sizeof *books);
    for (uint32_t i = 0; books != NULL && i < count; i++) {
        books[i] = apus_arena_alloc(arena, sizeof **books);
        if (books[i] != NULL && apus_book_init(books[i], arena, 1) == 0) continue;
        free(books);
        return NULL;
    }
    return books;
}

// The deltas of each book begin at another place, so that no book's branches foretell the next one's. They are laid out in the order
// in which they are wanted: reading them costs as little as reading a message that has just arrived.
static bench_delta* interleave(const bench_deltas* deltas, uint32_t count, size_t rounds) {
    bench_delta* rows = malloc((size_t)count * rounds * sizeof *rows);
    if (rows == NULL) return NULL;
    size_t places = deltas->count - rounds;
    for (uint32_t i = 0; i < count; i++) {
        size_t from = (size_t)i * 7919 % places;
        for (size_t k = 0; k < rounds; k++)
            rows[k * count + i] = deltas->rows[from + k];
    }
    return rows;
}

static uint64_t apply_in_turn(apus_book** books, uint32_t count, const bench_delta* rows, size_t updates) {
    uint64_t sum = 0;
    for (size_t i = 0; i < updates;) {
        for (uint32_t k = 0; k < count; k++, i++) {
            apus_book_set(books[k], (uint32_t)rows[i].side, rows[i].price, rows[i].quantity);
            sum += (uint64_t)apus_book_best_level(books[k], APUS_SIDE_BID).price;
        }
    }
    return sum;
}

uint64_t bench_books_in_turn(const bench_deltas* deltas, uint32_t count, size_t warm, size_t updates, uint64_t* bytes) {
    size_t size = (size_t)8 << 30, rounds = warm + updates / count;
    apus_arena arena;
    if (rounds >= deltas->count || !reserve_arena(&arena, size)) return 0;
    apus_book** books = make_books(&arena, count);
    bench_delta* rows = interleave(deltas, count, rounds);
    uint64_t time = 0;
    if (books != NULL && rows != NULL && apply_in_turn(books, count, rows, warm * count) != 0) {
        uint64_t start = bench_now();
        uint64_t sum = apply_in_turn(books, count, rows + warm * count, updates / count * count);
        time = sum == 0 ? 0 : bench_now() - start;
        *bytes = arena.live / count;
        for (uint32_t i = 0; i < count; i++)
            if (books[i]->error != 0) time = 0;
    }
    free(rows);
    free(books);
    munmap(arena.base, size);
    return time;
}
