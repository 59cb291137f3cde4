// The loops whose instructions are counted: an operation, and the little that finds out whether it was done.
#include "rig.h"

void counts_frame(void* context, uint64_t operations) {
    counts_rig* rig = context;
    apus_ws_item item;
    for (uint64_t i = 0; i < operations; i++) {
        if (rig->frames.start == rig->frames.end) rig->frames.start = 0;
        int kind = apus_ws_next(&rig->ws, &rig->frames, &item);
        rig->wrong += kind != APUS_WS_TEXT || item.size != COUNTS_FRAME_PAYLOAD;
    }
}

static const uint8_t* next_message(counts_messages* messages) {
    uint32_t number = messages->next;
    messages->next = (number + 1) & (COUNTS_MESSAGES - 1);
    return messages->bytes + (size_t)number * messages->length;
}

static void decode(counts_rig* rig, counts_messages* messages, uint64_t operations, bool general) {
    apus_binance_message message;
    for (uint64_t i = 0; i < operations; i++) {
        const uint8_t* text = next_message(messages);
        int result = apus_binance_decode(&rig->binance.decoder, text, messages->length, APUS_INSTRUMENT_NONE, &message);
        rig->wrong += result != 0 || message.bid_count + message.ask_count != 6 || message.general != general;
    }
}

void counts_decode_binance(void* context, uint64_t operations) {
    counts_rig* rig = context;
    decode(rig, &rig->spot, operations, false);
}

void counts_decode_general(void* context, uint64_t operations) {
    counts_rig* rig = context;
    decode(rig, &rig->others, operations, true);
}

void counts_decode_polymarket(void* context, uint64_t operations) {
    counts_rig* rig = context;
    apus_polymarket_message message;
    apus_polymarket_frame frame;
    for (uint64_t i = 0; i < operations; i++) {
        const uint8_t* text = next_message(&rig->tokens);
        apus_polymarket_frame_begin(&frame, text, rig->tokens.length);
        int result = apus_polymarket_frame_next(&rig->polymarket, &frame, &message);
        rig->wrong += result != 1 || message.change_count != 1 || !message.fast;
    }
}

void counts_book_update(void* context, uint64_t operations) {
    counts_rig* rig = context;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        const counts_delta* delta = &rig->deltas[rig->next_delta];
        rig->next_delta = (rig->next_delta + 1) & (COUNTS_DELTAS - 1);
        rig->wrong += apus_book_set(&rig->book, delta->side, delta->price, delta->quantity) < 0;
        apus_touch touch = apus_book_best(&rig->book);
        sum += (uint64_t)touch.bid_price * 31 + (uint64_t)touch.ask_price;
    }
    // So that the best prices are really read.
    __asm__ volatile("" : : "r"(sum));
}

void counts_publish(void* context, uint64_t operations) {
    counts_rig* rig = context;
    apus_event event = {.kind = APUS_EVENT_BOOK, .bid_price = 5000000, .bid_quantity = 1, .ask_price = 5000001};
    for (uint64_t i = 0; i < operations; i++) {
        event.update_id = (uint32_t)i;
        apus_publisher_emit(&rig->publisher, &event);
    }
}

void counts_histogram_record(void* context, uint64_t operations) {
    counts_rig* rig = context;
    apus_histogram* histogram = apus_counters_hop(rig->view.counters, APUS_HOP_SENT_ANSWER);
    for (uint64_t i = 0; i < operations; i++) {
        apus_histogram_record(histogram, rig->values[rig->next_value]);
        rig->next_value = (rig->next_value + 1) & (COUNTS_VALUES - 1);
    }
}

void counts_pipeline(void* context, uint64_t operations) {
    counts_rig* rig = context;
    apus_ws_item item;
    uint64_t before = rig->publisher.feed.next;
    for (uint64_t i = 0; i < operations; i++) {
        if (apus_ws_next(&rig->stream_ws, &rig->stream, &item) != APUS_WS_TEXT) rig->wrong++;
        uint64_t now = apus_clock_now(&rig->clock);
        if (apus_binance_market_message(&rig->binance, item.data, item.size, now, 0) != 0) rig->wrong++;
    }
    rig->wrong += rig->publisher.feed.next - before != operations;
}
