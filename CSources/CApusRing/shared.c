#include "apus_shared.h"

#include "apus_clock.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STALL_NS 1000000000ull

static uint64_t rounded(uint64_t bytes) {
    return (bytes + APUS_PAGE - 1) & ~(uint64_t)(APUS_PAGE - 1);
}

// The start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), or 0 when there is no such process.
static uint64_t process_start(uint32_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return 0;
    text[length] = 0;
    char* at = strrchr(text, ')'); // the command name may hold spaces and parentheses
    if (at == NULL) return 0;
    for (int field = 2; field < 22; field++) {
        at = strchr(at + 1, ' ');
        if (at == NULL) return 0;
    }
    return strtoull(at, NULL, 10);
}

static void lay_out(apus_public* view) {
    uint8_t* base = (uint8_t*)(void*)view->header;
    view->directory = (apus_directory_entry*)(void*)(base + view->header->directory_offset);
    view->counters = (apus_counters*)(void*)(base + view->header->counters_offset);
    view->slots = (apus_feed_slot*)(void*)(base + view->header->feed_offset);
    view->board = (apus_board){.base = base + view->header->board_offset,
                               .instruments = view->header->instruments,
                               .depth = view->header->board_depth,
                               .stride = apus_board_stride(view->header->board_depth)};
    view->bytes = view->header->total_bytes;
}

static apus_public_header plan(const apus_public_config* config) {
    apus_public_header header = {
        .magic = APUS_MAGIC,
        .version = APUS_LAYOUT_VERSION,
        .header_bytes = sizeof(apus_public_header),
        .feed_slots = config->feed_slots,
        .instruments = config->instruments,
        .board_depth = config->board_depth,
        .writer_pid = (uint32_t)getpid(),
        .start_realtime_ns = apus_clock_realtime(),
        .writer_start_ticks = process_start((uint32_t)getpid()),
        .heartbeat_ns = apus_clock_monotonic(),
    };
    header.directory_offset = APUS_PAGE;
    header.counters_offset =
        header.directory_offset + rounded((uint64_t)config->instruments * sizeof(apus_directory_entry));
    header.feed_offset = header.counters_offset + rounded(sizeof(apus_counters));
    header.board_offset = header.feed_offset + rounded((uint64_t)config->feed_slots * sizeof(apus_feed_slot));
    header.total_bytes = header.board_offset + rounded(config->instruments * apus_board_stride(config->board_depth));
    return header;
}

static bool sizes_fit(const apus_public_config* config) {
    uint32_t slots = config->feed_slots;
    return slots >= APUS_FEED_SLOTS_MIN && slots <= APUS_FEED_SLOTS_MAX && (slots & (slots - 1)) == 0
           && config->instruments >= 1 && config->instruments <= APUS_INSTRUMENTS_MAX
           && config->board_depth <= APUS_BOARD_DEPTH_MAX;
}

// A name left behind by a dead writer may be taken over; a living one's may not.
static int clear_name(const char* name) {
    apus_public old;
    int result = apus_public_attach(&old, name);
    if (result == -ENOENT) return 0;
    if (result == 0) {
        enum apus_writer_life life = apus_public_life(&old, apus_clock_monotonic());
        apus_public_close(&old);
        if (life == APUS_WRITER_ALIVE || life == APUS_WRITER_STALLED) return -EEXIST;
    }
    return shm_unlink(name) == 0 || errno == ENOENT ? 0 : -errno;
}

static int make_file(const char* name, uint64_t bytes) {
    int result = clear_name(name);
    if (result < 0) return result;
    int file = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0) return -errno;
    // posix_fallocate takes the memory now: a full /dev/shm is an error here, not a SIGBUS later.
    int full = posix_fallocate(file, 0, (off_t)bytes);
    if (full != 0) {
        close(file);
        shm_unlink(name);
        return -full;
    }
    return file;
}

int apus_public_create(apus_public* view, const apus_public_config* config) {
    *view = (apus_public){.owner = true};
    if (!sizes_fit(config)) return -EINVAL;
    if (config->name != NULL
        && snprintf(view->name, sizeof view->name, "/%s", config->name) >= (int)sizeof view->name) {
        return -EINVAL;
    }
    apus_public_header header = plan(config);
    int flags = MAP_SHARED | MAP_POPULATE, file = -1;
    if (config->name == NULL) {
        flags |= MAP_ANONYMOUS;
    } else if ((file = make_file(view->name, header.total_bytes)) < 0) {
        return file;
    }
    void* base = mmap(NULL, header.total_bytes, PROT_READ | PROT_WRITE, flags, file, 0);
    int failure = base == MAP_FAILED ? -errno : 0;
    if (file >= 0) close(file);
    if (failure != 0) {
        if (config->name != NULL) shm_unlink(view->name);
        return failure;
    }
    view->header = base;
    uint64_t magic = header.magic;
    header.magic = 0;
    *view->header = header;
    lay_out(view);
    view->locked = mlock(base, header.total_bytes) == 0;
    __atomic_store_n(&view->header->magic, magic, __ATOMIC_RELEASE);
    return 0;
}

static bool header_is_sound(const apus_public_header* header, uint64_t file_bytes) {
    const apus_public_config config = {
        .feed_slots = header->feed_slots, .instruments = header->instruments, .board_depth = header->board_depth};
    if (!sizes_fit(&config)) return false;
    apus_public_header wanted = plan(&config);
    return header->header_bytes == wanted.header_bytes && header->total_bytes == wanted.total_bytes
           && header->feed_offset == wanted.feed_offset && header->board_offset == wanted.board_offset
           && header->counters_offset == wanted.counters_offset && header->directory_offset == wanted.directory_offset
           && file_bytes >= header->total_bytes;
}

static int check_header(int file, uint64_t* bytes) {
    struct stat status;
    if (fstat(file, &status) != 0) return -errno;
    apus_public_header header;
    ssize_t got = pread(file, &header, sizeof header, 0);
    if (got < 0) return -errno;
    if (got != (ssize_t)sizeof header || header.magic != APUS_MAGIC) return -EPROTO;
    if (header.version != APUS_LAYOUT_VERSION) return -EPROTOTYPE;
    if (!header_is_sound(&header, (uint64_t)status.st_size)) return -EPROTO;
    *bytes = header.total_bytes;
    return 0;
}

int apus_public_attach(apus_public* view, const char* name) {
    *view = (apus_public){.owner = false};
    const char* slash = name[0] == '/' ? "" : "/";
    if (snprintf(view->name, sizeof view->name, "%s%s", slash, name) >= (int)sizeof view->name) return -EINVAL;
    int file = shm_open(view->name, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) return -errno;
    uint64_t bytes = 0;
    int failure = check_header(file, &bytes);
    if (failure == 0) {
        void* base = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
        if (base == MAP_FAILED) {
            failure = -errno;
        } else {
            view->header = base;
            lay_out(view);
        }
    }
    close(file);
    return failure;
}

void apus_public_close(apus_public* view) {
    if (view->header == NULL) return;
    if (view->owner) {
        __atomic_store_n(&view->header->closed, 1, __ATOMIC_RELEASE);
        if (view->name[0] != 0) shm_unlink(view->name);
    }
    munmap(view->header, view->bytes);
    view->header = NULL;
}

enum apus_writer_life apus_public_life(const apus_public* view, uint64_t now_ns) {
    const apus_public_header* header = view->header;
    if (apus_flag(&header->closed) != 0) return APUS_WRITER_CLOSED;
    uint64_t start = process_start(header->writer_pid);
    if (start == 0 || start != header->writer_start_ticks) return APUS_WRITER_DEAD;
    uint64_t beat = __atomic_load_n(&header->heartbeat_ns, __ATOMIC_RELAXED);
    return now_ns > beat && now_ns - beat > STALL_NS ? APUS_WRITER_STALLED : APUS_WRITER_ALIVE;
}

apus_feed_writer apus_public_writer(apus_public* view) {
    return (apus_feed_writer){.slots = view->slots,
                              .mask = view->header->feed_slots - 1,
                              .next = view->header->published,
                              .published = &view->header->published};
}

apus_feed_reader apus_public_reader(const apus_public* view, bool from_oldest) {
    uint64_t published = __atomic_load_n(&view->header->published, __ATOMIC_ACQUIRE);
    uint64_t slots = view->header->feed_slots;
    uint64_t next = published;
    if (from_oldest) next = published > slots ? published - slots : 0;
    return (apus_feed_reader){
        .slots = view->slots, .mask = slots - 1, .next = next, .published = &view->header->published};
}

int apus_private_create(apus_private* view) {
    *view = (apus_private){0};
    uint64_t orders = rounded(apus_queue_bytes(APUS_ORDER_SLOTS));
    uint64_t reports = rounded(apus_queue_bytes(APUS_REPORT_SLOTS));
    uint64_t commands = rounded(apus_queue_bytes(APUS_COMMAND_SLOTS));
    view->bytes = orders + reports + commands + APUS_PAGE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    uint8_t* base = mmap(NULL, view->bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (base == MAP_FAILED) return -errno;
    mlock(base, view->bytes); // where the limit allows; the pages are present either way
    view->base = base;
    view->orders = (apus_queue*)(void*)base;
    view->reports = (apus_queue*)(void*)(base + orders);
    view->commands = (apus_queue*)(void*)(base + orders + reports);
    view->trading = (uint64_t*)(void*)(base + orders + reports + commands);
    view->stop = view->trading + APUS_CACHE_LINE / sizeof(uint64_t);
    view->durable = view->stop + APUS_CACHE_LINE / sizeof(uint64_t);
    view->decided = view->durable + APUS_CACHE_LINE / sizeof(uint64_t);
    apus_queue_init(view->orders, APUS_ORDER_SLOTS);
    apus_queue_init(view->reports, APUS_REPORT_SLOTS);
    apus_queue_init(view->commands, APUS_COMMAND_SLOTS);
    return 0;
}

void apus_private_close(apus_private* view) {
    if (view->base != NULL) munmap(view->base, view->bytes);
    *view = (apus_private){0};
}
