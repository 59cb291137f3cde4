// The shell under the sessions: it resolves, connects, shakes hands, reads, writes and keeps time, and nothing else.
//
//                    ┌────────────── apus_wire_turn ──────────────┐
//   command ring ──▶ │ session after session, until one has work: │
//   order ring ─────▶│   read its sockets straight into rx        │──▶ feed ring, report ring
//                    │   session->turn(now)                       │
//                    │   write tx, open and close as wanted       │
//                    └─ every now and then: libuv, time-outs, clock, heartbeat ─┘
//
// A round visits every session once. A turn ends with the first session that did something, and the next turn goes on behind it:
// in placement `shared` what that session published is decided on, and an order leaves, before other sockets are read.
//
// How sockets are polled. Up to APUS_WIRE_DIRECT_MAX open connections are read in each round without asking whether there is
// something. Of more, the first (the market data's) is read so; the others, and all of a parked shell, are in an epoll that is
// asked once a round, without waiting, and only ready ones are read. Measured: a recvmsg that finds nothing takes 510 ns, asking
// the epoll 140 ns whatever the number, but a message that comes through the epoll is 0.6 µs later than one that is read
// directly. A connection of which nothing is expected (REST between two requests) is read once in a millisecond.
// Everything that is not steady is libuv's: names, connects, TLS handshakes, and a parked shell's sleep, for which the loop
// watches the epoll. The reads are recvmsg, for the kernel's stamps: a plain socket straight into rx, TLS into a buffer of
// records from which OpenSSL decrypts into rx.
//
// A TLS handshake costs from 0.3 to 2 ms of processor time. Its steps run on libuv's thread pool, the waiting between them
// in the loop, so the other connections are served meanwhile and a silent peer occupies no thread.
//
// Threads. "Hot thread" is the one that apus_wire_start makes or, in placement `shared`, the one that calls apus_wire_turn.
// Times are monotonic nanoseconds.
#ifndef APUS_WIRE_H
#define APUS_WIRE_H

#include "apus_clock.h"
#include "apus_publisher.h"
#include "apus_session.h"
#include "apus_shared.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct apus_wire apus_wire;

// Longest error text, with its zero.
#define APUS_WIRE_ERROR_BYTES 256u

// What the hot thread does when a turn found nothing.
enum {
    APUS_IDLE_SPIN = 0,  // the next turn at once: the fast one, takes a processor
    APUS_IDLE_YIELD = 1, // lets other threads of this processor run first
    APUS_IDLE_PARK = 2,  // sleeps until a socket, a timer or apus_wire_wake; a wake-up costs about 20 µs
};

// closed_error of a channel that closed with APUS_CLOSED_TLS: one of the first four, or a class with a number in its low
// 16 bits. With APUS_CLOSED_PEER it is 0, or APUS_TLS_TRUNCATED.
enum {
    APUS_TLS_TIMEOUT = 1,        // the handshake took longer than handshake_timeout_ns
    APUS_TLS_ENDED = 2,          // the peer closed during the handshake
    APUS_TLS_TRUNCATED = 3,      // the peer closed without saying so: the last message may be incomplete
    APUS_TLS_MEMORY = 4,         //
    APUS_TLS_VERIFY = 0x10000,   // the certificate is not to be trusted; low bits: X509_V_ERR_...
    APUS_TLS_PROTOCOL = 0x20000, // low bits: OpenSSL's reason
    APUS_TLS_SYSTEM = 0x30000,   // low bits: errno
};

// closed_error of a channel that closed with APUS_CLOSED_CONNECT is an errno value; ETIMEDOUT also when the shell itself
// lost patience. With APUS_CLOSED_RESOLVE it is libuv's (negative) number, UV_ETIMEDOUT when the resolver did not answer.

typedef struct apus_wire_config {
    uint64_t connect_timeout_ns;   // name and TCP, all addresses together; not 0
    uint64_t handshake_timeout_ns; // TLS; not 0
    uint64_t warm_interval_ns;     // how often an idle turn keeps the way out warm (wire_warm.c); 0: never
    const char* ca_file;           // PEM file of the authorities to trust instead of the system's; NULL: the system's
    int32_t cpu;                   // the processor of the thread that apus_wire_start makes; -1: any
    uint32_t busy_poll_us;         // SO_BUSY_POLL, where the system allows; 0: off
    uint32_t max_reads;            // TLS records taken from one connection in one turn, at least 1
    uint8_t idle;                  // APUS_IDLE_...; without meaning in placement `shared`
    bool receive_stamps;           // ask the kernel for the time of arrival
    bool resume_sessions;          // keep TLS tickets of each endpoint and use them for the next connection
    bool quick_ack;                // TCP_QUICKACK at the opening
} apus_wire_config;

// 5 s to connect, 5 s for TLS, system authorities, any processor, spinning, stamps and resumption on, 16 records a turn, the way
// out warmed every 2 ms.
void apus_wire_config_default(apus_wire_config* config);

// Makes a shell without sessions. Any thread; it becomes the owner until apus_wire_start or the first turn. Takes 20 ms to
// measure the clock. Copies the config. `view` (heartbeat, counters) and `rings` (commands, stop flag) stay the caller's,
// outlive the shell and may be NULL.
// Returns 0; -EINVAL for a config that cannot work; -ENOENT when ca_file cannot be read or holds no certificate; -ENOMEM;
// or another negative errno.
int apus_wire_create(apus_wire** out, const apus_wire_config* config, apus_public* view, apus_private* rings);

// Gives the shell a session to serve; its `start` is called in the next turn. Owner only, before apus_wire_start.
// The session, its array of channels (complete now) and the channels stay the caller's and outlive the shell.
// Returns 0; -ENOSPC when APUS_SESSIONS_MAX or APUS_CONNECTIONS_MAX would be passed; -EBUSY after apus_wire_start.
int apus_wire_add(apus_wire* wire, apus_session* session);

// Lets the shell renew publisher->realtime_offset once a second. Owner only, before apus_wire_start; the publisher outlives
// the shell.
void apus_wire_set_publisher(apus_wire* wire, apus_publisher* publisher);

// The hot thread's clock, valid as long as the shell. To be read by the hot thread only.
const apus_clock* apus_wire_clock(const apus_wire* wire);

// One duty cycle: does what is there, returns how much it did (reads, session work, writes, state changes), never blocks.
// Placement `shared`; always the same thread, and never while a thread of apus_wire_start runs.
uint32_t apus_wire_turn(apus_wire* wire);

// Placement `shared`, when the caller is to idle: sleeps until a socket is ready, a timer is due, apus_wire_wake was called,
// or `timeout_ns` have passed. The caller's thread. Only for apus_wire_config.idle == APUS_IDLE_PARK; otherwise it returns
// at once.
void apus_wire_park(apus_wire* wire, uint64_t timeout_ns);

// Placement `dedicated`: a thread of its own that takes turns and idles as configured, until it is stopped by
// apus_wire_stop, a STOP command or the stop flag. Returns 0, -EBUSY when it runs already, -EINVAL when the processor does
// not exist or is forbidden to this process, or another negative errno.
int apus_wire_start(apus_wire* wire);

// Asks the sessions to stop, gives them `timeout_ns` to close in order, then closes what is left and ends (joins) the
// thread; in placement `shared` it takes the turns itself. Not on the thread of apus_wire_start. Returns 0, or -ETIMEDOUT
// when some session did not stop by itself. Calling it again does nothing and returns the same.
int apus_wire_stop(apus_wire* wire, uint64_t timeout_ns);

// Whether everything has stopped (by whichever way). Any thread.
bool apus_wire_stopped(const apus_wire* wire);

// Frees the shell; stops it first, without patience, where needed. Open connections are closed. Not on the thread of
// apus_wire_start. Waits for a name lookup that is under way, since the resolver cannot be interrupted. NULL is nothing.
void apus_wire_destroy(apus_wire* wire);

// Ends the sleep of a parked shell: call it after pushing an order or a command. Any thread, no lock; one load where the
// shell is not parked.
void apus_wire_wake(apus_wire* wire);

// Why `channel` closed last, for people: "certificate verify failed: ...". Copies at most `bytes` - 1 bytes and a zero;
// an empty text when it has not failed. Any thread. Returns 0, -ENOENT when the channel is not of this shell, -EAGAIN when
// the text was being written at every try.
int apus_wire_channel_error(const apus_wire* wire, const apus_channel* channel, char* text, size_t bytes);

// What the connection of `channel` is like, for people and tests. Hot thread, or any thread while no turn is taken.
typedef struct apus_wire_connection_info {
    bool open;
    bool tls;
    bool resumed;        // the TLS session was taken up again
    char protocol[16];   // "TLSv1.3"
    char cipher[40];     //
    char address[64];    // of the peer, with its port
    uint64_t resolve_ns; // how long each step took; 0 for a step that was not needed
    uint64_t connect_ns;
    uint64_t handshake_ns;
} apus_wire_connection_info;

// Returns 0, or -ENOENT when the channel is not of this shell.
int apus_wire_channel_info(const apus_wire* wire, const apus_channel* channel, apus_wire_connection_info* info);

// Whether the way out is kept warm: it is asked for, the shell does not park, and there is a loopback to send on. Any thread.
bool apus_wire_warms(const apus_wire* wire);

// Whether OpenSSL takes memory from the heap for TLS records, because something in this program had used it before this
// library was loaded. For `doctor`. Any thread.
bool apus_wire_tls_allocates(void);

#endif
