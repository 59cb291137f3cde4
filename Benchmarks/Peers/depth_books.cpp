// Order books that a careful author would write: over std::map, over Abseil's B-tree, and over vectors searched from the touch.
//   depth_books DELTAS REPETITIONS     prints for each: name, median ns for an update, checksum
// The work is that of Benchmarks/Sources/CBench/bench_book.c: apply one delta, read both best prices.
#include "common.h"

#include <absl/container/btree_map.h>
#include <map>

struct Delta {
    int64_t price;
    int64_t quantity;
    uint64_t side;
};

// Bids are kept under their negated price, so that the best level of both sides is the first one.
template <class Map> struct TreeBook {
    Map sides[2];

    void apply(const Delta& delta) {
        Map& side = sides[delta.side];
        int64_t key = delta.side ? delta.price : -delta.price;
        if (delta.quantity == 0)
            side.erase(key);
        else
            side[key] = delta.quantity;
    }
    int64_t bid() const { return sides[0].empty() ? 0 : -sides[0].begin()->first; }
    int64_t ask() const { return sides[1].empty() ? 0 : sides[1].begin()->first; }
};

// Sorted vectors with the best level at the back. Prices and quantities apart, so that the search reads prices alone; it steps
// away from the touch eight levels at a time, which the compiler turns into vector compares.
struct VectorBook {
    struct Side {
        std::vector<int64_t> keys;
        std::vector<int64_t> quantities;
    } sides[2];

    VectorBook() {
        for (Side& side : sides) {
            side.keys.reserve(16384);
            side.quantities.reserve(16384);
        }
    }

    // The place of the first key that is not below `key`.
    static size_t find(const std::vector<int64_t>& keys, int64_t key) {
        size_t end = keys.size();
        const int64_t* at = keys.data();
        while (end >= 8) {
            size_t not_below = 0;
            for (size_t i = 0; i < 8; i++)
                not_below += at[end - 8 + i] >= key;
            if (not_below < 8) return end - not_below;
            end -= 8;
            // Far from the touch halving is faster than walking.
            if (keys.size() - end == 64) return size_t(std::lower_bound(at, at + end, key) - at);
        }
        while (end > 0 && at[end - 1] >= key)
            end--;
        return end;
    }

    void apply(const Delta& delta) {
        Side& side = sides[delta.side];
        int64_t key = delta.side ? -delta.price : delta.price;
        size_t place = find(side.keys, key);
        bool found = place < side.keys.size() && side.keys[place] == key;
        if (found && delta.quantity != 0) {
            side.quantities[place] = delta.quantity;
        } else if (found) {
            side.keys.erase(side.keys.begin() + long(place));
            side.quantities.erase(side.quantities.begin() + long(place));
        } else if (delta.quantity != 0) {
            side.keys.insert(side.keys.begin() + long(place), key);
            side.quantities.insert(side.quantities.begin() + long(place), delta.quantity);
        }
    }
    int64_t bid() const { return sides[0].keys.empty() ? 0 : sides[0].keys.back(); }
    int64_t ask() const { return sides[1].keys.empty() ? 0 : -sides[1].keys.back(); }
};

template <class Book> void run(const char* name, const std::vector<Delta>& deltas, int repetitions) {
    std::vector<double> times;
    uint64_t sum = 0;
    for (int i = 0; i < repetitions; i++) {
        Book* book = new Book;
        sum = 0;
        uint64_t start = now_ns();
        for (const Delta& delta : deltas) {
            book->apply(delta);
            uint64_t bid = uint64_t(book->bid()), ask = uint64_t(book->ask());
            if (bid != 0 && ask != 0) sum += bid * 31 + ask;
        }
        times.push_back(double(now_ns() - start) / double(deltas.size()));
        delete book;
    }
    std::sort(times.begin(), times.end());
    printf("%s: %.3f checksum %llu\n", name, times[times.size() / 2], (unsigned long long)sum);
}

int main(int count, char** arguments) {
    if (count < 3) fail("usage: depth_books DELTAS REPETITIONS");
    std::vector<Delta> deltas = read_records<Delta>(arguments[1]);
    int repetitions = std::max(1, atoi(arguments[2]));
    run<TreeBook<std::map<int64_t, int64_t>>>("std::map", deltas, repetitions);
    run<TreeBook<absl::btree_map<int64_t, int64_t>>>("absl::btree_map", deltas, repetitions);
    run<VectorBook>("vector from the touch", deltas, repetitions);
}
