// A market session and an order session through any order of events: a shell that connects, refuses and cuts; a venue that tells
// the truth about a small book but loses, doubles, delays and damages what it says; requests that are answered, refused or not.
//
// What is checked after each event: a book that is LIVE is the venue's at that update id, level for level; each request ends in
// exactly one report; nothing is sent that the guard did not pass.
#include "apus_binance.h"
#include "apus_binance_orders.h"

#include <stdio.h>
#include <stdlib.h>

enum { PRICES = 12, HISTORY = 512, ARENA_BYTES = 8 << 20, CHANNELS = 6 };
enum { STREAM, REST, API, USER, SECOND_API, SECOND_USER };

typedef struct truth {
    uint64_t id;
    uint8_t quantities[2][PRICES];
} truth;

typedef struct world {
    const uint8_t* at;
    const uint8_t* end;
    uint64_t now;
    uint64_t id; // the venue's newest
    truth history[HISTORY];
    uint32_t versions;
    char held[600]; // a message that is said later
    size_t held_size;
    uint64_t pushed;   // orders
    uint64_t answered; // reports that end a request
    uint64_t request;  // newest request number that the venue has seen
    apus_feed_reader reader;
} world;

// One set of everything, made anew for each input out of the same memory.
static uint8_t* arena_memory;
static void* table_memory;
static apus_public view;
static apus_private rings;
static apus_publisher out;
static apus_arena arena;
static apus_instrument_table table;
static apus_market market;
static apus_binance_session books;
static apus_binance_orders orders;
static apus_channel* channels[CHANNELS];
static apus_link* links[CHANNELS];

static void check(int condition) {
    if (!condition) abort();
}

static uint8_t take(world* w) {
    return w->at < w->end ? *w->at++ : 0;
}

// MARK: the venue's truth

static const truth* newest(const world* w) {
    return &w->history[(w->versions - 1) % HISTORY];
}

static size_t rows(char* to, const truth* book, int side, const truth* since) {
    size_t at = 0;
    to[at++] = '[';
    for (int i = 0; i < PRICES; i++) {
        if (since ? book->quantities[side][i] == since->quantities[side][i] : book->quantities[side][i] == 0) continue;
        int price = side == 0 ? 5000 - 10 * i : 5010 + 10 * i;
        at += (size_t)sprintf(to + at, "%s[\"%d.%02d\",\"%d.000\"]", at > 1 ? "," : "", price / 100, price % 100,
                              book->quantities[side][i]);
    }
    to[at++] = ']';
    to[at] = 0;
    return at;
}

static size_t depth_text(char* to, const truth* before, const truth* after, uint64_t first) {
    char bids[300], asks[300];
    rows(bids, after, 0, before);
    rows(asks, after, 1, before);
    return (size_t)sprintf(to,
                           "{\"e\":\"depthUpdate\",\"E\":1,\"T\":1,\"s\":\"AUSDT\",\"U\":%llu,\"u\":%llu,\"pu\":%llu,"
                           "\"b\":%s,\"a\":%s}",
                           (unsigned long long)first, (unsigned long long)after->id, (unsigned long long)before->id,
                           bids, asks);
}

// The book changes; the message about it is written to `text`.
static size_t change(world* w, char* text) {
    truth next = *newest(w);
    uint64_t first = w->id + 1 + take(w) % 4;
    w->id = next.id = first + take(w) % 3;
    for (int count = 1 + take(w) % 3; count > 0; count--) {
        uint8_t place = take(w);
        next.quantities[place & 1][place / 2 % PRICES] = take(w) % 4;
    }
    size_t size = depth_text(text, newest(w), &next, first);
    w->history[w->versions++ % HISTORY] = next;
    return size;
}

static void check_book(const world* w) {
    const apus_market_book* book = apus_market_at(&market, 0);
    if (book == NULL || book->state != APUS_STATE_LIVE) return;
    for (uint32_t i = w->versions; i > 0 && i + HISTORY > w->versions; i--) {
        const truth* past = &w->history[(i - 1) % HISTORY];
        if (past->id != book->update_id) continue;
        for (int side = 0; side < 2; side++) {
            uint32_t count = 0;
            for (int place = 0; place < PRICES; place++) {
                int price = side == 0 ? 5000 - 10 * place : 5010 + 10 * place;
                count += past->quantities[side][place] != 0;
                check(apus_book_quantity(&book->book, (uint32_t)side, price) == past->quantities[side][place] * 1000);
            }
            check(apus_book_level_count(&book->book, (uint32_t)side) == count);
        }
        return;
    }
    check(w->versions >= HISTORY); // an id that the venue never had
}

// MARK: the shell

static void turn(world* w) {
    books.session.ops->turn(&books.session, w->now);
    orders.session.ops->turn(&orders.session, w->now);
    (void)books.session.ops->deadline(&books.session);
    (void)orders.session.ops->deadline(&orders.session);
    check_book(w);
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

static void say(world* w, uint8_t number, const char* text, size_t size) {
    uint8_t frame[1024];
    frame[0] = 0x81;
    frame[1] = 126;
    frame[2] = (uint8_t)(size >> 8);
    frame[3] = (uint8_t)size;
    size_t head = 4;
    if (size < 126) {
        frame[1] = (uint8_t)size;
        head = 2;
    }
    memcpy(frame + head, text, size);
    deliver(w, channels[number], frame, head + size);
}

static void answer_http(world* w, int status, const char* body) {
    char text[1200];
    int size =
        snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    deliver(w, channels[REST], text, (size_t)size);
}

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

static void flush(world* w, apus_channel* channel) {
    const uint8_t* at;
    size_t pending = apus_channel_pending(channel, &at);
    if (channel->state == APUS_CHANNEL_OPEN && pending > 0) apus_channel_sent(channel, pending, w->now);
    turn(w);
}

static void upgrade(world* w, uint8_t number) {
    char text[300];
    if (links[number] == NULL) return;
    int size =
        snprintf(text, sizeof text,
                 "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                 links[number]->upgrade.accept);
    deliver(w, channels[number], text, (size_t)size);
}

// MARK: what is said

static void say_depth(world* w, uint8_t how) {
    char text[900];
    size_t size = change(w, text);
    switch (how % 8) {
    case 0: // lost
        return;
    case 1: // doubled
        say(w, STREAM, text, size);
        break;
    case 2: // later
        if (size < sizeof w->held) memcpy(w->held, text, w->held_size = size);
        return;
    case 3: // damaged
        text[take(w) * size / 256] = (char)take(w);
        // What is still valid JSON may be another truth than the venue's: only a control character is damage for certain.
        text[size / 2] = 1;
        break;
    default:
        break;
    }
    say(w, STREAM, text, size);
    if (w->held_size > 0) {
        say(w, STREAM, w->held, w->held_size);
        w->held_size = 0;
    }
}

static void say_snapshot(world* w, uint8_t how) {
    char text[900], bids[300], asks[300];
    const truth* book = newest(w);
    if (how % 4 == 0 && w->versions > 3) book = &w->history[(w->versions - 3) % HISTORY]; // an old one
    rows(bids, book, 0, NULL);
    rows(asks, book, 1, NULL);
    snprintf(text, sizeof text, "{\"lastUpdateId\":%llu,\"bids\":%s,\"asks\":%s}", (unsigned long long)book->id, bids,
             asks);
    answer_http(w, how % 8 == 7 ? 429 : how % 8 == 5 ? 503 : 200, text);
}

static void say_answer(world* w, uint8_t how) {
    char text[500];
    uint64_t number = orders.next_request > 1 ? orders.next_request - 1 - how / 8 % 4 : 0;
    int size;
    switch (how % 8) {
    case 0:
        size = snprintf(text, sizeof text, "{\"id\":\"%llu\",\"status\":400,\"error\":{\"code\":-2013,\"msg\":\"x\"}}",
                        (unsigned long long)number);
        break;
    case 1:
        size = snprintf(text, sizeof text, "{\"id\":\"%llu\",\"status\":503,\"error\":{}}", (unsigned long long)number);
        break;
    case 4:
        size = snprintf(
            text, sizeof text,
            "{\"id\":\"%llu\",\"status\":200,\"result\":{\"serverTime\":%u},\"rateLimits\":[{\"rateLimitType\":"
            "\"ORDERS\",\"interval\":\"SECOND\",\"intervalNum\":10,\"limit\":300,\"count\":%u}]}",
            (unsigned long long)number, take(w), take(w));
        break;
    case 5:
        size = snprintf(text, sizeof text,
                        "{\"id\":\"%llu\",\"status\":429,\"error\":{\"code\":%d,\"data\":{\"retryAfter\":%u}}}",
                        (unsigned long long)number, how & 128 ? -1015 : -1003, take(w));
        break;
    case 2:
        size = snprintf(text, sizeof text, "{\"id\":\"%llu\",\"status\":200,\"result\":{\"listenKey\":\"k%d\"}}",
                        (unsigned long long)number, take(w) % 2);
        break;
    default:
        size = snprintf(
            text, sizeof text,
            "{\"id\":\"%llu\",\"status\":200,\"result\":{\"orderId\":1,\"symbol\":\"AUSDT\",\"status\":\"NEW\","
            "\"clientOrderId\":\"apus%016x\",\"listenKey\":\"k\"}}",
            (unsigned long long)number, take(w));
        break;
    }
    say(w, how & 64 ? SECOND_API : API, text, (size_t)size);
}

static void say_event(world* w, uint8_t how) {
    static const char* const account = "{\"e\":\"ACCOUNT_UPDATE\",\"T\":5,\"a\":{\"m\":\"FUNDING_FEE\",\"B\":[{\"a\":"
                                       "\"USDT\",\"wb\":\"1\",\"bc\":\"-2\"}],"
                                       "\"P\":[{\"s\":\"AUSDT\"}]}}";
    static const char* const kinds[] = {"NEW", "TRADE", "CANCELED", "EXPIRED", "AMENDMENT"};
    char text[400];
    int size = snprintf(
        text, sizeof text,
        "{\"e\":\"%s\",\"o\":{\"s\":\"AUSDT\",\"c\":\"apus%016x\",\"x\":\"%s\",\"X\":\"NEW\",\"l\":\"1\"}%s",
        how % 16 == 15 ? "listenKeyExpired" : "ORDER_TRADE_UPDATE", take(w), kinds[how % 5], how % 16 == 14 ? "" : "}");
    if (how % 16 == 13) size = snprintf(text, sizeof text, "%s", account);
    say(w, how & 64 ? SECOND_USER : USER, text, (size_t)size);
}

// MARK: orders and reports

static void push_order(world* w, uint8_t how) {
    apus_order order = {
        .client_id = w->pushed + 1,
        .target_id = how / 4,
        .action = (uint8_t)(APUS_ORDER_PLACE + how % 4),
        .price = 5000,
        .quantity = how,
        .band_high = how % 16 == 9 ? 1 : 10000,
        .decided_ns = w->now - (how % 16 == 5 ? 2000000000u : 0),
    };
    if (apus_order_push(rings.orders, &order) == 0) w->pushed++;
    turn(w);
}

static void cancel_all(world* w) {
    apus_command command = {.kind = APUS_COMMAND_CANCEL_ALL, .session = 1};
    check(orders.session.ops->command(&orders.session, &command, w->now) == 0);
    turn(w);
}

static void pop_reports(world* w) {
    apus_report report;
    while (apus_report_pop(rings.reports, &report)) {
        // What an event tells has no action; everything else ends one request.
        if (report.action != 0) w->answered++;
    }
}

static uint64_t waiting(void) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < APUS_BINANCE_IN_FLIGHT; i++) {
        count += orders.requests[i].number != 0 && orders.requests[i].action < 100;
    }
    return count;
}

static void check_requests(world* w) {
    pop_reports(w);
    uint64_t in_ring = rings.orders->head - rings.orders->tail;
    check(w->answered + waiting() + in_ring == w->pushed + orders.own_cancels);
}

// MARK: a life

static void make(world* w) {
    *w = (world){.now = 5000000000ull, .id = 100, .versions = 1};
    w->history[0].id = 100;
    for (int i = 0; i < PRICES; i++)
        w->history[0].quantities[0][i] = w->history[0].quantities[1][i] = 1;
    out = apus_publisher_make(&view, NULL);
    out.realtime_offset = 1700000000000000000;
    apus_arena_init(&arena, arena_memory, ARENA_BYTES);
    check(apus_instrument_table_init(&table, table_memory, 2) == 0);
    apus_instrument instrument = {
        .price_decimals = 2, .quantity_decimals = 3, .tick_units = 10, .lot_units = 1, .contract_multiplier = 1};
    check(apus_instrument_add(&table, "AUSDT", 5, &instrument) == 0);
    check(apus_market_init(&market, &out, &arena, &table, "fuzz") == 0);
    apus_random random;
    apus_random_seed(&random, 1);
    apus_binance_config config;
    apus_binance_config_usdm(&config);
    config.rx_bytes = 128u << 10;
    config.link.max_message_bytes = config.fetch.max_body_bytes = 32u << 10;
    config.fetch.backoff_max_ns = config.fetch.backoff_min_ns;
    config.probe_interval_ns = 3000000000ull;
    check(apus_binance_session_init(&books, &config, &market, &random) == 0);
    apus_binance_signer signer;
    check(apus_binance_signer_init(&signer, "k", "s") == 0);
    apus_binance_orders_config order_config;
    apus_binance_orders_config_usdm(&order_config);
    order_config.api_count = 2;
    order_config.rx_bytes = order_config.tx_bytes = 64u << 10;
    order_config.user_link.max_lifetime_ns = order_config.api_link.max_lifetime_ns = 20000000000ull;
    order_config.user_link.lifetime_jitter_ns = order_config.api_link.lifetime_jitter_ns = 0;
    order_config.api_link.max_message_bytes = order_config.user_link.max_message_bytes = 32u << 10;
    check(apus_binance_orders_init(&orders, &order_config, &market, &rings, &signer, &random) == 0);
    apus_queue_init(rings.orders, 64);
    apus_queue_init(rings.reports, 8);
    channels[STREAM] = books.session.channels[0];
    channels[REST] = books.session.channels[1];
    channels[USER] = orders.session.channels[0];
    channels[SECOND_USER] = orders.session.channels[1];
    channels[API] = orders.session.channels[2];
    channels[SECOND_API] = orders.session.channels[3];
    links[STREAM] = &books.link;
    links[USER] = &orders.users[0].link;
    links[SECOND_USER] = &orders.users[1].link;
    links[API] = &orders.api[0].link;
    links[SECOND_API] = &orders.api[1].link;
    check(apus_binance_session_subscribe(&books, 0) == 0);
    books.session.ops->start(&books.session, w->now);
    orders.session.ops->start(&orders.session, w->now);
    turn(w);
}

static void prepare(void) {
    arena_memory = aligned_alloc(64, ARENA_BYTES);
    table_memory = aligned_alloc(64, 1 << 14);
    apus_public_config config = {.feed_slots = 256, .instruments = 2, .board_depth = 4};
    check(apus_public_create(&view, &config) == 0 && apus_private_create(&rings) == 0);
}

static void say_bytes(world* w) {
    size_t size = take(w) % 64;
    uint8_t number = take(w) % CHANNELS;
    size_t left = (size_t)(w->end - w->at);
    if (size > left) size = left;
    const uint8_t* bytes = w->at;
    w->at += size;
    // Whole frames of any text could be another truth: on the stream only what no frame begins with.
    if (number == STREAM && size > 0 && (bytes[0] & 0x70) == 0) return;
    if (number == REST && size > 0 && bytes[0] == 'H') return;
    deliver(w, channels[number], bytes, size);
}

static void step(world* w) {
    uint8_t what = take(w), how = take(w);
    uint8_t number = how % CHANNELS;
    switch (what % 16) {
    case 0:
        perform(w, channels[number], how >= 240);
        break;
    case 1:
        flush(w, channels[number]);
        break;
    case 2:
        upgrade(w, number);
        break;
    case 3:
        if (channels[number]->state != APUS_CHANNEL_CLOSED) apus_channel_closed(channels[number], APUS_CLOSED_IO, 104);
        turn(w);
        break;
    case 4:
        w->now += (uint64_t)how * how * 100000u;
        turn(w);
        break;
    case 5:
    case 6:
    case 7:
        say_depth(w, how);
        break;
    case 8:
        say_snapshot(w, how);
        break;
    case 9:
        say_answer(w, how);
        break;
    case 10:
        say_event(w, how);
        break;
    case 11:
        push_order(w, how);
        break;
    case 12:
        check_requests(w);
        break;
    case 13:
        say_bytes(w);
        break;
    case 14:
        if (how % 8 == 7)
            cancel_all(w);
        else
            say(w, STREAM, "{\"result\":null,\"id\":1}", 22);
        break;
    default:
        if (how % 2)
            apus_binance_session_subscribe(&books, 0);
        else if (how >= 192)
            apus_binance_session_unsubscribe(&books, 0);
        turn(w);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static world w;
    if (arena_memory == NULL) prepare();
    make(&w);
    w.at = data;
    w.end = data + size;
    while (w.at < w.end)
        step(&w);
    check_requests(&w);
    return 0;
}
