// The Polymarket order session through any order of events: a shell that connects, refuses and cuts; a venue whose answers and
// events are right, damaged or anything at all; orders that are placed, canceled and asked about.
//
// What is checked after each event: each request ends in exactly one report; no placement leaves twice; a part of a trade is told
// as a fill once, and undone once after that; what is filled of an order is never negative.
#include "apus_polymarket.h"
#include "apus_polymarket_orders.h"
#include "polymarket_orders_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BYTES = 64 << 20, LINES = 2, TRADES = 64, TOLD = 4096 };

#define TOKEN "71321045679252212594626385532706912750332728571942532289631379312455583992563"

typedef struct world {
    const uint8_t* at;
    const uint8_t* end;
    uint64_t now;
    uint64_t pushed;   // requests
    uint64_t answered; // reports that end one
    uint64_t told[TOLD];
    uint64_t undone[TOLD];
    uint32_t told_count;
    uint32_t undone_count;
    uint64_t salts[TOLD];
    uint32_t salt_count;
} world;

static uint8_t* arena_memory;
static void* table_memory;
static apus_public view;
static apus_private rings;
static apus_publisher out;
static apus_arena arena;
static apus_instrument_table table;
static apus_market market;
static apus_polymarket_market books;
static apus_polymarket_level levels[64];
static apus_signing_key key;
static apus_polymarket_orders orders;

static void check(int condition) {
    if (!condition) abort();
}

static uint8_t take(world* w) {
    return w->at < w->end ? *w->at++ : 0;
}

// MARK: what must hold

static bool holds(const uint64_t* list, uint32_t count, uint64_t id) {
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] == id) return true;
    }
    return false;
}

static void pop_reports(world* w) {
    apus_report report;
    while (apus_report_pop(rings.reports, &report)) {
        w->answered += report.action != 0;
        check(report.cumulative >= 0);
        if (report.kind == APUS_REPORT_FILL && w->told_count < TOLD) {
            check(report.trade_id != 0 && report.quantity > 0 && !holds(w->told, w->told_count, report.trade_id));
            w->told[w->told_count++] = report.trade_id;
        }
        if (report.kind == APUS_REPORT_UNDONE && w->undone_count < TOLD) {
            check(!holds(w->undone, w->undone_count, report.trade_id));
            w->undone[w->undone_count++] = report.trade_id;
        }
    }
}

static void check_world(world* w) {
    pop_reports(w);
    uint64_t waiting = orders.waiting_count + rings.orders->head - rings.orders->tail;
    for (uint32_t i = 0; i < LINES; i++) {
        if (orders.lines[i].state == LINE_BUSY) waiting += orders.lines[i].job.count;
    }
    check(w->answered + waiting == w->pushed);
    check(rings.reports->refused == 0);
}

static void turn(world* w) {
    orders.session.ops->turn(&orders.session, w->now);
    (void)orders.session.ops->deadline(&orders.session);
    check_world(w);
}

// MARK: the shell

static void perform(world* w, apus_channel* channel, bool refuse) {
    if (channel->want == APUS_WANT_OPEN && channel->state == APUS_CHANNEL_CLOSED) {
        apus_channel_opening(channel);
        if (refuse)
            apus_channel_closed(channel, APUS_CLOSED_CONNECT, 111);
        else
            apus_channel_opened(channel, w->now);
    } else if (channel->want == APUS_WANT_CLOSE && channel->state != APUS_CHANNEL_CLOSED) {
        apus_channel_closed(channel, APUS_CLOSED_ASKED, 0);
    }
    turn(w);
}

// Every placement that leaves is a new one.
static void note_salts(world* w, const uint8_t* bytes, size_t size) {
    static const char mark[] = "\"salt\":";
    while (size > sizeof mark) {
        const uint8_t* found = memmem(bytes, size, mark, sizeof mark - 1);
        if (found == NULL) return;
        size -= (size_t)(found - bytes) + sizeof mark - 1;
        bytes = found + sizeof mark - 1;
        uint64_t salt = strtoull((const char*)bytes, NULL, 10);
        check(salt < 1ull << 53 && !holds(w->salts, w->salt_count, salt));
        if (w->salt_count < TOLD) w->salts[w->salt_count++] = salt;
    }
}

static void flush(world* w, apus_channel* channel) {
    const uint8_t* at;
    size_t pending = apus_channel_pending(channel, &at);
    if (channel->state != APUS_CHANNEL_OPEN || pending == 0) return;
    if (channel != &orders.user) note_salts(w, at, pending);
    apus_channel_sent(channel, pending, w->now);
    turn(w);
}

static void deliver(world* w, apus_channel* channel, const void* bytes, size_t size) {
    if (channel->state != APUS_CHANNEL_OPEN || channel->paused) return;
    uint8_t* at;
    size_t space = apus_channel_space(channel, &at);
    if (size > space) size = space;
    memcpy(at, bytes, size);
    if (size > 0) apus_channel_received(channel, size, w->now, 0);
    turn(w);
}

static void say(world* w, const char* text, size_t size) {
    uint8_t frame[2048] = {0x81, 126, (uint8_t)(size >> 8), (uint8_t)size};
    size_t head = 4;
    if (size > sizeof frame - 4) return;
    if (size < 126) {
        frame[1] = (uint8_t)size;
        head = 2;
    }
    memcpy(frame + head, text, size);
    deliver(w, &orders.user, frame, head + size);
}

static void upgrade(world* w) {
    char text[300];
    int size =
        snprintf(text, sizeof text,
                 "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                 orders.user_link.upgrade.accept);
    deliver(w, &orders.user, text, (size_t)size);
}

static void answer(world* w, uint32_t line, int status, const char* body) {
    char text[2048];
    int size =
        snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    deliver(w, &orders.lines[line].channel, text, (size_t)size);
}

// MARK: the venue

// The hash of one of the orders that the session knows, or of nobody's.
static void hash_text(uint8_t which, char text[APUS_POLYMARKET_HASH_TEXT + 1]) {
    uint8_t other[APUS_WORD_BYTES] = {which};
    const apus_polymarket_known* known = &orders.known.entries[which % 16];
    polymarket_hash_text(known->venue_id != 0 ? known->hash : other, text);
    text[APUS_POLYMARKET_HASH_TEXT] = 0;
}

static size_t trade_text(world* w, char* text, size_t capacity) {
    static const char* const statuses[] = {"MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED"};
    char taker[APUS_POLYMARKET_HASH_TEXT + 1], maker[APUS_POLYMARKET_HASH_TEXT + 1];
    hash_text(take(w), taker);
    hash_text(take(w), maker);
    int id = take(w) % TRADES;
    // What a trade is of never changes: it follows from its id.
    return (size_t)snprintf(
        text, capacity,
        "{\"event_type\":\"trade\",\"id\":\"t%d\",\"status\":\"%s\",\"taker_order_id\":\"%s\",\"size\":"
        "\"%d\",\"price\":\"0.3\",\"timestamp\":\"1\",\"maker_orders\":[{\"order_id\":\"%s\","
        "\"matched_amount\":\"%d\",\"price\":\"0.3\"}]}",
        id, statuses[take(w) % 5], taker, 1 + id % 3, maker, 1 + id % 3);
}

static size_t order_text(world* w, char* text, size_t capacity) {
    static const char* const types[] = {"PLACEMENT", "UPDATE", "CANCELLATION"};
    static const char* const statuses[] = {"LIVE", "MATCHED", "CANCELED", "?"};
    char hash[APUS_POLYMARKET_HASH_TEXT + 1];
    hash_text(take(w), hash);
    uint8_t how = take(w);
    return (size_t)snprintf(
        text, capacity,
        "{\"event_type\":\"order\",\"id\":\"%s\",\"type\":\"%s\",\"status\":\"%s\",\"original_size\":"
        "\"10\",\"size_matched\":\"%d\",\"price\":\"0.3\",\"associate_trades\":[\"t%d\"]}",
        hash, types[how % 3], statuses[how / 4 % 4], how % 11, how % TRADES);
}

static void say_event(world* w, uint8_t how) {
    char text[1500];
    size_t size = how & 1 ? trade_text(w, text, sizeof text) : order_text(w, text, sizeof text);
    if (how % 8 == 7) text[take(w) * size / 256] = (char)take(w);
    say(w, text, size);
}

static void say_answer(world* w, uint8_t how) {
    static const int statuses[] = {200, 200, 200, 200, 400, 404, 425, 429, 500, 503};
    char text[1800];
    uint32_t line = how % LINES;
    const apus_polymarket_job* job = &orders.lines[line].job;
    size_t size = 0;
    switch (how / 2 % 6) {
    case 0:
        size = (size_t)snprintf(text, sizeof text, "{\"success\":true,\"errorMsg\":\"\",\"heartbeat_id\":\"h\"}");
        break;
    case 1:
        size = (size_t)snprintf(text, sizeof text, "[{\"success\":true},{\"success\":false,\"errorMsg\":\"x\"}]");
        break;
    case 2:
        size = order_text(w, text, sizeof text);
        break;
    case 3: {
        char hash[APUS_POLYMARKET_HASH_TEXT + 1] = {0};
        polymarket_hash_text(job->orders[0].hash, hash);
        size = (size_t)snprintf(text, sizeof text, "{\"canceled\":[\"%s\"],\"not_canceled\":{}}", hash);
        break;
    }
    case 4:
        size = (size_t)snprintf(text, sizeof text, "{\"next_cursor\":\"LTE=\",\"data\":[");
        size += trade_text(w, text + size, sizeof text - size);
        size += (size_t)snprintf(text + size, sizeof text - size, "]}");
        break;
    default:
        while (size < 64 && w->at < w->end)
            text[size++] = (char)take(w);
        text[size] = 0;
        break;
    }
    text[size] = 0;
    answer(w, line, statuses[take(w) % 10], text);
}

static void push_order(world* w, uint8_t how) {
    static const uint8_t actions[] = {APUS_ORDER_PLACE, APUS_ORDER_PLACE, APUS_ORDER_CANCEL, APUS_ORDER_QUERY,
                                      APUS_ORDER_MODIFY};
    uint8_t action = actions[how % 5];
    uint64_t target = how / 5 % 16 + 1;
    apus_order order = {
        .client_id = action == APUS_ORDER_PLACE ? w->pushed + 1 : 1ull << 40 | w->pushed,
        .target_id = target,
        .action = action,
        .price = how % 32 == 9 ? 3005 : 3000,
        .quantity = how % 32 == 10 ? 0 : 10000000,
        .band_high = 10000,
        .time_in_force = how % 2 == 0 ? APUS_GTC : APUS_POST_ONLY,
        .decided_ns = w->now - (how % 16 == 5 ? 2000000000u : 0),
        .wall_ms = 1700000000000ull + target,
    };
    if (apus_order_push(rings.orders, &order) == 0) w->pushed++;
    turn(w);
}

// MARK: a life

static void make(world* w) {
    *w = (world){.now = 5000000000ull};
    out = apus_publisher_make(&view, NULL);
    out.realtime_offset = 1700000000000000000;
    apus_arena_init(&arena, arena_memory, ARENA_BYTES);
    check(apus_instrument_table_init(&table, table_memory, 2) == 0);
    apus_instrument instrument = {
        .price_decimals = 4, .quantity_decimals = 6, .tick_units = 10, .lot_units = 1, .contract_multiplier = 1};
    check(apus_instrument_add(&table, TOKEN, sizeof TOKEN - 1, &instrument) == 0);
    check(apus_market_init(&market, &out, &arena, &table, "fuzz") == 0);
    check(apus_polymarket_market_init(&books, &market, levels, 64) == 0);
    apus_market_book* book = apus_polymarket_market_open(&books, 0);
    check(book != NULL);
    book->state = APUS_STATE_LIVE;
    apus_polymarket_signer signer;
    check(apus_polymarket_signer_init(&signer, &key, 0, NULL, "key", "c2VjcmV0", "pass") == 0);
    apus_polymarket_orders_config config;
    apus_polymarket_orders_config_default(&config);
    config.lines = LINES;
    apus_random random;
    apus_random_seed(&random, 1);
    // Rings are emptied, not made anew: that would cost a system call for each input.
    apus_queue_init(rings.orders, APUS_ORDER_SLOTS);
    apus_queue_init(rings.reports, APUS_REPORT_SLOTS);
    check(apus_polymarket_orders_init(&orders, &config, &market, &rings, &signer, &random) == 0);
    check(apus_polymarket_orders_list(&orders, 0, NULL, false, 0) == 0);
    orders.session.ops->start(&orders.session, w->now);
    for (uint32_t i = 0; i <= LINES; i++)
        perform(w, orders.channels[i], false);
    flush(w, &orders.user);
    upgrade(w);
}

static void prepare(void) {
    uint8_t secret[APUS_SECRET_BYTES] = {1}, entropy[32] = {2};
    apus_public_config config = {.feed_slots = 8192, .instruments = 4, .board_depth = 5};
    arena_memory = aligned_alloc(64, ARENA_BYTES);
    table_memory = aligned_alloc(64, (apus_instrument_table_bytes(2) + 63) / 64 * 64);
    check(apus_public_create(&view, &config) == 0 && apus_private_create(&rings) == 0);
    check(apus_signing_key_init(&key, secret, entropy) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (arena_memory == NULL) prepare();
    world w;
    make(&w);
    w.at = data;
    w.end = data + (size > 2048 ? 2048 : size);
    while (w.at < w.end) {
        uint8_t what = take(&w), how = take(&w);
        apus_channel* channel = orders.channels[how % (LINES + 1)];
        switch (what % 10) {
        case 0:
        case 1:
            push_order(&w, how);
            break;
        case 2:
        case 3:
            say_answer(&w, how);
            break;
        case 4:
            say_event(&w, how);
            break;
        case 5:
            flush(&w, channel);
            break;
        case 6:
            perform(&w, channel, how % 16 == 15);
            break;
        case 7:
            w.now += (uint64_t)how * 50000000u;
            turn(&w);
            break;
        case 8:
            if (channel->state == APUS_CHANNEL_OPEN && how % 4 == 0) apus_channel_closed(channel, APUS_CLOSED_IO, 104);
            turn(&w);
            break;
        default:
            for (uint32_t i = 0; i <= LINES; i++)
                flush(&w, orders.channels[i]);
            upgrade(&w);
            break;
        }
    }
    return 0;
}
