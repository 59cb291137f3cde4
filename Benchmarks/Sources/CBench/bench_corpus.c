#include "bench_corpus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bench_corpus* bench_corpus_make(void) {
    return calloc(1, sizeof(bench_corpus));
}

void bench_corpus_free(bench_corpus* corpus) {
    if (corpus == NULL) return;
    free(corpus->bytes);
    free(corpus->lengths);
    free(corpus);
}

static bool grow(bench_corpus* corpus, size_t bytes) {
    if (corpus->used + bytes > corpus->capacity) {
        size_t capacity = 2 * corpus->capacity + bytes + 65536;
        uint8_t* larger = realloc(corpus->bytes, capacity);
        if (larger == NULL) return false;
        corpus->bytes = larger;
        corpus->capacity = capacity;
    }
    if (corpus->count == corpus->room) {
        size_t room = 2 * corpus->room + 1024;
        uint32_t* larger = realloc(corpus->lengths, room * sizeof *larger);
        if (larger == NULL) return false;
        corpus->lengths = larger;
        corpus->room = room;
    }
    return true;
}

int bench_corpus_add(bench_corpus* corpus, const uint8_t* bytes, size_t length) {
    if (!grow(corpus, length + APUS_PADDING)) return -ENOMEM;
    memcpy(corpus->bytes + corpus->used, bytes, length);
    memset(corpus->bytes + corpus->used + length, 0, APUS_PADDING);
    corpus->used += length + APUS_PADDING;
    corpus->lengths[corpus->count++] = (uint32_t)length;
    return 0;
}
