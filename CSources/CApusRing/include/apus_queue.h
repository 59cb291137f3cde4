// Lossless single-producer single-consumer rings of 128-byte elements: orders, reports, commands.
//
// `head` counts what was pushed (written by the producer alone), `tail` what was taken (written by the consumer alone); each
// side keeps a private copy of the other's word and looks again only when the copy says full or empty. The element is written
// before the release store of `head` and read after its acquire load; it is overwritten only after the acquire load of a `tail`
// that has passed it: no element is torn, lost or doubled.
#ifndef APUS_QUEUE_H
#define APUS_QUEUE_H

#include "apus_order.h"
#include "apus_probes.h"
#include <errno.h>
#include <string.h>

#define APUS_QUEUE_ELEMENT 128u

// Swift imports no over-aligned record: whoever gives the memory aligns it to a cache line (the mappings are whole pages).
typedef struct apus_queue {
    uint64_t head; // producer's line
    uint64_t seen_tail;
    uint64_t refused; // pushes that found it full
    uint64_t producer_padding[5];
    uint64_t tail; // consumer's line
    uint64_t seen_head;
    uint64_t consumer_padding[6];
    uint64_t mask; // never written after the start
    uint64_t constant_padding[7];
    uint8_t elements[]; // APUS_QUEUE_ELEMENT bytes each
} apus_queue;

_Static_assert(offsetof(apus_queue, tail) == 64, "producer and consumer write different lines");
_Static_assert(offsetof(apus_queue, mask) == 128, "what never changes shares no line with what does");
_Static_assert(offsetof(apus_queue, elements) == 192, "layout");

static inline size_t apus_queue_bytes(uint32_t slots) {
    return sizeof(apus_queue) + (size_t)slots * APUS_QUEUE_ELEMENT;
}

// `slots` is a power of two; the memory is zeroed and aligned to a cache line. Before the threads start.
static inline void apus_queue_init(apus_queue* queue, uint32_t slots) {
    memset(queue, 0, sizeof *queue);
    queue->mask = slots - 1;
}

// Producer only. Returns where the element lies now, which stays as it is until the ring has come round; NULL when the ring is
// full: nothing was pushed.
static inline const void* apus_queue_put(apus_queue* queue, const void* element) {
    uint64_t head = queue->head;
    if (head - queue->seen_tail > queue->mask) {
        queue->seen_tail = __atomic_load_n(&queue->tail, __ATOMIC_ACQUIRE);
        if (head - queue->seen_tail > queue->mask) {
            queue->refused++;
            return NULL;
        }
    }
    void* place = queue->elements + (head & queue->mask) * APUS_QUEUE_ELEMENT;
    memcpy(place, element, APUS_QUEUE_ELEMENT);
    __atomic_store_n(&queue->head, head + 1, __ATOMIC_RELEASE);
    return place;
}

// Producer only. Returns 0, or -ENOBUFS when the ring is full: nothing was pushed.
static inline int apus_queue_push(apus_queue* queue, const void* element) {
    return apus_queue_put(queue, element) == NULL ? -ENOBUFS : 0;
}

// Producer only: how many more elements fit for certain.
static inline uint64_t apus_queue_room(apus_queue* queue) {
    queue->seen_tail = __atomic_load_n(&queue->tail, __ATOMIC_ACQUIRE);
    return queue->mask + 1 - (queue->head - queue->seen_tail);
}

// Consumer only. Returns true and copies the oldest element, or false when the ring is empty.
static inline bool apus_queue_pop(apus_queue* queue, void* element) {
    uint64_t tail = queue->tail;
    if (tail == queue->seen_head) {
        queue->seen_head = __atomic_load_n(&queue->head, __ATOMIC_ACQUIRE);
        if (tail == queue->seen_head) return false;
    }
    memcpy(element, queue->elements + (tail & queue->mask) * APUS_QUEUE_ELEMENT, APUS_QUEUE_ELEMENT);
    __atomic_store_n(&queue->tail, tail + 1, __ATOMIC_RELEASE);
    return true;
}

// Consumer only. The oldest element, which stays where it is until it is popped; NULL when the ring is empty.
static inline const void* apus_queue_peek(apus_queue* queue) {
    uint64_t tail = queue->tail;
    if (tail == queue->seen_head) {
        queue->seen_head = __atomic_load_n(&queue->head, __ATOMIC_ACQUIRE);
        if (tail == queue->seen_head) return NULL;
    }
    return queue->elements + (tail & queue->mask) * APUS_QUEUE_ELEMENT;
}

// Consumer only: whether there is an element to take.
static inline bool apus_queue_waiting(const apus_queue* queue) {
    return __atomic_load_n(&queue->head, __ATOMIC_ACQUIRE) != queue->tail;
}

static inline int apus_order_push(apus_queue* queue, const apus_order* order) {
    const apus_order* placed = apus_queue_put(queue, order);
    if (placed == NULL) return -ENOBUFS;
    apus_probe_ordered(placed);
    return 0;
}
static inline bool apus_order_pop(apus_queue* queue, apus_order* order) {
    return apus_queue_pop(queue, order);
}
static inline int apus_report_push(apus_queue* queue, const apus_report* report) {
    return apus_queue_push(queue, report);
}
static inline bool apus_report_pop(apus_queue* queue, apus_report* report) {
    return apus_queue_pop(queue, report);
}
static inline int apus_command_push(apus_queue* queue, const apus_command* command) {
    return apus_queue_push(queue, command);
}
static inline bool apus_command_pop(apus_queue* queue, apus_command* command) {
    return apus_queue_pop(queue, command);
}

#endif
