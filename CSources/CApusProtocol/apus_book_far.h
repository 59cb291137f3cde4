// Levels away from a book's window: sorted chunks under a directory of their lowest keys. Internal to the book.
//
// A key is a price, mirrored for asks, so that the best level is always the last. A full chunk is cut in two; where levels
// arrive in order at either end (a snapshot), a new chunk is begun instead, so that chunks are left full. A chunk that has
// become small is joined with a neighbour.
#ifndef APUS_BOOK_FAR_H
#define APUS_BOOK_FAR_H

#include "apus_book.h"

#define APUS_BOOK_CHUNK_LEVELS 63u

struct apus_book_chunk {
    uint64_t count;
    int64_t keys[APUS_BOOK_CHUNK_LEVELS];
    int64_t quantities[APUS_BOOK_CHUNK_LEVELS];
};

_Static_assert(sizeof(apus_book_chunk) <= 1024, "a chunk is one block of 1 KiB");

// The directory's second half.
static inline apus_book_chunk** apus_far_chunks(const apus_book_far* far) {
    return (apus_book_chunk**)(void*)(far->firsts + far->capacity);
}

// Sets (or with 0 deletes) a level. Returns APUS_BOOK_SET_PRESENT and _EXISTED bits, or -ENOMEM with nothing changed.
int apus_far_set(apus_book_far* far, apus_arena* arena, int64_t key, int64_t quantity);

// The quantity of a level, 0 when it is not there.
int64_t apus_far_quantity(const apus_book_far* far, int64_t key);

// Removes the levels of keys low to high for which `take` says true, in rising order.
typedef bool apus_far_take(void* context, int64_t key, int64_t quantity);
void apus_far_extract(apus_book_far* far, apus_arena* arena, int64_t low, int64_t high, apus_far_take* take,
                      void* context);

// Gives everything back.
void apus_far_clear(apus_book_far* far, apus_arena* arena);

// Bytes of the arena that it holds.
uint64_t apus_far_memory(const apus_book_far* far);

// The highest level's key, and where its quantity stands until the next change. Only where far->levels is not 0.
static inline int64_t apus_far_best(const apus_book_far* far, const int64_t** quantity) {
    const apus_book_chunk* last = apus_far_chunks(far)[far->count - 1];
    *quantity = &last->quantities[last->count - 1];
    return last->keys[last->count - 1];
}

#endif
