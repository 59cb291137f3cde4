// The parts of Deriv's order session, to one another. Internal.
#ifndef DERIV_ORDERS_H
#define DERIV_ORDERS_H

#include "apus_deriv_orders.h"

// MARK: deriv_orders.c

static inline uint64_t deriv_wall_ms(const apus_deriv_orders* self, uint64_t now_ns) {
    return (now_ns + (uint64_t)self->out->realtime_offset) / 1000000;
}

// Puts a report into the ring, where room was seen before.
void deriv_report(apus_deriv_orders* self, const apus_report* report);
bool deriv_has_room(apus_deriv_orders* self, uint64_t count);

// A report about an order under way; without price and quantity of a fill.
apus_report deriv_report_on(const apus_deriv_order* order, uint16_t instrument, uint8_t side, uint8_t kind,
                            uint64_t now_ns);

// MARK: deriv_orders_config.c

int deriv_init_access(apus_deriv_orders* self, const char* token);
int deriv_init_memory(apus_deriv_orders* self, const apus_random* random);

// MARK: deriv_send.c

// Whether the instrument is a shape that this session trades.
bool deriv_is_shape(const apus_deriv_orders* self, uint16_t instrument);
uint32_t deriv_take_orders(apus_deriv_orders* self, uint64_t now_ns);
// Notes when requests left for the kernel, after the shell has written.
void deriv_note_sent(apus_deriv_orders* self);

// MARK: deriv_access.c

// Makes the connection usable: a one-time address for each (current API), or the authorization (v3).
uint32_t deriv_keep_access(apus_deriv_orders* self, uint64_t now_ns);
void deriv_take_authorization(apus_deriv_orders* self, uint64_t now_ns);
uint64_t deriv_access_deadline(const apus_deriv_orders* self);

// MARK: deriv_contracts.c

apus_deriv_contract* deriv_contract(const apus_deriv_orders* self, uint64_t id);
// A place for a contract; NULL: all of them are open.
apus_deriv_contract* deriv_contract_add(apus_deriv_orders* self, uint64_t id, uint16_t instrument);
bool deriv_contract_place(const apus_deriv_orders* self);
// The oldest open one of a shape that is not being sold. *busy: whether one is.
apus_deriv_contract* deriv_oldest(const apus_deriv_orders* self, uint16_t instrument, bool* busy);
void deriv_take_contract(apus_deriv_orders* self, const apus_deriv_request* request, uint64_t now_ns);
void deriv_take_transaction(apus_deriv_orders* self, uint64_t now_ns);
// Asks about contracts that are not watched, or quiet.
uint32_t deriv_watch_contracts(apus_deriv_orders* self, uint64_t now_ns);
// Tells what contracts have to tell.
uint32_t deriv_tell_contracts(apus_deriv_orders* self, uint64_t now_ns);
void deriv_show_bid(apus_deriv_orders* self, uint16_t instrument);
// The price in `text`, rounded where it has more decimals than the instrument; false: no price.
bool deriv_money(apus_deriv_orders* self, uint16_t instrument, const apus_deriv_text* text, int64_t* price);

// MARK: deriv_lookup.c

// The engine asks what became of an order.
void deriv_ask(apus_deriv_orders* self, const apus_order* order, uint64_t now_ns);
uint32_t deriv_keep_lookup(apus_deriv_orders* self, uint64_t now_ns);
void deriv_take_portfolio(apus_deriv_orders* self, uint64_t now_ns);
void deriv_take_table(apus_deriv_orders* self, uint64_t now_ns);
// Whether a buy's answer is lost.
bool deriv_is_unresolved(const apus_deriv_orders* self);
void deriv_lookup_lost(apus_deriv_orders* self);
// A contract was sold, by no sell that is known to be its own: by the one of which nobody knows the contract, where its time and price fit.
void deriv_claim_sale(apus_deriv_orders* self, apus_deriv_contract* contract);
// The engine's question about a sell of a contract that is still open.
void deriv_answer_sale(apus_deriv_orders* self, apus_deriv_contract* contract, uint64_t now_ns);

#endif
