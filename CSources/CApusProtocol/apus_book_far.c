#include "apus_book_far.h"

#include <string.h>

enum { FIRST_CAPACITY = 8 };
// A chunk below the first is joined with a neighbour when both together have at most the second: room is left to grow.
#define JOIN_BELOW (APUS_BOOK_CHUNK_LEVELS / 4)
#define JOIN_UP_TO (APUS_BOOK_CHUNK_LEVELS * 3 / 4)

// How many of keys[0, count) are below `key`, without a branch that the data decides.
static uint32_t lower_bound(const int64_t* keys, uint32_t count, int64_t key) {
    uint32_t from = 0;
    while (count > 1) {
        uint32_t half = count / 2;
        from += keys[from + half - 1] < key ? half : 0;
        count -= half;
    }
    return from + (count == 1 && keys[from] < key);
}

// The chunk in which `key` is, or would be.
static uint32_t chunk_of(const apus_book_far* far, int64_t key) {
    uint32_t at = lower_bound(far->firsts, far->count, key);
    if (at < far->count && far->firsts[at] == key) return at;
    return at == 0 ? 0 : at - 1;
}

static size_t directory_bytes(uint32_t capacity) {
    return (size_t)capacity * (sizeof(int64_t) + sizeof(apus_book_chunk*));
}

// Makes room for one more chunk in the directory.
static int reserve_place(apus_book_far* far, apus_arena* arena) {
    if (far->count < far->capacity) return 0;
    uint32_t capacity = far->capacity == 0 ? FIRST_CAPACITY : far->capacity * 2;
    int64_t* firsts = apus_arena_alloc(arena, directory_bytes(capacity));
    if (firsts == NULL) return -ENOMEM;
    if (far->count > 0) {
        memcpy(firsts, far->firsts, far->count * sizeof *firsts);
        memcpy(firsts + capacity, apus_far_chunks(far), far->count * sizeof(apus_book_chunk*));
    }
    apus_arena_free(arena, far->firsts, directory_bytes(far->capacity));
    far->firsts = firsts;
    far->capacity = capacity;
    return 0;
}

// Puts a new empty chunk at place `at` of the directory. Returns it, or NULL with nothing changed.
static apus_book_chunk* insert_chunk(apus_book_far* far, apus_arena* arena, uint32_t at) {
    if (reserve_place(far, arena) != 0) return NULL;
    apus_book_chunk* chunk = apus_arena_alloc(arena, sizeof *chunk);
    if (chunk == NULL) return NULL;
    chunk->count = 0;
    memmove(far->firsts + at + 1, far->firsts + at, (far->count - at) * sizeof *far->firsts);
    apus_book_chunk** chunks = apus_far_chunks(far);
    memmove(chunks + at + 1, chunks + at, (far->count - at) * sizeof *chunks);
    chunks[at] = chunk;
    far->firsts[at] = 0;
    far->count++;
    return chunk;
}

static void remove_chunk(apus_book_far* far, apus_arena* arena, uint32_t at) {
    apus_book_chunk** chunks = apus_far_chunks(far);
    apus_arena_free(arena, chunks[at], sizeof(apus_book_chunk));
    far->count--;
    memmove(far->firsts + at, far->firsts + at + 1, (far->count - at) * sizeof *far->firsts);
    memmove(chunks + at, chunks + at + 1, (far->count - at) * sizeof *chunks);
}

// Moves count levels of `from`, starting at `first`, to the end of `to`; what stands behind them in `from` closes up.
static void move_levels(apus_book_chunk* from, uint64_t first, uint64_t count, apus_book_chunk* to) {
    memcpy(to->keys + to->count, from->keys + first, count * sizeof(int64_t));
    memcpy(to->quantities + to->count, from->quantities + first, count * sizeof(int64_t));
    to->count += count;
    uint64_t behind = from->count - first - count;
    memmove(from->keys + first, from->keys + first + count, behind * sizeof(int64_t));
    memmove(from->quantities + first, from->quantities + first + count, behind * sizeof(int64_t));
    from->count -= count;
}

static void put_level(apus_book_far* far, uint32_t number, uint32_t at, int64_t key, int64_t quantity) {
    apus_book_chunk* chunk = apus_far_chunks(far)[number];
    uint64_t behind = chunk->count - at;
    memmove(chunk->keys + at + 1, chunk->keys + at, behind * sizeof(int64_t));
    memmove(chunk->quantities + at + 1, chunk->quantities + at, behind * sizeof(int64_t));
    chunk->keys[at] = key;
    chunk->quantities[at] = quantity;
    chunk->count++;
    far->firsts[number] = chunk->keys[0];
    far->levels++;
}

// Makes room in the full chunk `number` for a level at place `at`, and changes both to where it goes then.
static int make_room(apus_book_far* far, apus_arena* arena, uint32_t* number, uint32_t* at) {
    apus_book_chunk* full = apus_far_chunks(far)[*number];
    bool behind_all = *number + 1 == far->count && *at == full->count;
    bool before_all = *number == 0 && *at == 0;
    if (insert_chunk(far, arena, before_all ? 0 : *number + 1) == NULL) return -ENOMEM;
    if (before_all) return 0;
    if (behind_all) {
        *number += 1;
        *at = 0;
        return 0;
    }
    uint32_t half = APUS_BOOK_CHUNK_LEVELS / 2;
    apus_book_chunk* upper = apus_far_chunks(far)[*number + 1];
    move_levels(full, half, full->count - half, upper);
    far->firsts[*number + 1] = upper->keys[0];
    if (*at > half) {
        *number += 1;
        *at -= half;
    }
    return 0;
}

static void join_neighbours(apus_book_far* far, apus_arena* arena, uint32_t number) {
    uint32_t left = number > 0 ? number - 1 : number;
    for (; left <= number && left + 1 < far->count; left++) {
        apus_book_chunk* low = apus_far_chunks(far)[left];
        apus_book_chunk* high = apus_far_chunks(far)[left + 1];
        if (low->count + high->count > JOIN_UP_TO) continue;
        move_levels(high, 0, high->count, low);
        remove_chunk(far, arena, left + 1);
        return;
    }
}

static void delete_level(apus_book_far* far, apus_arena* arena, uint32_t number, uint32_t at) {
    apus_book_chunk* chunk = apus_far_chunks(far)[number];
    uint64_t behind = chunk->count - at - 1;
    memmove(chunk->keys + at, chunk->keys + at + 1, behind * sizeof(int64_t));
    memmove(chunk->quantities + at, chunk->quantities + at + 1, behind * sizeof(int64_t));
    chunk->count--;
    far->levels--;
    if (chunk->count == 0) {
        remove_chunk(far, arena, number);
        return;
    }
    far->firsts[number] = chunk->keys[0];
    if (chunk->count < JOIN_BELOW) join_neighbours(far, arena, number);
}

int apus_far_set(apus_book_far* far, apus_arena* arena, int64_t key, int64_t quantity) {
    uint32_t number = 0, at = 0;
    if (far->count > 0) {
        number = chunk_of(far, key);
        apus_book_chunk* chunk = apus_far_chunks(far)[number];
        at = lower_bound(chunk->keys, (uint32_t)chunk->count, key);
        if (at < chunk->count && chunk->keys[at] == key) {
            if (quantity == 0) {
                delete_level(far, arena, number, at);
                return APUS_BOOK_SET_DELETED;
            }
            chunk->quantities[at] = quantity;
            return APUS_BOOK_SET_CHANGED;
        }
    }
    if (quantity == 0) return 0;
    if (far->count == 0) {
        if (insert_chunk(far, arena, 0) == NULL) return -ENOMEM;
    } else if (apus_far_chunks(far)[number]->count == APUS_BOOK_CHUNK_LEVELS) {
        if (make_room(far, arena, &number, &at) != 0) return -ENOMEM;
    }
    put_level(far, number, at, key, quantity);
    return APUS_BOOK_SET_INSERTED;
}

int64_t apus_far_quantity(const apus_book_far* far, int64_t key) {
    if (far->count == 0) return 0;
    const apus_book_chunk* chunk = apus_far_chunks(far)[chunk_of(far, key)];
    uint32_t at = lower_bound(chunk->keys, (uint32_t)chunk->count, key);
    return at < chunk->count && chunk->keys[at] == key ? chunk->quantities[at] : 0;
}

void apus_far_extract(apus_book_far* far, apus_arena* arena, int64_t low, int64_t high, apus_far_take* take,
                      void* context) {
    if (far->count == 0) return;
    uint32_t number = chunk_of(far, low);
    while (number < far->count && far->firsts[number] <= high) {
        apus_book_chunk* chunk = apus_far_chunks(far)[number];
        uint64_t kept = 0;
        for (uint64_t i = 0; i < chunk->count; i++) {
            int64_t key = chunk->keys[i], quantity = chunk->quantities[i];
            if (key >= low && key <= high && take(context, key, quantity)) continue;
            chunk->keys[kept] = key;
            chunk->quantities[kept] = quantity;
            kept++;
        }
        far->levels -= (uint32_t)(chunk->count - kept);
        chunk->count = kept;
        if (kept == 0) {
            remove_chunk(far, arena, number);
            continue;
        }
        far->firsts[number] = chunk->keys[0];
        number++;
    }
}

void apus_far_clear(apus_book_far* far, apus_arena* arena) {
    for (uint32_t i = 0; i < far->count; i++)
        apus_arena_free(arena, apus_far_chunks(far)[i], sizeof(apus_book_chunk));
    apus_arena_free(arena, far->firsts, directory_bytes(far->capacity));
    memset(far, 0, sizeof *far);
}

uint64_t apus_far_memory(const apus_book_far* far) {
    return far->count * apus_arena_block_bytes(sizeof(apus_book_chunk))
           + apus_arena_block_bytes(directory_bytes(far->capacity));
}
