// How a connection of the account becomes usable.
//
//   current API:  link waits, its path is used up ── POST .../otp ──▶ one-time address ── connect ──▶ usable
//   v3:           link opens ── authorize ──▶ answer ──▶ usable
//
// A one-time address is good for one connection: every reconnect asks for another. Neither it nor the token is ever
// told to anybody.
#include "deriv_orders.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ull

static bool is_current(const apus_deriv_orders* self) {
    return self->config.line.api == APUS_DERIV_CURRENT;
}

// MARK: the one-time address

static bool wants_address(const apus_deriv_orders* self, uint64_t now_ns) {
    const apus_link* link = &self->line.link;
    if (!self->running || self->access_in_flight || now_ns < self->access_due_ns) return false;
    if (link->state == APUS_LINK_IDLE) return true;
    return link->state == APUS_LINK_WAITING && link->path_spent && now_ns >= link->wake_ns;
}

static bool ask_address(apus_deriv_orders* self, uint64_t now_ns) {
    char path[APUS_PATH_BYTES];
    snprintf(path, sizeof path, "/trading/v1/options/accounts/%s/otp", self->config.account);
    apus_fetch_request request = {.method = "POST", .path = path, .headers = self->headers, .idempotent = true};
    if (!apus_budget_take(&self->rest_budget, &self->rest_cost, now_ns)) {
        self->access_due_ns = now_ns + SECOND_NS;
        return false;
    }
    if (apus_fetch_submit(&self->fetch, &request, now_ns) < 0) return false;
    self->access_in_flight = true;
    return true;
}

// The path of the address: what stands behind the host.
static bool use_address(apus_deriv_orders* self, const apus_deriv_text* url) {
    uint8_t text[APUS_PATH_BYTES];
    int64_t length = apus_json_unescape(url->bytes, url->length, text, sizeof text - 1);
    if (length < 0) return false;
    text[length] = 0;
    const char* host = strstr((const char*)text, "://");
    const char* path = host == NULL ? NULL : strchr(host + 3, '/');
    bool good = path != NULL && apus_link_set_path(&self->line.link, path) == 0;
    memset(text, 0, sizeof text);
    return good;
}

static void take_address(apus_deriv_orders* self, const apus_fetch_response* response, uint64_t now_ns) {
    apus_deriv_message message;
    uint16_t status = response->error == 0 ? response->http.status : 0;
    self->access_in_flight = false;
    if (status / 100 == 2 && apus_deriv_decode(response->http.body, response->http.body_size, &message) == 0
        && message.kind == APUS_DERIV_PASSWORD && use_address(self, &message.fields[APUS_DERIV_URL])) {
        self->access_due_ns = now_ns;
        if (self->line.link.state == APUS_LINK_IDLE) apus_link_start(&self->line.link, now_ns);
        apus_link_tick(&self->line.link, now_ns);
        return;
    }
    bool ours = status / 100 == 4 && status != 429 && status != 408;
    uint64_t pause = ours ? self->config.access_pause_ns : SECOND_NS;
    if (ours) self->access_refused++;
    if (response->retry_after_ns > pause) pause = response->retry_after_ns;
    self->access_due_ns = now_ns + pause;
}

static uint32_t keep_address(apus_deriv_orders* self, uint64_t now_ns) {
    apus_fetch_response response;
    uint32_t work = 0;
    if (wants_address(self, now_ns)) work += ask_address(self, now_ns);
    while (apus_fetch_next(&self->fetch, now_ns, &response) == 1) {
        take_address(self, &response, now_ns);
        work++;
    }
    return work;
}

// MARK: the authorization

static uint32_t authorize(apus_deriv_orders* self, uint64_t now_ns) {
    apus_deriv_line* line = &self->line;
    char text[APUS_DERIV_TOKEN_BYTES + 32u];
    bool due = !self->lost && !self->access_in_flight && now_ns >= self->access_due_ns;
    if (line->link.state != APUS_LINK_OPEN || line->usable || !due) return 0;
    apus_deriv_request request = {.action = APUS_DERIV_ASK_AUTHORIZE, .instrument = APUS_INSTRUMENT_NONE};
    int length = snprintf(text, sizeof text, "{\"authorize\":\"%s\"", self->token);
    uint64_t sent = apus_deriv_line_send(line, APUS_DERIV_ROW_OTHER, &request, text, (size_t)length, now_ns);
    memset(text, 0, sizeof text);
    self->access_in_flight = sent != 0;
    return sent != 0;
}

void deriv_take_authorization(apus_deriv_orders* self, uint64_t now_ns) {
    self->access_in_flight = false;
    if (self->line.deriv.last.error == APUS_DERIV_ERROR_NONE) {
        self->line.usable = true;
        return;
    }
    self->access_refused++;
    self->access_due_ns = now_ns + self->config.access_pause_ns;
}

uint32_t deriv_keep_access(apus_deriv_orders* self, uint64_t now_ns) {
    return is_current(self) ? keep_address(self, now_ns) : authorize(self, now_ns);
}

uint64_t deriv_access_deadline(const apus_deriv_orders* self) {
    if (!is_current(self)) return self->line.usable || self->access_in_flight ? UINT64_MAX : self->access_due_ns;
    uint64_t due = apus_fetch_deadline(&self->fetch);
    const apus_link* link = &self->line.link;
    bool idle = link->state == APUS_LINK_IDLE;
    if (!self->running || self->access_in_flight) return due;
    if (!idle && (link->state != APUS_LINK_WAITING || !link->path_spent)) return due;
    uint64_t wake_ns = idle || link->wake_ns < self->access_due_ns ? self->access_due_ns : link->wake_ns;
    return wake_ns < due ? wake_ns : due;
}
