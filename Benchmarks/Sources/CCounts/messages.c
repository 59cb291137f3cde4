// Messages of the venues' shapes, from a fixed seed, each kind of one length.
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 512 };

typedef int make_message(apus_random* random, uint32_t number, char* to);

static bool make_all(counts_messages* messages, make_message* make, uint64_t seed) {
    char text[ROOM];
    apus_random random;
    apus_random_seed(&random, seed);
    messages->bytes = calloc(1, COUNTS_MESSAGES * ROOM + APUS_PADDING);
    if (messages->bytes == NULL) return false;
    for (uint32_t i = 0; i < COUNTS_MESSAGES; i++) {
        int length = make(&random, i, text);
        if (length <= 0 || length >= ROOM || (i > 0 && (uint32_t)length != messages->length)) return false;
        messages->length = (uint32_t)length;
        memcpy(messages->bytes + (size_t)i * messages->length, text, messages->length);
    }
    return true;
}

// Three levels at `step` from the middle, as spot writes them: eight decimals; a fifth of the quantities is zero.
static void spot_levels(apus_random* random, int step, char to[128]) {
    int used = 0;
    for (int i = 0; i < 3; i++) {
        int cents = 5000000 + step * (1 + (int)apus_random_below(random, 299));
        int units = apus_random_below(random, 5) == 0 ? 0 : 1 + (int)apus_random_below(random, 99999998);
        used += snprintf(to + used, (size_t)(128 - used), "%s[\"%d.%02d000000\",\"%d.%08d\"]", i ? "," : "",
                         cents / 100, cents % 100, units % 9, units);
    }
}

static int spot_message(apus_random* random, uint32_t number, char* to) {
    char bids[128], asks[128];
    spot_levels(random, -1, bids);
    spot_levels(random, 1, asks);
    return snprintf(to, ROOM,
                    "{\"e\":\"depthUpdate\",\"E\":1757908892351,\"s\":\"" COUNTS_SPOT "\",\"U\":%u,\"u\":%u,\"b\":[%s],"
                    "\"a\":[%s]}",
                    390497796 + 20 * number, 390497815 + 20 * number, bids, asks);
}

static int other_message(apus_random* random, uint32_t number, char* to) {
    char bids[128], asks[128];
    spot_levels(random, -1, bids);
    spot_levels(random, 1, asks);
    return snprintf(to, ROOM,
                    "{\"u\": %u, \"s\": \"" COUNTS_SPOT
                    "\", \"a\": [%s], \"E\": 1757908892351, \"U\": %u, \"b\": [%s], "
                    "\"e\": \"depthUpdate\"}",
                    390497815 + 20 * number, asks, 390497796 + 20 * number, bids);
}

static int token_message(apus_random* random, uint32_t number, char* to) {
    uint32_t price = 11 + (uint32_t)apus_random_below(random, 78),
             whole = 100 + (uint32_t)apus_random_below(random, 900);
    // The longer word has the shorter size, so that all have one length.
    bool buys = number % 2 == 0;
    if (buys) whole *= 10;
    return snprintf(to, ROOM,
                    "{\"market\":\"" COUNTS_MARKET "\",\"price_changes\":[{\"asset_id\":\"" COUNTS_TOKEN
                    "\",\"price\":\"0.%02u\",\"size\":\"%u.%02u\",\"side\":\"%s\",\"hash\":\"%016llx%016llx%08x\","
                    "\"best_bid\":\"0.%02u\",\"best_ask\":\"0.%02u\"}],\"timestamp\":\"%llu\",\"event_type\":"
                    "\"price_change\"}",
                    price, whole, (uint32_t)apus_random_below(random, 100), buys ? "BUY" : "SELL",
                    (unsigned long long)apus_random_next(random), (unsigned long long)apus_random_next(random),
                    (uint32_t)apus_random_next(random), price - 1, price + 1, 1757908892351ull + number);
}

bool counts_make_messages(counts_rig* rig) {
    return make_all(&rig->spot, spot_message, 1) && make_all(&rig->others, other_message, 1)
           && make_all(&rig->tokens, token_message, 2);
}

// MARK: a stream of depth updates

#define ID_DIGITS 13
#define STREAM_HEAD "{\"e\":\"depthUpdate\",\"E\":1757908892351,\"T\":1757908892350,\"s\":\"BTCUSDT\",\"U\":"
#define FIRST_ID (4 + sizeof STREAM_HEAD - 1)

static void write_id(uint8_t* at, uint64_t id) {
    for (int i = ID_DIGITS; i-- > 0; id /= 10)
        at[i] = (uint8_t)('0' + id % 10);
}

void counts_renew_frame(uint8_t* frame, uint64_t id) {
    uint8_t* at = frame + FIRST_ID;
    write_id(at, id);
    write_id(at + ID_DIGITS + 5, id);                     // ,"u":
    write_id(at + ID_DIGITS + 5 + ID_DIGITS + 6, id - 1); // ,"pu":
}

void counts_renew_stream(counts_rig* rig) {
    for (uint32_t i = 0; i < COUNTS_STREAM; i++)
        counts_renew_frame(rig->stream.base + (size_t)i * COUNTS_FRAME_BYTES, ++rig->update_id);
    rig->stream.start = 0;
}

// Four levels a side around a touch that wanders.
static bool make_frame(apus_random* random, int* cents, uint8_t* frame) {
    char sides[2][160], text[COUNTS_FRAME_PAYLOAD + 1];
    *cents += (int)apus_random_below(random, 3) - 1;
    for (int side = 0; side < 2; side++) {
        int used = 0;
        for (int i = 0; i < 4; i++) {
            int price = *cents + (side ? 1 : -1) * (1 + (int)apus_random_below(random, 40));
            // Five quantities of two digits before the point make the length; of the others a third deletes.
            bool long_one = 4 * side + i < 5;
            int units = long_one                            ? 10000 + (int)apus_random_below(random, 90000)
                        : apus_random_below(random, 3) == 0 ? 0
                                                            : 1 + (int)apus_random_below(random, 9998);
            used += snprintf(sides[side] + used, sizeof sides[side] - (size_t)used, "%s[\"%d.%02d\",\"%d.%03d\"]",
                             i ? "," : "", price / 100, price % 100, units / 1000, units % 1000);
        }
    }
    int length = snprintf(text, sizeof text, STREAM_HEAD "%013d,\"u\":%013d,\"pu\":%013d,\"b\":[%s],\"a\":[%s]}", 0, 0,
                          0, sides[0], sides[1]);
    if (length != COUNTS_FRAME_PAYLOAD) return false;
    frame[0] = 0x81;
    frame[1] = 126;
    frame[2] = COUNTS_FRAME_PAYLOAD >> 8;
    frame[3] = COUNTS_FRAME_PAYLOAD & 255;
    memcpy(frame + 4, text, COUNTS_FRAME_PAYLOAD);
    return true;
}

bool counts_make_frames(apus_buffer* buffer, uint64_t seed) {
    size_t bytes = (size_t)COUNTS_STREAM * COUNTS_FRAME_BYTES + APUS_PADDING;
    uint8_t* memory = calloc(1, bytes);
    apus_random random;
    int cents = 5000000;
    if (memory == NULL) return false;
    apus_random_seed(&random, seed);
    apus_buffer_init(buffer, memory, bytes);
    buffer->end = buffer->capacity;
    for (uint32_t i = 0; i < COUNTS_STREAM; i++) {
        if (!make_frame(&random, &cents, memory + (size_t)i * COUNTS_FRAME_BYTES)) return false;
    }
    return true;
}

bool counts_open_stream(counts_rig* rig) {
    static const char snapshot[] =
        "{\"lastUpdateId\":5123000000001,\"E\":1,\"T\":1,\"bids\":[[\"49000.00\",\"1.000\"]],"
        "\"asks\":[[\"51000.00\",\"1.000\"]]}";
    uint8_t* padded = calloc(1, sizeof snapshot + APUS_PADDING);
    if (padded == NULL || !counts_make_frames(&rig->frames, 5) || !counts_make_frames(&rig->stream, 6)) return false;
    memcpy(padded, snapshot, sizeof snapshot);
    apus_ws_init(&rig->ws, APUS_MESSAGE_BYTES_MAX);
    apus_ws_init(&rig->stream_ws, APUS_MESSAGE_BYTES_MAX);
    rig->update_id = COUNTS_FIRST_UPDATE;
    uint8_t* first = rig->stream.base;
    counts_renew_frame(first, rig->update_id);
    bool live = apus_binance_market_open(&rig->binance, 0) != NULL
                && apus_binance_market_message(&rig->binance, first + 4, COUNTS_FRAME_PAYLOAD, 1, 0) == 0
                && apus_binance_market_snapshot(&rig->binance, 0, padded, sizeof snapshot - 1, 1) == 0
                && apus_market_at(&rig->market, 0)->state == APUS_STATE_LIVE;
    free(padded);
    return live;
}

// MARK: deltas

// Changes of a book of 200 levels a side, four fifths of them near the touch, as ../shared/peers/gen_l2.py draws them.
bool counts_make_deltas(counts_rig* rig) {
    enum { SIDE = 267 };
    apus_random random;
    apus_random_seed(&random, 42);
    rig->deltas = calloc(COUNTS_DELTAS, sizeof *rig->deltas);
    if (rig->deltas == NULL) return false;
    int64_t middle = 5000000;
    for (uint32_t i = 0; i < COUNTS_DELTAS; i++) {
        uint32_t side = i & 1;
        int64_t distance = 1, step = side == APUS_SIDE_BID ? -1 : 1;
        if (i < 2 * SIDE) {
            distance = 1 + i / 2;
        } else {
            while (distance < SIDE && apus_random_below(&random, 12) != 0)
                distance++;
        }
        // A move of the middle takes away what it has run over.
        if (i >= 2 * SIDE && apus_random_below(&random, 200) == 0) {
            bool up = apus_random_below(&random, 2) == 0;
            middle += up ? 1 : -1;
            rig->deltas[i] = (counts_delta){middle, 0, up ? APUS_SIDE_ASK : APUS_SIDE_BID};
            continue;
        }
        bool deletes = i >= 2 * SIDE && apus_random_below(&random, 5) == 0;
        rig->deltas[i] =
            (counts_delta){middle + step * distance, deletes ? 0 : 1 + (int64_t)apus_random_below(&random, 5000), side};
    }
    return true;
}
