// Everything about bytes, nothing about sockets: frames, HTTP, connections' lives, and what stands on them.
#ifndef CAPUSPROTOCOL_H
#define CAPUSPROTOCOL_H

#include "apus_arena.h"
#include "apus_binance.h"
#include "apus_binance_decode.h"
#include "apus_binance_orders.h"
#include "apus_book.h"
#include "apus_book_digest.h"
#include "apus_budget.h"
#include "apus_channel.h"
#include "apus_decimal.h"
#include "apus_fetch.h"
#include "apus_guard.h"
#include "apus_hmac.h"
#include "apus_http.h"
#include "apus_instrument.h"
#include "apus_json.h"
#include "apus_link.h"
#include "apus_market.h"
#include "apus_open_orders.h"
#include "apus_polymarket.h"
#include "apus_polymarket_decode.h"
#include "apus_pool.h"
#include "apus_publisher.h"
#include "apus_random.h"
#include "apus_session.h"
#include "apus_tap.h"
#include "apus_utf8.h"
#include "apus_vector.h"
#include "apus_ws.h"

#endif
