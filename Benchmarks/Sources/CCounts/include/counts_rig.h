// The engine's C path over messages that are made beforehand. Each counts_body below takes the rig as its context.
#ifndef COUNTS_RIG_H
#define COUNTS_RIG_H

#include "apus_binance.h"
#include "apus_polymarket_decode.h"
#include "apus_shared.h"

typedef struct counts_rig counts_rig;

// Makes everything; NULL where there is no memory or the mapping cannot be made. `vector` is an apus_vector, or -1 for the best.
counts_rig* counts_rig_make(int vector);

// Operations whose result was not the expected one, since the start: with any, no count means anything.
uint64_t counts_rig_wrong(const counts_rig* rig);
apus_vector counts_rig_vector(const counts_rig* rig);
apus_public* counts_rig_view(counts_rig* rig);

// Bytes of one message of each kind.
typedef struct counts_sizes {
    uint32_t frame, binance, polymarket, general;
} counts_sizes;
counts_sizes counts_rig_sizes(const counts_rig* rig);

void counts_frame(void* rig, uint64_t operations);
void counts_decode_binance(void* rig, uint64_t operations);
void counts_decode_polymarket(void* rig, uint64_t operations);
void counts_decode_general(void* rig, uint64_t operations);
void counts_book_update(void* rig, uint64_t operations);
void counts_publish(void* rig, uint64_t operations);
void counts_histogram_record(void* rig, uint64_t operations);
// From the bytes of a frame to the published event of its book. At most COUNTS_STREAM frames; then the stream has to be renewed.
#define COUNTS_STREAM 4096
void counts_renew_stream(counts_rig* rig);
void counts_pipeline(void* rig, uint64_t operations);

#endif
