// The venue's end of a connection, in a thread of its own, that sends when it is told to: so that whoever receives finds exactly that.
#ifndef COUNTS_PEER_H
#define COUNTS_PEER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct counts_peer counts_peer;

// Listens on 127.0.0.1. With `certificate` and `key` (PEM files) it speaks TLS. NULL where something cannot be made.
counts_peer* counts_peer_make(const char* certificate, const char* key);
uint16_t counts_peer_port(const counts_peer* peer);

// Whether the client has subscribed.
bool counts_peer_subscribed(const counts_peer* peer);

// Sends the stream's next `messages` messages (at most 64), each a TLS record of its own, plain ones in one write, after `delay_ns`.
// Returns the update id of the last. Makes no system call.
uint64_t counts_peer_send(counts_peer* peer, uint32_t messages, uint64_t delay_ns);

// Waits, without a system call, until that was handed to the kernel. False after ten seconds.
bool counts_peer_await(const counts_peer* peer, uint64_t update_id);

void counts_peer_stop(counts_peer* peer);

#endif
