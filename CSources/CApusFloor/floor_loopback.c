#include "floor_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM_UP_TRIPS 200

typedef struct wire {
    _Alignas(FLOOR_APART) uint64_t stop;
    _Alignas(FLOOR_APART) const apus_clock* clock;
    uint64_t duration_ns;
    uint32_t bytes;
    apus_histogram* one_way;
    int near; // the first thread's socket
    int far;  // the second thread's
    int result;
} wire;

// Takes one whole message without sleeping, looking for the stop flag meanwhile.
static int take(const wire* w, const apus_clock* clock, int socket, uint8_t* message) {
    uint32_t have = 0;
    uint64_t give_up_ns = apus_clock_now(clock) + FLOOR_PATIENCE_NS;
    while (have < w->bytes) {
        ssize_t count = recv(socket, message + have, w->bytes - have, MSG_DONTWAIT);
        if (count > 0) {
            have += (uint32_t)count;
        } else if (count == 0) {
            return -ECONNRESET;
        } else if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        } else if (floor_flag(&w->stop) || apus_clock_now(clock) > give_up_ns) {
            return -ETIMEDOUT;
        }
    }
    return 0;
}

// One message is on its way at any time, so that it always fits into the socket's buffer.
static int give(const wire* w, int socket, const uint8_t* message) {
    ssize_t count = send(socket, message, w->bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count == (ssize_t)w->bytes) return 0;
    return count < 0 ? -errno : -ENOBUFS;
}

static int round_trip(wire* w, const apus_clock* clock, uint8_t* message) {
    int result = give(w, w->near, message);
    return result != 0 ? result : take(w, clock, w->near, message);
}

// The first round trips are not recorded: buffers, caches and the other thread are still cold. On a machine that is so busy that they
// take longer, they end after a quarter of the time.
static int measure(wire* w, const apus_clock* clock, uint8_t* message) {
    uint64_t sent_ns = apus_clock_now(clock), end_ns = sent_ns + w->duration_ns;
    uint64_t warm_ns = sent_ns + w->duration_ns / 4;
    for (uint64_t trip = 0; sent_ns < end_ns; trip++) {
        int result = round_trip(w, clock, message);
        if (result != 0) return result;
        uint64_t now_ns = apus_clock_now(clock);
        if (trip >= WARM_UP_TRIPS || sent_ns >= warm_ns) apus_histogram_record(w->one_way, (now_ns - sent_ns) / 2);
        sent_ns = now_ns;
    }
    return apus_histogram_count(w->one_way) == 0 ? -ETIMEDOUT : 0;
}

static void* send_and_time(void* argument) {
    wire* w = argument;
    apus_clock clock = *w->clock;
    uint8_t message[APUS_FLOOR_MESSAGE_BYTES] = {0};
    w->result = measure(w, &clock, message);
    floor_raise(&w->stop, 1);
    return NULL;
}

// An echo. What it cannot send or take shows on the other side as silence.
static void* echo(void* argument) {
    const wire* w = argument;
    apus_clock clock = *w->clock;
    uint8_t message[APUS_FLOOR_MESSAGE_BYTES];
    while (take(w, &clock, w->far, message) == 0 && give(w, w->far, message) == 0) {
    }
    return NULL;
}

// Makes a connection of this process with itself on any free port.
static int connect_both(int listener, wire* w) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 1) != 0) return -errno;
    if (getsockname(listener, (struct sockaddr*)&address, &length) != 0) return -errno;
    w->near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->near < 0) return -errno;
    if (connect(w->near, (struct sockaddr*)&address, sizeof address) != 0) return -errno;
    w->far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (w->far < 0) return -errno;
    int on = 1;
    if (setsockopt(w->near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return -errno;
    return setsockopt(w->far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ? -errno : 0;
}

static int open_both(wire* w) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) return -errno;
    int result = connect_both(listener, w);
    close(listener);
    return result;
}

int apus_floor_loopback(const apus_clock* clock, int32_t first_cpu, int32_t second_cpu, uint32_t bytes,
                        uint64_t duration_ns, apus_histogram* one_way) {
    if (bytes == 0 || bytes > APUS_FLOOR_MESSAGE_BYTES) return -EINVAL;
    wire w = {.clock = clock, .duration_ns = duration_ns, .bytes = bytes, .one_way = one_way, .near = -1, .far = -1};
    int result = open_both(&w);
    if (result == 0) result = floor_run_pair(first_cpu, send_and_time, second_cpu, echo, &w, &w.stop);
    if (w.near >= 0) close(w.near);
    if (w.far >= 0) close(w.far);
    return result != 0 ? result : w.result;
}
