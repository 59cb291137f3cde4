// What the parts of the shell share. Everything here belongs to the hot thread unless a field says otherwise.
//
//   wire.c         the turn: sessions, commands, time, the end
//   wire_run.c     making and freeing, threads, sleeping, waking
//   wire_open.c    a transport's way from a name to an open connection
//   wire_tls.c     contexts, tickets, handshakes on the thread pool, verdicts in words
//   wire_bio.c     the system calls that read, and what OpenSSL sees of them
//   wire_io.c      the steady state: bytes in, bytes out, the end of a connection
//   wire_warm.c    what keeps the way out warm
//   wire_memory.c  OpenSSL's small blocks
#ifndef APUS_WIRE_INTERNAL_H
#define APUS_WIRE_INTERNAL_H

#include "apus_allocations.h"
#include "apus_probes.h"
#include "apus_wire.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <uv.h>

// Addresses of one name that are tried.
#define ADDRESSES_MAX 16u
// Bytes taken from the kernel at once for TLS: eight full records.
#define CIPHER_BYTES (128u << 10)
// Bytes taken from the kernel at once for a plain connection: they are still in the processor's second cache when they are
// decoded. Of a flood without this bound megabytes would come at once.
#define PLAIN_BYTES (128u << 10)
// How often the loop runs while something is under way that is not a steady connection, and how often time-outs are looked at.
#define LOOP_INTERVAL_NS 20000ull
#define HOUSE_INTERVAL_NS 1000000ull
#define HEARTBEAT_INTERVAL_NS 50000000ull
#define DISCIPLINE_INTERVAL_NS 1000000000ull
// How long sessions may take to stop after a STOP command or the stop flag.
#define STOP_PATIENCE_NS 5000000000ull
#define ERROR_WORDS (APUS_WIRE_ERROR_BYTES / 8)

typedef struct connection connection;
typedef struct transport transport;
typedef struct warmer warmer;

enum { PHASE_RESOLVING, PHASE_CONNECTING, PHASE_HANDSHAKING, PHASE_OPEN };

// A socket on its way under libuv's eyes. Lives until libuv has let go of it, which is after the socket is closed.
typedef struct watch {
    uv_poll_t poll; // first: libuv's pointer is ours
    apus_wire* wire;
    transport* owner; // NULL: nobody listens any more
    int events;
} watch;

// Where a recvmsg put its bytes and what it said.
typedef struct reading {
    ssize_t count;      // bytes; 0 at the end of the stream; -1 with `error`
    int error;          // errno, EAGAIN when nothing is there
    uint64_t kernel_ns; // realtime, 0 without a stamp
} reading;

// One attempt to have a connection, and the connection when it succeeds. A new one for each opening; it outlives its
// connection's interest while the resolver or the thread pool works with it (`busy`).
struct transport {
    apus_wire* wire;
    connection* owner; // NULL: to be freed when no longer busy
    transport* next;   // all transports of the wire
    watch* watch;
    SSL* ssl;
    int fd;
    uint8_t phase;
    bool busy;
    bool ready;       // there may be something to read
    bool direct;      // read without asking, and not in the epoll
    bool stream_end;  // TLS: the kernel has given its last byte
    uint32_t watched; // OPEN: the events that the epoll waits for
    bool self_read;   // the BIO reads the socket by itself (handshake)
    bool resumed;
    bool has_control; // receive stamps are on

    // TLS records as they came, not yet taken by OpenSSL.
    uint8_t* cipher;
    uint32_t cipher_start;
    uint32_t cipher_end;
    int32_t io_error; // errno of the BIO's newest failure
    uint64_t receive_ns;
    uint64_t kernel_ns;

    // Opening.
    uint64_t began_ns;
    uint64_t step_ns;             // when the present step began
    uint64_t deadline_ns;         // of the present phase
    uint64_t address_deadline_ns; // of the present address
    uint64_t resolve_ns;
    uint64_t connect_ns;
    uint64_t handshake_ns;
    uint32_t address_count;
    uint32_t address_next;
    int32_t last_error;
    int32_t handshake_error;       // SSL_ERROR_... of the newest step, or -1 when no SSL could be made
    unsigned long handshake_queue; // OpenSSL's error of it
    SSL_SESSION* ticket;           // to be used
    SSL_SESSION* fresh;            // received, not yet put away
    apus_endpoint endpoint;
    uv_getaddrinfo_t resolve;
    uv_work_t job;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
};

// A channel's place in the shell.
struct connection {
    apus_channel* channel;
    transport* transport; // NULL while CLOSED
    // The text for people: written by the hot thread, read by any. Odd sequence while it is written.
    uint64_t error_sequence;
    uint64_t error_words[ERROR_WORDS];
};

typedef struct served_session {
    apus_session* session;
    uint32_t first; // of its connections
    uint32_t count;
} served_session;

typedef struct ticket_entry {
    apus_endpoint endpoint;
    SSL_SESSION* session;
    uint32_t number; // counts tickets
} ticket_entry;

enum { LIFE_NEW, LIFE_RUNNING, LIFE_STOPPING, LIFE_STOPPED };

struct apus_wire {
    // Read in each turn.
    apus_clock clock;
    uint64_t house_ns;
    uint64_t loop_ns;
    uint64_t warm_ns;    // when the way out is to be warmed next
    warmer* warmer;      // NULL: it is not
    uint32_t loop_users; // transports that are not open, and watches
    uint32_t session_count;
    uint32_t connection_count;
    uint32_t open_count;
    uint32_t tls_count;    // of these
    int epoll;             // of the open connections
    bool looks_at_quiet;   // in this round, also those of which nothing is expected
    uint32_t next_session; // of the round under way
    uint32_t expecting;    // open connections met in this round that are not quiet
    uint32_t direct_left;  // of those that are still to come, how many are read without asking
    bool has_rings;
    uint8_t idle;
    uint32_t max_reads;
    uint32_t life; // LIFE_..., read by any thread
    apus_counters* counters;
    const uint64_t* allocated; // of the thread that runs the turns
    bool allocated_known;
    apus_private rings;
    served_session sessions[APUS_SESSIONS_MAX];

    // Now and then.
    apus_wire_config config;
    apus_public_header* header;
    apus_publisher* publisher;
    uint64_t heartbeat_ns;
    uint64_t discipline_ns;
    uint64_t stop_deadline_ns;
    int32_t stop_result;
    transport* transports;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_async_t async;
    uv_poll_t sockets; // the epoll, for a sleep
    SSL_CTX* tls;
    uint32_t ticket_turn;
    ticket_entry tickets[APUS_CONNECTIONS_MAX];

    // Between threads.
    uint32_t parked;
    uint32_t stop_asked;
    uint64_t stop_patience_ns; // written before stop_asked
    bool thread_runs;          // of the owner: a thread was made and not yet joined
    pthread_t thread;

    connection connections[APUS_CONNECTIONS_MAX];
};

static inline uint64_t wire_now(const apus_wire* wire) {
    return apus_clock_now(&wire->clock);
}

// wire_open.c
// Begins to perform want == OPEN.
void wire_open(apus_wire* wire, connection* c);
// Ends the connection, whatever it is doing: reports to the channel, lets the transport go.
void wire_close(connection* c, uint8_t reason, int32_t error);
// The transport can carry the channel's bytes.
void wire_opened(transport* t);
// Time-outs of transports that are not open.
void wire_open_deadlines(apus_wire* wire, uint64_t now_ns);
// The earliest of these time-outs, UINT64_MAX when there are none.
uint64_t wire_open_next_deadline(const apus_wire* wire);
// Watches the transport's socket for `events` (of uv_poll_event); 0 stops. Returns 0 or libuv's error.
int wire_watch(transport* t, int events);
void wire_unwatch(transport* t);
// Frees what a finished job has left over.
void wire_transport_idle(transport* t);
void wire_set_error(connection* c, const char* format, ...) __attribute__((format(printf, 2, 3)));

// wire_tls.c
int wire_tls_create(apus_wire* wire);
void wire_tls_destroy(apus_wire* wire);
void wire_tls_begin(transport* t);
// The socket is ready for the next step of the handshake.
void wire_tls_continue(transport* t);
// Puts a ticket away that has come in.
void wire_tls_keep(transport* t);
// Says in words and as closed_error why OpenSSL has failed.
int32_t wire_tls_verdict(transport* t, unsigned long queue, char* text, size_t bytes);

// wire_bio.c
// Reads from the socket with the kernel's stamp.
reading wire_receive(const transport* t, uint8_t* at, size_t space);
// The stamp on the monotonic scale, never after receive_ns.
uint64_t wire_stamp(const apus_wire* wire, const reading* r, uint64_t receive_ns);
// Fills the cipher buffer. Returns what recvmsg returned.
reading wire_fill(transport* t);
int wire_bio_attach(transport* t);
int wire_bio_create(void);

// wire_io.c
// Take what is there, at most the configured reads; return how much was done.
uint32_t wire_read(apus_wire* wire, connection* c, transport* t);
uint32_t wire_write(apus_wire* wire, connection* c, transport* t);
// Marks the transports that have something to read. One system call.
void wire_poll(apus_wire* wire);
// Tells the epoll what an open connection waits for, where that has changed. Returns 0 or a negative errno.
int wire_await(connection* c, transport* t);
// Sends what tx holds and TLS's goodbye, once, without waiting.
void wire_farewell(connection* c, transport* t);

// wire_warm.c
// Prepares what keeps the way out warm, where the config asks for it. Returns 0 or -ENOMEM.
int wire_warm_create(apus_wire* wire);
void wire_warm_destroy(apus_wire* wire);
// Sends as many bytes as an order has to nobody. Only with a warmer.
void wire_warm(apus_wire* wire, uint64_t now_ns);

// wire_run.c
// Lets libuv do what is there, without waiting.
void wire_run_loop(apus_wire* wire, uint64_t now_ns);

#endif
