// OpenSSL's memory.
//
// OpenSSL 3 takes a little block from the heap and gives it back for each TLS record it reads, and two for each it writes.
// The hot thread must not do that, so OpenSSL is given these functions, before it has taken its first block: small blocks
// that a thread gives back are kept by that thread for its next wish. Nothing else changes; large blocks, and small ones
// beyond what is kept, go to the heap as ever.
#include "wire_internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define STEP 32u       // block sizes are multiples of this
#define CLASSES 16u    // up to 512 bytes
#define KEPT_BLOCKS 64 // of each size, by each thread

// In front of each block; keeps the alignment of malloc.
typedef union header {
    struct {
        size_t bytes; // usable
        union header* next;
    } is;
    max_align_t align;
} header;

typedef struct cache {
    header* free[CLASSES];
    uint32_t count[CLASSES];
    bool known; // the thread's end will empty it
    bool over;  // it has been emptied
} cache;

static __thread cache mine;
static pthread_key_t at_thread_end;
static bool pooled;

static void empty_cache(void* argument) {
    cache* all = argument;
    all->over = true;
    for (uint32_t i = 0; i < CLASSES; i++) {
        while (all->free[i]) {
            header* block = all->free[i];
            all->free[i] = block->is.next;
            free(block);
        }
    }
}

static void* take(size_t bytes, const char* file, int line) {
    (void)file;
    (void)line;
    if (bytes == 0 || bytes > SIZE_MAX - sizeof(header) - STEP) return NULL;
    size_t class = (bytes - 1) / STEP;
    if (class < CLASSES) {
        bytes = (class + 1) * STEP;
        header* kept = mine.free[class];
        if (kept) {
            mine.free[class] = kept->is.next;
            mine.count[class]--;
            return kept + 1;
        }
    }
    header* block = malloc(sizeof *block + bytes);
    if (!block) return NULL;
    block->is.bytes = bytes;
    return block + 1;
}

static void give(void* pointer, const char* file, int line) {
    (void)file;
    (void)line;
    if (!pointer) return;
    header* block = (header*)pointer - 1;
    size_t class = block->is.bytes / STEP - 1;
    if (block->is.bytes % STEP == 0 && class < CLASSES && mine.count[class] < KEPT_BLOCKS && !mine.over) {
        if (!mine.known) mine.known = pthread_setspecific(at_thread_end, &mine) == 0;
        if (mine.known) {
            block->is.next = mine.free[class];
            mine.free[class] = block;
            mine.count[class]++;
            return;
        }
    }
    free(block);
}

static void* resize(void* pointer, size_t bytes, const char* file, int line) {
    if (!pointer) return take(bytes, file, line);
    if (bytes == 0) {
        give(pointer, file, line);
        return NULL;
    }
    size_t held = ((header*)pointer - 1)->is.bytes;
    if (bytes <= held && bytes > held / 2) return pointer;
    void* moved = take(bytes, file, line);
    if (!moved) return NULL;
    memcpy(moved, pointer, held < bytes ? held : bytes);
    give(pointer, file, line);
    return moved;
}

// Runs before main, for OpenSSL accepts it only before its first block.
__attribute__((constructor)) static void install(void) {
    if (pthread_key_create(&at_thread_end, empty_cache) != 0) return;
    pooled = CRYPTO_set_mem_functions(take, resize, give) == 1;
}

bool apus_wire_tls_allocates(void) {
    return !pooled;
}
