// Exact numbers of operations, for counting what they cost: instructions, allocations, system calls.
// One thread; whatever is made here lives until the process ends.
#ifndef CCOUNTS_H
#define CCOUNTS_H

#include "counts_allocations.h"
#include "counts_peer.h"
#include "counts_rig.h"
#include "counts_section.h"
#include "counts_wire.h"

#endif
