// An entry of the board is the top of a book, sorted. Copying it anew for each message costs more than decoding the message, so the
// few levels that a message changes are changed in their place, and only what a deletion uncovers is asked of the book.
//
// What always holds between two writes: a side of the entry holds the book's levels down to board_worst, all of them where it is
// not full, as they were at the last write; and the changes at or above board_worst since then are those that were noted.
#include "market_board.h"

#include <string.h>

typedef struct row {
    apus_level* levels;
    uint32_t count;
    uint32_t depth;
    int64_t flip; // a price mirrored by it is a key: the better the higher
    // The key of the last level when the row was full: what is worse the row knows nothing of. INT64_MIN: it was never full.
    int64_t bound;
} row;

static int64_t key_of(const row* row, int64_t price) {
    return price ^ row->flip;
}

static uint64_t watched(uint64_t prices, const apus_level* levels, uint32_t count) {
    uint64_t touched = 0;
    for (uint32_t i = 0; i < count; i++)
        touched |= prices & apus_board_watch_bit(levels[i].price);
    return touched;
}

// An entry that is written only when somebody reads it is copied then.
static void note_watched(apus_market* market, apus_market_book* book, uint32_t side, const apus_level* levels,
                         uint32_t count) {
    apus_board_watch* watch = &market->watches[book->instrument];
    if (watch->prices[side] != 0) watch->touched |= watched(watch->prices[side], levels, count);
    book->board_stale[side] = true;
}

void apus_market_board_note(apus_market* market, apus_market_book* book, uint32_t side, const apus_level* levels,
                            uint32_t count) {
    if (market->watches != NULL) {
        note_watched(market, book, side, levels, count);
        return;
    }
    int64_t flip = side == APUS_SIDE_BID ? 0 : -1, worst = book->board_worst[side] ^ flip;
    uint32_t noted = book->board_change_count[side];
    apus_level* changes = book->board_changes[side];
    for (uint32_t i = 0; i < count && !book->board_stale[side]; i++) {
        if (noted == APUS_MARKET_BOARD_CHANGES) {
            book->board_stale[side] = true;
            break;
        }
        // Without a branch: which levels are visible is anybody's guess.
        changes[noted] = levels[i];
        noted += (levels[i].price ^ flip) >= worst;
    }
    book->board_change_count[side] = (uint8_t)noted;
}

// MARK: one change

static void store(apus_level* to, const apus_level* from) {
    apus_words_store((apus_word*)(void*)to, (const apus_word*)(const void*)from, 2);
}

// How many levels are better than the key. From the best one on, where most changes are.
static uint32_t place_of(const row* row, int64_t key) {
    uint32_t place = 0;
    while (place < row->count && key_of(row, row->levels[place].price) > key)
        place++;
    return place;
}

static void note_bound(row* row) {
    if (row->count == row->depth) row->bound = key_of(row, row->levels[row->count - 1].price);
}

static void change(row* row, const apus_level* level) {
    int64_t key = key_of(row, level->price);
    if (key < row->bound) return;
    uint32_t place = place_of(row, key);
    bool there = place < row->count && row->levels[place].price == level->price;
    if (level->quantity != 0 && there) {
        store(&row->levels[place], level);
    } else if (level->quantity != 0) {
        if (row->count == row->depth) row->count--;
        for (uint32_t i = row->count; i > place; i--)
            store(&row->levels[i], &row->levels[i - 1]);
        store(&row->levels[place], level);
        row->count++;
        note_bound(row);
    } else if (there) {
        row->count--;
        for (uint32_t i = place; i < row->count; i++)
            store(&row->levels[i], &row->levels[i + 1]);
    }
}

// Takes from the book what has come into view.
static void refill(row* row, const apus_book* book, uint32_t side) {
    apus_book_cursor cursor;
    apus_level level;
    apus_book_cursor_behind(&cursor, book, side, key_of(row, row->bound));
    while (row->count < row->depth && apus_book_cursor_next(&cursor, &level))
        store(&row->levels[row->count++], &level);
}

// MARK: a side

// The levels of a side that is to be copied: taken out of the book before the entry is begun, so that readers find it torn for a
// copy's time and no longer.
typedef struct top {
    apus_level* levels;
    uint32_t count;
} top;

static top gather(const apus_market* market, const apus_market_book* book, uint32_t side) {
    uint32_t depth = market->out->board.depth;
    top top = {.levels = market->levels + side * depth};
    if (book->board_stale[side]) top.count = apus_book_depth(&book->book, side, top.levels, depth);
    return top;
}

// Brings a side of the entry up to the book. Returns how many levels it has.
static uint32_t write_side(const apus_market* market, apus_market_book* book, uint32_t side, const top* top,
                           apus_board_header* entry) {
    const apus_board* board = &market->out->board;
    row row = {.levels = apus_board_levels(board, entry, side),
               .count = side == APUS_SIDE_BID ? entry->bids : entry->asks,
               .depth = board->depth,
               .flip = side == APUS_SIDE_BID ? 0 : -1,
               .bound = INT64_MIN};
    if (book->board_stale[side]) {
        row.count = top->count;
        apus_words_store((apus_word*)(void*)row.levels, (const apus_word*)(const void*)top->levels, 2ull * row.count);
    } else if (row.depth > 0) {
        note_bound(&row);
        for (uint32_t i = 0; i < book->board_change_count[side]; i++)
            change(&row, &book->board_changes[side][i]);
        if (row.count < row.depth && row.bound != INT64_MIN) refill(&row, &book->book, side);
    }
    book->board_stale[side] = false;
    book->board_change_count[side] = 0;
    // While a side is not full every change of it is visible.
    bool full = row.count == row.depth && row.depth > 0;
    book->board_worst[side] = full ? row.levels[row.count - 1].price : key_of(&row, INT64_MIN);
    return row.count;
}

void apus_market_board_write(apus_market* market, apus_market_book* book, uint64_t event_number, uint64_t publish_ns) {
    top bids = gather(market, book, APUS_SIDE_BID), asks = gather(market, book, APUS_SIDE_ASK);
    apus_board_header* entry = apus_board_begin(&market->out->board, book->instrument);
    apus_board_header header = {
        .event_number = event_number,
        .update_id = book->update_id,
        .publish_ns = publish_ns,
        .bids = write_side(market, book, APUS_SIDE_BID, &bids, entry),
        .asks = write_side(market, book, APUS_SIDE_ASK, &asks, entry),
        .total_bids = apus_book_level_count(&book->book, APUS_SIDE_BID),
        .total_asks = apus_book_level_count(&book->book, APUS_SIDE_ASK),
        .state = book->state,
    };
    apus_board_end(entry, &header);
    book->board_pending = false;
}

// MARK: the board once a turn

int apus_market_batch_board(apus_market* market) {
    market->behind = apus_arena_alloc(market->arena, market->instruments->capacity * sizeof *market->behind);
    return market->behind == NULL ? -ENOMEM : 0;
}

void apus_market_write_behind(apus_market* market) {
    for (uint32_t i = 0; i < market->behind_count; i++) {
        apus_market_book* book = market->books[market->behind[i]];
        // A change of state has written it in between.
        if (book->board_pending) apus_market_board_write(market, book, book->event_number, book->board_ns);
    }
    market->behind_count = 0;
}

static void note_behind(apus_market* market, apus_market_book* book) {
    book->board_ns = market->out->receive_ns;
    if (book->board_pending) return;
    // Full only after changes of state in the same turn: then what is listed is written now.
    if (market->behind_count == market->instruments->capacity) apus_market_write_behind(market);
    book->board_pending = true;
    market->behind[market->behind_count++] = book->instrument;
}

void apus_market_board_announce(apus_market* market, apus_market_book* book, uint64_t event_number) {
    if (market->behind != NULL)
        note_behind(market, book);
    else
        apus_market_board_write(market, book, event_number, market->out->receive_ns);
}

// MARK: the board on demand

static void complete_entry(void* writer, uint32_t instrument) {
    apus_market* market = writer;
    apus_market_book* book = apus_market_at(market, (uint16_t)instrument);
    if (book != NULL && book->board_pending) apus_market_board_write(market, book, book->event_number, book->board_ns);
}

// Which levels the entry would have is counted only where the answer depends on it.
static int64_t shown_quantity(void* writer, uint32_t instrument, uint32_t side, int64_t price, int64_t most) {
    const apus_market* market = writer;
    const apus_market_book* book = apus_market_at(market, (uint16_t)instrument);
    if (book == NULL) return most;
    int64_t quantity = apus_book_quantity(&book->book, side, price);
    if (quantity >= most) return most;
    uint32_t depth = market->out->board.depth;
    bool deeper = apus_book_rank(&book->book, side, price, depth) >= depth;
    return deeper && apus_book_level_count(&book->book, side) > depth ? -1 : quantity;
}

int apus_market_defer_board(apus_market* market, apus_board* board) {
    size_t bytes = market->instruments->capacity * sizeof *market->watches;
    market->watches = apus_arena_alloc(market->arena, bytes);
    if (market->watches == NULL) return -ENOMEM;
    memset(market->watches, 0, bytes);
    board->complete = complete_entry;
    board->shown = shown_quantity;
    board->watches = market->watches;
    board->writer = market;
    return 0;
}
