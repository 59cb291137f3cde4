#include "apus_binance_decode_internal.h"

void apus_binance_decoder_init(apus_binance_decoder* decoder, const apus_instrument_table* instruments,
                               apus_level* levels, uint32_t level_capacity) {
    memset(decoder, 0, sizeof *decoder);
    decoder->instruments = instruments;
    decoder->levels = levels;
    decoder->level_capacity = level_capacity;
    decoder->vector = (uint8_t)apus_vector_best();
}

int apus_binance_decoder_force(apus_binance_decoder* decoder, apus_vector vector) {
    if (!apus_vector_available(vector)) return -ENOTSUP;
    decoder->vector = (uint8_t)vector;
    return 0;
}

void apus_binance_decoder_force_general(apus_binance_decoder* decoder, bool general_only) {
    decoder->general_only = general_only;
}

static void start_message(apus_binance_message* message) {
    memset(message, 0, sizeof *message);
    message->instrument = APUS_INSTRUMENT_NONE;
}

// A wide reader leaves decimals of another form than the instrument's to the portable one.
static bool try_fast(apus_binance_decoder* decoder, const uint8_t* bytes, size_t length, uint16_t instrument,
                     apus_binance_message* message) {
#if defined(__x86_64__)
    if (decoder->vector == APUS_VECTOR_AVX512) {
        if (apus_binance_fast_avx512(decoder, bytes, length, instrument, message)) return true;
        start_message(message);
    }
    if (decoder->vector == APUS_VECTOR_AVX2) {
        if (apus_binance_fast_avx2(decoder, bytes, length, instrument, message)) return true;
        start_message(message);
    }
#endif
    return apus_binance_fast_portable(decoder, bytes, length, instrument, message);
}

int apus_binance_decode(apus_binance_decoder* decoder, const uint8_t* bytes, size_t length, uint16_t instrument,
                        apus_binance_message* message) {
    start_message(message);
    if (length > APUS_MESSAGE_BYTES_MAX) {
        message->fault = APUS_BINANCE_FAULT_SIZE;
        message->error_offset = APUS_MESSAGE_BYTES_MAX;
        decoder->counters.errors++;
        return -ENOBUFS;
    }
    if (!decoder->general_only && try_fast(decoder, bytes, length, instrument, message)) {
        decoder->counters.fast++;
        return 0;
    }
    start_message(message);
    message->general = true;
    int error = apus_binance_general(decoder, bytes, length, instrument, message);
    if (error < 0) {
        decoder->counters.errors++;
        return error;
    }
    decoder->counters.general++;
    if (message->unknown_reason == APUS_BINANCE_UNKNOWN_EVENT) decoder->counters.unknown_events++;
    if (message->unknown_reason == APUS_BINANCE_UNKNOWN_SYMBOL) decoder->counters.unknown_symbols++;
    return 0;
}

const char* apus_binance_fault_text(uint8_t fault) {
    switch (fault) {
    case APUS_BINANCE_FAULT_NONE:
        return "nothing wrong";
    case APUS_BINANCE_FAULT_JSON:
        return "not valid JSON";
    case APUS_BINANCE_FAULT_TYPE:
        return "a field of another type than it must have";
    case APUS_BINANCE_FAULT_MISSING:
        return "a field is missing";
    case APUS_BINANCE_FAULT_NUMBER:
        return "a text that must be a decimal number is none, or is negative";
    case APUS_BINANCE_FAULT_DECIMALS:
        return "more decimals than the instrument has";
    case APUS_BINANCE_FAULT_RANGE:
        return "a number that does not fit in 64 bits";
    case APUS_BINANCE_FAULT_LEVELS:
        return "more levels than APUS_MESSAGE_LEVELS_MAX";
    case APUS_BINANCE_FAULT_TEXT:
        return "a text with escapes longer than APUS_JSON_TEXT_BYTES";
    default:
        return "a message longer than APUS_MESSAGE_BYTES_MAX";
    }
}
