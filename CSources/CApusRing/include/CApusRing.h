// What threads and processes share: layouts, rings, counters, time, and every limit.
#ifndef CAPUSRING_H
#define CAPUSRING_H

#include "apus_allocations.h"
#include "apus_board.h"
#include "apus_clock.h"
#include "apus_counters.h"
#include "apus_event.h"
#include "apus_feed.h"
#include "apus_journal.h"
#include "apus_limits.h"
#include "apus_order.h"
#include "apus_probes.h"
#include "apus_queue.h"
#include "apus_shared.h"
#include "apus_text_id.h"

#endif
