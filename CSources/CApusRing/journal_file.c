#include "apus_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define ZEROS 65536u

static int write_whole(int descriptor, const void* bytes, size_t length, uint64_t offset) {
    const uint8_t* at = bytes;
    while (length > 0) {
        ssize_t written = pwrite(descriptor, at, length, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -errno;
        at += written;
        offset += (uint64_t)written;
        length -= (size_t)written;
    }
    return 0;
}

// Space that is allocated and has been written: a later write through the mapping changes data alone.
static int fill_with_zeros(int descriptor, uint64_t from, uint64_t to) {
    static const uint8_t zeros[ZEROS];
    int failure = posix_fallocate(descriptor, (off_t)from, (off_t)(to - from));
    if (failure != 0) return -failure;
    for (uint64_t at = from; at < to;) {
        uint64_t count = to - at < ZEROS ? to - at : ZEROS;
        failure = write_whole(descriptor, zeros, (size_t)count, at);
        if (failure != 0) return failure;
        at += count;
    }
    return 0;
}

// A file system that writes each page to a new place would need space for it: there the file is asked to be written in place,
// which counts only while it is empty.
static void write_in_place(int descriptor) {
    struct statfs system;
    if (fstatfs(descriptor, &system) != 0 || system.f_type != BTRFS_SUPER_MAGIC) return;
    int flags = 0;
    if (ioctl(descriptor, FS_IOC_GETFLAGS, &flags) != 0) return;
    flags |= FS_NOCOW_FL;
    (void)ioctl(descriptor, FS_IOC_SETFLAGS, &flags);
}

static uint64_t segment_bytes(const apus_journal_segment* header) {
    return (header->capacity + 1) * APUS_JOURNAL_RECORD;
}

// Of the whole segment: what a short file lacks is made of zeros, since pages behind a file's end cannot be read.
static int map(apus_journal_file* file) {
    int protection = PROT_READ | (file->is_writable ? PROT_WRITE : 0);
    file->bytes = segment_bytes(&file->header);
    uint64_t present = file->file_bytes < file->bytes ? file->file_bytes : file->bytes;
    uint8_t* base = mmap(NULL, file->bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return -errno;
    void* over = mmap(base, present, protection, MAP_SHARED | MAP_FIXED, file->descriptor, 0);
    if (over == MAP_FAILED) {
        int failure = -errno;
        munmap(base, file->bytes);
        return failure;
    }
    file->base = base;
    return 0;
}

static int sync_parent(const char* path) {
    char parent[4096];
    const char* slash = strrchr(path, '/');
    size_t length = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (length >= sizeof parent) return -ENAMETOOLONG;
    memcpy(parent, slash == NULL ? "." : path, length);
    parent[length] = 0;
    int directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return -errno;
    int failure = fsync(directory) == 0 ? 0 : -errno;
    close(directory);
    return failure;
}

static int make(apus_journal_file* file, const char* temporary, const char* path) {
    write_in_place(file->descriptor);
    int failure = fill_with_zeros(file->descriptor, 0, file->bytes);
    if (failure == 0) failure = write_whole(file->descriptor, &file->header, sizeof file->header, 0);
    if (failure == 0 && fsync(file->descriptor) != 0) failure = -errno;
    if (failure == 0) failure = map(file);
    if (failure == 0 && renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) != 0) failure = -errno;
    if (failure == 0) failure = sync_parent(path);
    return failure;
}

int apus_journal_file_create(apus_journal_file* file, const char* path, const apus_journal_segment* header) {
    *file = (apus_journal_file){.header = *header, .descriptor = -1, .is_writable = true};
    if (header->capacity == 0 || header->capacity > APUS_JOURNAL_SEGMENT_RECORDS_MAX) return -EINVAL;
    file->header.magic = APUS_JOURNAL_MAGIC;
    file->header.version = APUS_JOURNAL_VERSION;
    file->header.record_bytes = APUS_JOURNAL_RECORD;
    file->header.checksum = apus_journal_segment_checksum(&file->header);
    file->bytes = file->file_bytes = segment_bytes(&file->header);
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary) return -ENAMETOOLONG;
    file->descriptor = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file->descriptor < 0) return -errno;
    int failure = make(file, temporary, path);
    if (failure != 0) {
        apus_journal_file_close(file);
        unlink(temporary);
    }
    return failure;
}

static int read_header(apus_journal_file* file) {
    struct stat status;
    if (fstat(file->descriptor, &status) != 0) return -errno;
    file->file_bytes = (uint64_t)status.st_size;
    ssize_t got = pread(file->descriptor, &file->header, sizeof file->header, 0);
    if (got < 0) return -errno;
    const apus_journal_segment* header = &file->header;
    if (got < (ssize_t)offsetof(apus_journal_segment, record_bytes) || header->magic != APUS_JOURNAL_MAGIC)
        return -EPROTO;
    if (header->version != APUS_JOURNAL_VERSION) return -EPROTOTYPE;
    if (got != (ssize_t)sizeof *header || header->checksum != apus_journal_segment_checksum(header)) return -EBADMSG;
    bool is_sound = header->record_bytes == APUS_JOURNAL_RECORD && header->capacity > 0 && header->first > 0
                    && header->capacity <= APUS_JOURNAL_SEGMENT_RECORDS_MAX;
    return is_sound ? 0 : -EBADMSG;
}

int apus_journal_file_open(apus_journal_file* file, const char* path, bool writable) {
    *file = (apus_journal_file){.is_writable = writable};
    file->descriptor = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (file->descriptor < 0) return -errno;
    int failure = read_header(file);
    uint64_t whole = segment_bytes(&file->header);
    if (failure == 0 && writable && file->file_bytes < whole) {
        failure = fill_with_zeros(file->descriptor, file->file_bytes, whole);
        if (failure == 0 && fsync(file->descriptor) != 0) failure = -errno;
        if (failure == 0) file->file_bytes = whole;
    }
    if (failure == 0) failure = map(file);
    if (failure != 0) apus_journal_file_close(file);
    return failure;
}

int apus_journal_file_sync(const apus_journal_file* file, uint64_t offset, uint64_t length) {
    uint64_t start = offset & ~(uint64_t)(APUS_PAGE - 1);
    if (length == 0) return 0;
    return msync(file->base + start, offset + length - start, MS_SYNC) == 0 ? 0 : -errno;
}

void apus_journal_file_touch(const apus_journal_file* file, uint64_t offset, uint64_t length) {
#ifdef MADV_POPULATE_WRITE
    uint64_t start = offset & ~(uint64_t)(APUS_PAGE - 1);
    uint64_t end = offset + length < file->bytes ? offset + length : file->bytes;
    if (end > start) (void)madvise(file->base + start, end - start, MADV_POPULATE_WRITE);
#else
    (void)file, (void)offset, (void)length;
#endif
}

void apus_journal_file_close(apus_journal_file* file) {
    if (file->base != NULL) munmap(file->base, file->bytes);
    if (file->descriptor >= 0) close(file->descriptor);
    file->base = NULL;
    file->descriptor = -1;
}

// MARK: the directory

// Makes each folder of the path that is not there.
static int make_folders(const char* path) {
    char partial[4096];
    size_t length = strlen(path);
    if (length == 0) return -ENOENT;
    if (length >= sizeof partial) return -ENAMETOOLONG;
    memcpy(partial, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (partial[i] != '/' && partial[i] != 0) continue;
        char kept = partial[i];
        partial[i] = 0;
        if (mkdir(partial, 0700) != 0 && errno != EEXIST) return -errno;
        partial[i] = kept;
    }
    return 0;
}

int apus_journal_directory_lock(const char* path) {
    int failure = make_folders(path);
    if (failure != 0) return failure;
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return -errno;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
    failure = -errno;
    close(descriptor);
    return failure;
}

void apus_journal_directory_unlock(int descriptor) {
    close(descriptor);
}
