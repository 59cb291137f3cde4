#include "rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static bool make_market(counts_rig* rig) {
    apus_public_config config = {
        .feed_slots = APUS_FEED_SLOTS_DEFAULT, .instruments = 4, .board_depth = APUS_BOARD_DEPTH_DEFAULT};
    static const char* const symbols[] = {"BTCUSDT", COUNTS_TOKEN, COUNTS_SPOT};
    static const uint8_t decimals[][2] = {{2, 3}, {4, 6}, {8, 8}};
    static const int64_t ticks[] = {1, 10, 1000000};
    if (apus_public_create(&rig->view, &config) != 0) return false;
    apus_clock_start(&rig->clock);
    rig->publisher = apus_publisher_make(&rig->view, &rig->clock);
    void* table = malloc(apus_instrument_table_bytes(4));
    void* arena =
        mmap(NULL, COUNTS_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == NULL || arena == MAP_FAILED || apus_instrument_table_init(&rig->table, table, 4) != 0) return false;
    apus_arena_init(&rig->arena, arena, COUNTS_ARENA_BYTES);
    for (int i = 0; i < 3; i++) {
        apus_instrument instrument = {.price_decimals = decimals[i][0],
                                      .quantity_decimals = decimals[i][1],
                                      .tick_units = ticks[i],
                                      .lot_units = 1,
                                      .contract_multiplier = 1};
        if (apus_instrument_add(&rig->table, symbols[i], strlen(symbols[i]), &instrument) != i) return false;
    }
    if (apus_market_init(&rig->market, &rig->publisher, &rig->arena, &rig->table, "counts") != 0) return false;
    apus_binance_market_init(&rig->binance, &rig->market, rig->levels, APUS_MESSAGE_LEVELS_MAX);
    return true;
}

static bool make_polymarket(counts_rig* rig) {
    apus_polymarket_decoder_init(&rig->polymarket, &rig->table, rig->changes, COUNTS_CHANGES, rig->pairs, COUNTS_PAIRS);
    memcpy(rig->pair.id, COUNTS_MARKET, APUS_POLYMARKET_ID_BYTES);
    rig->pair.instruments[0] = rig->pair.instruments[1] = APUS_INSTRUMENT_NONE;
    return apus_polymarket_pair_token(&rig->pair, (const uint8_t*)COUNTS_TOKEN, strlen(COUNTS_TOKEN), 1)
           && apus_polymarket_decoder_learn(&rig->polymarket, &rig->pair) == 0;
}

static bool force(counts_rig* rig, int vector) {
    if (vector < 0) return true;
    return apus_binance_decoder_force(&rig->binance.decoder, (apus_vector)vector) == 0
           && apus_polymarket_decoder_force(&rig->polymarket, (apus_vector)vector, false) == 0;
}

counts_rig* counts_rig_make(int vector) {
    counts_rig* rig = calloc(1, sizeof *rig);
    if (rig == NULL || !make_market(rig) || !make_polymarket(rig) || !force(rig, vector)) return NULL;
    if (!counts_make_messages(rig) || !counts_make_deltas(rig) || !counts_open_stream(rig)) return NULL;
    apus_random random;
    apus_random_seed(&random, 3);
    for (size_t i = 0; i < COUNTS_VALUES; i++)
        rig->values[i] = 1000 + apus_random_below(&random, 1000000);
    if (apus_book_init(&rig->book, &rig->arena, 1) != 0) return NULL;
    return rig;
}

uint64_t counts_rig_wrong(const counts_rig* rig) {
    return rig->wrong;
}

apus_vector counts_rig_vector(const counts_rig* rig) {
    return (apus_vector)rig->binance.decoder.vector;
}

apus_public* counts_rig_view(counts_rig* rig) {
    return &rig->view;
}

counts_sizes counts_rig_sizes(const counts_rig* rig) {
    return (counts_sizes){.frame = COUNTS_FRAME_PAYLOAD,
                          .binance = rig->spot.length,
                          .polymarket = rig->tokens.length,
                          .general = rig->others.length};
}
