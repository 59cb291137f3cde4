// A fingerprint of a whole book, for holding replays and simulations against each other.
#ifndef APUS_BOOK_DIGEST_H
#define APUS_BOOK_DIGEST_H

#include "apus_book.h"

// 64 hex digits and a terminating zero.
#define APUS_BOOK_DIGEST_BYTES 65u

// SHA-256 over the lines "b <price> <quantity>\n" of all bids, best first, and then "a <price> <quantity>\n" of all
// asks, best first; prices and quantities as whole numbers of the instrument's units. The book must not change
// meanwhile. No state.
void apus_book_digest(const apus_book* book, char* digest);

#endif
