#include "apus_decimal.h"
#include "polymarket_orders_internal.h"

#include <stdio.h>

#define OK 200u
#define TOO_EARLY 425u
#define TOO_MANY 429u
#define NOT_FOUND 404u
// Where the venue refuses an order in an answer that is good as such.
#define REFUSED_IN_ANSWER 400
// How long other orders than post-only ones are held back when the venue says that it has restarted and not when.
#define RESTART_LOOK_NS (10 * SECOND_NS)

static bool mentions(const apus_http_response* answer, const char* word) {
    return memmem(answer->body, answer->body_size, word, strlen(word)) != NULL;
}

// The venue has not carried it out. A request that it took too long to read (408) may have been.
static bool is_refusal(const apus_http_response* answer) {
    return answer->status >= 400 && answer->status < 500 && answer->status != 408;
}

static apus_report report_on(const apus_polymarket_job* job, const apus_polymarket_asked* asked, uint8_t kind,
                             uint64_t now_ns) {
    return (apus_report){
        .client_id = asked->client_id,
        .venue_order_id = asked->venue_id,
        .instrument = asked->instrument,
        .kind = kind,
        .side = asked->side,
        .action = asked->action,
        .price = asked->price,
        .quantity = asked->quantity,
        .receive_ns = now_ns,
        .sent_ns = job->sent_ns,
        .decided_ns = asked->decided_ns,
    };
}

static void tell(pm_session* self, const apus_polymarket_job* job, const apus_polymarket_asked* asked, uint8_t kind,
                 int32_t code, uint64_t now_ns) {
    apus_report report = report_on(job, asked, kind, now_ns);
    report.code = code;
    polymarket_report(self, &report);
}

// MARK: what every answer says beside its matter

static void learn(pm_session* self, const apus_polymarket_job* job, const apus_http_response* answer, uint64_t now_ns) {
    if (answer->status == TOO_EARLY) self->post_only_until_ns = now_ns + self->config.post_only_ns;
    if (answer->status == TOO_MANY) {
        uint64_t wait_s = answer->retry_after_s > 0 ? answer->retry_after_s : 1;
        // Too many placements do not keep cancels back.
        uint32_t row = job->kind == JOB_PLACE ? ROW_ORDERS : APUS_BUDGET_ALL;
        apus_budget_blocked_until(&self->budget, row, now_ns + wait_s * SECOND_NS);
    }
    if (job->kind != JOB_PLACE && job->kind != JOB_CANCEL) return;
    size_t length;
    uint64_t remaining;
    const char* text = apus_http_header(answer, "poly-ratelimit-remaining", &length);
    uint32_t row = job->kind == JOB_PLACE ? ROW_ORDERS : ROW_CANCELS;
    uint64_t burst = job->kind == JOB_PLACE ? self->config.orders_burst : self->config.cancels_burst;
    if (text == NULL || apus_u64_parse((const uint8_t*)text, length, &remaining) < 0 || remaining >= burst) return;
    apus_budget_learn(&self->budget, row, burst - remaining, now_ns);
}

// MARK: placements

static void refuse_placement(pm_session* self, const apus_polymarket_job* job, uint32_t index, int32_t code,
                             uint64_t now_ns) {
    const apus_polymarket_asked* asked = &job->orders[index];
    apus_polymarket_known* known = polymarket_find(self, asked->venue_id);
    if (known != NULL) polymarket_end(self, known);
    tell(self, job, asked, APUS_REPORT_REJECTED, code, now_ns);
}

static void doubt_placement(pm_session* self, const apus_polymarket_job* job, uint32_t index, int32_t code,
                            uint64_t now_ns) {
    const apus_polymarket_asked* asked = &job->orders[index];
    apus_polymarket_known* known = polymarket_find(self, asked->venue_id);
    if (known != NULL) known->placing = false;
    tell(self, job, asked, APUS_REPORT_UNKNOWN, code, now_ns);
}

static void accept_placement(pm_session* self, const apus_polymarket_job* job, uint32_t index, uint64_t now_ns) {
    const apus_polymarket_asked* asked = &job->orders[index];
    apus_polymarket_known* known = polymarket_find(self, asked->venue_id);
    apus_report report = report_on(job, asked, APUS_REPORT_ACCEPTED, now_ns);
    report.status = APUS_STATUS_NEW;
    polymarket_report(self, &report);
    if (known == NULL) return;
    known->placing = false;
    bool rests = known->time_in_force == APUS_GTC || known->time_in_force == APUS_POST_ONLY;
    if (rests || !known->open || self->waiting_count == APUS_POLYMARKET_WAITING) return;
    // What was not matched of it at once is gone: the venue is asked how much that was.
    self->waiting[self->waiting_count++] = (apus_order){
        .client_id = known->client_id,
        .target_id = known->client_id,
        .instrument = known->instrument,
        .action = APUS_ORDER_QUERY,
        .side = known->side,
        .price = known->price,
        .quantity = known->quantity,
        .venue_id = known->venue_id,
    };
}

typedef struct placing {
    pm_session* self;
    const apus_polymarket_job* job;
    uint64_t now_ns;
    uint32_t index;
} placing;

static bool take_placed(void* context, const apus_field* text) {
    static const char* const names[] = {"success", "errorMsg", "error"};
    enum { SUCCESS, MESSAGE, ERROR, COUNT };
    placing* placing = context;
    apus_field fields[COUNT];
    if (placing->index == placing->job->count) return false;
    uint32_t index = placing->index++;
    if (text->token != APUS_JSON_OBJECT_BEGIN || apus_fields_read(text->text, text->length, names, fields, COUNT) < 0) {
        doubt_placement(placing->self, placing->job, index, 0, placing->now_ns);
        return true;
    }
    bool error = (fields[MESSAGE].token == APUS_JSON_STRING && fields[MESSAGE].length > 0)
                 || (fields[ERROR].token == APUS_JSON_STRING && fields[ERROR].length > 0);
    if (fields[SUCCESS].token == APUS_JSON_TRUE && !error)
        accept_placement(placing->self, placing->job, index, placing->now_ns);
    else if (fields[SUCCESS].token == APUS_JSON_FALSE || error)
        refuse_placement(placing->self, placing->job, index, REFUSED_IN_ANSWER, placing->now_ns);
    else
        doubt_placement(placing->self, placing->job, index, 0, placing->now_ns);
    return true;
}

static void take_placements(pm_session* self, const apus_polymarket_job* job, const apus_http_response* answer,
                            uint64_t now_ns) {
    placing placing = {.self = self, .job = job, .now_ns = now_ns};
    apus_field whole = {.text = answer->body, .length = answer->body_size, .token = APUS_JSON_OBJECT_BEGIN};
    // After a restart the venue says 503 to what is not post-only, and has not looked at it.
    bool restarted = answer->status == 503 && mentions(answer, "post-only");
    bool refused = restarted || is_refusal(answer);
    if (restarted) self->post_only_until_ns = apus_time_later(self->post_only_until_ns, now_ns + RESTART_LOOK_NS);
    if (mentions(answer, "order_version_mismatch")) self->version_due = true;
    if (answer->status == OK && job->count == 1)
        take_placed(&placing, &whole);
    else if (answer->status == OK)
        apus_fields_each(answer->body, answer->body_size, take_placed, &placing);
    for (; placing.index < job->count; placing.index++) {
        if (refused)
            refuse_placement(self, job, placing.index, answer->status, now_ns);
        else
            doubt_placement(self, job, placing.index, answer->status, now_ns);
    }
}

// MARK: cancels and questions

typedef struct canceling {
    const apus_polymarket_asked* asked;
    bool found;
} canceling;

static bool find_canceled(void* context, const apus_field* element) {
    canceling* canceling = context;
    uint8_t hash[APUS_WORD_BYTES];
    canceling->found = element->token == APUS_JSON_STRING
                       && apus_hex_parse((const char*)element->text, element->length, hash, sizeof hash) == 0
                       && memcmp(hash, canceling->asked->hash, sizeof hash) == 0;
    return !canceling->found;
}

static void take_cancels(pm_session* self, const apus_polymarket_job* job, const apus_http_response* answer,
                         uint64_t now_ns) {
    static const char* const names[] = {"canceled"};
    apus_field list = {0};
    bool read = answer->status == OK && apus_fields_read(answer->body, answer->body_size, names, &list, 1) == 0
                && list.token == APUS_JSON_ARRAY_BEGIN;
    bool refused = is_refusal(answer);
    for (uint32_t i = 0; i < job->count; i++) {
        const apus_polymarket_asked* asked = &job->orders[i];
        canceling canceling = {.asked = asked};
        if (read) apus_fields_each(list.text, list.length, find_canceled, &canceling);
        if (!canceling.found) {
            uint8_t kind = read || refused ? APUS_REPORT_CANCEL_REJECTED : APUS_REPORT_UNKNOWN;
            tell(self, job, asked, kind, read ? 0 : answer->status, now_ns);
            continue;
        }
        apus_polymarket_known* known = polymarket_find(self, asked->venue_id);
        apus_report report = report_on(job, asked, APUS_REPORT_CANCELED, now_ns);
        report.status = APUS_STATUS_CANCELED;
        if (known != NULL) {
            report.cumulative = known->total;
            polymarket_end(self, known);
        }
        polymarket_report(self, &report);
    }
}

static bool is_nothing(const apus_http_response* answer) {
    return answer->status == NOT_FOUND
           || (answer->status == OK
               && (answer->body_size == 0 || (answer->body_size == 4 && memcmp(answer->body, "null", 4) == 0)
                   || (answer->body_size == 2 && memcmp(answer->body, "{}", 2) == 0)));
}

static void take_question(pm_session* self, const apus_polymarket_job* job, const apus_http_response* answer,
                          uint64_t now_ns) {
    const apus_polymarket_asked* asked = &job->orders[0];
    apus_polymarket_known* known = polymarket_find(self, asked->venue_id);
    apus_field whole = {.text = answer->body, .length = answer->body_size, .token = APUS_JSON_OBJECT_BEGIN};
    polymarket_order_view view;
    if (is_nothing(answer)) {
        if (known != NULL && !known->placing) polymarket_end(self, known);
        tell(self, job, asked, APUS_REPORT_NOT_FOUND, 0, now_ns);
        return;
    }
    if (answer->status != OK || known == NULL || polymarket_view_order(self, &whole, known, &view) < 0
        || view.status == APUS_STATUS_NONE) {
        tell(self, job, asked, APUS_REPORT_UNKNOWN, answer->status, now_ns);
        return;
    }
    if (polymarket_is_blind(self, known)) {
        // The venue has answered, which is no failure, but says nothing to go by: the engine asks again.
        tell(self, job, asked, APUS_REPORT_STATUS, 0, now_ns);
        return;
    }
    apus_report report = report_on(job, asked, APUS_REPORT_STATUS, now_ns);
    report.status = view.status;
    report.cumulative = known->total;
    report.price = view.price > 0 ? view.price : known->price;
    report.quantity = view.original > 0 ? view.original : known->quantity;
    if (view.status != APUS_STATUS_NEW && view.status != APUS_STATUS_PARTIALLY_FILLED) polymarket_end(self, known);
    // At what prices it was filled, only the trades tell, whose events may have come before anybody asked.
    if (view.news) polymarket_ask_trades(self, known->placed_s);
    polymarket_report(self, &report);
}

// MARK: the session's own

static void take_heartbeat(pm_session* self, const apus_http_response* answer, uint64_t now_ns) {
    static const char* const names[] = {"heartbeat_id"};
    apus_field id = {0};
    // A refusal names the id that the venue waits for; without one the chain begins anew.
    bool read = apus_fields_read(answer->body, answer->body_size, names, &id, 1) == 0 && id.token == APUS_JSON_STRING
                && id.length < sizeof self->heartbeat && memchr(id.text, '\\', id.length) == NULL;
    self->heartbeats += answer->status == OK;
    if (answer->status != OK) self->heartbeat_due_ns = now_ns + SECOND_NS;
    if (answer->status != OK && answer->status != 400) return;
    memset(self->heartbeat, 0, sizeof self->heartbeat);
    if (read) memcpy(self->heartbeat, id.text, id.length);
}

static void take_trades(pm_session* self, const apus_http_response* answer, uint64_t now_ns) {
    apus_field cursor = {0};
    if (answer->status != OK || polymarket_take_trades(self, answer->body, answer->body_size, &cursor, now_ns) < 0) {
        return; // it is still due
    }
    if (self->trades_asked != self->trades_round) return; // others were to be asked for meanwhile
    bool more = cursor.token == APUS_JSON_STRING && !apus_field_is(&cursor, "LTE=") && cursor.length > 0
                && cursor.length < sizeof self->cursor;
    for (size_t i = 0; more && i < cursor.length; i++) {
        more = cursor.text[i] > ' ' && cursor.text[i] <= '~' && cursor.text[i] != '&' && cursor.text[i] != '\\';
    }
    memset(self->cursor, 0, sizeof self->cursor);
    if (more)
        memcpy(self->cursor, cursor.text, cursor.length);
    else
        memcpy(self->cursor, "MA==", 4);
    self->trades_due = more;
    if (!more) self->trades_read = self->trades_round;
    if (more) self->trades_ns = 0;
}

static void take_version(pm_session* self, const apus_http_response* answer) {
    static const char* const names[] = {"version"};
    apus_field version;
    uint64_t number;
    if (answer->status != OK || apus_fields_read(answer->body, answer->body_size, names, &version, 1) < 0) return;
    if (apus_field_u64(&version, &number) == 0 && (number == 2 || number == 3)) self->version = (uint8_t)number;
}

void polymarket_answered(pm_session* self, apus_polymarket_line* line, const apus_http_response* answer,
                         uint64_t now_ns) {
    const apus_polymarket_job* job = &line->job;
    learn(self, job, answer, now_ns);
    switch (job->kind) {
    case JOB_PLACE:
        take_placements(self, job, answer, now_ns);
        break;
    case JOB_CANCEL:
        take_cancels(self, job, answer, now_ns);
        break;
    case JOB_QUERY:
        take_question(self, job, answer, now_ns);
        break;
    case JOB_CANCEL_ALL:
        if (answer->status == OK) self->cancel_all_due = false;
        break;
    case JOB_HEARTBEAT:
        take_heartbeat(self, answer, now_ns);
        break;
    case JOB_TRADES:
        take_trades(self, answer, now_ns);
        break;
    case JOB_VERSION:
        take_version(self, answer);
        break;
    default:
        break;
    }
}

// MARK: no answer

void polymarket_lost(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    const apus_polymarket_job* job = &line->job;
    if (job->kind == JOB_HEARTBEAT) self->heartbeat_due_ns = 0;
    for (uint32_t i = 0; i < job->count; i++) {
        if (job->kind == JOB_PLACE)
            doubt_placement(self, job, i, 0, now_ns);
        else
            tell(self, job, &job->orders[i], APUS_REPORT_UNKNOWN, 0, now_ns);
    }
}

void polymarket_unsent(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    const apus_polymarket_job* job = &line->job;
    if (job->kind == JOB_HEARTBEAT) self->heartbeat_due_ns = 0;
    for (uint32_t i = 0; i < job->count; i++) {
        const apus_polymarket_asked* asked = &job->orders[i];
        apus_polymarket_known* known = polymarket_find(self, asked->venue_id);
        if (job->kind == JOB_PLACE && known != NULL) polymarket_end(self, known);
        apus_publisher_count(self->out, APUS_COUNT_ORDERS_REFUSED, 1);
        tell(self, job, asked, APUS_REPORT_REFUSED, APUS_GUARD_NOT_CONNECTED, now_ns);
    }
}
