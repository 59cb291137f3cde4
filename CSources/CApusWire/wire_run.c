// Making and freeing, threads, sleeping, waking.
#include "wire_internal.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

void apus_wire_config_default(apus_wire_config* config) {
    *config = (apus_wire_config){
        .connect_timeout_ns = 5000000000ull,
        .handshake_timeout_ns = 5000000000ull,
        .cpu = -1,
        .max_reads = 16,
        .idle = APUS_IDLE_SPIN,
        .warm_interval_ns = 2000000,
        .receive_stamps = true,
        .resume_sessions = true,
    };
}

// MARK: making

static bool config_works(const apus_wire_config* config) {
    return config->connect_timeout_ns != 0 && config->handshake_timeout_ns != 0 && config->max_reads != 0
           && config->idle <= APUS_IDLE_PARK && config->cpu >= -1 && config->cpu < CPU_SETSIZE;
}

static void nothing_to_do(uv_work_t* job) {
    (void)job;
}

static void async_woke(uv_async_t* async) {
    (void)async;
}

static void sockets_ready(uv_poll_t* poll, int status, int events) {
    (void)poll;
    (void)status;
    (void)events;
}

static void timer_rang(uv_timer_t* timer) {
    (void)timer;
}

// The pool's threads are made by its first job and inherit that thread's processors: better those of whoever makes the
// shell than the one processor of the hot thread.
static int start_pool(uv_loop_t* loop) {
    uv_work_t job;
    int result = uv_queue_work(loop, &job, nothing_to_do, NULL);
    if (result == 0) uv_run(loop, UV_RUN_DEFAULT);
    return result;
}

// The epoll of the open connections is itself watched by the loop, so that a sleep ends when one of them has something.
static int make_handles(apus_wire* wire) {
    int result = uv_async_init(&wire->loop, &wire->async, async_woke);
    if (result != 0) return result;
    uv_timer_init(&wire->loop, &wire->timer);
    result = uv_poll_init(&wire->loop, &wire->sockets, wire->epoll);
    if (result == 0) return uv_poll_start(&wire->sockets, UV_READABLE, sockets_ready);
    uv_close((uv_handle_t*)(void*)&wire->async, NULL);
    uv_close((uv_handle_t*)(void*)&wire->timer, NULL);
    uv_run(&wire->loop, UV_RUN_DEFAULT);
    return result;
}

static int make_loop(apus_wire* wire) {
    wire->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (wire->epoll < 0) return -errno;
    int result = uv_loop_init(&wire->loop);
    if (result == 0) {
        result = start_pool(&wire->loop);
        if (result == 0) result = make_handles(wire);
        if (result != 0) uv_loop_close(&wire->loop);
    }
    if (result != 0) close(wire->epoll);
    return result;
}

static void close_loop(apus_wire* wire) {
    uv_close((uv_handle_t*)(void*)&wire->sockets, NULL);
    uv_close((uv_handle_t*)(void*)&wire->timer, NULL);
    uv_close((uv_handle_t*)(void*)&wire->async, NULL);
    // Ends when the last watch, job and lookup has ended.
    uv_run(&wire->loop, UV_RUN_DEFAULT);
    uv_loop_close(&wire->loop);
    close(wire->epoll);
}

int apus_wire_create(apus_wire** out, const apus_wire_config* config, apus_public* view, apus_private* rings) {
    *out = NULL;
    if (!config_works(config)) return -EINVAL;
    apus_wire* wire = aligned_alloc(APUS_CACHE_LINE, (sizeof *wire + APUS_CACHE_LINE - 1) & ~(APUS_CACHE_LINE - 1ul));
    if (!wire) return -ENOMEM;
    memset(wire, 0, sizeof *wire);
    wire->config = *config;
    wire->idle = config->idle;
    wire->max_reads = config->max_reads;
    if (view) {
        wire->header = view->header;
        wire->counters = view->counters;
    }
    if (rings) {
        wire->rings = *rings;
        wire->has_rings = true;
    }
    int result = wire_tls_create(wire);
    wire->config.ca_file = NULL; // it has been read, and belongs to the caller
    if (result == 0) result = wire_warm_create(wire);
    if (result == 0) result = make_loop(wire);
    if (result != 0) {
        wire_warm_destroy(wire);
        wire_tls_destroy(wire);
        free(wire);
        return result;
    }
    apus_clock_start(&wire->clock);
    *out = wire;
    return 0;
}

int apus_wire_add(apus_wire* wire, apus_session* session) {
    if (wire->thread_runs || wire->life != LIFE_NEW) return -EBUSY;
    if (wire->session_count == APUS_SESSIONS_MAX) return -ENOSPC;
    if (session->channel_count > APUS_CONNECTIONS_MAX - wire->connection_count) return -ENOSPC;
    wire->sessions[wire->session_count++] = (served_session){session, wire->connection_count, session->channel_count};
    for (uint32_t i = 0; i < session->channel_count; i++)
        wire->connections[wire->connection_count++].channel = session->channels[i];
    return 0;
}

void apus_wire_set_publisher(apus_wire* wire, apus_publisher* publisher) {
    wire->publisher = publisher;
}

const apus_clock* apus_wire_clock(const apus_wire* wire) {
    return &wire->clock;
}

// MARK: sleeping and waking

void wire_run_loop(apus_wire* wire, uint64_t now_ns) {
    wire->loop_ns = now_ns + LOOP_INTERVAL_NS;
    uv_run(&wire->loop, UV_RUN_NOWAIT);
}

static uint64_t next_deadline(const apus_wire* wire) {
    uint64_t next = wire->heartbeat_ns;
    if (wire->discipline_ns < next) next = wire->discipline_ns;
    for (uint32_t i = 0; i < wire->session_count; i++) {
        const apus_session* session = wire->sessions[i].session;
        uint64_t deadline = session->ops->deadline(session);
        if (deadline < next) next = deadline;
    }
    uint64_t opening = wire_open_next_deadline(wire);
    if (opening < next) next = opening;
    if (wire->life == LIFE_STOPPING && wire->stop_deadline_ns < next) next = wire->stop_deadline_ns;
    return next;
}

static void sleep_until(apus_wire* wire, uint64_t deadline_ns) {
    uint64_t now = wire_now(wire);
    if (deadline_ns <= now) return;
    uv_update_time(&wire->loop);
    uv_timer_start(&wire->timer, timer_rang, (deadline_ns - now + 999999) / 1000000, 0);
    uv_run(&wire->loop, UV_RUN_ONCE);
    uv_timer_stop(&wire->timer);
    // Time-outs that ended the sleep are looked at in the next turn, not a millisecond later.
    wire->house_ns = 0;
}

void apus_wire_park(apus_wire* wire, uint64_t timeout_ns) {
    if (wire->idle != APUS_IDLE_PARK || wire->life == LIFE_STOPPED) return;
    uint64_t limit = wire_now(wire);
    limit = timeout_ns > UINT64_MAX - limit ? UINT64_MAX : limit + timeout_ns;
    // Whoever pushes an order sees `parked`, or this turn sees the order: both sides write, then fence, then read.
    __atomic_store_n(&wire->parked, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (apus_wire_turn(wire) == 0 && wire->life != LIFE_STOPPED) {
        uint64_t next = next_deadline(wire);
        sleep_until(wire, next < limit ? next : limit);
    }
    __atomic_store_n(&wire->parked, 0, __ATOMIC_RELAXED);
}

void apus_wire_wake(apus_wire* wire) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&wire->parked, __ATOMIC_RELAXED)) uv_async_send(&wire->async);
}

static void idle(apus_wire* wire) {
    switch (wire->idle) {
    case APUS_IDLE_YIELD:
        sched_yield();
        break;
    case APUS_IDLE_PARK:
        apus_wire_park(wire, UINT64_MAX);
        break;
    default:
        break;
    }
}

// MARK: the thread

static void* run(void* argument) {
    apus_wire* wire = argument;
    while (wire->life != LIFE_STOPPED) {
        if (apus_wire_turn(wire) == 0) idle(wire);
    }
    return NULL;
}

int apus_wire_start(apus_wire* wire) {
    if (wire->thread_runs || wire->life != LIFE_NEW) return -EBUSY;
    pthread_attr_t attributes;
    int result = pthread_attr_init(&attributes);
    if (result != 0) return -result;
    if (wire->config.cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET((size_t)wire->config.cpu, &cpus);
        result = pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
    }
    // The thread inherits a mask without signals: they belong to the threads of the program.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (result == 0) result = pthread_create(&wire->thread, &attributes, run, wire);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (result != 0) return -result;
    pthread_setname_np(wire->thread, "apus-hot");
    wire->thread_runs = true;
    return 0;
}

bool apus_wire_stopped(const apus_wire* wire) {
    return __atomic_load_n(&wire->life, __ATOMIC_ACQUIRE) == LIFE_STOPPED;
}

int apus_wire_stop(apus_wire* wire, uint64_t timeout_ns) {
    if (!apus_wire_stopped(wire)) {
        wire->stop_patience_ns = timeout_ns;
        __atomic_store_n(&wire->stop_asked, 1, __ATOMIC_RELEASE);
        apus_wire_wake(wire);
    }
    if (wire->thread_runs) {
        pthread_join(wire->thread, NULL);
        wire->thread_runs = false;
    }
    while (!apus_wire_stopped(wire)) {
        if (apus_wire_turn(wire) > 0) continue;
        if (wire->idle == APUS_IDLE_PARK)
            apus_wire_park(wire, UINT64_MAX);
        else
            sched_yield();
    }
    return wire->stop_result;
}

void apus_wire_destroy(apus_wire* wire) {
    if (!wire) return;
    if (wire->thread_runs || wire->life != LIFE_NEW) apus_wire_stop(wire, 0);
    close_loop(wire);
    wire_warm_destroy(wire);
    wire_tls_destroy(wire);
    free(wire);
}

// MARK: looking in from outside

static const connection* find(const apus_wire* wire, const apus_channel* channel) {
    for (uint32_t i = 0; i < wire->connection_count; i++) {
        if (wire->connections[i].channel == channel) return &wire->connections[i];
    }
    return NULL;
}

int apus_wire_channel_error(const apus_wire* wire, const apus_channel* channel, char* text, size_t bytes) {
    const connection* c = find(wire, channel);
    if (!c) return -ENOENT;
    if (bytes == 0) return 0;
    union {
        char text[APUS_WIRE_ERROR_BYTES];
        uint64_t words[ERROR_WORDS];
    } copy;
    for (uint32_t attempt = 0; attempt < APUS_BOARD_READ_TRIES; attempt++) {
        uint64_t before = __atomic_load_n(&c->error_sequence, __ATOMIC_ACQUIRE);
        if (before & 1) continue;
        apus_words_load(copy.words, c->error_words, ERROR_WORDS);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&c->error_sequence, __ATOMIC_RELAXED) != before) continue;
        snprintf(text, bytes, "%s", copy.text);
        return 0;
    }
    return -EAGAIN;
}

static void describe_peer(const transport* t, apus_wire_connection_info* info) {
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    char host[INET6_ADDRSTRLEN] = "";
    if (getpeername(t->fd, (struct sockaddr*)(void*)&peer, &size) != 0) return;
    const struct sockaddr_in6* v6 = (const struct sockaddr_in6*)(const void*)&peer;
    const struct sockaddr_in* v4 = (const struct sockaddr_in*)(const void*)&peer;
    if (peer.ss_family == AF_INET6) {
        uv_ip6_name(v6, host, sizeof host);
        snprintf(info->address, sizeof info->address, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        uv_ip4_name(v4, host, sizeof host);
        snprintf(info->address, sizeof info->address, "%s:%u", host, ntohs(v4->sin_port));
    }
}

int apus_wire_channel_info(const apus_wire* wire, const apus_channel* channel, apus_wire_connection_info* info) {
    const connection* c = find(wire, channel);
    if (!c) return -ENOENT;
    memset(info, 0, sizeof *info);
    const transport* t = c->transport;
    if (!t || t->phase != PHASE_OPEN) return 0;
    info->open = true;
    info->tls = t->ssl != NULL;
    info->resumed = t->resumed;
    info->resolve_ns = t->resolve_ns;
    info->connect_ns = t->connect_ns;
    info->handshake_ns = t->handshake_ns;
    if (t->ssl) {
        snprintf(info->protocol, sizeof info->protocol, "%s", SSL_get_version(t->ssl));
        snprintf(info->cipher, sizeof info->cipher, "%s", SSL_get_cipher_name(t->ssl));
    }
    describe_peer(t, info);
    return 0;
}
