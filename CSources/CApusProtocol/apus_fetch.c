#include "apus_fetch.h"

#include "apus_backoff.h"

#include <errno.h>
#include <string.h>

//         a request waits            channel is open           the oldest request is handed over
//   IDLE ────────────────▶ CONNECTING ───────────────▶ READY ─────────────────────────────▶ IN_FLIGHT
//    ▲ ▲                     ▲    │ failed, time-out      │ ▲                                 │  │
//    │ │                     │    │                       │ └───── answer, connection kept ───┘  │ failed, time-out,
//    │ │ nothing             │    │     unused too long,  │                                      │ connection
//    │ │ to wait for         │    ▼     unasked bytes     ▼                                      │ not kept
//    │ └──────────────────── │ ─ CLOSING ◀──────────────────────────────────────────────────────┘
//    │                       │    │ channel is closed, the oldest request may be sent again
//    │ stopping              │    ▼
//    └─────────────────────WAITING
//
//   Invariants
//   - Requests lie in slots[head, tail) in order of submission; the oldest is the one in flight.
//   - `error` is not 0 while the oldest request's failure is final and not yet reported.
//   - tx is empty except in IN_FLIGHT, so that tx_total tells in IN_FLIGHT whether any byte of the request was written.

void apus_fetch_config_default(apus_fetch_config* config) {
    const uint64_t millisecond = 1000000u, second = 1000 * millisecond;
    *config = (apus_fetch_config){
        .connect_timeout_ns = 5 * second,
        .timeout_ns = 10 * second,
        .idle_ns = 20 * second,
        .backoff_min_ns = 250 * millisecond,
        .backoff_max_ns = 5 * second,
        .max_body_bytes = 4u << 20,
        .retries = 3,
    };
}

int apus_fetch_init(apus_fetch* fetch, apus_channel* channel, const apus_fetch_config* config, uint8_t* storage,
                    size_t storage_bytes, const apus_random* random) {
    size_t slot_bytes = storage_bytes / APUS_FETCH_SLOTS;
    if (config->backoff_min_ns > config->backoff_max_ns || config->backoff_max_ns == UINT64_MAX) return -EINVAL;
    if (config->max_body_bytes > APUS_MESSAGE_BYTES_MAX) return -EINVAL;
    if (channel->endpoint.host[0] == 0 || channel->endpoint.port == 0) return -EINVAL;
    if (slot_bytes == 0 || channel->tx.capacity < slot_bytes) return -ENOBUFS;
    if (channel->rx.capacity < config->max_body_bytes + APUS_HTTP_HEAD_BYTES_MAX) return -ENOBUFS;
    memset(fetch, 0, sizeof *fetch);
    fetch->channel = channel;
    fetch->config = *config;
    fetch->random = *random;
    fetch->storage = storage;
    fetch->slot_bytes = slot_bytes;
    return 0;
}

static apus_fetch_slot* oldest(apus_fetch* fetch) {
    return &fetch->slots[fetch->head % APUS_FETCH_SLOTS];
}

static uint8_t* text_of(const apus_fetch* fetch, uint32_t number) {
    return fetch->storage + (size_t)(number % APUS_FETCH_SLOTS) * fetch->slot_bytes;
}

static void enter(apus_fetch* fetch, uint8_t state, uint64_t now_ns) {
    fetch->state = state;
    fetch->entered_ns = now_ns;
    // Between two requests only the connection's end can come.
    fetch->channel->quiet = state == APUS_FETCH_READY;
}

// HEAD and CONNECT frame their answers otherwise.
static bool method_known(const char* method) {
    static const char* const known[] = {"GET", "POST", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(method, known[i]) == 0) return true;
    }
    return false;
}

int apus_fetch_submit(apus_fetch* fetch, const apus_fetch_request* request, uint64_t now_ns) {
    if (fetch->stopping) return -ECANCELED;
    if (apus_fetch_count(fetch) == APUS_FETCH_SLOTS) return -EAGAIN;
    if (!method_known(request->method)) return -EINVAL;
    apus_buffer text = {.base = text_of(fetch, fetch->tail), .capacity = fetch->slot_bytes};
    apus_http_request http = {
        .method = request->method,
        .endpoint = &fetch->channel->endpoint,
        .path = request->path,
        .headers = request->headers,
        .body = request->body,
        .body_size = request->body_size,
    };
    int result = apus_http_write(&text, &http);
    if (result < 0) return result == -ENOBUFS ? -EMSGSIZE : result;
    fetch->slots[fetch->tail % APUS_FETCH_SLOTS] = (apus_fetch_slot){
        .tag = request->tag,
        .timeout_ns = request->timeout_ns ? request->timeout_ns : fetch->config.timeout_ns,
        .submitted_ns = now_ns,
        .size = text.end,
        .idempotent = request->idempotent,
    };
    fetch->tail++;
    return 0;
}

// MARK: ways on

// The channel has ended: what is next depends on whether the oldest request has a wait to keep.
static void settle(apus_fetch* fetch, uint64_t now_ns) {
    bool again = fetch->head != fetch->tail && fetch->error == 0 && oldest(fetch)->attempts > 0 && !fetch->stopping;
    enter(fetch, again ? APUS_FETCH_WAITING : APUS_FETCH_IDLE, now_ns);
}

// What has not been written by now must never be: the request counts as not sent and may go out again elsewhere.
static void close_channel(apus_fetch* fetch, uint64_t now_ns) {
    fetch->channel->tx.start = fetch->channel->tx.end = 0;
    apus_channel_close(fetch->channel);
    if (apus_channel_ended(fetch->channel))
        settle(fetch, now_ns);
    else
        enter(fetch, APUS_FETCH_CLOSING, now_ns);
}

// The oldest request's attempt has failed. Sends it again later where that is allowed.
static void attempt_failed(apus_fetch* fetch, uint64_t now_ns, int32_t error, const char* what) {
    apus_fetch_slot* slot = oldest(fetch);
    if (fetch->state == APUS_FETCH_IN_FLIGHT && fetch->channel->tx_total > fetch->tx_mark) slot->sent = true;
    bool passing = error == -ETIMEDOUT || error == -ECONNRESET || error == -ECONNREFUSED;
    if (passing && (slot->idempotent || !slot->sent) && slot->attempts < fetch->config.retries) {
        uint64_t wait =
            apus_backoff(&fetch->random, fetch->config.backoff_min_ns, fetch->config.backoff_max_ns, slot->attempts);
        fetch->wake_ns = apus_time_after(now_ns, wait);
    } else {
        fetch->error = error;
        fetch->what = what;
    }
    slot->attempts++;
    close_channel(fetch, now_ns);
}

static void hand_over(apus_fetch* fetch, uint64_t now_ns) {
    apus_channel* channel = fetch->channel;
    apus_fetch_slot* slot = oldest(fetch);
    // tx is empty and holds every slot (apus_fetch_init), so there is room.
    memcpy(apus_buffer_room(&channel->tx, slot->size), text_of(fetch, fetch->head), slot->size);
    channel->tx.end += slot->size;
    slot->sent_ns = now_ns;
    fetch->tx_mark = channel->tx_total;
    enter(fetch, APUS_FETCH_IN_FLIGHT, now_ns);
}

static bool asks_for_patience(uint16_t status) {
    return status == 429 || status == 418 || status >= 500;
}

static void describe(const apus_fetch_slot* slot, apus_fetch_response* response) {
    memset(response, 0, sizeof *response);
    response->tag = slot->tag;
    response->attempts = slot->attempts;
    response->submitted_ns = slot->submitted_ns;
    response->sent_ns = slot->sent_ns;
    response->sent = slot->sent;
}

static void give_answer(apus_fetch* fetch, uint64_t now_ns, const apus_http_response* http,
                        apus_fetch_response* response) {
    apus_channel* channel = fetch->channel;
    apus_fetch_slot* slot = oldest(fetch);
    slot->attempts++;
    slot->sent = true;
    describe(slot, response);
    response->http = *http;
    response->received_ns = channel->receive_ns;
    if (asks_for_patience(http->status)) response->retry_after_ns = (uint64_t)http->retry_after_s * 1000000000u;
    fetch->head++;
    fetch->fresh = false;
    // An answer that came before the whole request had gone leaves the connection in a state nobody can know.
    bool kept = http->keep_alive && http->status != 101 && apus_buffer_used(&channel->tx) == 0;
    if (kept && !apus_channel_ended(channel))
        enter(fetch, APUS_FETCH_READY, now_ns);
    else
        close_channel(fetch, now_ns);
}

static void give_error(apus_fetch* fetch, int32_t error, const char* what, apus_fetch_response* response) {
    describe(oldest(fetch), response);
    response->error = error;
    response->what = what;
    fetch->head++;
    fetch->error = 0;
    fetch->what = NULL;
}

// MARK: one step for each state; true: the state changed, look again

static bool step_idle(apus_fetch* fetch, uint64_t now_ns) {
    if (fetch->head == fetch->tail) return false;
    apus_channel_open(fetch->channel);
    fetch->fresh = true;
    enter(fetch, APUS_FETCH_CONNECTING, now_ns);
    return true;
}

static bool step_connecting(apus_fetch* fetch, uint64_t now_ns) {
    const apus_channel* channel = fetch->channel;
    if (apus_channel_ended(channel)) {
        attempt_failed(fetch, now_ns, -ECONNREFUSED, "no connection to the server");
    } else if (channel->state == APUS_CHANNEL_OPEN) {
        apus_http_init(&fetch->http, (size_t)fetch->config.max_body_bytes);
        enter(fetch, APUS_FETCH_READY, now_ns);
    } else if (now_ns >= apus_time_limit(fetch->entered_ns, fetch->config.connect_timeout_ns)) {
        attempt_failed(fetch, now_ns, -ETIMEDOUT, "connecting took too long");
    } else {
        return false;
    }
    return true;
}

// A kept connection that ends or misbehaves harms no request. A fresh one that does so again and again must count as a
// failed attempt, or the queue would connect without end.
static bool step_ready(apus_fetch* fetch, uint64_t now_ns) {
    const apus_channel* channel = fetch->channel;
    bool waiting = fetch->head != fetch->tail;
    if (apus_channel_ended(channel)) {
        if (fetch->fresh && waiting)
            attempt_failed(fetch, now_ns, -ECONNREFUSED, "connection ended at once");
        else
            settle(fetch, now_ns);
    } else if (apus_buffer_used(&channel->rx) > 0) {
        if (fetch->fresh && waiting)
            attempt_failed(fetch, now_ns, -EPROTO, "bytes before any request");
        else
            close_channel(fetch, now_ns);
    } else if (waiting) {
        hand_over(fetch, now_ns);
    } else if (now_ns >= apus_time_limit(fetch->entered_ns, fetch->config.idle_ns)) {
        close_channel(fetch, now_ns);
    } else {
        return false;
    }
    return true;
}

// Returns 1 with an answer, 0 for nothing yet, -1 when the attempt has failed.
static int step_in_flight(apus_fetch* fetch, uint64_t now_ns, apus_fetch_response* response) {
    apus_channel* channel = fetch->channel;
    apus_http_response http;
    int result = apus_http_next(&fetch->http, &channel->rx, apus_channel_ended(channel), &http);
    if (result == 1) {
        give_answer(fetch, now_ns, &http, response);
        return 1;
    }
    if (result == -EPIPE) {
        attempt_failed(fetch, now_ns, -ECONNRESET, "connection lost before the answer was complete");
    } else if (result < 0) {
        attempt_failed(fetch, now_ns, result, fetch->http.what);
    } else if (now_ns >= apus_time_limit(oldest(fetch)->sent_ns, oldest(fetch)->timeout_ns)) {
        attempt_failed(fetch, now_ns, -ETIMEDOUT, "no complete answer in time");
    } else {
        return 0;
    }
    return -1;
}

int apus_fetch_next(apus_fetch* fetch, uint64_t now_ns, apus_fetch_response* response) {
    for (;;) {
        bool again = false;
        if (fetch->head != fetch->tail && (fetch->error != 0 || fetch->stopping)) {
            bool failed = fetch->error != 0;
            give_error(fetch, failed ? fetch->error : -ECANCELED, failed ? fetch->what : "the queue was stopped",
                       response);
            return 1;
        }
        switch (fetch->state) {
        case APUS_FETCH_IDLE:
            again = step_idle(fetch, now_ns);
            break;
        case APUS_FETCH_CONNECTING:
            again = step_connecting(fetch, now_ns);
            break;
        case APUS_FETCH_READY:
            again = step_ready(fetch, now_ns);
            break;
        case APUS_FETCH_IN_FLIGHT: {
            int result = step_in_flight(fetch, now_ns, response);
            if (result == 1) return 1;
            again = result < 0;
            break;
        }
        case APUS_FETCH_CLOSING:
            again = apus_channel_ended(fetch->channel);
            if (again) settle(fetch, now_ns);
            break;
        case APUS_FETCH_WAITING:
            again = now_ns >= fetch->wake_ns;
            if (again) enter(fetch, APUS_FETCH_IDLE, now_ns);
            break;
        default:
            break;
        }
        if (!again) return 0;
    }
}

uint64_t apus_fetch_deadline(const apus_fetch* fetch) {
    bool waiting = fetch->head != fetch->tail;
    const apus_fetch_slot* slot = &fetch->slots[fetch->head % APUS_FETCH_SLOTS];
    if (waiting && (fetch->error != 0 || fetch->stopping)) return 0;
    switch (fetch->state) {
    case APUS_FETCH_IDLE:
        return waiting ? 0 : UINT64_MAX;
    case APUS_FETCH_CONNECTING:
        return apus_time_limit(fetch->entered_ns, fetch->config.connect_timeout_ns);
    case APUS_FETCH_READY:
        return waiting ? 0 : apus_time_limit(fetch->entered_ns, fetch->config.idle_ns);
    case APUS_FETCH_IN_FLIGHT:
        return apus_time_limit(slot->sent_ns, slot->timeout_ns);
    case APUS_FETCH_WAITING:
        return fetch->wake_ns;
    default:
        return UINT64_MAX;
    }
}

void apus_fetch_stop(apus_fetch* fetch, uint64_t now_ns) {
    if (fetch->stopping) return;
    if (fetch->state == APUS_FETCH_IN_FLIGHT && fetch->channel->tx_total > fetch->tx_mark) oldest(fetch)->sent = true;
    fetch->stopping = true;
    if (fetch->state == APUS_FETCH_WAITING)
        enter(fetch, APUS_FETCH_IDLE, now_ns);
    else if (fetch->state != APUS_FETCH_IDLE && fetch->state != APUS_FETCH_CLOSING)
        close_channel(fetch, now_ns);
}
