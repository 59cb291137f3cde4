#include "apus_arena.h"

#include <string.h>

_Static_assert((uint64_t)APUS_ARENA_BLOCK_MIN << (APUS_ARENA_CLASSES - 1) >= (1ull << 47),
               "the classes cover every size that an address space holds");

// The class of a size: 0 for up to APUS_ARENA_BLOCK_MIN bytes, one more for each doubling.
static uint32_t class_of(size_t bytes) {
    if (bytes <= APUS_ARENA_BLOCK_MIN) return 0;
    return (uint32_t)(64 - __builtin_clzll((unsigned long long)(bytes - 1)))
           - (uint32_t)__builtin_ctz(APUS_ARENA_BLOCK_MIN);
}

static uint64_t class_bytes(uint32_t class) {
    return (uint64_t)APUS_ARENA_BLOCK_MIN << class;
}

static void push(apus_arena* arena, uint32_t class, void* block) {
    memcpy(block, &arena->free[class], sizeof(void*));
    arena->free[class] = block;
}

static void* pop(apus_arena* arena, uint32_t class) {
    void* block = arena->free[class];
    if (block != NULL) memcpy(&arena->free[class], block, sizeof(void*));
    return block;
}

void apus_arena_init(apus_arena* arena, void* base, size_t size) {
    memset(arena, 0, sizeof *arena);
    uintptr_t address = (uintptr_t)base;
    size_t skip = (size_t)(-address & (APUS_ARENA_BLOCK_MIN - 1));
    if (base == NULL || size < skip) return;
    arena->base = (uint8_t*)base + skip;
    arena->size = size - skip;
}

// Halves the smallest free block above `class` until a block of `class` is left over.
static void* split(apus_arena* arena, uint32_t class) {
    uint32_t from = class + 1;
    while (from < APUS_ARENA_CLASSES && arena->free[from] == NULL)
        from++;
    if (from >= APUS_ARENA_CLASSES) return NULL;
    uint8_t* block = pop(arena, from);
    while (from > class) {
        from--;
        push(arena, from, block + class_bytes(from));
    }
    return block;
}

void* apus_arena_alloc(apus_arena* arena, size_t bytes) {
    if (bytes == 0) return NULL;
    uint32_t class = class_of(bytes);
    if (class >= APUS_ARENA_CLASSES) return NULL;
    void* block = pop(arena, class);
    if (block == NULL && class_bytes(class) <= arena->size - arena->used) {
        block = arena->base + arena->used;
        arena->used += class_bytes(class);
    }
    if (block == NULL) block = split(arena, class);
    if (block != NULL) arena->live += class_bytes(class);
    return block;
}

void apus_arena_free(apus_arena* arena, void* block, size_t bytes) {
    if (block == NULL) return;
    uint32_t class = class_of(bytes);
    push(arena, class, block);
    arena->live -= class_bytes(class);
}

uint64_t apus_arena_block_bytes(size_t bytes) {
    return bytes == 0 ? 0 : class_bytes(class_of(bytes));
}
