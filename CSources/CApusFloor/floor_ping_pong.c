#include "floor_internal.h"

#include <errno.h>
#include <stdlib.h>

// Round trips between two looks at the clock, so that the look does not count.
#define TRIPS_A_LOOK 64
// Reads of the line between two looks at the clock while the other side is silent: some ten microseconds.
#define READS_A_LOOK (1u << 15)
#define WINDOW_NS_LEAST 1000ull
#define WINDOW_NS_MOST 10000000000ull

typedef struct rally {
    // An odd number goes out, and the even one above it comes back.
    _Alignas(FLOOR_APART) uint64_t ball;
    _Alignas(FLOOR_APART) uint64_t stop;
    _Alignas(FLOOR_APART) uint64_t window_ns;
    uint64_t end_ns; // CLOCK_MONOTONIC
    double* windows;
    uint32_t count;
    uint32_t played; // windows that were played to their end
} rally;

static bool await(const rally* game, uint64_t number) {
    for (;;) {
        for (uint32_t read = 0; read < READS_A_LOOK; read++) {
            if (floor_flag(&game->ball) == number) return true;
        }
        if (apus_clock_monotonic() > game->end_ns) return false;
    }
}

static bool play(rally* game, uint64_t* ball, uint32_t trips) {
    for (uint32_t trip = 0; trip < trips; trip++) {
        floor_raise(&game->ball, *ball);
        if (!await(game, *ball + 1)) return false;
        *ball += 2;
    }
    return true;
}

// Plays for one window; the mean one-way time of it, or a negative number when the time was over before.
static double window(rally* game, uint64_t* ball) {
    uint64_t begin_ns = apus_clock_monotonic(), now_ns, trips = 0;
    do {
        if (!play(game, ball, TRIPS_A_LOOK)) return -1;
        trips += TRIPS_A_LOOK;
        now_ns = apus_clock_monotonic();
        if (now_ns > game->end_ns) return -1;
    } while (now_ns - begin_ns < game->window_ns);
    return (double)(now_ns - begin_ns) / (double)trips / 2;
}

static void* serve(void* argument) {
    rally* game = argument;
    uint64_t ball = 1;
    // The window before the first sees both threads start and the line come to where it belongs; the last two windows' time is
    // for a machine on which everything takes longer.
    game->end_ns = apus_clock_monotonic() + (game->count + 3) * game->window_ns;
    double one_way = window(game, &ball);
    while (one_way >= 0 && game->played < game->count) {
        one_way = window(game, &ball);
        if (one_way >= 0) game->windows[game->played++] = one_way;
    }
    floor_raise(&game->stop, 1);
    return NULL;
}

static void* give_back(void* argument) {
    rally* game = argument;
    uint64_t expected = 1;
    while (!floor_flag(&game->stop)) {
        if (floor_flag(&game->ball) != expected) continue;
        floor_raise(&game->ball, expected + 1);
        expected += 2;
    }
    return NULL;
}

int apus_floor_ping_pong(int32_t first_cpu, int32_t second_cpu, uint64_t window_ns, double* windows, uint32_t count) {
    if (count == 0 || count > INT32_MAX || window_ns < WINDOW_NS_LEAST || window_ns > WINDOW_NS_MOST) return -EINVAL;
    rally game = {.window_ns = window_ns, .windows = windows, .count = count};
    int result = floor_run_pair(first_cpu, serve, second_cpu, give_back, &game, &game.stop);
    if (result != 0) return result;
    return game.played == 0 ? -ETIMEDOUT : (int)game.played;
}

static int compare(const void* left, const void* right) {
    double a = *(const double*)left, b = *(const double*)right;
    return a < b ? -1 : a > b;
}

void apus_floor_spread_of(double* values, uint32_t count, apus_floor_spread* spread) {
    qsort(values, count, sizeof *values, compare);
    uint32_t last = count - 1;
    *spread = (apus_floor_spread){
        .min_ns = values[0],
        .p25_ns = values[last / 4],
        .median_ns = values[last / 2],
        .p75_ns = values[(uint64_t)last * 3 / 4],
        .max_ns = values[last],
    };
}
