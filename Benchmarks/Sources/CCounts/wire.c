#include "counts_wire.h"

#include "apus_binance.h"
#include "apus_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_BYTES ((size_t)1 << 28)
#define SNAPSHOT_LEVELS 1000u

struct counts_wire {
    apus_wire* shell;
    apus_public view;
    apus_publisher publisher;
    apus_arena arena;
    apus_instrument_table table;
    apus_market market;
    apus_binance_session session;
    bool park;
};

static bool fail(const char** what, const char* text) {
    *what = text;
    return false;
}

static bool make_market(counts_wire* wire, const counts_wire_config* config, const char** what) {
    apus_public_config mapping = {
        .feed_slots = APUS_FEED_SLOTS_DEFAULT, .instruments = 4, .board_depth = APUS_BOARD_DEPTH_DEFAULT};
    if (apus_public_create(&wire->view, &mapping) != 0) return fail(what, "no mapping");
    apus_wire_config shell;
    apus_wire_config_default(&shell);
    shell.idle = config->park ? APUS_IDLE_PARK : APUS_IDLE_SPIN;
    if (config->tls) shell.ca_file = config->ca_file;
    if (apus_wire_create(&wire->shell, &shell, &wire->view, NULL) != 0) return fail(what, "no shell");
    wire->publisher = apus_publisher_make(&wire->view, apus_wire_clock(wire->shell));
    apus_wire_set_publisher(wire->shell, &wire->publisher);
    void* memory = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    void* table = malloc(apus_instrument_table_bytes(4));
    if (memory == MAP_FAILED || table == NULL) return fail(what, "no memory");
    apus_arena_init(&wire->arena, memory, ARENA_BYTES);
    apus_instrument instrument = {.price_decimals = 2,
                                  .quantity_decimals = 3,
                                  .contract_kind = APUS_CONTRACT_LINEAR,
                                  .tick_units = 10,
                                  .lot_units = 1,
                                  .contract_multiplier = 1};
    if (apus_instrument_table_init(&wire->table, table, 4) != 0
        || apus_instrument_add(&wire->table, "BTCUSDT", 7, &instrument) != 0
        || apus_market_init(&wire->market, &wire->publisher, &wire->arena, &wire->table, "binance-usdm") != 0) {
        return fail(what, "no books");
    }
    return true;
}

static void set_endpoint(apus_endpoint* endpoint, const counts_wire_config* config) {
    snprintf(endpoint->host, sizeof endpoint->host, "127.0.0.1");
    endpoint->port = config->port;
    endpoint->tls = config->tls;
}

static bool start_session(counts_wire* wire, const counts_wire_config* config, const char** what) {
    apus_binance_config session;
    apus_binance_config_usdm(&session);
    set_endpoint(&session.stream, config);
    set_endpoint(&session.rest, config);
    session.snapshot_limit = SNAPSHOT_LEVELS;
    apus_random random;
    apus_random_seed(&random, 1);
    if (apus_binance_session_init(&wire->session, &session, &wire->market, &random) != 0
        || apus_binance_session_subscribe(&wire->session, 0) != 0
        || apus_wire_add(wire->shell, &wire->session.session) != 0) {
        return fail(what, "no session");
    }
    return true;
}

counts_wire* counts_wire_make(const counts_wire_config* config, const char** what) {
    counts_wire* wire = calloc(1, sizeof *wire);
    *what = "no memory";
    if (wire == NULL) return NULL;
    wire->park = config->park;
    if (!make_market(wire, config, what) || !start_session(wire, config, what)) return NULL;
    return wire;
}

uint32_t counts_wire_turn(counts_wire* wire) {
    uint32_t work = apus_wire_turn(wire->shell);
    if (work == 0 && wire->park) apus_wire_park(wire->shell, 50000000);
    return work;
}

static const apus_market_book* book(const counts_wire* wire) {
    return apus_market_at(&wire->market, 0);
}

uint64_t counts_wire_update(const counts_wire* wire) {
    const apus_market_book* taken = book(wire);
    return taken != NULL && taken->state == APUS_STATE_LIVE ? taken->update_id : 0;
}

uint64_t counts_wire_gaps(const counts_wire* wire) {
    return book(wire) ? book(wire)->gaps : 0;
}

apus_public* counts_wire_view(counts_wire* wire) {
    return &wire->view;
}

uint64_t counts_wire_now(const counts_wire* wire) {
    return apus_clock_now(apus_wire_clock(wire->shell));
}

void counts_wire_stop(counts_wire* wire) {
    apus_wire_stop(wire->shell, 1000000000);
    apus_wire_destroy(wire->shell);
    apus_public_close(&wire->view);
}
