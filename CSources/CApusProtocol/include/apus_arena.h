// Memory for books: blocks of powers of two out of one region that the caller gives, without malloc.
//
// The region may be a large reservation whose pages the kernel commits at the first touch: the arena touches nothing that it
// has not handed out. Free blocks are kept in a list for each size; a larger one is split when a smaller one is wanted and
// nothing else is left. Blocks are never joined again, because books ask for the same few sizes all day.
//
// An arena and what it hands out belong to one thread (the hot thread).
#ifndef APUS_ARENA_H
#define APUS_ARENA_H

#include "apus_limits.h"

#include <stddef.h>
#include <stdint.h>

#define APUS_ARENA_CLASSES 42u

typedef struct apus_arena {
    uint8_t* base;
    uint64_t size; // bytes
    uint64_t used; // bytes ever cut from the region; it never falls
    uint64_t live; // bytes in blocks that are handed out
    void* free[APUS_ARENA_CLASSES];
} apus_arena;

// `base` may be anything; it is aligned up to a block. The memory stays the caller's and must outlive the arena.
void apus_arena_init(apus_arena* arena, void* base, size_t size);

// Returns a block of at least `bytes` bytes, aligned to APUS_ARENA_BLOCK_MIN and not cleared, or NULL when the arena is full
// or `bytes` is 0.
void* apus_arena_alloc(apus_arena* arena, size_t bytes);

// Gives a block back. `bytes` is what was asked for (any number of the same power of two). NULL is ignored.
void apus_arena_free(apus_arena* arena, void* block, size_t bytes);

// Bytes that a request of `bytes` really takes.
uint64_t apus_arena_block_bytes(size_t bytes);

#endif
