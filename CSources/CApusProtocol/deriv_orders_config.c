// What Deriv's order session is made from: documented addresses and times, and the memory it stands on.
#include "deriv_orders.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ull
#define REST_BYTES (64u << 10)
#define REST_SLOT_BYTES 2048u

void apus_deriv_orders_config_default(apus_deriv_orders_config* config, uint8_t api, const char* account,
                                      const char* app_id) {
    memset(config, 0, sizeof *config);
    apus_deriv_config_default(&config->line, api, app_id);
    config->rest = (apus_endpoint){.host = "api.derivws.com", .port = 443, .tls = true};
    snprintf(config->account, sizeof config->account, "%s", account != NULL ? account : "");
    snprintf(config->app_id, sizeof config->app_id, "%s", app_id != NULL ? app_id : "");
    config->answer_timeout_ns = 5 * SECOND_NS;
    config->give_up_ns = 5 * SECOND_NS;
    config->late_arrival_ns = 10 * SECOND_NS;
    config->clock_skew_ms = 5000;
    config->max_age_ns = APUS_ORDER_AGE_MS * 1000000ull;
    config->contract_interval_ns = 20 * SECOND_NS;
    config->balance_interval_ns = 30 * SECOND_NS;
    config->lookup_interval_ns = 4 * SECOND_NS;
    config->access_pause_ns = 30 * SECOND_NS;
    config->rest_minute = 80;
    apus_fetch_config_default(&config->fetch);
    config->fetch.max_body_bytes = 32u << 10;
}

// Letters, digits and the few signs that tokens and names have: nothing that JSON or HTTP would take for its own.
static bool is_plain(const char* text, size_t capacity, bool may_be_empty) {
    size_t length = strlen(text);
    if (length >= capacity || (length == 0 && !may_be_empty)) return false;
    for (size_t i = 0; i < length; i++) {
        uint8_t c = (uint8_t)text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-_.~+=", c);
        if (!plain) return false;
    }
    return true;
}

int deriv_init_access(apus_deriv_orders* self, const char* token) {
    apus_deriv_orders_config* config = &self->config;
    bool current = config->line.api == APUS_DERIV_CURRENT;
    if (!is_plain(token, sizeof self->token, false) || !is_plain(config->account, sizeof config->account, !current)) {
        return -EINVAL;
    }
    if (!is_plain(config->app_id, sizeof config->app_id, true)) return -EINVAL;
    memcpy(self->token, token, strlen(token));
    int used = snprintf(self->headers, sizeof self->headers, "Authorization: Bearer %s\r\n", token);
    if (config->app_id[0] != 0) {
        snprintf(self->headers + used, sizeof self->headers - (size_t)used, "Deriv-App-ID: %s\r\n", config->app_id);
    }
    return 0;
}

int deriv_init_memory(apus_deriv_orders* self, const apus_random* random) {
    apus_arena* arena = self->market->arena;
    size_t orders = self->market->instruments->capacity * sizeof *self->buys;
    size_t contracts = APUS_DERIV_CONTRACTS * sizeof *self->contracts;
    size_t storage_bytes = (size_t)APUS_FETCH_SLOTS * REST_SLOT_BYTES;
    self->buys = apus_arena_alloc(arena, orders);
    self->strays = apus_arena_alloc(arena, orders);
    self->contracts = apus_arena_alloc(arena, contracts);
    uint8_t* storage = apus_arena_alloc(arena, storage_bytes);
    uint8_t *rx = apus_arena_alloc(arena, REST_BYTES), *tx = apus_arena_alloc(arena, REST_BYTES);
    if (!self->buys || !self->strays || !self->contracts || !storage || !rx || !tx) return -ENOMEM;
    memset(self->buys, 0, orders);
    memset(self->strays, 0, orders);
    memset(self->contracts, 0, contracts);
    apus_channel_init(&self->rest, rx, REST_BYTES, tx, REST_BYTES);
    self->rest.endpoint = self->config.rest;
    return apus_fetch_init(&self->fetch, &self->rest, &self->config.fetch, storage, storage_bytes, random);
}
