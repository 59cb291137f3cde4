#include "venue.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// While a feed runs, what is not order entry is looked at once in so many turns.
#define SELDOM 16u

static connection connections[CONNECTIONS];
static listener listeners[2];
static volatile sig_atomic_t ended;

void fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("bench-venue: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    record_remove();
    exit(1);
}

void pin_to(int cpu) {
    if (cpu < 0) return;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) fail("cannot run on processor %d: %s", cpu, strerror(errno));
}

// MARK: options

static const char usage[] = "bench-venue [--cpu N] [--levels N] [--count N] [--rate N] [--seed N] [--record NAME] "
                            "[--capacity N] [--ca FILE] [--secret S]\n"
                            "bench-venue echo-client HOST PORT plain|tls COUNT RATE REQUEST_BYTES [CPU]\n";

static uint64_t number(const char* text, const char* option) {
    char* end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != 0) fail("%s needs a number, not \"%s\"", option, text);
    return value;
}

static void read_options(options* options, int count, char** arguments) {
    for (int i = 1; i < count; i += 2) {
        const char* name = arguments[i];
        const char* value = i + 1 < count ? arguments[i + 1] : NULL;
        if (!value) fail("%s: an option without its value\n%s", name, usage);
        if (strcmp(name, "--cpu") == 0)
            options->cpu = (int)number(value, name);
        else if (strcmp(name, "--levels") == 0)
            options->levels = (uint32_t)number(value, name);
        else if (strcmp(name, "--count") == 0)
            options->count = number(value, name);
        else if (strcmp(name, "--rate") == 0)
            options->rate = number(value, name);
        else if (strcmp(name, "--seed") == 0)
            options->seed = number(value, name);
        else if (strcmp(name, "--capacity") == 0)
            options->capacity = number(value, name);
        else if (strcmp(name, "--record") == 0)
            options->record = value;
        else if (strcmp(name, "--ca") == 0)
            options->ca_file = value;
        else if (strcmp(name, "--secret") == 0)
            options->secret = value;
        else
            fail("unknown option %s\n%s", name, usage);
    }
    uint64_t capacity = options->capacity;
    if (capacity == 0 || (capacity & (capacity - 1)) != 0) fail("--capacity must be a power of two");
    if (options->levels == 0 || options->levels > 20000) fail("--levels must be from 1 to 20000");
}

// MARK: life

static void end_on_signal(int signal) {
    (void)signal;
    ended = 1;
}

static void prepare_process(void) {
    struct sigaction action = {.sa_handler = end_on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    // The parent may have gone before the signal was asked for.
    if (getppid() != parent) exit(0);
}

static SSL_CTX* make_tls(const char* ca_file) {
    SSL_CTX* tls = SSL_CTX_new(TLS_server_method());
    if (!tls) fail("OpenSSL has no TLS");
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(tls, (const unsigned char*)"bench", 5);
    int result = identity_make(tls, ca_file);
    if (result < 0)
        fail("cannot make a certificate%s%s: %s", ca_file ? " in " : "", ca_file ? ca_file : "", strerror(-result));
    return tls;
}

// MARK: the loop

static void serve(connection* c, uint64_t now) {
    if (connection_read(c) > 0) connection_serve(c);
    if (c->fd >= 0 && c->closing && now > c->close_by_ns) connection_close(c);
}

static uint32_t serve_all(void) {
    uint32_t open = 0;
    uint64_t now = now_ns();
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        connection* c = &connections[i];
        if (c->fd < 0) continue;
        open++;
        serve(c, now);
    }
    for (uint32_t i = 0; i < 2; i++)
        open += listener_accept(&listeners[i], connections, CONNECTIONS) != NULL;
    return open;
}

static void serve_orders(void) {
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        connection* c = &connections[i];
        bool orders = c->role == ROLE_API || c->role == ROLE_ECHO_ORDERS;
        if (c->fd >= 0 && orders && connection_read(c) > 0) connection_serve(c);
    }
}

// Nobody is connected: the processor belongs to others until somebody is.
static void wait_for_somebody(void) {
    struct pollfd waits[2] = {{.fd = listeners[0].fd, .events = POLLIN}, {.fd = listeners[1].fd, .events = POLLIN}};
    // With an end, for a signal may come between the question and the wait.
    if (!ended) poll(waits, 2, 500);
}

static void run(void) {
    uint32_t turns = 0;
    while (!ended) {
        bool running = feed_turn();
        if (running && ++turns % SELDOM != 0)
            serve_orders();
        else if (serve_all() == 0)
            wait_for_somebody();
    }
}

int main(int count, char** arguments) {
    if (count > 1 && strcmp(arguments[1], "echo-client") == 0) return echo_client(count - 2, arguments + 2);
    options options = {.cpu = -1, .secret = "secret", .capacity = 1u << 20, .seed = 1, .levels = 5000, .rate = 10000};
    prepare_process();
    read_options(&options, count, arguments);
    pin_to(options.cpu);
    int result = record_open(options.record, options.capacity);
    if (result < 0) fail("cannot make /dev/shm/%s: %s", options.record ? options.record : "", strerror(-result));
    feed_init(&options);
    orders_init(options.secret);
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        connections[i].fd = -1;
    result = listener_open(&listeners[0], NULL);
    if (result == 0) result = listener_open(&listeners[1], make_tls(options.ca_file));
    if (result < 0) fail("cannot listen on 127.0.0.1: %s", strerror(-result));
    printf("{\"port\":%u,\"tls_port\":%u}\n", listeners[0].port, listeners[1].port);
    fflush(stdout);
    run();
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        connection_close(&connections[i]);
    record_remove();
    return 0;
}
