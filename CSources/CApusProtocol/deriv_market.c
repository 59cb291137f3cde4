// Deriv's books: one level a side from the newest tick or proposal.
//
// Ticks have no sequence. A subscription that begins, a tick that comes late, or a history that is asked for as a proof opens a gap behind the
// newest tick that was told: until the history has come, ticks are held, in order. What the history ends with was the newest when it was
// made: up to there all is told, each once, and what is held behind it too unless a tick is missing in between.
#include "apus_deriv.h"

#include <string.h>

void apus_deriv_market_init(apus_deriv_market* deriv, apus_market* market) {
    memset(deriv, 0, sizeof *deriv);
    deriv->market = market;
}

apus_market_book* apus_deriv_market_book(const apus_deriv_market* deriv, uint16_t instrument) {
    if (instrument >= deriv->market->instruments->count) return NULL;
    apus_market_book* book = apus_market_at(deriv->market, instrument);
    return book != NULL && book->venue != NULL && book->state != APUS_STATE_DROPPED ? book : NULL;
}

apus_market_book* apus_deriv_market_open(apus_deriv_market* deriv, uint16_t instrument) {
    const apus_instrument* entry = apus_instrument_at(deriv->market->instruments, instrument);
    apus_deriv_shape shape;
    if (apus_deriv_shape_parse(entry->symbol, entry->symbol_length, &shape) < 0) return NULL;
    apus_market_book* book = apus_market_open(deriv->market, instrument);
    if (book == NULL) return NULL;
    if (book->venue == NULL) book->venue = apus_arena_alloc(deriv->market->arena, sizeof(apus_deriv_book));
    if (book->venue == NULL) return NULL;
    memset(book->venue, 0, sizeof(apus_deriv_book));
    apus_deriv_book_of(book)->shape = shape;
    return book;
}

void apus_deriv_market_drop(apus_deriv_market* deriv, uint16_t instrument) {
    apus_market_book* book = apus_deriv_market_book(deriv, instrument);
    if (book == NULL) return;
    apus_market_drop(deriv->market, book);
    apus_arena_free(deriv->market->arena, book->venue, sizeof(apus_deriv_book));
    book->venue = NULL;
}

static void lose(apus_deriv_market* deriv, apus_market_book* book, uint8_t reason) {
    apus_deriv_book* own = apus_deriv_book_of(book);
    own->held_count = 0;
    own->holding = false;
    if (book->state == APUS_STATE_LIVE) {
        book->gaps++;
        apus_publisher_count(deriv->market->out, APUS_COUNT_GAPS, 1);
    }
    if (book->was_live) apus_market_state(deriv->market, book, APUS_STATE_STALE, reason);
}

void apus_deriv_market_lost(apus_deriv_market* deriv, uint16_t instrument, uint8_t reason) {
    apus_market_book* book = apus_deriv_market_book(deriv, instrument);
    if (book != NULL) lose(deriv, book, reason);
}

// MARK: one level a side

// Brings the book's levels to `touch`; an absent side has quantity 0.
static int set_touch(apus_deriv_market* deriv, apus_market_book* book, const apus_touch* touch) {
    apus_deriv_book* own = apus_deriv_book_of(book);
    apus_level bids[2], asks[2];
    uint32_t bid_count = 0, ask_count = 0;
    const apus_touch old = own->touch;
    if (old.bid_quantity != 0 && (touch->bid_quantity == 0 || touch->bid_price != old.bid_price))
        bids[bid_count++] = (apus_level){old.bid_price, 0};
    if (touch->bid_quantity != 0) bids[bid_count++] = (apus_level){touch->bid_price, touch->bid_quantity};
    if (old.ask_quantity != 0 && (touch->ask_quantity == 0 || touch->ask_price != old.ask_price))
        asks[ask_count++] = (apus_level){old.ask_price, 0};
    if (touch->ask_quantity != 0) asks[ask_count++] = (apus_level){touch->ask_price, touch->ask_quantity};
    int result = apus_market_apply(deriv->market, book, bids, bid_count, asks, ask_count);
    own->touch = result < 0 ? (apus_touch){0} : *touch;
    return result;
}

static void go_live(apus_deriv_market* deriv, apus_market_book* book) {
    uint8_t flags = book->state == APUS_STATE_LIVE ? 0 : APUS_BOOK_SNAPSHOT;
    apus_market_state(deriv->market, book, APUS_STATE_LIVE, APUS_BOOK_REASON_SNAPSHOT);
    apus_market_publish(deriv->market, book, flags);
    book->applied++;
    book->applied_ns = deriv->market->out->receive_ns;
}

// MARK: ticks

static int number(apus_deriv_market* deriv, const apus_market_book* book, const apus_deriv_text* text, int64_t* value) {
    const apus_instrument* entry = apus_instrument_at(deriv->market->instruments, book->instrument);
    int result = apus_deriv_decimal(text, entry->price_decimals, value);
    if (result == 0 && *value > 0) return 0;
    deriv->last.fault = result == -EDOM ? APUS_DERIV_FAULT_DECIMALS : APUS_DERIV_FAULT_NUMBER;
    deriv->last.error_offset = (size_t)(text->bytes - deriv->last.bytes);
    return -EBADMSG;
}

// What `last` tells of a tick. Without bid and ask both sides are the quote.
static int read_tick(apus_deriv_market* deriv, const apus_market_book* book, apus_deriv_tick* tick) {
    const apus_deriv_text* fields = deriv->last.fields;
    if (apus_deriv_whole(&fields[APUS_DERIV_EPOCH], &tick->epoch) < 0) {
        deriv->last.fault = APUS_DERIV_FAULT_NUMBER;
        deriv->last.error_offset = (size_t)(fields[APUS_DERIV_EPOCH].bytes - deriv->last.bytes);
        return -EBADMSG;
    }
    int result = number(deriv, book, &fields[APUS_DERIV_QUOTE], &tick->quote);
    tick->bid = tick->ask = tick->quote;
    if (result == 0 && fields[APUS_DERIV_BID].bytes != NULL) {
        result = number(deriv, book, &fields[APUS_DERIV_BID], &tick->bid);
    }
    if (result == 0 && fields[APUS_DERIV_ASK].bytes != NULL) {
        result = number(deriv, book, &fields[APUS_DERIV_ASK], &tick->ask);
    }
    return result;
}

// What the distance to the newest tick says of the feed. `proven`: nothing lies in between.
static void note_step(apus_deriv_book* own, uint64_t epoch, bool proven) {
    uint64_t step = epoch - own->epoch;
    if (own->epoch == 0) return;
    if (own->step == 0 || step < own->step)
        own->step = step;
    else if (proven && step > own->step && step / own->step < APUS_DERIV_FAR)
        own->uneven = true;
}

// Tells a tick as a trade, unless it was told before.
static void tell_trade(apus_deriv_market* deriv, apus_market_book* book, uint64_t epoch, int64_t quote, bool proven) {
    apus_deriv_book* own = apus_deriv_book_of(book);
    if (epoch <= own->epoch) {
        deriv->duplicates++;
        return;
    }
    note_step(own, epoch, proven);
    own->epoch = epoch;
    book->update_id = epoch;
    deriv->ticks++;
    int64_t lot = apus_instrument_at(deriv->market->instruments, book->instrument)->lot_units;
    apus_publisher_venue_ms(deriv->market->out, epoch * 1000);
    apus_market_trade(deriv->market, book, quote, lot, epoch, false);
}

static int tell_tick(apus_deriv_market* deriv, apus_market_book* book, const apus_deriv_tick* tick) {
    apus_deriv_book* own = apus_deriv_book_of(book);
    tell_trade(deriv, book, tick->epoch, tick->quote, false);
    // A tick that a history told as a trade still has its bid and ask to tell.
    bool newest = tick->epoch == own->epoch;
    if (!newest || (tick->epoch == own->touch_epoch && book->state == APUS_STATE_LIVE)) return 0;
    own->touch_epoch = tick->epoch;
    int64_t lot = apus_instrument_at(deriv->market->instruments, book->instrument)->lot_units;
    apus_touch touch = {tick->bid, lot, tick->ask, lot};
    int result = set_touch(deriv, book, &touch);
    if (result == 0) go_live(deriv, book);
    return result;
}

// Tells what was held. Up to `proven` a history has told everything; what lies behind a hole after that stays held, since what is missing may
// come late, or the history must be asked again.
static void tell_held(apus_deriv_market* deriv, apus_market_book* book, uint64_t proven) {
    apus_deriv_book* own = apus_deriv_book_of(book);
    uint32_t told = 0;
    while (told < own->held_count) {
        const apus_deriv_tick* tick = &own->held[told];
        if (tick->epoch > proven && apus_deriv_leaves_gap(own, tick->epoch)) break;
        if (tell_tick(deriv, book, tick) < 0) told = own->held_count - 1;
        told++;
    }
    own->held_count -= told;
    own->holding = own->held_count > 0;
    memmove(own->held, own->held + told, own->held_count * sizeof own->held[0]);
}

// Holds a tick in its place: those that come late are among them.
static void hold_tick(apus_deriv_book* own, const apus_deriv_tick* tick) {
    uint32_t place = own->held_count++;
    for (; place > 0 && own->held[place - 1].epoch > tick->epoch; place--)
        own->held[place] = own->held[place - 1];
    own->held[place] = *tick;
}

int apus_deriv_market_tick(apus_deriv_market* deriv, uint64_t receive_ns, uint64_t kernel_ns) {
    const apus_deriv_text* symbol = &deriv->last.fields[APUS_DERIV_SYMBOL];
    uint16_t instrument = apus_instrument_find(deriv->market->instruments, symbol->bytes, symbol->length);
    apus_market_book* book = apus_deriv_market_book(deriv, instrument);
    if (book == NULL) return 0;
    apus_publisher_message(deriv->market->out, receive_ns, kernel_ns);
    apus_deriv_book* own = apus_deriv_book_of(book);
    apus_deriv_tick tick;
    int result = read_tick(deriv, book, &tick);
    if (result < 0) {
        lose(deriv, book, APUS_BOOK_REASON_DECODE);
        return result;
    }
    if (!own->holding) return tell_tick(deriv, book, &tick);
    if (own->held_count == APUS_DERIV_HELD) {
        lose(deriv, book, APUS_BOOK_REASON_GAP);
        return 0;
    }
    hold_tick(own, &tick);
    return 0;
}

void apus_deriv_market_hold(apus_deriv_market* deriv, uint16_t instrument) {
    apus_market_book* book = apus_deriv_market_book(deriv, instrument);
    if (book != NULL) apus_deriv_book_of(book)->holding = true;
}

void apus_deriv_market_release(apus_deriv_market* deriv, uint16_t instrument, uint64_t receive_ns) {
    apus_market_book* book = apus_deriv_market_book(deriv, instrument);
    if (book == NULL) return;
    apus_publisher_message(deriv->market->out, receive_ns, 0);
    tell_held(deriv, book, UINT64_MAX);
}

int apus_deriv_market_history(apus_deriv_market* deriv, uint16_t instrument, uint64_t receive_ns, uint64_t kernel_ns) {
    if (instrument == APUS_INSTRUMENT_NONE && deriv->last.asked_symbol.bytes != NULL) {
        const apus_deriv_text* symbol = &deriv->last.asked_symbol;
        instrument = apus_instrument_find(deriv->market->instruments, symbol->bytes, symbol->length);
    }
    apus_market_book* book = apus_deriv_market_book(deriv, instrument);
    if (book == NULL) return 0;
    apus_publisher_message(deriv->market->out, receive_ns, kernel_ns);
    apus_deriv_book* own = apus_deriv_book_of(book);
    uint64_t before = own->epoch, epoch;
    apus_deriv_ticks ticks;
    apus_deriv_text price;
    int more;
    apus_deriv_ticks_begin(&ticks, &deriv->last);
    while ((more = apus_deriv_ticks_next(&ticks, &epoch, &price)) == 1) {
        int64_t quote;
        if (epoch <= own->epoch) continue;
        more = number(deriv, book, &price, &quote);
        if (more < 0) break;
        tell_trade(deriv, book, epoch, quote, true);
    }
    if (more < 0) {
        lose(deriv, book, APUS_BOOK_REASON_DECODE);
        return more;
    }
    own->gaps += own->epoch != before;
    tell_held(deriv, book, own->epoch);
    return 0;
}

// MARK: shapes

void apus_deriv_market_quote(apus_deriv_market* deriv, uint16_t instrument, uint32_t side, int64_t price,
                             uint64_t receive_ns, uint64_t kernel_ns) {
    apus_market_book* book = apus_deriv_market_book(deriv, instrument);
    if (book == NULL) return;
    int64_t lot = apus_instrument_at(deriv->market->instruments, instrument)->lot_units;
    apus_touch touch = apus_deriv_book_of(book)->touch;
    int64_t* at = side == APUS_SIDE_BID ? &touch.bid_price : &touch.ask_price;
    int64_t* quantity = side == APUS_SIDE_BID ? &touch.bid_quantity : &touch.ask_quantity;
    int64_t wanted = price > 0 ? lot : 0;
    // The same bid again is no news; the same ask proves that the proposal holds.
    if (side == APUS_SIDE_BID && *at == price && *quantity == wanted) return;
    *at = price;
    *quantity = wanted;
    apus_publisher_message(deriv->market->out, receive_ns, kernel_ns);
    book->update_id++;
    if (set_touch(deriv, book, &touch) < 0) return;
    // Only a proposal makes it live.
    if (side == APUS_SIDE_ASK || book->state == APUS_STATE_LIVE) go_live(deriv, book);
}

// MARK: whole messages

int apus_deriv_market_message(apus_deriv_market* deriv, const uint8_t* bytes, size_t length, uint64_t receive_ns,
                              uint64_t kernel_ns) {
    int result = apus_deriv_decode(bytes, length, &deriv->last);
    if (result == 0 && deriv->last.error == APUS_DERIV_ERROR_NONE) {
        if (deriv->last.kind == APUS_DERIV_TICK) return apus_deriv_market_tick(deriv, receive_ns, kernel_ns);
        if (deriv->last.kind == APUS_DERIV_HISTORY) {
            return apus_deriv_market_history(deriv, APUS_INSTRUMENT_NONE, receive_ns, kernel_ns);
        }
    }
    if (result < 0) apus_publisher_count(deriv->market->out, APUS_COUNT_DECODE_ERRORS, 1);
    return result;
}
