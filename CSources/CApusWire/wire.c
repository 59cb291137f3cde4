// The turn: sessions, commands, time, the end.
//
//   NEW ─ first turn: session->start ─▶ RUNNING ─ STOP, stop flag, apus_wire_stop: session->stop ─▶ STOPPING
//                                                                                                      │
//                        STOPPED ◀─ every session stopped, or no patience left: what is open is closed ┘
#include "wire_internal.h"

#include <errno.h>
#include <string.h>

static void set_life(apus_wire* wire, uint32_t life) {
    __atomic_store_n(&wire->life, life, __ATOMIC_RELEASE);
}

// MARK: one session

// Says for this round how a connection is read, and whether it is to be read now.
static bool is_due(apus_wire* wire, const connection* c, transport* t) {
    bool quiet = c->channel->quiet;
    wire->expecting += !quiet;
    t->direct = wire->idle != APUS_IDLE_PARK && (quiet || wire->direct_left > 0);
    if (!t->direct) return t->ready;
    if (quiet) return t->ready || wire->looks_at_quiet;
    wire->direct_left--;
    return true;
}

static uint32_t read_channels(apus_wire* wire, connection* first, uint32_t count) {
    uint32_t work = 0;
    for (uint32_t i = 0; i < count; i++) {
        transport* t = first[i].transport;
        if (t && t->phase == PHASE_OPEN && is_due(wire, &first[i], t)) work += wire_read(wire, &first[i], t);
    }
    return work;
}

static uint32_t await(connection* c, transport* t) {
    int result = wire_await(c, t);
    if (result == 0) return 0;
    wire_set_error(c, "cannot watch a connection: %s", strerror(-result));
    wire_close(c, APUS_CLOSED_IO, -result);
    return 1;
}

// Does what the session wants of its channels.
static uint32_t serve_channels(apus_wire* wire, connection* first, uint32_t count) {
    uint32_t work = 0;
    for (uint32_t i = 0; i < count; i++) {
        connection* c = &first[i];
        apus_channel* channel = c->channel;
        if (channel->want != APUS_WANT_NOTHING) {
            if (channel->want == APUS_WANT_OPEN && channel->state == APUS_CHANNEL_CLOSED) {
                wire_open(wire, c);
                work++;
            } else if (channel->want == APUS_WANT_CLOSE && channel->state != APUS_CHANNEL_CLOSED) {
                if (channel->state == APUS_CHANNEL_OPEN) wire_farewell(c, c->transport);
                wire_close(c, APUS_CLOSED_ASKED, 0);
                work++;
            }
        }
        transport* t = c->transport;
        if (!t || t->phase != PHASE_OPEN) continue;
        if (channel->tx.start < channel->tx.end) work += wire_write(wire, c, t);
        if (c->transport) work += await(c, c->transport);
    }
    return work;
}

static uint32_t serve_session(apus_wire* wire, const served_session* served, uint64_t now_ns) {
    connection* first = &wire->connections[served->first];
    uint32_t work = read_channels(wire, first, served->count);
    // The session must not see a read that lies after its own present.
    if (work > 0) now_ns = wire_now(wire);
    work += served->session->ops->turn(served->session, now_ns);
    return work + serve_channels(wire, first, served->count);
}

// MARK: commands and the end

static void begin_stop(apus_wire* wire, uint64_t now_ns, uint64_t patience_ns) {
    wire->stop_deadline_ns = patience_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + patience_ns;
    for (uint32_t i = 0; i < wire->session_count; i++) {
        apus_session* session = wire->sessions[i].session;
        session->ops->stop(session, now_ns);
    }
    set_life(wire, LIFE_STOPPING);
}

static void close_everything(apus_wire* wire) {
    for (uint32_t i = 0; i < wire->connection_count; i++) {
        connection* c = &wire->connections[i];
        if (c->channel->state == APUS_CHANNEL_CLOSED) {
            apus_channel_close(c->channel); // takes back an opening that was not begun
            continue;
        }
        if (c->channel->state == APUS_CHANNEL_OPEN) wire_farewell(c, c->transport);
        wire_close(c, APUS_CLOSED_ASKED, 0);
    }
}

static void finish(apus_wire* wire, int32_t result) {
    close_everything(wire);
    wire->stop_result = result;
    set_life(wire, LIFE_STOPPED);
}

static bool sessions_stopped(const apus_wire* wire) {
    for (uint32_t i = 0; i < wire->session_count; i++) {
        const apus_session* session = wire->sessions[i].session;
        if (!session->ops->stopped(session)) return false;
    }
    return true;
}

static uint32_t take_command(apus_wire* wire, const apus_command* command, uint64_t now_ns) {
    if (command->kind == APUS_COMMAND_STOP) {
        if (wire->life == LIFE_RUNNING) begin_stop(wire, now_ns, STOP_PATIENCE_NS);
        return 1;
    }
    for (uint32_t i = 0; i < wire->session_count; i++) {
        apus_session* session = wire->sessions[i].session;
        // What a session answers is its own affair: it says so in its events.
        if (session->number == command->session) session->ops->command(session, command, now_ns);
    }
    return 1;
}

static uint32_t take_commands(apus_wire* wire, uint64_t now_ns) {
    uint32_t work = 0;
    apus_command command;
    while (apus_command_pop(wire->rings.commands, &command))
        work += take_command(wire, &command, now_ns);
    if (wire->life == LIFE_RUNNING && apus_flag(wire->rings.stop)) {
        begin_stop(wire, now_ns, STOP_PATIENCE_NS);
        work++;
    }
    return work;
}

// A stop that apus_wire_stop asks for; it may also shorten the patience of one that is under way.
static uint32_t look_at_stop(apus_wire* wire, uint64_t now_ns) {
    if (__atomic_load_n(&wire->stop_asked, __ATOMIC_ACQUIRE) != 1) return 0;
    __atomic_store_n(&wire->stop_asked, 2, __ATOMIC_RELAXED);
    uint64_t patience = wire->stop_patience_ns;
    if (wire->life == LIFE_RUNNING)
        begin_stop(wire, now_ns, patience);
    else if (patience < wire->stop_deadline_ns - now_ns)
        wire->stop_deadline_ns = now_ns + patience;
    return 1;
}

// MARK: time

static void count_allocations(apus_wire* wire) {
    if (!wire->allocated_known) wire->allocated = apus_thread_allocated();
    wire->allocated_known = true;
    if (wire->counters == NULL) return;
    __atomic_store_n(&wire->counters->hot[APUS_COUNT_HOT_ALLOCATED], apus_allocated_mark(wire->allocated),
                     __ATOMIC_RELAXED);
}

static void keep_house(apus_wire* wire, uint64_t now_ns) {
    wire->house_ns = now_ns + HOUSE_INTERVAL_NS;
    wire->looks_at_quiet = true;
    count_allocations(wire);
    if (now_ns >= wire->heartbeat_ns) {
        wire->heartbeat_ns = now_ns + HEARTBEAT_INTERVAL_NS;
        if (wire->header) __atomic_store_n(&wire->header->heartbeat_ns, now_ns, __ATOMIC_RELEASE);
    }
    if (now_ns >= wire->discipline_ns) {
        wire->discipline_ns = now_ns + DISCIPLINE_INTERVAL_NS;
        apus_clock_discipline(&wire->clock);
        if (wire->publisher) wire->publisher->realtime_offset = wire->clock.realtime_offset;
    }
    if (wire->loop_users > 0) wire_open_deadlines(wire, now_ns);
}

static void start_sessions(apus_wire* wire, uint64_t now_ns) {
    for (uint32_t i = 0; i < wire->session_count; i++) {
        apus_session* session = wire->sessions[i].session;
        session->ops->start(session, now_ns);
    }
    set_life(wire, LIFE_RUNNING);
}

// MARK: rounds

static void begin_round(apus_wire* wire) {
    bool few = wire->expecting <= APUS_WIRE_DIRECT_MAX;
    if (!few || wire->idle == APUS_IDLE_PARK) wire_poll(wire);
    wire->direct_left = few ? APUS_WIRE_DIRECT_MAX : 1;
    wire->expecting = 0;
}

// Goes on with the round up to the first session that does something. So what it has published is decided on, and an order that
// follows leaves, before sockets are read in vain.
static uint32_t serve_next(apus_wire* wire, uint64_t now_ns) {
    uint32_t work = 0;
    if (wire->next_session == 0) begin_round(wire);
    while (wire->next_session < wire->session_count && work == 0)
        work += serve_session(wire, &wire->sessions[wire->next_session++], now_ns);
    if (wire->next_session >= wire->session_count) {
        wire->next_session = 0;
        wire->looks_at_quiet = false;
    }
    return work;
}

uint32_t apus_wire_turn(apus_wire* wire) {
    if (wire->life == LIFE_STOPPED) return 0;
    uint64_t now = wire_now(wire);
    uint32_t work = 0;
    if (wire->life == LIFE_NEW) start_sessions(wire, now);
    if (now >= wire->house_ns) keep_house(wire, now);
    if (wire->loop_users > 0 && now >= wire->loop_ns) wire_run_loop(wire, now);
    if (wire->has_rings) work += take_commands(wire, now);
    work += look_at_stop(wire, now);
    work += serve_next(wire, now);
    if (work == 0 && wire->warmer && now >= wire->warm_ns && wire->open_count > 0) wire_warm(wire, now);
    if (wire->counters) apus_count(&wire->counters->hot[APUS_COUNT_TURNS], 1);
    if (wire->life == LIFE_STOPPING) {
        if (sessions_stopped(wire))
            finish(wire, 0);
        else if (now >= wire->stop_deadline_ns)
            finish(wire, -ETIMEDOUT);
    }
    return work;
}
