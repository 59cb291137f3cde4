#include "stress_threads.h"

#define DEPTH_MAX 32u

// `run` stands first: the threads see the whole through a pointer to it.
typedef struct board_run {
    stress_run run;
    apus_public view;
} board_run;

// MARK: A copy of the board with places to give way, and with defects

static void store_words(uint64_t* to, const void* from, size_t words, stress_random* random) {
    uint64_t word;
    for (size_t i = 0; i < words; i++) {
        memcpy(&word, (const uint8_t*)from + 8 * i, sizeof word);
        __atomic_store_n(&to[i], word, __ATOMIC_RELAXED);
        stress_give_way(random, 256);
    }
}

static void copy_write(board_run* run, const apus_board_header* header, const apus_level* bids, const apus_level* asks,
                       stress_random* random) {
    const apus_board* board = &run->view.board;
    enum stress_variant variant = run->run.variant;
    apus_board_header* entry = apus_board_entry(board, 0);
    uint64_t* words = (uint64_t*)(void*)entry;
    uint64_t sequence = __atomic_load_n(&entry->sequence, __ATOMIC_RELAXED);
    if (variant != STRESS_NO_ODD_STORE) {
        uint64_t mark = variant == STRESS_EVEN_BEFORE_PAYLOAD ? sequence + 2 : sequence + 1;
        __atomic_store_n(&entry->sequence, mark, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
    }
    store_words(words + 1, (const uint8_t*)header + 8, sizeof *header / 8 - 1, random);
    store_words(words + sizeof *header / 8, bids, 2ull * header->bids, random);
    store_words(words + sizeof *header / 8 + 2ull * board->depth, asks, 2ull * header->asks, random);
    __atomic_store_n(&entry->sequence, sequence + 2, __ATOMIC_RELEASE);
}

static int copy_read(const board_run* run, apus_board_header* header, apus_level* bids, apus_level* asks,
                     stress_random* random) {
    const apus_board* board = &run->view.board;
    const apus_board_header* entry = apus_board_entry(board, 0);
    const uint64_t* words = (const uint64_t*)(const void*)entry;
    for (uint32_t attempt = 0; attempt < APUS_BOARD_READ_TRIES; attempt++) {
        uint64_t before = __atomic_load_n(&entry->sequence, __ATOMIC_ACQUIRE);
        if (before & 1) continue;
        apus_words_load((uint64_t*)(void*)header, words, sizeof *header / 8);
        stress_give_way(random, 4);
        uint32_t bid_count = header->bids <= board->depth ? header->bids : board->depth;
        uint32_t ask_count = header->asks <= board->depth ? header->asks : board->depth;
        apus_words_load((uint64_t*)(void*)bids, words + sizeof *header / 8, 2ull * bid_count);
        apus_words_load((uint64_t*)(void*)asks, words + sizeof *header / 8 + 2ull * board->depth, 2ull * ask_count);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (run->run.variant == STRESS_NO_SECOND_LOOK) return 0;
        if (__atomic_load_n(&entry->sequence, __ATOMIC_RELAXED) == before) return 0;
    }
    return -EAGAIN;
}

// MARK: The threads

static void* write_books(void* context) {
    board_run* run = context;
    stress_random random = {0x2545F4914F6CDD1Dull};
    uint32_t depth = run->view.board.depth;
    apus_level bids[DEPTH_MAX], asks[DEPTH_MAX];
    for (uint64_t number = 1; number <= run->run.count && !stress_flag(&run->run.finished); number++) {
        apus_board_header header = {.event_number = number,
                                    .update_id = ~number,
                                    .publish_ns = number,
                                    .bids = (uint32_t)(number % (depth + 1)),
                                    .asks = (uint32_t)(depth - number % (depth + 1))};
        for (uint32_t i = 0; i < depth; i++) {
            bids[i] = (apus_level){(int64_t)stress_word(number, i), (int64_t)number};
            asks[i] = (apus_level){(int64_t)number, (int64_t)stress_word(number, i)};
        }
        if (run->run.variant == STRESS_REAL) {
            apus_board_write(&run->view.board, 0, &header, bids, asks);
        } else {
            copy_write(run, &header, bids, asks, &random);
        }
        stress_give_way(&random, 48);
    }
    stress_finish(&run->run);
    return NULL;
}

static bool is_torn(const apus_board_header* header, const apus_level* bids, const apus_level* asks, uint32_t depth) {
    uint64_t number = header->event_number;
    if (header->update_id != ~number || header->publish_ns != number) return true;
    if (header->bids != number % (depth + 1) || header->asks != depth - header->bids) return true;
    for (uint32_t i = 0; i < header->bids; i++) {
        if (bids[i].price != (int64_t)stress_word(number, i) || bids[i].quantity != (int64_t)number) return true;
    }
    for (uint32_t i = 0; i < header->asks; i++) {
        if (asks[i].price != (int64_t)number || asks[i].quantity != (int64_t)stress_word(number, i)) return true;
    }
    return false;
}

static void* read_books(void* context) {
    board_run* run = context;
    stress_outcome seen = {0};
    stress_random random = {(uint64_t)(uintptr_t)&seen | 1};
    uint64_t newest = 0;
    apus_board_header header;
    apus_level bids[DEPTH_MAX], asks[DEPTH_MAX];
    while (!stress_forbidden(&seen) && !stress_flag(&run->run.finished)) {
        int result = run->run.variant == STRESS_REAL ? apus_board_read(&run->view.board, 0, &header, bids, asks)
                                                     : copy_read(run, &header, bids, asks, &random);
        stress_give_way(&random, 16);
        if (result != 0) continue;
        if (header.sequence == 0) continue; // nothing has been written yet
        if (is_torn(&header, bids, asks, run->view.board.depth)) {
            seen.torn++;
        } else if (header.event_number < newest) {
            seen.backwards++;
        } else {
            seen.taken++;
            newest = header.event_number;
        }
    }
    if (stress_forbidden(&seen)) stress_finish(&run->run);
    stress_add(&run->run, &seen);
    return NULL;
}

int stress_board(enum stress_variant variant, uint32_t depth, uint32_t readers, uint64_t writes,
                 stress_outcome* outcome) {
    if (depth > DEPTH_MAX) return -EINVAL;
    board_run* run = calloc(1, sizeof *run);
    if (run == NULL) return -ENOMEM;
    run->run = (stress_run){.variant = variant, .count = writes, .lock = PTHREAD_MUTEX_INITIALIZER};
    apus_public_config config = {.feed_slots = APUS_FEED_SLOTS_MIN, .instruments = 1, .board_depth = depth};
    int result = apus_public_create(&run->view, &config);
    if (result == 0) {
        result = stress_threads(write_books, read_books, readers, run);
        apus_public_close(&run->view);
    }
    *outcome = run->run.outcome;
    free(run);
    return result;
}
