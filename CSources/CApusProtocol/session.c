#include "apus_session.h"

static uint8_t connection_state(uint8_t link_state) {
    switch (link_state) {
    case APUS_LINK_CONNECTING:
    case APUS_LINK_UPGRADING:
        return APUS_CONNECTION_CONNECTING;
    case APUS_LINK_OPEN:
        return APUS_CONNECTION_UP;
    case APUS_LINK_CLOSING:
        return APUS_CONNECTION_CLOSING;
    case APUS_LINK_WAITING:
        return APUS_CONNECTION_WAITING;
    default:
        return APUS_CONNECTION_DOWN;
    }
}

void apus_session_publish_change(const apus_session* session, apus_publisher* out, uint32_t channel,
                                 const apus_link_change* change) {
    apus_event event = {
        .instrument = apus_connection_number(session, channel),
        .kind = APUS_EVENT_CONNECTION,
        .flags = connection_state(change->state),
        .bid_price = change->reason,
        .ask_price = change->code,
    };
    apus_publisher_message(out, change->at_ns, 0);
    apus_publisher_emit(out, &event);
    apus_publisher_count(out, APUS_COUNT_EVENTS, 1);
    if (change->state == APUS_LINK_WAITING) apus_publisher_count(out, APUS_COUNT_RECONNECTS, 1);
}
