// A book's entry on the board, kept up with the book. Internal to apus_market.h.
#ifndef MARKET_BOARD_H
#define MARKET_BOARD_H

#include "apus_market.h"

// Notes changes before they are applied: those which the board will have to show.
void apus_market_board_note(apus_market* market, apus_market_book* book, uint32_t side, const apus_level* levels,
                            uint32_t count);

// Whether the board does not show the book as it is.
static inline bool apus_market_board_behind(const apus_market_book* book) {
    return (book->board_change_count[APUS_SIDE_BID] | book->board_change_count[APUS_SIDE_ASK]
            | book->board_stale[APUS_SIDE_BID] | book->board_stale[APUS_SIDE_ASK])
           != 0;
}

// Brings the entry up to the book. event_number and publish_ns are those of the feed event that announces it.
void apus_market_board_write(apus_market* market, apus_market_book* book, uint64_t event_number, uint64_t publish_ns);

// The same for an event that is about to be published: now, or at the end of the turn where the market's board is batched.
void apus_market_board_announce(apus_market* market, apus_market_book* book, uint64_t event_number);

#endif
