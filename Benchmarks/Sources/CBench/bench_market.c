// A market of the engine over memory of its own, and the timed ways through it.
#include "bench_corpus.h"
#include "bench_time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { TABLE = 64, PAIRS = 256, BOARD_DEPTH = 20 };
#define ARENA_BYTES ((size_t)1 << 30)
#define RX_BYTES ((size_t)1 << 20)

struct bench_market {
    apus_public view;
    apus_clock clock;
    apus_publisher publisher;
    apus_arena arena;
    apus_instrument_table table;
    apus_market market;
    apus_binance_market binance;
    apus_polymarket_decoder polymarket;
    apus_polymarket_pair* pairs[PAIRS];
    apus_polymarket_pair pair;
    apus_level levels[APUS_MESSAGE_LEVELS_MAX];
    apus_polymarket_level changes[APUS_POLYMARKET_LEVELS];
    void* table_memory;
    void* arena_memory;
};

// MARK: making

static int make_parts(bench_market* m, const char* name, bool with_clock) {
    apus_public_config config = {
        .name = name, .feed_slots = APUS_FEED_SLOTS_DEFAULT, .instruments = TABLE, .board_depth = BOARD_DEPTH};
    int error = apus_public_create(&m->view, &config);
    if (error != 0) return error;
    apus_clock_start(&m->clock);
    m->publisher = apus_publisher_make(&m->view, with_clock ? &m->clock : NULL);
    m->table_memory = aligned_alloc(64, (apus_instrument_table_bytes(TABLE) + 63) & ~63ul);
    m->arena_memory =
        mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->table_memory == NULL || m->arena_memory == MAP_FAILED) return -ENOMEM;
    apus_arena_init(&m->arena, m->arena_memory, ARENA_BYTES);
    error = apus_instrument_table_init(&m->table, m->table_memory, TABLE);
    if (error == 0) error = apus_market_init(&m->market, &m->publisher, &m->arena, &m->table, "bench");
    if (error != 0) return error;
    apus_binance_market_init(&m->binance, &m->market, m->levels, APUS_MESSAGE_LEVELS_MAX);
    apus_polymarket_decoder_init(&m->polymarket, &m->table, m->changes, APUS_POLYMARKET_LEVELS, m->pairs, PAIRS);
    return 0;
}

static int force(bench_market* m, int vector) {
    if (vector < 0) return 0;
    int error = apus_binance_decoder_force(&m->binance.decoder, (apus_vector)vector);
    return error != 0 ? error : apus_polymarket_decoder_force(&m->polymarket, (apus_vector)vector, false);
}

bench_market* bench_market_make(const char* name, bool with_clock, int vector, int* error) {
    bench_market* m = calloc(1, sizeof *m);
    *error = m == NULL ? -ENOMEM : make_parts(m, name, with_clock);
    if (*error == 0) *error = force(m, vector);
    if (*error == 0) return m;
    bench_market_free(m);
    return NULL;
}

void bench_market_free(bench_market* m) {
    if (m == NULL) return;
    apus_public_close(&m->view);
    free(m->table_memory);
    if (m->arena_memory != NULL && m->arena_memory != MAP_FAILED) munmap(m->arena_memory, ARENA_BYTES);
    free(m);
}

int bench_market_add(bench_market* m, const char* symbol, uint8_t price_decimals, uint8_t quantity_decimals,
                     int64_t tick) {
    apus_instrument instrument = {.price_decimals = price_decimals,
                                  .quantity_decimals = quantity_decimals,
                                  .tick_units = tick,
                                  .lot_units = 1,
                                  .contract_multiplier = 1};
    return apus_instrument_add(&m->table, symbol, strlen(symbol), &instrument);
}

int bench_market_learn(bench_market* m, const char* id, const char* token) {
    if (strlen(id) != APUS_POLYMARKET_ID_BYTES) return -EINVAL;
    memcpy(m->pair.id, id, APUS_POLYMARKET_ID_BYTES);
    m->pair.instruments[0] = m->pair.instruments[1] = APUS_INSTRUMENT_NONE;
    if (!apus_polymarket_pair_token(&m->pair, (const uint8_t*)token, strlen(token), 0)) return -EINVAL;
    return apus_polymarket_decoder_learn(&m->polymarket, &m->pair);
}

apus_binance_decoder* bench_market_binance(bench_market* m) {
    return &m->binance.decoder;
}

apus_public* bench_market_view(bench_market* m) {
    return &m->view;
}

int bench_market_snapshot(bench_market* m, uint16_t instrument, const uint8_t* first_message, size_t first_length,
                          const uint8_t* body, size_t length) {
    if (apus_binance_market_open(&m->binance, instrument) == NULL) return -ENOMEM;
    int error = apus_binance_market_message(&m->binance, first_message, first_length, 1, 0);
    if (error == 0) error = apus_binance_market_snapshot(&m->binance, instrument, body, length, 1);
    return error;
}

// MARK: decoding

uint64_t bench_decode_binance(bench_market* m, const bench_corpus* corpus, uint64_t* levels, uint64_t* failed) {
    const uint8_t* at = corpus->bytes;
    apus_binance_message message;
    *levels = *failed = 0;
    uint64_t start = bench_now();
    for (size_t i = 0; i < corpus->count; at += corpus->lengths[i++] + APUS_PADDING) {
        if (apus_binance_decode(&m->binance.decoder, at, corpus->lengths[i], 0, &message) != 0) {
            ++*failed;
            continue;
        }
        if (message.kind == APUS_BINANCE_DEPTH || message.kind == APUS_BINANCE_SNAPSHOT)
            *levels += message.bid_count + message.ask_count;
    }
    return bench_now() - start;
}

uint64_t bench_decode_polymarket(bench_market* m, const bench_corpus* corpus, uint64_t* levels, uint64_t* failed) {
    const uint8_t* at = corpus->bytes;
    apus_polymarket_message message;
    apus_polymarket_frame frame;
    *levels = *failed = 0;
    uint64_t start = bench_now();
    for (size_t i = 0; i < corpus->count; at += corpus->lengths[i++] + APUS_PADDING) {
        apus_polymarket_frame_begin(&frame, at, corpus->lengths[i]);
        int result;
        while ((result = apus_polymarket_frame_next(&m->polymarket, &frame, &message)) > 0)
            *levels += message.change_count;
        *failed += result < 0;
    }
    return bench_now() - start;
}

// MARK: frames

// A stream is given to the parser a chunk at a time, as a socket would give it, and only what follows is timed: a message that has
// just been received lies in the near caches.
typedef struct feeding {
    apus_buffer rx;
    apus_ws ws;
    const uint8_t* next;
    const uint8_t* end;
    size_t chunk;
    const apus_clock* clock;
    uint64_t began_ns;
    uint64_t time_ns;
} feeding;

static uint8_t rx_memory[RX_BYTES + APUS_PADDING];

static void begin(feeding* f, const bench_market* m, const uint8_t* stream, size_t bytes, size_t chunk) {
    *f = (feeding){.next = stream, .end = stream + bytes, .chunk = chunk, .clock = &m->clock};
    apus_buffer_init(&f->rx, rx_memory, sizeof rx_memory);
    apus_ws_init(&f->ws, APUS_MESSAGE_BYTES_MAX);
}

// Gives the next chunk, and starts the clock. Returns false at the stream's end.
static bool feed(feeding* f) {
    size_t left = (size_t)(f->end - f->next);
    size_t bytes = left < f->chunk ? left : f->chunk;
    uint8_t* room = apus_buffer_room(&f->rx, bytes);
    if (bytes == 0 || room == NULL) return false;
    memcpy(room, f->next, bytes);
    f->rx.end += bytes;
    f->next += bytes;
    f->began_ns = apus_clock_now(f->clock);
    return true;
}

static void done(feeding* f) {
    f->time_ns += apus_clock_now(f->clock) - f->began_ns;
}

uint64_t bench_frames_published(bench_market* m, const uint8_t* stream, size_t bytes, size_t chunk,
                                uint64_t* published) {
    feeding f;
    apus_ws_item item;
    begin(&f, m, stream, bytes, chunk);
    uint64_t before = m->publisher.feed.next;
    while (feed(&f)) {
        while (apus_ws_next(&f.ws, &f.rx, &item) == APUS_WS_TEXT)
            apus_binance_market_message(&m->binance, item.data, item.size, f.began_ns, 0);
        done(&f);
    }
    *published = m->publisher.feed.next - before;
    return f.time_ns;
}

uint64_t bench_frames_parsed(bench_market* m, const uint8_t* stream, size_t bytes, size_t chunk, uint64_t* messages) {
    feeding f;
    apus_ws_item item;
    uint64_t count = 0;
    begin(&f, m, stream, bytes, chunk);
    while (feed(&f)) {
        while (apus_ws_next(&f.ws, &f.rx, &item) == APUS_WS_TEXT)
            count++;
        done(&f);
    }
    *messages = count;
    return f.time_ns;
}

// As wide as the processor reads.
#if defined(__x86_64__)
__attribute__((target_clones("avx2", "default")))
#endif
static uint64_t
add_up(const uint8_t* at, size_t bytes) {
    uint64_t total = 0;
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, 8);
        total += word;
    }
    return total;
}

uint64_t bench_frames_read(bench_market* m, const uint8_t* stream, size_t bytes, size_t chunk, uint64_t* sum) {
    feeding f;
    uint64_t total = 0;
    begin(&f, m, stream, bytes, chunk);
    while (feed(&f)) {
        total += add_up(f.rx.base + f.rx.start, f.rx.end - f.rx.start);
        f.rx.start = f.rx.end;
        done(&f);
    }
    *sum = total;
    return f.time_ns;
}

// MARK: from levels to an event

typedef struct decoded {
    apus_level* levels;
    uint32_t* counts; // two for each message: bids, asks
    size_t messages;
} decoded;

static bool decode_all(bench_market* m, const bench_corpus* corpus, decoded* out) {
    out->levels = malloc((corpus->used / 10 + 1) * sizeof *out->levels);
    out->counts = malloc((2 * corpus->count + 1) * sizeof *out->counts);
    if (out->levels == NULL || out->counts == NULL) return false;
    const uint8_t* at = corpus->bytes;
    apus_binance_message message;
    size_t used = 0;
    for (size_t i = 0; i < corpus->count; at += corpus->lengths[i++] + APUS_PADDING) {
        if (apus_binance_decode(&m->binance.decoder, at, corpus->lengths[i], 0, &message) != 0) return false;
        if (message.kind != APUS_BINANCE_DEPTH) continue;
        uint32_t count = message.bid_count + message.ask_count;
        memcpy(out->levels + used, message.levels, count * sizeof *out->levels);
        used += count;
        out->counts[2 * out->messages] = message.bid_count;
        out->counts[2 * out->messages + 1] = message.ask_count;
        out->messages++;
    }
    return true;
}

static uint64_t publish_all(bench_market* m, const decoded* all, uint64_t* published) {
    apus_market_book* book = apus_market_at(&m->market, 0);
    const apus_level* levels = all->levels;
    uint64_t before = m->publisher.feed.next, start = bench_now();
    for (size_t i = 0; i < all->messages; i++) {
        uint32_t bids = all->counts[2 * i], asks = all->counts[2 * i + 1];
        apus_publisher_message(&m->publisher, start, 0);
        apus_market_apply(&m->market, book, levels, bids, levels + bids, asks);
        book->update_id++;
        apus_market_check(&m->market, book);
        apus_market_publish(&m->market, book, 0);
        levels += bids + asks;
    }
    uint64_t time = bench_now() - start;
    *published = m->publisher.feed.next - before;
    return time;
}

uint64_t bench_levels_published(bench_market* m, const bench_corpus* corpus, uint64_t* published) {
    decoded all = {0};
    uint64_t time = 0;
    *published = 0;
    if (apus_market_at(&m->market, 0) != NULL && decode_all(m, corpus, &all)) time = publish_all(m, &all, published);
    free(all.levels);
    free(all.counts);
    return time;
}

// MARK: histograms

// Delays around 1 µs, 5 µs and 200 µs, from a linear congruential generator, so that the buckets' lines are not always the same few.
uint64_t bench_hops(bench_market* m, uint64_t count, bool record) {
    uint64_t state = 1, sum = 0, start = bench_now();
    for (uint64_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t spread = state >> 54;
        m->publisher.venue_ns = start;
        m->publisher.kernel_ns = start + 200000 + 64 * spread;
        m->publisher.receive_ns = m->publisher.kernel_ns + 5000 + 4 * spread;
        uint64_t publish_ns = m->publisher.receive_ns + 1000 + spread;
        sum += publish_ns;
        if (record) {
            apus_publisher_hops(&m->publisher, publish_ns);
            apus_histogram_record_signed(apus_counters_hop(m->view.counters, APUS_HOP_PUBLISH_DECIDE), (int64_t)spread);
        }
    }
    uint64_t time = bench_now() - start;
    return sum == 0 ? 0 : time;
}
