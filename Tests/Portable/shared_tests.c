// The mappings between processes, and the arena.
#include "check.h"

#include "CApusRing.h"
#include "apus_arena.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void name_of(char name[64], const char* what) {
    snprintf(name, 64, "apus-portable-%s-%d", what, (int)getpid());
}

static const apus_public_config small = {.feed_slots = 64, .instruments = 2, .board_depth = 3};

static void an_attached_reader_sees_what_is_written(void) {
    char name[64];
    name_of(name, "attach");
    apus_public_config config = small;
    config.name = name;
    apus_public ours, theirs;
    CHECK_EQUAL(apus_public_attach(&theirs, name), -ENOENT);
    CHECK_EQUAL(apus_public_create(&ours, &config), 0);
    CHECK_EQUAL(apus_public_attach(&theirs, name), 0);
    apus_feed_writer writer = apus_public_writer(&ours);
    apus_feed_reader reader = apus_public_reader(&theirs, false);
    apus_event event = {.instrument = 1, .bid_price = 4711};
    CHECK_EQUAL(apus_feed_publish(&writer, &event), 0);
    event.bid_price = 0;
    CHECK_EQUAL(apus_feed_read(&reader, &event), APUS_FEED_EVENT);
    CHECK_EQUAL(event.bid_price, 4711);
    apus_board_header header = {.bids = 1, .update_id = 9}, read;
    apus_level bid = {100, 2}, bids[3], asks[3];
    apus_board_write(&ours.board, 1, &header, &bid, NULL);
    CHECK_EQUAL(apus_board_read(&theirs.board, 1, &read, bids, asks), 0);
    CHECK(read.update_id == 9 && bids[0].price == 100 && bids[0].quantity == 2);
    // The writer lives: its name is not given away.
    apus_public second;
    CHECK_EQUAL(apus_public_create(&second, &config), -EEXIST);
    uint64_t beat = ours.header->heartbeat_ns;
    CHECK_EQUAL(apus_public_life(&theirs, beat), APUS_WRITER_ALIVE);
    CHECK_EQUAL(apus_public_life(&theirs, beat + 1500000000), APUS_WRITER_STALLED);
    apus_public_close(&ours);
    CHECK_EQUAL(apus_public_life(&theirs, beat), APUS_WRITER_CLOSED);
    apus_public_close(&theirs);
    apus_public_close(&theirs);
    CHECK_EQUAL(apus_public_attach(&theirs, name), -ENOENT);
}

static void a_dead_writer_is_noticed_and_followed(void) {
    char name[64];
    name_of(name, "dead");
    apus_public_config config = small;
    config.name = name;
    apus_public ours, theirs, next;
    CHECK_EQUAL(apus_public_create(&ours, &config), 0);
    CHECK_EQUAL(apus_public_attach(&theirs, name), 0);
    ours.header->writer_start_ticks += 1; // as if the pid had been given to another process
    CHECK_EQUAL(apus_public_life(&theirs, ours.header->heartbeat_ns), APUS_WRITER_DEAD);
    CHECK_EQUAL(apus_public_create(&next, &config), 0);
    apus_public_close(&theirs);
    apus_public_close(&ours);
    apus_public_close(&next);
}

static void what_is_no_mapping_is_refused(void) {
    char name[64], path[80];
    name_of(name, "other");
    snprintf(path, sizeof path, "/%s", name);
    int file = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(file >= 0);
    CHECK_EQUAL(ftruncate(file, 8192), 0);
    apus_public view;
    CHECK_EQUAL(apus_public_attach(&view, name), -EPROTO);
    apus_public_header header = {.magic = APUS_MAGIC, .version = APUS_LAYOUT_VERSION + 1};
    CHECK_EQUAL(pwrite(file, &header, sizeof header, 0), sizeof header);
    CHECK_EQUAL(apus_public_attach(&view, name), -EPROTOTYPE);
    close(file);
    shm_unlink(path);
    apus_public_config wrong = small;
    wrong.feed_slots = 65;
    CHECK_EQUAL(apus_public_create(&view, &wrong), -EINVAL);
    wrong = small;
    wrong.instruments = APUS_INSTRUMENTS_MAX + 1;
    CHECK_EQUAL(apus_public_create(&view, &wrong), -EINVAL);
}

static void a_reader_may_start_at_the_oldest(void) {
    apus_public view;
    CHECK_EQUAL(apus_public_create(&view, &small), 0);
    apus_feed_writer writer = apus_public_writer(&view);
    for (int64_t i = 0; i < 100; i++) {
        apus_event event = {.bid_price = i};
        apus_feed_publish(&writer, &event);
    }
    apus_feed_reader reader = apus_public_reader(&view, true);
    apus_event event = {0};
    CHECK_EQUAL(apus_feed_read(&reader, &event), APUS_FEED_EVENT);
    CHECK_EQUAL(event.bid_price, 36);
    reader = apus_public_reader(&view, false);
    CHECK_EQUAL(apus_feed_read(&reader, &event), APUS_FEED_EMPTY);
    apus_public_close(&view);
}

static void the_private_mapping_has_three_rings_and_two_flags(void) {
    apus_private view;
    CHECK_EQUAL(apus_private_create(&view), 0);
    CHECK_EQUAL(apus_queue_room(view.orders), APUS_ORDER_SLOTS);
    CHECK_EQUAL(apus_queue_room(view.reports), APUS_REPORT_SLOTS);
    CHECK_EQUAL(apus_queue_room(view.commands), APUS_COMMAND_SLOTS);
    apus_flag_set(view.trading, 1);
    CHECK(apus_flag(view.trading) == 1 && apus_flag(view.stop) == 0);
    apus_command command = {.kind = APUS_COMMAND_STOP, .argument = 5};
    CHECK_EQUAL(apus_command_push(view.commands, &command), 0);
    command.argument = 0;
    CHECK(apus_command_pop(view.commands, &command));
    CHECK_EQUAL(command.argument, 5);
    apus_private_close(&view);
    CHECK(view.base == NULL);
}

static void the_arena_hands_out_aligned_blocks_and_takes_them_back(void) {
    enum { BYTES = 1 << 16 };
    uint8_t* memory = check_memory(BYTES);
    apus_arena arena;
    apus_arena_init(&arena, memory + 1, BYTES - 1);
    CHECK(apus_arena_alloc(&arena, 0) == NULL);
    void* first = apus_arena_alloc(&arena, 65);
    CHECK(first != NULL && (uintptr_t)first % APUS_ARENA_BLOCK_MIN == 0);
    CHECK_EQUAL(arena.live, 128);
    memset(first, 0xFF, 128);
    apus_arena_free(&arena, first, 65);
    CHECK_EQUAL(arena.live, 0);
    CHECK(apus_arena_alloc(&arena, 128) == first);
    uint32_t blocks = 0;
    while (apus_arena_alloc(&arena, 1024) != NULL)
        blocks++;
    CHECK(blocks >= 61 && blocks <= 63);
    CHECK(apus_arena_alloc(&arena, BYTES) == NULL);
    free(memory);
}

const check_test shared_tests[] = {
    {"public mapping: an attached reader sees what is written", an_attached_reader_sees_what_is_written},
    {"public mapping: a dead writer is noticed", a_dead_writer_is_noticed_and_followed},
    {"public mapping: another file is refused", what_is_no_mapping_is_refused},
    {"public mapping: a reader may start at the oldest event", a_reader_may_start_at_the_oldest},
    {"private mapping: three rings and two flags", the_private_mapping_has_three_rings_and_two_flags},
    {"arena: aligned blocks that are taken back", the_arena_hands_out_aligned_blocks_and_takes_them_back},
    {0},
};
