#include "apus_backoff.h"
#include "apus_pool.h"

#include <errno.h>
#include <string.h>

// What a member without any figure is taken for.
#define UNKNOWN_NS 50000000ull

int apus_pool_init(apus_pool* pool, const apus_pool_config* config, uint32_t count) {
    if (count == 0 || count > APUS_POOL_MEMBERS_MAX) return -EINVAL;
    memset(pool, 0, sizeof *pool);
    pool->config = *config;
    pool->count = count;
    return 0;
}

// MARK: life

void apus_pool_up(apus_pool* pool, uint32_t member, uint64_t now_ns) {
    apus_pool_member* m = &pool->members[member];
    // The figure of the connection before is a better guess than none. 0: it is to be probed at once.
    *m = (apus_pool_member){.state = APUS_MEMBER_WARMING,
                            .smooth_ns = m->smooth_ns,
                            .heard_ns = now_ns,
                            .answers = m->answers,
                            .stalls = m->stalls};
}

void apus_pool_down(apus_pool* pool, uint32_t member) {
    apus_pool_member* m = &pool->members[member];
    m->state = APUS_MEMBER_DOWN;
    m->in_flight = 0;
    m->probing = m->leaving = false;
}

void apus_pool_leave(apus_pool* pool, uint32_t member) {
    pool->members[member].leaving = pool->members[member].state != APUS_MEMBER_DOWN;
}

// MARK: health

static uint64_t stall_limit(const apus_pool* pool, const apus_pool_member* m) {
    if (m->in_flight == 0 || m->state == APUS_MEMBER_DOWN || m->state == APUS_MEMBER_SUSPECT) return UINT64_MAX;
    return apus_time_limit(m->heard_ns, pool->config.stall_ns);
}

static void look(apus_pool* pool, apus_pool_member* m, uint64_t now_ns) {
    if (now_ns < stall_limit(pool, m)) return;
    m->state = APUS_MEMBER_SUSPECT;
    m->stalls++;
}

void apus_pool_tick(apus_pool* pool, uint64_t now_ns) {
    for (uint32_t i = 0; i < pool->count; i++)
        look(pool, &pool->members[i], now_ns);
}

static uint64_t probe_limit(const apus_pool* pool, const apus_pool_member* m) {
    if (m->state == APUS_MEMBER_DOWN || m->probing || m->leaving || pool->config.probe_interval_ns == 0) {
        return UINT64_MAX;
    }
    return m->figure_ns == 0 ? 0 : apus_time_after(m->figure_ns, pool->config.probe_interval_ns);
}

int apus_pool_probe(const apus_pool* pool, uint64_t now_ns) {
    int oldest = -ENOENT;
    uint64_t due_ns = now_ns;
    for (uint32_t i = 0; i < pool->count; i++) {
        const apus_pool_member* m = &pool->members[i];
        if (m->probing && m->state == APUS_MEMBER_HEALTHY) return -ENOENT;
        uint64_t limit = probe_limit(pool, m);
        if (limit > due_ns || (oldest >= 0 && limit == due_ns)) continue;
        oldest = (int)i;
        due_ns = limit;
    }
    return oldest;
}

uint64_t apus_pool_deadline(const apus_pool* pool) {
    uint64_t due_ns = UINT64_MAX;
    bool probing = false;
    for (uint32_t i = 0; i < pool->count; i++) {
        const apus_pool_member* m = &pool->members[i];
        probing |= m->probing && m->state == APUS_MEMBER_HEALTHY;
        due_ns = apus_time_earlier(due_ns, stall_limit(pool, m));
    }
    for (uint32_t i = 0; i < pool->count && !probing; i++)
        due_ns = apus_time_earlier(due_ns, probe_limit(pool, &pool->members[i]));
    return due_ns;
}

uint32_t apus_pool_ready(const apus_pool* pool) {
    uint32_t ready = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        const apus_pool_member* m = &pool->members[i];
        ready += (m->state == APUS_MEMBER_HEALTHY || m->state == APUS_MEMBER_WARMING) && !m->leaving;
    }
    return ready;
}

// MARK: picking

static uint64_t expected_ns(const apus_pool* pool, const apus_pool_member* m) {
    uint64_t time = m->smooth_ns == 0 ? UNKNOWN_NS : m->smooth_ns;
    // On a connection that answers in any order the venue works side by side: eight that wait double the time.
    return pool->config.serial ? time * (1 + m->in_flight) : time + time * m->in_flight / 8;
}

static unsigned rank(const apus_pool_member* m) {
    if (m->state == APUS_MEMBER_SUSPECT) return 3;
    if (m->leaving) return 2;
    return m->state == APUS_MEMBER_WARMING;
}

static bool is_better(const apus_pool* pool, uint32_t a, uint32_t b) {
    const apus_pool_member* x = &pool->members[a];
    const apus_pool_member* y = &pool->members[b];
    unsigned rank_x = rank(x), rank_y = rank(y);
    if (rank_x != rank_y) return rank_x < rank_y;
    uint64_t time_x = expected_ns(pool, x), time_y = expected_ns(pool, y);
    if (b == pool->newest) return time_x < time_y - time_y / 4;
    if (a == pool->newest) return time_x - time_x / 4 <= time_y;
    return time_x < time_y;
}

int apus_pool_pick(apus_pool* pool, uint64_t tried, uint64_t now_ns) {
    int best = -ENOTCONN;
    for (uint32_t i = 0; i < pool->count; i++) {
        apus_pool_member* m = &pool->members[i];
        if (m->state == APUS_MEMBER_DOWN || (tried >> i & 1)) continue;
        if (pool->config.max_in_flight != 0 && m->in_flight >= pool->config.max_in_flight) {
            if (best == -ENOTCONN) best = -EBUSY;
            continue;
        }
        look(pool, m, now_ns);
        if (best < 0 || is_better(pool, i, (uint32_t)best)) best = (int)i;
    }
    if (best < 0) return best;
    pool->newest = (uint32_t)best;
    if (tried != 0) pool->failovers++;
    return best;
}

// MARK: requests

void apus_pool_sent(apus_pool* pool, uint32_t member, bool probe, uint64_t now_ns) {
    apus_pool_member* m = &pool->members[member];
    if (m->in_flight++ == 0) m->heard_ns = now_ns;
    if (!probe) return;
    m->probing = true;
    m->figure_ns = now_ns;
}

void apus_pool_answered(apus_pool* pool, uint32_t member, bool probe, uint64_t took_ns, uint64_t now_ns) {
    apus_pool_member* m = &pool->members[member];
    if (m->state == APUS_MEMBER_DOWN) return;
    apus_pool_gave_up(pool, member, probe);
    m->answers++;
    m->heard_ns = m->figure_ns = now_ns;
    // As TCP smooths its round trips (RFC 6298); 0 stands for "not known".
    int64_t step = ((int64_t)took_ns - (int64_t)m->smooth_ns) / 8;
    m->smooth_ns = m->state == APUS_MEMBER_WARMING || m->smooth_ns == 0 ? took_ns : m->smooth_ns + (uint64_t)step;
    if (m->smooth_ns == 0) m->smooth_ns = 1;
    m->state = APUS_MEMBER_HEALTHY;
}

void apus_pool_gave_up(apus_pool* pool, uint32_t member, bool probe) {
    apus_pool_member* m = &pool->members[member];
    if (m->in_flight > 0) m->in_flight--;
    if (probe) m->probing = false;
}

const char* apus_member_state_name(uint8_t state) {
    static const char* const names[] = {"down", "warming", "healthy", "suspect"};
    return state < sizeof names / sizeof *names ? names[state] : "unknown";
}
