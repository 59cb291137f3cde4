#include "apus_utf8.h"

#include "apus_ascii.h"

// A state holds the continuation bytes still due in bits 0 to 7 and the range of the next one in bits 8 to 15 and 16 to
// 23. Only the first continuation byte of E0, ED, F0 and F4 has a range of its own (Unicode, table 3-7).
#define STATE(due, low, high) ((uint32_t)(due) | (uint32_t)(low) << 8 | (uint32_t)(high) << 16)

static apus_utf8_state after_lead(uint8_t lead) {
    if (lead < 0xc2) return 0;
    if (lead < 0xe0) return STATE(1, 0x80, 0xbf);
    if (lead == 0xe0) return STATE(2, 0xa0, 0xbf);
    if (lead == 0xed) return STATE(2, 0x80, 0x9f);
    if (lead < 0xf0) return STATE(2, 0x80, 0xbf);
    if (lead == 0xf0) return STATE(3, 0x90, 0xbf);
    if (lead < 0xf4) return STATE(3, 0x80, 0xbf);
    if (lead == 0xf4) return STATE(3, 0x80, 0x8f);
    return 0;
}

static size_t skip_ascii(const uint8_t* bytes, size_t from, size_t count) {
    uint64_t word;
    for (; from + 8 <= count; from += 8) {
        memcpy(&word, bytes + from, 8);
        if (word & 0x8080808080808080u) break;
    }
    while (from < count && bytes[from] < 0x80)
        from++;
    return from;
}

size_t apus_utf8_feed(apus_utf8_state* state, const uint8_t* bytes, size_t count) {
    apus_utf8_state at = *state;
    for (size_t i = 0; i < count; i++) {
        uint8_t byte = bytes[i];
        if (at == 0) {
            if (byte < 0x80) {
                i = skip_ascii(bytes, i, count);
                if (i == count) break;
                byte = bytes[i];
            }
            at = after_lead(byte);
            if (at == 0) return i;
        } else {
            if (byte < (at >> 8 & 0xff) || byte > (at >> 16 & 0xff)) return i;
            uint32_t due = (at & 0xff) - 1;
            at = due == 0 ? 0 : STATE(due, 0x80, 0xbf);
        }
    }
    *state = at;
    return count;
}

bool apus_utf8_valid(const uint8_t* bytes, size_t count) {
    apus_utf8_state state = 0;
    return apus_utf8_feed(&state, bytes, count) == count && state == 0;
}

bool apus_ascii_only(const uint8_t* bytes, size_t count) {
    return apus_ascii_at(apus_ascii_best(), bytes, count);
}

bool apus_ascii_only_at(uint8_t level, const uint8_t* bytes, size_t count) {
    return apus_ascii_at(level <= apus_ascii_best() ? level : apus_ascii_best(), bytes, count);
}
