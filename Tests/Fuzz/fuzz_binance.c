// The Binance decoder on any bytes: every fast variant gives what the general reader gives, or an error of the same kind at the
// same place. The message lies so that AddressSanitizer sees a read before it or beyond its padding; the padding holds what an
// earlier, longer message would have left there.
#include "binance_support.h"

static apus_instrument_table table;
static support_decoder* general;
static support_decoder* fast[3];

static void prepare(void) {
    support_instruments(&table);
    general = support_decoder_make(&table, APUS_VECTOR_PORTABLE, true);
    for (int vector = 0; vector < 3; vector++)
        fast[vector] = support_decoder_make(&table, vector, false);
}

static void compare(const uint8_t* bytes, size_t size, uint16_t instrument) {
    apus_binance_message expected, message;
    int result = apus_binance_decode(&general->decoder, bytes, size, instrument, &expected);
    check(result == 0 || result == -EBADMSG || result == -EDOM || result == -ERANGE || result == -ENOBUFS);
    check((result == 0) == (expected.fault == APUS_BINANCE_FAULT_NONE) && expected.error_offset <= size);
    check(apus_binance_fault_text(expected.fault)[0] != 0);
    for (uint32_t i = 0; result == 0 && i < expected.bid_count + expected.ask_count; i++)
        check(expected.levels[i].quantity >= 0);
    for (int vector = 0; vector < 3; vector++) {
        if (fast[vector] == NULL) continue;
        int again = apus_binance_decode(&fast[vector]->decoder, bytes, size, instrument, &message);
        check(again == result && message.fault == expected.fault && message.json_fault == expected.json_fault
              && message.error_offset == expected.error_offset);
        if (result == 0) check(same_message(&message, &expected));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (general == NULL) prepare();
    if (size == 0) return 0;
    // The first byte says where the message ends (what follows is left in the padding) and which instrument a snapshot is for.
    size_t cut = data[0] & 0x3F;
    uint16_t instrument = data[0] >> 6 == 3 ? APUS_INSTRUMENT_NONE : (uint16_t)(data[0] >> 6);
    size_t length = size - 1 > cut ? size - 1 - cut : size - 1;
    uint8_t* copy = malloc(length + APUS_PADDING);
    memset(copy + length, '"', APUS_PADDING);
    memcpy(copy, data + 1, size - 1 < length + APUS_PADDING ? size - 1 : length + APUS_PADDING);
    compare(copy, length, instrument);
    free(copy);
    return 0;
}
