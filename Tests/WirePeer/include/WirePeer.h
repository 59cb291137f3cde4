// What the tests of CApusWire stand on: servers that behave and misbehave, certificates, and a session that does as told.
#ifndef WIREPEER_H
#define WIREPEER_H

#include "certificates.h"
#include "peer.h"
#include "probe.h"

#endif
