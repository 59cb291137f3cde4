// The thin shell that performs the sessions' effects: libuv loop, sockets, OpenSSL, timers.
#ifndef CAPUSWIRE_H
#define CAPUSWIRE_H

#include "apus_process.h"
#include "apus_thread.h"
#include "apus_wire.h"

#endif
