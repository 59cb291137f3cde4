// Every capacity of the engine, in one place. Passing one is an error that names it, never a silent drop.
#ifndef APUS_LIMITS_H
#define APUS_LIMITS_H

#include <stdint.h>

// Version of every layout in the shared mappings. A reader refuses another version.
#define APUS_LAYOUT_VERSION 3u

#define APUS_CACHE_LINE 64u
#define APUS_PAGE 4096u

// Instruments of one engine: the feed slot names one with 16 bits; the directory and the board have a place for each.
#define APUS_INSTRUMENTS_MAX 4096u
#define APUS_INSTRUMENTS_DEFAULT 256u
// Strategies of one engine: an order names one with a byte.
#define APUS_STRATEGIES_MAX 64u
// Longest instrument name: a Polymarket token id has 78 digits.
#define APUS_SYMBOL_BYTES 96u

// Feed ring slots (a power of two). 65,536 slots hold 4 MiB, several seconds of a busy venue.
#define APUS_FEED_SLOTS_MIN 64u
#define APUS_FEED_SLOTS_DEFAULT 65536u
#define APUS_FEED_SLOTS_MAX (1u << 24)

// Levels a side on the board.
#define APUS_BOARD_DEPTH_DEFAULT 20u
#define APUS_BOARD_DEPTH_MAX 1024u
// How often a reader tries a board entry again before it says that the writer is busy or dead.
#define APUS_BOARD_READ_TRIES 64u

// Lossless single-producer single-consumer rings of the private mapping (powers of two).
#define APUS_ORDER_SLOTS 1024u
#define APUS_REPORT_SLOTS 4096u
#define APUS_COMMAND_SLOTS 256u

// Records of one journal segment (192 bytes each): at least so many that a strategy's burst fits, at most 3 GiB.
#define APUS_JOURNAL_SEGMENT_RECORDS_MIN 64u
#define APUS_JOURNAL_SEGMENT_RECORDS_MAX (1u << 24)
// Records that are kept for reports, cancels and changes of state: without room for more, new orders are refused. A segment that has
// less than four times as many keeps a quarter.
#define APUS_JOURNAL_RESERVE 4096u

// Connections of one hot thread, and sessions that own them.
#define APUS_CONNECTIONS_MAX 64u
#define APUS_SESSIONS_MAX 16u

// Readable bytes behind every message buffer, so that vector loads need no tail case.
#define APUS_PADDING 64u
// Largest message of a venue (a 5,000-level snapshot has about 300 kB).
#define APUS_MESSAGE_BYTES_MAX (16u << 20)
// Levels of one message.
#define APUS_MESSAGE_LEVELS_MAX 65536u

// Texts of a connection: host name (DNS allows 253), request path with its one-time key, a text that serves as ping.
#define APUS_HOST_BYTES 256u
#define APUS_PATH_BYTES 1024u
#define APUS_PING_TEXT_BYTES 64u
// A receive buffer is compacted when less than this is free at its end, or what it holds is no more than the second number.
#define APUS_CHANNEL_READ_BYTES 16384u
#define APUS_CHANNEL_REST_BYTES 2048u
// Head of an HTTP answer, and the lines in it.
#define APUS_HTTP_HEAD_BYTES_MAX 16384u
#define APUS_HTTP_HEADERS_MAX 100u
// State changes that a link holds until its session reads them.
#define APUS_LINK_CHANGES 16u
// Requests that wait for one HTTP connection.
#define APUS_FETCH_SLOTS 16u

// Channels that one session may have.
#define APUS_SESSION_CHANNELS_MAX 8u
// Connections that share one kind of request, and rows of one venue's request budgets.
#define APUS_POOL_MEMBERS_MAX 8u
#define APUS_BUDGET_ROWS_MAX 16u
// What a window row remembers: eight whole eighths of the window and the one that runs.
#define APUS_BUDGET_SLOTS 9u
// Binance: user streams (the one in use and its successor), API connections beside them, and budgets that the venue announces.
#define APUS_BINANCE_USERS 2u
#define APUS_BINANCE_API_MAX 6u
#define APUS_BINANCE_LIMITS_MAX 8u
// Orders that the hot thread remembers as open at the venue (a power of two): as many as the engine's table holds.
#define APUS_OPEN_ORDERS_MAX 4096u
// Polymarket orders of ours that events may still name, open or ended, and parts in trades of each half (powers of two).
#define APUS_POLYMARKET_KNOWN_MAX 8192u
#define APUS_POLYMARKET_PARTS_MAX 8192u
// Open connections that are read without asking first; those of which nothing is expected do not count.
#define APUS_WIRE_DIRECT_MAX 2u
// Smallest tx of a link: an upgrade request with its path and some headers.
#define APUS_LINK_TX_MIN 4096u
// Longest header of a client's frame.
#define APUS_WS_HEADER_MAX 14u
// Smallest block of the arena, and the alignment of every block.
#define APUS_ARENA_BLOCK_MIN 64u
// Levels of one Polymarket message: 9,999 prices of the finest tick on two sides.
#define APUS_POLYMARKET_LEVELS 20480u

// Decimals of an instrument: 10^18 is the largest power of ten in 64 bits.
#define APUS_DECIMALS_MAX 18u
// Ticks that one side of a book holds in its window (powers of two): where it starts, and where it stops to double.
#define APUS_BOOK_WINDOW_MIN 512u
#define APUS_BOOK_WINDOW_MAX 32768u
// Nested arrays and objects of a JSON text.
#define APUS_JSON_DEPTH_MAX 64u
// Longest string with escapes in it that a decoder takes apart (after decoding).
#define APUS_JSON_TEXT_BYTES 512u

// How late an order may still arrive. The guard refuses one that was decided so long ago; a clock that was measured over a stalled
// connection is wrong by so much; and Binance takes for so long what was stamped, when it is not told otherwise.
#define APUS_ORDER_AGE_MS 1000u
#define APUS_CLOCK_ERROR_MS 1000u
#define APUS_BINANCE_RECEIVE_WINDOW_MS 5000u

// What was sent and is not acknowledged is sent again for so long, also when its connection is closed or the process is dead: no longer than
// Binance takes it.
#define APUS_SENT_AGAIN_MS 5000u

// So long after its decision an order or a change may still reach a venue that takes requests for `window_ms` after they were sent: until
// then "not found" and old terms say nothing, whatever connection it was sent on. It waits for the guard, is stamped by a clock
// that may be ahead, and the engine counts by a clock that may differ from the venue's as much. Sessions, engine, recovery and
// supervisor all wait for this and nothing else.
static inline uint64_t apus_late_arrival_ms(uint64_t window_ms) {
    return APUS_ORDER_AGE_MS + window_ms + 2 * APUS_CLOCK_ERROR_MS;
}

// Histogram resolution: 2^6 steps for each power of two (1.6 %), up to 2^40 ns (18 minutes).
#define APUS_HISTOGRAM_STEP_BITS 6u
#define APUS_HISTOGRAM_RANGE_BITS 40u
#define APUS_HISTOGRAM_BUCKETS 2240u // a plain number, so that Swift sees it; asserted in apus_counters.h

_Static_assert((APUS_FEED_SLOTS_DEFAULT & (APUS_FEED_SLOTS_DEFAULT - 1)) == 0, "a ring's size is a power of two");
_Static_assert((APUS_ORDER_SLOTS & (APUS_ORDER_SLOTS - 1)) == 0, "a ring's size is a power of two");
_Static_assert((APUS_REPORT_SLOTS & (APUS_REPORT_SLOTS - 1)) == 0, "a ring's size is a power of two");
_Static_assert((APUS_COMMAND_SLOTS & (APUS_COMMAND_SLOTS - 1)) == 0, "a ring's size is a power of two");
_Static_assert(APUS_BINANCE_USERS + APUS_BINANCE_API_MAX <= APUS_SESSION_CHANNELS_MAX, "each connection has a channel");
_Static_assert(APUS_BINANCE_LIMITS_MAX <= APUS_BUDGET_ROWS_MAX, "each budget has a row");
_Static_assert(APUS_BINANCE_API_MAX <= APUS_POOL_MEMBERS_MAX, "one pool holds them all");
_Static_assert(APUS_INSTRUMENTS_MAX <= 65536u, "the feed slot names an instrument with 16 bits");
_Static_assert(APUS_REPORT_SLOTS >= 2 * APUS_ORDER_SLOTS,
               "each order may be answered and filled before reports are read");

#endif
