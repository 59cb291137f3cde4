// The engine's link and shell as a client of the Autobahn suite: asks for the number of cases, echoes in each of them what
// it is told, and asks for the report.
//
//     ApusAutobahn HOST PORT AGENT
//
// Exits 0 when every case was run (how they went is in the server's report), 1 when the server could not be reached.
#include "CApusProtocol.h"
#include "CApusWire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Cases 9.* send messages of up to 16 MiB.
#define MESSAGE_BYTES (16u << 20)
#define RX_BYTES (MESSAGE_BYTES + APUS_WS_OVERHEAD + APUS_PADDING)
#define TX_BYTES (2 * MESSAGE_BYTES)
#define CONNECT_TRIES 3

enum { STEP_COUNT, STEP_CASE, STEP_REPORT, STEP_DONE };

typedef struct echo_session {
    apus_session session; // first: the shell's pointer is ours
    apus_channel channel;
    apus_channel* channels[1];
    apus_link link;
    const char* agent;
    long cases;
    long current;
    int step;
    int failures; // to connect, in a row
    int error;
} echo_session;

static echo_session* of(const apus_session* session) {
    return (echo_session*)(void*)(uintptr_t)session;
}

static void give_up(echo_session* echo, const char* what, uint64_t now_ns) {
    fprintf(stderr, "ApusAutobahn: %s (case %ld)\n", what, echo->current);
    echo->error = 1;
    echo->step = STEP_DONE;
    apus_link_stop(&echo->link, now_ns);
}

static void begin_step(echo_session* echo, uint64_t now_ns) {
    char path[APUS_PATH_BYTES];
    switch (echo->step) {
    case STEP_COUNT:
        snprintf(path, sizeof path, "/getCaseCount");
        break;
    case STEP_CASE:
        snprintf(path, sizeof path, "/runCase?case=%ld&agent=%s", echo->current, echo->agent);
        break;
    case STEP_REPORT:
        snprintf(path, sizeof path, "/updateReports?agent=%s", echo->agent);
        break;
    default:
        return;
    }
    if (apus_link_set_path(&echo->link, path) != 0)
        give_up(echo, "the agent's name does not fit into a path", now_ns);
    else
        apus_link_start(&echo->link, now_ns);
}

static void next_step(echo_session* echo, uint64_t now_ns) {
    if (echo->step == STEP_COUNT && echo->cases == 0) {
        give_up(echo, "the server did not say how many cases it has", now_ns);
        return;
    }
    if (echo->step == STEP_COUNT || (echo->step == STEP_CASE && echo->current < echo->cases)) {
        echo->step = STEP_CASE;
        echo->current++;
    } else {
        echo->step = echo->step == STEP_CASE ? STEP_REPORT : STEP_DONE;
    }
    begin_step(echo, now_ns);
}

static void take_message(echo_session* echo, int kind, const apus_ws_item* message, uint64_t now_ns) {
    if (echo->step == STEP_COUNT) {
        char digits[16] = "";
        if (message->size < sizeof digits) memcpy(digits, message->data, message->size);
        echo->cases = strtol(digits, NULL, 10);
        return;
    }
    int result = kind == APUS_WS_TEXT ? apus_link_send_text(&echo->link, message->data, message->size)
                                      : apus_link_send_binary(&echo->link, message->data, message->size);
    // A message that comes behind the peer's close frame has nobody who waits for its echo.
    if (result == -ENOBUFS) give_up(echo, "the send buffer is full", now_ns);
}

static void take_change(echo_session* echo, const apus_link_change* change, uint64_t now_ns) {
    switch (change->state) {
    case APUS_LINK_OPEN:
        echo->failures = 0;
        break;
    case APUS_LINK_CLOSING:
        apus_link_stop(&echo->link, now_ns);
        break;
    case APUS_LINK_WAITING:
        if (change->reason == APUS_REASON_CONNECT_FAILED && ++echo->failures < CONNECT_TRIES) break;
        if (echo->failures > 0)
            give_up(echo, "cannot connect", now_ns);
        else
            apus_link_stop(&echo->link, now_ns);
        break;
    case APUS_LINK_IDLE:
        if (echo->step != STEP_DONE) next_step(echo, now_ns);
        break;
    default:
        break;
    }
}

// MARK: what the shell calls

static void start(apus_session* session, uint64_t now_ns) {
    begin_step(of(session), now_ns);
}

static uint32_t turn(apus_session* session, uint64_t now_ns) {
    echo_session* echo = of(session);
    apus_ws_item message;
    apus_link_change change;
    uint32_t work = 0;
    int kind;
    while ((kind = apus_link_next(&echo->link, now_ns, &message)) > 0) {
        take_message(echo, kind, &message, now_ns);
        work++;
    }
    apus_link_tick(&echo->link, now_ns);
    while (apus_link_poll_change(&echo->link, &change)) {
        take_change(echo, &change, now_ns);
        work++;
    }
    return work;
}

static uint64_t deadline(const apus_session* session) {
    return apus_link_deadline(&of(session)->link);
}

static int command(apus_session* session, const apus_command* what, uint64_t now_ns) {
    (void)session;
    (void)what;
    (void)now_ns;
    return -ENOTSUP;
}

static void stop(apus_session* session, uint64_t now_ns) {
    of(session)->step = STEP_DONE;
    apus_link_stop(&of(session)->link, now_ns);
}

static bool stopped(const apus_session* session) {
    return of(session)->link.state == APUS_LINK_IDLE;
}

static const apus_session_ops operations = {"echo", start, turn, deadline, command, stop, stopped};

// MARK: composition

static int prepare(echo_session* echo, const char* host, const char* port, const char* agent) {
    uint8_t* rx = malloc(RX_BYTES);
    uint8_t* tx = malloc(TX_BYTES);
    if (!rx || !tx) return -ENOMEM;
    echo->session = (apus_session){.ops = &operations, .channels = echo->channels, .channel_count = 1};
    echo->channels[0] = &echo->channel;
    echo->agent = agent;
    apus_channel_init(&echo->channel, rx, RX_BYTES, tx, TX_BYTES);
    snprintf(echo->channel.endpoint.host, sizeof echo->channel.endpoint.host, "%s", host);
    echo->channel.endpoint.port = (uint16_t)strtoul(port, NULL, 10);
    apus_link_config config;
    apus_link_config_default(&config);
    config.max_message_bytes = MESSAGE_BYTES;
    apus_random random;
    apus_random_seed(&random, apus_clock_monotonic());
    return apus_link_init(&echo->link, &echo->channel, &config, "/getCaseCount", &random);
}

int main(int count, char** arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: ApusAutobahn HOST PORT AGENT\n");
        return 2;
    }
    static echo_session echo;
    int result = prepare(&echo, arguments[1], arguments[2], arguments[3]);
    apus_wire* wire = NULL;
    apus_wire_config config;
    apus_wire_config_default(&config);
    config.idle = APUS_IDLE_PARK;
    if (result == 0) result = apus_wire_create(&wire, &config, NULL, NULL);
    if (result == 0) result = apus_wire_add(wire, &echo.session);
    if (result != 0) {
        fprintf(stderr, "ApusAutobahn: cannot start: %s\n", strerror(-result));
        return 1;
    }
    while (echo.step != STEP_DONE || echo.link.state != APUS_LINK_IDLE) {
        if (apus_wire_turn(wire) == 0) apus_wire_park(wire, UINT64_MAX);
    }
    char text[APUS_WIRE_ERROR_BYTES];
    if (echo.error && apus_wire_channel_error(wire, &echo.channel, text, sizeof text) == 0 && text[0])
        fprintf(stderr, "ApusAutobahn: %s\n", text);
    apus_wire_destroy(wire);
    free(echo.channel.rx.base);
    free(echo.channel.tx.base);
    printf("ApusAutobahn: %ld of %ld cases run\n", echo.current, echo.cases);
    return echo.error;
}
