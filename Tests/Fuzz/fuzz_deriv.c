// Both of Deriv's sessions against a venue that says anything at any time: answers to any request, contracts of others,
// ends of contracts, ends of connections. Whatever comes, each order has one fill, no contract ends twice, and no
// refused order is filled.
#include "apus_deriv_orders.h"
#include "apus_shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES (16u << 20)
#define ORDERS 4096u
#define CONTRACTS 4096u

enum { STREAM, ACCOUNT, REST, CHANNELS };
enum { FREE, OPEN, FILLED, REFUSED };

typedef struct world {
    const uint8_t* at;
    const uint8_t* end;
    uint64_t now;
    uint64_t pushed;
    uint64_t contracts; // the newest number
    uint8_t orders[ORDERS];
    uint64_t trades[ORDERS];
    uint8_t ended[CONTRACTS];
    uint16_t buyers[CONTRACTS];
} world;

static uint8_t* arena_memory;
static void* table_memory;
static apus_public view;
static apus_private rings;
static apus_publisher out;
static apus_arena arena;
static apus_instrument_table table;
static apus_market market;
static apus_deriv_session books;
static apus_deriv_orders orders;
static apus_channel* channels[CHANNELS];
static apus_link* links[CHANNELS];

static void check(int condition) {
    if (!condition) abort();
}

static uint8_t take(world* w) {
    return w->at < w->end ? *w->at++ : 0;
}

// MARK: reports

static void take_fill(world* w, const apus_report* report) {
    uint64_t order = report->client_id, contract = report->venue_order_id & ~APUS_DERIV_SALE;
    check(order > 0 && order < ORDERS && contract > 0 && contract < CONTRACTS);
    check(w->orders[order] == OPEN || (w->orders[order] == FILLED && w->trades[order] == report->trade_id));
    w->orders[order] = FILLED;
    w->trades[order] = report->trade_id;
    if (report->side == APUS_BUY) {
        check(report->trade_id == 2 * contract);
        check(w->buyers[contract] == 0 || w->buyers[contract] == order);
        w->buyers[contract] = (uint16_t)order;
    } else {
        check(report->trade_id == 2 * contract + 1);
        check(w->ended[contract] != 1); // it was not settled
        w->ended[contract] = 2;
    }
}

static void take_report(world* w, const apus_report* report) {
    uint64_t order = report->client_id;
    bool place = report->action == APUS_ORDER_PLACE;
    switch (report->kind) {
    case APUS_REPORT_FILL:
        take_fill(w, report);
        break;
    case APUS_REPORT_SETTLED:
        check(report->venue_order_id < CONTRACTS && w->ended[report->venue_order_id] == 0);
        w->ended[report->venue_order_id] = 1;
        break;
    case APUS_REPORT_REJECTED:
    case APUS_REPORT_REFUSED:
        if (!place || order >= ORDERS) break;
        check(w->orders[order] != FILLED && w->orders[order] != REFUSED);
        w->orders[order] = REFUSED;
        break;
    case APUS_REPORT_NOT_FOUND:
        check(order < ORDERS && w->orders[order] != FILLED);
        break;
    default:
        break;
    }
}

static void pop_reports(world* w) {
    apus_report report;
    while (apus_report_pop(rings.reports, &report))
        take_report(w, &report);
}

// MARK: the shell

static void turn(world* w) {
    books.session.ops->turn(&books.session, w->now);
    orders.session.ops->turn(&orders.session, w->now);
    (void)books.session.ops->deadline(&books.session);
    (void)orders.session.ops->deadline(&orders.session);
}

static void deliver(world* w, apus_channel* channel, const void* bytes, size_t size) {
    uint8_t* at;
    if (channel->state != APUS_CHANNEL_OPEN || channel->paused) return;
    size_t space = apus_channel_space(channel, &at);
    if (size > space) size = space;
    memcpy(at, bytes, size);
    if (size > 0) apus_channel_received(channel, size, w->now, 0);
    turn(w);
}

static void say(world* w, uint8_t number, const char* text) {
    uint8_t frame[1400];
    size_t size = strlen(text), head = size < 126 ? 2 : 4;
    frame[0] = 0x81;
    frame[1] = (uint8_t)(size < 126 ? size : 126);
    frame[2] = (uint8_t)(size >> 8);
    frame[3] = (uint8_t)size;
    memcpy(frame + head, text, size);
    deliver(w, channels[number], frame, head + size);
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

static void answer_rest(world* w, uint8_t how) {
    char text[400];
    static const char body[] = "{\"data\":{\"url\":\"wss://x/ws/demo?otp=1\"}}";
    int size = snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", how % 4 == 3 ? 429 : 200,
                        sizeof body - 1, body);
    deliver(w, channels[REST], text, (size_t)size);
}

// MARK: what is said of the account

static uint64_t second(const world* w) {
    return (w->now + (uint64_t)out.realtime_offset) / 1000000000u;
}

// The number of a request that may wait; of an order where one does.
static uint64_t request(uint8_t how) {
    if (how % 2 == 0 && orders.buys[1].state != 0) return orders.buys[1].number;
    for (uint32_t i = 0; how % 2 == 0 && i < APUS_DERIV_CONTRACTS; i++) {
        if (orders.contracts[i].sale.state != 0) return orders.contracts[i].sale.number;
    }
    uint64_t newest = orders.line.next_request;
    return newest > how % 8u ? newest - how % 8u : 0;
}

// A contract that the venue has: the next one, or one of the newest.
static uint64_t contract(world* w, uint8_t how) {
    if (how % 4 == 0 && w->contracts + 1 < CONTRACTS) w->contracts++;
    uint64_t back = how / 4 % 4;
    return w->contracts > back ? w->contracts - back : 1;
}

static void say_rows(world* w, uint8_t how) {
    char text[1200];
    uint64_t id = contract(w, how), bought = second(w) - take(w) % 16;
    snprintf(text, sizeof text,
             "{\"msg_type\":\"%s\",\"req_id\":%llu,\"%s\":{\"%s\":[{\"contract_id\":%llu,\"transaction_id\":%llu,"
             "\"buy_price\":%s,\"sell_price\":\"9\",\"sell_time\":%llu,\"purchase_time\":%llu,\"payout\":\"19.53\","
             "\"shortcode\":\"CALL_R_100_19.53_1_5T_S0P_0\"}]}}",
             how & 64 ? "portfolio" : "profit_table", (unsigned long long)request(take(w) | 1),
             how & 64 ? "portfolio" : "profit_table", how & 64 ? "contracts" : "transactions", (unsigned long long)id,
             (unsigned long long)(2 * id), how & 32 ? "10" : "\"10.00\"", (unsigned long long)bought,
             (unsigned long long)bought);
    say(w, ACCOUNT, text);
}

static void say_contract(world* w, uint8_t how) {
    static const char* const states[] = {"open", "sold", "won", "lost"};
    char text[700], sell[64] = "";
    uint64_t id = contract(w, how | 1);
    bool ended = how / 16 % 4 != 0;
    if (ended) snprintf(sell, sizeof sell, ",\"sell\":%llu", (unsigned long long)(2 * id + 1));
    char number[40] = "";
    if (how & 128) snprintf(number, sizeof number, "\"req_id\":%llu,", (unsigned long long)request(take(w) | 1));
    snprintf(text, sizeof text,
             "{\"msg_type\":\"proposal_open_contract\",%s\"subscription\":{\"id\":\"c\"},\"proposal_open_contract\":{"
             "\"contract_id\":%llu,\"status\":\"%s\",\"is_sold\":%d,\"bid_price\":\"9.1\",\"buy_price\":10,"
             "\"sell_price\":\"9\",\"purchase_time\":%llu,\"transaction_ids\":{\"buy\":%llu%s}}}",
             number, (unsigned long long)id, states[how / 16 % 4], ended, (unsigned long long)second(w),
             (unsigned long long)(2 * id), sell);
    say(w, ACCOUNT, text);
}

static void say_transaction(world* w, uint8_t how) {
    char text[300];
    uint64_t id = contract(w, how | 1);
    snprintf(text, sizeof text,
             "{\"msg_type\":\"transaction\",\"transaction\":{\"action\":\"%s\",\"contract_id\":%llu,\"amount\":9,"
             "\"transaction_id\":%llu}}",
             how & 64 ? "buy" : "sell", (unsigned long long)id, (unsigned long long)(2 * id + (how & 64 ? 0 : 1)));
    say(w, ACCOUNT, text);
}

static void say_trade(world* w, uint8_t how) {
    static const char* const codes[] = {"PriceMoved", "InternalServerError", "RateLimit", "InvalidContractProposal"};
    char text[400];
    unsigned long long number = request(take(w) & 0xfe);
    uint64_t sold = 0;
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        const apus_deriv_contract* held = &orders.contracts[i];
        if (held->id != 0 && held->sale.state != 0 && held->sale.number == number) sold = held->id;
    }
    if (how % 4 == 0) {
        snprintf(text, sizeof text, "{\"msg_type\":\"%s\",\"req_id\":%llu,\"error\":{\"code\":\"%s\"}}",
                 sold ? "sell" : "buy", number, codes[how / 4 % 4]);
    } else if (sold != 0) {
        snprintf(text, sizeof text,
                 "{\"msg_type\":\"sell\",\"req_id\":%llu,\"sell\":{\"contract_id\":%llu,\"transaction_id\":%llu,\"sold_"
                 "for\":9}}",
                 number, (unsigned long long)sold, (unsigned long long)(2 * sold + 1));
    } else {
        // An answer to a buy is about a contract of its own.
        if (w->contracts + 1 < CONTRACTS) w->contracts++;
        snprintf(text, sizeof text,
                 "{\"msg_type\":\"buy\",\"req_id\":%llu,\"buy\":{\"contract_id\":%llu,\"transaction_id\":%llu,"
                 "\"buy_price\":10,\"purchase_time\":%llu}}",
                 number, (unsigned long long)w->contracts, (unsigned long long)(2 * w->contracts),
                 (unsigned long long)second(w));
    }
    say(w, ACCOUNT, text);
}

static void say_market(world* w, uint8_t how) {
    char text[300];
    if (how % 4 == 0) {
        snprintf(text, sizeof text,
                 "{\"msg_type\":\"history\",\"req_id\":%llu,\"history\":{\"prices\":[%d,\"7.5\"],\"times\":[%d,%d]}}",
                 (unsigned long long)(books.line.next_request - 1), how, how, how + take(w) % 3);
    } else if (how % 4 == 1) {
        snprintf(text, sizeof text,
                 "{\"msg_type\":\"proposal\",\"req_id\":%llu,\"subscription\":{\"id\":\"s\"},"
                 "\"proposal\":{\"id\":\"p%d\",\"ask_price\":\"10\"}}",
                 (unsigned long long)request(take(w) | 1), how);
        say(w, ACCOUNT, text);
        return;
    } else {
        snprintf(text, sizeof text,
                 "{\"msg_type\":\"tick\",\"req_id\":%llu,\"tick\":{\"epoch\":%d,\"quote\":%d,\"symbol\":\"R_100\"}}",
                 (unsigned long long)(books.line.next_request - how % 2), how, how);
    }
    say(w, STREAM, text);
}

static void say_bytes(world* w) {
    uint8_t number = take(w) % CHANNELS;
    size_t size = take(w) % 64, left = (size_t)(w->end - w->at);
    if (size > left) size = left;
    const uint8_t* bytes = w->at;
    w->at += size;
    // Whole frames of any text could be another truth: only what no frame begins with.
    if (size > 0 && (number == REST ? bytes[0] == 'H' : (bytes[0] & 0x70) == 0)) return;
    deliver(w, channels[number], bytes, size);
}

// MARK: orders

static void push_order(world* w, uint8_t how) {
    if (w->pushed + 1 >= ORDERS) return;
    apus_order order = {
        .client_id = w->pushed + 1,
        .target_id = how / 8 % 8 < w->pushed ? w->pushed - how / 8 % 8 : 1,
        .instrument = 1,
        .action = how % 8 == 7   ? APUS_ORDER_QUERY
                  : how % 8 == 6 ? APUS_ORDER_CANCEL
                                 : APUS_ORDER_PLACE,
        .side = how & 1,
        .price = how & 1 ? 900 : 1000,
        .quantity = 1,
        .band_high = 100000,
        .decided_ns = w->now,
        .wall_ms = second(w) * 1000,
    };
    // The engine asks only about orders that it does not know the end of.
    if (order.action == APUS_ORDER_QUERY) {
        if (w->orders[order.target_id] != OPEN) return;
        order.side = w->trades[order.target_id] & 1;
        order.price = order.side ? 900 : 1000;
    }
    if (apus_order_push(rings.orders, &order) < 0) return;
    if (order.action == APUS_ORDER_PLACE) {
        w->pushed++;
        w->orders[w->pushed] = OPEN;
        w->trades[w->pushed] = order.side; // until it is filled
    }
    turn(w);
}

// MARK: a life

static void make(world* w, uint8_t choice) {
    memset(w, 0, sizeof *w);
    w->now = 5000000000ull;
    w->contracts = 1;
    out = apus_publisher_make(&view, NULL);
    out.realtime_offset = 1700000000000000000;
    apus_arena_init(&arena, arena_memory, ARENA_BYTES);
    check(apus_instrument_table_init(&table, table_memory, 2) == 0);
    apus_instrument instrument = {.price_decimals = 2, .tick_units = 1, .lot_units = 1, .contract_multiplier = 1};
    check(apus_instrument_add(&table, "R_100", 5, &instrument) == 0);
    check(apus_instrument_add(&table, "R_100/CALL/5t/stake/10", 22, &instrument) == 1);
    check(apus_market_init(&market, &out, &arena, &table, "deriv") == 0);
    apus_random random;
    apus_random_seed(&random, 1);
    uint8_t api = choice % 2 ? APUS_DERIV_V3 : APUS_DERIV_CURRENT;
    apus_deriv_config config;
    apus_deriv_config_default(&config, api, "1");
    config.rx_bytes = 128u << 10;
    config.link.max_message_bytes = 32u << 10;
    check(apus_deriv_session_init(&books, &config, &market, &random) == 0);
    apus_deriv_orders_config order_config;
    apus_deriv_orders_config_default(&order_config, api, "VRTC1", "1");
    order_config.line.rx_bytes = 128u << 10;
    order_config.line.link.max_message_bytes = 32u << 10;
    check(apus_deriv_orders_init(&orders, &order_config, &market, &rings, "token", &random) == 0);
    apus_queue_init(rings.orders, 64);
    apus_queue_init(rings.reports, 16);
    channels[STREAM] = books.session.channels[0];
    channels[ACCOUNT] = orders.session.channels[0];
    channels[REST] = orders.session.channels[1];
    links[STREAM] = &books.line.link;
    links[ACCOUNT] = &orders.line.link;
    check(apus_deriv_line_subscribe(&books.line, 0) == 0 && apus_deriv_orders_subscribe(&orders, 1) == 0);
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

static void step(world* w) {
    uint8_t what = take(w), how = take(w);
    uint8_t number = how % CHANNELS;
    switch (what % 16) {
    case 0:
    case 1:
        perform(w, channels[number], how >= 240);
        break;
    case 2:
        upgrade(w, number);
        break;
    case 3:
        if (how < 64 && channels[number]->state != APUS_CHANNEL_CLOSED)
            apus_channel_closed(channels[number], APUS_CLOSED_IO, 104);
        turn(w);
        break;
    case 4:
        w->now += (uint64_t)how * how * 200000u;
        turn(w);
        break;
    case 5:
        answer_rest(w, how);
        break;
    case 6:
    case 7:
        say_rows(w, how);
        break;
    case 8:
        say_contract(w, how);
        break;
    case 9:
        say_transaction(w, how);
        break;
    case 10:
        say_trade(w, how);
        break;
    case 11:
        say_market(w, how);
        break;
    case 12:
    case 13:
        push_order(w, how);
        break;
    case 14:
        say_bytes(w);
        break;
    default:
        pop_reports(w);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static world w;
    if (arena_memory == NULL) prepare();
    // The first byte chooses the API.
    make(&w, size > 0 ? data[0] : 0);
    w.at = data + (size > 0);
    w.end = data + size;
    while (w.at < w.end)
        step(&w);
    pop_reports(&w);
    return 0;
}
