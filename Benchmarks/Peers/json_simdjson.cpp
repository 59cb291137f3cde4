// simdjson's on-demand API reading market messages to the integers that the engine's decoders give.
//   json_simdjson binance|wrapped|polymarket MESSAGES REPETITIONS PRICE_DECIMALS QUANTITY_DECIMALS
// MESSAGES: u64 count, then for each message u32 length and its bytes. Prints median ns for a message, levels, checksum.
// Fields are asked for in the order in which the venue writes them, numbers in texts are read where they stand.
#include "common.h"

#include <cstring>
#include <simdjson.h>
#include <string_view>

using namespace simdjson;

struct Level {
    int64_t price;
    int64_t quantity;
};

struct Message {
    uint64_t first, last, previous, event_time, transaction_time;
    std::vector<Level> levels;
    int64_t touch;
    bool is_buy, is_change;
};

struct Messages {
    std::vector<char> bytes;
    std::vector<size_t> starts;
    std::vector<size_t> lengths;
};

static Messages read_messages(const char* path) {
    FILE* file = fopen(path, "rb");
    if (!file) fail(std::string("cannot open ") + path);
    Messages all;
    uint64_t count = 0;
    if (fread(&count, 8, 1, file) != 1) fail("no count in the file");
    for (uint64_t i = 0; i < count; i++) {
        uint32_t length;
        if (fread(&length, 4, 1, file) != 1) fail("the file is cut off");
        all.starts.push_back(all.bytes.size());
        all.lengths.push_back(length);
        all.bytes.resize(all.bytes.size() + length + SIMDJSON_PADDING);
        if (fread(&all.bytes[all.starts.back()], 1, length, file) != length) fail("the file is cut off");
    }
    fclose(file);
    return all;
}

// Eight digits at once: pairs, fours, eight.
static bool eight_digits(const char* at, uint64_t& value) {
    uint64_t word;
    memcpy(&word, at, 8);
    uint64_t digits = word - 0x3030303030303030u;
    if (((word + 0x4646464646464646u) | digits) & 0x8080808080808080u) return false;
    digits = digits * 10 + (digits >> 8);
    value = (((digits & 0x000000FF000000FFu) * 0x000F424000000064u)
             + (((digits >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u)) >> 32;
    return true;
}

// A decimal text up to its quote as a whole number of 10^-decimals; zeros beyond that are allowed.
static int64_t decimal(ondemand::raw_json_string text, int decimals) {
    const char* at = text.raw();
    uint64_t value = 0, eight;
    for (; unsigned(*at - '0') < 10; at++)
        value = value * 10 + uint64_t(*at - '0');
    if (*at == '.') {
        at++;
        if (decimals == 8 && eight_digits(at, eight)) {
            value = value * 100000000 + eight;
            decimals = 0;
            at += 8;
        }
        for (; decimals > 0 && unsigned(*at - '0') < 10; at++, decimals--)
            value = value * 10 + uint64_t(*at - '0');
        while (*at == '0')
            at++;
    }
    for (; decimals > 0; decimals--)
        value *= 10;
    if (*at != '"') fail("a number that does not fit");
    return int64_t(value);
}

static void read_levels(ondemand::array rows, int price_decimals, int quantity_decimals, Message& out) {
    for (ondemand::array row : rows) {
        auto number = row.begin();
        int64_t price = decimal((*number).get_raw_json_string(), price_decimals);
        ++number;
        int64_t quantity = decimal((*number).get_raw_json_string(), quantity_decimals);
        ++number;
        out.levels.push_back({price, quantity});
    }
}

// Walks an object's fields once. A key that is asked for and not there would cost a search through the whole object.
template <class Take> static void each(ondemand::object& o, Take take) {
    for (auto field : o)
        take(field.key(), field.value());
}

static bool is(ondemand::raw_json_string key, char letter) {
    return key.raw()[0] == letter && key.raw()[1] == '"';
}

// MARK: Binance

static void check_symbol(ondemand::value value) {
    if (memcmp(ondemand::raw_json_string(value.get_raw_json_string()).raw(), "BTCUSDT\"", 8) != 0)
        fail("another symbol");
}

struct Decimals {
    int price, quantity;
};

// One walk for the three kinds: their letters mean the same where they meet, but for what `b` and `a` hold.
static void event(ondemand::object& o, Decimals decimals, Message& out) {
    char kind = 0;
    each(o, [&](ondemand::raw_json_string key, ondemand::value value) {
        if (is(key, 'e')) {
            kind = ondemand::raw_json_string(value.get_raw_json_string()).raw()[0];
        } else if (is(key, 'E')) {
            out.event_time = value.get_uint64();
        } else if (is(key, 'T')) {
            out.transaction_time = value.get_uint64();
        } else if (is(key, 's')) {
            check_symbol(value);
        } else if (is(key, 'U')) {
            out.first = value.get_uint64();
        } else if (is(key, 'u') || is(key, 't')) {
            out.last = value.get_uint64();
        } else if (key.raw()[0] == 'p' && key.raw()[1] == 'u') {
            out.previous = value.get_uint64();
        } else if (is(key, 'b') || is(key, 'a')) {
            if (kind == 'd')
                read_levels(value.get_array(), decimals.price, decimals.quantity, out);
            else
                out.touch += decimal(value.get_raw_json_string(), decimals.price);
        } else if (is(key, 'p')) {
            out.touch += decimal(value.get_raw_json_string(), decimals.price);
        } else if (is(key, 'q') || is(key, 'B') || is(key, 'A')) {
            out.touch += decimal(value.get_raw_json_string(), decimals.quantity);
        } else if (is(key, 'm')) {
            out.is_buy = value.get_bool();
        }
    });
}

static void binance(ondemand::document& document, Decimals decimals, Message& out) {
    ondemand::object o = document.get_object();
    event(o, decimals, out);
}

// The combined stream's wrapper around an event, or a snapshot.
static void wrapped(ondemand::document& document, Decimals decimals, Message& out) {
    ondemand::object o = document.get_object();
    each(o, [&](ondemand::raw_json_string key, ondemand::value value) {
        if (key == "data") {
            ondemand::object data = value.get_object();
            event(data, decimals, out);
        } else if (key == "bids" || key == "asks") {
            read_levels(value.get_array(), decimals.price, decimals.quantity, out);
        } else if (key == "lastUpdateId") {
            out.last = value.get_uint64();
        }
    });
}

// MARK: Polymarket

static void read_change(ondemand::object change, Decimals decimals, Message& out) {
    Level level{};
    each(change, [&](ondemand::raw_json_string key, ondemand::value value) {
        if (key == "asset_id")
            out.first += uint8_t(ondemand::raw_json_string(value.get_raw_json_string()).raw()[0]);
        else if (key == "price")
            level.price = decimal(value.get_raw_json_string(), decimals.price);
        else if (key == "size")
            level.quantity = decimal(value.get_raw_json_string(), decimals.quantity);
        else if (key == "side")
            out.is_buy = ondemand::raw_json_string(value.get_raw_json_string()).raw()[0] == 'B';
    });
    out.levels.push_back(level);
}

static void polymarket(ondemand::document& document, Decimals decimals, Message& out) {
    ondemand::object o = document.get_object();
    each(o, [&](ondemand::raw_json_string key, ondemand::value value) {
        if (key == "price_changes")
            for (ondemand::object change : value.get_array())
                read_change(change, decimals, out);
        else if (key == "timestamp")
            out.event_time = uint64_t(decimal(value.get_raw_json_string(), 0));
        else if (key == "event_type")
            out.is_change = ondemand::raw_json_string(value.get_raw_json_string()).raw()[0] == 'p';
    });
}

// MARK: running

using Reader = void (*)(ondemand::document&, Decimals, Message&);

template <Reader read>
static void run(const Messages& all, int repetitions, Decimals decimals) {
    ondemand::parser parser;
    std::vector<double> times;
    uint64_t sum = 0, levels = 0;
    Message message{};
    for (int i = 0; i < repetitions; i++) {
        sum = levels = 0;
        uint64_t start = now_ns();
        for (size_t k = 0; k < all.starts.size(); k++) {
            message.levels.clear();
            size_t length = all.lengths[k];
            ondemand::document document =
                parser.iterate(&all.bytes[all.starts[k]], length, length + SIMDJSON_PADDING);
            read(document, decimals, message);
            levels += message.levels.size();
            for (const Level& level : message.levels)
                sum += uint64_t(level.price) * 31 + uint64_t(level.quantity);
        }
        times.push_back(double(now_ns() - start) / double(all.starts.size()));
    }
    std::sort(times.begin(), times.end());
    printf("ns: %.3f levels: %llu checksum: %llu\n", times[times.size() / 2], (unsigned long long)levels,
           (unsigned long long)sum);
}

int main(int count, char** arguments) {
    if (count < 6) fail("usage: json_simdjson binance|wrapped|polymarket MESSAGES REPETITIONS PRICE_DECIMALS QUANTITY_DECIMALS");
    Messages all = read_messages(arguments[2]);
    int repetitions = std::max(1, atoi(arguments[3]));
    Decimals decimals{atoi(arguments[4]), atoi(arguments[5])};
    std::string_view form = arguments[1];
    try {
        if (form == "binance")
            run<binance>(all, repetitions, decimals);
        else if (form == "wrapped")
            run<wrapped>(all, repetitions, decimals);
        else
            run<polymarket>(all, repetitions, decimals);
    } catch (const simdjson_error& error) {
        fail(std::string("simdjson: ") + error.what());
    }
}
