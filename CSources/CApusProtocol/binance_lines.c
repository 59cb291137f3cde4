// The life of the session's connections, requests that are lost with them, the listen key, and successions.
//
//   an API connection is OPEN, no key ── userDataStream.start ──▶ key in flight ── answer ──▶ key: a user stream connects with it
//   key older than key_renewal_ns ── userDataStream.ping ──▶ answer good: renewed; bad: start anew
//   listenKeyExpired, or the user stream has used the key and ended ──▶ no key
//
// Every connection of the user stream asks for its key anew: the venue accepts a connection with a key that has expired in the
// meantime, and then says nothing on it.
//
// Succession of the user stream, before its age ends it:
//
//   in use ── retire_ns ──▶ a key for the other one ──▶ it is OPEN: in use from now on ── user_overlap_ns ──▶ the old one is closed
//
// Should the old one end before, its successor opens as any user stream does, and news may be missing.
#include "binance_orders_internal.h"

#include <stdio.h>
#include <string.h>

// How long a connection that is to be replaced waits for others to be ready, beyond its time.
#define RETIRE_PATIENCE_NS (60 * SECOND_NS)

// MARK: lost requests

static uint32_t lose(orders_session* self, apus_binance_request* request, uint64_t now_ns) {
    if (request->action >= ACTION_KEY_START) {
        binance_own_lost(self, request, now_ns);
    } else {
        apus_report unknown = binance_report_on(request, APUS_REPORT_UNKNOWN, now_ns);
        binance_report(self, &unknown);
    }
    binance_forget(self, request);
    return 1;
}

void binance_own_lost(orders_session* self, const apus_binance_request* request, uint64_t now_ns) {
    if (request->action == ACTION_TIME) return;
    self->key_in_flight = false;
    self->key_due_ns = now_ns;
}

// What waited on a connection that is gone, in the order in which it was asked.
static uint32_t take_lost(orders_session* self, uint64_t now_ns) {
    uint32_t work = 0;
    while (self->loss_scan < self->next_request && binance_has_room(self)) {
        apus_binance_request* request = binance_request_at(self, self->loss_scan);
        bool waits = request->number == self->loss_scan;
        if (waits && request->number < self->api[request->member].lost_through) work += lose(self, request, now_ns);
        self->loss_scan++;
    }
    return work;
}

// What waited too long. All requests have the same patience, so that the oldest comes first.
static uint32_t take_late(orders_session* self, uint64_t now_ns) {
    uint32_t work = 0;
    while (self->oldest_request < self->next_request) {
        apus_binance_request* request = binance_request_at(self, self->oldest_request);
        if (request->number == self->oldest_request) {
            bool late = now_ns - request->queued_ns > self->config.answer_timeout_ns;
            if (!late || !binance_has_room(self)) return work;
            if (request->number >= self->api[request->member].lost_through) {
                apus_pool_gave_up(&self->pool, request->member, request->action == ACTION_TIME);
            }
            work += lose(self, request, now_ns);
        }
        self->oldest_request++;
    }
    return work;
}

uint32_t binance_take_losses(orders_session* self, uint64_t now_ns) {
    uint32_t work = self->loss_scan < self->next_request ? take_lost(self, now_ns) : 0;
    return self->oldest_request < self->next_request ? work + take_late(self, now_ns) : work;
}

// MARK: changes

static bool has_ended(const apus_link_change* change) {
    return change->state != APUS_LINK_OPEN && change->state != APUS_LINK_UPGRADING
           && change->state != APUS_LINK_CONNECTING;
}

static void retire_after(apus_binance_line* line, const apus_link_config* config, uint64_t now_ns) {
    uint64_t early = apus_random_below(&line->link.random, config->lifetime_jitter_ns + 1);
    line->retire_ns = config->max_lifetime_ns == 0 ? UINT64_MAX : now_ns + config->max_lifetime_ns - early;
}

static void api_changed(orders_session* self, uint32_t member, const apus_link_change* change) {
    apus_binance_line* line = &self->api[member];
    if (change->state == APUS_LINK_OPEN) {
        apus_pool_up(&self->pool, member, change->at_ns);
        retire_after(line, &self->config.api_link, change->at_ns);
        self->pool_due_ns = 0;
        binance_settle(self, member);
    } else if (has_ended(change)) {
        apus_pool_down(&self->pool, member);
        line->retire_ns = UINT64_MAX;
        line->lost_through = self->next_request;
        line->first_unsent = line->last_unsent = 0;
        self->unsent &= ~(1u << member);
        self->loss_scan = self->oldest_request;
    }
}

// The user stream in use is gone: if its successor is on its way, that one takes its place.
static void user_ended(orders_session* self, uint64_t now_ns) {
    apus_binance_line* line = binance_user(self);
    self->event_due_ns = UINT64_MAX;
    if (self->succeeding) {
        self->succeeding = false;
        apus_link_stop(&line->link, now_ns);
        self->user ^= 1;
        line = binance_user(self);
    }
    if (line->link.path_spent || line->link.state == APUS_LINK_IDLE) self->has_key = false;
    if (!self->has_key) self->key_due_ns = now_ns;
}

static void user_changed(orders_session* self, uint32_t number, const apus_link_change* change, uint64_t now_ns) {
    apus_binance_line* line = &self->users[number];
    bool in_use = number == self->user;
    if (has_ended(change)) {
        line->retire_ns = UINT64_MAX;
        if (in_use)
            user_ended(self, now_ns);
        else if (self->succeeding && change->state == APUS_LINK_WAITING)
            self->key_due_ns = now_ns; // it needs a key of its own again
        return;
    }
    if (change->state != APUS_LINK_OPEN) return;
    retire_after(line, &self->config.user_link, change->at_ns);
    if (in_use) {
        // No event comes any more of what was answered while it was down.
        self->event_due_ns = UINT64_MAX;
        self->missed = true;
    } else if (self->succeeding) {
        self->succeeding = false;
        self->successions++;
        self->user = number;
        self->overlap_end_ns = now_ns + self->config.user_overlap_ns;
    }
}

static uint32_t take_changes(orders_session* self, apus_binance_line* line, uint32_t channel, uint64_t now_ns) {
    apus_link_change change;
    uint32_t work = 0;
    while (apus_link_poll_change(&line->link, &change)) {
        work++;
        if (channel < APUS_BINANCE_USERS)
            user_changed(self, channel, &change, now_ns);
        else
            api_changed(self, channel - APUS_BINANCE_USERS, &change);
        apus_session_publish_change(&self->session, self->out, channel, &change);
    }
    return work;
}

// MARK: reading

// Whether there is anything to do for a connection. Of one that is open and quiet these few comparisons are all.
static bool stirs(const apus_binance_line* line, uint64_t now_ns) {
    const apus_link* link = &line->link;
    const apus_channel* channel = &line->channel;
    if (link->changes_head != link->changes_tail) return true;
    if (link->state != APUS_LINK_OPEN) return link->state != APUS_LINK_IDLE;
    return channel->rx.start != channel->rx.end || apus_channel_ended(channel) || channel->paused
           || now_ns >= line->due_ns;
}

static uint32_t serve(orders_session* self, apus_binance_line* line, uint32_t channel, uint64_t now_ns) {
    apus_ws_item item;
    uint32_t work = 0;
    while (binance_has_room(self) && apus_link_next(&line->link, now_ns, &item) > 0) {
        binance_take_message(self, line, &item, now_ns);
        work++;
    }
    apus_link_tick(&line->link, now_ns);
    work += take_changes(self, line, channel, now_ns);
    line->due_ns = apus_link_deadline(&line->link);
    return work;
}

static apus_binance_line* line_of(orders_session* self, uint32_t channel) {
    return channel < APUS_BINANCE_USERS ? &self->users[channel] : &self->api[channel - APUS_BINANCE_USERS];
}

uint32_t binance_serve_lines(orders_session* self, uint64_t now_ns) {
    uint32_t work = 0;
    for (uint32_t i = 0; i < self->session.channel_count; i++) {
        apus_binance_line* line = line_of(self, i);
        if (stirs(line, now_ns)) work += serve(self, line, i, now_ns);
    }
    return work;
}

// MARK: the listen key

// The user stream that waits for a key: the one in use, or the successor that is being opened.
static apus_link* wants_key(orders_session* self) {
    return &self->users[self->succeeding ? self->user ^ 1 : self->user].link;
}

bool binance_use_key(orders_session* self, const apus_binance_answer* answer, uint64_t now_ns) {
    if (answer->status != 200 || answer->listen_key == NULL) return false;
    char path[APUS_PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s%.*s", self->config.user_path, (int)answer->listen_key_length,
                          (const char*)answer->listen_key);
    if (length >= (int)sizeof path) return false;
    apus_link* link = wants_key(self);
    bool same = strcmp(link->path, path) == 0;
    if (apus_link_set_path(link, path) < 0) return false;
    if (link->state == APUS_LINK_IDLE)
        apus_link_start(link, now_ns);
    else if (!same)
        apus_link_reconnect(link, APUS_REASON_SESSION, now_ns);
    return true;
}

void binance_keep_key(orders_session* self, uint64_t now_ns) {
    if (!self->running || self->key_in_flight || now_ns < self->key_due_ns) return;
    // A ban is waited out: the key lives long enough.
    int member = apus_budget_is_blocked(&self->budget, now_ns) ? -EAGAIN : apus_pool_pick(&self->pool, 0, now_ns);
    bool start = !self->has_key || self->succeeding;
    self->key_due_ns = now_ns + SECOND_NS;
    if (member < 0) {
        // The next connection that opens sends it at once.
        if (member == -ENOTCONN) self->key_due_ns = now_ns;
        return;
    }
    self->key_in_flight = binance_send_own(self, start ? ACTION_KEY_START : ACTION_KEY_PING, (uint32_t)member, now_ns);
}

// MARK: successions

static void succeed_user(orders_session* self, uint64_t now_ns) {
    apus_binance_line* line = binance_user(self);
    if (now_ns >= self->overlap_end_ns) {
        self->overlap_end_ns = UINT64_MAX;
        apus_link_stop(&self->users[self->user ^ 1].link, now_ns);
    }
    bool spare = self->users[self->user ^ 1].link.state == APUS_LINK_IDLE;
    if (now_ns < line->retire_ns || self->succeeding || !spare || !binance_is_up(line)) return;
    line->retire_ns = UINT64_MAX;
    self->succeeding = true;
    self->key_due_ns = now_ns;
}

// One at a time: with others ready and nothing waiting on it nobody notices.
static void succeed_api(orders_session* self, uint32_t member, uint64_t now_ns) {
    apus_binance_line* line = &self->api[member];
    if (now_ns < line->retire_ns || !binance_is_up(line)) return;
    bool leaving = self->pool.members[member].leaving;
    bool patient = self->config.api_count > 1 && now_ns - line->retire_ns < RETIRE_PATIENCE_NS;
    if (!leaving && patient && apus_pool_ready(&self->pool) < 2) return;
    apus_pool_leave(&self->pool, member);
    if (patient && self->pool.members[member].in_flight > 0) return;
    apus_link_reconnect(&line->link, APUS_REASON_LIFETIME, now_ns);
}

void binance_keep_young(orders_session* self, uint64_t now_ns) {
    if (!self->running || now_ns < self->young_ns) return;
    self->young_ns = now_ns + SECOND_NS / 4;
    succeed_user(self, now_ns);
    for (uint32_t i = 0; i < self->config.api_count; i++)
        succeed_api(self, i, now_ns);
}

// MARK: time

uint64_t binance_lines_deadline(const orders_session* self) {
    uint64_t due = UINT64_MAX;
    uint64_t retire = apus_time_earlier(self->overlap_end_ns, UINT64_MAX);
    for (uint32_t i = 0; i < APUS_BINANCE_USERS; i++) {
        due = apus_time_earlier(due, apus_link_deadline(&self->users[i].link));
        retire = apus_time_earlier(retire, self->users[i].retire_ns);
    }
    for (uint32_t i = 0; i < self->config.api_count; i++) {
        due = apus_time_earlier(due, apus_link_deadline(&self->api[i].link));
        retire = apus_time_earlier(retire, self->api[i].retire_ns);
    }
    return apus_time_earlier(due, retire == UINT64_MAX ? retire : apus_time_later(retire, self->young_ns));
}
