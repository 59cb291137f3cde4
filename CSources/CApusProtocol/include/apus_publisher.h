// The one place where the hot thread speaks: feed ring, board and counters together, with the times of the message at hand.
#ifndef APUS_PUBLISHER_H
#define APUS_PUBLISHER_H

#include "apus_clock.h"
#include "apus_shared.h"

typedef struct apus_publisher {
    apus_feed_writer feed;
    apus_board board;
    apus_counters* counters;
    apus_directory_entry* directory;
    uint64_t* instrument_count;
    // The publish time is read from this clock; without one (replay, simulation) it is the message's receive time.
    const apus_clock* clock;
    int64_t realtime_offset; // wall clock minus monotonic, for the venue's stamps; the shell renews it
    uint64_t receive_ns;     // of the message at hand, monotonic
    uint64_t kernel_ns;      // the kernel's stamp, monotonic, or 0
    uint64_t venue_ns;       // the venue's stamp on the monotonic scale, or 0
} apus_publisher;

static inline apus_publisher apus_publisher_make(apus_public* view, const apus_clock* clock) {
    return (apus_publisher){.feed = apus_public_writer(view),
                            .board = view->board,
                            .counters = view->counters,
                            .directory = view->directory,
                            .instrument_count = &view->header->instrument_count,
                            .clock = clock,
                            .realtime_offset = clock ? clock->realtime_offset : 0};
}

// Sets the times of the message at hand. venue_ms is the venue's wall clock in milliseconds, or 0.
static inline void apus_publisher_message(apus_publisher* out, uint64_t receive_ns, uint64_t kernel_ns) {
    out->receive_ns = receive_ns;
    out->kernel_ns = kernel_ns;
    out->venue_ns = 0;
}

static inline void apus_publisher_venue_ms(apus_publisher* out, uint64_t venue_ms) {
    out->venue_ns = venue_ms == 0 ? 0 : venue_ms * 1000000ull - (uint64_t)out->realtime_offset;
}

// Publishes `event` as of publish_ns; returns its number.
static inline uint64_t apus_publisher_emit_at(apus_publisher* out, apus_event* event, uint64_t publish_ns) {
    event->publish_ns = publish_ns;
    event->receive_delay_ns = apus_receive_delay(publish_ns, out->receive_ns);
    event->venue_delay_ns = apus_venue_delay(out->receive_ns, out->venue_ns);
    return apus_feed_publish(&out->feed, event);
}

// Publishes `event` as of now; returns its number.
static inline uint64_t apus_publisher_emit(apus_publisher* out, apus_event* event) {
    return apus_publisher_emit_at(out, event, out->clock ? apus_clock_now(out->clock) : out->receive_ns);
}

static inline void apus_publisher_count(apus_publisher* out, enum apus_hot_counter counter, uint64_t amount) {
    apus_count(&out->counters->hot[counter], amount);
}

static inline void apus_publisher_record_hops(apus_publisher* out, uint64_t publish_ns) {
    apus_counters* counters = out->counters;
    uint64_t arrived = out->kernel_ns ? out->kernel_ns : out->receive_ns;
    if (out->venue_ns != 0) {
        int64_t delay = (int64_t)(arrived - out->venue_ns);
        if (delay < 0) apus_publisher_count(out, APUS_COUNT_CLOCK_SKEW, 1);
        apus_histogram_record_signed(&counters->hops[APUS_HOP_VENUE_KERNEL], delay);
    }
    if (out->kernel_ns != 0) {
        apus_histogram_record_signed(&counters->hops[APUS_HOP_KERNEL_RECEIVE],
                                     (int64_t)(out->receive_ns - out->kernel_ns));
    }
    // Without a clock both are the same time.
    if (out->clock != NULL) {
        apus_histogram_record_signed(&counters->hops[APUS_HOP_RECEIVE_PUBLISH],
                                     (int64_t)(publish_ns - out->receive_ns));
    }
}

// Records the hops of the message at hand, once for each message, after its last event.
static inline void apus_publisher_hops(apus_publisher* out, uint64_t publish_ns) {
    if (out->clock != NULL || out->venue_ns != 0 || out->kernel_ns != 0) apus_publisher_record_hops(out, publish_ns);
}

#endif
