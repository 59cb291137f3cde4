#include "apus_journal.h"

#include <string.h>
#if defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

// MARK: CRC-32C

// Four bits at a time: the reflected polynomial 0x82F63B78 applied to each value of four bits.
static uint32_t portable(uint32_t crc, const uint8_t* bytes, size_t length) {
    static const uint32_t table[16] = {
        0x00000000u, 0x105EC76Fu, 0x20BD8EDEu, 0x30E349B1u, 0x417B1DBCu, 0x5125DAD3u, 0x61C69362u, 0x7198540Du,
        0x82F63B78u, 0x92A8FC17u, 0xA24BB5A6u, 0xB21572C9u, 0xC38D26C4u, 0xD3D3E1ABu, 0xE330A81Au, 0xF36E6F75u,
    };
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)

static bool has_instruction(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t hardware(uint32_t crc, const uint8_t* bytes, size_t length) {
    uint64_t wide = crc;
    for (; length >= 8; length -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; length > 0; length--, bytes++) {
        crc = __builtin_ia32_crc32qi(crc, *bytes);
    }
    return crc;
}

#elif defined(__aarch64__)

static bool has_instruction(void) {
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}

__attribute__((target("+crc"))) static uint32_t hardware(uint32_t crc, const uint8_t* bytes, size_t length) {
    for (; length >= 8; length -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = __crc32cd(crc, word);
    }
    for (; length > 0; length--, bytes++) {
        crc = __crc32cb(crc, *bytes);
    }
    return crc;
}

#else

static bool has_instruction(void) {
    return false;
}
static uint32_t hardware(uint32_t crc, const uint8_t* bytes, size_t length) {
    return portable(crc, bytes, length);
}

#endif

// 0 not asked yet, 1 there is an instruction, 2 there is none. Threads that ask at once find the same answer.
static int instruction;

static uint32_t extend(uint32_t crc, const uint8_t* bytes, size_t length) {
    int known = __atomic_load_n(&instruction, __ATOMIC_RELAXED);
    if (known == 0) {
        known = has_instruction() ? 1 : 2;
        __atomic_store_n(&instruction, known, __ATOMIC_RELAXED);
    }
    return known == 1 ? hardware(crc, bytes, length) : portable(crc, bytes, length);
}

uint32_t apus_crc32c(const void* bytes, size_t length) {
    return ~extend(~0u, bytes, length);
}

uint32_t apus_crc32c_portable(const void* bytes, size_t length) {
    return ~portable(~0u, bytes, length);
}

// All bytes but the checksum's own four.
static uint32_t checksum_around(const void* record, size_t place) {
    const uint8_t* bytes = record;
    uint32_t crc = extend(~0u, bytes, place);
    return ~extend(crc, bytes + place + 4, APUS_JOURNAL_RECORD - place - 4);
}

uint32_t apus_journal_checksum(const apus_journal_record* record) {
    return checksum_around(record, offsetof(apus_journal_record, checksum));
}

uint32_t apus_journal_segment_checksum(const apus_journal_segment* header) {
    return checksum_around(header, offsetof(apus_journal_segment, checksum));
}

// MARK: reading

static bool is_zero(const apus_journal_record* record) {
    uint64_t words[APUS_JOURNAL_RECORD / 8], any = 0;
    memcpy(words, record, sizeof words);
    for (size_t i = 0; i < APUS_JOURNAL_RECORD / 8; i++) {
        any |= words[i];
    }
    return any == 0;
}

enum apus_slot_state apus_journal_slot(const apus_journal_record* record, uint64_t number) {
    if (record->magic != APUS_RECORD_MAGIC) return is_zero(record) ? APUS_SLOT_EMPTY : APUS_SLOT_DAMAGED;
    if (record->checksum != apus_journal_checksum(record)) return APUS_SLOT_DAMAGED;
    return record->number == number ? APUS_SLOT_VALID : APUS_SLOT_MISPLACED;
}

// MARK: writing

void apus_journal_init(apus_journal* journal, uint64_t next, uint64_t run) {
    *journal = (apus_journal){.next = next, .run = run, .published = next - 1, .durable = next - 1};
}

bool apus_journal_offer(apus_journal* journal, uint8_t* place, uint64_t capacity) {
    if (!apus_journal_wants(journal)) return false;
    journal->offered_capacity = capacity;
    __atomic_store_n(&journal->offered, place, __ATOMIC_RELEASE);
    return true;
}

bool apus_journal_take(apus_journal* journal) {
    uint8_t* place = __atomic_load_n(&journal->offered, __ATOMIC_ACQUIRE);
    if (place == NULL) return false;
    journal->place = place;
    journal->left = journal->offered_capacity;
    __atomic_store_n(&journal->offered, NULL, __ATOMIC_RELEASE);
    return journal->left > 0;
}

uint64_t apus_journal_append(apus_journal* journal, uint16_t kind, const void* payload, uint64_t monotonic_ns,
                             uint64_t wall_ns) {
    if (journal->left == 0 && !apus_journal_take(journal)) {
        journal->lost++;
        return 0;
    }
    apus_journal_record* record = (apus_journal_record*)(void*)journal->place;
    uint64_t number = journal->next;
    record->number = number;
    record->durable = apus_journal_durable(journal);
    record->wall_ns = wall_ns;
    record->monotonic_ns = monotonic_ns;
    record->run = journal->run;
    record->kind = kind;
    record->magic = APUS_RECORD_MAGIC;
    memcpy(record->payload, payload, APUS_JOURNAL_PAYLOAD);
    record->checksum = apus_journal_checksum(record);
    journal->place += APUS_JOURNAL_RECORD;
    journal->left--;
    journal->next = number + 1;
    __atomic_store_n(&journal->published, number, __ATOMIC_RELEASE);
    return number;
}
