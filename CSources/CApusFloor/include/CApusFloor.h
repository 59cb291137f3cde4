// What this machine can do before any engine runs on it: the floor that latencies are held against.
#ifndef CAPUSFLOOR_H
#define CAPUSFLOOR_H

#include "apus_floor.h"

#endif
