#include "venue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static record_header* head;
static uint64_t* sent_at;
static uint64_t* arrived_at;
static char path[256];

static void set(uint64_t* word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static int map_file(const char* name, size_t bytes) {
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return -errno;
    int result = ftruncate(file, (off_t)bytes) == 0 ? 0 : -errno;
    void* base = result == 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0) : NULL;
    if (base == MAP_FAILED) result = -errno;
    close(file);
    if (result == 0) head = base;
    return result;
}

static int map_memory(size_t bytes) {
    void* base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return -errno;
    head = base;
    return 0;
}

int record_open(const char* name, uint64_t capacity) {
    size_t bytes = sizeof *head + 2 * capacity * sizeof(uint64_t);
    int result = name ? map_file(name, bytes) : map_memory(bytes);
    if (result < 0) return result;
    head->capacity = capacity;
    head->first_update = MARKET_FIRST_UPDATE + MARKET_UPDATE_STEP;
    head->update_step = MARKET_UPDATE_STEP;
    sent_at = (uint64_t*)(void*)(head + 1);
    arrived_at = sent_at + capacity;
    uint64_t magic;
    memcpy(&magic, "BENCHREC", sizeof magic);
    set(&head->magic, magic);
    return 0;
}

void record_remove(void) {
    if (path[0] != 0) unlink(path);
}

record_header* record_head(void) {
    return head;
}

void record_begin(void) {
    set(&head->finished, 0);
    set(&head->sent, 0);
    set(&head->arrived, 0);
    set(&head->first_ns, 0);
    set(&head->last_ns, 0);
    set(&head->writes, 0);
    set(&head->waits, 0);
    set(&head->feeds, head->feeds + 1);
}

void record_sent(uint64_t number, uint64_t at_ns) {
    __atomic_store_n(&sent_at[number & (head->capacity - 1)], at_ns, __ATOMIC_RELAXED);
    if (number == 0) set(&head->first_ns, at_ns);
    set(&head->sent, number + 1);
}

void record_arrived(uint64_t at_ns) {
    __atomic_store_n(&arrived_at[head->arrived & (head->capacity - 1)], at_ns, __ATOMIC_RELAXED);
    set(&head->arrived, head->arrived + 1);
}

void record_finished(const market_summary* summary) {
    head->bids = summary->bids;
    head->asks = summary->asks;
    head->best_bid = summary->best_bid.price;
    head->best_bid_quantity = summary->best_bid.quantity;
    head->best_ask = summary->best_ask.price;
    head->best_ask_quantity = summary->best_ask.quantity;
    memcpy(head->digest, summary->digest, sizeof summary->digest);
    set(&head->finished, 1);
}
