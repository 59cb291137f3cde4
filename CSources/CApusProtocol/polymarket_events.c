// Fills are counted by trades. An order tells what was matched in all, and which trades that is made of: what it tells before the
// trades have come themselves is in the order's total from then on, and the trade's own event adds nothing more to it.
//
//   (none) ── the order names the trade ──▶ TOLD_BY_ORDER ── its event ──▶ FILLED (told)
//   (none) ── its event, in any status but FAILED ──▶ FILLED (told, and added to the total)
//   any ── FAILED ──▶ FAILED (told as undone when it may have been told as a fill, and taken from the total)
//
// The venue goes on counting what failed as matched: nothing takes its place, and an order of which all has been matched or has failed
// has ended. The failure of an order's part that is not known (any more) is told without the order's number: who took it in knows it by
// the trade's.
#include "apus_decimal.h"
#include "polymarket_orders_internal.h"

// What an order's part in a trade makes at most: the fill, and the order's end.
#define SHARE_REPORTS 2u

// MARK: vocabulary

// Statuses come plain in events and with a prefix in some answers.
static bool says(const apus_field* field, const char* prefix, const char* word) {
    apus_field rest = *field;
    size_t length = strlen(prefix);
    if (rest.token == APUS_JSON_STRING && rest.length > length && memcmp(rest.text, prefix, length) == 0) {
        rest.text += length;
        rest.length -= length;
    }
    return apus_field_is(&rest, word);
}

static uint8_t status_word(const apus_field* field) {
    static const struct {
        const char* text;
        uint8_t status;
    } words[] = {
        {"LIVE", APUS_STATUS_NEW},
        {"DELAYED", APUS_STATUS_NEW},
        {"MATCHED", APUS_STATUS_FILLED},
        {"CANCELED", APUS_STATUS_CANCELED},
        {"CANCELED_MARKET_RESOLVED", APUS_STATUS_CANCELED},
        {"EXPIRED", APUS_STATUS_EXPIRED},
        {"UNMATCHED", APUS_STATUS_EXPIRED},
        {"INVALID", APUS_STATUS_CANCELED},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (says(field, "ORDER_STATUS_", words[i].text)) return words[i].status;
    }
    return APUS_STATUS_NONE;
}

// What is matched in part only and rests no more has ended all the same.
static uint8_t refine(uint8_t status, const apus_polymarket_known* known) {
    bool whole = known->total >= known->quantity;
    if (status == APUS_STATUS_NEW && known->total > 0) return whole ? APUS_STATUS_FILLED : APUS_STATUS_PARTIALLY_FILLED;
    if (status == APUS_STATUS_FILLED && !whole) {
        bool rests = known->time_in_force == APUS_GTC || known->time_in_force == APUS_POST_ONLY;
        bool left = known->total + known->failed < known->quantity;
        return rests && left ? APUS_STATUS_PARTIALLY_FILLED : APUS_STATUS_EXPIRED;
    }
    return status;
}

static uint8_t event_word(const apus_field* field) {
    if (apus_field_is(field, "PLACEMENT")) return APUS_REPORT_ACCEPTED;
    if (apus_field_is(field, "UPDATE")) return APUS_REPORT_STATUS;
    return apus_field_is(field, "CANCELLATION") ? APUS_REPORT_CANCELED : 0;
}

// MARK: orders

void polymarket_end(pm_session* self, apus_polymarket_known* known) {
    known->open = known->placing = false;
    apus_open_orders_remove(&self->open, known->client_id);
}

typedef struct naming {
    pm_session* self;
    const apus_polymarket_known* known;
    int64_t undone; // of the trades that the order still names
    bool news;      // it names one that was not heard of
    bool blind;     // one of them may have failed without being known
} naming;

static bool name_trade(void* context, const apus_field* uuid) {
    naming* naming = context;
    if (uuid->token != APUS_JSON_STRING) return true;
    uint64_t id = apus_polymarket_trade_id(uuid->text, uuid->length, naming->known->venue_id);
    apus_polymarket_part* part = polymarket_find_part(naming->self, id);
    naming->news |= part == NULL;
    if (part == NULL && !naming->blind)
        polymarket_add_part(naming->self, id, PART_TOLD_BY_ORDER, 0);
    else if (part != NULL && part->state == PART_FAILED)
        naming->undone += part->quantity;
    return true;
}

int polymarket_view_order(pm_session* self, const apus_field* text, apus_polymarket_known* known,
                          polymarket_order_view* view) {
    static const char* const names[] = {"id",    "status",           "original_size", "size_matched",
                                        "price", "associate_trades", "type",          "timestamp"};
    enum { ID, STATUS, ORIGINAL, MATCHED, PRICE, TRADES, TYPE, TIME, COUNT };
    apus_field fields[COUNT];
    *view = (polymarket_order_view){.known = known};
    if (apus_fields_read(text->text, text->length, names, fields, COUNT) < 0) return -EBADMSG;
    if (fields[ID].token != APUS_JSON_STRING) return -EBADMSG;
    if (known == NULL) view->known = known = polymarket_find_hash(self, fields[ID].text, fields[ID].length);
    if (known == NULL) return 0;
    const apus_instrument* instrument = apus_instrument_at(self->market->instruments, known->instrument);
    int64_t matched;
    uint64_t time_ms;
    if (apus_field_decimal(&fields[ORIGINAL], instrument->quantity_decimals, &view->original) < 0
        || apus_field_decimal(&fields[MATCHED], instrument->quantity_decimals, &matched) < 0
        || apus_field_decimal(&fields[PRICE], instrument->price_decimals, &view->price) < 0
        || apus_field_u64(&fields[TIME], &time_ms) < 0) {
        return -EBADMSG;
    }
    naming naming = {.self = self, .known = known, .blind = polymarket_is_blind(self, known)};
    if (fields[TRADES].token == APUS_JSON_ARRAY_BEGIN
        && apus_fields_each(fields[TRADES].text, fields[TRADES].length, name_trade, &naming) < 0) {
        return -EBADMSG;
    }
    if (naming.undone > known->failed) known->failed = naming.undone;
    if (matched - naming.undone > known->total && !naming.blind) known->total = matched - naming.undone;
    view->news = naming.news;
    view->status = refine(status_word(&fields[STATUS]), known);
    view->event = event_word(&fields[TYPE]);
    view->venue_ns = time_ms * 1000000;
    return 0;
}

static apus_report report_on(const apus_polymarket_known* known, uint8_t kind, uint64_t now_ns) {
    return (apus_report){
        .client_id = known->client_id,
        .venue_order_id = known->venue_id,
        .instrument = known->instrument,
        .kind = kind,
        .side = known->side,
        .price = known->price,
        .quantity = known->quantity,
        .cumulative = known->total,
        .receive_ns = now_ns,
    };
}

static void take_order(pm_session* self, const apus_field* text, uint64_t now_ns) {
    polymarket_order_view view;
    if (polymarket_view_order(self, text, NULL, &view) < 0) {
        self->decode_errors++;
        apus_publisher_count(self->out, APUS_COUNT_DECODE_ERRORS, 1);
        self->missed = true;
        return;
    }
    if (view.known == NULL || view.event == 0) {
        self->foreign_events += view.known == NULL;
        return;
    }
    bool ended = view.status == APUS_STATUS_CANCELED || view.status == APUS_STATUS_EXPIRED;
    if (view.event == APUS_REPORT_CANCELED && !ended) view.status = APUS_STATUS_CANCELED;
    if (view.event == APUS_REPORT_STATUS && ended) view.event = APUS_REPORT_CANCELED;
    if (view.event == APUS_REPORT_CANCELED && view.status == APUS_STATUS_EXPIRED) view.event = APUS_REPORT_EXPIRED;
    // What an update tells of fills, the trades tell. Those that are being asked for may have been looked up before this one was matched.
    if (view.news && polymarket_is_blind(self, view.known)) polymarket_ask_trades(self, view.known->placed_s);
    if (view.event == APUS_REPORT_STATUS) return;
    apus_report report = report_on(view.known, view.event, now_ns);
    report.status = view.status;
    report.venue_ns = view.venue_ns;
    if (view.event == APUS_REPORT_ACCEPTED) {
        report.cumulative = 0;
        view.known->placing = false;
    } else {
        polymarket_end(self, view.known);
    }
    polymarket_report(self, &report);
}

// MARK: trades

typedef struct trade {
    const apus_field* uuid;
    const apus_field* asset; // the taker's, as its side
    const apus_field* side;
    bool failed;
    uint64_t venue_ns;
    uint64_t now_ns;
} trade;

// What a trade says of one of its orders.
typedef struct share_text {
    apus_field order;
    apus_field quantity;
    apus_field price;
    apus_field owner;
    apus_field asset;
    apus_field side;
    bool maker;
} share_text;

// An order's part in a trade.
typedef struct share {
    apus_polymarket_known* known;
    int64_t price;
    int64_t quantity;
    bool maker;
} share;

static void tell_share(pm_session* self, const trade* trade, const share* share, uint8_t kind, uint64_t id,
                       uint64_t now_ns) {
    apus_polymarket_known* known = share->known;
    apus_report report = report_on(known, kind, now_ns);
    report.trade_id = id;
    report.price = share->price;
    report.quantity = share->quantity;
    report.flags = share->maker ? APUS_REPORT_MAKER : 0;
    report.venue_ns = trade->venue_ns;
    if (kind == APUS_REPORT_FILL) {
        bool whole = known->total >= known->quantity;
        // Of what was filled before, only the trades that have come by now are in the total.
        if (polymarket_is_blind(self, known)) report.cumulative = 0;
        report.status = whole ? APUS_STATUS_FILLED : APUS_STATUS_PARTIALLY_FILLED;
        if (whole) polymarket_end(self, known);
    }
    polymarket_report(self, &report);
    if (!known->open || known->total + known->failed < known->quantity) return;
    apus_report end = report_on(known, APUS_REPORT_EXPIRED, now_ns);
    end.status = APUS_STATUS_EXPIRED;
    end.venue_ns = trade->venue_ns;
    polymarket_end(self, known);
    polymarket_report(self, &end);
}

static void undo_share(pm_session* self, const trade* trade, const share* share, uint64_t id, uint64_t now_ns) {
    apus_polymarket_part* part = polymarket_find_part(self, id);
    // A trade that was never heard of can have been told by an earlier run alone.
    bool told = part == NULL ? share->known->adopted : part->state != PART_FAILED;
    if (part == NULL || part->state != PART_FAILED) share->known->failed += share->quantity;
    if (part == NULL) {
        polymarket_add_part(self, id, PART_FAILED, share->quantity);
    } else if (part->state != PART_FAILED) {
        part->state = PART_FAILED;
        part->quantity = share->quantity;
    }
    if (!told) return;
    int64_t* total = &share->known->total;
    *total = *total > share->quantity ? *total - share->quantity : 0;
    tell_share(self, trade, share, APUS_REPORT_UNDONE, id, now_ns);
}

static void take_share(pm_session* self, const trade* trade, const share* share, uint64_t now_ns) {
    apus_polymarket_known* known = share->known;
    uint64_t id = apus_polymarket_trade_id(trade->uuid->text, trade->uuid->length, known->venue_id);
    if (trade->failed) {
        undo_share(self, trade, share, id, now_ns);
        return;
    }
    apus_polymarket_part* part = polymarket_find_part(self, id);
    if (part == NULL) {
        known->total += share->quantity;
        polymarket_add_part(self, id, PART_FILLED, share->quantity);
    } else if (part->state == PART_TOLD_BY_ORDER) {
        part->state = PART_FILLED;
        part->quantity = share->quantity;
    } else {
        return;
    }
    if (self->config.trades_audit_ns > 0) {
        bool armed = self->audit_ns < self->audited_until_ns;
        if (!armed) self->audit_ns = now_ns + self->config.trades_audit_ns;
        self->audited_until_ns = now_ns + self->config.trades_settle_s * SECOND_NS;
    }
    tell_share(self, trade, share, APUS_REPORT_FILL, id, now_ns);
}

static bool same_text(const apus_field* a, const apus_field* b) {
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

// Where makers name no side: of the same token they stand against the taker, of the other with it.
static uint8_t side_of(const trade* trade, const share_text* text) {
    if (apus_field_has(&text->side)) return apus_field_is(&text->side, "BUY") ? APUS_BUY : APUS_SELL;
    bool buys = apus_field_is(trade->side, "BUY");
    return buys != same_text(trade->asset, &text->asset) ? APUS_BUY : APUS_SELL;
}

// The failure of an order's part that an earlier run, or this one long ago, may have told. The order may be asked for later too, and
// the venue still counts the failed trade among what was matched of it.
static int take_failure(pm_session* self, const trade* trade, const share_text* text) {
    uint8_t hash[APUS_WORD_BYTES];
    int64_t units;
    if (apus_hex_parse((const char*)text->order.text, text->order.length, hash, sizeof hash) < 0) return 0;
    if (apus_field_decimal(&text->quantity, APUS_POLYMARKET_AMOUNT_DECIMALS, &units) < 0) return -EBADMSG;
    uint64_t venue_id = apus_polymarket_venue_id(hash);
    uint64_t id = apus_polymarket_trade_id(trade->uuid->text, trade->uuid->length, venue_id);
    if (polymarket_find_part(self, id) != NULL) return 0;
    polymarket_add_part(self, id, PART_FAILED, units);
    const apus_instrument_table* table = self->market->instruments;
    bool ours = apus_field_is(&text->owner, self->signer.api_key) && text->asset.token == APUS_JSON_STRING;
    uint16_t number = ours ? apus_instrument_find(table, text->asset.text, text->asset.length) : APUS_INSTRUMENT_NONE;
    if (number == APUS_INSTRUMENT_NONE) return 0;
    const apus_instrument* instrument = apus_instrument_at(table, number);
    apus_report report = {.venue_order_id = venue_id,
                          .trade_id = id,
                          .instrument = number,
                          .kind = APUS_REPORT_UNDONE,
                          .side = side_of(trade, text),
                          .flags = text->maker ? APUS_REPORT_MAKER : 0,
                          .venue_ns = trade->venue_ns,
                          .receive_ns = trade->now_ns};
    if (apus_field_decimal(&text->quantity, instrument->quantity_decimals, &report.quantity) < 0
        || apus_field_decimal(&text->price, instrument->price_decimals, &report.price) < 0) {
        return -EBADMSG;
    }
    polymarket_report(self, &report);
    return 0;
}

// Reads a share's numbers. Of an order that is not known nothing is read but its part in a failure. Returns 0 or -EBADMSG.
static int read_share(pm_session* self, const trade* trade, const share_text* text, share* share) {
    *share = (struct share){.maker = text->maker};
    if (text->order.token != APUS_JSON_STRING) return 0;
    share->known = polymarket_find_hash(self, text->order.text, text->order.length);
    if (share->known == NULL) return trade->failed ? take_failure(self, trade, text) : 0;
    const apus_instrument* instrument = apus_instrument_at(self->market->instruments, share->known->instrument);
    if (apus_field_decimal(&text->quantity, instrument->quantity_decimals, &share->quantity) < 0
        || apus_field_decimal(&text->price, instrument->price_decimals, &share->price) < 0 || share->quantity <= 0) {
        return -EBADMSG;
    }
    return 0;
}

typedef struct makers {
    pm_session* self;
    const trade* trade;
    uint64_t now_ns;
    uint32_t ours;
    int result;
} makers;

static bool take_maker(void* context, const apus_field* text) {
    static const char* const names[] = {"order_id", "matched_amount", "price", "owner", "asset_id", "side"};
    makers* makers = context;
    apus_field fields[6] = {0};
    share share;
    // The one who reads has no room for more: what is left is asked for again.
    bool read = polymarket_has_room(makers->self, SHARE_REPORTS)
                && apus_fields_read(text->text, text->length, names, fields, 6) == 0;
    share_text told = {fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], true};
    if (!read || read_share(makers->self, makers->trade, &told, &share) < 0) {
        makers->result = -EBADMSG;
        return false;
    }
    if (share.known == NULL) return true;
    makers->ours++;
    take_share(makers->self, makers->trade, &share, makers->now_ns);
    return true;
}

static int take_trade(pm_session* self, const apus_field* text, uint64_t now_ns) {
    static const char* const names[] = {"id",           "status",    "taker_order_id", "size",  "price",
                                        "maker_orders", "timestamp", "match_time",     "owner", "asset_id",
                                        "side"};
    enum { ID, STATUS, TAKER, SIZE, PRICE, MAKERS, TIME, MATCH_TIME, OWNER, ASSET, SIDE, COUNT };
    apus_field fields[COUNT];
    share taker;
    uint64_t time = 0;
    if (apus_fields_read(text->text, text->length, names, fields, COUNT) < 0) return -EBADMSG;
    bool timed = apus_field_has(&fields[TIME]);
    if (fields[ID].token != APUS_JSON_STRING || fields[STATUS].token != APUS_JSON_STRING
        || apus_field_u64(&fields[timed ? TIME : MATCH_TIME], &time) < 0) {
        return -EBADMSG;
    }
    // Seconds or milliseconds: the venue has both.
    trade trade = {.uuid = &fields[ID],
                   .asset = &fields[ASSET],
                   .side = &fields[SIDE],
                   .now_ns = now_ns,
                   .failed = says(&fields[STATUS], "TRADE_STATUS_", "FAILED"),
                   .venue_ns = time * (time < 100000000000ull ? SECOND_NS : 1000000ull)};
    share_text told = {fields[TAKER], fields[SIZE], fields[PRICE], fields[OWNER], fields[ASSET], fields[SIDE], false};
    if (read_share(self, &trade, &told, &taker) < 0) return -EBADMSG;
    makers makers = {.self = self, .trade = &trade, .now_ns = now_ns};
    if (taker.known != NULL) take_share(self, &trade, &taker, now_ns);
    if (fields[MAKERS].token == APUS_JSON_ARRAY_BEGIN
        && apus_fields_each(fields[MAKERS].text, fields[MAKERS].length, take_maker, &makers) < 0) {
        return -EBADMSG;
    }
    if (taker.known == NULL && makers.ours == 0) self->foreign_events++;
    return makers.result;
}

// MARK: events

typedef struct reading {
    pm_session* self;
    uint64_t now_ns;
    int result;
} reading;

static bool take_event(void* context, const apus_field* text) {
    static const char* const names[] = {"event_type"};
    reading* reading = context;
    apus_field type;
    if (text->token != APUS_JSON_OBJECT_BEGIN || apus_fields_read(text->text, text->length, names, &type, 1) < 0
        || !polymarket_has_room(reading->self, SHARE_REPORTS)) {
        reading->result = -EBADMSG;
        return false;
    }
    if (apus_field_is(&type, "order")) take_order(reading->self, text, reading->now_ns);
    if (apus_field_is(&type, "trade") && take_trade(reading->self, text, reading->now_ns) < 0) {
        reading->result = -EBADMSG;
    }
    return true;
}

void polymarket_take_event(pm_session* self, const uint8_t* bytes, size_t length, uint64_t now_ns) {
    reading reading = {.self = self, .now_ns = now_ns};
    apus_field whole = {.text = bytes, .length = length, .token = APUS_JSON_OBJECT_BEGIN};
    bool list = length > 0 && bytes[0] == '[';
    if (length > 0 && bytes[0] != '{' && !list) return; // PONG and other words
    if (list && apus_fields_each(bytes, length, take_event, &reading) < 0) reading.result = -EBADMSG;
    if (!list) take_event(&reading, &whole);
    if (reading.result == 0) return;
    // Something that cannot be read may have been news.
    self->decode_errors++;
    apus_publisher_count(self->out, APUS_COUNT_DECODE_ERRORS, 1);
    polymarket_trades_since(self, now_ns);
    self->missed = self->trades_due = true;
}

static bool take_listed(void* context, const apus_field* text) {
    reading* reading = context;
    // Without room the page is asked for again.
    if (!polymarket_has_room(reading->self, SHARE_REPORTS) || take_trade(reading->self, text, reading->now_ns) < 0) {
        reading->result = -EBADMSG;
        return false;
    }
    return true;
}

int polymarket_take_trades(pm_session* self, const uint8_t* bytes, size_t length, apus_field* cursor, uint64_t now_ns) {
    static const char* const names[] = {"data", "next_cursor"};
    apus_field fields[2];
    reading reading = {.self = self, .now_ns = now_ns};
    if (apus_fields_read(bytes, length, names, fields, 2) < 0) return -EBADMSG;
    if (fields[0].token != APUS_JSON_ARRAY_BEGIN) return -EBADMSG;
    if (apus_fields_each(fields[0].text, fields[0].length, take_listed, &reading) < 0) return -EBADMSG;
    *cursor = fields[1];
    return reading.result;
}
