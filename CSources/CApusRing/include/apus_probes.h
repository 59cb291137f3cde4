// Static probes (USDT), one for each hop of a message and of an order, for perf, bpftrace, gdb and SystemTap: provider `apus`.
//
//   bytes ─ received ─ frame ─ decoded ─ applied ─ published ─┤ring├─ decide ─ ordered ─┤ring├─ taken ─ written ─ sent
//                                                                    reported ─┤ring├─ answered ─ frame ─ received
//
// A probe is one nop, and a note in the file that says where it is and in which register or at which address each argument
// lies. Nobody listens: the nop is all it costs. So an argument is either at hand in a register ("r"), or is named where it
// lies in memory ("m") and read by the listener alone; nothing is computed, loaded or stored for a probe's sake. That is why
// the functions here take pointers to such arguments, and why they do not use the plainer STAP_PROBE macros, which let clang
// store a register to name a place in memory.
//
// Times are monotonic nanoseconds. Without <sys/sdt.h> (Debian: systemtap-sdt-dev), or with APUS_NO_PROBES, there are none.
#ifndef APUS_PROBES_H
#define APUS_PROBES_H

#include "apus_order.h"

#include <stdbool.h>

#if defined(__linux__) && !defined(APUS_NO_PROBES) && defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define APUS_HAS_PROBES 1
#endif
#endif

// `arguments` has for each argument its bytes and its operand. APUS_PROBE_KEEP: gold, Swift's linker, refuses the note of a probe in a
// function that it has left out. It leaves out none that a section named like a note refers to. (GNU's assembler would make it one.)
#ifdef APUS_HAS_PROBES
#ifdef __clang__
#define APUS_PROBE_KEEP "\n.pushsection .note.apus.keep,\"a\",%%progbits\n.balign 4\n.4byte 990b-.\n.popsection\n"
#else
#define APUS_PROBE_KEEP
#endif
#define APUS_PROBE(name, arguments, ...)                                                                               \
    __asm__ volatile(STAP_PROBE_ASM(apus, name, arguments) APUS_PROBE_KEEP : : __VA_ARGS__)
#else
#define APUS_PROBE(name, arguments, ...) ((void)0)
#endif

#define APUS_PROBE_INLINE static inline __attribute__((always_inline))

// Whether this build has them.
static inline bool apus_probes_built(void) {
#ifdef APUS_HAS_PROBES
    return true;
#else
    return false;
#endif
}

// The formatter would put blanks into the texts of the arguments.
// clang-format off

// MARK: the hot thread

// Bytes have come out of a socket or its TLS. kernel_ns is 0 where the kernel gave no stamp.
APUS_PROBE_INLINE void apus_probe_received(size_t bytes, const uint64_t* receive_ns, const uint64_t* kernel_ns) {
    (void)bytes, (void)receive_ns, (void)kernel_ns;
    APUS_PROBE(received, 8@%0 8@%1 8@%2, "r"(bytes), "m"(*receive_ns), "m"(*kernel_ns));
}

// A whole WebSocket message lies there, not yet read.
APUS_PROBE_INLINE void apus_probe_frame(size_t bytes, uint64_t receive_ns) {
    (void)bytes, (void)receive_ns;
    APUS_PROBE(frame, 8@%0 8@%1, "r"(bytes), "r"(receive_ns));
}

// A message has been read. The update id is the venue's, where it has none its time in milliseconds; the instrument is
// APUS_INSTRUMENT_NONE for a message that names several.
APUS_PROBE_INLINE void apus_probe_decoded(const uint16_t* instrument, const uint64_t* update_id) {
    (void)instrument, (void)update_id;
    APUS_PROBE(decoded, 2@%0 8@%1, "m"(*instrument), "m"(*update_id));
}

// The book is as the message wants it; what follows is its touch, the board and the ring.
APUS_PROBE_INLINE void apus_probe_applied(const uint16_t* instrument, const uint64_t* update_id) {
    (void)instrument, (void)update_id;
    APUS_PROBE(applied, 2@%0 8@%1, "m"(*instrument), "m"(*update_id));
}

// The event `number` is in the feed ring. `first_word` is the event's, whose low half is the instrument.
APUS_PROBE_INLINE void apus_probe_published(const uint64_t* first_word, const uint64_t* number,
                                            const uint64_t* publish_ns) {
    (void)first_word, (void)number, (void)publish_ns;
    APUS_PROBE(published, 2@%0 8@%1 8@%2, "m"(*first_word), "m"(*number), "m"(*publish_ns));
}

// A request is out of the order ring and before the guard. One that the guard refuses is `answered` next.
APUS_PROBE_INLINE void apus_probe_taken(const apus_order* order) {
    (void)order;
    APUS_PROBE(taken, 8@%0 8@%1 2@%2 1@%3 8@%4, "m"(order->client_id), "m"(order->target_id), "m"(order->instrument),
               "m"(order->action), "m"(order->decided_ns));
}

// The kernel has taken bytes.
APUS_PROBE_INLINE void apus_probe_written(size_t bytes, const uint64_t* sent_ns) {
    (void)bytes, (void)sent_ns;
    APUS_PROBE(written, 8@%0 8@%1, "r"(bytes), "m"(*sent_ns));
}

// The kernel took the request's last byte at sent_ns; it is noted in the turn after.
APUS_PROBE_INLINE void apus_probe_sent(const uint64_t* client_id, const uint64_t* decided_ns, const uint64_t* sent_ns) {
    (void)client_id, (void)decided_ns, (void)sent_ns;
    APUS_PROBE(sent, 8@%0 8@%1 8@%2, "m"(*client_id), "m"(*decided_ns), "m"(*sent_ns));
}

// A report goes into its ring. kind is of apus_report_kind; sent_ns is 0 where no request is answered.
APUS_PROBE_INLINE void apus_probe_answered(const apus_report* report) {
    (void)report;
    APUS_PROBE(answered, 8@%0 2@%1 1@%2 8@%3 8@%4, "m"(report->client_id), "m"(report->instrument), "m"(report->kind),
               "m"(report->sent_ns), "m"(report->receive_ns));
}

// MARK: the decision thread

// The event `number` has been read and its decision begins. start_ns is 0 in simulated time.
APUS_PROBE_INLINE void apus_probe_decide(uint16_t instrument, uint64_t number, uint64_t publish_ns, uint64_t start_ns) {
    (void)instrument, (void)number, (void)publish_ns, (void)start_ns;
    APUS_PROBE(decide, 2@%w0 8@%1 8@%2 8@%3, "r"(instrument), "r"(number), "r"(publish_ns), "nr"(start_ns));
}

// A request that the risk gate has approved lies in the order ring. action is of apus_order_action.
APUS_PROBE_INLINE void apus_probe_ordered(const apus_order* order) {
    (void)order;
    APUS_PROBE(ordered, 8@%0 8@%1 2@%2 1@%3 8@%4, "m"(order->client_id), "m"(order->target_id), "m"(order->instrument),
               "m"(order->action), "m"(order->decided_ns));
}

// A report is out of its ring.
APUS_PROBE_INLINE void apus_probe_reported(const apus_report* report) {
    (void)report;
    APUS_PROBE(reported, 8@%0 2@%1 1@%2 8@%3 8@%4, "m"(report->client_id), "m"(report->instrument), "m"(report->kind),
               "m"(report->sent_ns), "m"(report->receive_ns));
}

// clang-format on

#endif
