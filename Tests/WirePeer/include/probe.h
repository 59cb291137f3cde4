// A session that does as the test says and writes down what happens to it.
#ifndef PROBE_H
#define PROBE_H

#include "apus_session.h"

typedef struct probe probe;

// `channels` channels with buffers of these sizes.
probe* probe_make(uint32_t number, uint32_t channels, size_t rx_bytes, size_t tx_bytes);
void probe_free(probe* p);
apus_session* probe_session(probe* p);
apus_channel* probe_channel(probe* p, uint32_t channel);

// MARK: telling it what to do. On the hot thread, or while no turn is taken.

void probe_endpoint(probe* p, uint32_t channel, const char* host, uint16_t port, bool tls);
void probe_open(probe* p, uint32_t channel);
void probe_close(probe* p, uint32_t channel);
// Opens every channel that has an endpoint in `start`.
void probe_open_at_start(probe* p);
// Appends peer_pattern's bytes [from, from + count) to tx as far as they fit; returns how many did.
size_t probe_send(probe* p, uint32_t channel, uint64_t from, size_t count);
// Leaves what came in in rx.
void probe_stall(probe* p, uint32_t channel, bool on);
// Sends `count` messages, one at a time, each after the echo of the one before, as soon as the channel is open.
void probe_ping(probe* p, uint32_t channel, uint64_t count);
// Says after `stop` that it has not stopped.
void probe_refuse_stop(probe* p);
void probe_deadline(probe* p, uint64_t deadline_ns);

// MARK: what has happened. Any thread.

uint64_t probe_starts(const probe* p);
uint64_t probe_turns(const probe* p);
uint64_t probe_stops(const probe* p);
uint64_t probe_commands(const probe* p);
uint64_t probe_newest_argument(const probe* p);
uint64_t probe_pongs(const probe* p, uint32_t channel);
uint64_t probe_received(const probe* p, uint32_t channel);
// Of what was received in this connection: bytes that are not peer_pattern's.
uint64_t probe_wrong_bytes(const probe* p, uint32_t channel);
uint64_t probe_reads(const probe* p, uint32_t channel);   // that brought something
uint64_t probe_stamped(const probe* p, uint32_t channel); // of these, with the kernel's stamp
// Reads whose receive time went backwards or was before the opening or after the turn, or whose kernel stamp was after the
// receive time.
uint64_t probe_time_faults(const probe* p);
uint64_t probe_opened(const probe* p, uint32_t channel); // 1 when it is open

#endif
