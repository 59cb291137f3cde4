// A connection's life:
//
//           start, wake_ns             channel is open             a request is written
//   DOWN ──────────────▶ CONNECTING ──────────────▶ READY ──────────────────────────────▶ BUSY
//    ▲                       │ failed,               │ ▲ answered, connection kept        │
//    │                       │ time-out              │ └──────────────────────────────────┤
//    │ stopping              ▼                       │ ended, unasked bytes               │ ended, time-out,
//    └─────────────────── WAITING ◀── channel ended ─┴──────────── CLOSING ◀──────────────┘ connection not kept
//
//   A job is there in BUSY alone. Of one whose connection ended before a byte of it was written it is certain that it was not
//   sent: it goes out on another connection.
#include "polymarket_orders_internal.h"

static void enter(apus_polymarket_line* line, uint8_t state, uint64_t now_ns) {
    line->state = state;
    line->entered_ns = now_ns;
    // Between two requests only the connection's end can come.
    line->channel.quiet = state == LINE_READY;
}

void polymarket_start_line(apus_polymarket_line* line, uint64_t now_ns) {
    apus_channel_open(&line->channel);
    enter(line, LINE_CONNECTING, now_ns);
}

static void publish(pm_session* self, apus_polymarket_line* line, uint8_t link_state, uint8_t reason, uint64_t now_ns) {
    apus_link_change change = {.at_ns = now_ns, .state = link_state, .reason = reason};
    apus_session_publish_change(&self->session, self->out, polymarket_number(self, line) + 1, &change);
}

static void wait_again(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    apus_pool_down(&self->pool, polymarket_number(self, line));
    if (!self->running) {
        enter(line, LINE_DOWN, now_ns);
        publish(self, line, APUS_LINK_IDLE, APUS_REASON_STOPPED, now_ns);
        return;
    }
    line->wake_ns =
        now_ns + apus_backoff(&line->random, self->config.backoff_min_ns, self->config.backoff_max_ns, line->failures);
    line->failures++;
    enter(line, LINE_WAITING, now_ns);
    publish(self, line, APUS_LINK_WAITING, APUS_REASON_CONNECTION_LOST, now_ns);
}

static void close_line(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    apus_pool_down(&self->pool, polymarket_number(self, line));
    // What has not been written by now must never be.
    line->channel.tx.start = line->channel.tx.end = 0;
    line->channel.paused = false;
    apus_channel_close(&line->channel);
    if (apus_channel_ended(&line->channel))
        wait_again(self, line, now_ns);
    else
        enter(line, LINE_CLOSING, now_ns);
}

void polymarket_stop_line(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    // A request under way is waited for: its answer is worth having.
    if (line->state == LINE_BUSY || line->state == LINE_CLOSING || line->state == LINE_DOWN) return;
    if (line->state == LINE_WAITING)
        wait_again(self, line, now_ns);
    else
        close_line(self, line, now_ns);
}

void polymarket_line_sends(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    line->job.queued_ns = now_ns;
    line->job.sent_ns = 0;
    line->job.tx_mark = line->channel.tx_total;
    line->job.tx_end = line->channel.tx_total + apus_buffer_used(&line->channel.tx);
    enter(line, LINE_BUSY, now_ns);
    apus_pool_sent(&self->pool, polymarket_number(self, line), line->job.probe, now_ns);
}

// MARK: a request under way

static void note_sent(pm_session* self, apus_polymarket_line* line) {
    apus_polymarket_job* job = &line->job;
    if (job->sent_ns != 0 || line->channel.tx_total < job->tx_end) return;
    job->sent_ns = line->channel.sent_ns;
    for (uint32_t i = 0; i < job->count; i++) {
        apus_polymarket_asked* asked = &job->orders[i];
        apus_probe_sent(&asked->client_id, &asked->decided_ns, &job->sent_ns);
        if (asked->decided_ns == 0) continue;
        apus_histogram_record_signed(&self->out->counters->hops[APUS_HOP_ORDER_SENT],
                                     (int64_t)(job->sent_ns - asked->decided_ns));
    }
}

// The request goes out on another connection, none of it having left on this one.
static bool moved(pm_session* self, apus_polymarket_line* from, uint64_t now_ns) {
    uint32_t number = polymarket_number(self, from);
    apus_pool_down(&self->pool, number);
    int other = self->running ? apus_pool_pick(&self->pool, 1ull << number, now_ns) : -ENOTCONN;
    if (other < 0) return false;
    apus_polymarket_line* to = &self->lines[other];
    apus_buffer* rest = &from->channel.tx;
    size_t size = apus_buffer_used(rest);
    uint8_t* room = apus_buffer_room(&to->channel.tx, size);
    if (room == NULL) return false;
    memcpy(room, rest->base + rest->start, size);
    to->channel.tx.end += size;
    to->job = from->job;
    to->job.probe = false;
    uint64_t queued_ns = from->job.queued_ns;
    polymarket_line_sends(self, to, now_ns);
    to->job.queued_ns = queued_ns;
    self->failovers++;
    return true;
}

static void give_up(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    bool written = line->channel.tx_total > line->job.tx_mark;
    if (written)
        polymarket_lost(self, line, now_ns);
    else if (!moved(self, line, now_ns))
        polymarket_unsent(self, line, now_ns);
    line->job.kind = JOB_NONE;
    close_line(self, line, now_ns);
}

static void take_answer(pm_session* self, apus_polymarket_line* line, const apus_http_response* answer,
                        uint64_t now_ns) {
    apus_channel* channel = &line->channel;
    apus_polymarket_job* job = &line->job;
    if (job->sent_ns == 0) job->sent_ns = channel->sent_ns;
    uint64_t took_ns = channel->receive_ns > job->sent_ns ? channel->receive_ns - job->sent_ns : 0;
    apus_pool_answered(&self->pool, polymarket_number(self, line), job->probe, took_ns, now_ns);
    apus_histogram_record_signed(&self->out->counters->hops[APUS_HOP_SENT_ANSWER], (int64_t)took_ns);
    line->failures = 0;
    polymarket_answered(self, line, answer, now_ns);
    job->kind = JOB_NONE;
    // An answer that came before the whole request had gone leaves the connection in a state nobody can know.
    bool kept = answer->keep_alive && apus_buffer_used(&channel->tx) == 0 && !apus_channel_ended(channel);
    if (kept && self->running)
        enter(line, LINE_READY, now_ns);
    else
        close_line(self, line, now_ns);
}

static uint32_t step_busy(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    note_sent(self, line);
    // An answer makes two reports for each of its orders at most.
    line->channel.paused = !polymarket_has_room(self, 2 * APUS_POLYMARKET_BATCH_ORDERS);
    if (line->channel.paused) return 0;
    apus_http_response answer;
    int result = apus_http_next(&line->http, &line->channel.rx, apus_channel_ended(&line->channel), &answer);
    if (result == 1)
        take_answer(self, line, &answer, now_ns);
    else if (result < 0 || now_ns - line->job.queued_ns >= self->config.answer_timeout_ns)
        give_up(self, line, now_ns);
    else
        return 0;
    return 1;
}

static uint32_t step_connecting(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    if (apus_channel_ended(&line->channel)) {
        wait_again(self, line, now_ns);
    } else if (line->channel.state == APUS_CHANNEL_OPEN) {
        apus_http_init(&line->http, self->config.rx_bytes - APUS_PADDING - APUS_HTTP_HEAD_BYTES_MAX);
        enter(line, LINE_READY, now_ns);
        apus_pool_up(&self->pool, polymarket_number(self, line), now_ns);
        self->pool_due_ns = 0;
        publish(self, line, APUS_LINK_OPEN, APUS_REASON_NONE, now_ns);
    } else if (now_ns - line->entered_ns >= self->config.connect_timeout_ns) {
        close_line(self, line, now_ns);
    } else {
        return 0;
    }
    return 1;
}

static uint32_t step_ready(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    bool ended = apus_channel_ended(&line->channel);
    if (!ended && apus_buffer_used(&line->channel.rx) == 0) return 0;
    // A server that closes an idle connection harms nothing.
    if (ended)
        wait_again(self, line, now_ns);
    else
        close_line(self, line, now_ns);
    return 1;
}

uint32_t polymarket_serve_line(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    switch (line->state) {
    case LINE_CONNECTING:
        return step_connecting(self, line, now_ns);
    case LINE_READY:
        return step_ready(self, line, now_ns);
    case LINE_BUSY:
        return step_busy(self, line, now_ns);
    case LINE_CLOSING:
        if (!apus_channel_ended(&line->channel)) return 0;
        wait_again(self, line, now_ns);
        return 1;
    case LINE_WAITING:
        if (now_ns < line->wake_ns) return 0;
        polymarket_start_line(line, now_ns);
        publish(self, line, APUS_LINK_CONNECTING, APUS_REASON_NONE, now_ns);
        return 1;
    default:
        return 0;
    }
}

uint64_t polymarket_line_deadline(const pm_session* self, const apus_polymarket_line* line) {
    switch (line->state) {
    case LINE_CONNECTING:
        return line->entered_ns + self->config.connect_timeout_ns;
    case LINE_BUSY:
        return line->job.queued_ns + self->config.answer_timeout_ns;
    case LINE_WAITING:
        return line->wake_ns;
    default:
        return UINT64_MAX;
    }
}
