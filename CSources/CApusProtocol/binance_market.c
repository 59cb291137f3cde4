// Keeping Binance books by the documented procedure ("How to manage a local order book correctly").
//
//   WAITING ── first depth message: buffer it, want the snapshot ──▶ BUFFERING
//   BUFFERING ── snapshot L, oldest buffered message does not begin after it ──▶ APPLIED: L in the book, buffer replayed, LIVE
//   BUFFERING ── snapshot older than the oldest buffered message ──▶ BUFFERING, want another
//   APPLIED ── first message that reaches past L: must bridge it (futures U <= L or pu == L, spot U <= L + 1) ──▶ BRIDGED
//   BRIDGED ── every further message continues the one before (futures pu == last u, spot U == last u + 1)
//   any break ──▶ the book is STALE, this message is the first of a new buffer ──▶ BUFFERING
//
// (The documentation asks futures for U <= L. A message whose pu is L follows the snapshot without a hole just as well, and for a
// quiet instrument it is what comes.)
// A message that ends at or before what the book holds carries nothing new (quantities are absolute) and is dropped.
// The state of a book is thus: BUFFERING = !snapshot_applied, APPLIED = snapshot_applied && !bridged, BRIDGED = both.
#include "apus_binance.h"

#include <string.h>

// Levels that one book may hold back while it waits for its snapshot: about a minute of the busiest instrument.
#define PENDING_LEVELS_MAX 262144u

void apus_binance_market_init(apus_binance_market* binance, apus_market* market, apus_level* levels,
                              uint32_t level_capacity) {
    memset(binance, 0, sizeof *binance);
    binance->market = market;
    apus_binance_decoder_init(&binance->decoder, market->instruments, levels, level_capacity);
}

// MARK: the buffer

static size_t pending_bytes(uint32_t levels) {
    return sizeof(apus_binance_pending) + levels * sizeof(apus_level);
}

static void forget_pending(apus_binance_market* binance, apus_binance_sync* sync) {
    while (sync->oldest != NULL) {
        apus_binance_pending* gone = sync->oldest;
        sync->oldest = gone->next;
        apus_arena_free(binance->market->arena, gone, pending_bytes(gone->bid_count + gone->ask_count));
    }
    sync->newest = NULL;
    sync->pending_levels = 0;
}

static void want_snapshot(apus_binance_sync* sync) {
    sync->snapshot_applied = sync->bridged = false;
    sync->probe_update = 0;
    sync->wants_snapshot = true;
}

// Forgets where the synchronisation stood. Answers that are still on their way belong to the past then.
static void begin_anew(apus_binance_market* binance, apus_binance_sync* sync) {
    forget_pending(binance, sync);
    *sync = (apus_binance_sync){.epoch = sync->epoch + 1, .asked_ns = sync->asked_ns};
}

static void lose(apus_binance_market* binance, apus_market_book* book, uint8_t reason) {
    begin_anew(binance, book->venue);
    want_snapshot(book->venue);
    if (book->state == APUS_STATE_LIVE) apus_market_state(binance->market, book, APUS_STATE_STALE, reason);
}

static void buffer_message(apus_binance_market* binance, apus_market_book* book, const apus_binance_message* message) {
    apus_binance_sync* sync = book->venue;
    uint32_t count = message->bid_count + message->ask_count;
    if (sync->pending_levels + count > PENDING_LEVELS_MAX) {
        // The snapshot does not come: what is oldest is of no use any more, and neither is what follows it.
        forget_pending(binance, sync);
    }
    apus_binance_pending* pending = apus_arena_alloc(binance->market->arena, pending_bytes(count));
    if (pending == NULL) {
        // With the buffer goes what a snapshot that is under way would have needed.
        lose(binance, book, APUS_BOOK_REASON_ARENA);
        apus_market_state(binance->market, book, APUS_STATE_STALE, APUS_BOOK_REASON_ARENA);
        return;
    }
    *pending = (apus_binance_pending){
        .first_update = message->first_update,
        .last_update = message->last_update,
        .previous_update = message->previous_update,
        .bid_count = message->bid_count,
        .ask_count = message->ask_count,
        .has_previous = message->has_previous,
    };
    memcpy(pending->levels, message->levels, count * sizeof(apus_level));
    if (sync->newest != NULL) {
        sync->newest->next = pending;
    } else {
        sync->oldest = pending;
    }
    sync->newest = pending;
    sync->pending_levels += count;
    want_snapshot(sync);
}

static void count_gap(apus_binance_market* binance, apus_market_book* book) {
    book->gaps++;
    apus_publisher_count(binance->market->out, APUS_COUNT_GAPS, 1);
    lose(binance, book, APUS_BOOK_REASON_GAP);
}

// MARK: continuity

enum fit { FIT_NOTHING_NEW, FIT_CONTINUES, FIT_BREAKS };

// Whether a message with these ids continues the book.
static enum fit fits(const apus_market_book* book, bool futures, uint64_t first, uint64_t last, uint64_t previous) {
    const apus_binance_sync* sync = book->venue;
    uint64_t held = book->update_id;
    if (!sync->bridged) {
        if (last < held || (!futures && last == held)) return FIT_NOTHING_NEW;
        bool bridges = futures ? first <= held || previous == held : first <= held + 1;
        return bridges ? FIT_CONTINUES : FIT_BREAKS;
    }
    if (last <= held) return FIT_NOTHING_NEW;
    return (futures ? previous == held : first == held + 1) ? FIT_CONTINUES : FIT_BREAKS;
}

// Applies a message that fits. Returns 0, or the reason why the book cannot be trusted now.
static uint8_t apply(apus_binance_market* binance, apus_market_book* book, const apus_level* levels, uint32_t bid_count,
                     uint32_t ask_count, uint64_t last_update) {
    apus_binance_sync* sync = book->venue;
    int result = apus_market_apply(binance->market, book, levels, bid_count, levels + bid_count, ask_count);
    if (result < 0) return APUS_BOOK_REASON_ARENA;
    sync->bridged = true;
    book->update_id = last_update;
    book->applied++;
    book->applied_ns = binance->market->out->receive_ns;
    if (last_update >= sync->probe_update) sync->probe_update = 0;
    apus_publisher_count(binance->market->out, APUS_COUNT_DEPTH_APPLIED, 1);
    return apus_market_check(binance->market, book) ? 0 : APUS_BOOK_REASON_TICKER;
}

static void take_depth(apus_binance_market* binance, apus_market_book* book) {
    const apus_binance_message* message = &binance->last;
    apus_binance_sync* sync = book->venue;
    if (!sync->snapshot_applied) {
        buffer_message(binance, book, message);
        return;
    }
    switch (fits(book, message->has_previous, message->first_update, message->last_update, message->previous_update)) {
    case FIT_NOTHING_NEW:
        binance->duplicates++;
        return;
    case FIT_BREAKS:
        count_gap(binance, book);
        buffer_message(binance, book, message);
        return;
    case FIT_CONTINUES:
        break;
    }
    uint8_t fault = apply(binance, book, message->levels, message->bid_count, message->ask_count, message->last_update);
    if (fault != 0)
        lose(binance, book, fault);
    else
        apus_market_publish(binance->market, book, 0);
}

// MARK: messages

static void take_ticker(apus_binance_market* binance, apus_market_book* book) {
    const apus_binance_message* message = &binance->last;
    apus_touch_mark mark = {
        .update_id = message->last_update,
        .touch = {message->bid.price, message->bid.quantity, message->ask.price, message->ask.quantity}};
    if (!apus_market_ticker(binance->market, book, &mark)) lose(binance, book, APUS_BOOK_REASON_TICKER);
}

static void take_trade(apus_binance_market* binance, apus_market_book* book) {
    const apus_binance_message* message = &binance->last;
    if (message->not_market) return; // insurance fund and auto-deleveraging: not a trade of the book
    apus_market_trade(binance->market, book, message->bid.price, message->bid.quantity, message->trade_id,
                      message->buyer_is_maker);
}

static bool kept(const apus_market_book* book) {
    return book != NULL && book->venue != NULL && book->state != APUS_STATE_DROPPED;
}

// A message that cannot be read may have been a depth message and left a hole. The next one would show the hole, but a quiet
// instrument would stay live with a wrong book until then.
static int failed(apus_binance_market* binance, int error) {
    const apus_binance_message* message = &binance->last;
    apus_publisher_count(binance->market->out, APUS_COUNT_DECODE_ERRORS, 1);
    if (message->kind != APUS_BINANCE_DEPTH && message->kind != APUS_BINANCE_UNKNOWN) return error;
    bool known = message->instrument != APUS_INSTRUMENT_NONE;
    uint32_t first = known ? message->instrument : 0;
    uint32_t end = known ? first + 1u : binance->market->instruments->count;
    for (uint32_t i = first; i < end; i++) {
        apus_market_book* book = apus_market_at(binance->market, (uint16_t)i);
        if (kept(book)) lose(binance, book, APUS_BOOK_REASON_DECODE);
    }
    return error;
}

int apus_binance_market_message(apus_binance_market* binance, const uint8_t* bytes, size_t length, uint64_t receive_ns,
                                uint64_t kernel_ns) {
    apus_publisher* out = binance->market->out;
    apus_publisher_message(out, receive_ns, kernel_ns);
    apus_publisher_count(out, APUS_COUNT_FRAMES, 1);
    apus_binance_message* message = &binance->last;
    apus_probe_frame(length, receive_ns);
    int error = apus_binance_decode(&binance->decoder, bytes, length, APUS_INSTRUMENT_NONE, message);
    if (error < 0) return failed(binance, error);
    apus_probe_decoded(&message->instrument, &message->last_update);
    if (message->kind == APUS_BINANCE_UNKNOWN) {
        apus_publisher_count(out, APUS_COUNT_UNKNOWN, 1);
        return 0;
    }
    apus_market_book* book = apus_market_at(binance->market, message->instrument);
    if (!kept(book)) return 0;
    apus_publisher_venue_ms(out, message->transaction_time ? message->transaction_time : message->event_time);
    switch (message->kind) {
    case APUS_BINANCE_DEPTH:
        take_depth(binance, book);
        break;
    case APUS_BINANCE_TICKER:
        take_ticker(binance, book);
        break;
    case APUS_BINANCE_TRADE:
        take_trade(binance, book);
        break;
    case APUS_BINANCE_SNAPSHOT:
        apus_binance_market_snapshot_decoded(binance, book, receive_ns);
        break;
    default:
        break;
    }
    return 0;
}

// MARK: snapshots

// Replays the buffer into a book that has just taken its snapshot. Returns 0, or the reason why it cannot be trusted.
static uint8_t replay_pending(apus_binance_market* binance, apus_market_book* book) {
    apus_binance_sync* sync = book->venue;
    for (apus_binance_pending* pending = sync->oldest; pending != NULL; pending = pending->next) {
        enum fit fit =
            fits(book, pending->has_previous, pending->first_update, pending->last_update, pending->previous_update);
        if (fit == FIT_NOTHING_NEW) continue;
        if (fit == FIT_BREAKS) return APUS_BOOK_REASON_GAP;
        uint8_t fault =
            apply(binance, book, pending->levels, pending->bid_count, pending->ask_count, pending->last_update);
        if (fault != 0) return fault;
    }
    return 0;
}

// Whether the snapshot is older than the oldest message that is to follow it.
static bool too_old(const apus_binance_sync* sync, uint64_t snapshot) {
    const apus_binance_pending* oldest = sync->oldest;
    if (oldest == NULL) return false;
    if (!oldest->has_previous) return oldest->first_update > snapshot + 1;
    return oldest->first_update > snapshot && oldest->previous_update != snapshot;
}

// Puts the snapshot and what was buffered into the book. Returns 0, or the reason why it cannot be trusted.
static uint8_t synchronise(apus_binance_market* binance, apus_market_book* book, uint64_t receive_ns) {
    const apus_binance_message* message = &binance->last;
    apus_binance_sync* sync = book->venue;
    apus_book_clear(&book->book);
    apus_market_replaced(book);
    if (apus_market_apply(binance->market, book, message->levels, message->bid_count,
                          message->levels + message->bid_count, message->ask_count)
        < 0) {
        return APUS_BOOK_REASON_ARENA;
    }
    book->update_id = message->last_update;
    book->applied_ns = receive_ns;
    sync->snapshot_applied = true;
    sync->bridged = false;
    return replay_pending(binance, book);
}

void apus_binance_market_snapshot_decoded(apus_binance_market* binance, apus_market_book* book, uint64_t receive_ns) {
    const apus_binance_message* message = &binance->last;
    apus_binance_sync* sync = book->venue;
    if (!kept(book)) return;
    sync->in_flight = false;
    if (sync->snapshot_applied && (sync->bridged || message->last_update < book->update_id)) return;
    if (too_old(sync, message->last_update)) {
        want_snapshot(sync);
        return;
    }
    uint8_t fault = synchronise(binance, book, receive_ns);
    if (fault == APUS_BOOK_REASON_GAP) {
        count_gap(binance, book);
    } else if (fault != 0) {
        lose(binance, book, fault);
    } else {
        forget_pending(binance, sync);
        sync->wants_snapshot = false;
        apus_market_state(binance->market, book, APUS_STATE_LIVE, APUS_BOOK_REASON_SNAPSHOT);
        apus_market_publish(binance->market, book, APUS_BOOK_SNAPSHOT);
    }
}

// Decodes a REST body into binance->last. Returns 0 or a negative errno.
static int decode_body(apus_binance_market* binance, uint16_t instrument, const uint8_t* bytes, size_t length,
                       uint64_t receive_ns) {
    apus_publisher* out = binance->market->out;
    apus_publisher_message(out, receive_ns, 0);
    apus_publisher_count(out, APUS_COUNT_FRAMES, 1);
    int error = apus_binance_decode(&binance->decoder, bytes, length, instrument, &binance->last);
    if (error == 0 && binance->last.kind != APUS_BINANCE_SNAPSHOT) error = -EBADMSG;
    if (error < 0) apus_publisher_count(out, APUS_COUNT_DECODE_ERRORS, 1);
    return error;
}

int apus_binance_market_snapshot(apus_binance_market* binance, uint16_t instrument, const uint8_t* bytes, size_t length,
                                 uint64_t receive_ns) {
    int error = decode_body(binance, instrument, bytes, length, receive_ns);
    if (error < 0) return error;
    apus_market_book* book = apus_market_at(binance->market, instrument);
    if (kept(book)) apus_binance_market_snapshot_decoded(binance, book, receive_ns);
    return 0;
}

// MARK: probes

// Whether the levels in binance->last are the best ones of the book.
static bool same_best(const apus_binance_market* binance, const apus_market_book* book) {
    const apus_binance_message* message = &binance->last;
    const apus_level* levels = message->levels;
    uint32_t counts[] = {message->bid_count, message->ask_count};
    for (uint32_t side = 0; side < 2; side++) {
        apus_book_cursor cursor;
        apus_book_cursor_init(&cursor, &book->book, side);
        for (uint32_t i = 0; i < counts[side]; i++) {
            apus_level ours;
            if (!apus_book_cursor_next(&cursor, &ours)) return false;
            if (ours.price != levels->price || ours.quantity != levels->quantity) return false;
            levels++;
        }
    }
    return true;
}

int apus_binance_market_probe(apus_binance_market* binance, uint16_t instrument, const uint8_t* bytes, size_t length,
                              uint64_t receive_ns) {
    int error = decode_body(binance, instrument, bytes, length, receive_ns);
    if (error < 0) return error;
    apus_market_book* book = apus_market_at(binance->market, instrument);
    if (!kept(book)) return 1;
    apus_binance_sync* sync = book->venue;
    if (!sync->snapshot_applied || binance->last.last_update <= book->update_id) return 1;
    sync->probe_update = binance->last.last_update;
    sync->probe_equal = same_best(binance, book);
    return 0;
}

// MARK: opening, dropping, losing

apus_market_book* apus_binance_market_open(apus_binance_market* binance, uint16_t instrument) {
    apus_market_book* book = apus_market_open(binance->market, instrument);
    if (book == NULL) return NULL;
    if (book->venue == NULL) {
        book->venue = apus_arena_alloc(binance->market->arena, sizeof(apus_binance_sync));
        if (book->venue == NULL) {
            apus_market_drop(binance->market, book);
            return NULL;
        }
        memset(book->venue, 0, sizeof(apus_binance_sync));
    }
    begin_anew(binance, book->venue);
    return book;
}

void apus_binance_market_drop(apus_binance_market* binance, uint16_t instrument) {
    apus_market_book* book = apus_market_at(binance->market, instrument);
    if (!kept(book)) return;
    begin_anew(binance, book->venue);
    apus_market_drop(binance->market, book);
}

void apus_binance_market_stale(apus_binance_market* binance, uint16_t instrument, uint8_t reason) {
    apus_market_book* book = apus_market_at(binance->market, instrument);
    if (kept(book)) lose(binance, book, reason);
}

void apus_binance_market_lost(apus_binance_market* binance, uint8_t reason) {
    for (uint32_t i = 0; i < binance->market->instruments->count; i++) {
        apus_market_book* book = apus_market_at(binance->market, (uint16_t)i);
        if (!kept(book)) continue;
        begin_anew(binance, book->venue);
        apus_market_forget_touches(book);
        if (book->state == APUS_STATE_LIVE) apus_market_state(binance->market, book, APUS_STATE_STALE, reason);
    }
}
