// What an instrument is asked for on a line, and what the venue says of it.
//
//   subscription of an instrument:
//
//     NONE ── subscribe ──▶ WANTED ── request sent ──▶ ASKED ── first message ──▶ ACTIVE
//                             ▲ ▲                        │                          │
//                             │ └── refused, after a pause ◀────────────────────────┤ the venue ends it
//                             └──── forget sent ── RENEW ◀──────────────────────────┤ a proposal was used, or is quiet for long
//     NONE ◀── forget sent ── UNWANTED ◀── unsubscribe ─────────────────────────────┘
//     ASKED, ACTIVE, RENEW ── link lost ──▶ WANTED          UNWANTED ── link lost ──▶ NONE
//
// A subscription of ticks that begins again asks for the history since the newest tick, once it is answered. The same request proves a
// quiet stream: what it shows and the stream does not bring within probe_grace_ns shows a frozen one, and the link reconnects. An
// open socket that answers pings proves nothing of that kind, and a closed market is not a dead feed.
#include "deriv_line.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ull
#define CHECK_INTERVAL_NS 50000000ull
#define PROBE_SPACING_NS SECOND_NS
#define HISTORY_PAUSE_NS (2 * SECOND_NS)
#define REFUSALS_COUNTED 3u
// The venue counts by the minute and does not say when it will take requests again.
#define RATE_PAUSE_NS (10 * SECOND_NS)

// MARK: asking for instruments

static apus_deriv_book* book_of(const apus_deriv_line* line, uint16_t instrument) {
    apus_market_book* book = apus_deriv_market_book(&line->deriv, instrument);
    return book == NULL ? NULL : apus_deriv_book_of(book);
}

static bool ask_ticks(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES];
    const apus_deriv_text* name = &book_of(line, instrument)->shape.underlying;
    apus_deriv_request request = {.action = APUS_DERIV_ASK_TICKS, .instrument = instrument};
    int length =
        snprintf(text, sizeof text, "{\"ticks\":\"%.*s\",\"subscribe\":1", (int)name->length, (const char*)name->bytes);
    return apus_deriv_line_send(line, APUS_DERIV_ROW_OTHER, &request, text, (size_t)length, now_ns) != 0;
}

static bool ask_history(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES];
    const apus_deriv_book* book = book_of(line, instrument);
    const apus_deriv_text* name = &book->shape.underlying;
    apus_deriv_request request = {.action = APUS_DERIV_ASK_HISTORY, .instrument = instrument};
    int length =
        snprintf(text, sizeof text,
                 "{\"ticks_history\":\"%.*s\",\"start\":%llu,\"end\":\"latest\",\"style\":\"ticks\",\"count\":5000",
                 (int)name->length, (const char*)name->bytes, (unsigned long long)book->epoch);
    return apus_deriv_line_send(line, APUS_DERIV_ROW_OTHER, &request, text, (size_t)length, now_ns) != 0;
}

static bool ask_proposal(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES], barrier[APUS_SYMBOL_BYTES + 16] = "";
    const apus_deriv_shape* shape = &book_of(line, instrument)->shape;
    apus_deriv_request request = {.action = APUS_DERIV_ASK_PROPOSAL, .instrument = instrument};
    if (shape->barrier.bytes != NULL) {
        snprintf(barrier, sizeof barrier, ",\"barrier\":\"%.*s\"", (int)shape->barrier.length,
                 (const char*)shape->barrier.bytes);
    }
    int length =
        snprintf(text, sizeof text,
                 "{\"proposal\":1,\"subscribe\":1,\"amount\":%.*s,\"basis\":\"%s\",\"contract_type\":\"%.*s\","
                 "\"currency\":\"%s\","
                 "\"duration\":%u,\"duration_unit\":\"%c\",\"%s\":\"%.*s\"%s",
                 (int)shape->amount.length, (const char*)shape->amount.bytes, shape->pays ? "payout" : "stake",
                 (int)shape->type.length, (const char*)shape->type.bytes, line->config.currency, shape->duration,
                 shape->unit, line->config.api == APUS_DERIV_V3 ? "symbol" : "underlying_symbol",
                 (int)shape->underlying.length, (const char*)shape->underlying.bytes, barrier);
    return apus_deriv_line_send(line, APUS_DERIV_ROW_TRADE, &request, text, (size_t)length, now_ns) != 0;
}

// A stream that is not known by an id has ended by itself.
static bool send_forget(apus_deriv_line* line, apus_deriv_subscription* subscription, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES];
    apus_deriv_request request = {.action = APUS_DERIV_ASK_FORGET, .instrument = APUS_INSTRUMENT_NONE};
    if (subscription->id[0] == 0) return true;
    int length = snprintf(text, sizeof text, "{\"forget\":\"%s\"", subscription->id);
    if (apus_deriv_line_send(line, APUS_DERIV_ROW_OTHER, &request, text, (size_t)length, now_ns) == 0) return false;
    subscription->id[0] = 0;
    return true;
}

int apus_deriv_line_subscribe(apus_deriv_line* line, uint16_t instrument) {
    if (instrument >= deriv_market_of(line)->instruments->count) return -ENOENT;
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    if (subscription->state != DERIV_NONE && subscription->state != DERIV_UNWANTED) return 0;
    const apus_instrument* entry = apus_instrument_at(deriv_market_of(line)->instruments, instrument);
    apus_deriv_shape shape;
    if (apus_deriv_shape_parse(entry->symbol, entry->symbol_length, &shape) < 0) return -EINVAL;
    if (apus_deriv_market_open(&line->deriv, instrument) == NULL) return -ENOMEM;
    subscription->state = subscription->state == DERIV_UNWANTED ? DERIV_RENEW : DERIV_WANTED;
    subscription->due_ns = line->next_check_ns = 0;
    return 0;
}

int apus_deriv_line_unsubscribe(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    if (instrument >= deriv_market_of(line)->instruments->count) return -ENOENT;
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    if (subscription->state == DERIV_NONE || subscription->state == DERIV_UNWANTED) return 0;
    apus_deriv_market_drop(&line->deriv, instrument);
    subscription->state = subscription->state == DERIV_WANTED ? DERIV_NONE : DERIV_UNWANTED;
    subscription->proposal[0] = 0;
    subscription->history_asked = false;
    subscription->expect_epoch = 0;
    line->next_check_ns = now_ns;
    return 0;
}

void apus_deriv_line_renew(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    subscription->proposal[0] = 0;
    if (subscription->state != DERIV_ACTIVE) return;
    subscription->state = DERIV_RENEW;
    subscription->due_ns = line->next_check_ns = now_ns;
}

// MARK: looking after what waits

static void check_active(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    apus_deriv_book* book = book_of(line, instrument);
    const apus_deriv_config* config = &line->config;
    if (book == NULL) return;
    if (apus_deriv_is_contract(&book->shape)) {
        if (config->proposal_interval_ns != 0 && now_ns - subscription->news_ns > config->proposal_interval_ns) {
            apus_deriv_line_renew(line, instrument, now_ns);
        }
        return;
    }
    if (subscription->expect_epoch != 0) {
        if (book->touch_epoch >= subscription->expect_epoch)
            subscription->expect_epoch = 0;
        else if (now_ns >= subscription->expect_ns) {
            line->frozen++;
            subscription->expect_epoch = 0;
            apus_link_reconnect(&line->link, APUS_REASON_FROZEN, now_ns);
        }
        return;
    }
    if (subscription->history_asked) return;
    bool quiet = config->probe_interval_ns != 0 && now_ns - subscription->news_ns > config->probe_interval_ns
                 && now_ns >= line->next_probe_ns && book->epoch != 0;
    if ((!book->holding && !quiet) || now_ns < subscription->history_due_ns) return;
    if (!ask_history(line, instrument, now_ns)) return;
    subscription->history_asked = true;
    subscription->probing = !book->holding;
    if (subscription->probing) line->next_probe_ns = now_ns + PROBE_SPACING_NS;
    apus_deriv_market_hold(&line->deriv, instrument);
}

// Does the next step of a subscription. Returns whether something was sent.
static bool step(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    const apus_deriv_book* book = book_of(line, instrument);
    switch (subscription->state) {
    case DERIV_UNWANTED:
        // The answer that is still waited for brings the id.
        if (subscription->asked || !send_forget(line, subscription, now_ns)) return false;
        subscription->state = DERIV_NONE;
        return true;
    case DERIV_RENEW:
        if (subscription->asked || !send_forget(line, subscription, now_ns)) return false;
        subscription->state = DERIV_WANTED;
        return true;
    case DERIV_WANTED: {
        if (book == NULL || now_ns < subscription->due_ns) return false;
        bool contract = apus_deriv_is_contract(&book->shape);
        if (!(contract ? ask_proposal(line, instrument, now_ns) : ask_ticks(line, instrument, now_ns))) return false;
        subscription->state = DERIV_ASKED;
        subscription->asked = true;
        return true;
    }
    default:
        return false;
    }
}

uint32_t apus_deriv_line_keep(apus_deriv_line* line, uint64_t now_ns) {
    uint32_t work = 0;
    if (line->link.state != APUS_LINK_OPEN || now_ns < line->next_check_ns) return 0;
    line->next_check_ns = now_ns + CHECK_INTERVAL_NS;
    if (!deriv_check_requests(line, now_ns)) {
        apus_link_reconnect(&line->link, APUS_REASON_SESSION, now_ns);
        return 1;
    }
    if (!line->usable) return 0;
    for (uint32_t i = 0; i < deriv_market_of(line)->instruments->count; i++) {
        if (line->subscriptions[i].state == DERIV_NONE) continue;
        while (step(line, (uint16_t)i, now_ns))
            work++;
        if (line->subscriptions[i].state == DERIV_ACTIVE) check_active(line, (uint16_t)i, now_ns);
        if (line->link.state != APUS_LINK_OPEN) return work;
    }
    return work;
}

uint64_t apus_deriv_line_deadline(const apus_deriv_line* line) {
    uint64_t due = apus_link_deadline(&line->link);
    return line->link.state == APUS_LINK_OPEN && line->next_check_ns < due ? line->next_check_ns : due;
}

// MARK: what the venue says

static void copy_id(char to[APUS_DERIV_ID_BYTES], const apus_deriv_text* from) {
    size_t length = from->length < APUS_DERIV_ID_BYTES ? from->length : 0;
    if (length > 0) memcpy(to, from->bytes, length);
    to[length] = 0;
}

static bool has_id(const char id[APUS_DERIV_ID_BYTES], const apus_deriv_text* text) {
    return id[0] != 0 && text->bytes != NULL && strlen(id) == text->length
           && memcmp(id, text->bytes, text->length) == 0;
}

static uint16_t subscribed_to(const apus_deriv_line* line, const apus_deriv_text* id) {
    if (id->bytes == NULL) return APUS_INSTRUMENT_NONE;
    for (uint32_t i = 0; i < deriv_market_of(line)->instruments->count; i++) {
        if (has_id(line->subscriptions[i].id, id)) return (uint16_t)i;
    }
    return APUS_INSTRUMENT_NONE;
}

// The venue has refused or ended a subscription.
static void refused(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    uint64_t pause = line->config.refusal_pause_ns << subscription->refusals;
    line->refusals++;
    subscription->asked = false;
    if (subscription->refusals < REFUSALS_COUNTED) subscription->refusals++;
    if (subscription->state == DERIV_NONE || subscription->state == DERIV_UNWANTED) {
        subscription->state = DERIV_NONE;
        return;
    }
    subscription->state = DERIV_WANTED;
    subscription->due_ns = now_ns + pause;
    subscription->id[0] = subscription->proposal[0] = 0;
    subscription->history_asked = false;
    subscription->expect_epoch = 0;
    apus_deriv_market_lost(&line->deriv, instrument, APUS_BOOK_REASON_UNSUBSCRIBED);
    // It goes on without us knowing its id: only a new connection ends it.
    if (line->deriv.last.error == APUS_DERIV_ERROR_SUBSCRIBED) {
        apus_link_reconnect(&line->link, APUS_REASON_SESSION, now_ns);
    }
}

// A message of a subscription has come.
static void note_news(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    if (line->deriv.last.subscription.bytes != NULL) copy_id(subscription->id, &line->deriv.last.subscription);
    subscription->news_ns = now_ns;
    subscription->refusals = 0;
    subscription->asked = false;
    if (subscription->state == DERIV_ASKED) subscription->state = DERIV_ACTIVE;
    apus_link_proof(&line->link, now_ns);
}

// Whether ticks may be missing before the one that has come.
static bool leaves_gap(const apus_deriv_line* line, const apus_deriv_book* book) {
    uint64_t epoch;
    return apus_deriv_whole(&line->deriv.last.fields[APUS_DERIV_EPOCH], &epoch) == 0
           && apus_deriv_leaves_gap(book, epoch);
}

static void take_tick(apus_deriv_line* line, uint64_t now_ns) {
    const apus_deriv_text* symbol = &line->deriv.last.fields[APUS_DERIV_SYMBOL];
    uint16_t instrument = apus_instrument_find(deriv_market_of(line)->instruments, symbol->bytes, symbol->length);
    if (instrument == APUS_INSTRUMENT_NONE || line->subscriptions[instrument].state == DERIV_NONE) return;
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    const apus_deriv_book* book = book_of(line, instrument);
    bool first = subscription->state == DERIV_ASKED;
    note_news(line, instrument, now_ns);
    if (book != NULL && ((first && book->epoch != 0) || leaves_gap(line, book))) {
        apus_deriv_market_hold(&line->deriv, instrument);
        line->next_check_ns = now_ns;
    }
    if (apus_deriv_market_tick(&line->deriv, line->channel.receive_ns, line->channel.kernel_ns) == 0) return;
    deriv_count_fault(line);
    // The history may tell what this message did not.
    apus_deriv_market_hold(&line->deriv, instrument);
}

// A history is to be asked for again, or after too many given up.
static void ask_again(apus_deriv_line* line, uint16_t instrument, uint64_t due_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    subscription->history_due_ns = due_ns;
    line->next_check_ns = 0;
    if (++subscription->history_failures < APUS_DERIV_HISTORY_TRIES) return;
    subscription->history_failures = 0;
    apus_deriv_market_release(&line->deriv, instrument, line->channel.receive_ns);
}

static void take_history(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    const apus_deriv_book* book = book_of(line, instrument);
    if (book == NULL || !subscription->history_asked) return;
    subscription->history_asked = false;
    if (line->deriv.last.error != APUS_DERIV_ERROR_NONE) {
        line->refusals++;
        ask_again(line, instrument, now_ns + HISTORY_PAUSE_NS);
        return;
    }
    subscription->news_ns = now_ns;
    int result = apus_deriv_market_history(&line->deriv, instrument, line->channel.receive_ns, line->channel.kernel_ns);
    if (result == 0 && book->holding) {
        // It was made before what is held came: the next one reaches further.
        ask_again(line, instrument, now_ns + subscription->history_failures * HISTORY_PAUSE_NS);
        return;
    }
    subscription->history_failures = 0;
    if (result < 0) {
        deriv_count_fault(line);
        return;
    }
    if (subscription->probing && book->touch_epoch < book->epoch) {
        subscription->expect_epoch = book->epoch;
        subscription->expect_ns = now_ns + line->config.probe_grace_ns;
    }
}

static void take_proposal(apus_deriv_line* line, const apus_deriv_request* request, uint64_t now_ns) {
    const apus_deriv_message* message = &line->deriv.last;
    uint16_t instrument = request != NULL ? request->instrument : subscribed_to(line, &message->subscription);
    if (instrument == APUS_INSTRUMENT_NONE) return;
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    if (message->error != APUS_DERIV_ERROR_NONE) {
        refused(line, instrument, now_ns);
        return;
    }
    // What a stream says between a forget and its answer can be bought no more.
    if (subscription->state != DERIV_ASKED && subscription->state != DERIV_ACTIVE
        && subscription->state != DERIV_UNWANTED)
        return;
    note_news(line, instrument, now_ns);
    if (book_of(line, instrument) == NULL) return;
    int64_t price;
    const apus_instrument* entry = apus_instrument_at(deriv_market_of(line)->instruments, instrument);
    if (apus_deriv_decimal(&message->fields[APUS_DERIV_ASK_PRICE], entry->price_decimals, &price) < 0 || price <= 0) {
        deriv_count_fault(line);
        subscription->proposal[0] = 0;
        apus_deriv_market_lost(&line->deriv, instrument, APUS_BOOK_REASON_DECODE);
        return;
    }
    copy_id(subscription->proposal, &message->fields[APUS_DERIV_ID]);
    apus_deriv_market_quote(&line->deriv, instrument, APUS_SIDE_ASK, price, line->channel.receive_ns,
                            line->channel.kernel_ns);
}

static uint8_t row_of(uint8_t action) {
    switch (action) {
    case APUS_DERIV_ASK_PROPOSAL:
    case APUS_DERIV_ASK_CONTRACT:
    case APUS_DERIV_ASK_BUY:
    case APUS_DERIV_ASK_SELL:
        return APUS_DERIV_ROW_TRADE;
    case APUS_DERIV_ASK_BALANCE:
    case APUS_DERIV_ASK_BALANCE_ONCE:
        return APUS_DERIV_ROW_ACCOUNT;
    case APUS_DERIV_ASK_PORTFOLIO:
    case APUS_DERIV_ASK_TABLE:
        return APUS_DERIV_ROW_HOLDINGS;
    default:
        return APUS_DERIV_ROW_OTHER;
    }
}

static uint8_t row_of_kind(uint8_t kind) {
    switch (kind) {
    case APUS_DERIV_BUY:
        return row_of(APUS_DERIV_ASK_BUY);
    case APUS_DERIV_SELL:
        return row_of(APUS_DERIV_ASK_SELL);
    default:
        return APUS_DERIV_ROW_OTHER;
    }
}

static void take_rate_limit(apus_deriv_line* line, const apus_deriv_request* request, uint64_t now_ns) {
    uint8_t row = request != NULL ? row_of(request->action) : row_of_kind(line->deriv.last.kind);
    line->rate_limits++;
    apus_budget_blocked_until(&line->budget, 2u * row, now_ns + RATE_PAUSE_NS);
}

bool apus_deriv_line_take(apus_deriv_line* line, const apus_deriv_request* request, uint64_t now_ns) {
    const apus_deriv_message* message = &line->deriv.last;
    uint8_t action = request != NULL ? request->action : 0;
    bool failed = message->error != APUS_DERIV_ERROR_NONE;
    if (message->error == APUS_DERIV_ERROR_RATE_LIMIT) take_rate_limit(line, request, now_ns);
    switch (action) {
    case APUS_DERIV_ASK_TICKS:
        if (failed)
            refused(line, request->instrument, now_ns);
        else if (message->kind == APUS_DERIV_TICK)
            take_tick(line, now_ns);
        return true;
    case APUS_DERIV_ASK_HISTORY:
        take_history(line, request->instrument, now_ns);
        return true;
    case APUS_DERIV_ASK_PROPOSAL:
        take_proposal(line, request, now_ns);
        return true;
    case APUS_DERIV_ASK_FORGET:
        return true;
    case 0:
        break;
    default:
        return false;
    }
    if (message->kind == APUS_DERIV_PING || message->kind == APUS_DERIV_FORGET) return true;
    if (message->kind == APUS_DERIV_TICK || message->kind == APUS_DERIV_PROPOSAL) {
        uint16_t ended = failed ? subscribed_to(line, &message->subscription) : APUS_INSTRUMENT_NONE;
        if (ended != APUS_INSTRUMENT_NONE)
            refused(line, ended, now_ns);
        else if (!failed && message->kind == APUS_DERIV_TICK)
            take_tick(line, now_ns);
        else if (!failed)
            take_proposal(line, NULL, now_ns);
        return true;
    }
    return false;
}
