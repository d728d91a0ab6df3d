// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_SPOOF_H
#define SLUICE_DATAPATH_SPOOF_H

#include <stdbool.h>

#include "datapath/snapshot.h"
#include "flow/key.h"

// Anti-spoof of a port, as datapath/program.h says. Thread safety: any thread.

bool spoof_mac_ok(const struct dp_vport *v, const struct flow_key *key);
bool spoof_ip_ok(const struct dp_vport *v, const struct flow_key *key);

#endif
