// Which of several connections takes a request: the fastest healthy one.
//
//           apus_pool_up           first answer
//   DOWN ────────────────▶ WARMING ────────────▶ HEALTHY ─┐ silent for stall_ns with a request unanswered
//    ▲                        │                     ▲     ▼
//    └───── apus_pool_down ◀──┴─────────────────────┴─ SUSPECT      (an answer makes it HEALTHY again)
//
// A member carries requests; its session opens it, sends on it and says what happens. How fast a member is expected to answer
// is its smoothed answer time, more for each request that already waits there. The member that was picked last stays unless
// another is expected in less than three quarters of its time, so that not every request goes out on a cold connection. HEALTHY
// members come before WARMING ones, these before members that are to be replaced, and SUSPECT ones are the last resort.
//
// Members of which nothing is known for a while are probed by a request that is safe to repeat, so that each has a fresh figure.
// Owned by one thread. Times are monotonic nanoseconds.
#ifndef APUS_POOL_H
#define APUS_POOL_H

#include "apus_limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum apus_member_state {
    APUS_MEMBER_DOWN = 0,
    APUS_MEMBER_WARMING = 1,
    APUS_MEMBER_HEALTHY = 2,
    APUS_MEMBER_SUSPECT = 3,
};

typedef struct apus_pool_config {
    uint64_t probe_interval_ns; // a member without an answer for that long is probed; 0: never
    uint64_t stall_ns;          // silent for that long with a request unanswered: SUSPECT; 0: never
    uint32_t max_in_flight;     // of one member; 0: any number
    bool serial;                // a member answers one request after another, as HTTP does
} apus_pool_config;

typedef struct apus_pool_member {
    uint64_t smooth_ns; // smoothed answer time; 0: not known
    uint64_t heard_ns;  // newest answer, or when the requests that wait began to wait
    uint64_t figure_ns; // when smooth_ns was renewed last, or a probe was sent
    uint64_t answers;   // for people
    uint64_t stalls;    // how often it became SUSPECT
    uint32_t in_flight; // requests that wait for an answer
    uint8_t state;      // apus_member_state; SUSPECT is noticed by apus_pool_pick and apus_pool_tick
    bool probing;       // one of those in flight is a probe
    bool leaving;       // is to be replaced: picked only when no other is healthy
} apus_pool_member;

typedef struct apus_pool {
    apus_pool_config config;
    uint32_t count;
    uint32_t newest;    // the member picked last
    uint64_t failovers; // picks after the first within one send
    apus_pool_member members[APUS_POOL_MEMBERS_MAX];
} apus_pool;

// All members DOWN. Returns 0, or -EINVAL for no members or more than APUS_POOL_MEMBERS_MAX.
int apus_pool_init(apus_pool* pool, const apus_pool_config* config, uint32_t count);

// The member's connection carries requests now: WARMING.
void apus_pool_up(apus_pool* pool, uint32_t member, uint64_t now_ns);
// It does not any more. What was in flight is the session's to ask about.
void apus_pool_down(apus_pool* pool, uint32_t member);
// It is to be replaced soon: others come first. Until apus_pool_down.
void apus_pool_leave(apus_pool* pool, uint32_t member);

// The member for the next request, among those whose bit is not set in `tried`; -ENOTCONN when there is none, -EBUSY when each
// has max_in_flight. A send that fails on it goes on with its bit set in `tried`, within the same call.
int apus_pool_pick(apus_pool* pool, uint64_t tried, uint64_t now_ns);

// A request left on the member; `probe`: it is one that apus_pool_probe asked for.
void apus_pool_sent(apus_pool* pool, uint32_t member, bool probe, uint64_t now_ns);
// Its answer came after that time. Of a member that was DOWN in between: nothing.
void apus_pool_answered(apus_pool* pool, uint32_t member, bool probe, uint64_t took_ns, uint64_t now_ns);
// Nobody waits for its answer any more: it timed out.
void apus_pool_gave_up(apus_pool* pool, uint32_t member, bool probe);

// A member that is to be probed now, or -ENOENT. Members are probed one after another, not at once.
int apus_pool_probe(const apus_pool* pool, uint64_t now_ns);

// Marks members that have become SUSPECT. Cheap; when apus_pool_deadline is due, or before looking at states.
void apus_pool_tick(apus_pool* pool, uint64_t now_ns);
// When apus_pool_tick or apus_pool_probe has something to do; UINT64_MAX for never.
uint64_t apus_pool_deadline(const apus_pool* pool);

// How many members are HEALTHY or WARMING and not leaving.
uint32_t apus_pool_ready(const apus_pool* pool);

const char* apus_member_state_name(uint8_t state);

#endif
