// A request's body is written into one buffer, behind the room for what its HMAC covers before it: timestamp, method, path.
#include "apus_decimal.h"
#include "apus_polymarket.h"
#include "polymarket_orders_internal.h"

#include <openssl/crypto.h>
#include <stdio.h>

#define PREFIX_BYTES 256u

// MARK: who signs

static bool plain(const char* text) {
    size_t length = strlen(text);
    if (length == 0 || length >= APUS_POLYMARKET_KEY_BYTES) return false;
    for (; *text != 0; text++) {
        if (*text <= ' ' || *text > '~' || *text == '"' || *text == '\\') return false;
    }
    return true;
}

int apus_polymarket_signer_init(apus_polymarket_signer* signer, const apus_signing_key* key, uint8_t signature_type,
                                const uint8_t* funder, const char* api_key, const char* secret,
                                const char* passphrase) {
    memset(signer, 0, sizeof *signer);
    if (funder == NULL) funder = key->address;
    bool own = memcmp(funder, key->address, APUS_ADDRESS_BYTES) == 0;
    if (signature_type > APUS_POLYMARKET_POLY_1271 || (signature_type == APUS_POLYMARKET_EOA && !own)) return -EINVAL;
    if (!plain(api_key) || !plain(secret) || !plain(passphrase)) return -EINVAL;
    if (apus_polymarket_secret_prepare(&signer->hmac, secret, strlen(secret)) < 0) return -EINVAL;
    signer->key = key;
    signer->signature_type = signature_type;
    memcpy(signer->funder, funder, APUS_ADDRESS_BYTES);
    apus_address_write(key->address, signer->address);
    memcpy(signer->api_key, api_key, strlen(api_key) + 1);
    memcpy(signer->secret, secret, strlen(secret) + 1);
    memcpy(signer->passphrase, passphrase, strlen(passphrase) + 1);
    return 0;
}

void apus_polymarket_signer_wipe(apus_polymarket_signer* signer) {
    OPENSSL_cleanse(signer, sizeof *signer);
}

// MARK: typed orders

uint64_t apus_polymarket_salt(uint64_t client_id) {
    // Steele, Lea and Flood's mixer: every bit of the id changes the salt.
    uint64_t z = client_id + 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (z ^ (z >> 31)) >> 11;
}

// A market order is a limit order at the edge of its band, on a tick inside it.
static int64_t market_limit(const apus_order* order, int64_t tick, int64_t one) {
    if (order->side == APUS_BUY) {
        int64_t limit = order->band_high < one - tick ? order->band_high : one - tick;
        return limit - limit % tick;
    }
    int64_t limit = order->band_low > tick ? order->band_low : tick;
    return limit + (tick - limit % tick) % tick;
}

static void put_words(const apus_polymarket_signer* signer, const apus_polymarket_listing* listing,
                      const apus_order* order, const apus_polymarket_size* size, apus_polymarket_typed_order* typed) {
    const uint8_t* own = signer->signature_type == APUS_POLYMARKET_POLY_1271 ? signer->funder : signer->key->address;
    bool places = order->action == APUS_ORDER_PLACE;
    memset(typed, 0, sizeof *typed);
    apus_word_u64(apus_polymarket_salt(places ? order->client_id : order->target_id),
                  typed->words[APUS_POLYMARKET_SALT]);
    apus_word_address(signer->funder, typed->words[APUS_POLYMARKET_MAKER]);
    apus_word_address(own, typed->words[APUS_POLYMARKET_SIGNER]);
    memcpy(typed->words[APUS_POLYMARKET_TOKEN_ID], listing->token, APUS_WORD_BYTES);
    apus_word_u64(size->maker, typed->words[APUS_POLYMARKET_MAKER_AMOUNT]);
    apus_word_u64(size->taker, typed->words[APUS_POLYMARKET_TAKER_AMOUNT]);
    apus_word_u64(order->side == APUS_BUY ? 0 : 1, typed->words[APUS_POLYMARKET_SIDE]);
    apus_word_u64(signer->signature_type, typed->words[APUS_POLYMARKET_SIGNATURE_TYPE]);
    apus_word_u64(order->wall_ms, typed->words[APUS_POLYMARKET_TIMESTAMP]);
}

int apus_polymarket_make_order(const apus_polymarket_signer* signer, const apus_instrument* instrument,
                               const apus_polymarket_listing* listing, const apus_order* order, int64_t tick,
                               apus_polymarket_typed_order* typed) {
    if (tick < 1) return -EINVAL;
    apus_polymarket_size size;
    apus_polymarket_terms terms = {
        .price = order->price,
        .quantity = order->quantity,
        .tick = tick,
        .price_decimals = instrument->price_decimals,
        .quantity_decimals = instrument->quantity_decimals,
        .side = order->side,
    };
    if (order->type == APUS_MARKET) {
        terms.price = market_limit(order, tick, apus_powers_of_ten[instrument->price_decimals]);
    }
    int result = apus_polymarket_amounts(&terms, &size);
    if (result == 0) put_words(signer, listing, order, &size, typed);
    return result;
}

int64_t polymarket_tick(const pm_session* self, uint16_t instrument) {
    const apus_instrument* entry = apus_instrument_at(self->market->instruments, instrument);
    const apus_market_book* book = apus_market_at(self->market, instrument);
    int64_t tick = 0;
    if (book != NULL && book->venue != NULL) {
        const apus_polymarket_price* text = &apus_polymarket_proof_of(book)->tick_size;
        if (text->length > 0) apus_decimal_parse(text->text, text->length, entry->price_decimals, &tick, NULL);
    }
    return tick > 0 ? tick : entry->tick_units;
}

const apus_polymarket_exchange* polymarket_exchange_of(const pm_session* self, uint16_t instrument) {
    const apus_polymarket_listing* listing = &self->listings[instrument];
    uint8_t version = listing->version != 0 ? listing->version : self->version;
    if (version == 3) return &self->exchanges[APUS_POLYMARKET_V3];
    return &self->exchanges[listing->neg_risk ? APUS_POLYMARKET_V2_NEG_RISK : APUS_POLYMARKET_V2];
}

int polymarket_name_order(const pm_session* self, const apus_order* order, uint8_t hash[APUS_WORD_BYTES]) {
    const apus_instrument* instrument = apus_instrument_at(self->market->instruments, order->instrument);
    // A limit order's price was on its tick: the finest one changes nothing of it, whatever has become of the market's.
    int64_t finest = instrument->price_decimals > 4 ? apus_powers_of_ten[instrument->price_decimals - 4] : 1;
    int64_t tick = order->type == APUS_MARKET ? polymarket_tick(self, order->instrument) : finest;
    apus_polymarket_typed_order typed;
    int result =
        apus_polymarket_make_order(&self->signer, instrument, &self->listings[order->instrument], order, tick, &typed);
    if (result < 0) return result;
    apus_polymarket_order_hash(polymarket_exchange_of(self, order->instrument), &typed, hash);
    if (order->venue_id == 0 || apus_polymarket_venue_id(hash) == order->venue_id) return 0;
    // It may have been signed for the exchange that the market had before.
    for (uint32_t i = 0; i < APUS_POLYMARKET_EXCHANGES; i++) {
        apus_polymarket_order_hash(&self->exchanges[i], &typed, hash);
        if (apus_polymarket_venue_id(hash) == order->venue_id) return 0;
    }
    apus_polymarket_order_hash(polymarket_exchange_of(self, order->instrument), &typed, hash);
    return 0;
}

// MARK: bodies

void polymarket_hash_text(const uint8_t hash[APUS_WORD_BYTES], char text[APUS_POLYMARKET_HASH_TEXT]) {
    text[0] = '0';
    text[1] = 'x';
    apus_hex_write(hash, APUS_WORD_BYTES, text + 2);
}

char* polymarket_body(pm_session* self) {
    return self->text + PREFIX_BYTES;
}

static char* put(char* at, const char* text, size_t length) {
    memcpy(at, text, length);
    return at + length;
}

#define PUT(at, literal) ((at) = put((at), (literal), sizeof(literal) - 1))

static char* put_text(char* at, const char* text) {
    return put(at, text, strlen(text));
}

static uint64_t low_u64(const uint8_t word[APUS_WORD_BYTES]) {
    uint64_t value = 0;
    for (int i = 24; i < 32; i++) {
        value = value << 8 | word[i];
    }
    return value;
}

static char* put_number(char* at, const apus_polymarket_typed_order* typed, uint32_t field) {
    return at + apus_u64_format(low_u64(typed->words[field]), at);
}

static char* put_address(char* at, const apus_polymarket_typed_order* typed, uint32_t field) {
    apus_address_write(typed->words[field] + APUS_WORD_BYTES - APUS_ADDRESS_BYTES, at);
    return at + APUS_ADDRESS_TEXT_BYTES;
}

static const char* order_type(const apus_order* order) {
    if (order->time_in_force == APUS_FOK) return "FOK";
    if (order->type == APUS_MARKET || order->time_in_force == APUS_IOC) return "FAK";
    return order->expire_ms != 0 ? "GTD" : "GTC";
}

static char* put_signature(const pm_session* self, char* at, const apus_order* order,
                           const apus_polymarket_typed_order* typed, const uint8_t hash[APUS_WORD_BYTES]) {
    uint8_t signature[APUS_POLYMARKET_SIGNATURE_BYTES];
    size_t size = apus_polymarket_order_sign(self->signer.key, polymarket_exchange_of(self, order->instrument), typed,
                                             hash, signature);
    PUT(at, "0x");
    apus_hex_write(signature, size, at);
    return at + 2 * size;
}

char* polymarket_put_placement(const pm_session* self, char* at, const apus_order* order,
                               const apus_polymarket_typed_order* typed, const uint8_t hash[APUS_WORD_BYTES]) {
    static const char zero[] = "0x0000000000000000000000000000000000000000000000000000000000000000";
    const apus_instrument* instrument = apus_instrument_at(self->market->instruments, order->instrument);
    PUT(at, "{\"deferExec\":false,\"postOnly\":");
    at = put_text(at, order->time_in_force == APUS_POST_ONLY ? "true" : "false");
    PUT(at, ",\"order\":{\"salt\":");
    at = put_number(at, typed, APUS_POLYMARKET_SALT);
    PUT(at, ",\"maker\":\"");
    at = put_address(at, typed, APUS_POLYMARKET_MAKER);
    PUT(at, "\",\"signer\":\"");
    at = put_address(at, typed, APUS_POLYMARKET_SIGNER);
    PUT(at, "\",\"tokenId\":\"");
    at = put(at, instrument->symbol, instrument->symbol_length);
    PUT(at, "\",\"makerAmount\":\"");
    at = put_number(at, typed, APUS_POLYMARKET_MAKER_AMOUNT);
    PUT(at, "\",\"takerAmount\":\"");
    at = put_number(at, typed, APUS_POLYMARKET_TAKER_AMOUNT);
    PUT(at, "\",\"side\":\"");
    at = put_text(at, order->side == APUS_BUY ? "BUY" : "SELL");
    PUT(at, "\",\"signatureType\":");
    at = put_number(at, typed, APUS_POLYMARKET_SIGNATURE_TYPE);
    PUT(at, ",\"timestamp\":\"");
    at = put_number(at, typed, APUS_POLYMARKET_TIMESTAMP);
    PUT(at, "\",\"expiration\":\"");
    at += apus_u64_format(order->expire_ms / 1000, at);
    PUT(at, "\",\"metadata\":\"");
    PUT(at, zero);
    PUT(at, "\",\"builder\":\"");
    PUT(at, zero);
    PUT(at, "\",\"signature\":\"");
    at = put_signature(self, at, order, typed, hash);
    PUT(at, "\"},\"owner\":\"");
    at = put_text(at, self->signer.api_key);
    PUT(at, "\",\"orderType\":\"");
    at = put_text(at, order_type(order));
    PUT(at, "\"}");
    return at;
}

// MARK: requests

static void sign_request(pm_session* self, const polymarket_request* request, const char* timestamp,
                         char signature[APUS_POLYMARKET_HMAC_BYTES]) {
    size_t times = strlen(timestamp), methods = strlen(request->method), paths = strlen(request->path);
    char* start = polymarket_body(self) - times - methods - paths;
    char* at = put(put(put(start, timestamp, times), request->method, methods), request->path, paths);
    apus_polymarket_request_sign(&self->signer.hmac, start, (size_t)(at - start) + request->body_size, signature);
}

int polymarket_write_request(pm_session* self, apus_polymarket_line* line, const polymarket_request* request,
                             uint64_t now_ns) {
    char headers[1024], timestamp[APUS_DECIMAL_TEXT_BYTES] = {0}, signature[APUS_POLYMARKET_HMAC_BYTES + 1] = {0};
    char path[APUS_POLYMARKET_KEY_BYTES + 256];
    const apus_polymarket_signer* signer = &self->signer;
    snprintf(path, sizeof path, "%s%s", request->path, request->query);
    if (!request->open) {
        apus_u64_format(polymarket_wall_ns(self, now_ns) / SECOND_NS, timestamp);
        sign_request(self, request, timestamp, signature);
        snprintf(headers, sizeof headers,
                 "POLY_ADDRESS: %s\r\nPOLY_SIGNATURE: %s\r\nPOLY_TIMESTAMP: %s\r\nPOLY_API_KEY: %s\r\n"
                 "POLY_PASSPHRASE: %s\r\n%s",
                 signer->address, signature, timestamp, signer->api_key, signer->passphrase,
                 request->body_size > 0 ? "Content-Type: application/json\r\n" : "");
    }
    apus_http_request http = {
        .method = request->method,
        .endpoint = &self->config.api,
        .path = path,
        .headers = request->open ? NULL : headers,
        .body = polymarket_body(self),
        .body_size = request->body_size,
    };
    return apus_http_write(&line->channel.tx, &http);
}
