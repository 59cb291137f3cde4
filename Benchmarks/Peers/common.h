// What the peers of this folder share: time, medians, files.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <time.h>
#include <vector>

inline uint64_t now_ns() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return uint64_t(t.tv_sec) * 1000000000u + uint64_t(t.tv_nsec);
}

[[noreturn]] inline void fail(const std::string& why) {
    fprintf(stderr, "%s\n", why.c_str());
    exit(1);
}

// `u64 count`, then count records.
template <class Record> std::vector<Record> read_records(const char* path) {
    FILE* file = fopen(path, "rb");
    if (!file) fail(std::string("cannot open ") + path);
    uint64_t count = 0;
    if (fread(&count, 8, 1, file) != 1) fail("no count in the file");
    std::vector<Record> records(count);
    if (fread(records.data(), sizeof(Record), count, file) != count) fail("the file is cut off");
    fclose(file);
    return records;
}
