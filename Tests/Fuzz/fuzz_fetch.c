// The request queue under any order of events: every request is answered exactly once and in order, and one that is not
// idempotent never reaches a socket twice.
#include "apus_fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BODY_MAX = 4096,
    RX_BYTES = BODY_MAX + (int)APUS_HTTP_HEAD_BYTES_MAX + (int)APUS_PADDING,
    SLOT_BYTES = 512,
    STORAGE_BYTES = SLOT_BYTES * (int)APUS_FETCH_SLOTS,
    TX_BYTES = 1024 + (int)APUS_PADDING,
    TAGS_MAX = 4096,
};

typedef struct world {
    const uint8_t* at;
    const uint8_t* end;
    uint64_t now;
    apus_channel channel;
    apus_fetch fetch;
    uint64_t submitted; // tags are 0, 1, 2, ...
    uint64_t answered;
    uint8_t begun[TAGS_MAX]; // attempts of which a byte was written
    bool idempotent[TAGS_MAX];
} world;

static void check(int condition) {
    if (!condition) abort();
}

static uint8_t take(world* w) {
    return w->at < w->end ? *w->at++ : 0;
}

static void submit(world* w, uint8_t mode) {
    char path[32];
    if (w->submitted == TAGS_MAX) return;
    snprintf(path, sizeof path, "/order?id=%u", (unsigned)w->submitted);
    apus_fetch_request request = {
        .method = mode & 1 ? "POST" : "GET",
        .path = path,
        .headers = mode & 2 ? "X-Key: 1\r\n" : NULL,
        .body = mode & 1 ? "{}" : NULL,
        .body_size = mode & 1 ? 2 : 0,
        .tag = w->submitted,
        .idempotent = (mode & 4) != 0,
    };
    bool full = apus_fetch_count(&w->fetch) == APUS_FETCH_SLOTS, stopping = w->fetch.stopping;
    int result = apus_fetch_submit(&w->fetch, &request, w->now);
    check(result == (stopping ? -ECANCELED : full ? -EAGAIN : 0));
    if (result == 0) w->idempotent[w->submitted++] = request.idempotent;
}

// Writes some of what is pending, and notes which request its first byte belongs to.
static void shell_sends(world* w, size_t part) {
    apus_channel* channel = &w->channel;
    const uint8_t* bytes;
    size_t pending = apus_channel_pending(channel, &bytes);
    if (channel->state != APUS_CHANNEL_OPEN || pending == 0 || part == 0) return;
    if (channel->tx_total == w->fetch.tx_mark) {
        const char* id = memmem(bytes, pending, "id=", 3);
        check(id != NULL);
        unsigned long tag = strtoul(id + 3, NULL, 10);
        check(tag == w->answered);
        check(w->idempotent[tag] || w->begun[tag] == 0);
        w->begun[tag]++;
    }
    apus_channel_sent(channel, part < pending ? part : pending, w->now);
}

static void deliver(world* w, const void* bytes, size_t size) {
    uint8_t* at;
    if (w->channel.state != APUS_CHANNEL_OPEN) return;
    size_t space = apus_channel_space(&w->channel, &at);
    check(space > 0);
    if (size > space) size = space;
    memcpy(at, bytes, size);
    if (size > 0) apus_channel_received(&w->channel, size, w->now, 0);
}

static void deliver_answer(world* w, uint8_t kind) {
    static const char* const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
        "HTTP/1.1 503 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "nonsense",
    };
    const char* text = answers[kind % 7];
    size_t size = strlen(text);
    deliver(w, text, kind & 128 ? size / 2 : size);
}

static void event(world* w) {
    apus_channel* channel = &w->channel;
    uint8_t op = take(w);
    switch (op % 14) {
    case 0:
        w->now += (uint64_t)take(w) << (take(w) & 31);
        break;
    case 1: {
        uint64_t due = apus_fetch_deadline(&w->fetch);
        if (due != UINT64_MAX && due > w->now) w->now = due;
        break;
    }
    case 2:
    case 3:
        if (channel->want == APUS_WANT_OPEN && channel->state == APUS_CHANNEL_CLOSED)
            apus_channel_opening(channel);
        else if (channel->want == APUS_WANT_CLOSE)
            apus_channel_closed(channel, APUS_CLOSED_ASKED, 0);
        break;
    case 4:
    case 5:
        if (channel->state == APUS_CHANNEL_OPENING) apus_channel_opened(channel, w->now);
        break;
    case 6:
        if (channel->state != APUS_CHANNEL_CLOSED) apus_channel_closed(channel, take(w) % 7, 111);
        break;
    case 7:
    case 8:
        submit(w, take(w));
        break;
    case 9:
        shell_sends(w, take(w));
        break;
    case 10:
        shell_sends(w, SIZE_MAX);
        break;
    case 11:
        deliver_answer(w, take(w));
        break;
    case 12: {
        size_t size = take(w), left = (size_t)(w->end - w->at);
        if (size > left) size = left;
        deliver(w, w->at, size);
        w->at += size;
        break;
    }
    default:
        if (op == 13) apus_fetch_stop(&w->fetch, w->now);
        break;
    }
}

static void turn(world* w) {
    apus_fetch_response response;
    while (apus_fetch_next(&w->fetch, w->now, &response) == 1) {
        check(response.tag == w->answered && w->answered < w->submitted);
        check((response.error == 0) == (response.http.status != 0));
        if (response.error == 0)
            check(response.received_ns <= w->now && response.attempts > 0);
        else
            check(response.what != NULL && (response.sent || w->begun[response.tag] == 0));
        w->answered++;
    }
    check(apus_fetch_count(&w->fetch) == w->submitted - w->answered);
    check(apus_fetch_deadline(&w->fetch) > w->now);
    if (w->fetch.stopping) check(apus_fetch_count(&w->fetch) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static world w;
    memset(&w, 0, sizeof w);
    w.at = data;
    w.end = data + size;
    w.now = 1000;
    uint8_t* memory = calloc(1, RX_BYTES + TX_BYTES + STORAGE_BYTES);
    apus_channel_init(&w.channel, memory, RX_BYTES, memory + RX_BYTES, TX_BYTES);
    strcpy(w.channel.endpoint.host, "venue.example");
    w.channel.endpoint.port = 80;
    apus_fetch_config config;
    apus_fetch_config_default(&config);
    config.max_body_bytes = BODY_MAX;
    config.retries = take(&w) & 3;
    apus_random random;
    apus_random_seed(&random, config.retries);
    check(apus_fetch_init(&w.fetch, &w.channel, &config, memory + RX_BYTES + TX_BYTES, STORAGE_BYTES, &random) == 0);
    while (w.at < w.end) {
        event(&w);
        turn(&w);
    }
    free(memory);
    return 0;
}
