#include "floor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct bedroom {
    _Alignas(FLOOR_APART) uint64_t sleeper; // the sleeper's thread id, once it runs
    _Alignas(FLOOR_APART) uint64_t woken;   // how often it has woken
    _Alignas(FLOOR_APART) uint64_t stop;
    _Alignas(FLOOR_APART) uint64_t called_ns; // when the waker wrote
    const apus_clock* clock;
    uint64_t duration_ns;
    apus_histogram* one_way;
    int event;
    int result;
} bedroom;

static void* rest(void* argument) {
    bedroom* room = argument;
    apus_clock clock = *room->clock;
    floor_raise(&room->sleeper, (uint64_t)syscall(SYS_gettid));
    for (uint64_t woken = 1;; woken++) {
        uint64_t calls;
        if (read(room->event, &calls, sizeof calls) != sizeof calls) return NULL;
        uint64_t now_ns = apus_clock_now(&clock);
        if (floor_flag(&room->stop)) return NULL;
        apus_histogram_record_signed(room->one_way, (int64_t)(now_ns - floor_flag(&room->called_ns)));
        floor_raise(&room->woken, woken);
    }
}

// Waits until *flag is at least `value`.
static int await(const apus_clock* clock, const uint64_t* flag, uint64_t value, const uint64_t* stop) {
    uint64_t give_up_ns = apus_clock_now(clock) + FLOOR_PATIENCE_NS;
    while (floor_flag(flag) < value) {
        if (floor_flag(stop) || apus_clock_now(clock) > give_up_ns) return -ETIMEDOUT;
    }
    return 0;
}

// The state follows the name in parentheses, and a name may hold parentheses itself.
static bool sleeps(const char* status) {
    const char* name_end = strrchr(status, ')');
    return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
}

static int await_sleep(const apus_clock* clock, int status) {
    uint64_t give_up_ns = apus_clock_now(clock) + FLOOR_PATIENCE_NS;
    char text[512];
    do {
        ssize_t length = pread(status, text, sizeof text - 1, 0);
        if (length < 0) return -errno;
        text[length] = 0;
        if (sleeps(text)) return 0;
    } while (apus_clock_now(clock) < give_up_ns);
    return -ETIMEDOUT;
}

static int call(bedroom* room, const apus_clock* clock) {
    uint64_t one = 1;
    floor_raise(&room->called_ns, apus_clock_now(clock));
    return write(room->event, &one, sizeof one) == sizeof one ? 0 : -errno;
}

static int wake_again_and_again(bedroom* room, const apus_clock* clock, int status) {
    uint64_t end_ns = apus_clock_now(clock) + room->duration_ns;
    for (uint64_t calls = 1;; calls++) {
        int result = await_sleep(clock, status);
        if (result != 0) return result;
        uint64_t due_ns = apus_clock_now(clock) + APUS_FLOOR_SLEEP_NS;
        while (apus_clock_now(clock) < due_ns) {
        }
        result = call(room, clock);
        if (result == 0) result = await(clock, &room->woken, calls, &room->stop);
        if (result != 0 || apus_clock_now(clock) >= end_ns) return result;
    }
}

static int wake(bedroom* room, const apus_clock* clock) {
    int result = await(clock, &room->sleeper, 1, &room->stop);
    if (result != 0) return result;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%llu/stat", (unsigned long long)floor_flag(&room->sleeper));
    int status = open(path, O_RDONLY | O_CLOEXEC);
    if (status < 0) return -errno;
    result = wake_again_and_again(room, clock, status);
    close(status);
    return result;
}

// The sleeper may lie in its read: the flag alone does not reach it.
static void* watch_over(void* argument) {
    bedroom* room = argument;
    apus_clock clock = *room->clock;
    room->result = wake(room, &clock);
    floor_raise(&room->stop, 1);
    int result = call(room, &clock);
    if (room->result == 0) room->result = result;
    return NULL;
}

int apus_floor_wake(const apus_clock* clock, int32_t sleeper_cpu, int32_t waker_cpu, uint64_t duration_ns,
                    apus_histogram* one_way) {
    bedroom room = {.clock = clock, .duration_ns = duration_ns, .one_way = one_way};
    room.event = eventfd(0, EFD_CLOEXEC);
    if (room.event < 0) return -errno;
    // The waker starts first: it gives up by the flag when there will be no sleeper, and a sleeper always has a waker.
    int result = floor_run_pair(sleeper_cpu, rest, waker_cpu, watch_over, &room, &room.stop);
    close(room.event);
    return result != 0 ? result : room.result;
}
