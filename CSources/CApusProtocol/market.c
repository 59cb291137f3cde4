#include "market_board.h"

#include <string.h>

static bool same_touch(const apus_touch* a, const apus_touch* b) {
    return a->bid_price == b->bid_price && a->bid_quantity == b->bid_quantity && a->ask_price == b->ask_price
           && a->ask_quantity == b->ask_quantity;
}

int apus_market_init(apus_market* market, apus_publisher* out, apus_arena* arena, apus_instrument_table* instruments,
                     const char* venue) {
    *market = (apus_market){.out = out, .arena = arena, .instruments = instruments, .venue = venue};
    if (instruments->capacity > out->board.instruments) return -EINVAL;
    size_t table = instruments->capacity * sizeof *market->books;
    size_t levels = (2ull * out->board.depth + 1) * sizeof(apus_level);
    market->books = apus_arena_alloc(arena, table);
    market->levels = apus_arena_alloc(arena, levels);
    if (market->books == NULL || market->levels == NULL) return -ENOMEM;
    memset(market->books, 0, table);
    return 0;
}

// MARK: opening and states

static void describe(const apus_market* market, uint16_t number) {
    const apus_instrument* instrument = apus_instrument_at(market->instruments, number);
    apus_directory_entry* entry = &market->out->directory[number];
    memcpy(entry->symbol, instrument->symbol, sizeof entry->symbol);
    strncpy(entry->venue, market->venue, sizeof entry->venue - 1);
    entry->tick = instrument->tick_units;
    entry->lot = instrument->lot_units;
    entry->price_decimals = instrument->price_decimals;
    entry->quantity_decimals = instrument->quantity_decimals;
    __atomic_store_n(&entry->ready, entry->ready + 1, __ATOMIC_RELEASE);
    uint64_t count = number + 1u;
    if (count > *market->out->instrument_count) {
        __atomic_store_n(market->out->instrument_count, count, __ATOMIC_RELEASE);
    }
}

static apus_market_book* make_book(apus_market* market, uint16_t instrument) {
    apus_market_book* book = apus_arena_alloc(market->arena, sizeof *book);
    if (book == NULL) return NULL;
    memset(book, 0, sizeof *book);
    book->instrument = instrument;
    book->state = APUS_STATE_DROPPED;
    if (apus_book_init(&book->book, market->arena, apus_instrument_at(market->instruments, instrument)->tick_units)
        != 0) {
        apus_arena_free(market->arena, book, sizeof *book);
        return NULL;
    }
    market->books[instrument] = book;
    return book;
}

apus_market_book* apus_market_open(apus_market* market, uint16_t instrument) {
    apus_market_book* book = market->books[instrument];
    if (book == NULL && (book = make_book(market, instrument)) == NULL) return NULL;
    describe(market, instrument);
    apus_market_clear(market, book);
    book->was_live = false;
    apus_market_state(market, book, APUS_STATE_SYNCING, APUS_BOOK_REASON_SUBSCRIBED);
    return book;
}

void apus_market_drop(apus_market* market, apus_market_book* book) {
    apus_market_clear(market, book);
    apus_arena_free(market->arena, book->tickers, APUS_MARKET_TICKERS * sizeof *book->tickers);
    apus_arena_free(market->arena, book->tops, APUS_MARKET_TOPS * sizeof *book->tops);
    book->tickers = book->tops = NULL;
    apus_market_state(market, book, APUS_STATE_DROPPED, APUS_BOOK_REASON_UNSUBSCRIBED);
}

void apus_market_state(apus_market* market, apus_market_book* book, uint8_t state, uint8_t reason) {
    if (book->state == state && book->reason == reason) return;
    if (state == APUS_STATE_LIVE && book->state != APUS_STATE_LIVE) {
        if (book->was_live) {
            book->resyncs++;
            apus_publisher_count(market->out, APUS_COUNT_RESYNCS, 1);
        }
        book->was_live = true;
    }
    book->state = state;
    book->reason = reason;
    apus_event event = {
        .instrument = book->instrument,
        .kind = APUS_EVENT_BOOK_STATE,
        .flags = state,
        .update_id = (uint32_t)book->update_id,
        .bid_price = reason,
    };
    // The board first, as for a touch: who is told that the book is stale does not find it live there.
    apus_market_board_write(market, book, market->out->feed.next, market->out->receive_ns);
    apus_publisher_emit(market->out, &event);
    apus_publisher_count(market->out, APUS_COUNT_EVENTS, 1);
}

void apus_market_forget_touches(apus_market_book* book) {
    book->tickers_count = book->tops_count = 0;
}

void apus_market_clear(apus_market* market, apus_market_book* book) {
    (void)market;
    apus_book_clear(&book->book);
    apus_market_replaced(book);
    apus_market_forget_touches(book);
}

// MARK: levels

int apus_market_apply(apus_market* market, apus_market_book* book, const apus_level* bids, uint32_t bid_count,
                      const apus_level* asks, uint32_t ask_count) {
    apus_market_board_note(market, book, APUS_SIDE_BID, bids, bid_count);
    apus_market_board_note(market, book, APUS_SIDE_ASK, asks, ask_count);
    int result = bid_count > 0 ? apus_book_apply(&book->book, APUS_SIDE_BID, bids, bid_count) : 0;
    if (result >= 0 && ask_count > 0) result = apus_book_apply(&book->book, APUS_SIDE_ASK, asks, ask_count);
    if (result >= 0) return 0;
    apus_market_clear(market, book);
    apus_market_state(market, book, APUS_STATE_STALE, APUS_BOOK_REASON_ARENA);
    return result;
}

static apus_event touch_event(const apus_market_book* book, uint8_t flags) {
    apus_touch touch = apus_book_best(&book->book);
    if (touch.bid_quantity == 0) flags |= APUS_BOOK_NO_BID;
    if (touch.ask_quantity == 0) flags |= APUS_BOOK_NO_ASK;
    if (touch.bid_price >= touch.ask_price && touch.bid_quantity != 0 && touch.ask_quantity != 0)
        flags |= APUS_BOOK_CROSSED;
    return (apus_event){
        .instrument = book->instrument,
        .kind = APUS_EVENT_BOOK,
        .flags = flags,
        .update_id = (uint32_t)book->update_id,
        .bid_price = touch.bid_price,
        .bid_quantity = touch.bid_quantity,
        .ask_price = touch.ask_price,
        .ask_quantity = touch.ask_quantity,
    };
}

// In simulated time, where the board is written when somebody asks.
static void publish_deferred(apus_market* market, apus_market_book* book, uint8_t flags) {
    apus_publisher* out = market->out;
    apus_event event = touch_event(book, flags);
    if (flags & APUS_BOOK_SNAPSHOT) market->watches[book->instrument].touched = 1;
    book->board_pending = true;
    book->board_ns = out->receive_ns;
    book->event_number = apus_publisher_emit_at(out, &event, out->receive_ns);
    apus_publisher_count(out, APUS_COUNT_EVENTS, 1);
    apus_publisher_hops(out, out->receive_ns);
}

void apus_market_publish(apus_market* market, apus_market_book* book, uint8_t flags) {
    apus_probe_applied(&book->instrument, &book->update_id);
    if (book->state != APUS_STATE_LIVE) return;
    if (market->watches != NULL) {
        publish_deferred(market, book, flags);
        return;
    }
    apus_event event = touch_event(book, flags);
    // The board first: who has read this event finds its book there, or a newer one.
    uint64_t number = market->out->feed.next;
    if (apus_market_board_behind(book)) apus_market_board_announce(market, book, number);
    book->event_number = apus_publisher_emit(market->out, &event);
    apus_publisher_count(market->out, APUS_COUNT_EVENTS, 1);
    apus_publisher_hops(market->out, event.publish_ns);
}

// MARK: trades and tickers

void apus_market_trade(apus_market* market, apus_market_book* book, int64_t price, int64_t quantity, uint64_t trade_id,
                       bool seller_is_taker) {
    apus_event event = {
        .instrument = book->instrument,
        .kind = APUS_EVENT_TRADE,
        .flags = seller_is_taker ? APUS_TRADE_SELL : 0,
        .update_id = (uint32_t)trade_id,
        .bid_price = price,
        .bid_quantity = quantity,
        .ask_price = (int64_t)trade_id,
    };
    apus_publisher_emit(market->out, &event);
    apus_publisher_count(market->out, APUS_COUNT_EVENTS, 1);
    apus_publisher_hops(market->out, event.publish_ns);
}

static bool compare(apus_market* market, apus_market_book* book, const apus_touch* top, const apus_touch* ticker) {
    bool equal = same_touch(top, ticker);
    book->ticker_compared++;
    book->ticker_equal += equal;
    apus_publisher_count(market->out, APUS_COUNT_TICKER_COMPARED, 1);
    apus_publisher_count(market->out, APUS_COUNT_TICKER_EQUAL, equal);
    return equal;
}

// The newest mark with this update id. Ids ascend, so the search ends at the first lower one.
static const apus_touch_mark* find_mark(const apus_touch_mark* marks, uint32_t count, uint32_t places, uint64_t id) {
    uint32_t oldest = count > places ? count - places : 0;
    for (uint32_t i = count; i > oldest; i--) {
        const apus_touch_mark* mark = &marks[(i - 1) & (places - 1)];
        if (mark->update_id <= id) return mark->update_id == id ? mark : NULL;
    }
    return NULL;
}

bool apus_market_ticker(apus_market* market, apus_market_book* book, const apus_touch_mark* ticker) {
    apus_event event = {
        .instrument = book->instrument,
        .kind = APUS_EVENT_TICKER,
        .update_id = (uint32_t)ticker->update_id,
        .bid_price = ticker->touch.bid_price,
        .bid_quantity = ticker->touch.bid_quantity,
        .ask_price = ticker->touch.ask_price,
        .ask_quantity = ticker->touch.ask_quantity,
    };
    apus_publisher_emit(market->out, &event);
    apus_publisher_count(market->out, APUS_COUNT_EVENTS, 1);
    apus_publisher_hops(market->out, event.publish_ns);
    if (book->tickers == NULL) {
        book->tickers = apus_arena_alloc(market->arena, APUS_MARKET_TICKERS * sizeof *book->tickers);
        if (book->tickers == NULL) return true; // the arena is full: the check is left out, the book is not touched
    }
    book->tickers[book->tickers_count++ & (APUS_MARKET_TICKERS - 1)] = *ticker;
    if (book->state != APUS_STATE_LIVE || book->tops == NULL) return true;
    const apus_touch_mark* top = find_mark(book->tops, book->tops_count, APUS_MARKET_TOPS, ticker->update_id);
    return top == NULL || compare(market, book, &top->touch, &ticker->touch);
}

bool apus_market_check(apus_market* market, apus_market_book* book) {
    apus_touch_mark top = {.update_id = book->update_id, .touch = apus_book_best(&book->book)};
    if (top.touch.bid_quantity == 0 || top.touch.ask_quantity == 0) return true;
    if (book->tops == NULL) {
        book->tops = apus_arena_alloc(market->arena, APUS_MARKET_TOPS * sizeof *book->tops);
        if (book->tops == NULL) return true;
    }
    book->tops[book->tops_count++ & (APUS_MARKET_TOPS - 1)] = top;
    if (book->tickers == NULL) return true;
    const apus_touch_mark* ticker = find_mark(book->tickers, book->tickers_count, APUS_MARKET_TICKERS, book->update_id);
    return ticker == NULL || compare(market, book, &top.touch, &ticker->touch);
}

// MARK: tick size

int apus_market_tick_size(apus_market* market, apus_market_book* book, int64_t tick) {
    apus_instrument* instrument = apus_instrument_at(market->instruments, book->instrument);
    int64_t old = instrument->tick_units;
    int result = apus_book_set_tick(&book->book, tick);
    if (result == -EINVAL) return result;
    instrument->tick_units = tick;
    describe(market, book->instrument);
    apus_event event = {
        .instrument = book->instrument, .kind = APUS_EVENT_TICK_SIZE, .bid_price = old, .ask_price = tick};
    apus_publisher_emit(market->out, &event);
    apus_publisher_count(market->out, APUS_COUNT_EVENTS, 1);
    if (result < 0) {
        apus_market_clear(market, book);
        apus_market_state(market, book, APUS_STATE_STALE, APUS_BOOK_REASON_ARENA);
    }
    return result;
}
