// What every venue's market session shares: the books, their states, and what is published of them.
//
//              open                snapshot applied               gap, bad message, hash, disconnect, arena
//   (none) ──────────▶ SYNCING ───────────────────────▶ LIVE ─────────────────────────────────────────────▶ STALE
//                         ▲  ▲                                                                                │
//                         │  └──────── drop ──▶ DROPPED        (the venue's session resyncs by itself) ◀──────┤
//                         └────────────────────── open ◀──┘                    snapshot applied ──▶ LIVE ◀────┘
//
// How continuity is proven is the venue's own affair (apus_binance.h, apus_polymarket.h); they call the functions here.
// Everything belongs to the hot thread; books are made on demand out of the arena.
#ifndef APUS_MARKET_H
#define APUS_MARKET_H

#include "apus_arena.h"
#include "apus_book.h"
#include "apus_instrument.h"
#include "apus_publisher.h"

// Touches that are remembered for the check of book against ticker: both come by update id, in either order.
#define APUS_MARKET_TICKERS 256u
#define APUS_MARKET_TOPS 64u
// Changes of a side that are brought to the board one by one; after more of them the side is copied from the book.
#define APUS_MARKET_BOARD_CHANGES 8u

typedef struct apus_touch_mark {
    uint64_t update_id;
    apus_touch touch;
} apus_touch_mark;

typedef struct apus_market_book {
    apus_book book;
    uint64_t update_id;    // of the newest message applied
    uint64_t event_number; // of the newest BOOK event
    uint64_t applied_ns;   // receive time of the newest message applied
    uint64_t applied;      // messages applied to a synchronised book
    uint64_t gaps;         // breaks of continuity
    uint64_t resyncs;      // times it became live again after having been stale
    uint64_t ticker_equal; // of ticker_compared
    uint64_t ticker_compared;
    uint64_t hash_equal; // of hash_compared
    uint64_t hash_compared;
    int64_t board_worst[2]; // the last bid and the last ask on the board
    // What the board does not show yet: for each side the changes at or above its last level, in order.
    apus_level board_changes[2][APUS_MARKET_BOARD_CHANGES];
    uint8_t board_change_count[2];
    bool board_stale[2];    // the side must be copied from the book
    bool board_pending;     // deferred, batched: an event has announced what the board does not have yet
    uint64_t board_ns;      // then: publish time of that event
    uint32_t tickers_count; // ever remembered
    uint32_t tops_count;
    uint16_t instrument;
    uint8_t state;  // apus_book_state
    uint8_t reason; // apus_state_reason
    bool was_live;
    apus_touch_mark* tickers; // APUS_MARKET_TICKERS, made at the first ticker
    apus_touch_mark* tops;
    void* venue; // the venue session's own part, from the arena
} apus_market_book;

typedef struct apus_market {
    apus_publisher* out;
    apus_arena* arena;
    apus_instrument_table* instruments;
    apus_market_book** books;  // by instrument; NULL: never opened
    apus_level* levels;        // room for two sides of the board's depth
    const char* venue;         // for the directory, at most 15 characters
    apus_board_watch* watches; // by instrument, where the board is deferred; else NULL
    uint16_t* behind;          // where the board is batched: instruments whose entry is behind; else NULL
    uint32_t behind_count;
} apus_market;

// Takes its tables from the arena. Returns 0, -ENOMEM, or -EINVAL when the table has more instruments than the board.
int apus_market_init(apus_market* market, apus_publisher* out, apus_arena* arena, apus_instrument_table* instruments,
                     const char* venue);

// For simulated time, where one thread publishes and reads: from now on a live book's entry of the board is written when it is read
// through `board`, the readers' description of it. Every change of a live book must be published in the call that makes it, as
// Binance's are; a Polymarket batch is held back. Needs a publisher without a clock. Returns 0, or -ENOMEM when the arena is full.
int apus_market_defer_board(apus_market* market, apus_board* board);

// For an engine whose one thread publishes and reads in turns: an entry of the board is written once for all the messages of a
// turn, before anybody in this thread reads it. Another process may find it that much behind the newest event; event_number in the
// entry says how far. As above every change of a live book must be published in the call that makes it. Returns 0, or -ENOMEM
// when the arena is full.
int apus_market_batch_board(apus_market* market);

// The end of a turn's messages: writes the entries that are behind. Without apus_market_batch_board it does nothing.
void apus_market_write_behind(apus_market* market);

// The instrument's book, or NULL when it was never opened.
static inline apus_market_book* apus_market_at(const apus_market* market, uint16_t instrument) {
    return instrument < market->instruments->capacity ? market->books[instrument] : NULL;
}

// Opens (or opens again) an instrument that is in the table: SYNCING, empty. Writes its directory entry. NULL: the arena is full.
apus_market_book* apus_market_open(apus_market* market, uint16_t instrument);

// Empties the book and gives its memory back; state DROPPED.
void apus_market_drop(apus_market* market, apus_market_book* book);

// Changes the state and publishes that; nothing when both state and reason are the same.
void apus_market_state(apus_market* market, apus_market_book* book, uint8_t state, uint8_t reason);

// Whoever replaces the book's levels by other means than apus_market_apply says so: the board is then copied from the book.
static inline void apus_market_replaced(apus_market_book* book) {
    book->board_stale[APUS_SIDE_BID] = book->board_stale[APUS_SIDE_ASK] = true;
}

// Empties the book without publishing.
void apus_market_clear(apus_market* market, apus_market_book* book);

// Forgets the touches that wait for their counterpart: on another connection the venue's ids may start anew.
void apus_market_forget_touches(apus_market_book* book);

// Applies absolute quantities. Returns 0, or -ENOMEM when the arena is full: the book is then STALE and empty.
int apus_market_apply(apus_market* market, apus_market_book* book, const apus_level* bids, uint32_t bid_count,
                      const apus_level* asks, uint32_t ask_count);

// Publishes the touch (and the board where something visible changed) after a whole message or batch. flags: apus_book_flag,
// to which crossed and empty sides are added. For a book that is not LIVE it does nothing.
void apus_market_publish(apus_market* market, apus_market_book* book, uint8_t flags);

// Publishes a trade of an opened instrument.
void apus_market_trade(apus_market* market, apus_market_book* book, int64_t price, int64_t quantity, uint64_t trade_id,
                       bool seller_is_taker);

// Publishes the venue's own best bid and offer and holds it against the book of the same update id. Returns false when they
// differ: the book is wrong.
bool apus_market_ticker(apus_market* market, apus_market_book* book, const apus_touch_mark* ticker);

// After a message with update id book->update_id was applied to a live book: compares with a remembered ticker. As above.
bool apus_market_check(apus_market* market, apus_market_book* book);

// A new tick size: rebuilds the book's ladder, renews the directory, publishes TICK_SIZE. -ENOMEM as for apply.
int apus_market_tick_size(apus_market* market, apus_market_book* book, int64_t tick);

#endif
