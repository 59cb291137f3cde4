// Answers and user events on any bytes: no read beyond them, an error names a byte of the message, texts lie inside it, and what
// was decoded is decoded alike from another place in memory.
#include "apus_binance_orders.h"

#include <stdlib.h>

static apus_instrument_table table;

static void check(int condition) {
    if (!condition) abort();
}

static void prepare(void) {
    void* memory = aligned_alloc(64, 1 << 14);
    check(apus_instrument_table_bytes(8) <= 1 << 14 && apus_instrument_table_init(&table, memory, 8) == 0);
    apus_instrument instrument = {
        .price_decimals = 2, .quantity_decimals = 3, .tick_units = 1, .lot_units = 1, .contract_multiplier = 1};
    check(apus_instrument_add(&table, "BTCUSDT", 7, &instrument) == 0);
    instrument.price_decimals = instrument.quantity_decimals = 18;
    check(apus_instrument_add(&table, "X", 1, &instrument) == 1);
}

static void check_inside(const uint8_t* text, uint32_t length, const uint8_t* bytes, size_t size) {
    if (text != NULL) check(text >= bytes && text + length <= bytes + size);
}

static int decode(const uint8_t* data, size_t size, apus_binance_answer* answer) {
    uint8_t* copy = malloc(size + APUS_PADDING);
    memcpy(copy, data, size);
    memset(copy + size, '"', APUS_PADDING);
    int result = apus_binance_decode_answer(&table, "USDT", copy, size, answer);
    check(result == 0 || result == -EBADMSG);
    check_inside(answer->listen_key, answer->listen_key_length, copy, size);
    check_inside(answer->message, answer->message_length, copy, size);
    if (result < 0) check(answer->error_offset <= size);
    free(copy);
    answer->listen_key = answer->message = NULL;
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (table.capacity == 0) prepare();
    apus_binance_answer first, again;
    int result = decode(data, size, &first);
    check(decode(data, size, &again) == result && memcmp(&first, &again, sizeof first) == 0);
    if (result < 0) return 0;
    check(first.kind >= APUS_BINANCE_ORDER_ANSWER && first.kind <= APUS_BINANCE_OTHER);
    check(first.instrument == APUS_INSTRUMENT_NONE || first.instrument < table.count);
    check(!first.ours || first.instrument != APUS_INSTRUMENT_NONE);
    check(first.execution <= APUS_REPORT_NOT_FOUND && first.order_status <= APUS_STATUS_REJECTED);
    return 0;
}
