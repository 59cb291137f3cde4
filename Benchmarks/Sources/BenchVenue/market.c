// A book of thousands of levels whose touch walks about. Each message changes three levels a side, most of them near the touch,
// with the same number of bytes: the digits of the quantities make up for each other. The same seed gives the same messages.
#include "venue.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define CENTRE (MARKET_TICKS / 2)
#define FIRST_TICK 467232u // tick number of index 0, so that the centre is 50,000.0
#define ROWS 3u            // a side of each message
#define PRICE_UNITS 10     // of one tick
#define DRIFT 6000u        // ticks that the touch may go from the centre
// What is left of the payload for the digits of the quantities.
#define QUANTITY_BYTES 39u
#define SHORTEST_QUANTITY 5u
#define DELETIONS_MAX 2u

__extension__ typedef unsigned __int128 uint128;

// splitmix64 (Steele, Lea, Flood, 2014); from 0 to bound - 1.
static uint64_t below(market* market, uint64_t bound) {
    uint64_t z = market->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint64_t)(((uint128)(z ^ (z >> 31)) * bound) >> 64);
}

// MARK: the book

void market_begin(market* market, uint64_t seed, uint32_t levels) {
    memset(market, 0, sizeof *market);
    market->random = seed;
    market->update_id = MARKET_FIRST_UPDATE;
    market->best_bid = CENTRE;
    market->best_ask = CENTRE + 1;
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t tick = side == 0 ? market->best_bid : market->best_ask;
        for (uint32_t left = levels; left > 0 && tick > 0 && tick < MARKET_TICKS; tick += side == 0 ? -1u : 1u) {
            // Three of four ticks have a level; the touch always does.
            bool touch = tick == market->best_bid || tick == market->best_ask;
            if (!touch && below(market, 4) == 0) continue;
            market->quantity[tick] = 1 + (uint32_t)below(market, 20000);
            left--;
        }
    }
}

static bool is_bid(uint32_t side) {
    return side == 0;
}

static void find_touch(market* market) {
    while (market->quantity[market->best_bid] == 0)
        market->best_bid--;
    while (market->quantity[market->best_ask] == 0)
        market->best_ask++;
}

// MARK: one message

typedef struct change {
    uint32_t tick;
    uint32_t quantity; // 0: the level is gone
} change;

typedef struct changes {
    change rows[2][ROWS];
    uint32_t count[2];
    uint32_t deletions;
} changes;

static bool is_named(const changes* changes, uint32_t side, uint32_t tick) {
    for (uint32_t i = 0; i < changes->count[side]; i++) {
        if (changes->rows[side][i].tick == tick) return true;
    }
    return false;
}

static void name(changes* changes, uint32_t side, uint32_t tick) {
    changes->rows[side][changes->count[side]++] = (change){tick, 1};
}

static void delete (market* market, changes* changes, uint32_t side, uint32_t tick) {
    changes->rows[side][changes->count[side]++] = (change){tick, 0};
    changes->deletions++;
    market->quantity[tick] = 0;
}

// The touch goes up or down by a level: that level is taken, and the other side follows it there. Back towards the centre when
// it has come far.
static void move_touch(market* market, changes* changes) {
    bool up = below(market, 2) == 0;
    if (market->best_bid > CENTRE + DRIFT) up = false;
    if (market->best_bid < CENTRE - DRIFT) up = true;
    uint32_t gone = up ? market->best_ask : market->best_bid;
    delete (market, changes, up ? 1 : 0, gone);
    find_touch(market);
    name(changes, up ? 0 : 1, gone);
    if (up)
        market->best_bid = gone;
    else
        market->best_ask = gone;
}

static uint32_t distance(market* market) {
    uint64_t kind = below(market, 100);
    if (kind < 50) return (uint32_t)below(market, 4);
    if (kind < 80) return (uint32_t)below(market, 20);
    if (kind < 96) return (uint32_t)below(market, 200);
    return (uint32_t)below(market, 4000);
}

// A level of a side that the message does not name yet: usually somewhere behind the touch, now and then inside the spread.
static void change_level(market* market, changes* changes, uint32_t side) {
    uint32_t spread = market->best_ask - market->best_bid;
    if (spread > 1 && below(market, 4) == 0) {
        uint32_t inside = is_bid(side) ? market->best_bid + 1 : market->best_ask - 1;
        if (!is_named(changes, side, inside)) {
            name(changes, side, inside);
            if (is_bid(side))
                market->best_bid = inside;
            else
                market->best_ask = inside;
            return;
        }
    }
    uint32_t away = distance(market);
    uint32_t tick = is_bid(side) ? market->best_bid - away : market->best_ask + away;
    if (is_named(changes, side, tick)) return;
    bool may_go = away > 0 && market->quantity[tick] != 0 && changes->deletions < DELETIONS_MAX;
    if (may_go && below(market, 4) == 0)
        delete (market, changes, side, tick);
    else
        name(changes, side, tick);
}

// Ascending, as the venue writes both sides.
static void sort(change* rows) {
    for (uint32_t i = 1; i < ROWS; i++) {
        for (uint32_t j = i; j > 0 && rows[j - 1].tick > rows[j].tick; j--) {
            change swapped = rows[j];
            rows[j] = rows[j - 1];
            rows[j - 1] = swapped;
        }
    }
}

// Shares the bytes that are left among the levels that stay, and draws a quantity of that many digits.
static void draw_quantities(market* market, changes* changes) {
    uint32_t stay = 2 * ROWS - changes->deletions;
    uint32_t bytes = QUANTITY_BYTES - SHORTEST_QUANTITY * changes->deletions;
    for (uint32_t i = 0; i < 2 * ROWS; i++) {
        change* row = &changes->rows[i / ROWS][i % ROWS];
        if (row->quantity == 0) continue;
        uint32_t width = (bytes + stay - 1) / stay; // digits and a point
        uint32_t high = 10000;
        for (uint32_t more = SHORTEST_QUANTITY; more < width; more++)
            high *= 10;
        uint32_t low = width == SHORTEST_QUANTITY ? 1 : high / 10;
        row->quantity = market->quantity[row->tick] = low + (uint32_t)below(market, high - low);
        bytes -= width;
        stay--;
    }
}

// MARK: writing

typedef struct writer {
    char* at;
} writer;

static void put_text(writer* out, const char* text, size_t size) {
    memcpy(out->at, text, size);
    out->at += size;
}

#define PUT(out, literal) put_text((out), (literal), sizeof(literal) - 1)

static void put_number(writer* out, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put_text(out, digits + at, sizeof digits - at);
}

static void put_decimals(writer* out, uint64_t units, uint32_t decimals, uint64_t scale) {
    put_number(out, units / scale);
    *out->at++ = '.';
    uint64_t rest = units % scale;
    for (uint32_t i = decimals; i > 0; i--) {
        out->at[i - 1] = (char)('0' + rest % 10);
        rest /= 10;
    }
    out->at += decimals;
}

static int64_t price_of(uint32_t tick) {
    return (int64_t)(FIRST_TICK + tick) * PRICE_UNITS;
}

static void put_row(writer* out, uint32_t tick, uint32_t quantity, bool first) {
    if (!first) *out->at++ = ',';
    PUT(out, "[\"");
    put_decimals(out, (uint64_t)price_of(tick), 2, 100);
    PUT(out, "\",\"");
    put_decimals(out, quantity, 3, 1000);
    PUT(out, "\"]");
}

static void put_message(writer* out, const market* market, const changes* changes, uint64_t realtime_ms) {
    PUT(out, "{\"stream\":\"btcusdt@depth@0ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":");
    put_number(out, realtime_ms);
    PUT(out, ",\"T\":");
    put_number(out, realtime_ms);
    PUT(out, ",\"s\":\"BTCUSDT\",\"U\":");
    put_number(out, market->update_id - MARKET_UPDATE_STEP + 1);
    PUT(out, ",\"u\":");
    put_number(out, market->update_id);
    PUT(out, ",\"pu\":");
    put_number(out, market->update_id - MARKET_UPDATE_STEP);
    PUT(out, ",\"b\":[");
    for (uint32_t i = 0; i < ROWS; i++)
        put_row(out, changes->rows[0][i].tick, changes->rows[0][i].quantity, i == 0);
    PUT(out, "],\"a\":[");
    for (uint32_t i = 0; i < ROWS; i++)
        put_row(out, changes->rows[1][i].tick, changes->rows[1][i].quantity, i == 0);
    PUT(out, "]}}");
}

void market_next(market* market, uint8_t* frame, uint64_t realtime_ms) {
    changes changes = {0};
    if (below(market, 5) == 0) move_touch(market, &changes);
    for (uint32_t side = 0; side < 2; side++) {
        while (changes.count[side] < ROWS)
            change_level(market, &changes, side);
        sort(changes.rows[side]);
    }
    draw_quantities(market, &changes);
    find_touch(market);
    market->update_id += MARKET_UPDATE_STEP;
    size_t header = frame_header(frame, 1, PAYLOAD_BYTES);
    writer out = {(char*)frame + header};
    put_message(&out, market, &changes, realtime_ms);
    if (out.at != (char*)frame + FRAME_BYTES)
        fail("a market message has %td bytes instead of %u", out.at - (char*)frame, FRAME_BYTES);
}

// MARK: the whole book

// The next level from `tick` outwards, or 0 at the end. Index 0 never has one.
static uint32_t outwards(const market* market, uint32_t side, uint32_t tick) {
    while (tick > 0 && tick < MARKET_TICKS && market->quantity[tick] == 0)
        tick += is_bid(side) ? -1u : 1u;
    return tick < MARKET_TICKS ? tick : 0;
}

size_t market_snapshot(const market* market, uint32_t limit, uint64_t realtime_ms, char* to) {
    writer out = {to};
    PUT(&out, "{\"lastUpdateId\":");
    put_number(&out, market->update_id);
    PUT(&out, ",\"E\":");
    put_number(&out, realtime_ms);
    PUT(&out, ",\"T\":");
    put_number(&out, realtime_ms);
    for (uint32_t side = 0; side < 2; side++) {
        PUT(&out, ",\"");
        if (is_bid(side))
            PUT(&out, "bids\":[");
        else
            PUT(&out, "asks\":[");
        uint32_t tick = is_bid(side) ? market->best_bid : market->best_ask;
        uint32_t left = limit;
        while (left > 0 && (tick = outwards(market, side, tick)) != 0) {
            put_row(&out, tick, market->quantity[tick], left-- == limit);
            tick += is_bid(side) ? -1u : 1u;
        }
        PUT(&out, "]");
    }
    PUT(&out, "}");
    return (size_t)(out.at - to);
}

static uint64_t digest_side(EVP_MD_CTX* context, const market* market, uint32_t side, char letter) {
    uint64_t count = 0;
    uint32_t tick = is_bid(side) ? market->best_bid : market->best_ask;
    while ((tick = outwards(market, side, tick)) != 0) {
        char line[64];
        int size =
            snprintf(line, sizeof line, "%c %lld %u\n", letter, (long long)price_of(tick), market->quantity[tick]);
        EVP_DigestUpdate(context, line, (size_t)size);
        tick += is_bid(side) ? -1u : 1u;
        count++;
    }
    return count;
}

void market_summarize(const market* market, market_summary* summary) {
    unsigned char bytes[32];
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) fail("libcrypto has no SHA-256");
    summary->bids = digest_side(context, market, 0, 'b');
    summary->asks = digest_side(context, market, 1, 'a');
    EVP_DigestFinal_ex(context, bytes, NULL);
    EVP_MD_CTX_free(context);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(summary->digest + 2 * i, 3, "%02x", bytes[i]);
    summary->best_bid = (market_level){price_of(market->best_bid), market->quantity[market->best_bid]};
    summary->best_ask = (market_level){price_of(market->best_ask), market->quantity[market->best_ask]};
}
