// The life of a connection, with a shell and a server played by the test and time that moves only when told.
#include "check.h"

#include "apus_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ull

enum { MESSAGE = 4096, TX = 8192 };

typedef struct stage {
    apus_channel channel;
    apus_link link;
    uint8_t* rx;
    uint8_t* tx;
    uint64_t now;
    uint64_t waited_ns;  // of the newest WAITING
    char changes[1024];  // "state/reason/code " one after another
    char messages[1024]; // "text;" one after another
} stage;

static stage* make(uint64_t seed) {
    stage* self = check_memory(sizeof *self);
    size_t rx_bytes = MESSAGE + APUS_WS_OVERHEAD + APUS_PADDING;
    self->rx = check_memory(rx_bytes);
    self->tx = check_memory(TX);
    self->now = 1000 * SECOND;
    apus_channel_init(&self->channel, self->rx, rx_bytes, self->tx, TX);
    snprintf(self->channel.endpoint.host, sizeof self->channel.endpoint.host, "venue.example");
    self->channel.endpoint.port = 443;
    self->channel.endpoint.tls = true;
    apus_link_config config;
    apus_link_config_default(&config);
    config.max_message_bytes = MESSAGE;
    apus_random random;
    apus_random_seed(&random, seed);
    CHECK_EQUAL(apus_link_init(&self->link, &self->channel, &config, "/stream", &random), 0);
    return self;
}

static void end(stage* self) {
    free(self->rx);
    free(self->tx);
    free(self);
}

static void turn(stage* self) {
    apus_ws_item item;
    int kind;
    while ((kind = apus_link_next(&self->link, self->now, &item)) > 0) {
        size_t used = strlen(self->messages);
        snprintf(self->messages + used, sizeof self->messages - used, "%.*s;", (int)item.size, (const char*)item.data);
    }
    apus_link_tick(&self->link, self->now);
    apus_link_change change;
    while (apus_link_poll_change(&self->link, &change)) {
        size_t used = strlen(self->changes);
        snprintf(self->changes + used, sizeof self->changes - used, "%u/%u/%u ", change.state, change.reason,
                 change.code);
        if (change.state == APUS_LINK_WAITING) self->waited_ns = change.wait_ns;
    }
}

static void receive(stage* self, const void* bytes, size_t size) {
    uint8_t* to;
    CHECK(apus_channel_space(&self->channel, &to) >= size);
    memcpy(to, bytes, size);
    apus_channel_received(&self->channel, size, self->now, 0);
    turn(self);
}

// What the link has sent since the last call, as a text in place.
static size_t sent(stage* self, char* out, size_t room) {
    const uint8_t* bytes;
    size_t count = apus_channel_pending(&self->channel, &bytes);
    CHECK(count < room);
    memcpy(out, bytes, count);
    out[count] = 0;
    apus_channel_sent(&self->channel, count, self->now);
    return count;
}

static void perform(stage* self) {
    if (self->channel.want == APUS_WANT_OPEN) {
        apus_channel_opening(&self->channel);
    } else if (self->channel.want == APUS_WANT_CLOSE) {
        apus_channel_closed(&self->channel, APUS_CLOSED_ASKED, 0);
    }
    turn(self);
}

static void reach_open(stage* self) {
    static const char head[] = "GET /stream HTTP/1.1\r\nHost: venue.example\r\nUpgrade: websocket\r\n";
    char request[2048], answer[256];
    perform(self);
    apus_channel_opened(&self->channel, self->now);
    turn(self);
    CHECK(sent(self, request, sizeof request) > 0);
    CHECK_TEXT(request, strlen(head), head);
    CHECK(strstr(request, self->link.upgrade.key) != NULL);
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x05hello\x81",
                          self->link.upgrade.accept);
    receive(self, answer, (size_t)length);
    receive(self, "\x03two", 4);
}

static void a_whole_life(void) {
    stage* self = make(1);
    CHECK(apus_link_deadline(&self->link) == UINT64_MAX);
    apus_link_start(&self->link, self->now);
    turn(self);
    reach_open(self);
    CHECK_TEXT(self->messages, strlen(self->messages), "hello;two;");
    // A ping is answered with the same payload, masked.
    char out[256];
    receive(self, "\x89\x02hi", 4);
    CHECK_EQUAL(sent(self, out, sizeof out), 8);
    CHECK((uint8_t)out[0] == 0x8A && (uint8_t)out[1] == 0x82);
    CHECK((out[6] ^ out[2]) == 'h' && (out[7] ^ out[3]) == 'i');
    apus_link_stop(&self->link, self->now);
    turn(self);
    CHECK_EQUAL(sent(self, out, sizeof out), 8);
    CHECK((uint8_t)out[0] == 0x88);
    receive(self, "\x88\x02\x03\xe8", 4);
    apus_channel_closed(&self->channel, APUS_CLOSED_PEER, 0);
    turn(self);
    // CONNECTING by STARTED, UPGRADING, OPEN, CLOSING by STOPPED, IDLE by STOPPED.
    CHECK_TEXT(self->changes, strlen(self->changes), "1/1/0 2/0/0 3/0/0 4/2/0 0/2/0 ");
    end(self);
}

static void a_peer_that_says_no_more_is_left(void) {
    stage* self = make(2);
    apus_link_start(&self->link, self->now);
    turn(self);
    reach_open(self);
    uint64_t opened = self->now;
    for (int i = 0; i < 100 && self->link.state == APUS_LINK_OPEN; i++) {
        char out[256];
        self->now = apus_link_deadline(&self->link);
        turn(self);
        sent(self, out, sizeof out);
    }
    CHECK_EQUAL(self->link.state, APUS_LINK_CLOSING);
    CHECK_EQUAL(self->now - opened, 45 * SECOND);
    CHECK(strstr(self->changes, "4/11/") != NULL);
    end(self);
}

static void waits_grow_and_the_same_seed_gives_the_same_life(void) {
    uint64_t sums[3] = {0, 0, 0}, longest = 0;
    for (int life = 0; life < 3; life++) {
        stage* self = make(life == 2 ? 8 : 7);
        apus_link_start(&self->link, self->now);
        turn(self);
        for (int i = 0; i < 20; i++) {
            perform(self);
            apus_channel_closed(&self->channel, APUS_CLOSED_CONNECT, 111);
            turn(self);
            CHECK_EQUAL(self->link.state, APUS_LINK_WAITING);
            CHECK(self->waited_ns <= 30 * SECOND);
            CHECK(i > 0 || self->waited_ns <= SECOND / 4);
            if (self->waited_ns > longest) longest = self->waited_ns;
            sums[life] = sums[life] * 31 + self->waited_ns;
            self->changes[0] = 0;
            self->now = apus_link_deadline(&self->link);
            turn(self);
        }
        end(self);
    }
    CHECK(sums[0] == sums[1] && sums[0] != sums[2]);
    CHECK(longest > 10 * SECOND);
}

static void a_wrong_frame_ends_the_connection(void) {
    stage* self = make(3);
    apus_link_start(&self->link, self->now);
    turn(self);
    reach_open(self);
    receive(self, "\x81\x02\xff\xff", 4);
    char out[256];
    CHECK(sent(self, out, sizeof out) >= 8);
    CHECK(((uint8_t)out[6] ^ (uint8_t)out[2]) == 1007 >> 8 && ((uint8_t)out[7] ^ (uint8_t)out[3]) == (1007 & 255));
    CHECK(strstr(self->changes, "4/10/1007") != NULL);
    end(self);
}

const check_test link_tests[] = {
    {"link: a whole life", a_whole_life},
    {"link: a silent peer is left after its time", a_peer_that_says_no_more_is_left},
    {"link: waits grow, and a seed tells a life", waits_grow_and_the_same_seed_gives_the_same_life},
    {"link: a wrong frame ends the connection with its code", a_wrong_frame_ends_the_connection},
    {0},
};
