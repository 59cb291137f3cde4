#include "apus_link.h"

#include <errno.h>
#include <string.h>

#define MILLISECONDS(n) ((uint64_t)(n)*1000000u)
#define SECONDS(n) ((uint64_t)(n)*1000000000u)

void apus_link_config_default(apus_link_config* config) {
    *config = (apus_link_config){
        .connect_timeout_ns = SECONDS(5),
        .upgrade_timeout_ns = SECONDS(5),
        .close_timeout_ns = SECONDS(1),
        .ping_interval_ns = SECONDS(15),
        .liveness_timeout_ns = SECONDS(45),
        .max_lifetime_ns = SECONDS(23 * 3600 + 50 * 60),
        .lifetime_jitter_ns = SECONDS(5 * 60),
        .backoff_min_ns = MILLISECONDS(250),
        .backoff_max_ns = SECONDS(30),
        .stable_ns = SECONDS(60),
        .max_message_bytes = 4u << 20,
        .ping_kind = APUS_PING_FRAME,
    };
}

static bool config_works(const apus_link_config* config) {
    if (config->max_message_bytes > APUS_MESSAGE_BYTES_MAX) return false;
    if (config->max_message_bytes == 0 || config->backoff_min_ns > config->backoff_max_ns) return false;
    if (config->backoff_max_ns == UINT64_MAX) return false;
    if (config->max_lifetime_ns != 0 && config->lifetime_jitter_ns >= config->max_lifetime_ns) return false;
    if (config->ping_kind > APUS_PING_TEXT) return false;
    if (memchr(config->ping_text, 0, sizeof config->ping_text) == NULL) return false;
    return config->ping_kind != APUS_PING_TEXT || config->ping_text[0] != 0;
}

int apus_link_init(apus_link* link, apus_channel* channel, const apus_link_config* config, const char* path,
                   const apus_random* random) {
    if (!config_works(config) || channel->endpoint.host[0] == 0 || channel->endpoint.port == 0) return -EINVAL;
    if (config->max_message_bytes > channel->rx.capacity
        || channel->rx.capacity - config->max_message_bytes < APUS_WS_OVERHEAD)
        return -ENOBUFS;
    if (channel->tx.capacity < APUS_LINK_TX_MIN) return -ENOBUFS;
    memset(link, 0, sizeof *link);
    link->channel = channel;
    link->config = *config;
    link->random = *random;
    return apus_link_set_path(link, path);
}

int apus_link_set_path(apus_link* link, const char* path) {
    size_t size = strlen(path);
    if (size >= sizeof link->path) return -ENAMETOOLONG;
    if (path[0] != '/') return -EINVAL;
    for (size_t i = 0; i < size; i++) {
        if ((uint8_t)path[i] <= 0x20 || (uint8_t)path[i] >= 0x7f) return -EINVAL;
    }
    memcpy(link->path, path, size + 1);
    link->path_spent = false;
    return 0;
}

const char* apus_link_state_name(uint8_t state) {
    static const char* const names[] = {"idle", "connecting", "upgrading", "open", "closing", "waiting"};
    return state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

const char* apus_link_reason_name(uint8_t reason) {
    static const char* const names[] = {
        "none",
        "started",
        "stopped",
        "connect failed",
        "connect time-out",
        "upgrade time-out",
        "upgrade refused",
        "upgrade invalid",
        "connection lost",
        "closed by peer",
        "protocol error",
        "no bytes",
        "frozen",
        "lifetime over",
    };
    return reason < sizeof names / sizeof names[0] ? names[reason] : "asked by session";
}
