#include "probe.h"

#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS_MAX 32
#define PING_BYTES 100u

typedef struct probed {
    apus_channel channel;
    uint64_t expected; // of the pattern
    uint64_t received;
    uint64_t wrong_bytes;
    uint64_t reads;
    uint64_t stamped;
    uint64_t newest_ns;
    uint64_t newest_total;
    uint64_t generation;
    uint64_t pings_left;
    uint64_t pongs;
    uint64_t open;
    size_t awaited; // bytes of the echo that are due
    bool stalled;
} probed;

struct probe {
    apus_session session; // first: the shell's pointer is ours
    apus_channel* pointers[CHANNELS_MAX];
    probed channels[CHANNELS_MAX];
    uint64_t starts;
    uint64_t turns;
    uint64_t stops;
    uint64_t commands;
    uint64_t newest_argument;
    uint64_t time_faults;
    uint64_t deadline_ns;
    bool open_at_start;
    bool refuses_stop;
};

static uint64_t get(const uint64_t* word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void set(uint64_t* word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static void add(uint64_t* word, uint64_t amount) {
    set(word, *word + amount);
}

static probe* of(const apus_session* session) {
    return (probe*)(void*)(uintptr_t)session;
}

// MARK: what the shell calls

static void start(apus_session* session, uint64_t now_ns) {
    (void)now_ns;
    probe* p = of(session);
    add(&p->starts, 1);
    for (uint32_t i = 0; p->open_at_start && i < session->channel_count; i++) {
        if (p->channels[i].channel.endpoint.port != 0) probe_open(p, i);
    }
}

static void check_times(probe* p, probed* c, uint64_t now_ns) {
    const apus_channel* channel = &c->channel;
    if (c->generation != channel->generation) {
        c->generation = channel->generation;
        c->newest_ns = 0;
        c->newest_total = 0;
    }
    if (channel->rx_total == c->newest_total) return;
    c->newest_total = channel->rx_total;
    add(&c->reads, 1);
    if (channel->kernel_ns != 0) add(&c->stamped, 1);
    bool wrong = channel->receive_ns < c->newest_ns || channel->receive_ns > now_ns
                 || channel->kernel_ns > channel->receive_ns || channel->receive_ns < channel->opened_ns;
    if (wrong) add(&p->time_faults, 1);
    c->newest_ns = channel->receive_ns;
}

static uint32_t take_bytes(probed* c) {
    apus_buffer* rx = &c->channel.rx;
    size_t size = apus_buffer_used(rx);
    if (size == 0 || c->stalled) return 0;
    uint64_t wrong = 0;
    for (size_t i = 0; i < size; i++)
        wrong += rx->base[rx->start + i] != peer_pattern(c->expected + i);
    rx->start = rx->end;
    c->expected += size;
    c->awaited -= size < c->awaited ? size : c->awaited;
    add(&c->wrong_bytes, wrong);
    add(&c->received, size);
    return 1;
}

static uint32_t play(probe* p, uint32_t i) {
    probed* c = &p->channels[i];
    if (c->channel.state != APUS_CHANNEL_OPEN || c->awaited > 0 || c->pings_left == 0) return 0;
    if (c->received > 0) add(&c->pongs, 1);
    if (--c->pings_left == 0) return 1; // the last wish was for the last echo
    c->awaited = probe_send(p, i, c->expected, PING_BYTES);
    return 1;
}

static uint32_t turn(apus_session* session, uint64_t now_ns) {
    probe* p = of(session);
    uint32_t work = 0;
    add(&p->turns, 1);
    if (now_ns >= p->deadline_ns) p->deadline_ns = UINT64_MAX;
    for (uint32_t i = 0; i < session->channel_count; i++) {
        probed* c = &p->channels[i];
        check_times(p, c, now_ns);
        work += take_bytes(c);
        work += play(p, i);
        set(&c->open, c->channel.state == APUS_CHANNEL_OPEN);
    }
    return work;
}

static uint64_t deadline(const apus_session* session) {
    return of(session)->deadline_ns;
}

static int command(apus_session* session, const apus_command* what, uint64_t now_ns) {
    (void)now_ns;
    set(&of(session)->newest_argument, what->argument);
    add(&of(session)->commands, 1);
    return 0;
}

static void stop(apus_session* session, uint64_t now_ns) {
    (void)now_ns;
    add(&of(session)->stops, 1);
    for (uint32_t i = 0; i < session->channel_count; i++)
        apus_channel_close(session->channels[i]);
}

static bool stopped(const apus_session* session) {
    if (of(session)->refuses_stop) return false;
    for (uint32_t i = 0; i < session->channel_count; i++) {
        if (session->channels[i]->state != APUS_CHANNEL_CLOSED) return false;
    }
    return true;
}

static const apus_session_ops operations = {"probe", start, turn, deadline, command, stop, stopped};

// MARK: making

probe* probe_make(uint32_t number, uint32_t channels, size_t rx_bytes, size_t tx_bytes) {
    probe* p = channels <= CHANNELS_MAX ? calloc(1, sizeof *p) : NULL;
    if (!p) return NULL;
    p->session =
        (apus_session){.ops = &operations, .channels = p->pointers, .channel_count = channels, .number = number};
    p->deadline_ns = UINT64_MAX;
    for (uint32_t i = 0; i < channels; i++) {
        p->pointers[i] = &p->channels[i].channel;
        uint8_t* rx = malloc(rx_bytes);
        uint8_t* tx = malloc(tx_bytes);
        if (!rx || !tx) abort();
        apus_channel_init(p->pointers[i], rx, rx_bytes, tx, tx_bytes);
    }
    return p;
}

void probe_free(probe* p) {
    for (uint32_t i = 0; i < p->session.channel_count; i++) {
        free(p->pointers[i]->rx.base);
        free(p->pointers[i]->tx.base);
    }
    free(p);
}

apus_session* probe_session(probe* p) {
    return &p->session;
}

apus_channel* probe_channel(probe* p, uint32_t channel) {
    return p->pointers[channel];
}

// MARK: telling

void probe_endpoint(probe* p, uint32_t channel, const char* host, uint16_t port, bool tls) {
    apus_endpoint* endpoint = &p->channels[channel].channel.endpoint;
    snprintf(endpoint->host, sizeof endpoint->host, "%s", host);
    endpoint->port = port;
    endpoint->tls = tls;
}

void probe_open(probe* p, uint32_t channel) {
    probed* c = &p->channels[channel];
    c->expected = 0;
    c->awaited = 0;
    set(&c->received, 0);
    set(&c->wrong_bytes, 0);
    apus_channel_open(&c->channel);
}

void probe_close(probe* p, uint32_t channel) {
    apus_channel_close(&p->channels[channel].channel);
}

void probe_open_at_start(probe* p) {
    p->open_at_start = true;
}

size_t probe_send(probe* p, uint32_t channel, uint64_t from, size_t count) {
    apus_buffer* tx = &p->channels[channel].channel.tx;
    size_t room = tx->capacity - apus_buffer_used(tx);
    if (count > room) count = room;
    uint8_t* at = apus_buffer_room(tx, count);
    for (size_t i = 0; i < count; i++)
        at[i] = peer_pattern(from + i);
    tx->end += count;
    return count;
}

void probe_stall(probe* p, uint32_t channel, bool on) {
    p->channels[channel].stalled = on;
}

void probe_ping(probe* p, uint32_t channel, uint64_t count) {
    p->channels[channel].pings_left = count + 1;
}

void probe_refuse_stop(probe* p) {
    p->refuses_stop = true;
}

void probe_deadline(probe* p, uint64_t deadline_ns) {
    p->deadline_ns = deadline_ns;
}

// MARK: looking

uint64_t probe_starts(const probe* p) {
    return get(&p->starts);
}
uint64_t probe_turns(const probe* p) {
    return get(&p->turns);
}
uint64_t probe_stops(const probe* p) {
    return get(&p->stops);
}
uint64_t probe_commands(const probe* p) {
    return get(&p->commands);
}
uint64_t probe_newest_argument(const probe* p) {
    return get(&p->newest_argument);
}
uint64_t probe_pongs(const probe* p, uint32_t channel) {
    return get(&p->channels[channel].pongs);
}
uint64_t probe_received(const probe* p, uint32_t channel) {
    return get(&p->channels[channel].received);
}
uint64_t probe_wrong_bytes(const probe* p, uint32_t channel) {
    return get(&p->channels[channel].wrong_bytes);
}
uint64_t probe_reads(const probe* p, uint32_t channel) {
    return get(&p->channels[channel].reads);
}
uint64_t probe_stamped(const probe* p, uint32_t channel) {
    return get(&p->channels[channel].stamped);
}
uint64_t probe_time_faults(const probe* p) {
    return get(&p->time_faults);
}
uint64_t probe_opened(const probe* p, uint32_t channel) {
    return get(&p->channels[channel].open);
}
