// Keeping Binance books by the documented procedure ("How to manage a local order book correctly").
//
//   WAITING ── first depth message: buffer it, want the snapshot ──▶ BUFFERING
//   BUFFERING ── snapshot L, oldest buffered message does not begin after it ──▶ APPLIED: L in the book, buffer replayed, LIVE
//   BUFFERING ── snapshot older than the oldest buffered message ──▶ BUFFERING, want another
//   APPLIED ── first message that reaches past L: must bridge it (futures U <= L <= u, spot U <= L + 1 <= u) ──▶ BRIDGED
//   BRIDGED ── every further message continues the one before (futures pu == last u, spot U == last u + 1)
//   any break ──▶ the book is STALE, this message is the first of a new buffer ──▶ BUFFERING
//
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

static void want_snapshot(apus_binance_sync* sync, uint64_t now_ns) {
    sync->snapshot_applied = sync->bridged = false;
    sync->probe_update = 0;
    if (!sync->wants_snapshot) sync->wanted_ns = now_ns;
    sync->wants_snapshot = true;
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
        forget_pending(binance, sync);
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
    if (!sync->wants_snapshot) want_snapshot(sync, binance->market->out->receive_ns);
}

// MARK: continuity

static void lose(apus_binance_market* binance, apus_market_book* book, uint8_t reason) {
    apus_binance_sync* sync = book->venue;
    forget_pending(binance, sync);
    want_snapshot(sync, binance->market->out->receive_ns);
    if (book->state == APUS_STATE_LIVE) apus_market_state(binance->market, book, APUS_STATE_STALE, reason);
}

static void count_gap(apus_binance_market* binance, apus_market_book* book) {
    book->gaps++;
    apus_publisher_count(binance->market->out, APUS_COUNT_GAPS, 1);
    lose(binance, book, APUS_BOOK_REASON_GAP);
}

enum fit { FIT_NOTHING_NEW, FIT_CONTINUES, FIT_BREAKS };

// Whether a message with these ids continues the book.
static enum fit fits(const apus_market_book* book, bool futures, uint64_t first, uint64_t last, uint64_t previous) {
    const apus_binance_sync* sync = book->venue;
    uint64_t held = book->update_id;
    if (!sync->bridged) {
        if (last < held || (!futures && last == held)) return FIT_NOTHING_NEW;
        uint64_t low = futures ? held : held + 1;
        return first <= low ? FIT_CONTINUES : FIT_BREAKS;
    }
    if (last <= held) return FIT_NOTHING_NEW;
    return (futures ? previous == held : first == held + 1) ? FIT_CONTINUES : FIT_BREAKS;
}

static int apply(apus_binance_market* binance, apus_market_book* book, const apus_level* levels, uint32_t bid_count,
                 uint32_t ask_count, uint64_t last_update) {
    apus_binance_sync* sync = book->venue;
    int result = apus_market_apply(binance->market, book, levels, bid_count, levels + bid_count, ask_count);
    if (result < 0) {
        want_snapshot(sync, binance->market->out->receive_ns);
        return result;
    }
    sync->bridged = true;
    book->update_id = last_update;
    book->applied++;
    book->applied_ns = binance->market->out->receive_ns;
    if (sync->probe_update != 0 && last_update >= sync->probe_update) sync->probe_update = 0;
    apus_publisher_count(binance->market->out, APUS_COUNT_DEPTH_APPLIED, 1);
    return 0;
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
    if (apply(binance, book, message->levels, message->bid_count, message->ask_count, message->last_update) < 0) return;
    if (!apus_market_check(binance->market, book)) {
        lose(binance, book, APUS_BOOK_REASON_TICKER);
        return;
    }
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

static int failed(apus_binance_market* binance, int error) {
    const apus_binance_message* message = &binance->last;
    apus_publisher_count(binance->market->out, APUS_COUNT_DECODE_ERRORS, 1);
    // A depth message that cannot be read leaves a hole in the book it was for. Where even the instrument is unreadable, the
    // next message of that book shows the hole.
    apus_market_book* book = apus_market_at(binance->market, message->instrument);
    if (book != NULL && message->kind == APUS_BINANCE_DEPTH && book->state != APUS_STATE_DROPPED) {
        lose(binance, book, APUS_BOOK_REASON_DECODE);
    }
    return error;
}

int apus_binance_market_message(apus_binance_market* binance, const uint8_t* bytes, size_t length, uint64_t receive_ns,
                                uint64_t kernel_ns) {
    apus_publisher* out = binance->market->out;
    apus_publisher_message(out, receive_ns, kernel_ns);
    apus_publisher_count(out, APUS_COUNT_FRAMES, 1);
    apus_binance_message* message = &binance->last;
    int error = apus_binance_decode(&binance->decoder, bytes, length, APUS_INSTRUMENT_NONE, message);
    if (error < 0) return failed(binance, error);
    if (message->kind == APUS_BINANCE_UNKNOWN) {
        apus_publisher_count(out, APUS_COUNT_UNKNOWN, 1);
        return 0;
    }
    apus_market_book* book = apus_market_at(binance->market, message->instrument);
    if (book == NULL || book->state == APUS_STATE_DROPPED) return 0;
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

// Replays the buffer into a book that has just taken its snapshot. Returns false when it breaks.
static bool replay_pending(apus_binance_market* binance, apus_market_book* book) {
    apus_binance_sync* sync = book->venue;
    for (apus_binance_pending* pending = sync->oldest; pending != NULL; pending = pending->next) {
        enum fit fit =
            fits(book, pending->has_previous, pending->first_update, pending->last_update, pending->previous_update);
        if (fit == FIT_NOTHING_NEW) continue;
        if (fit == FIT_BREAKS) return false;
        if (apply(binance, book, pending->levels, pending->bid_count, pending->ask_count, pending->last_update) < 0) {
            return false;
        }
        if (!apus_market_check(binance->market, book)) return false;
    }
    return true;
}

// Whether the snapshot is older than the oldest message that is to follow it.
static bool too_old(const apus_binance_sync* sync, uint64_t snapshot) {
    const apus_binance_pending* oldest = sync->oldest;
    if (oldest == NULL) return false;
    return oldest->first_update > (oldest->has_previous ? snapshot : snapshot + 1);
}

void apus_binance_market_snapshot_decoded(apus_binance_market* binance, apus_market_book* book, uint64_t receive_ns) {
    const apus_binance_message* message = &binance->last;
    apus_binance_sync* sync = book->venue;
    sync->requested_ns = 0;
    if (book->state == APUS_STATE_DROPPED || (sync->snapshot_applied && sync->bridged)) return;
    if (sync->snapshot_applied && message->last_update < book->update_id) return;
    if (too_old(sync, message->last_update)) {
        sync->retry_later = true;
        want_snapshot(sync, receive_ns);
        return;
    }
    apus_book_clear(&book->book);
    book->board_dirty = true;
    if (apus_market_apply(binance->market, book, message->levels, message->bid_count,
                          message->levels + message->bid_count, message->ask_count)
        < 0) {
        want_snapshot(sync, receive_ns);
        return;
    }
    book->update_id = message->last_update;
    book->applied_ns = receive_ns;
    sync->snapshot_applied = true;
    sync->bridged = false;
    if (!replay_pending(binance, book)) {
        count_gap(binance, book);
        return;
    }
    forget_pending(binance, sync);
    sync->wants_snapshot = sync->retry_later = false;
    apus_market_state(binance->market, book, APUS_STATE_LIVE, APUS_BOOK_REASON_SNAPSHOT);
    apus_market_publish(binance->market, book, APUS_BOOK_SNAPSHOT);
}

int apus_binance_market_snapshot(apus_binance_market* binance, uint16_t instrument, const uint8_t* bytes, size_t length,
                                 uint64_t receive_ns) {
    apus_publisher* out = binance->market->out;
    apus_publisher_message(out, receive_ns, 0);
    apus_publisher_count(out, APUS_COUNT_FRAMES, 1);
    apus_binance_message* message = &binance->last;
    int error = apus_binance_decode(&binance->decoder, bytes, length, instrument, message);
    if (error == 0 && message->kind != APUS_BINANCE_SNAPSHOT) error = -EBADMSG;
    if (error < 0) {
        apus_publisher_count(out, APUS_COUNT_DECODE_ERRORS, 1);
        return error;
    }
    apus_market_book* book = apus_market_at(binance->market, instrument);
    if (book == NULL || book->venue == NULL) return 0;
    apus_binance_market_snapshot_decoded(binance, book, receive_ns);
    return 0;
}

// MARK: opening, dropping, losing

apus_market_book* apus_binance_market_open(apus_binance_market* binance, uint16_t instrument) {
    apus_market_book* book = apus_market_open(binance->market, instrument);
    if (book == NULL) return NULL;
    if (book->venue == NULL) {
        book->venue = apus_arena_alloc(binance->market->arena, sizeof(apus_binance_sync));
        if (book->venue == NULL) return NULL;
    } else {
        forget_pending(binance, book->venue);
    }
    memset(book->venue, 0, sizeof(apus_binance_sync));
    return book;
}

void apus_binance_market_drop(apus_binance_market* binance, uint16_t instrument) {
    apus_market_book* book = apus_market_at(binance->market, instrument);
    if (book == NULL || book->venue == NULL || book->state == APUS_STATE_DROPPED) return;
    forget_pending(binance, book->venue);
    memset(book->venue, 0, sizeof(apus_binance_sync));
    apus_market_drop(binance->market, book);
}

void apus_binance_market_lost(apus_binance_market* binance, uint8_t reason) {
    for (uint32_t i = 0; i < binance->market->instruments->count; i++) {
        apus_market_book* book = apus_market_at(binance->market, (uint16_t)i);
        if (book == NULL || book->venue == NULL || book->state == APUS_STATE_DROPPED) continue;
        forget_pending(binance, book->venue);
        memset(book->venue, 0, sizeof(apus_binance_sync));
        if (book->state == APUS_STATE_LIVE) apus_market_state(binance->market, book, APUS_STATE_STALE, reason);
    }
}
