// One feed at a time.
//
//   opened ─ peers and echo: after 100 ms ────────────────────────────────────▶ running ─ last message sent ▶ finished
//          └ stream: subscribed ─ snapshot asked for ─ 100 ms later ──────────▶   ▲
//                              └ a live stream ─ at once ──────────────────────────┘
//
// A flood is written to memory beforehand, and encrypted there: sending is send() and nothing else. At a pace the next message is made
// while the time to its sending passes; its time is taken right before it is handed over.
#include "venue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_DELAY_NS 100000000ull
// From here to the moment of sending nothing else is done.
#define LAST_WAIT_NS 3000u
#define FULL_PAUSE_NS 4000u
#define RECORD_FRAMES 52u // whole frames in one TLS record
#define PLAIN_BYTES (RECORD_FRAMES * 8u * FRAME_BYTES)
#define STAMP_AT 10u // in a peer's frame: payload byte 6
#define STAMP_DIGITS 19

enum state { IDLE, OPENED, SUBSCRIBED, STARTING, RUNNING };

static struct {
    connection* to;
    enum feed_kind kind;
    enum state state;
    bool flood;
    bool live;
    uint64_t count; // 0: without end
    uint64_t sent;
    uint64_t start_ns;
    uint64_t pause_ns;
    uint64_t next_ns;
    bool prepared;
    uint8_t frame[FRAME_BYTES];

    // The flood's bytes. A peer's flood repeats one block, a market's runs through `count` messages.
    uint8_t* bytes;
    uint64_t held; // frames in `bytes`
    enum feed_kind held_kind;
    uint64_t offset;       // of the next byte to send, from the first frame on
    const uint8_t* sealed; // over TLS: the whole flood as records, in the connection's memory; else NULL
    size_t sealed_bytes;
} feed;

static const options* config;
static market opening; // where every stream begins
static market present; // after the newest message that was made
static market_summary after_flood;

void feed_init(const options* options) {
    config = options;
    market_begin(&opening, options->seed, options->levels);
    present = opening;
}

const market* feed_market(void) {
    // A flood is known in advance; what the client sees begins at the opening.
    return feed.flood ? &opening : &present;
}

// MARK: what is sent

static void make_peer_frame(uint8_t* frame) {
    static const char payload[] =
        "{\"t\":\"0000000000000000000\",\"e\":\"depthUpdate\",\"E\":1757908892378,\"s\":\"BTCUSDT\",\"U\":390497796,"
        "\"u\":390497815,\"b\":[[\"50001.59000000\",\"0.00000000\"],[\"50002.49000000\",\"1.25000000\"],[\"50002."
        "94000000\","
        "\"0.15578294\"]],\"a\":[[\"50004.24000000\",\"0.82156544\"],[\"50004.56000000\",\"0.00000000\"],"
        "[\"50006.56000000\",\"0.46584834\"]]}";
    _Static_assert(sizeof payload - 1 == PAYLOAD_BYTES, "the peers' payload");
    size_t header = frame_header(frame, 1, PAYLOAD_BYTES);
    memcpy(frame + header, payload, PAYLOAD_BYTES);
}

static void stamp(uint8_t* frame, uint64_t at_ns) {
    for (int i = STAMP_DIGITS; i-- > 0; at_ns /= 10)
        frame[STAMP_AT + (uint32_t)i] = (uint8_t)('0' + at_ns % 10);
}

static void hold(uint64_t frames) {
    feed.bytes = realloc(feed.bytes, frames * FRAME_BYTES);
    if (!feed.bytes) fail("no memory for a flood of %llu messages", (unsigned long long)frames);
    feed.held = frames;
    feed.held_kind = feed.kind;
}

static void prepare_peer_flood(void) {
    hold(RECORD_FRAMES * 8);
    for (uint64_t i = 0; i < feed.held; i++) {
        make_peer_frame(feed.bytes + i * FRAME_BYTES);
        stamp(feed.bytes + i * FRAME_BYTES, now_ns());
    }
}

// Made once for a number of messages: every flood of that many is the same.
static void prepare_market_flood(void) {
    if (feed.held_kind == FEED_MARKET && feed.held == feed.count && feed.bytes) return;
    hold(feed.count);
    present = opening;
    uint64_t ms = realtime_ms();
    for (uint64_t i = 0; i < feed.count; i++)
        market_next(&present, feed.bytes + i * FRAME_BYTES, ms);
    market_summarize(&present, &after_flood);
}

// MARK: opening

static void read_path(const char* path) {
    char* end = NULL;
    const char* at = strstr(path, "/flood/");
    feed.flood = at != NULL;
    feed.count = config->count;
    uint64_t rate = config->rate;
    if (at) {
        feed.count = strtoull(at + 7, NULL, 10);
    } else if ((at = strstr(path, "/paced/")) || (at = strstr(path, "/echo/market/"))) {
        feed.count = strtoull(strchr(at + 6, '/') + 1, &end, 10);
    } else if ((at = strstr(path, "/live/"))) {
        feed.count = strtoull(at + 6, &end, 10);
    }
    feed.live = !feed.flood && !strstr(path, "/paced/");
    if (end && *end == '/') rate = strtoull(end + 1, NULL, 10);
    if (rate == 0) rate = 1;
    feed.pause_ns = 1000000000ull / rate;
}

void feed_open(connection* c, enum feed_kind kind, const char* path) {
    if (feed.to && feed.to != c) begin_close(feed.to);
    feed.to = c;
    feed.kind = kind;
    feed.state = OPENED;
    feed.sent = feed.offset = 0;
    feed.sealed = NULL;
    feed.prepared = false;
    read_path(path);
    if (feed.flood && kind == FEED_PEER) prepare_peer_flood();
    if (feed.flood && kind == FEED_MARKET) prepare_market_flood();
    if (!feed.flood) present = opening;
    if (kind == FEED_PEER) make_peer_frame(feed.frame);
    if (c->role != ROLE_STREAM) {
        feed.state = STARTING;
        feed.start_ns = now_ns() + START_DELAY_NS;
    }
}

void feed_subscribed(const connection* c) {
    if (c != feed.to || feed.state != OPENED) return;
    feed.state = feed.live ? STARTING : SUBSCRIBED;
    feed.start_ns = now_ns();
}

void feed_snapshot_sent(void) {
    if (feed.state != SUBSCRIBED) return;
    feed.state = STARTING;
    feed.start_ns = now_ns() + START_DELAY_NS;
}

void feed_closed(const connection* c) {
    if (c != feed.to) return;
    feed.to = NULL;
    feed.state = IDLE;
}

// MARK: sending

static void finish(void) {
    record_head()->last_ns = now_ns();
    feed.state = IDLE;
    connection* c = feed.to;
    if (feed.kind == FEED_PEER) {
        feed.to = NULL;
        begin_close(c);
        return;
    }
    market_summary summary;
    if (!feed.flood) market_summarize(&present, &summary);
    record_finished(feed.flood ? &after_flood : &summary);
}

static void wait_until(uint64_t time_ns) {
    while (now_ns() < time_ns) {
    }
}

// The next bytes of the flood, at most `limit`. Returns how many.
static size_t next_bytes(const uint8_t** at, size_t limit) {
    if (feed.sealed) {
        *at = feed.sealed + feed.offset;
        size_t left = feed.sealed_bytes - feed.offset;
        return left < limit ? left : limit;
    }
    size_t around = feed.offset % (feed.held * FRAME_BYTES);
    size_t size = feed.held * FRAME_BYTES - around;
    size_t left = feed.count * FRAME_BYTES - feed.offset;
    *at = feed.bytes + around;
    if (size > limit) size = limit;
    return size < left ? size : left;
}

// Encrypts the whole flood, in records of whole frames.
static void seal(void) {
    connection* c = feed.to;
    const uint8_t* at;
    sealing_begin(c);
    while (feed.offset < feed.count * FRAME_BYTES) {
        size_t size = next_bytes(&at, RECORD_FRAMES * FRAME_BYTES);
        sealing_add(c, at, size);
        feed.offset += size;
    }
    feed.offset = 0;
    feed.sealed = sealing_done(c, &feed.sealed_bytes);
}

static void flood_some(void) {
    const uint8_t* at;
    if (feed.offset == 0) record_sent(0, now_ns());
    size_t size = next_bytes(&at, PLAIN_BYTES);
    long count = connection_write_sealed(feed.to, at, size);
    record_head()->writes++;
    if (count < 0) return;
    if (count == 0) {
        // The receiver takes its bytes in peace, not in a race for the socket's lock.
        record_head()->waits++;
        wait_until(now_ns() + FULL_PAUSE_NS);
        return;
    }
    feed.offset += (size_t)count;
    if (feed.offset < (feed.sealed ? feed.sealed_bytes : feed.count * FRAME_BYTES)) return;
    record_head()->sent = feed.count;
    if (feed.sealed) sealing_end(feed.to);
    feed.sealed = NULL;
    finish();
}

static void prepare(void) {
    if (feed.kind == FEED_MARKET) market_next(&present, feed.frame, realtime_ms());
    feed.prepared = true;
}

static void send_paced(uint64_t now) {
    if (!feed.prepared) prepare();
    if (now + LAST_WAIT_NS < feed.next_ns) return;
    wait_until(feed.next_ns);
    now = now_ns();
    if (feed.kind == FEED_PEER) stamp(feed.frame, now);
    record_sent(feed.sent, now);
    if (!connection_write(feed.to, feed.frame, FRAME_BYTES)) return;
    feed.prepared = false;
    feed.next_ns += feed.pause_ns;
    if (++feed.sent == feed.count) finish();
}

static void start(uint64_t now) {
    feed.state = RUNNING;
    if (feed.flood && feed.to->ssl) seal();
    feed.next_ns = now + feed.pause_ns;
    record_begin();
}

bool feed_turn(void) {
    if (feed.state != STARTING && feed.state != RUNNING) return false;
    uint64_t now = now_ns();
    if (feed.state == STARTING) {
        if (now < feed.start_ns) return false;
        start(now);
    }
    if (feed.flood)
        flood_some();
    else
        send_paced(now);
    return feed.state == RUNNING;
}
