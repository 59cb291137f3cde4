// Everything about bytes, nothing about sockets: frames, HTTP, connections' lives, and what stands on them.
#ifndef CAPUSPROTOCOL_H
#define CAPUSPROTOCOL_H

#include "apus_channel.h"
#include "apus_fetch.h"
#include "apus_http.h"
#include "apus_link.h"
#include "apus_random.h"
#include "apus_utf8.h"
#include "apus_ws.h"

#endif
