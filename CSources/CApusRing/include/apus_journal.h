// The journal: an append-only line of checksummed records of one size, in memory-mapped segments of preallocated space.
//
// A record is a header of 64 bytes and 128 bytes that are an order, a report or what else its kind says. Records are numbered
// from 1, without a gap, across segments and runs: segment i holds the numbers first(i) to first(i) + capacity(i) - 1, and
// first(i + 1) is the number behind them. All integers are in the machine's order, little-endian on every machine Apus runs on.
//
// Two threads. The decision thread appends: it writes into the mapping and publishes the number; no system call, no lock, no
// allocation. The journal thread makes segments ahead of need, makes records durable and says so. What the mapping holds survives
// the death of the process; what `durable` counts survives the machine.
//
// A record carries what was durable when it was written. So a reader that finds a hole knows whether a crash of the machine can
// have made it (nobody had been told that the record was safe) or whether the file was damaged later.
#ifndef APUS_JOURNAL_H
#define APUS_JOURNAL_H

#include "apus_limits.h"
#include "apus_order.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APUS_JOURNAL_MAGIC 0x4C4E524A53555041ull // "APUSJRNL"
#define APUS_JOURNAL_VERSION 1u
#define APUS_RECORD_MAGIC 0x52504A41u // "AJPR"
#define APUS_JOURNAL_RECORD 192u
#define APUS_JOURNAL_PAYLOAD 128u

enum apus_journal_kind {
    APUS_JOURNAL_RUN_START = 1,  // apus_journal_run
    APUS_JOURNAL_INTENT = 2,     // apus_order: it is about to be pushed to the order ring
    APUS_JOURNAL_REPORT = 3,     // apus_report, as it was taken in
    APUS_JOURNAL_STATE = 4,      // apus_journal_state
    APUS_JOURNAL_TEXT = 5,       // up to 128 bytes of UTF-8, filled up with zeros
    APUS_JOURNAL_INSTRUMENT = 6, // apus_journal_instrument: what the numbers of this run mean
    APUS_JOURNAL_CLEAN_STOP = 7, // apus_journal_state: the run ended in order
    APUS_JOURNAL_ADOPTED = 8,    // apus_order: an order of ours, found open at the venue, that no intent told of
};

// What an apus_journal_state is about.
enum apus_journal_subject {
    APUS_SUBJECT_TRADING = 1,  // before, after: apus_trading_state
    APUS_SUBJECT_STRATEGY = 2, // the same of the strategy `name`, whose orders carry `number` in this run
    APUS_SUBJECT_BREAKER = 3,  // before, after: its states; name: which
    APUS_SUBJECT_LIMIT = 4,    // name: which; values[0], values[1]: before and after
    // What may be sent has changed, or the day's peak is to be kept; in `reason` why. `number`: the trading day; `reserved`: its
    // limit that was reached; values: its start and its peak, each low and high half.
    APUS_SUBJECT_DAY = 5,
    APUS_SUBJECT_RECOVERY = 6, // after: 1 both sides agree, 2 they do not; values[0]: differences found
    APUS_SUBJECT_POSITION = 7, // of `number`, an instrument, values[0] is held, entered at values[1] (0: not known),
                               // with all trades up to the venue's time values[2]: taken over from the venue
    APUS_SUBJECT_STRATEGY_DAY = 8, // as APUS_SUBJECT_DAY, of the strategy `name`
    // What a fee in another asset is worth in this run: values[0], values[1]: low and high half.
    APUS_SUBJECT_FEE_RATE = 9,
};

typedef struct apus_journal_run {
    uint64_t config_hash;
    uint64_t account_hash; // venue and key: a journal belongs to one account
    uint32_t run_tag;      // the high half of every order number of this run
    uint32_t interval_ms;
    uint8_t policy; // apus_journal_policy
    uint8_t is_paper;
    uint8_t reserved[6];
    char venue[16];
    char version[24];
    char engine[56];
} apus_journal_run;

typedef struct apus_journal_instrument {
    int64_t tick;
    int64_t lot;
    int64_t multiplier;
    uint16_t index;
    uint8_t price_decimals;
    uint8_t quantity_decimals;
    uint8_t contract; // 0 linear, 1 inverse, 2 binary
    uint8_t reserved[3];
    char symbol[APUS_SYMBOL_BYTES];
} apus_journal_instrument;

typedef struct apus_journal_state {
    uint8_t subject;
    uint8_t before;
    uint8_t after;
    uint8_t reserved;
    uint16_t number;
    uint16_t reason;
    int64_t values[4];
    char name[88];
} apus_journal_state;

enum apus_journal_policy {
    APUS_FSYNC_EACH = 0,     // an order leaves after its intent is durable
    APUS_FSYNC_INTERVAL = 1, // made durable now and then
    APUS_FSYNC_NEVER = 2,    // the system writes when it likes; durable after an orderly stop
};

typedef struct apus_journal_record {
    uint64_t number;
    uint64_t durable;      // numbers up to this were durable when this was written
    uint64_t wall_ns;      // realtime
    uint64_t monotonic_ns; // of this boot
    uint64_t run;          // which run wrote it: its run tag
    uint64_t reserved;
    uint16_t kind;
    uint16_t reserved2;
    uint32_t reserved3;
    uint32_t magic;
    uint32_t checksum; // CRC-32C of all other bytes
    uint64_t payload[APUS_JOURNAL_PAYLOAD / 8];
} apus_journal_record;

// Stands at the begin of a segment, in the place of a record.
typedef struct apus_journal_segment {
    uint64_t magic;
    uint32_t version;
    uint32_t record_bytes;
    uint64_t index;    // of this segment, from 1
    uint64_t first;    // number of its first record
    uint64_t capacity; // records
    uint64_t account_hash;
    uint64_t made_wall_ns;
    uint32_t reserved;
    uint32_t checksum; // CRC-32C of all other bytes
    uint64_t padding[APUS_JOURNAL_PAYLOAD / 8];
} apus_journal_segment;

_Static_assert(sizeof(apus_journal_record) == APUS_JOURNAL_RECORD, "layout");
_Static_assert(sizeof(apus_journal_segment) == APUS_JOURNAL_RECORD, "a segment's header takes the place of a record");
_Static_assert(offsetof(apus_journal_record, magic) == 56, "layout");
_Static_assert(offsetof(apus_journal_record, payload) == 64, "layout");
_Static_assert(sizeof(apus_journal_run) == APUS_JOURNAL_PAYLOAD, "layout");
_Static_assert(sizeof(apus_journal_instrument) == APUS_JOURNAL_PAYLOAD, "layout");
_Static_assert(sizeof(apus_journal_state) == APUS_JOURNAL_PAYLOAD, "layout");
_Static_assert(sizeof(apus_order) == APUS_JOURNAL_PAYLOAD, "an order is journaled as it is");
_Static_assert(sizeof(apus_report) == APUS_JOURNAL_PAYLOAD, "a report is journaled as it is");

// CRC-32C (Castagnoli; RFC 3720, B.4), by the processor's instruction where it has one. Any thread.
uint32_t apus_crc32c(const void* bytes, size_t length);
// The same by a table: what machines without the instruction use, and what tests compare with.
uint32_t apus_crc32c_portable(const void* bytes, size_t length);

// The checksum that a record, or a segment's header, must carry.
uint32_t apus_journal_checksum(const apus_journal_record* record);
uint32_t apus_journal_segment_checksum(const apus_journal_segment* header);

enum apus_slot_state {
    APUS_SLOT_VALID = 0,
    APUS_SLOT_EMPTY = 1,    // all zero: never written
    APUS_SLOT_DAMAGED = 2,  // magic or checksum disagree: torn, or changed later
    APUS_SLOT_MISPLACED = 3 // a sound record with another number
};

// What lies in the place where record `number` belongs. Any thread; the record must not be written meanwhile.
enum apus_slot_state apus_journal_slot(const apus_journal_record* record, uint64_t number);

// MARK: writing

// Swift imports no over-aligned record: words that different threads write are kept apart by padding.
typedef struct apus_journal {
    // The decision thread's.
    uint8_t* place; // of the next record; NULL: no segment
    uint64_t left;  // records that still fit into this segment
    uint64_t next;  // number of the next record
    uint64_t run;
    uint64_t lost; // records that had no place
    uint64_t writer_padding[3];
    // Decision thread writes, journal thread reads: the newest whole record.
    uint64_t published;
    uint64_t published_padding[7];
    // Journal thread writes, decision thread reads.
    uint64_t durable;
    uint8_t* offered; // the next segment's first record; taken by the decision thread, which sets it to NULL
    uint64_t offered_capacity;
    uint64_t failed; // the disk does: no order may go out
    uint64_t offered_padding[4];
} apus_journal;

_Static_assert(offsetof(apus_journal, published) == 64, "each thread writes its own lines");
_Static_assert(offsetof(apus_journal, durable) == 128, "each thread writes its own lines");

// Before the threads start. `next` is the number of the first record to come; all before it are durable.
void apus_journal_init(apus_journal* journal, uint64_t next, uint64_t run);

// Journal thread, or before the threads start. Gives room for `capacity` records, zeroed, that continue the line; it stays mapped
// until all of them are written and the journal thread takes it away. Returns false while an earlier offer is not taken yet.
bool apus_journal_offer(apus_journal* journal, uint8_t* place, uint64_t capacity);

// Whether another segment is wanted. Journal thread.
static inline bool apus_journal_wants(const apus_journal* journal) {
    return __atomic_load_n(&journal->offered, __ATOMIC_ACQUIRE) == NULL;
}

// Before the threads start: takes an offer at once, so that another can be made.
bool apus_journal_take(apus_journal* journal);

// Journal thread: what is written may not be safe any more. There is no room for orders from now on.
static inline void apus_journal_set_failed(apus_journal* journal) {
    __atomic_store_n(&journal->failed, 1, __ATOMIC_RELEASE);
}

// Decision thread: how many records fit for certain; 0 when the disk fails.
static inline uint64_t apus_journal_room(const apus_journal* journal) {
    if (__atomic_load_n(&journal->failed, __ATOMIC_RELAXED) != 0) return 0;
    uint64_t room = journal->left;
    if (__atomic_load_n(&journal->offered, __ATOMIC_ACQUIRE) != NULL) room += journal->offered_capacity;
    return room;
}

// Decision thread. Appends and publishes. `payload` has 128 bytes. Returns the record's number, or 0 when there is no room: the
// caller must not send what it could not write down.
uint64_t apus_journal_append(apus_journal* journal, uint16_t kind, const void* payload, uint64_t monotonic_ns,
                             uint64_t wall_ns);

// The number that the next appended record gets: an order that must wait for its own intent carries it. Decision thread.
static inline uint64_t apus_journal_next(const apus_journal* journal) {
    return journal->next;
}

// Journal thread: the newest whole record.
static inline uint64_t apus_journal_published(const apus_journal* journal) {
    return __atomic_load_n(&journal->published, __ATOMIC_ACQUIRE);
}
// Journal thread: records up to that number survive the machine.
static inline void apus_journal_set_durable(apus_journal* journal, uint64_t number) {
    __atomic_store_n(&journal->durable, number, __ATOMIC_RELEASE);
}
static inline uint64_t apus_journal_durable(const apus_journal* journal) {
    return __atomic_load_n(&journal->durable, __ATOMIC_ACQUIRE);
}

// MARK: segment files. Journal thread or the control side.

typedef struct apus_journal_file {
    apus_journal_segment header;
    uint8_t* base;  // the mapping: the header, then the records; NULL: not open
    uint64_t bytes; // of the mapping: of the whole segment, also where the file is shorter
    uint64_t file_bytes;
    int descriptor;
    bool is_writable;
} apus_journal_file;

// Makes a whole segment under `path`, which must not exist, in a directory that was locked: space allocated and written with zeros, so that no later write of
// the mapping needs space, then durable, then renamed into place and mapped for writing. Returns 0; -ENOSPC, -EDQUOT: no room on
// the disk, nothing is left behind; -EEXIST; or another negative errno.
int apus_journal_file_create(apus_journal_file* file, const char* path, const apus_journal_segment* header);

// Opens one. A file that is shorter than its header says reads as zeros behind its end; for writing it is filled up first.
// Returns 0; -EPROTO: no segment of a journal; -EPROTOTYPE: of another version; -EBADMSG: its header is damaged; or another
// negative errno.
int apus_journal_file_open(apus_journal_file* file, const char* path, bool writable);

// Makes what stands from `offset` for `length` bytes durable. Returns 0 or a negative errno.
int apus_journal_file_sync(const apus_journal_file* file, uint64_t offset, uint64_t length);

// Brings the pages of that range in for writing, so that the decision thread meets no fault there. Where the system cannot, the
// decision thread meets the faults, and nothing else changes.
void apus_journal_file_touch(const apus_journal_file* file, uint64_t offset, uint64_t length);

// Unmaps and closes. Safe to call twice.
void apus_journal_file_close(apus_journal_file* file);

// Makes the directory if it is not there and takes it for one writer, until the descriptor is closed or the process ends. Returns
// a descriptor; -EWOULDBLOCK: another engine has it; or another negative errno.
int apus_journal_directory_lock(const char* path);
void apus_journal_directory_unlock(int descriptor);

#endif
