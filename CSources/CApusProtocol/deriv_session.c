// The public market session: one line without an account.
#include "apus_deriv.h"

#include <string.h>

static apus_deriv_session* self_of(apus_session* session) {
    return (apus_deriv_session*)(void*)session;
}

static void start(apus_session* session, uint64_t now_ns) {
    apus_deriv_session* self = self_of(session);
    self->running = true;
    apus_link_start(&self->line.link, now_ns);
}

static uint32_t turn(apus_session* session, uint64_t now_ns) {
    apus_deriv_session* self = self_of(session);
    apus_deriv_line* line = &self->line;
    bool opened = false, ended = false;
    uint32_t work = 0;
    while (apus_deriv_line_next(line, now_ns) > 0) {
        apus_deriv_request request;
        bool answered = apus_deriv_line_answered(line, &request);
        apus_deriv_line_take(line, answered ? &request : NULL, now_ns);
        work++;
    }
    apus_link_tick(&line->link, now_ns);
    work += apus_deriv_line_changes(line, &opened, &ended);
    if (opened) line->usable = true;
    work += apus_deriv_line_keep(line, now_ns);
    apus_market_write_behind(line->deriv.market);
    return work;
}

static uint64_t deadline(const apus_session* session) {
    return apus_deriv_line_deadline(&((const apus_deriv_session*)(const void*)session)->line);
}

static void stop(apus_session* session, uint64_t now_ns) {
    apus_deriv_session* self = self_of(session);
    self->running = false;
    apus_link_stop(&self->line.link, now_ns);
}

static bool stopped(const apus_session* session) {
    const apus_deriv_session* self = (const apus_deriv_session*)(const void*)session;
    return !self->running && self->line.link.state == APUS_LINK_IDLE && self->line.channel.state == APUS_CHANNEL_CLOSED;
}

static int command(apus_session* session, const apus_command* command, uint64_t now_ns) {
    apus_deriv_session* self = self_of(session);
    switch (command->kind) {
    case APUS_COMMAND_SUBSCRIBE:
        return apus_deriv_line_subscribe(&self->line, command->instrument);
    case APUS_COMMAND_UNSUBSCRIBE:
        return apus_deriv_line_unsubscribe(&self->line, command->instrument, now_ns);
    case APUS_COMMAND_RECONNECT:
        apus_link_reconnect(&self->line.link, APUS_REASON_SESSION, now_ns);
        return 0;
    default:
        return -ENOTSUP;
    }
}

static const apus_session_ops operations = {
    .name = "deriv-market",
    .start = start,
    .turn = turn,
    .deadline = deadline,
    .command = command,
    .stop = stop,
    .stopped = stopped,
};

int apus_deriv_session_init(apus_deriv_session* self, const apus_deriv_config* config, apus_market* market,
                            const apus_random* random) {
    memset(self, 0, sizeof *self);
    self->channels[0] = &self->line.channel;
    self->session = (apus_session){.ops = &operations, .channels = self->channels, .channel_count = 1};
    return apus_deriv_line_init(&self->line, config, market, &self->session, 0, random);
}
