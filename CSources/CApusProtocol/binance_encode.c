// A request and the text that its signature covers are written side by side: the parameters in the order of their names,
// once as JSON members and once as a query.
#include "apus_binance_orders.h"
#include "apus_decimal.h"

#include <string.h>

#define QUERY_BYTES 640u

static const char hexadecimal[] = "0123456789abcdef";

void apus_binance_client_id(uint64_t client_id, char text[APUS_BINANCE_CLIENT_ID_BYTES]) {
    memcpy(text, "apus", 4);
    for (size_t i = 0; i < 16; i++) {
        text[4 + i] = hexadecimal[client_id >> (60 - 4 * i) & 15];
    }
}

bool apus_binance_parse_client_id(const uint8_t* text, size_t length, uint64_t* client_id) {
    if (length != APUS_BINANCE_CLIENT_ID_BYTES || memcmp(text, "apus", 4) != 0) return false;
    uint64_t value = 0;
    for (size_t i = 4; i < length; i++) {
        const char* digit = memchr(hexadecimal, text[i], 16);
        if (digit == NULL) return false;
        value = value << 4 | (uint64_t)(digit - hexadecimal);
    }
    *client_id = value;
    return true;
}

typedef struct writer {
    char* json;
    char* query;
    char query_text[QUERY_BYTES];
} writer;

static char* put(char* to, const char* text, size_t length) {
    memcpy(to, text, length);
    return to + length;
}

#define PUT(to, literal) ((to) = put((to), (literal), sizeof(literal) - 1))

// One parameter whose value is a JSON string (quoted) or a number.
static void parameter(writer* writer, const char* name, size_t name_length, const char* value, size_t length,
                      bool quoted) {
    *writer->json++ = '"';
    writer->json = put(writer->json, name, name_length);
    PUT(writer->json, "\":");
    if (quoted) *writer->json++ = '"';
    writer->json = put(writer->json, value, length);
    if (quoted) *writer->json++ = '"';
    *writer->json++ = ',';
    if (writer->query != writer->query_text) *writer->query++ = '&';
    writer->query = put(writer->query, name, name_length);
    *writer->query++ = '=';
    writer->query = put(writer->query, value, length);
}

#define TEXT(writer, name, value, length) parameter((writer), name, sizeof(name) - 1, (value), (length), true)
#define LITERAL(writer, name, value) parameter((writer), name, sizeof(name) - 1, value, sizeof(value) - 1, true)

static void put_client_id(writer* writer, const char* name, size_t name_length, uint64_t id) {
    char text[APUS_BINANCE_CLIENT_ID_BYTES];
    apus_binance_client_id(id, text);
    parameter(writer, name, name_length, text, sizeof text, true);
}

static void put_price(writer* writer, const apus_instrument* instrument, const apus_order* order) {
    char text[APUS_DECIMAL_TEXT_BYTES];
    size_t length = apus_decimal_format(order->price, instrument->price_decimals, text);
    TEXT(writer, "price", text, length);
}

static void put_quantity(writer* writer, const apus_instrument* instrument, const apus_order* order) {
    char text[APUS_DECIMAL_TEXT_BYTES];
    size_t length = apus_decimal_format(order->quantity, instrument->quantity_decimals, text);
    TEXT(writer, "quantity", text, length);
}

static void put_side(writer* writer, const apus_order* order) {
    if (order->side == APUS_BUY)
        LITERAL(writer, "side", "BUY");
    else
        LITERAL(writer, "side", "SELL");
}

static void put_symbol(writer* writer, const apus_instrument* instrument) {
    TEXT(writer, "symbol", instrument->symbol, instrument->symbol_length);
}

static void put_number(writer* writer, const char* name, size_t name_length, uint64_t value) {
    char text[APUS_DECIMAL_TEXT_BYTES];
    size_t length = apus_u64_format(value, text);
    parameter(writer, name, name_length, text, length, false);
}

static void put_receive_window(writer* writer, uint32_t window_ms) {
    if (window_ms != APUS_BINANCE_RECEIVE_WINDOW_MS) put_number(writer, "recvWindow", 10, window_ms);
}

static bool ends_by_itself(const apus_order* order) {
    return order->expire_ms != 0 && order->type == APUS_LIMIT && order->time_in_force == APUS_GTC;
}

bool apus_binance_can_encode(const apus_order* order) {
    return order->action != APUS_ORDER_PLACE || order->expire_ms == 0 || ends_by_itself(order);
}

static void put_time_in_force(writer* writer, const apus_order* order) {
    if (ends_by_itself(order)) {
        LITERAL(writer, "timeInForce", "GTD");
        return;
    }
    switch (order->time_in_force) {
    case APUS_IOC:
        LITERAL(writer, "timeInForce", "IOC");
        break;
    case APUS_FOK:
        LITERAL(writer, "timeInForce", "FOK");
        break;
    case APUS_POST_ONLY:
        LITERAL(writer, "timeInForce", "GTX");
        break;
    default:
        LITERAL(writer, "timeInForce", "GTC");
        break;
    }
}

typedef struct stamp {
    uint64_t timestamp_ms;
    uint32_t receive_window_ms;
} stamp;

static void put_placement(writer* writer, const apus_instrument* instrument, const apus_order* order,
                          const stamp* stamp) {
    bool limit = order->type == APUS_LIMIT;
    if (ends_by_itself(order)) put_number(writer, "goodTillDate", 12, order->expire_ms);
    put_client_id(writer, "newClientOrderId", 16, order->client_id);
    if (limit) put_price(writer, instrument, order);
    put_quantity(writer, instrument, order);
    put_receive_window(writer, stamp->receive_window_ms);
    if (order->flags & APUS_ORDER_REDUCE_ONLY) LITERAL(writer, "reduceOnly", "true");
    put_side(writer, order);
    put_symbol(writer, instrument);
    if (limit) put_time_in_force(writer, order);
    put_number(writer, "timestamp", 9, stamp->timestamp_ms);
    if (limit)
        LITERAL(writer, "type", "LIMIT");
    else
        LITERAL(writer, "type", "MARKET");
}

static void put_target(writer* writer, const apus_instrument* instrument, const apus_order* order, const stamp* stamp) {
    bool modify = order->action == APUS_ORDER_MODIFY;
    put_client_id(writer, "origClientOrderId", 17, order->target_id);
    if (modify) {
        put_price(writer, instrument, order);
        put_quantity(writer, instrument, order);
    }
    put_receive_window(writer, stamp->receive_window_ms);
    if (modify) put_side(writer, order);
    put_symbol(writer, instrument);
    put_number(writer, "timestamp", 9, stamp->timestamp_ms);
}

static void put_method(writer* writer, uint8_t action) {
    switch (action) {
    case APUS_ORDER_CANCEL:
        PUT(writer->json, "order.cancel");
        break;
    case APUS_ORDER_MODIFY:
        PUT(writer->json, "order.modify");
        break;
    case APUS_ORDER_QUERY:
        PUT(writer->json, "order.status");
        break;
    default:
        PUT(writer->json, "order.place");
        break;
    }
}

int apus_binance_encode_order(const apus_binance_signer* signer, const apus_instrument* instrument,
                              const apus_order* order, uint64_t request_id, uint64_t timestamp_ms,
                              uint32_t receive_window_ms, char* out) {
    writer writer = {.json = out, .query = NULL};
    stamp stamp = {.timestamp_ms = timestamp_ms, .receive_window_ms = receive_window_ms};
    writer.query = writer.query_text;
    PUT(writer.json, "{\"id\":\"");
    writer.json += apus_u64_format(request_id, writer.json);
    PUT(writer.json, "\",\"method\":\"");
    put_method(&writer, order->action);
    PUT(writer.json, "\",\"params\":{");
    TEXT(&writer, "apiKey", signer->api_key, signer->api_key_length);
    if (order->action == APUS_ORDER_PLACE)
        put_placement(&writer, instrument, order, &stamp);
    else
        put_target(&writer, instrument, order, &stamp);
    PUT(writer.json, "\"signature\":\"");
    int signature =
        apus_binance_sign(signer, writer.query_text, (size_t)(writer.query - writer.query_text), writer.json);
    if (signature < 0) return signature;
    writer.json += signature;
    PUT(writer.json, "\"}}");
    return (int)(writer.json - out);
}
